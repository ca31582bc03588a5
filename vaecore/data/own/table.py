"""A table of one's own: a CSV file with a header. Its columns of numbers are the vector, others may be a covariate.

The file stays where it is; a run remembers its digest.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.arrays import Numbers
from vaecore.data.base import MAX_CLASSES, MAX_COLUMNS, SPLITS, Dataset, Split, SplitName, kept_names
from vaecore.data.own.file import OwnFile, decoded, digest_of, wrong
from vaecore.modalities import Modality
from vaecore.schema import ConfigError, option, problem

MOST_ROWS, MOST_CELLS = 1_000_000, 5_000_000
MAX_NUMBER = 1e30  # the vector is in single precision
MIN_ROWS, HELD_OUT = 30, 2_000  # rows
MISSING = frozenset({"", "na", "n/a", "nan", "null"})  # what an empty cell may say, in any case of letters
COLUMNS_NAMED = 5  # columns that are left out and said by name
CHARACTERS_SHOWN = 40  # characters of a cell or name in a message
LEFT_OUT = "Fill it in, delete that line, or name the columns to use in data.columns."

# Numbers that are meant as such, but not written so that their meaning is plain: 1,234 or 20.1 g or $5.
MEANT = re.compile(r"[+-]?[€$£¥]?\s*\d[\d.,'’\s]*(?:\s[A-Za-zµ°Ω/²³%]{1,8}|[€$£¥%])?")
SEPARATOR = re.compile(r"\"?sep=([,;\t|])\"?[ ,;]*\r?\n", re.IGNORECASE)  # a line for Excel
COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?")
TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}



class Table(OwnFile):
    """The rows of a CSV file; a tenth, at most 2,000, are for validation and as many for test."""

    title: ClassVar[str] = "A table of your own"
    observation: ClassVar[str] = "row"
    file: ClassVar[str] = "CSV file"
    unchosen: ClassVar[str] = "No table is chosen. Give data.path, a CSV file with a header line."
    endings: ClassVar[tuple[str, ...]] = (".csv",)
    upload: ClassVar[str] = "Table"
    invitation: ClassVar[str] = "Rows are shown here once there is a table."
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
    digest: str = digest_of("the file", "another table")

    def load(self) -> Dataset:
        """Shuffled by a seed, then split; raises `ConfigError` for a table that cannot be used."""
        table = read(self.read()[""], self.path, _names(self.covariate))
        order = np.random.default_rng(self.split_seed).permutation(len(table))
        held_out = min(len(table) // 10, HELD_OUT)
        cut = len(table) - 2 * held_out
        train = order[:cut]
        known = [table.index(name, "data.covariate") for name in _names(self.covariate)]
        chosen = self._features(table, known)
        labels, covariate, classes = self._known(table, known, train)
        what = f", covariate {', '.join(_quoted(table.names[column]) for column in known)}" if known else ""
        what += f" with {len(classes)} label{'s' * (len(classes) != 1)} ({_listed(classes)})" if classes else ""
        x = self._scaled(table.values[:, chosen], train).astype(np.float32)
        u = None if covariate is None else self._scaled(covariate, train).astype(np.float32)
        splits: dict[SplitName, Split] = {}
        for split, rows in zip(SPLITS, np.split(order, [cut, cut + held_out]), strict=True):
            splits[split] = Split({"vector": x[rows]}, None if labels is None else labels[rows],
                                  None if u is None else u[rows])
        sizes = " / ".join(f"{len(splits[split]):,}" for split in SPLITS)
        splits["train"] = self.limited(splits["train"])
        others = [name for column, name in enumerate(table.names) if column not in {*chosen, *known}]
        return Dataset("table", f"{Path(self.path).name}: {sizes}, {len(chosen)} of its columns as the vector{what}"
                       + (f", {len(others)} left out: {_listed(others)}" if others else ""),
                       {"vector": Modality("vector", (len(chosen),), columns=kept_names(
                           table.names[column] for column in chosen))}, splits, classes=kept_names(classes),
                       known=() if covariate is None else kept_names(table.names[column] for column in known))

    def _features(self, table: Contents, known: Sequence[int]) -> list[int]:
        """The columns of the vector, each a number in every row."""
        named = [table.index(name, "data.columns") for name in _names(self.columns)]
        if both := set(named) & set(known):
            raise problem("data.columns", self.columns, f"'{table.names[min(both)]}' is the covariate.",
                          "Name it in one of the two only.")
        some = np.isfinite(table.values).any(0)  # a column without any number, as one of names, is not meant
        chosen = named or [column for column in np.flatnonzero(some).tolist() if column not in known]
        for column in table.meant if not named else ():  # left out in silence, the vector would lack what it is about
            if column not in known:
                raise table.fault(column, "Write plain numbers such as 1234.5, or name the columns to use in "
                                  "data.columns.")
        if not chosen:
            raise wrong(self.path, "has no column of numbers" + (" beside the covariate." if known else "."),
                        "Give a table with at least one.")
        for column in chosen:
            if column in table.faults:
                raise table.fault(column, LEFT_OUT)
        return chosen

    def _known(self, table: Contents, columns: Sequence[int], train: NDArray[np.int64]
               ) -> tuple[NDArray[np.int64] | None, Numbers | None, list[str]]:
        """Labels (N,), or numbers (N, m), of the covariate, -1 or NaN where missing, and what the classes are called.
        """
        if not columns:
            return None, None, []
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
            return None, table.values[:, columns], []
        if len(columns) > 1:
            raise problem("data.covariate", self.covariate, f"{len(columns)} columns cannot be one label.",
                          "Name one column, or choose data.covariate_kind=numbers.")
        cells = [_class(cell) for cell in table.texts[columns[0]]]
        classes = sorted({cell for cell in cells if not _missing(cell)}, key=_by_number)
        if len(classes) > MAX_CLASSES:
            raise problem("data.covariate", self.covariate, f"column {_quoted(table.names[columns[0]])} has "
                          f"{len(classes):,} different labels.",
                          f"Use at most {MAX_CLASSES}, or choose data.covariate_kind=numbers.")
        numbered = {cell: number for number, cell in enumerate(classes)}
        labels = np.array([numbered.get(cell, -1) for cell in cells], np.int64)
        return labels, None, classes

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
    words: Mapping[int, tuple[int, str]]  # first cell of a row that is neither a number nor missing: column and text
    meant: Sequence[int]  # columns without a plain number whose cells are all meant as numbers

    def __len__(self) -> int:
        return len(self.values)

    def index(self, name: str, field: str) -> int:
        """The number of the column that is called so; raises `ConfigError` naming `field` for none."""
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


def read(data: bytes, path: str, keep: Collection[str] = (), *, blank_rows: bool = False) -> Contents:
    """The table in `data`, the cells of the columns in `keep` also as text; raises `ConfigError` for what is none.

    A column that says true and false, percent, or numbers with a decimal comma throughout is read as numbers.
    A blank line is nothing, or with `blank_rows` a row without any cell: where rows of several files belong together.
    """
    text, delimiter, skipped = decoded(data, path), ",", 0
    if separator := SEPARATOR.match(text):
        text, delimiter, skipped = text[separator.end():], separator[1], 1
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    values, lines = array("d"), array("q")
    faults: dict[int, tuple[int, str]] = {}
    words: dict[int, tuple[int, str]] = {}
    names: list[str] = []
    texts: dict[int, list[str]] = {}
    begun = 1 + skipped
    blank: list[int] = []  # lines since the last row
    try:
        for row in reader:
            line, begun = begun, reader.line_num + 1 + skipped
            if not row:
                if names and blank_rows:
                    blank.append(line)
                continue
            if not names:
                names = _header(row, path)
                texts = {column: [] for column, name in enumerate(names) if name in keep}
                continue
            if len(row) != len(names):
                raise wrong(path, f"has {len(row)} cells in line {line:,}, but {len(names)} columns.",
                            "Give every line as many cells as the header has.")
            # A blank line at the end is a sample only where a row has one cell, as nothing else is written there.
            for at, cells in [*((missed, [""] * len(names)) for missed in blank), (line, row)]:
                _append(cells, at, path, values, lines, faults, words, texts)
            blank = []
        if len(names) == 1:
            for at in blank:
                _append([""], at, path, values, lines, faults, words, texts)
    except csv.Error as error:
        raise wrong(path, f"is not CSV from line {begun:,} on ({error}).",
                    "Put quotes only around whole cells, and close them.") from None
    if len(lines) < MIN_ROWS:
        raise wrong(path, f"has {len(lines)} row{'s' * (len(lines) != 1)} below its header.",
                    f"Give at least {MIN_ROWS}, each on a line of its own.")
    table = np.array(values).reshape(len(lines), -1)
    meant: list[int] = []
    if words:
        meant = _other_forms(text, delimiter, table, np.array(lines) - skipped, faults, words)
    return Contents(path, names, table, np.array(lines), texts, faults, words, meant)


def _append(cells: Sequence[str], line: int, path: str, values: array[float], lines: array[int],
            faults: dict[int, tuple[int, str]], words: dict[int, tuple[int, str]], texts: dict[int, list[str]]) -> None:
    """Add a row to what is read so far."""
    if len(lines) == MOST_ROWS or (len(lines) + 1) * len(cells) > MOST_CELLS:
        raise wrong(path, f"has more than {len(lines):,} rows of {len(cells)} columns.",
                    f"Use at most {MOST_ROWS:,} rows and {MOST_CELLS:,} cells: a part of it, say.")
    for column, text in enumerate(cells):
        value = _number(text)
        if math.isnan(value):
            faults.setdefault(column, (len(lines), text))
            if not _missing(text):
                words.setdefault(len(lines), (column, text))
        values.append(value)
    for column, kept in texts.items():
        kept.append(cells[column])
    lines.append(line)


def _other_forms(text: str, delimiter: str, table: Numbers, lines: NDArray[np.int64],
                 faults: dict[int, tuple[int, str]], words: dict[int, tuple[int, str]]) -> list[int]:
    """Fill columns of `table` (N, M) that are numbers in another form throughout; gives those that are only meant so.

    A second reading, cell by cell, so that a table of words takes no more room than one of numbers.
    """
    forms: dict[str, Callable[[str], float]] = {"truth": _truth, "percent": _percent, "comma": _comma,
                                                "comma percent": lambda cell: _percent(cell, _comma)}
    open_forms = {column: {name: array("d") for name in forms} for column in faults}
    sure = dict.fromkeys(faults, False)  # that a comma stands before decimals: 0,362 and not 1,234
    meant = dict.fromkeys(faults, True)
    some = dict.fromkeys(faults, False)
    first: dict[int, tuple[int, str]] = {}
    rows = {int(line): row for row, line in enumerate(lines)}
    begun, reader = 1, csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    for cells in reader:
        line, begun = begun, reader.line_num + 1
        if (row := rows.get(line)) is None:
            continue
        for column in list(open_forms):
            cell = cells[column].strip() if cells else ""
            if _missing(cell):
                for kept in open_forms[column].values():
                    kept.append(math.nan)
                first.setdefault(column, (row, cell))
                continue
            some[column] = True
            for name in list(open_forms[column]):
                value = forms[name](cell)
                if math.isnan(value):
                    del open_forms[column][name]
                else:
                    open_forms[column][name].append(value)
            before, comma, after = cell.rstrip("% ").partition(",")
            digits = before.lstrip("+-")
            sure[column] |= bool(comma) and (len(after) != 3 or len(digits) > 3 or digits.startswith("0"))
            meant[column] &= MEANT.fullmatch(cell) is not None
    for column, fitting in open_forms.items():
        plain = [name for name in fitting if "comma" not in name] or [name for name in fitting if sure[column]]
        if some[column] and plain and np.isnan(table[:, column]).all():
            table[:, column] = fitting[plain[0]]
            faults.pop(column)
            if column in first:
                faults[column] = first[column]
    for row in [row for row, (column, _) in words.items() if column not in faults or not np.isnan(table[row, column])]:
        del words[row]
    return [column for column in faults if some[column] and meant[column] and np.isnan(table[:, column]).all()]


def _truth(cell: str) -> float:
    return TRUTH.get(cell.lower(), math.nan)


def _percent(cell: str, number: Callable[[str], float] | None = None) -> float:
    return (number or _number)(cell[:-1].strip()) / 100 if cell.endswith("%") else math.nan


def _comma(cell: str) -> float:
    return _number(cell.replace(",", ".")) if COMMA.fullmatch(cell) else math.nan


def _class(cell: str) -> str:
    """What a class is called: 1, 1.0 and +1.00 are one, as a spreadsheet or a gap in the column writes them."""
    found = re.fullmatch(r"\+?(-?\d+)(?:\.(\d*?)0*)?", cell.strip())
    return cell.strip() if found is None else found[1] + (f".{found[2]}" if found[2] else "")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_quoted, names[:COLUMNS_NAMED]))
    return shown + (", …" if len(names) > COLUMNS_NAMED else "")


def _header(cells: Sequence[str], path: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > MAX_COLUMNS:
        raise wrong(path, f"has {len(names):,} columns.", f"Use at most {MAX_COLUMNS:,}.")
    if len(names) == 1 and any(sign in names[0] for sign in ";\t"):
        raise wrong(path, "has its cells parted by semicolons or tabs.",
                    "Save it with commas, and with points in its numbers.")
    if all(not math.isnan(_number(name)) for name in names):
        raise wrong(path, "has only numbers in its first line.", "Begin it with a line of column names.")
    numbers = [_number(name) for name in names if not math.isnan(_number(name))]
    # Whole numbers that rise are names, as pandas numbers columns or a table its years; others are a row of the data.
    rising = all(number >= 0 and number == int(number) for number in numbers) and numbers == sorted(set(numbers))
    if 2 * len(numbers) > len(names) and not rising:
        raise wrong(path, "has mostly numbers in its first line, which would be the columns' names.",
                    "Begin it with a line of column names.")
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
    return value if abs(value) <= MAX_NUMBER and "_" not in text else math.nan


def _missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _by_number(cell: str) -> tuple[bool, float, str]:
    """Labels that are numbers in their order, before all others."""
    value = _number(cell)
    return (True, 0.0, cell) if math.isnan(value) else (False, value, cell)


def _quoted(text: str) -> str:
    return f"'{_short(text)}'"


def _short(text: str) -> str:
    return text if len(text) <= CHARACTERS_SHOWN else text[:CHARACTERS_SHOWN - 1] + "…"
