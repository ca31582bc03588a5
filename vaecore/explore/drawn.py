"""What a run drew while it learned, as pictures to look at and as a film: see `vaecore.album`, which reads it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vaecore.album import FILE, Row, read
from vaecore.explore.clips.films import MOST_FRAMES, Strip, gif, webp
from vaecore.explore.pictures import Images, in_colour, legible, stacked
from vaecore.files import BrokenFile
from vaecore.store import Run

RATE, REST = 6.0, 8  # pages a second of a film, and for how many of them it rests at its end
ENDINGS: dict[str, Literal["gif", "webp"]] = {".gif": "gif", ".webp": "webp"}


def images(row: Row) -> Images | None:
    """A row as pictures beside each other, (N, H, W) grey or (N, H, W, 3); vectors as stripes; None of words."""
    return None if row.pixels is None else legible(in_colour(row.pixels))


def film(run: Run, ending: str = ".gif", *, rate: float = RATE, scale: int | None = None) -> bytes:
    """A run learning, as a .gif or .webp: its test observations above what it made of them, a frame each time it drew.

    `rate` is times a second, `scale` screen pixels to a pixel. Raises `ValueError` for another ending and for a run
    that drew no pictures, and `BrokenFile`.
    """
    if ending not in ENDINGS:
        raise ValueError(f"'{ending}' is no kind of file that such a film is saved as. End it in "
                         f"{' or '.join(ENDINGS)}.")
    album = read(run.path)
    given = () if album.given is None else album.given.rows
    sheets = [stacked(shown) for page in album.pages if (shown := [
        seen for row in (*given, *page.rows) if (seen := images(row)) is not None])]
    if not sheets:
        raise ValueError(f"{run.id} has no pictures of its training: "
                         + (f"{FILE} holds sentences, which no film shows." if album.pages else
                            "none were drawn. Train it again, with training.pictures above 0."))
    if len({sheet.shape[:2] for sheet in sheets}) > 1:
        raise BrokenFile(f"{FILE} of {run.id} has pages of several sizes.")
    frames = np.stack([sheet[..., :3] for sheet in (*sheets, *[sheets[-1]] * REST)][:MOST_FRAMES])
    make = gif if ENDINGS[ending] == "gif" else webp
    return make([Strip("", np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))], rate=rate, scale=scale, gap=0)
