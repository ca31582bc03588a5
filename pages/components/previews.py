"""The route to what a run draws: its `preview.png`, small enough for a row of a table.

    GET <base>/previews/<run>    a PNG with an entity tag; 404 where the run has none that can be shown
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.routing import Route

from pages.components import serve
from vaecore.files import opened
from vaecore.memory import held
from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

HEIGHT, WIDTH = 72, 320  # pixels: a row is half as high, on screens of two pixels each
LARGEST_PICTURE, LARGEST_AREA = 4_000_000, 8_000_000  # bytes and pixels of a preview.png, which may come from anywhere
FOR_GOOD = "public, max-age=31536000, immutable"


def preview_address(run: Run, stamp: int | None = None) -> str:
    """Where the browser finds it: another address once the picture is another. Empty where there is none."""
    try:
        return f"{serve.below(f'previews/{run.id}')}?v={stamp or run.preview.stat().st_mtime_ns}"
    except OSError:
        return ""


def routes() -> list[Route]:
    """What `app.py` serves of them."""
    return [Route(serve.below("previews/{run:path}"), _preview)]


async def _preview(request: Request) -> Response:
    try:
        run = Store.default().find(request.path_params["run"])
        stamp = run.preview.stat().st_mtime_ns
    except (StoreError, OSError):
        return serve.refusal(404, "There is no such run, or it has no preview.png.")
    png = await serve.answered(small, run.preview, stamp)
    if not png:
        return serve.refusal(404, f"preview.png of {run.id} cannot be shown.")
    asked = request.query_params.get("v", "")
    answer = serve.tagged(png, hashlib.sha256(png).hexdigest()[:32], request,
                          FOR_GOOD if asked == str(stamp) else "no-cache")
    if answer.status_code == 200:
        answer.headers["content-type"] = "image/png"
    answer.headers["x-content-type-options"] = "nosniff"
    return answer


@held
def small(path: Path, _: int) -> bytes:
    """The upper left of a picture at the size of a row, as PNG; nothing where it is none."""
    from PIL import Image

    try:
        with opened(path) as file:
            data = file.read(LARGEST_PICTURE + 1)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as found:
            if len(data) > LARGEST_PICTURE or found.width * found.height > LARGEST_AREA:
                return b""
            picture = found.convert("RGBA" if "A" in found.getbands() else "RGB")
        if picture.height > HEIGHT:
            picture = picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT),
                                     Image.Resampling.LANCZOS)
        picture = picture.crop((0, 0, min(WIDTH, picture.width), picture.height))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return buffer.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # Pillow's own are all of these
        return b""
