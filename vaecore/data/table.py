"""A table of one's own: a CSV file with a header. Its columns of numbers are the vector, others may be a covariate.

The file stays where it is; a run remembers its digest.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import math
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import SPLITS, DataConfig, Dataset, DataUnavailable, Modality, Split, SplitName
from vaecore.data.own_file import contents, decoded, wrong
from vaecore.schema import ConfigError, option, problem

MOST_COLUMNS, MOST_ROWS, MOST_CELLS = 1_000, 1_000_000, 5_000_000
LARGEST_NUMBER = 1e30  # the vector is in single precision
FEWEST, HELD_OUT = 30, 2_000  # rows
MOST_CLASSES = 256
MISSING = frozenset({"", "na", "n/a", "nan", "null"})  # what an empty cell may say, in any case of letters
SHOWN = 40  # characters of a cell or name in a message
LEFT_OUT = "Fill it in, delete that line, or name the columns to use in data.columns."

Numbers = NDArray[np.float64]


class Table(DataConfig):
    """The rows of a CSV file; a tenth, at most 2,000, are for validation and as many for test."""

    title: ClassVar[str] = "A table of your own"
    observation: ClassVar[str] = "row"
    name: Literal["table"] = "table"
    path: str = option("", "A CSV file on this machine: UTF-8, a header line, cells parted by commas, 50 MB at most.")
    columns: str = option("", "Columns that make the vector, by name and parted by commas; empty takes every column of "
                          "numbers but the covariate.")
    covariate: str = option("", "Column on which a prior may be conditioned, such as a class; several columns of "
                            "numbers are parted by commas. Its empty cells, and NA, NaN and null, count as missing.")
    covariate_kind: Literal["label", "numbers"] = option(
        "label", "Whether the covariate names a class, in words or whole numbers, or measures something.")
    standardise: bool = option(True, "Give every column of numbers mean 0 and standard deviation 1, by the training "
                               "rows; a numeric covariate too.")
    split_seed: int = option(0, "Seed of the shuffle before the split.", ge=0, le=2**31 - 1, advanced=True)
    digest: str = option("", "SHA-256 of the file, filled in when a run is made: on another table the run would not be "
                         "the same.", pattern="^([0-9a-f]{64})?$", advanced=True)

    def resolve(self) -> Table:
        """With the absolute path, as a run is trained from another folder, and with the file's digest."""
        if not self.path or self.digest:
            return self
        try:
            data = contents(self.path, "CSV file")
        except ConfigError:
            return self  # `load` says what is wrong with it
        return self.model_copy(update={"path": str(Path(self.path).expanduser().absolute()),
                                       "digest": hashlib.sha256(data).hexdigest()})

    def load(self) -> Dataset:
        """Shuffled by a seed, then split; raises `ConfigError` for a table that cannot be used."""
        if not self.path:
            raise DataUnavailable("No table is chosen. Give data.path, a CSV file with a header line.")
        data = contents(self.path, "CSV file")
        if self.digest and hashlib.sha256(data).hexdigest() != self.digest:
            raise wrong(self.path, "has changed since this run was made.",
                        "Put the old file back, or clear data.digest to start anew with this one.")
        table = read(data, self.path, _names(self.covariate))
        order = np.random.default_rng(self.split_seed).permutation(len(table))
        held_out = min(len(table) // 10, HELD_OUT)
        cut = len(table) - 2 * held_out
        train = order[:cut]
        known = [table.index(name, "data.covariate") for name in _names(self.covariate)]
        chosen = self._features(table, known)
        labels, covariate, what = self._known(table, known, train)
        x = self._scaled(table.values[:, chosen], train).astype(np.float32)
        u = None if covariate is None else self._scaled(covariate, train).astype(np.float32)
        splits: dict[SplitName, Split] = {}
        for split, rows in zip(SPLITS, np.split(order, [cut, cut + held_out]), strict=True):
            splits[split] = Split({"vector": x[rows]}, None if labels is None else labels[rows],
                                  None if u is None else u[rows])
        sizes = " / ".join(f"{len(splits[split]):,}" for split in SPLITS)
        splits["train"] = self.limited(splits["train"])
        others = len(table.names) - len(set(chosen) | set(known))
        return Dataset("table", f"{Path(self.path).name}: {sizes}, {len(chosen)} of its columns as the vector{what}"
                       + (f", {others} left out" if others else ""),
                       {"vector": Modality("vector", (len(chosen),))}, splits)

    def _features(self, table: Contents, known: Sequence[int]) -> list[int]:
        """The columns of the vector, each a number in every row."""
        named = [table.index(name, "data.columns") for name in _names(self.columns)]
        if both := set(named) & set(known):
            raise problem("data.columns", self.columns, f"'{table.names[min(both)]}' is the covariate.",
                          "Name it in one of the two only.")
        some = np.isfinite(table.values).any(0)  # a column without any number, as one of names, is not meant
        chosen = named or [column for column in np.flatnonzero(some).tolist() if column not in known]
        if not chosen:
            raise wrong(self.path, "has no column of numbers" + (" beside the covariate." if known else "."),
                        "Give a table with at least one.")
        for column in chosen:
            if column in table.faults:
                raise table.fault(column, LEFT_OUT)
        return chosen

    def _known(self, table: Contents, columns: Sequence[int], train: NDArray[np.int64]
               ) -> tuple[NDArray[np.int64] | None, Numbers | None, str]:
        """Labels (N,), or numbers (N, m), of the covariate, -1 or NaN where missing, and what it is in words."""
        if not columns:
            return None, None, ""
        names = ", ".join(f"'{_short(table.names[column])}'" for column in columns)
        missing = np.array([[_missing(cell) for cell in table.texts[column]] for column in columns]).T  # (N, m)
        for index, column in enumerate(columns):
            if missing[train, index].all():
                raise problem("data.covariate", self.covariate, f"column '{_short(table.names[column])}' is empty in "
                              "all training rows.", "Name another column.")
        if self.covariate_kind == "numbers":
            for index, column in enumerate(columns):
                bad = np.flatnonzero(np.isnan(table.values[:, column]) & ~missing[:, index])
                if len(bad):
                    raise table.fault(column, "Correct it, or choose data.covariate_kind=label.", int(bad[0]))
            return None, table.values[:, columns], f", covariate {names}"
        if len(columns) > 1:
            raise problem("data.covariate", self.covariate, f"{len(columns)} columns cannot be one label.",
                          "Name one column, or choose data.covariate_kind=numbers.")
        cells = [cell.strip() for cell in table.texts[columns[0]]]
        classes = sorted({cell for cell in cells if not _missing(cell)}, key=_by_number)
        if len(classes) > MOST_CLASSES:
            raise problem("data.covariate", self.covariate, f"column {names} has {len(classes):,} different labels.",
                          f"Use at most {MOST_CLASSES}, or choose data.covariate_kind=numbers.")
        numbered = {cell: number for number, cell in enumerate(classes)}
        labels = np.array([numbered.get(cell, -1) for cell in cells], np.int64)
        return labels, None, f", covariate {names} with {len(classes)} label{'s' * (len(classes) != 1)}"

    def _scaled(self, values: Numbers, train: NDArray[np.int64]) -> Numbers:
        if not self.standardise:
            return values
        centre, spread = np.nanmean(values[train], axis=0), np.nanstd(values[train], axis=0)
        scaled: Numbers = (values - centre) / np.where(spread > 1e-12 * np.abs(centre), spread, 1.0)
        return scaled


@dataclass(frozen=True)
class Contents:
    """A table as it was read: N rows of M columns."""

    path: str
    names: list[str]
    values: Numbers  # (N, M), NaN where a cell is not a finite number
    lines: NDArray[np.int64]  # (N,) where in the file each row begins
    texts: Mapping[int, list[str]]  # the cells of columns asked for, by column
    faults: Mapping[int, tuple[int, str]]  # first cell of a column that is not a number: its row and text

    def __len__(self) -> int:
        return len(self.values)

    def index(self, name: str, field: str) -> int:
        """Which column is called so; raises `ConfigError` naming `field` for none."""
        if name in self.names:
            return self.names.index(name)
        close = difflib.get_close_matches(name, self.names, n=1)
        known = ", ".join(_short(known) for known in self.names[:10]) + (", …" if len(self.names) > 10 else "")
        raise problem(field, name, f"the table has no column '{_short(name)}'.",
                      f"Did you mean '{close[0]}'?" if close else f"Its columns: {known}.")

    def fault(self, column: int, remedy: str, row: int | None = None) -> ConfigError:
        """What is wrong with a cell: of `row`, or the first of its column that is not a number."""
        row, text = self.faults[column] if row is None else (row, self.texts[column][row])
        what = "nothing" if not text.strip() else f"'{_short(text)}', which is no finite number below 1e30"
        return wrong(self.path, f"has {what} in line {self.lines[row]:,}, column '{_short(self.names[column])}'.",
                     remedy)


def read(data: bytes, path: str, keep: Collection[str] = ()) -> Contents:
    """The table in `data`, the cells of the columns in `keep` also as text; raises `ConfigError` for what is none."""
    reader = csv.reader(io.StringIO(decoded(data, path), newline=""), strict=True)
    values, lines = array("d"), array("q")
    faults: dict[int, tuple[int, str]] = {}
    names: list[str] = []
    texts: dict[int, list[str]] = {}
    begun = 1
    try:
        for row in reader:
            line, begun = begun, reader.line_num + 1
            if not row:
                continue
            if not names:
                names = _header(row, path)
                texts = {column: [] for column, name in enumerate(names) if name in keep}
                continue
            if len(row) != len(names):
                raise wrong(path, f"has {len(row)} cells in line {line:,}, but {len(names)} columns.",
                            "Give every line as many cells as the header has.")
            if len(lines) == MOST_ROWS or (len(lines) + 1) * len(names) > MOST_CELLS:
                raise wrong(path, f"has more than {len(lines):,} rows of {len(names)} columns.",
                            f"Use at most {MOST_ROWS:,} rows and {MOST_CELLS:,} cells: a part of it, say.")
            for column, text in enumerate(row):
                value = _number(text)
                if math.isnan(value) and column not in faults:
                    faults[column] = len(lines), text
                values.append(value)
            for column, cells in texts.items():
                cells.append(row[column])
            lines.append(line)
    except csv.Error as error:
        raise wrong(path, f"is not CSV from line {begun:,} on ({error}).",
                    "Put quotes only around whole cells, and close them.") from None
    if len(lines) < FEWEST:
        raise wrong(path, f"has {len(lines)} row{'s' * (len(lines) != 1)} below its header.",
                    f"Give at least {FEWEST}, each on a line of its own.")
    return Contents(path, names, np.array(values).reshape(len(lines), -1), np.array(lines), texts, faults)


def _header(cells: Sequence[str], path: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > MOST_COLUMNS:
        raise wrong(path, f"has {len(names):,} columns.", f"Use at most {MOST_COLUMNS:,}.")
    if len(names) == 1 and any(sign in names[0] for sign in ";\t"):
        raise wrong(path, "has its cells parted by semicolons or tabs.",
                    "Save it with commas, and with points in its numbers.")
    if all(not math.isnan(_number(name)) for name in names):
        raise wrong(path, "has only numbers in its first line.", "Begin it with a line of column names.")
    for place, name in enumerate(names):
        if not name:
            raise wrong(path, f"has no name for column {place + 1}.",
                        "Name it, or leave it out (pandas writes one unless index=False).")
        if name in names[:place]:
            raise wrong(path, f"has two columns named '{_short(name)}'.", "Give each a name of its own.")
    return names


def _names(text: str) -> list[str]:
    """Column names as in a header: parted by commas, in quotes where a name has a comma."""
    return [name.strip() for row in csv.reader([text]) for name in row if name.strip()]


def _number(text: str) -> float:
    """The number a cell says; NaN for none, also for infinities and what single precision cannot hold."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if abs(value) <= LARGEST_NUMBER and "_" not in text else math.nan


def _missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _by_number(cell: str) -> tuple[bool, float, str]:
    """Labels that are numbers in their order, before all others."""
    value = _number(cell)
    return (True, 0.0, cell) if math.isnan(value) else (False, value, cell)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN - 1] + "…"
