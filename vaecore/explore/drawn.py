"""What a run drew while it learned, as pictures to look at and as a film: see `vaecore.album`, which reads it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vaecore.album import FILE, Kind, Page, Row, read
from vaecore.explore.clips.films import BACK, INK, MAX_FILE_SIDE, MOST_FRAMES, Frames, Strip, gif, webp
from vaecore.explore.pictures import Images, in_colour, legible, stacked
from vaecore.files import BrokenFile
from vaecore.store import Run

RATE, REST = 6.0, 8  # pages a second of a film, and for how many of them it rests at its end
ENDINGS: dict[str, Literal["gif", "webp"]] = {".gif": "gif", ".webp": "webp"}
TITLES: dict[Kind, str] = {"given": "Test data", "reconstructions": "Reconstructions", "samples": "Samples",
                           "traversal": "Walk along", "interpolation": "Interpolation", "future": "Future"}
SIDE, MOST_SCALE = 960, 8  # px of a film's longer side where no scale is said, and the most that a pixel takes then
LINE, LETTERS, MARGIN = 20, 15, 8  # px of a line of words, of its letters, and around it
PANEL, MOST_LETTERS = 440, 120  # px of a panel of words, and the most letters that may fit
MOST_PIXELS = 100_000_000  # of all frames together: they stay in memory while a film is written
SHORT = 12  # letters of a word that shares its line with others, at most


def images(row: Row) -> Images | None:
    """A row as pictures beside each other, (N, H, W) grey or (N, H, W, 3); vectors as stripes; None of words."""
    return None if row.pixels is None else legible(in_colour(row.pixels))


def film(run: Run, ending: str = ".gif", *, rate: float = RATE, scale: int | None = None) -> bytes:
    """A run learning, as a .gif or .webp: its test observations beside what it made of them, a frame each time it drew.

    Pictures stand above each other, sentences in panels below them, the step above all. `rate` is times a second,
    `scale` screen pixels to a pixel. Raises `ValueError` for another ending, for a run that drew nothing and for what
    is too large, and `BrokenFile`.
    """
    if ending not in ENDINGS:
        raise ValueError(f"'{ending}' is no kind of file that such a film is saved as. End it in "
                         f"{' or '.join(ENDINGS)}.")
    album = read(run.path)
    given = () if album.given is None else album.given.rows
    pages = [page for page in album.pages if page.rows]
    if not pages:
        raise ValueError(f"{run.id} drew no pictures while it learned. Train it again, with "
                         "training.pictures above 0.")
    words = [row for row in (*given, *(row for page in pages for row in page.rows)) if row.pixels is None]
    long = {row.modality for row in words if any(len(word) > SHORT for word in row.words)}
    first = _sheet(pages[0], given, long, scale)
    if first[..., 0].size * (len(pages) + REST) > MOST_PIXELS:
        raise ValueError(f"{len(pages)} pictures of {first.shape[1]:,} x {first.shape[0]:,} pixels are too many for a "
                         "film. Use a smaller scale, or look at them on Monitor.")
    sheets = [first, *[_sheet(page, given, long, scale) for page in pages[1:]]]
    if len({sheet.shape for sheet in sheets}) > 1:
        raise BrokenFile(f"{FILE} of {run.id} has pages of several sizes.")
    frames = np.stack([*sheets, *[sheets[-1]] * REST][:MOST_FRAMES])
    make = gif if ENDINGS[ending] == "gif" else webp
    return make([Strip("", np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))], rate=rate, scale=1, gap=0)


def _sheet(page: Page, given: Sequence[Row], long: Collection[str], scale: int | None) -> Frames:
    """A frame, (H, W, 3): the step, the pictures enlarged, and panels of words, two beside each other.

    Words of the modalities `long` have a line each, as sentences; others share one, as names of classes.
    """
    rows = [*given, *page.rows]
    shown = [seen for row in rows if (seen := images(row)) is not None]
    picture = stacked(shown)[..., :3] if shown else np.zeros((0, 0, 3), np.uint8)
    scale = max(1, min(MOST_SCALE, SIDE // max(1, *picture.shape[:2]))) if scale is None else scale
    several = len({row.modality for row in rows}) > 1
    panels = [(_title(row) + f" · {row.modality}" * several, _lines(row.words, each=row.modality in long))
              for row in rows if row.pixels is None]
    across = min(2, len(panels))
    tall = [LINE * (1 + max(len(lines) for _, lines in panels[at:at + 2])) + MARGIN for at in range(0, len(panels), 2)]
    top = LINE + 2 * MARGIN
    height, width = top + scale * picture.shape[0] + sum(tall), max(scale * picture.shape[1], across * PANEL)
    if max(height, width) > MAX_FILE_SIDE:
        raise ValueError(f"A picture of {width:,} x {height:,} pixels is too large. Use a smaller scale, or look at it "
                         "on Monitor.")
    sheet = Image.new("RGB", (width, height), BACK)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTERS)
    draw.text((MARGIN, MARGIN), f"Step {page.step:,}", INK, font)
    if shown:
        sheet.paste(Image.fromarray(picture.repeat(scale, 0).repeat(scale, 1)), (0, top))
    for place, (title, lines) in enumerate(panels):
        x, y = MARGIN + place % 2 * PANEL, top + scale * picture.shape[0] + sum(tall[:place // 2])
        draw.text((x, y), title, INK, font)
        for number, line in enumerate(lines, 1):
            draw.text((x, y + number * LINE), _cut(line, font), INK, font)
    return np.asarray(sheet)


def _title(row: Row) -> str:
    return f"{TITLES[row.kind]} {row.note}".rstrip()


def _lines(words: Sequence[str], *, each: bool) -> list[str]:
    return [word or "(nothing)" for word in words] if each else [" · ".join(words)]


def _cut(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """What of a line fits into a panel."""
    line = line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]} …"
    while font.getlength(line) > PANEL - 2 * MARGIN:
        line = f"{line[:-4].rstrip()} …"
    return line
