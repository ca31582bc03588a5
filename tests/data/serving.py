"""A server on this machine that has files, and all that goes wrong with one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Files(ThreadingHTTPServer):
    """`files` by their names in the address. What is done to a request: see the fields."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []  # bytes after which the next connections are cut
        self.ranges = True  # whether it knows of requests for a part
        self.lengths = True  # whether it says how long a file is
        self.refusals: list[int] = []  # status of the next answers
        self.asked: list[tuple[str, str]] = []  # files, and the ranges asked for
        self.moved: dict[str, str] = {}  # files that lie at another address
        self.packed = ""  # how it says that files are packed
        self.slow = 0.0  # seconds for each 1000 bytes

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        name, wanted = self.path[1:], self.headers.get("Range", "")
        self.server.asked.append((name, wanted))
        if self.server.refusals:
            return self.send_error(self.server.refusals.pop(0))
        if name in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[name])
            return self.end_headers()
        if name not in self.server.files:
            return self.send_error(404)
        data = whole = self.server.files[name]
        match = re.fullmatch(r"bytes=(\d+)-", wanted) if self.server.ranges else None
        start = int(match[1]) if match else 0
        if match and start >= len(whole):
            return self.send_error(416)
        data = whole[start:]
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        if self.server.lengths:
            self.send_header("Content-Length", str(len(data)))
        if self.server.packed:
            self.send_header("Content-Encoding", self.server.packed)
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(data)
        self._send(data[:cut])

    def _send(self, data: bytes) -> None:
        import time

        try:
            for place in range(0, len(data), 1000):
                time.sleep(self.server.slow)
                self.wfile.write(data[place:place + 1000])
        except OSError:  # whoever asked has gone
            pass

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Files]:
    """A server while the block runs."""
    server = Files()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
