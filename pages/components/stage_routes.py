"""The stage of a talk, a page of its own beside Streamlit's: it holds the scene now, the next and the one before.

    GET <base>/stage?name=lecture&scene=3    the stage; with `notes=1` the speaker's window to it
    GET <base>/talks/<name>                  the talk as JSON, its equations as LaTeX

A scene is a frame of this dashboard at its address. A Streamlit page would be run again at each step, and its frames
with it; here one step is one attribute. What typesets the equations comes with Streamlit.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from pages.components import serve
from vaecore import talks
from vaecore.errors import StoreError
from vaecore.schema import ConfigError
from vaecore.store import Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_BUNDLED = Path(st.__file__).parent / "static" / "static" / "js"
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Latent Lab: the stage</title>
<link rel="stylesheet" href="{own}/stage/stage.css">
<body data-told="{told}">
<noscript>The stage needs JavaScript.</noscript>
<script type="module" src="{own}/stage/stage.js"></script>
</body>
</html>
"""


def routes() -> list[Route]:
    """What `app.py` serves of it."""
    return [Route(serve.below("stage"), _stage), Route(serve.below("talks/{name}"), _talk)]


def typesetter() -> str:
    """The address of KaTeX as Streamlit brings it for its own pages, whose name holds a digest; empty without it."""
    found = next(iter(sorted(_BUNDLED.glob("katex.*.js"))), None)
    return serve.below(f"static/js/{found.name}") if found else ""


async def _stage(_: Request) -> Response:
    told = {"base": serve.below("").rstrip("/"), "typesetter": typesetter()}
    return HTMLResponse(_PAGE.format(own=serve.root(), told=html.escape(json.dumps(told))),
                        headers={"Cache-Control": "no-store"})


async def _talk(request: Request) -> Response:
    try:
        found = await serve.answered(talks.talk_of_store, request.path_params["name"], Store.default())
    except (StoreError, ConfigError, OSError) as error:
        return serve.refusal(404, str(error))
    return JSONResponse(talks.told(found), headers={"Cache-Control": "no-store"})
