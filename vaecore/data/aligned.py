"""Modalities of one's own: an .npz with one array a modality, or a folder with one file a modality.

Row n of each is sample n. What a modality is follows from its array: of shape (N, D) a vector, of (N, H, W),
(N, C, H, W) or (N, H, W, C) with C = 1 or 3 an image, whole numbers (N,) a label. A .csv holds a vector and a .txt a
sentence a line. What is not observed is a row of NaN, a label of -1 or an empty line; or an array `mask` (N, M) of 0
and 1 says so, in the alphabetical order of the modalities. Classes for evaluation are in `labels` (N,).

The files stay where they are; a run remembers their digest. Nothing is ever unpickled, and what an archive declares
is checked before it is unpacked.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data import npz, table
from vaecore.data.base import (
    MAX_ARRAYS_BYTES,
    MAX_AXIS,
    MAX_CLASSES,
    MAX_SIDE,
    SPLITS,
    Array,
    Dataset,
    DataUnavailable,
    Split,
    SplitName,
    kept_names,
    one_hot,
    standardised,
)
from vaecore.data.missing import Mask, MultimodalConfig, masked
from vaecore.data.own_file import contents, decoded, digest, wrong
from vaecore.data.text import VocabularyConfig
from vaecore.data.text_file import LONGEST_LINE
from vaecore.modalities import KINDS, MAX_MODALITIES, Modality
from vaecore.schema import ConfigError, option, problem

MIN_SAMPLES = 30  # samples
MAX_MEMBERS = MAX_MODALITIES + 2  # with labels and mask
ENDINGS = (".csv", ".npy", ".txt")
NAME = re.compile(r"\w[\w -]{0,39}")
KNOWN = ("labels", "mask")  # what is no modality
RESERVED = ("covariate", "observed", "prior", "product", "posterior", "mixture", *KNOWN)  # names of other things



class Aligned(MultimodalConfig, VocabularyConfig):
    """Modalities named by their arrays or files, in alphabetical order, with their gaps in every split."""

    title: ClassVar[str] = "Your own modalities"
    name: Literal["aligned"] = "aligned"
    path: str = option("", "An .npz on this machine with one array a modality, or a folder with one .npy, .csv or .txt "
                       "file a modality; 50 MB a file at most. Optional: `mask`, who has what, and `labels`, classes.")
    held_out: float = option(0.1, "Share of the samples for validation, and as many for test.", unit="of samples",
                             gt=0, le=0.4)
    standardise: bool = option(True, "Give every number of a vector mean 0 and standard deviation 1, by the training "
                               "samples that have it.")
    split_seed: int = option(0, "Seed of the shuffle before the split.", ge=0, le=2**31 - 1, advanced=True)
    digest: str = option("", "SHA-256 of the files, filled in when a run is made: on others the run would not be the "
                         "same.", pattern="^([0-9a-f]{64})?$", advanced=True)

    def resolve(self) -> Aligned:
        """The choice with the absolute path, as a run is trained from another folder, and with the files' digest."""
        if not self.path or self.digest:
            return self
        try:
            data = files(self.path)
        except ConfigError:
            return self  # `load` says what is wrong with it
        return self.model_copy(update={"path": str(Path(self.path).expanduser().absolute()), "digest": digest(data)})

    def load(self) -> Dataset:
        """Shuffled by a seed, then split; raises `ConfigError`, which names file and modality, for what is no data."""
        if not self.path:
            raise DataUnavailable("No modalities are chosen. Give data.path, an .npz with one array a modality, or a "
                                  "folder with one file a modality.")
        data = files(self.path)
        if self.digest and digest(data) != self.digest:
            raise wrong(self.path, "has changed since this run was made.",
                        "Put the old files back, or clear data.digest to start anew with these.")
        found = members(data, self.path)
        known = {name: found.pop(name) for name in KNOWN if name in found}
        self._check(found, known)
        whole = known_classes([*found.values(), *known.values()])
        columns = [column(member, whole) for member in found.values()]
        labels, named = _labels(known["labels"], whole) if "labels" in known else (None, whole)
        if len(whole) > MAX_CLASSES:
            raise wrong(self.path, f"has {len(whole):,} different labels in all.", f"Use at most {MAX_CLASSES}.")
        observed = _observed(columns, known.get("mask"), self.path)
        self._fits(columns, len(observed))
        rows = self._split(len(observed))
        parts = [self._prepared(part, rows, has, whole) for part, has in zip(columns, observed.T, strict=True)]
        splits: dict[SplitName, Split] = {}
        for split in SPLITS:
            arrays = {name: arrays[split] for name, (_, arrays, _) in zip(found, parts, strict=True)}
            classes = None if labels is None else labels[rows[split]]
            splits[split] = masked(Split(arrays, classes), observed[rows[split]])
        splits["train"] = self.with_missing(splits["train"])
        sizes = " / ".join(f"{len(rows[split]):,}" for split in SPLITS)
        masks = [name for name, part in zip(found, columns, strict=True) if part.mask]
        return Dataset("aligned", f"{Path(self.path).name}: {sizes} samples of {', '.join(found)}"
                       + (f"; {', '.join(masks)} of 0 and 1 read as black and white" if masks else "")
                       + "".join(told for *_, told in parts),
                       {name: modality for name, (modality, *_) in zip(found, parts, strict=True)}, splits,
                       classes=tuple(map(str, named.tolist())))

    def _check(self, found: Mapping[str, Member], known: Mapping[str, Member]) -> None:
        """Raise `ConfigError` unless there are 2 to 16 well-named modalities of equally many samples."""
        for name, member in found.items():
            if name.lower() in RESERVED:
                raise member.wrong(f"is called '{name}', which means something else here.", "Give it another name.")
            if not NAME.fullmatch(name):
                raise member.wrong("has a name that cannot be shown.",
                                   "Use at most 40 letters, digits, spaces, - and _ for it.")
        if not 2 <= len(found) <= MAX_MODALITIES:
            what = f"has {len(found)} modalit{'y' if len(found) == 1 else 'ies'}"
            raise wrong(self.path, f"{what}{': ' if found else ''}{', '.join(found)}."[:200],
                        f"Give 2 to {MAX_MODALITIES}, each an array or a file of its own.")
        first = next(iter(found.values()))
        if len(first) < MIN_SAMPLES:
            raise first.wrong(f"has {len(first)} sample{'s' * (len(first) != 1)}.", f"Give at least {MIN_SAMPLES}.")
        for other in [*found.values(), *known.values()]:
            if len(other) != len(first):
                raise other.wrong(f"has {len(other):,} samples, but '{first.called}' has {len(first):,}.",
                                  "Give every modality a row for each sample: of NaN, or an empty line, where it is "
                                  "not observed.")

    def _fits(self, columns: Sequence[Column], samples: int) -> None:
        """Raise `ConfigError` where the arrays to train on would be too large."""
        total = samples * sum(part.bytes_each(self.longest) for part in columns)
        if total > MAX_ARRAYS_BYTES:
            raise wrong(self.path, f"would take {total:,} bytes in memory.",
                        f"Use at most {MAX_ARRAYS_BYTES:,}: fewer samples, say, or smaller images.")

    def _split(self, samples: int) -> dict[SplitName, NDArray[np.int64]]:
        order = np.random.default_rng(self.split_seed).permutation(samples)
        held_out = max(1, round(self.held_out * samples))
        cut = samples - 2 * held_out
        # Cut to the limit at once: means and vocabularies are of what is trained on.
        rows = np.split(order, [cut, cut + held_out])
        return dict(zip(SPLITS, (rows[0][: self.train_limit or None], *rows[1:]), strict=True))

    def _prepared(self, part: Column, rows: Mapping[SplitName, NDArray[np.int64]], has: Mask,
                  whole: NDArray[np.int64]) -> tuple[Modality, dict[SplitName, Any], str]:
        """A modality as a model reads it, in splits, and what is to be said about it; `whole` are the classes by
        their numbers."""
        if not has[rows["train"]].any():
            raise part.member.wrong("is not observed in any training sample.", "Leave it out.")
        if isinstance(part.x, list):
            sentences = [sentence if there else "" for sentence, there in zip(part.x, has, strict=True)]
            return self.numbered({split: [sentences[row] for row in rows[split]] for split in SPLITS},
                                 f"'{part.member.called}'")
        names: tuple[str, ...] = ()
        x = np.where(has.reshape(-1, *[1] * (part.x.ndim - 1)), part.x, 0)  # there is no mean of NaN
        match part.kind:
            case "label":
                classes = int(part.x.max()) + 1
                x, shape = one_hot(x, classes), (classes,)
                # More of them only label what is evaluated, or another modality.
                names = tuple(map(str, whole[:classes].tolist()))
            case "image":
                x = x if x.dtype == np.uint8 else np.rint(255 * x).astype(np.uint8)
                shape = x.shape[1:]
            case _:
                train = rows["train"]
                x = standardised(x, x[train[has[train]]]) if self.standardise else x.astype(np.float32)
                shape = x.shape[1:]
        modality = Modality(part.kind, shape, classes=names, columns=kept_names(part.member.columns))
        return modality, {split: x[rows[split]] for split in SPLITS}, ""


# -- what is in the files --------------------------------------------------------------------------


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
            raise bare.wrong(f"is {_described(shape, dtype)}.", "Give whole numbers (N,), numbers (N, D), or images; "
                             "text goes into a .txt file in a folder.")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > size:  # before room is made for it
            raise bare.wrong(f"declares to be {_described(shape, dtype)}, but has {size:,} bytes.", "Save it again.")
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
        if len(line) > LONGEST_LINE:
            raise wrong(path, f"has {len(line):,} characters in line {number:,}.",
                        f"Put one sentence on a line, at most {LONGEST_LINE:,} characters.")
    return lines


def _described(shape: Sequence[int], dtype: np.dtype[Any]) -> str:
    return f"{str(dtype)[:40]} of shape ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


# -- what it means ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A modality of N samples: sentences, labels (N,) with -1, vectors (N, D), or images (N, C, H, W)."""

    member: Member
    kind: str
    x: Array | list[str]
    blank: Mask  # (N,) samples in which nothing is said
    bad: Mask  # (N,) samples in which something is said that cannot be
    mask: bool = False  # images of 0 and 1, read as black and white

    def bytes_each(self, longest: int) -> int:
        """Bytes of one sample as it is trained on; `longest` words of a sentence at most."""
        match self.kind:
            case "text":
                return 4 * (longest + 1)
            case "label":
                return 4 * (int(np.max(np.asarray(self.x))) + 1)
            case "image":
                return math.prod(np.shape(self.x)[1:])
            case _:
                return 4 * int(np.shape(self.x)[1])

    def fault(self, row: int, remedy: str, asked: bool) -> ConfigError:
        """What is wrong with a sample; `asked` where the mask says that it is observed."""
        if row in self.member.said:
            what = f"{self.member.said[row]} which is no number,"
        elif isinstance(self.x, list) or self.blank[row]:
            what = "nothing"
        else:
            values = np.ravel(np.asarray(self.x[row], np.float64))
            low, high = (0.0, 1.0) if KINDS[self.kind].pixels else (-table.MAX_NUMBER, table.MAX_NUMBER)
            what = f"{values[~((values >= low) & (values <= high))][0]:g}"
        why = ", which the mask calls observed" if asked else ""
        return self.member.wrong(f"has {what} in sample {row:,} (the first is 0){why}.", remedy)


def known_classes(members: Sequence[Member]) -> NDArray[np.int64]:
    """The classes that occur in any labels, in order: the same number means the same class wherever it stands."""
    found = [member.value.astype(np.int64) for member in members if member.called != "mask"
             and not isinstance(member.value, list) and member.value.ndim == 1 and member.value.dtype.kind in "biu"]
    together = np.concatenate([np.zeros(0, np.int64), *found])
    return np.unique(together[together >= 0])


def column(member: Member, classes: NDArray[np.int64] | None = None) -> Column:
    """What an array or text is; raises `ConfigError` for one that is nothing. `classes` number its labels."""
    value = member.value
    if isinstance(value, list):
        blank = np.array([not line.strip() for line in value])
        return Column(member, "text", value, blank, np.zeros(len(value), bool))
    if value.ndim == 1:
        numbered = _classes(member, classes)
        return Column(member, "label", numbered, numbered == -1, np.zeros(len(value), bool))
    if value.ndim == 2:
        if value.shape[1] > MAX_AXIS:
            raise member.wrong(f"has {value.shape[1]:,} numbers a sample.",
                               f"Use at most {MAX_AXIS:,}: those that vary most, say.")
        x = value.astype(np.float64)
        blank = np.asarray(np.isnan(x).all(1))
        return Column(member, "vector", x, blank, ~(np.abs(x) <= table.MAX_NUMBER).all(1) & ~blank)
    return _image(member, value)


def _image(member: Member, value: Array) -> Column:
    shape = value.shape
    if value.ndim == 3:
        value = value[:, None]
    elif shape[1] not in (1, 3) and shape[3] in (1, 3):
        value = np.moveaxis(value, 3, 1)
    if value.shape[1] not in (1, 3) or max(value.shape[2:]) > MAX_SIDE:
        raise member.wrong(f"is {_described(shape, value.dtype)}.", "Give images (N, H, W), (N, C, H, W) or (N, H, W, "
                           f"C) with 1 or 3 channels C, at most {MAX_SIDE} pixels high and wide.")
    none = np.zeros(len(value), bool)
    if value.dtype == np.uint8:
        # Of 255 grey levels a mask of 0 and 1 would be all black; a picture that dark has nothing on it.
        mask = bool(value.max() == 1 and value.min() == 0)
        x = np.where(value, 255, 0).astype(np.uint8) if mask else value
        return Column(member, "image", x, none, none, mask=mask)
    if value.dtype.kind != "f":
        raise member.wrong(f"is {_described(shape, value.dtype)}.", "Save images as uint8, 0 to 255, or as numbers "
                           "between 0 and 1.")
    x = value.astype(np.float32)
    blank = np.asarray(np.isnan(x).all((1, 2, 3)))
    return Column(member, "image", x, blank, np.asarray(~((x >= 0) & (x <= 1)).all((1, 2, 3)) & ~blank))


def _classes(member: Member, whole: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Labels (N,) numbered from 0 in the order of `whole`, or of their own; -1 where missing."""
    value = np.asarray(member.value)
    if value.ndim != 1 or value.dtype.kind not in "biu":
        raise member.wrong(f"is {_described(value.shape, value.dtype)}.", "Labels are whole numbers of shape (N,), -1 "
                           "where missing; a vector has shape (N, D), of one number (N, 1).")
    labels = value.astype(np.int64)
    if (labels < -1).any():
        raise member.wrong(f"has a label {labels.min()}.", "Number classes from 0; -1 is a missing one.")
    known = np.unique(labels[labels >= 0])
    if not 1 <= len(known) <= MAX_CLASSES:
        raise member.wrong(f"has {len(known):,} different labels.", f"Use 1 to {MAX_CLASSES}.")
    whole = known if whole is None or not np.isin(known, whole).all() else whole
    return np.where(labels < 0, -1, np.searchsorted(whole, labels))


def _labels(member: Member, whole: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Classes (N,) for evaluation and what they are called, by their numbers; in a .csv they are its only column, with
    NaN or nothing where missing."""
    value = member.value
    if member.said:
        raise member.wrong(f"has {next(iter(member.said.values()))} which is no number.",
                           "Labels are whole numbers; nothing or -1 where missing.")
    if not isinstance(value, list) and value.ndim == 2 and value.shape[1] == 1 and value.dtype.kind == "f":
        column = np.nan_to_num(value[:, 0], nan=-1)
        if (column == np.rint(column)).all() and (np.abs(column) < 2**53).all():
            member = Member(member.called, member.path, column.astype(np.int64))
    labels = _classes(member, whole)
    there = np.asarray(member.value)[labels >= 0].astype(np.int64)
    return labels, whole if np.isin(there, whole).all() else np.unique(there)


def _observed(columns: Sequence[Column], mask: Member | None, path: str) -> Mask:
    """Who has what, (N, M): as the mask says, else wherever something is. Raises `ConfigError` for a contradiction."""
    blank = np.stack([part.blank for part in columns], 1)
    bad = np.stack([part.bad for part in columns], 1)
    if mask is None:
        observed, faults = ~blank, bad
        remedy = "Correct it; a row that is not observed is NaN throughout."
    else:
        observed = _given(mask, columns)
        faults = observed & (bad | blank)
        remedy = "Correct it, or put 0 into the mask there."
    if faults.any():
        row, modality = np.argwhere(faults)[0].tolist()
        if KINDS[columns[modality].kind].pixels and not blank[row, modality]:
            remedy = "Numbers of an image lie between 0 and 1: divide them by 255, or save them as uint8."
        raise columns[modality].fault(row, remedy, mask is not None)
    if len(empty := np.flatnonzero(~observed.any(1))):
        what, remedy = f"sample {empty[0]:,} (the first is 0) without any modality.", "Leave such samples out."
        raise wrong(path, f"has {what}", remedy) if mask is None else mask.wrong(f"leaves {what}", remedy)
    return observed


def _given(mask: Member, columns: Sequence[Column]) -> Mask:
    value, names = np.asarray(mask.value), ", ".join(part.member.called for part in columns)
    wanted = (len(columns[0].member), len(columns))
    if value.shape != wanted:
        raise mask.wrong(f"is of shape {value.shape}, not {wanted}.",
                         f"Give a row for each sample, and a column for each modality in this order: {names}.")
    if not np.isin(value, (0, 1)).all():
        raise mask.wrong("has other entries than 0 and 1.", "Write 1 where a modality is observed and 0 where not.")
    return value.astype(bool)
