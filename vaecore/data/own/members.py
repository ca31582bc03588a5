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
from vaecore.data.base import MAX_ARRAYS_BYTES, MAX_CLASSES, Array
from vaecore.data.own.file import contents, lines, wrong
from vaecore.data.own.tables import cells, reading
from vaecore.data.own.tables.contents import Contents
from vaecore.data.own.tables.features import features, identifies
from vaecore.modalities import MAX_MODALITIES
from vaecore.schema import ConfigError, problem
from vaecore.words import quoted, short

LABELS = "labels"  # the member that has classes for evaluation
MAX_MEMBERS = MAX_MODALITIES + 2  # with labels and mask
ENDINGS = (".npy", *reading.ENDINGS, ".txt")


@dataclass(frozen=True)
class Member:
    """One array (N, ...) or N sentences as they were found; in messages it is `called` so in `path`."""

    called: str
    path: str
    value: Array | list[str]
    said: Mapping[int, str] = field(default_factory=dict)  # of a table: samples with a cell that is no number, in words
    columns: tuple[str, ...] = ()  # of a table: what its numbers are called
    levels: tuple[str, ...] = ()  # of labels in words: what the numbers 0, 1, ... stand for
    done: tuple[str, ...] = ()  # of a table: what was done to it
    left_out: tuple[str, ...] = ()  # and which columns are left out, and why
    apart: Mapping[str, Sequence[str]] = field(default_factory=dict)  # columns that tell its rows apart, by their names

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
        if not name.isprintable() or not name.lower().endswith(ENDINGS):
            raise wrong(path, f"has {name!r} in it, which is no .npy, .csv, .tsv, .parquet or .txt file.",
                        "Move it elsewhere.")
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
        name, place = bare_name(file), str(Path(path) / file)
        if name in found:
            raise wrong(path, f"has both '{found[name].called}' and '{file}'.", "Keep one file a modality.")
        match file[len(name):].lower():
            case ".txt":
                found[name] = Member(file, path, lines(content, place))
            case ".npy":
                found[name] = Member(file, path, _array(io.BytesIO(content), len(content), Member(file, path, [])))
            case _:
                read = reading.read(content, place, blank_rows=True)
                found[name] = _classes(file, path, read) if name == LABELS else _block(file, path, read)
    _check_order([member for member in found.values() if member.apart])
    return dict(sorted(found.items()))


def bare_name(file: str) -> str:
    """A file's name without its ending, which may be of two parts, as .csv.gz."""
    endings = [ending for ending in ENDINGS if file.lower().endswith(ending)]
    return file[:len(file) - max(map(len, endings), default=0)]


def _block(called: str, path: str, read: Contents) -> Member:
    """The numbers (N, D) of a table, a row for each line, and by row what is said that is no number, infinite there.

    A blank line is a sample that is not observed; what stands there in words is not taken for one.
    """
    found = features(read, range(len(read.names)), strict=False)
    bare = Member(called, path, [])
    if not found.names:
        raise bare.wrong(f"has no column of numbers ({'; '.join(found.left_out)[:200]}).", "Give one at least.")
    x, said = found.x, dict[int, str]()
    for column in sorted({*found.sources} & {*read.texts}):
        places = [place for place, source in enumerate(found.sources) if source == column]
        for row in np.flatnonzero(np.isnan(x[:, places[0]])).tolist():
            if not cells.missing(text := read.texts[column][row]):
                x[row, places] = np.inf
                said.setdefault(row, f"{quoted(text)} {read.place(row, column)},")
    apart = {name: read.texts.get(column) or [f"{x:g}" for x in read.values[:, column]]
             for column, name in enumerate(read.names) if column not in found.sources}
    return Member(called, path, x, said, found.names, done=(*read.done, *found.done), left_out=found.left_out,
                  apart={name: texts for name, texts in apart.items() if len({*texts}) == len(texts)})


def _classes(called: str, path: str, read: Contents) -> Member:
    """Labels in words, numbered by the alphabet; or the numbers of their column, for the caller to judge."""
    columns = [column for column in range(len(read.names)) if not identifies(read, column)
               and len({*(texts := read.texts.get(column, ()))}) in range(len(texts) or 1)]
    if len(columns) != 1 or columns[0] not in read.texts or np.isfinite(read.values[:, columns[0]]).any():
        return Member(called, path, read.values, columns=tuple(read.names), said={
            row: f"{quoted(texts[row])} {read.place(row, column)}," for column, texts in read.texts.items()
            for row in np.flatnonzero(np.isnan(read.values[:, column])).tolist() if not cells.missing(texts[row])})
    said = [cells.class_name(text) for text in read.texts[columns[0]]]
    levels = cells.ordered({text for text in said if not cells.missing(text)})
    if len(levels) > MAX_CLASSES:
        raise Member(called, path, []).wrong(f"has {len(levels):,} different labels.", f"Use at most {MAX_CLASSES}.")
    return Member(called, path, np.array([levels.index(text) if text in levels else -1 for text in said]),
                  levels=tuple(levels))


def _check_order(found: Sequence[Member]) -> None:
    """Raise `ConfigError` where two tables tell their rows apart by the same column, but not in the same order."""
    for place, one in enumerate(found):
        for other in found[place + 1:]:
            for name in set(one.apart) & set(other.apart):
                pairs = enumerate(zip(one.apart[name], other.apart[name], strict=False))
                row = next((row for row, (a, b) in pairs if a.strip() != b.strip()
                            and not cells.missing(a) and not cells.missing(b)), None)
                if row is not None:
                    raise other.wrong(f"has '{short(other.apart[name][row])}' in sample {row:,} (the first is "
                                      f"0), column '{short(name)}', but '{one.called}' has "
                                      f"'{short(one.apart[name][row])}' there.",
                                      "Put the rows of all files into the same order.")


def _unpacked(data: bytes, path: str) -> dict[str, Member]:
    """The arrays of an .npz. A few bytes can stand for gigabytes: sizes come first."""
    try:
        if (count := npz.counted(io.BytesIO(data))) > MAX_MEMBERS:
            raise wrong(path, f"has {count:,} arrays.",
                        f"Use at most {MAX_MODALITIES} modalities, and `labels` and `mask`.")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
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
                with npz.member(archive, entry) as file:
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


def described(shape: Sequence[int], dtype: np.dtype[Any]) -> str:
    """An array in words: its type and shape."""
    return f"{str(dtype)[:40]} of shape ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
