"""What a run drew of itself while it learned: `pictures.jsonl` in its folder, a line each time its training drew.

The first line holds what is given, some test observations; each further one the step and what the weights of that step
made: reconstructions, samples of fixed noise, a walk along one number of the code, what lies between two sentences,
futures of a clip. Pictures are small, uint8, deflated; sentences and classes are words. `training/pictures.py` draws,
this module writes and reads; it needs no torch. The file may come from anywhere: whatever is larger than it may be, or
does not fit itself, is refused.

Shapes: N pictures beside each other, (N, C, H, W); of a clip N frames.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaecore.files import BrokenFile, opened, parsed_json

FILE = "pictures.jsonl"
MAX_LINE_BYTES = 2**19
MAX_ALBUM_BYTES = 2**25  # of the file: the training writes no more, and nobody reads more
MAX_NUMBERS = 2**19  # of all pictures of one time
MOST_PAGES = 250
MOST_IN_ROW = 64
MOST_ROWS = 80  # of one time
MOST_LETTERS = 300  # of one sentence
LEVEL = 6  # of deflating

Kind = Literal["given", "reconstructions", "samples", "traversal", "interpolation", "future"]


@dataclass(frozen=True)
class Row:
    """Pictures (N, C, H, W) in uint8 or words, N of one modality; `note` says what is to be known, as "z[3]"."""

    kind: Kind
    modality: str
    pixels: NDArray[np.uint8] | None = None
    words: tuple[str, ...] = ()
    note: str = ""

    def __len__(self) -> int:
        return len(self.words) if self.pixels is None else len(self.pixels)


@dataclass(frozen=True)
class Page:
    """What was drawn at one step; of what is given the step is None."""

    step: int | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Album:
    """The pages of a run, in their order; `end` is the byte behind the last that was read."""

    given: Page | None
    pages: tuple[Page, ...]
    end: int = 0


def line(page: Page) -> bytes:
    """A page as a line of the file; the same page always gives the same bytes."""
    rows = [{"kind": row.kind, "modality": row.modality, **({"note": row.note} if row.note else {}),
             **({"words": list(row.words)} if row.pixels is None else
                {"shape": list(row.pixels.shape), "pixels": _deflated(row.pixels)})} for row in page.rows]
    return (json.dumps({"step": page.step, "rows": rows}, separators=(",", ":")) + "\n").encode()


def read(folder: Path, start: int = 0) -> Album:
    """The pages from byte `start` on, which is 0 or the `end` of what was read before; empty where there are none.

    A last line that is being written is left for the next time. Raises `BrokenFile` for what is no such file.
    """
    try:
        with opened(folder / FILE) as file:
            size = file.seek(0, 2)
            if size > MAX_ALBUM_BYTES:
                raise BrokenFile(f"{FILE} has {size:,} bytes, and at most {MAX_ALBUM_BYTES:,} are read.")
            if not 0 <= start <= size:  # cut back since: everything anew
                start = 0
            file.seek(max(0, start - 1))
            data = file.read(size - max(0, start - 1))
    except FileNotFoundError:
        return Album(None, ())
    except OSError as error:
        raise BrokenFile(f"{FILE} cannot be read: {error.strerror or error}.") from error
    if start:
        if data[:1] != b"\n":
            raise BrokenFile(f"{FILE} has no line that begins at byte {start:,}.")
        data = data[1:]
    whole = data[:data.rfind(b"\n") + 1]
    lines = whole.split(b"\n")[:-1]
    if len(lines) > MOST_PAGES:
        raise BrokenFile(f"{FILE} has {len(lines):,} lines, and at most {MOST_PAGES} are read.")
    pages = [page_of(each, f"{FILE} from byte {start:,}, line {number}") for number, each in enumerate(lines, 1)]
    given = pages[0] if pages and pages[0].step is None else None
    rest = pages[1:] if given else pages
    steps = [page.step for page in rest if page.step is not None]
    if len(steps) < len(rest) or any(a >= b for a, b in pairwise(steps)):
        raise BrokenFile(f"{FILE} has pages whose steps do not ascend.")
    return Album(given, tuple(rest), start + len(whole))


def page_of(data: bytes, name: str) -> Page:
    """A line of the file; raises `BrokenFile`, which calls it `name`, for what is none."""
    if len(data) > MAX_LINE_BYTES:
        raise BrokenFile(f"{name} has {len(data):,} bytes, and at most {MAX_LINE_BYTES:,} are read.")
    try:
        found = _Line.model_validate(parsed_json(data, name))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BrokenFile(f"{name} is no page of pictures: {where[:80]}: {first['msg'][:120]}.") from None
    if (size := sum(math.prod(row.shape or [0]) for row in found.rows)) > MAX_NUMBERS:
        raise BrokenFile(f"{name} has pictures of {size:,} numbers, and at most {MAX_NUMBERS:,} are read.")
    return Page(found.step, tuple(_row(row, f"{name}, {row.kind} of {row.modality}") for row in found.rows))


# -- a line as it stands ---------------------------------------------------------------------------


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Row(_Strict):
    kind: Kind
    modality: Annotated[str, Field(min_length=1, max_length=40)]
    note: Annotated[str, Field(max_length=80)] = ""
    words: Annotated[list[Annotated[str, Field(max_length=MOST_LETTERS)]], Field(max_length=MOST_IN_ROW)] | None = None
    shape: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=4, max_length=4)] | None = None
    pixels: Annotated[str, Field(max_length=MAX_LINE_BYTES)] | None = None


class _Line(_Strict):
    step: Annotated[int, Field(ge=0, le=10**12)] | None
    rows: Annotated[list[_Row], Field(max_length=MOST_ROWS)]


def _row(row: _Row, name: str) -> Row:
    if row.words is not None:
        if row.pixels is not None or row.shape is not None:
            raise BrokenFile(f"{name} holds words and pictures.")
        return Row(row.kind, row.modality, words=tuple(row.words), note=row.note)
    if row.shape is None or row.pixels is None:
        raise BrokenFile(f"{name} holds neither words nor pictures.")
    size = math.prod(row.shape)
    if row.shape[0] > MOST_IN_ROW:
        raise BrokenFile(f"{name} has {row.shape[0]} pictures, and a row has at most {MOST_IN_ROW}.")
    pixels = np.frombuffer(_inflated(row.pixels, size, name), np.uint8).reshape(row.shape)
    return Row(row.kind, row.modality, pixels, note=row.note)


def _deflated(pixels: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(pixels).tobytes(), LEVEL)).decode()


def _inflated(text: str, size: int, name: str) -> bytes:
    """The `size` bytes that a text holds deflated, and never more of them in memory."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise BrokenFile(f"{name} is damaged.") from None
    if len(data) != size or not inflater.eof or inflater.unused_data:
        raise BrokenFile(f"{name} holds other than the {size:,} bytes that its shape says.")
    return data


# -- when ------------------------------------------------------------------------------------------


def due(times: int, total: int) -> frozenset[int]:
    """The steps of `total` at which something is drawn: the untrained model, and `times` further, the last among them.

    They lie as the squares, close together while most is learned, and ever farther apart.
    """
    return frozenset({0} if times else ()) | frozenset(-(-total * k * k // times**2) for k in range(1, times + 1))
