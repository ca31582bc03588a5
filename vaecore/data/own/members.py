"""Modalities of one's own as they are found: one array, or one text, by name.

Nothing is ever unpickled, and what an archive declares is checked before it is unpacked.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from vaecore.data import npz
from vaecore.data.base import MAX_ARRAYS_BYTES, Array
from vaecore.data.own import table
from vaecore.data.own.file import contents, decoded, wrong
from vaecore.data.own.text import MAX_LINE_LENGTH
from vaecore.modalities import MAX_MODALITIES
from vaecore.schema import ConfigError, problem

MAX_MEMBERS = MAX_MODALITIES + 2  # with labels and mask
ENDINGS = (".csv", ".npy", ".txt")


@dataclass(frozen=True)
class Member:
    """One array (N, ...) or N sentences as they were found; in messages it is `called` so in `path`."""

    called: str
    path: str
    value: Array | list[str]
    said: Mapping[int, str] = field(default_factory=dict)  # of a .csv: samples with a cell that is no number, in words
    columns: tuple[str, ...] = ()  # of a .csv: the names in its header

    def __len__(self) -> int:
        return len(self.value)

    def wrong(self, message: str, remedy: str) -> ConfigError:
        """The error that says what is wrong with this member, as a fault of the field data.path."""
        return problem("data.path", self.path, f"'{self.called}' in '{self.path}' {message}", remedy)


def files(path: str) -> dict[str, bytes]:
    """The bytes of the .npz at `path`, or of the files in that folder by their names, in alphabetical order.

    Raises `ConfigError` for what is neither, is empty or is too large.
    """
    try:
        place = Path(path).expanduser()
        names = sorted(entry.name for entry in islice(place.iterdir(), 1_000) if not entry.name.startswith("."))
    except PermissionError as error:
        raise wrong(path, f"cannot be read ({error.strerror}).", "Give a path that you may read.") from None
    except (OSError, ValueError, RuntimeError):  # no folder: `contents` says what else is wrong
        return {"": contents(path, ".npz file or folder")}
    if not names:
        raise wrong(path, "is an empty folder.", "Put one .npy, .csv or .txt file a modality into it.")
    if len(names) > MAX_MEMBERS:
        raise wrong(path, f"has {'1,000 files or more' if len(names) > 900 else f'{len(names)} files'}.",
                    f"Use at most {MAX_MODALITIES} modalities, each one file, and `labels` and `mask`.")
    for name in names:
        if not name.isprintable() or Path(name).suffix.lower() not in ENDINGS:
            raise wrong(path, f"has {name!r} in it, which is no .npy, .csv or .txt file.", "Move it elsewhere.")
    data: dict[str, bytes] = {}
    for name in names:
        data[name] = contents(str(place / name), f"{Path(name).suffix} file")
        if sum(map(len, data.values())) > MAX_ARRAYS_BYTES:
            raise wrong(path, f"has files of more than {MAX_ARRAYS_BYTES:,} bytes.", "Use a part of them, say.")
    return data


def members(data: Mapping[str, bytes], path: str) -> dict[str, Member]:
    """Arrays and texts by name, in alphabetical order; raises `ConfigError` for what cannot be read."""
    if "" in data:
        return _unpacked(data[""], path)
    found: dict[str, Member] = {}
    for file, content in data.items():
        name, place = Path(file).stem, str(Path(path) / file)
        said: Mapping[int, str] = {}
        names: tuple[str, ...] = ()
        if name in found:
            raise wrong(path, f"has both '{found[name].called}' and '{file}'.", "Keep one file a modality.")
        match Path(file).suffix.lower():
            case ".txt":
                value: Array | list[str] = _lines(content, place)
            case ".csv":
                value, said, names = _table(content, place)
            case _:
                value = _array(io.BytesIO(content), len(content), Member(file, path, []))
        found[name] = Member(file, path, value, said, names)
    return dict(sorted(found.items()))


def _table(data: bytes, path: str) -> tuple[Array, dict[int, str], tuple[str, ...]]:
    """The numbers (N, D) of a .csv, a row for each line, by row what is said that is no number, which is infinite
    there, and the names of the columns.

    A blank line is a sample that is not observed; what stands there in words is not taken for one.
    """
    found = table.read(data, path, blank_rows=True)
    most = table.CHARACTERS_SHOWN
    said = {row: f"'{text[:most]}' in line {found.lines[row]:,}, column '{found.names[column][:most]}',"
            for row, (column, text) in found.words.items()}
    for row, (column, _) in found.words.items():
        found.values[row, column] = np.inf
    return found.values, said, tuple(found.names)


def _unpacked(data: bytes, path: str) -> dict[str, Member]:
    """The arrays of an .npz. A few bytes can stand for gigabytes: sizes come first."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_MEMBERS:
                raise wrong(path, f"has {len(entries):,} arrays.",
                            f"Use at most {MAX_MODALITIES} modalities, and `labels` and `mask`.")
            if (total := sum(entry.file_size for entry in entries)) > MAX_ARRAYS_BYTES:
                raise wrong(path, f"declares {total:,} bytes of arrays.", f"Use at most {MAX_ARRAYS_BYTES:,}.")
            found: dict[str, Member] = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                if name == entry.filename:
                    raise wrong(path, f"has '{name[:40]}' in it, which is no array.", "Save it with numpy.savez.")
                if name in found:
                    raise wrong(path, f"has two arrays '{name[:40]}'.", "Keep one.")
                bare = Member(name[:40], path, [])
                with archive.open(entry) as file:
                    found[name] = Member(name, path, _array(file, entry.file_size, bare))
    except ConfigError:  # a ValueError too
        raise
    except npz.DAMAGED as error:
        raise wrong(path, f"is no .npz that can be read ({error}).",
                    "Save one array a modality with numpy.savez, or give a folder.") from None
    return dict(sorted(found.items()))


def _array(file: IO[bytes], size: int, bare: Member) -> Array:
    """The array of an .npy file of `size` bytes, read after its header and never unpickled; `bare` says which it is."""
    try:
        shape, dtype = npz.header(file)
        if dtype.kind == "O":
            raise bare.wrong("holds Python objects, a pickle, which is never loaded.",
                             "Save an array of numbers; text goes into a .txt file in a folder.")
        if dtype.kind not in "biuf" or not 1 <= len(shape) <= 4:
            raise bare.wrong(f"is {described(shape, dtype)}.", "Give whole numbers (N,), numbers (N, D), or images; "
                             "text goes into a .txt file in a folder.")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > size:  # before room is made for it
            raise bare.wrong(f"declares to be {described(shape, dtype)}, but has {size:,} bytes.", "Save it again.")
        file.seek(0)
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    except ConfigError:
        raise
    except npz.DAMAGED as error:
        raise bare.wrong(f"is no array that can be read ({error}).", "Save it again with numpy.save.") from None
    if not array.size:
        raise bare.wrong(f"is empty: of shape {array.shape}.", "Leave it out, or fill it.")
    return array


def _lines(data: bytes, path: str) -> list[str]:
    """The lines of a text, empty ones too: sample n is line n."""
    lines = decoded(data, path).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_LENGTH:
            raise wrong(path, f"has {len(line):,} characters in line {number:,}.",
                        f"Put one sentence on a line, at most {MAX_LINE_LENGTH:,} characters.")
    return lines


def described(shape: Sequence[int], dtype: np.dtype[Any]) -> str:
    """An array in words: its type and shape."""
    return f"{str(dtype)[:40]} of shape ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
