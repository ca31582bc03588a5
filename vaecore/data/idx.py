"""The idx files of MNIST and its kin: found, checked, read."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import MAX_UNPACKED_BYTES, Array, DataUnavailable, SplitName, mapped
from vaecore.data.published import PUBLISHED, found

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
         "t10k-labels-idx1-ubyte")


def checksums(name: str) -> dict[str, str]:
    """SHA-256 of the uncompressed bytes of the four files, by their names."""
    return {file.removesuffix(".gz"): sha256 for file, sha256 in PUBLISHED[name].files.items()}


def find(name: str) -> Path | None:
    """The first folder that holds all four files of a data set, each compressed or not."""
    return PUBLISHED[name].place()


def wanted(name: str) -> str:
    """The files that are looked for and where, for a message."""
    return f"{', '.join(FILES)} (or the same with .gz) into {name}/ in the folder that VAECORE_DATA names"


def read(path: Path, checksum: str) -> NDArray[np.uint8]:
    """An idx array; `checksum` is the SHA-256 of the uncompressed bytes, as recompressed copies differ."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataUnavailable(f"{path.name} in {path.parent} is damaged ({error}). Delete it and fetch it "
                              "again, for instance with `vaecore data --download`.") from None
    if len(raw) > MAX_UNPACKED_BYTES or hashlib.sha256(raw).hexdigest() != checksum:
        raise DataUnavailable(f"{path.name} in {path.parent} is not the published file: its checksum differs. "
                              "Delete it and fetch it again, for instance with `vaecore data --download`.")
    rank = raw[3]
    shape = np.frombuffer(raw, ">i4", rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()  # torch takes only writable arrays


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

