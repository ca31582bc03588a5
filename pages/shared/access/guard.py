"""What every request passes before it is answered: routes of `app.py`, pictures and uploads obey the roles, too.

A script asks for itself (`gate.py`); this is for what is fetched beside it. A path of ours, or of the pictures that
pages show, is answered to who may look, and an upload is taken of who may change something.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from starlette.requests import Request
from starlette.routing import Match

from pages.components import serve
from pages.shared.access import roles
from vaecore import permission

if TYPE_CHECKING:
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS, PICTURES = "_stcore/upload_file/", "media/"


class Guard:
    """The ASGI middleware that does it, of an app with `routes` of its own."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self.app, self.routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif reason := self._refusal(scope):
            await serve.refusal(403, reason)(scope, receive, send)
        else:
            await self.app(scope, receive, _private(send) if roles.sign_in() else send)

    def _refusal(self, scope: Scope) -> str:
        """Why the request is not answered; empty where it is."""
        path = scope["path"]
        if path.startswith(_from_root(UPLOADS)) and scope["method"] == "PUT":
            if permission.read_only():
                return "Nothing is uploaded: this laboratory is shown read-only."
            if roles.of_request(Request(scope)).role != "member":
                return f"Nothing is uploaded. {roles.LOOKS}"
        ours = any(route.matches(scope)[0] is not Match.NONE for route in self.routes)
        if (ours or path.startswith(_from_root(PICTURES))) and roles.of_request(Request(scope)).role == "nobody":
            return "Sign in first: open a page of this laboratory."
        return ""


def exposed() -> str:
    """What to know of a server that others can reach, in a line; empty where it listens to this machine only."""
    address = st.get_option("server.address") or "every address of this machine"
    try:
        alone = ipaddress.ip_address(address).is_loopback
    except ValueError:
        alone = address == "localhost"
    if alone:
        return ""
    who = ("Who signs in may do what their role allows." if roles.sign_in() else
           "Nothing is changed: it is read-only." if permission.read_only() else
           "Whoever reaches it may train, upload and remove. docs/access.md has read-only mode and sign-in.")
    return f"Latent Lab listens on {address}, not only to this machine. {who}"


def _from_root(path: str) -> str:
    """A path below the base path, as requests have it."""
    return "/" + serve.below(path).lstrip("/")


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
