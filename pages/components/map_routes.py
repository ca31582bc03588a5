"""Routes to what a latent map fetches by itself: thumbnails of a split, its codes, and numbers of each observation.

    GET <base>/map/<split>/sprites-<page>/<run>    WebP
    GET <base>/map/<split>/codes/<run>             (n, r) float16
    GET <base>/map/<split>/number-<name>/<run>     (n,) float32, of a measure or of a latent dimension, as z3

The query `v` is the key of the codes, so that a browser keeps what it has; another one is answered, and not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

from starlette.responses import Response
from starlette.routing import Route

from pages.components import serve
from vaecore.mapping import Part
from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request

    from vaecore.explore.maps.at_hand import AtHand

MAX_CODES_BYTES = 32 * 2**20  # that a browser fetches, in half precision
NO_STORE, FOR_GOOD = "no-store", "private, max-age=31536000, immutable"


def map_address(run: Run, here: AtHand, what: str) -> str:
    """Where the browser finds `what` of a split: "codes", "number-<name>", or "sprites-{page}" for all pages."""
    return serve.below(f"map/{here.population.split}/{what}/{run.id}?v={here.key}")


def codes_address(run: Run, here: AtHand) -> str | None:
    """Where the codes are; None where they are too many to be fetched."""
    return map_address(run, here, "codes") if 2 * here.encoded.means.size <= MAX_CODES_BYTES else None


def routes() -> list[Route]:
    """What `app.py` serves of latent maps."""
    return [Route(serve.below("map/{split}/{what}/{run:path}"), _answer)]


async def _answer(request: Request) -> Response:
    split, what, reference = (request.path_params[name] for name in ("split", "what", "run"))
    known = next((part for part in get_args(Part) if part == split), None)
    if known is None:
        return serve.refusal(404, "There is no such split.")
    try:
        run = Store.default().find(reference)
    except StoreError:
        return serve.refusal(404, "There is no such run.")
    return await serve.answered(_found, run, known, what, request.query_params.get("v", ""))


def _found(run: Run, split: Part, what: str, version: str) -> Response:
    from vaecore.data import DataUnavailable
    from vaecore.explore import Checkpoint
    from vaecore.explore.maps.at_hand import at_hand, held
    from vaecore.schema import ConfigError
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        here = held(run, split) or at_hand(Checkpoint.load(run), split)
    except (BrokenCheckpoint, DataUnavailable, StoreError, ConfigError, OSError) as error:
        return serve.refusal(409, str(error))
    kind, _, name = what.partition("-")
    find = _KINDS.get(kind)
    answer = None if find is None else find(here, name)
    if answer is None:
        return serve.refusal(404, "There is nothing of that name.")
    content, media = answer
    return Response(content, media_type=media, headers={
        "Cache-Control": FOR_GOOD if version == here.key else NO_STORE, "X-Content-Type-Options": "nosniff"})


def _sprites(here: AtHand, page: str) -> tuple[bytes, str] | None:
    if not (page.isascii() and page.isdigit() and len(page) < 6):
        return None
    try:
        return here.page(int(page)), "image/webp"
    except LookupError:
        return None


def _codes(here: AtHand, name: str) -> tuple[bytes, str] | None:
    if name or 2 * here.encoded.means.size > MAX_CODES_BYTES:
        return None
    return here.encoded.halved(), serve.BYTES


def _number(here: AtHand, name: str) -> tuple[bytes, str] | None:
    values = here.encoded.column(name)
    return None if values is None else (values.astype("<f4").tobytes(), serve.BYTES)


_KINDS: dict[str, Callable[[AtHand, str], tuple[bytes, str] | None]] = {
    "sprites": _sprites, "codes": _codes, "number": _number}
