"""The dashboard's own browser components, one folder each; a route of `app.py` serves their scripts and styles.

What Streamlit is given as a script or style travels with every message. So it is given two lines that name the
address of the file here. In that address is a digest of all files: a browser keeps them for good, and asks for
others after an upgrade.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from streamlit.components.v2.types import ComponentRenderer

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
        js=f'const {{ default: mount }} = await import(new URL("{_root()}/{name}/{name}.js", location.origin));\n'
           "export default mount;",
        css=f'/* {name} */\n@import url("{_root()}/{name}/{name}.css");')


def routes() -> list[Route]:
    """What `app.py` serves besides Streamlit's own."""
    return [Route(f"{_root()}/{{name:path}}", _file)]


def _root() -> str:
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' if base else ''}{base}/components/{DIGEST}"


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        return PlainTextResponse(f"There is no {name} among the components.", 404)
    return Response(FILES[name], media_type=TYPES[Path(name).suffix],
                    headers={"Cache-Control": "public, max-age=31536000, immutable"})
