"""What every request passes before it is answered: routes of `app.py`, pictures and uploads obey the roles, too.

A script asks for itself (`gate.py`); this is for what is fetched beside it. A path of ours, or of the pictures that
pages show, is answered to who may look, and an upload is taken of who may change something.

No page of another site gets in by the browser of somebody who may: neither by asking for our addresses (its `Origin`
is another), nor by a name of its own that it turns to this machine (the `Host` is another: DNS rebinding). Every answer
tells the browser to fetch nothing from elsewhere, and to show the laboratory in no frame of another site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Match

from pages.components import serve
from pages.shared.access import roles
from vaecore import permission

if TYPE_CHECKING:
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS, PICTURES = "_stcore/upload_file/", "media/"
# Streamlit and Plotly need scripts and styles within the page. What a run says may not call an address outside.
POLICY = "; ".join((
    "default-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:", "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:", "media-src 'self' data: blob:", "font-src 'self' data:",
    "connect-src 'self' data: blob:", "worker-src 'self' blob:", "frame-src 'self' data: blob:", "object-src 'none'",
    "base-uri 'self'", "form-action 'self'", "frame-ancestors 'self'"))
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN",
           "Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"}


class Guard:
    """The ASGI middleware that does it, of an app with `routes` of its own."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self.app, self.routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":  # of which Streamlit lets in any port of this machine, and any name
            headers = Headers(scope=scope)
            if _by_another_name(headers.get("host")) or _from_another_site(headers):
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the browser sees a 403
            else:
                await self.app(scope, receive, send)
        elif reason := self._refusal(scope):
            await serve.refusal(403, reason)(scope, receive, _told(send))
        else:
            await self.app(scope, receive, _told(_private(send) if roles.sign_in() else send))

    def _refusal(self, scope: Scope) -> str:
        """Why the request is not answered; empty where it is."""
        path, headers = scope["path"], Headers(scope=scope)
        if reason := _by_another_name(headers.get("host")):
            return reason
        if path.startswith(_from_root(UPLOADS)) and scope["method"] == "PUT":
            if permission.read_only():
                return "Nothing is uploaded: this laboratory is shown read-only."
            if roles.of_request(Request(scope)).role != "member":
                return f"Nothing is uploaded. {roles.LOOKS}"
        ours = any(route.matches(scope)[0] is not Match.NONE for route in self.routes)
        if ours and _from_another_site(headers):
            return "A page of another site has asked. Open a page of this laboratory."
        if (ours or path.startswith(_from_root(PICTURES))) and roles.of_request(Request(scope)).role == "nobody":
            return "Sign in first: open a page of this laboratory."
        return ""


def exposed() -> str:
    """What to know of a server that others can reach, in a line; empty where it listens to this machine only."""
    address = st.get_option("server.address") or "every address of this machine"
    if _is_this_machine(address):
        return ""
    who = ("Who signs in may do what their role allows." if roles.sign_in() else
           "Nothing is changed: it is read-only." if permission.read_only() else
           "Whoever reaches it may train, upload and remove. docs/access.md has read-only mode and sign-in.")
    return f"Latent Lab listens on {address}, not only to this machine. {who}"


def _by_another_name(host: str | None) -> str:
    """Why a request that calls the server `host` is not answered; empty where that is a name of it.

    A number is always: only a name can be turned to another machine. Who listens to more than this machine has to say
    the names.
    """
    names = [*st.get_option("server.allowedHosts")]
    if host is None or not (names or _is_this_machine(st.get_option("server.address") or "")):
        return ""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        name = ""
    known = [*names, "localhost", "*.localhost", st.get_option("browser.serverAddress"), roles.own_name()]
    if _is_number(name) or any(name == each.casefold() or (each.startswith("*") and name.endswith(each[1:].casefold()))
                               for each in known if each):
        return ""
    return (f"This laboratory is not called {name[:200]!r}. If it is, as behind a proxy, start it with "
            f"--server.allowedHosts and that name.")


def _from_another_site(headers: Headers) -> bool:
    """Whether the browser says that a page of another site asks; following a link to us is no such question."""
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return True
    origin = headers.get("origin")
    return (origin is not None and origin not in st.get_option("server.corsAllowedOrigins")
            and origin.partition("://")[2] != headers.get("host"))


def _is_this_machine(address: str) -> bool:
    return address == "localhost" or (_is_number(address) and ipaddress.ip_address(address).is_loopback)


def _is_number(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _from_root(path: str) -> str:
    """A path below the base path, as requests have it."""
    return "/" + serve.below(path).lstrip("/")


def _told(send: Send) -> Send:
    """`send`, with what a browser is told beside every answer."""
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((name.lower().encode(), value.encode())
                                  for name, value in HEADERS.items() if name.lower().encode() not in said)]
        await send(message)

    return sent


def _private(send: Send) -> Send:
    """`send`, with what a shared cache must not keep marked as private."""
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [(name, _for_one(value) if name.lower() == b"cache-control" else value)
                                  for name, value in message["headers"]]
        await send(message)

    return sent


def _for_one(cached: bytes) -> bytes:
    """How long something may be kept, by nobody but who asked; without the word a shared cache may keep it, too."""
    told = cached.replace(b"public", b"private")
    return told if b"private" in told or b"no-store" in told else told + b", private"
