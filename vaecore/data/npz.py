"""Archives of arrays (.npz), read only after their headers have said what is in them. Nothing is ever unpickled."""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import Array, DataUnavailable, folders
from vaecore.data.published import offer

# What a damaged archive or array makes zipfile and numpy raise.
DAMAGED = (OSError, EOFError, LookupError, TypeError, ValueError, MemoryError, NotImplementedError, RuntimeError,
           SyntaxError, tokenize.TokenError, struct.error, zlib.error, zipfile.BadZipFile)
MAX_MEMBERS = 1_000  # of an archive of arrays
PACKED_OTHERWISE = "packed in another way than a plain zip's: pack it again, stored or deflated"


def published(name: str, file: str, expected: Mapping[str, tuple[str, tuple[int, ...]]]
              ) -> tuple[dict[str, Array], Path]:
    """The `expected` arrays of `file` in the folder of a data set, and its path.

    `expected` gives the kinds of numbers (`numpy.dtype.kind`, as "iu") and the shape of each. Raises
    `DataUnavailable` where the file is not there or is another.
    """
    path = located(name, file, expected)
    try:
        with zipfile.ZipFile(path) as members:
            return {key: _expected(members, key, *what) for key, what in expected.items()}, path
    except DAMAGED as error:
        raise DataUnavailable(f"{path} cannot be read ({error}). Fetch it again.") from None


def located(name: str, file: str, arrays: Iterable[str]) -> Path:
    """The path of `file` in the folder of a data set.

    Raises `DataUnavailable`, with the `arrays` that it should hold, where it is not there.
    """
    path = next((folder / file for folder in folders(name) if (folder / file).is_file()), None)
    if path is None:
        raise DataUnavailable(f"{file} is not on this machine. Point VAECORE_DATA at a folder that holds {name}/{file} "
                              f"(arrays {', '.join(arrays)}){offer(name, file)}.")
    return path


def header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that the array in an open .npy file declares; `ValueError` for what is no such file."""
    shape, dtype, _ = layout(file)
    return shape, dtype


def layout(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """What `header` gives, and whether the array is stored column by column; the numbers follow in the file."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version {version} of the format is not read here")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, columns, dtype = read(file)
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise ValueError(f"it declares the shape {shape}")
    return shape, dtype, bool(columns)


def counted(file: IO[bytes]) -> int:
    """How many members the zip in an open file has, by the list of them, before `zipfile` reads that whole.

    They are counted, whatever number is declared; 0 of what is no zip. The file is left at its beginning.
    """
    return directory(file)[0]


def directory(file: IO[bytes]) -> tuple[int, int]:
    """How many members a zip has, as `counted` tells, and the bytes of their list, which `zipfile` reads at once."""
    end = file.seek(0, io.SEEK_END)
    start = file.seek(max(0, end - 2**16 - 22))
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    found = length = 0
    if place >= 0 and len(tail) >= place + 22:
        found, length = struct.unpack_from("<HI", tail, place + 10)
        if (large := tail.rfind(b"PK\6\6", 0, place)) >= 0 and len(tail) >= large + 56:
            found, length = struct.unpack_from("<QQ", tail, large + 32)
        file.seek(max(0, start + place - length - 76))  # with the two records of a large zip behind it
        there, last = 0, b""
        while part := file.read(2**20):
            there += (last + part).count(b"PK\1\2")
            last = part[-3:]
        found = max(found, there)
    file.seek(0)
    return int(found), int(length)


def member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    """A member to read; raises what damaged ones do for one that is packed so that no bound holds.

    Of LZMA and bzip2 `zipfile` unpacks all that it has read at once: a few bytes become gigabytes.
    """
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"{entry.filename[:80]!r} is {PACKED_OTHERWISE}")
    return archive.open(entry)


def declared(path: Path, most: int = 64) -> dict[str, tuple[int, ...]] | None:
    """The shapes that the arrays of an .npz declare, by name, read from their headers only; None where it is damaged.
    """
    try:
        with path.open("rb") as content:
            if counted(content) > MAX_MEMBERS:
                return None
        with zipfile.ZipFile(path) as members:
            found = {}
            for entry in members.infolist()[:most]:
                if entry.filename.endswith(".npy"):
                    with member(members, entry) as file:
                        found[entry.filename.removesuffix(".npy")] = header(file)[0]
            return found
    except DAMAGED:
        return None


def _expected(members: zipfile.ZipFile, name: str, kinds: str, shape: tuple[int, ...]) -> Array:
    entry = members.getinfo(f"{name}.npy")
    if entry.file_size > 8 * int(np.prod(shape)) + 4096:  # before anything is unpacked: a header could be as large
        raise ValueError(f"{name} declares {entry.file_size:,} bytes")
    with member(members, entry) as file:
        declared, dtype = header(file)
    if declared != shape or dtype.kind not in kinds:
        raise ValueError(f"{name} is {dtype} of shape {declared}")
    with member(members, entry) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    if dtype.kind == "f" and not np.isfinite(array.astype(np.float64)).all():
        raise ValueError(f"{name} has numbers that are not finite")
    return array


def classes(values: Array, count: int, path: Path) -> NDArray[np.int64]:
    """Labels (N,) of the file at `path`, each of `count` classes; raises `DataUnavailable` for others."""
    labels = values.astype(np.int64)
    if not np.isin(labels, np.arange(count)).all():
        raise DataUnavailable(f"{path} has labels that are not 0 to {count - 1}. Fetch it again.")
    return labels
