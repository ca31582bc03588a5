"""IDX files: what their headers declare; those of MNIST and its kin are found, checked, read."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import MAX_UNPACKED_BYTES, Array, DataUnavailable, SplitName, mapped
from vaecore.data.published import PUBLISHED, found

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
         "t10k-labels-idx1-ubyte")
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}  # of numbers, by their code


def checksums(name: str) -> dict[str, str]:
    """SHA-256 of the uncompressed bytes of the four files, by their names."""
    return {file.removesuffix(".gz"): sha256 for file, sha256 in PUBLISHED[name].files.items()}


def find(name: str) -> Path | None:
    """The first folder that holds all four files of a data set, each compressed or not."""
    return PUBLISHED[name].place()


def wanted(name: str) -> str:
    """The files that are looked for and where, for a message."""
    return f"{', '.join(FILES)} (or the same with .gz) into {name}/ in the folder that VAECORE_DATA names"


def header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that an open IDX file declares; `ValueError` for what is none."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 1 <= start[3] <= 4:
        raise ValueError("it does not begin as IDX files do")
    declared = file.read(4 * start[3])
    if len(declared) < 4 * start[3]:
        raise ValueError("it is cut off")
    return struct.unpack(f">{start[3]}I", declared), np.dtype(TYPES[start[2]])


def read(path: Path, checksum: str) -> NDArray[np.uint8]:
    """The array of a published file; `checksum` is of the uncompressed bytes: recompressed copies differ."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataUnavailable(f"{path.name} in {path.parent} is damaged ({error}). Delete it and fetch it "
                              "again, for instance with `vaecore data --download`.") from None
    if len(raw) > MAX_UNPACKED_BYTES or hashlib.sha256(raw).hexdigest() != checksum:
        raise DataUnavailable(f"{path.name} in {path.parent} is not the published file: its checksum differs. "
                              "Delete it and fetch it again, for instance with `vaecore data --download`.")
    content = io.BytesIO(raw)
    shape, dtype = header(content)
    return np.frombuffer(raw, dtype, offset=content.tell()).reshape(shape).copy()  # torch takes only writable arrays


def load(name: str, folder: Path, checksums: Mapping[str, str]
         ) -> tuple[dict[SplitName, Array], dict[SplitName, NDArray[np.int64]]]:
    """Images (N, 1, 28, 28) and labels (N,) of each split: 50,000 / 10,000 / 10,000.

    The last 10,000 of the published training set are the validation set.
    """

    def array(file: str) -> NDArray[np.uint8]:
        return read(found(folder, f"{file}.gz") or folder / f"{file}.gz", checksums[file])

    def pixels(file: str) -> Array:
        return mapped(f"{name}-{checksums[file][:8]}", lambda: array(file)[:, None])

    def classes(file: str) -> NDArray[np.int64]:
        return array(file).astype(np.int64)

    x, y = pixels(FILES[0]), classes(FILES[1])
    return ({"train": x[:50_000], "validation": x[50_000:], "test": pixels(FILES[2])},
            {"train": y[:50_000], "validation": y[50_000:], "test": classes(FILES[3])})

