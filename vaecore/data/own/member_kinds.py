"""What the arrays and texts of one's own modalities mean: sentences, labels, vectors or images, and who has what."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import MAX_AXIS, MAX_CLASSES, MAX_SIDE, Array, kept_names, one_hot, scaling
from vaecore.data.missing import Mask
from vaecore.data.own.file import wrong
from vaecore.data.own.members import Member, described
from vaecore.data.own.tables import cells
from vaecore.modalities import Modality
from vaecore.schema import ConfigError

Gaps = Literal["refuse", "mean", "missing"]


@dataclass(frozen=True)
class Column:
    """A modality of N samples as it was found; what it is, a subclass says."""

    member: Member
    x: Array | list[str]
    blank: Mask  # (N,) samples in which nothing is said
    bad: Mask  # (N,) samples in which something is said that cannot be
    bounds: ClassVar[tuple[float, float]] = -cells.MAX_NUMBER, cells.MAX_NUMBER
    remedy: ClassVar[str] = ""  # for what lies outside of that, where it is the kind's own

    @abstractmethod
    def bytes_each(self, longest: int) -> int:
        """Bytes of one sample as it is trained on; `longest` words of a sentence at most."""

    def fault(self, row: int, remedy: str, asked: bool) -> ConfigError:
        """What is wrong with a sample; `asked` where the mask says that it is observed."""
        if row in self.member.said:
            what = f"{self.member.said[row]} which is no number,"
        elif isinstance(self.x, list) or self.blank[row]:
            what = "nothing"
        else:
            values, (low, high) = np.ravel(np.asarray(self.x[row], np.float64)), self.bounds
            what = f"{values[~((values >= low) & (values <= high))][0]:g}"
        why = ", which the mask calls observed" if asked else ""
        return self.member.wrong(f"has {what} in sample {row:,} (the first is 0){why}.", remedy)


@dataclass(frozen=True)
class Lines(Column):
    """A sentence a sample."""

    x: list[str]

    def bytes_each(self, longest: int) -> int:
        return 4 * (longest + 1)


@dataclass(frozen=True)
class Measured(Column):
    """Numbers a sample, (N, ...), in one of the kinds below."""

    x: Array

    @abstractmethod
    def prepared(self, has: Mask, train: NDArray[np.int64], whole: NDArray[np.int64], *, standardise: bool
                 ) -> tuple[Modality, Array]:
        """The modality and its numbers (N, *shape) as they are trained on, 0 where a sample `has` (N,) them not.

        `train` are the rows to learn from, `whole` the classes of all labels by their numbers.
        """

    def filled(self, has: Mask) -> Array:
        """The numbers, 0 where a sample has none: there is no mean of NaN."""
        return np.where(has.reshape(-1, *[1] * (self.x.ndim - 1)), self.x, 0)


@dataclass(frozen=True)
class Classes(Measured):
    """A class a sample, (N,), -1 where missing."""

    def bytes_each(self, longest: int) -> int:
        return 4 * (int(self.x.max()) + 1)

    def prepared(self, has: Mask, train: NDArray[np.int64], whole: NDArray[np.int64], *, standardise: bool
                 ) -> tuple[Modality, Array]:
        count = int(self.x.max()) + 1  # more of `whole` only label what is evaluated, or another modality
        named = Modality("label", (count,), classes=tuple(map(str, whole[:count].tolist())))
        return named, one_hot(self.filled(has).astype(np.int64), count)


@dataclass(frozen=True)
class Rows(Measured):
    """A vector a sample, (N, D), NaN in gaps that are to be filled."""

    def bytes_each(self, longest: int) -> int:
        return 4 * int(self.x.shape[1])

    def prepared(self, has: Mask, train: NDArray[np.int64], whole: NDArray[np.int64], *, standardise: bool
                 ) -> tuple[Modality, Array]:
        x, mine = self.filled(has).astype(np.float64), train[has[train]]
        if (gaps := np.isnan(x)).any():
            if (bare := np.flatnonzero(gaps[mine].all(0))).size:
                name = self.member.columns[bare[0]] if self.member.columns else f"number {bare[0]:,}"
                raise self.member.wrong(f"has nothing in any training row of '{name[:40]}'.", "Leave it out.")
            x = np.where(gaps, np.nanmean(x[mine], axis=0), x)
        columns = kept_names(self.member.columns)
        if not standardise:
            return Modality("vector", x.shape[1:], columns=columns), x.astype(np.float32)
        centre, scale = scaling(x[mine])
        return (Modality("vector", x.shape[1:], columns=columns, centre=tuple(centre.tolist()),
                         scale=tuple(scale.tolist())), ((x - centre) / scale).astype(np.float32))

    def gaps(self, rows: NDArray[np.int64]) -> int:
        """How many numbers are missing from samples that have others, among `rows`."""
        return int(np.isnan(self.x[rows][~self.blank[rows]]).sum())


@dataclass(frozen=True)
class Pictures(Measured):
    """An image a sample, (N, C, H, W), in uint8 or between 0 and 1."""

    mask: bool = False  # of 0 and 1, read as black and white
    bounds: ClassVar[tuple[float, float]] = 0.0, 1.0
    remedy: ClassVar[str] = "Numbers of an image lie between 0 and 1: divide them by 255, or save them as uint8."

    def bytes_each(self, longest: int) -> int:
        return math.prod(self.x.shape[1:])

    def prepared(self, has: Mask, train: NDArray[np.int64], whole: NDArray[np.int64], *, standardise: bool
                 ) -> tuple[Modality, Array]:
        x = self.filled(has)
        x = x if x.dtype == np.uint8 else np.rint(255 * x).astype(np.uint8)
        return Modality("image", x.shape[1:]), x


def known_classes(members: Sequence[Member]) -> NDArray[np.int64]:
    """The classes that occur in any labels, in order: the same number means the same class wherever it stands."""
    whole = [member.value for member in members if member.called != "mask" and not member.levels
             and not isinstance(member.value, list)]
    found = [value.astype(np.int64) for value in whole if value.ndim == 1 and value.dtype.kind in "biu"]
    together = np.concatenate([np.zeros(0, np.int64), *found])
    return np.unique(together[together >= 0])


def column(member: Member, classes: NDArray[np.int64] | None = None, gaps: Gaps = "refuse") -> Column:
    """What an array or text is; raises `ConfigError` for one that is nothing. `classes` number its labels.

    A gap is a number that is missing from a vector which has others.
    """
    value = member.value
    if isinstance(value, list):
        blank = np.array([not line.strip() for line in value])
        return Lines(member, value, blank, np.zeros(len(value), bool))
    if value.ndim == 1:
        numbered = _classes(member, classes)
        return Classes(member, numbered, numbered == -1, np.zeros(len(value), bool))
    if value.ndim == 2:
        if value.shape[1] > MAX_AXIS:
            raise member.wrong(f"has {value.shape[1]:,} numbers a sample.",
                               f"Use at most {MAX_AXIS:,}: those that vary most, say.")
        x = value.astype(np.float64)
        none = np.isnan(x)
        blank = np.asarray(none.any(1) if gaps == "missing" else none.all(1))
        good = np.abs(x) <= cells.MAX_NUMBER
        return Rows(member, x, blank, ~(good | none if gaps == "mean" else good).all(1) & ~blank)
    return _image(member, value)


def _image(member: Member, value: Array) -> Column:
    shape = value.shape
    if value.ndim == 3:
        value = value[:, None]
    elif shape[1] not in (1, 3) and shape[3] in (1, 3):
        value = np.moveaxis(value, 3, 1)
    if value.shape[1] not in (1, 3) or max(value.shape[2:]) > MAX_SIDE:
        raise member.wrong(f"is {described(shape, value.dtype)}.", "Give images (N, H, W), (N, C, H, W) or (N, H, W, "
                           f"C) with 1 or 3 channels C, at most {MAX_SIDE} pixels high and wide.")
    none = np.zeros(len(value), bool)
    if value.dtype == np.uint8:
        # Of 255 grey levels a mask of 0 and 1 would be all black; a picture that dark has nothing on it.
        mask = bool(value.max() == 1 and value.min() == 0)
        x = np.where(value, 255, 0).astype(np.uint8) if mask else value
        return Pictures(member, x, none, none, mask)
    if value.dtype.kind != "f":
        raise member.wrong(f"is {described(shape, value.dtype)}.", "Save images as uint8, 0 to 255, or as numbers "
                           "between 0 and 1.")
    x = value.astype(np.float32)
    blank = np.asarray(np.isnan(x).all((1, 2, 3)))
    return Pictures(member, x, blank, np.asarray(~((x >= 0) & (x <= 1)).all((1, 2, 3)) & ~blank))


def _classes(member: Member, whole: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Labels (N,) numbered from 0 in the order of `whole`, or of their own; -1 where missing."""
    value = np.asarray(member.value)
    if value.ndim != 1 or value.dtype.kind not in "biu":
        raise member.wrong(f"is {described(value.shape, value.dtype)}.", "Labels are whole numbers of shape (N,), -1 "
                           "where missing; a vector has shape (N, D), of one number (N, 1).")
    labels = value.astype(np.int64)
    if (labels < -1).any():
        raise member.wrong(f"has a label {labels.min()}.", "Number classes from 0; -1 is a missing one.")
    known = np.unique(labels[labels >= 0])
    if not 1 <= len(known) <= MAX_CLASSES:
        raise member.wrong(f"has {len(known):,} different labels.", f"Use 1 to {MAX_CLASSES}.")
    whole = known if whole is None or not np.isin(known, whole).all() else whole
    return np.where(labels < 0, -1, np.searchsorted(whole, labels))


def numbered_labels(member: Member, whole: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Classes (N,) for evaluation and what they are called, by their numbers.

    In a table they are its only column, in words or whole numbers, with NaN or nothing where missing.
    """
    value = member.value
    if member.levels:
        return np.asarray(value, np.int64), np.array(member.levels)
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


def who_has_what(columns: Sequence[Column], mask: Member | None, path: str) -> Mask:
    """Who has what, (N, M): as the mask says, else wherever something is. Raises `ConfigError` for a contradiction."""
    blank = np.stack([part.blank for part in columns], 1)
    bad = np.stack([part.bad for part in columns], 1)
    if mask is None:
        observed, faults = ~blank, bad
        remedy = "Correct it, or choose data.gaps for what is missing; a row that is not observed is NaN throughout."
    else:
        observed = _given(mask, columns)
        faults = observed & (bad | blank)
        remedy = "Correct it, or put 0 into the mask there."
    if faults.any():
        row, modality = np.argwhere(faults)[0].tolist()
        if not blank[row, modality]:
            remedy = columns[modality].remedy or remedy
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
