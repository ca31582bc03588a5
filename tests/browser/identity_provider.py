"""An OpenID Connect provider for tests: it asks nobody for a password, and says of everybody what `claims` hold."""

from __future__ import annotations

import http.server
import json
import secrets
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlparse

from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider:
    """The server, on a free port of this machine, while it is entered."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.gave: list[str] = []  # codes and tokens, which nobody else may learn
        key, asked = RSAKey.generate_key(2048, {"kid": "only", "alg": "RS256"}), dict[str, dict[str, str]]()
        provider = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                url = urlparse(self.path)
                query = dict(parse_qsl(url.query))
                if url.path == "/authorize":
                    code = secrets.token_hex(8)
                    asked[code] = query
                    provider.gave.append(code)
                    self.send_response(302)
                    self.send_header("Location", f"{query['redirect_uri']}?"
                                     + urlencode({"code": code, "state": query["state"]}))
                    self.end_headers()
                elif url.path == "/keys":
                    self.say({"keys": [key.as_dict(private=False)]})
                else:
                    self.say({"issuer": provider.address, "authorization_endpoint": f"{provider.address}/authorize",
                              "token_endpoint": f"{provider.address}/token", "jwks_uri": f"{provider.address}/keys",
                              "id_token_signing_alg_values_supported": ["RS256"], "response_types_supported": ["code"],
                              "subject_types_supported": ["public"]})

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                query, now = asked.pop(form["code"]), int(time.time())
                claims = {"iss": provider.address, "aud": query["client_id"], "sub": "1", "iat": now, "exp": now + 600,
                          "nonce": query["nonce"], **provider.claims}
                token, proof = secrets.token_hex(8), jwt.encode({"alg": "RS256", "kid": "only"}, claims, key)
                provider.gave += [token, proof]
                self.say({"access_token": token, "token_type": "Bearer", "id_token": proof})

            def say(self, content: dict[str, Any]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Provider:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
