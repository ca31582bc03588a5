"""The dashboard's own browser components, one folder each; a route of `app.py` serves their scripts and styles.

Beside it what all our routes share: addresses below the server's base path, answers with an entity tag, refusals.

What Streamlit is given as a script or style travels with every message. So it is given two lines that name the
address of the file here. In that address is a digest of all files: a browser keeps them for good, and asks for
others after an upgrade.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pages.shared import warm

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from streamlit.components.v2.types import ComponentRenderer

P = ParamSpec("P")
T = TypeVar("T")
BYTES = "application/octet-stream"
TYPES = {".js": "text/javascript", ".css": "text/css"}
_FOLDER = Path(__file__).parent
FILES = {path.relative_to(_FOLDER).as_posix(): path.read_bytes()
         for path in sorted(_FOLDER.glob("*/*")) if path.suffix in TYPES}
DIGEST = hashlib.sha256(repr(FILES).encode()).hexdigest()[:16]


@cache
def component(name: str) -> ComponentRenderer:
    """The mounted component `name`, drawn by `<name>/<name>.js` and `.css`."""
    return st.components.v2.component(
        f"latent_lab.{name}",
        js=f'const {{ default: mount }} = await import(new URL("{root()}/{name}/{name}.js", location.origin));\n'
           "export default mount;",
        css=f'/* {name} */\n@import url("{root()}/{name}/{name}.css");')


def routes() -> list[Route]:
    """What `app.py` serves besides Streamlit's own."""
    return [Route(f"{root()}/{{name:path}}", _file)]


def below(path: str) -> str:
    """The address of `path` on this server, below the base path that it is served at."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' if base else ''}{base}/{path}"


def tagged(content: bytes, tag: str, request: Request, cache: str) -> Response:
    """Bytes with an entity tag; only that they are the same (304) where the browser says that it has them."""
    told = {"ETag": f'"{tag}"', "Cache-Control": cache}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if told["ETag"] in known or "*" in known:
        return Response(status_code=304, headers=told)
    return Response(content, media_type=BYTES, headers=told)


async def answered(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` answers in a thread of its own, where it may be the first to import something."""
    def alone() -> T:
        with warm.alone():
            return function(*args, **kwargs)

    return await run_in_threadpool(alone)


def refusal(status: int, reason: str, **more: Any) -> Response:
    """Why there is no answer, as JSON for a component that says it."""
    return JSONResponse(cast(dict[str, Any], {"reason": reason, **more}), status, {"Cache-Control": "no-store"})


def root() -> str:
    """The address of the components' folder, with the digest of all files in it."""
    return below(f"components/{DIGEST}")


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        return PlainTextResponse(f"There is no {name} among the components.", 404)
    return Response(FILES[name], media_type=TYPES[Path(name).suffix],
                    headers={"Cache-Control": "public, max-age=31536000, immutable"})
