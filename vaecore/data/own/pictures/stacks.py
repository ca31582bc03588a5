"""Pictures in arrays: an .npy, an .npz, an IDX file. Their headers are read first, and nothing is ever unpickled.

A large array is read row by row where it lies; one that is compressed has to fit into memory.
"""

from __future__ import annotations

import gzip
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from vaecore.data import idx, npz
from vaecore.data.base import MAX_ARRAYS_BYTES, SPLITS, Array
from vaecore.data.own import splitting
from vaecore.data.own.members import described
from vaecore.data.own.pictures.decoding import Pixels, Unreadable, check_numbers
from vaecore.data.own.pictures.folder import File, OnDisk
from vaecore.data.own.pictures.known import GROUPS, LABELS, Known, text_of
from vaecore.schema import ConfigError, problem
from vaecore.words import shown

MAX_CHANNELS = 16
MAX_ARRAYS = 100  # in an .npz
WANTED = "Give pictures (N, H, W), (N, H, W, C) or (N, C, H, W)"
IMAGES = frozenset({"image", "images", "img", "imgs", "picture", "pictures", "x", "data", "frames", "slices", "stack"})
NAMES = frozenset({"names", "class_names", "classes", "label_names", "target_names"})
IDX = re.compile(r"(?i).*(idx\d|ubyte).*")


@dataclass(frozen=True)
class Stack:
    """N pictures of one size in an array, which lies in `array`, or begins at `offset` in `file`."""

    called: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    array: Array | None = None
    file: File | None = None
    offset: int = 0

    @property
    def channel_axis(self) -> int:
        """The axis of `shape` that are the channels: of the two that can be it, the shorter one; 0 for none."""
        return 0 if len(self.shape) == 3 else 1 if self.shape[1] <= self.shape[3] else 3

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        if self.channel_axis == 1:
            return self.shape[2], self.shape[3]
        return self.shape[1], self.shape[2]

    @property
    def channels(self) -> int:
        return self.shape[self.channel_axis] if self.channel_axis else 1

    @property
    def opaque_last(self) -> bool:
        """Whether the last of four channels is how opaque a pixel is, as in arrays made from pictures with it."""
        return self.channel_axis == 3 and self.shape[3] == 4 and self.dtype == np.uint8

    def rows(self, rows: NDArray[np.int64]) -> Pixels:
        """The pictures at `rows`; raises `ConfigError` where the file changed, or `Unreadable` for what is no number.
        """
        values = self._read(rows) if self.array is None else self.array[rows]
        check_numbers(values)
        values = values[..., None] if values.ndim == 3 else np.moveaxis(values, self.channel_axis, 3)
        return Pixels(values, self.opaque_last)

    def _read(self, rows: NDArray[np.int64]) -> Array:
        assert self.file is not None
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        each = prod(self.shape[1:]) * self.dtype.itemsize
        with self.file.reading() as file:
            for place in np.argsort(rows):
                file.seek(self.offset + int(rows[place]) * each)
                if file.readinto(memoryview(values[place]).cast("B")) != each:  # type: ignore[attr-defined]
                    self.file.check()
                    raise Unreadable("ends before its last picture: save it again.")
        return values


@dataclass
class Stacks:
    """All arrays of pictures of a data set, and what is known of each picture."""

    path: str
    stacks: list[Stack]
    known: Known
    left_out: list[str] = field(default_factory=list)


def _fault(path: str, called: str, message: str, remedy: str) -> ConfigError:
    return problem("data.path", path, f"'{shown(called)}' in '{path}' {message}" if called else f"'{path}' {message}",
                   remedy)


def checked(path: str, called: str, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    """Raise `ConfigError` for an array that cannot be pictures."""
    what = described(shape, dtype)
    if dtype.kind == "O":
        raise _fault(path, called, "holds Python objects, a pickle, which is never loaded.",
                     f"{WANTED} of numbers, all of one size, or a folder of picture files.")
    if not _could_be(shape, dtype) or not prod(shape):
        more = ": reshape each row to the height and width that it has" if len(shape) == 2 else ""
        raise _fault(path, called, f"is {what}.", f"{WANTED}{more}.")
    if len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) >= 16:
        raise _fault(path, called, f"is {what}: one picture in colour.", f"{WANTED}, of N pictures.")
    if Stack(called, tuple(shape), dtype).channels > MAX_CHANNELS:
        raise _fault(path, called, f"is {what}; none of its axes is short enough for channels.",
                     f"{WANTED} with at most {MAX_CHANNELS} channels C.")


# -- .npy and .npz ---------------------------------------------------------------------------------


def from_npy(file: File, path: str) -> Stacks:
    """The pictures of an .npy; raises `ConfigError`."""
    try:
        with file.reading() as content:
            shape, dtype, columns = npz.layout(content)
            checked(path, "", shape, dtype)
            stack = _stack(path, "", content, file.size - content.tell(), (shape, dtype, columns), file, content.tell())
    except ConfigError:
        raise
    except npz.DAMAGED as error:
        raise _fault(path, "", f"is no array that can be read ({error}).", "Save it again with numpy.save.") from None
    return Stacks(path, [stack], Known(shape[0]))


def _stack(path: str, called: str, content: IO[bytes], size: int,
           declared: tuple[tuple[int, ...], np.dtype[Any], bool], file: File | None, offset: int,
           held: Sequence[Stack] = ()) -> Stack:
    """The array whose header was just read from `content`, in memory where it is small; else where it lies.

    Those that are `held` take part of the room.
    """
    shape, dtype, columns = declared
    total = prod(shape) * dtype.itemsize
    if total > size:  # before room is made for it
        raise _fault(path, called, f"declares to be {described(shape, dtype)}, but has {size:,} bytes.",
                     "Save it again.")
    if total + _taken(held) > MAX_ARRAYS_BYTES:
        if columns:
            raise _fault(path, called, f"is {described(shape, dtype)}, stored column by column.",
                         "Save numpy.ascontiguousarray of it.")
        if file is None:
            raise _fault(path, called, f"has {total:,} bytes, compressed.", "Save it with numpy.save, uncompressed, "
                         f"or use at most {MAX_ARRAYS_BYTES:,}.")
        return Stack(called, shape, dtype, None, file, offset)
    return Stack(called, shape, dtype, _whole(content, shape, dtype, columns))


def _taken(stacks: Sequence[Stack]) -> int:
    """Bytes of memory that arrays take."""
    return sum(0 if stack.array is None else stack.array.nbytes for stack in stacks)


def _whole(content: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], columns: bool) -> Array:
    """The numbers that follow in `content`."""
    total = prod(shape) * dtype.itemsize
    data = bytearray()
    while len(data) < total and (part := content.read(min(2**24, total - len(data)))):
        data += part
    if len(data) < total:
        raise ValueError(f"it ends after {len(data):,} of {total:,} bytes")
    values = np.frombuffer(data, dtype)
    return values.reshape(shape[::-1]).T if columns else values.reshape(shape)


def _archive(content: IO[bytes], path: str) -> zipfile.ZipFile:
    if (count := npz.counted(content)) > MAX_ARRAYS:
        raise _fault(path, "", f"has {count:,} arrays.", f"Use at most {MAX_ARRAYS}.")
    return zipfile.ZipFile(content)


@contextmanager
def _unpacked(file: File, path: str) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    try:
        with file.reading() as content, _archive(content, path) as archive:
            entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()
                       if info.filename.endswith(".npy")}
            yield archive, entries
    except ConfigError:
        raise
    except npz.DAMAGED as error:
        raise _fault(path, "", f"is no .npz that can be read ({error}).", "Save it again with numpy.savez.") from None


def from_npz(file: File, path: str, group: str = "") -> Stacks:
    """The pictures of an .npz, and what its other arrays say of them; raises `ConfigError`."""
    with _unpacked(file, path) as (archive, entries):
        declared = {}
        for name, info in entries.items():
            with npz.member(archive, info) as content:
                declared[name] = npz.layout(content)
        chosen = _chosen(path, {name: (shape, dtype) for name, (shape, dtype, _) in declared.items()})
        stacks: list[Stack] = []
        for name in chosen:
            checked(path, name, *declared[name][:2])
            info = entries[name]
            with npz.member(archive, info) as content:
                npz.layout(content)
                stacks.append(_stack(path, name, content, info.file_size - content.tell(), declared[name],
                                     file if info.compress_type == zipfile.ZIP_STORED else None,
                                     _place(archive, info) + content.tell(), stacks))
        total = sum(stack.shape[0] for stack in stacks)
        others: dict[str, Array] = {}
        room = MAX_ARRAYS_BYTES - _taken(stacks)
        left_out = []
        for name, (shape, dtype, columns) in declared.items():
            if name in chosen:
                continue
            size = prod(shape) * dtype.itemsize
            if dtype.kind == "O" and _role(name)[0] in LABELS | GROUPS | NAMES | {"split"}:
                raise _fault(path, name, "holds Python objects, a pickle, which is never loaded.",
                             "Save it as text or whole numbers: numpy.array(values, dtype=str).")
            if dtype.kind not in "biufSU" or not 1 <= len(shape) <= 2 or size > min(entries[name].file_size, room):
                left_out.append(f"array '{shown(name)}', which is {described(shape, dtype)}")
                continue
            with npz.member(archive, entries[name]) as content:
                npz.layout(content)
                values = _whole(content, shape, dtype, columns)
            room -= size
            others[name] = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    known = _told(path, {name: stack.shape[0] for name, stack in zip(chosen, stacks, strict=True)}, others, group,
                  left_out)
    assert known.count == total
    return Stacks(path, stacks, known, left_out)


def _place(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Where the bytes of a member that is only stored begin in the archive."""
    assert archive.fp is not None
    before = archive.fp.tell()
    archive.fp.seek(info.header_offset + 26)
    name, extra = struct.unpack("<HH", archive.fp.read(4))
    archive.fp.seek(before)
    return info.header_offset + 30 + int(name) + int(extra)


def _role(name: str) -> tuple[str, str]:
    """What an array is called without the split that its name says, and that split: `x_train` is ("x", "train")."""
    words = [word for word in re.split(r"[_\-. ]+", name.lower()) if word]
    split = next((found for word in words if (found := splitting.named(word))), "")
    return "_".join(word for word in words if not splitting.named(word)), split


def _chosen(path: str, declared: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> list[str]:
    """The arrays that are pictures: those called so, or the only one that can be; several of different splits."""
    able = [name for name, what in declared.items() if _could_be(*what)]
    named = [name for name in declared if _role(name)[0] in IMAGES]
    chosen = [name for name in able if name in named] or (able if not named else []) or named
    splits = [_role(name)[1] for name in chosen]
    if not chosen:
        listed = ", ".join(f"'{shown(name)}' {described(*what)}" for name, what in [*declared.items()][:5])
        raise _fault(path, "", f"has no array of pictures{': ' if listed else ''}{listed}.", f"{WANTED} as 'images'.")
    if len(chosen) > 1 and (len(set(splits)) < len(splits) or "" in splits):
        raise _fault(path, "", f"has several arrays that could be the pictures: {', '.join(map(shown, chosen[:5]))}.",
                     "Call the one that is meant 'images', or call them images_train and images_test.")
    return chosen


def _told(path: str, counts: Mapping[str, int], others: Mapping[str, Array], group: str, left_out: list[str]) -> Known:
    """What the other arrays say of the pictures, which are those of several arrays one after the other."""
    total = sum(counts.values())
    known = Known(total)
    names: list[str] = []
    used: set[str] = set()
    several = len(counts) > 1
    if several:
        known.splits = [_role(name)[1] for name, count in counts.items() for _ in range(count)]
    for name, values in others.items():
        role = _role(name)[0]
        if role in NAMES and values.ndim == 1 and values.dtype.kind in "SU" and len(values) not in counts.values():
            names = [text_of(value) for value in values]
            used.add(name)

    def joined(able: Sequence[str], what: str) -> tuple[list[Any], list[str]] | None:
        """Values for all pictures, of one array for each of pictures, and the array that each value is of."""
        found: list[Any] = []
        whose: list[str] = []
        for picture, count in counts.items():
            fitting = [name for name in able if len(others[name]) == count and others[name].ndim == 1
                       and (not several or _role(name)[1] == _role(picture)[1])]
            wrong_length = [name for name in able if not several or _role(name)[1] == _role(picture)[1]]
            if not fitting and wrong_length:
                raise _fault(path, wrong_length[0], f"has shape {others[wrong_length[0]].shape}, but there are "
                             f"{count:,} pictures.", f"Give {what} for each picture.")
            if not fitting:
                return None
            used.add(fitting[0])
            found += others[fitting[0]].tolist()
            whose += [fitting[0]] * count
        return found, whose

    labels = [name for name in others if _role(name)[0] in LABELS]
    if not labels:
        spare = [name for name, values in others.items() if values.ndim == 1 and len(values) in counts.values()
                 and values.dtype.kind in "biuSU" and _role(name)[0] not in NAMES | GROUPS | {"split", group.lower()}]
        labels = spare if len({_role(name)[0] for name in spare}) == 1 else []
    if (found := joined(labels, "a label")) is not None:
        arrays = [f"'{shown(name)}'" for name in dict.fromkeys(found[1])]
        known.label_source = f"array{'s' * (len(arrays) > 1)} {', '.join(arrays)}"
        known.labels = _named(path, *found, names, known)
    grouped = [name for name in others if (name == group if group else _role(name)[0] in GROUPS)]
    if (found := joined(grouped, "a group")) is not None:
        known.groups, known.group_name = [text_of(value) for value in found[0]], shown(found[1][0])
    elif group:
        raise problem("data.group", group, f"'{path}' has no array of that name for the pictures.",
                      f"Use one of {', '.join(map(shown, others)) or 'its arrays: there is none'}.")
    if not several and (split := [name for name in others if _role(name)[0] == "split" or name.lower() == "split"]):
        known.splits = []
        for row, (value, name) in enumerate(zip(*(joined(split, "a split") or ((), ())), strict=True)):
            said = SPLITS[int(value)] if value in (0, 1, 2) else splitting.named(text_of(value))
            if not said:
                raise _fault(path, name, f"has {text_of(value)!r} for picture {row:,} (the first is 0).",
                             "Use train, validation and test, or 0, 1 and 2.")
            known.splits.append(said)
    left_out += [f"array '{shown(name)}', which is {described(values.shape, values.dtype)}"
                 for name, values in others.items() if name not in used]
    return known


def _named(path: str, values: Sequence[Any], whose: Sequence[str], names: Sequence[str], known: Known) -> list[str]:
    """Labels as text, "" where missing: the names of their numbers where the file has them."""
    for row, (value, called) in enumerate(zip(values, whose, strict=True)):
        if isinstance(value, float) and value == value and not value.is_integer():
            raise _fault(path, called, f"has {value:g} for picture {row:,} (the first is 0).",
                         "Labels are whole numbers or text; -1 or NaN where missing.")
    missing = [isinstance(value, int | float) and not isinstance(value, bool) and not value >= 0 for value in values]
    if not names or any(isinstance(value, str | bytes) for value in values):
        return ["" if gone else text_of(value) for value, gone in zip(values, missing, strict=True)]
    numbers = [int(value) for value, gone in zip(values, missing, strict=True) if not gone]
    first = 1 if numbers and min(numbers) > 0 and max(numbers) == len(names) else 0
    if numbers and (largest := max(numbers)) - first >= len(names):
        raise _fault(path, whose[values.index(largest)], f"has a label {largest}, but only {len(names)} classes have "
                     "names.", "Give a name for each class.")
    known.class_order = list(names)
    return ["" if gone else names[int(value) - first] for value, gone in zip(values, missing, strict=True)]


def looks_so(file: File) -> bool:
    """Whether an .npy or .npz has an array that could be pictures, by the headers; raises what damaged ones do."""
    if file.name.lower().endswith(".npy"):
        with file.reading() as content:
            return _could_be(*npz.layout(content)[:2])
    with file.reading() as content, _archive(content, file.name) as archive:
        for info in archive.infolist():
            with npz.member(archive, info) as member:
                if _could_be(*npz.layout(member)[:2]):
                    return True
    return False


def _could_be(shape: Sequence[int], dtype: np.dtype[Any]) -> bool:
    return len(shape) in (3, 4) and dtype.kind in "biuf"


# -- IDX -------------------------------------------------------------------------------------------


@contextmanager
def _idx(file: File) -> Iterator[IO[bytes]]:
    with file.reading() as content:
        if file.name.lower().endswith(".gz"):
            with gzip.open(content) as inner:
                yield cast(IO[bytes], inner)
        else:
            yield content


def labels_beside(place: Path) -> list[File]:
    """The file of labels that lies beside an IDX file of pictures; none where there is none."""
    wanted = beside(place.name)
    if wanted == _plain(place.name):
        return []
    with suppress(OSError):
        for other in sorted(islice(place.parent.iterdir(), 1_000)):
            if _plain(other.name) == wanted and other.is_file():
                return [OnDisk.listed(other.name, other, other.stat())]
    return []


def _plain(name: str) -> str:
    return name.lower().removesuffix(".gz").replace(".", "-")


def beside(name: str) -> str:
    """What the labels of an IDX file of images are called, without `.gz` and with `-` for `.`."""
    return re.sub(r"idx\d", "idx1", _plain(name).replace("images", "labels"))


def from_idx(files: Sequence[File], path: str) -> Stacks | None:
    """The pictures of IDX files with the labels in those beside them; None where none of the files has pictures.

    Raises `ConfigError` for what is damaged, or has too few labels.
    """
    unpacked = {file.name for file in files if not file.name.lower().endswith(".gz")}
    files = [file for file in files if file.name in unpacked or file.name[:-3] not in unpacked]  # one of both
    stacks: list[Stack] = []
    labels: list[str] = []
    splits: list[str] = []
    vectors: dict[str, tuple[File, Array]] = {}
    for file in files:
        called = file.name if len(files) > 1 else ""
        try:
            with _idx(file) as content:
                shape, dtype = idx.header(content)
                packed, start = file.name.lower().endswith(".gz"), 4 + 4 * len(shape)
                if len(shape) == 1:
                    room = MAX_ARRAYS_BYTES if packed else min(MAX_ARRAYS_BYTES, file.size - start)
                    if shape[0] * dtype.itemsize > room:
                        raise _fault(path, file.name, f"declares {shape[0]:,} labels, which are not there or too many "
                                     "to be read.", "Fetch it again, or take it away.")
                    vectors[beside(file.name)] = file, _whole(content, shape, dtype, columns=False)
                    continue
                checked(path, called, shape, dtype)
                total = prod(shape) * dtype.itemsize  # of a packed file its end tells
                stacks.append(_stack(path, file.name, content, total if packed else file.size - start,
                                     (shape, dtype, False), None if packed else file, start, stacks))
        except ConfigError:
            raise
        except npz.DAMAGED as error:
            raise _fault(path, called, f"is no IDX file that can be read ({error}).", "Fetch it again.") from None
    if not stacks:
        return None
    for stack in stacks:
        count = stack.shape[0]
        beside_it = vectors.get(beside(stack.called))
        if beside_it is not None and len(beside_it[1]) != count:
            raise _fault(path, beside_it[0].name, f"has {len(beside_it[1]):,} labels for {count:,} pictures.",
                         "Fetch both again.")
        labels += [""] * count if beside_it is None else [text_of(value) for value in beside_it[1].tolist()]
        words = re.split(r"[_\-. ]+", stack.called.lower().rpartition("/")[2])
        splits += [next((found for word in words if (found := splitting.named(word))), "")] * count
    known = Known(len(labels))
    if any(labels):
        known.labels, known.label_source = labels, "the IDX file of labels beside"
    if len(set(splits)) > 1 and "" not in splits:
        known.splits = splits
    elif len(stacks) > 1:
        raise _fault(path, "", f"has several IDX files of pictures: {', '.join(stack.called for stack in stacks[:5])}.",
                     "Give the path of one, or call them train-images… and t10k-images….")
    return Stacks(path, stacks, known)
