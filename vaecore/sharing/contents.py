"""What of a run travels: each file by its name, how large it may be, and what it must hold. Nothing of it is executed.

Whoever packs asks `fault` before, and whoever unpacks asks it after: what would be refused there is not written here.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaecore import album, marks, provenance
from vaecore.errors import StoreError
from vaecore.evaluate import kept, points
from vaecore.files import BrokenFile, parsed_json, read_json
from vaecore.store import (
    EXAMPLES,
    LARGEST_CONFIG,
    LARGEST_METRICS,
    LARGEST_SUMMARY,
    MAX_EXAMPLES_BYTES,
    MAX_PREVIEW_BYTES,
    MAX_WEIGHTS_BYTES,
    Run,
)

MANIFEST, FORMAT, VERSION = "manifest.json", "vaecore runs", 1
MAX_ARCHIVE_BYTES, MAX_MANIFEST_BYTES = 2**34, 4_000_000
MAX_RUNS = 50  # in one zip
MAX_FILES = 150  # of one run
MAX_HEADER_BYTES = 16 * 2**20  # of a file of tensors: what a vocabulary takes
MAX_LINE_BYTES, MAX_LINES = 4_000_000, 10_000_000  # of metrics.jsonl: a step of ours has a hundred bytes
MAX_WRITTEN_BYTES, MAX_PIXELS = 1_000_000, 8_192  # of preview.txt; of a side of preview.png
MAX_RATIO, RATIO_FROM = 200, 2**20  # a member that unpacks to more than so many times its bytes is a bomb
WEIGHTS = "weights.safetensors"
REQUIRED = ("config.json", WEIGHTS, EXAMPLES)
WAY = re.compile(r"kept/step-\d{8}\.safetensors")  # weights along the way


class NotShared(StoreError):
    """A run that cannot be taken along; the message says why."""


class Fault(ValueError):
    """What is wrong with a file of a run, as the end of a sentence."""


@dataclass(frozen=True)
class Part:
    """A file that may travel: its largest size in bytes, and the check that raises `Fault`."""

    most: int
    check: Callable[[Path], None]


def part_of(name: str) -> Part | None:
    """What a file of a run is, by its name in the run's folder; None for what does not travel."""
    return PARTS["kept/"] if WAY.fullmatch(name) else PARTS.get(name) if name != "kept/" else None


def fault(folder: Path, names: list[str]) -> str:
    """What is wrong with the run in `folder`, of which the files `names` travel, as a sentence; empty if nothing is.

    Every file is checked by itself, then the configuration by the declarations, the weights by the configuration, and
    at last the run is opened, as a page would open it.
    """
    if missing := [name for name in REQUIRED if name not in names]:
        return f"It has no {' and no '.join(missing)}."
    if len(names) > MAX_FILES:
        return f"It has {len(names)} files, and {MAX_FILES} travel at most."
    for name in names:
        part = part_of(name)
        if part is None:
            return f"{name} is no file of a run that travels."
        try:
            if (size := (folder / name).stat().st_size) > part.most:
                return f"{name} has {size:,} bytes, and at most {part.most:,} travel."
            part.check(folder / name)
        except (Fault, BrokenFile) as error:
            return f"{name}: {str(error).removeprefix(name).strip()}"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror or error}."
    return _together(folder, names)


def _together(folder: Path, names: list[str]) -> str:
    """What is wrong with a run whose files are each in order."""
    import torch

    from vaecore.explore.opening import opened
    from vaecore.schema import ConfigError
    from vaecore.training.checkpoints import BrokenCheckpoint, misfit, read_weights, untrained

    run = Run(folder)
    try:
        model = untrained(run.config(), folder)
        for name in (WEIGHTS, *(name for name in names if WAY.fullmatch(name))):
            _not_too_many(folder / name)
            tensors, _ = read_weights(folder / name)
            if different := misfit(model, tensors):
                return f"{name} does not fit config.json: they differ in {different[:80]}."
            if odd := next((key for key, x in tensors.items() if x.is_floating_point() and not x.isfinite().all()), ""):
                return f"{name}: {odd[:80]} holds numbers that are not finite."
        opened(run)
    except (StoreError, ConfigError, BrokenCheckpoint, Fault) as error:
        return _of_a_copy(str(error), folder)
    except (ValueError, RuntimeError, TypeError, LookupError, OverflowError, MemoryError, torch.OutOfMemoryError) as e:
        return f"It cannot be opened: {_of_a_copy(' '.join(str(e).split())[:300], folder)}."
    return ""


def _of_a_copy(words: str, folder: Path) -> str:
    """An error's words without the place where the copy was looked at."""
    return words.replace(f"{folder}/", "").replace(str(folder), "the run")


# -- each kind of file -----------------------------------------------------------------------------


def _fields(path: Path) -> None:
    if not isinstance(_plain(read_json(path, PARTS[path.name].most)), dict):
        raise Fault("it does not hold a set of fields.")


def _list(path: Path) -> None:
    if not isinstance(_plain(read_json(path, PARTS[path.name].most)), list):
        raise Fault("it does not hold a list.")


def _plain(value: Any) -> Any:
    """`value` where all its numbers are numbers: NaN and infinity are no JSON, though Python reads them."""
    level = [value]
    while level:
        if any(isinstance(part, float) and not math.isfinite(part) for part in level):
            raise Fault("it holds NaN or infinity, which is no JSON.")
        level = [inner for part in level if isinstance(part, dict | list)
                 for inner in (part.values() if isinstance(part, dict) else part)]
    return value


def _metrics(path: Path) -> None:
    with path.open("rb") as file:
        for number, line in enumerate(_bounded(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b"")), 1):
            if number > MAX_LINES:  # each costs time, and a short one few bytes
                raise Fault(f"it has more than {MAX_LINES:,} lines.")
            try:
                good = isinstance(_plain(parsed_json(line, f"line {number}")), dict)
            except Fault as error:
                raise Fault(f"line {number}: {error}") from None
            if not good:
                raise Fault(f"line {number} does not hold a set of fields.")


def _pictures(path: Path) -> None:
    album.read(path.parent)


def _bounded(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        if len(line) > MAX_LINE_BYTES:
            raise Fault(f"a line has more than {MAX_LINE_BYTES:,} bytes.")
        yield line


def _tensors(path: Path) -> None:
    """A file of tensors whose header is short, and says of every byte what it is."""
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as file:
        start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= length <= path.stat().st_size - 8:
        raise Fault("it is truncated, or no file of tensors.")
    if length > MAX_HEADER_BYTES:
        raise Fault(f"its header has {length:,} bytes, and at most {MAX_HEADER_BYTES:,} are read.")
    try:
        with safe_open(path, "np") as opened:
            for text in (opened.metadata() or {}).values():
                if text[:1] in ("{", "["):
                    _plain(parsed_json(text, "its description"))
    except SafetensorError as error:
        raise Fault(f"it is no file of tensors ({' '.join(str(error).split())[:160]}).") from None


def _not_too_many(path: Path) -> None:
    """Weights are read into memory as single precision: twice their bytes at most."""
    from safetensors import safe_open

    with safe_open(path, "np") as opened:
        if (count := len(list(opened.keys()))) > 20_000:
            raise Fault(f"{path.name} has {count:,} arrays.")


def _png(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(24)
    if start[:8] != b"\x89PNG\r\n\x1a\n" or start[12:16] != b"IHDR":
        raise Fault("it is no PNG.")
    if not all(0 < side <= MAX_PIXELS for side in struct.unpack(">II", start[16:24])):
        raise Fault(f"it has more than {MAX_PIXELS:,} pixels a side.")


def _text(path: Path) -> None:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        raise Fault("it is no text in UTF-8.") from None


PARTS = {
    "config.json": Part(LARGEST_CONFIG, _fields),
    "about.json": Part(LARGEST_CONFIG, _fields),
    "summary.json": Part(LARGEST_SUMMARY, _fields),
    provenance.FILE: Part(provenance.MAX_PROVENANCE_BYTES, _fields),
    marks.NAME: Part(marks.MAX_MARKS_BYTES, _fields),
    kept.NAME: Part(kept.MAX_EVALUATION_BYTES, _list),
    points.NAME: Part(points.MAX_POINTS_BYTES, _tensors),
    "metrics.jsonl": Part(LARGEST_METRICS, _metrics),
    album.FILE: Part(album.MAX_ALBUM_BYTES, _pictures),
    EXAMPLES: Part(MAX_EXAMPLES_BYTES, _tensors),
    "preview.png": Part(MAX_PREVIEW_BYTES, _png),
    "preview.txt": Part(MAX_WRITTEN_BYTES, _text),
    WEIGHTS: Part(MAX_WEIGHTS_BYTES, _tensors),
    "kept/": Part(MAX_WEIGHTS_BYTES, _tensors),
}
