"""A request to an ASGI app, and what it answers, without a server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class Answer(NamedTuple):
    """What came back; names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


def ask(app: ASGIApp, address: str, method: str = "GET", **headers: str) -> Answer:
    """What `app` answers to a request for `address`; `_` in the name of a header stands for `-`."""
    path, _, query = address.partition("?")
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "root_path": "",
             "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}
    with ThreadPoolExecutor(1) as aside:  # Playwright keeps a loop in the thread of tests that it has driven
        aside.submit(asyncio.run, app(scope, receive, send)).result()
    return Answer(sent[0]["status"], {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]},
                  b"".join(message.get("body", b"") for message in sent[1:]))
