"""The route to lines of pictures or words of a comparison: `vaecore/explore/same.py`, at many steps at once.

    GET <base>/same/<recipe>/<run>?of=<run>&given=&target=&n=<columns>&seed=<seed>&at=<step>,<step>,last

The answer is packed: for each of the weights that are meant, once, the step, and pictures side by side as a PNG or
words; and why there is nothing of others. What has been drawn is kept in memory by the digest of the weights, so that
whoever asks for more steps, or asks again, waits for none twice. 409 and the reason where a run cannot do any of it.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.routing import Route

from pages.components import serve
from vaecore import memory, packing
from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from vaecore.explore.along import Moment
    from vaecore.explore.same import Line

MOST_COLUMNS = 20
MOST_STEPS = 48  # of one question
LARGEST_SEED = 2**31 - 1
LAST = "last"  # the weights that a run ended with
_MAKING = threading.Lock()  # one line is drawn at a time, and torch runs once


@dataclass(frozen=True)
class Strip:
    """One line at one step, drawn: pictures of one size side by side, or words."""

    png: bytes
    size: tuple[int, int]  # width and height of one picture in pixels; 0 of words
    count: int
    words: tuple[str, ...]
    note: str


def same_address(line: Line, version: str = "") -> str:
    """Where the browser finds a line; how many columns, which seed and which steps it adds itself."""
    query = {"of": line.source.id, "given": line.given, "target": line.target, "v": version}
    told = urlencode({name: value for name, value in query.items() if value})
    return f"{serve.below(f'same/{line.recipe}/{line.run.id}')}?{told}"


def routes() -> list[Route]:
    """What `app.py` serves of comparisons."""
    return [Route(serve.below("same/{recipe}/{run:path}"), _answer)]


async def _answer(request: Request) -> Response:
    asked = request.query_params
    try:
        run = Store.default().find(request.path_params["run"])
        source = Store.default().find(asked.get("of") or request.path_params["run"])
    except StoreError:
        return serve.refusal(404, "There is no such run.")
    count, seed = (_whole(asked.get(name, ""), most) for name, most in (("n", MOST_COLUMNS), ("seed", LARGEST_SEED)))
    words = asked.get("at", LAST).split(",")
    at = [None if word == LAST else _whole(word, 10**9) for word in words]
    bad = any(step is None and word != LAST for step, word in zip(at, words, strict=True))
    if count is None or count < 1 or seed is None or bad or len(at) > MOST_STEPS:
        return serve.refusal(400, f"n is 1 to {MOST_COLUMNS}, seed 0 to {LARGEST_SEED}, and at has at most "
                             f"{MOST_STEPS} steps.")
    return await serve.answered(_found, request, run, source, count, seed, at)


def _whole(text: str, most: int) -> int | None:
    """A whole number from 0 to `most`; None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= most else None


def _found(request: Request, run: Run, source: Run, count: int, seed: int, at: list[int | None]) -> Response:
    from vaecore.explore.along import moment_at
    from vaecore.explore.same import FAULTS, RECIPES, Line

    recipe = next((each for each in RECIPES if each == request.path_params["recipe"]), None)
    if recipe is None:
        return serve.refusal(404, f"There is no such line. There are {', '.join(RECIPES)}.")
    line = Line(run, recipe, source, *(request.query_params.get(name, "")[:80] for name in ("given", "target")))
    wanted = dict.fromkeys(moment_at(run, step) for step in at)
    strips: list[tuple[int | None, Strip]] = []
    faults: list[str] = []
    for moment in filter(None, wanted):
        try:
            strips.append((moment.step, _drawn(line, count, seed, moment)))
        except FAULTS as error:
            if not strips and str(error) in faults:
                break  # the line's own, and no other weights help
            faults.append(str(error))
    if faults and not strips:
        return serve.refusal(409, faults[0])
    content = packed(strips, " ".join(faults))
    return serve.tagged(content, hashlib.sha256(content).hexdigest()[:32], request, "no-cache")


def packed(strips: list[tuple[int | None, Strip]], fault: str = "") -> bytes:
    """Lines at several steps as `rows.js` reads them: a header, and PNG files one behind the other.

    `fault` says why other steps are not among them.
    """
    header: list[dict[str, Any]] = [
        {"step": step, "bytes": len(strip.png), "width": strip.size[0], "height": strip.size[1], "count": strip.count,
         "words": list(strip.words), "note": strip.note} for step, strip in strips]
    return packing.packed({"strips": header, "fault": fault}, *(strip.png for _, strip in strips))


def _drawn(line: Line, count: int, seed: int, moment: Moment) -> Strip:
    """A line from memory, or drawn now; raises as `same.cells` does."""
    from vaecore.explore.along import digest_of

    name = (line.recipe, str(line.run.path), str(line.source.path), line.given, line.target, str(count), str(seed),
            digest_of(moment.path), digest_of(line.source.weights))

    def make() -> Strip:
        with _MAKING:
            return _strip(line, count, seed, moment)

    return memory.pool.get((_drawn, *name), make)


def _strip(line: Line, count: int, seed: int, moment: Moment) -> Strip:
    import numpy as np

    from vaecore.explore.pictures import legible, png
    from vaecore.explore.same import cells

    found = cells(line, count, seed, moment)
    if found.images is None:
        return Strip(b"", (0, 0), len(found.words), found.words, found.note)
    images = legible(found.images)
    height, width = images.shape[1:3]
    return Strip(png(np.concatenate(list(images), 1)), (width, height), len(images), (), found.note)
