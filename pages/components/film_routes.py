"""The routes to what runs drew while they learned: `vaecore/album.py`, from where a browser has read it, and as a film.

    GET <base>/album/<run>?from=<byte>
    GET <base>/film/<run>?as=gif|webp

The first answer is packed: the rows of each page, pictures side by side as a PNG or words. 409 and the reason where the
file cannot be read, or has nothing that a film shows.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from pages.components import serve
from vaecore import packing
from vaecore.album import MAX_ALBUM_BYTES, Page, Row, read
from vaecore.files import BrokenFile
from vaecore.store import COPY_AGAIN, Run, Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request

FILMS = {"gif": "image/gif", "webp": "image/webp"}


def album_address(run: Run) -> str:
    """Where the browser finds the pictures of a run; from which byte on, it adds itself."""
    return serve.below(f"album/{run.id}")


def film_address(run: Run, ending: str = "gif") -> str:
    """Where the browser finds them as a film."""
    return f"{serve.below(f'film/{run.id}')}?as={ending}"


def routes() -> list[Route]:
    """What `app.py` serves of them."""
    return [Route(serve.below("album/{run:path}"), _album), Route(serve.below("film/{run:path}"), _film)]


async def _album(request: Request) -> Response:
    if (run := _run(request)) is None:
        return _nobody()
    text = request.query_params.get("from", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= MAX_ALBUM_BYTES):
        return serve.refusal(400, f"from is a byte, 0 to {MAX_ALBUM_BYTES}. Leave it out to have all.")
    try:
        content = await serve.answered(packed, run, int(text))
    except BrokenFile as error:
        return serve.refusal(409, f"{error} {COPY_AGAIN}.")
    return serve.tagged(content, hashlib.sha256(content).hexdigest()[:32], request, "no-cache")


async def _film(request: Request) -> Response:
    from vaecore.explore.drawn import film

    if (run := _run(request)) is None:
        return _nobody()
    ending = request.query_params.get("as", "gif")
    if ending not in FILMS:
        return serve.refusal(400, f"as is one of {', '.join(FILMS)}. Leave it out for a GIF.")
    try:
        content = await serve.answered(film, run, f".{ending}")
    except BrokenFile as error:
        return serve.refusal(409, f"{error} {COPY_AGAIN}.")
    except ValueError as error:  # which says what to do
        return serve.refusal(409, str(error))
    name = run.id.replace("/", "-")
    return Response(content, media_type=FILMS[ending], headers={
        "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f'attachment; filename="{name}-learning.{ending}"'})


def _run(request: Request) -> Run | None:
    try:
        return Store.default().find(request.path_params["run"])
    except StoreError:
        return None


def _nobody() -> Response:
    return serve.refusal(404, "There is no such run any more. Choose another one on the page Runs.")


def packed(run: Run, start: int) -> bytes:
    """The pages of a run from a byte on, as `film.js` reads them: a header, and PNG files one behind the other."""
    found, pngs = read(run.path, start), list[bytes]()
    header = {"start": start if found.given is None and start else 0, "end": found.end,
              "given": None if found.given is None else _rows(found.given, pngs),
              "pages": [{"step": page.step, "rows": _rows(page, pngs)} for page in found.pages]}
    return packing.packed(header, *pngs)


def _rows(page: Page, pngs: list[bytes]) -> list[dict[str, Any]]:
    return [_told(row, pngs) for row in page.rows]


def _told(row: Row, pngs: list[bytes]) -> dict[str, Any]:
    import numpy as np

    from vaecore.explore.drawn import images
    from vaecore.explore.pictures import png

    told: dict[str, Any] = {"kind": row.kind, "modality": row.modality, "note": row.note, "count": len(row)}
    if (seen := images(row)) is None:
        return {**told, "words": list(row.words), "bytes": 0}
    pngs.append(png(np.concatenate(list(seen), 1)))
    return {**told, "words": [], "bytes": len(pngs[-1]), "width": seen.shape[2], "height": seen.shape[1]}
