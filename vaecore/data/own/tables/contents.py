"""A table as it was read: names, numbers, and the cells of columns that say something else.

Every bound of a table stands here, and is checked before or while it is read: a few bytes can stand for gigabytes.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import re
import zlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaecore.arrays import Numbers
from vaecore.data.base import MAX_COLUMNS
from vaecore.data.converted import Progress, told
from vaecore.data.own.file import MAX_FILE_BYTES, MAX_LINES, decoded, wrong
from vaecore.data.own.tables import cells
from vaecore.schema import ConfigError, problem
from vaecore.words import counted, short

MAX_ROWS, MAX_CELLS = MAX_LINES, 20_000_000
MIN_ROWS = 10
MAX_UNPACKED_BYTES = 4 * MAX_FILE_BYTES  # of a .gz
CELLS_AT_ONCE, ROWS_AT_ONCE = 2_000_000, 100_000  # that lie in memory as text while numbers are made of them
TOLD_EVERY = 5_000  # lines between two words on how far it is
HEAD_BYTES = 1_000_000  # of a file, in which its first line ends
SEPARATOR = re.compile(rb"\"?sep=([,;\t|])\"?[ ,;]*\r?\n", re.IGNORECASE)  # a line for Excel
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
PLAIN = (".csv", ".tsv")
DELIMITED = (*PLAIN, *(f"{ending}.gz" for ending in PLAIN))
SPREAD = re.compile(r'"[^"]*"')  # a quoted name, in which a separator is none


@dataclass(frozen=True)
class Contents:
    """A table as it was read: N rows of M columns."""

    path: str
    names: list[str]
    values: Numbers  # (N, M), NaN where a cell is not a finite number
    lines: NDArray[np.int64]  # (N,) where in the file each row begins
    texts: Mapping[int, Sequence[str]]  # the cells of columns with words, and of those asked for, by column
    faults: Mapping[int, tuple[int, str]]  # first cell of a column that is not a number: its row and text
    meant: Sequence[int]  # columns whose cells are all meant as numbers, and not all plain
    done: Sequence[str] = ()  # what was done to read it, a sentence each
    line: str = "line"  # what a row is called in messages, by its number in `lines`

    def __len__(self) -> int:
        return len(self.values)

    def index(self, name: str, field: str) -> int:
        """The number of the column that is called so; raises `ConfigError` naming `field` for none."""
        if name in self.names:
            return self.names.index(name)
        close = difflib.get_close_matches(name, self.names, n=1)
        known = ", ".join(short(known) for known in self.names[:10]) + (", …" if len(self.names) > 10 else "")
        raise problem(field, name, f"the table has no column '{short(name)}'.",
                      f"Did you mean '{close[0]}'?" if close else f"Its columns: {known}.")

    def place(self, row: int, column: int) -> str:
        """Where a cell is, in words."""
        return f"in {self.line} {self.lines[row]:,}, column '{short(self.names[column])}'"

    def fault(self, column: int, remedy: str, row: int | None = None) -> ConfigError:
        """What is wrong with a cell: of `row`, or the first of its column that is not a number."""
        row, text = self.faults[column] if row is None else (row, self.texts[column][row])
        if not np.isnan(cells.number(text)):  # of a column whose type says otherwise
            return wrong(self.path, f"has '{short(text)}', a number saved as text, {self.place(row, column)}.",
                         "Save the column as numbers.")
        what = "nothing" if not text.strip() else f"'{short(text)}', which is no finite number below 1e30"
        return wrong(self.path, f"has {what} {self.place(row, column)}.", remedy)


def read(data: bytes, path: str, keep: Collection[str] = (), *, blank_rows: bool = False) -> Contents:
    """The table in the bytes of a .csv or .tsv, packed or not; raises `ConfigError` for what is none.

    A column that says true and false, percent, or numbers with a decimal comma throughout is read as numbers. The
    cells of the columns in `keep` are also kept as text. A blank line is nothing, or with `blank_rows` a row without
    any cell: where rows of several files belong together.
    """
    if path.lower().endswith(".gz") or data[:2] == b"\x1f\x8b":
        data = _unpacked(data, path)
    return _Reading(decoded(data, path).encode(), path, blank_rows).table(keep)


def _unpacked(data: bytes, path: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise wrong(path, f"is no .gz that can be unpacked ({error}).", "Pack it again, or give the file as it was."
                    ) from None
    if len(found) > MAX_UNPACKED_BYTES:
        raise wrong(path, f"has more than {MAX_UNPACKED_BYTES:,} bytes once it is unpacked.",
                    "Use a part of it, say.")
    return found


class _Reading:
    """One table in UTF-8: read once for its numbers, and once more for the cells of columns with words."""

    def __init__(self, data: bytes, path: str, blank_rows: bool) -> None:
        self.path, self.blank_rows, self.done = path, blank_rows, list[str]()
        self.skipped, self.delimiter = 0, ","
        if separator := SEPARATOR.match(data):
            data, self.delimiter, self.skipped = data[separator.end():], separator[1].decode(), 1
        else:
            self.delimiter = delimiter(data.lstrip(b"\r\n")[:HEAD_BYTES].decode(errors="replace"), path)
        if self.delimiter != ",":
            self.done.append(f"cells parted by {SEPARATORS[self.delimiter]}")
        body = data.find(b"\n", len(data) - len(data.lstrip(b"\r\n")))
        self.data, self.exact = data, data.find(b"_", body) < 0  # Python reads 1_0 as a number, which nobody means
        self.names: list[str] = []
        self.nameless = False  # whether the first column had no name, as R and pandas write names of rows
        self.cut = self.empty = 0

    def table(self, keep: Collection[str]) -> Contents:
        lines = array("q")
        parts: list[Numbers] = []
        self.faults: dict[int, tuple[int, str]] = {}
        self.worded: set[int] = set()  # columns with a cell that is neither a number nor missing
        rows = self.rows()
        for first in rows:  # the first row says how many of them fit
            width = len(first[1])
            chunk = [first, *islice(rows, min(ROWS_AT_ONCE, max(1, CELLS_AT_ONCE // width)) - 1)]
            check_size(len(lines) + len(chunk), width, self.path)
            parts.append(self._numbers([cells for _, cells in chunk], len(lines)))
            lines.extend(line for line, _ in chunk)
        if len(lines) < MIN_ROWS:
            raise wrong(self.path, f"has {counted(len(lines), 'row')} below its header.",
                        f"Give at least {MIN_ROWS}, each on a line of its own.")
        values, at = np.concatenate(parts), np.array(lines)
        del parts
        texts = self._texts(sorted(self.worded | {c for c, name in enumerate(self.names) if name in keep}))
        meant = self._other_forms(values, texts)
        if self.cut:
            self.done.append("empty cells at the ends of lines passed over")
        if self.empty and not self.blank_rows:
            self.done.append(f"{counted(self.empty, 'line')} with nothing but separators passed over")
        if self.nameless:
            self.done.append("the first column, without a name, read as names of rows")
        return Contents(self.path, self.names, values, at, texts, self.faults, meant, self.done)

    # -- rows ------------------------------------------------------------------------------------------

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row of the table with the line that it begins in; sets `names` first."""
        reader = csv.reader(self._source(), strict=True, delimiter=self.delimiter)
        begun, blank = 1 + self.skipped, list[int]()  # lines since the last row
        self.cut = self.empty = 0
        names: list[str] = []
        try:
            for row in reader:
                line, begun = begun, reader.line_num + 1 + self.skipped
                if not names:
                    if row:
                        names = self.names = self._header(row)
                    continue
                if len(row) != len(names) and row:
                    row = self._fitted(row, line)
                if not row or (len(row) > 1 and not any(row)):
                    self.empty += bool(row)
                    if self.blank_rows:
                        blank.append(line)
                    continue
                # A blank line at the end is a sample only where a row has one cell, as nothing else is written there.
                for missed in blank:
                    yield missed, [""] * len(names)
                blank = []
                yield line, row
            if len(names) == 1:
                for missed in blank:
                    yield missed, [""]
        except csv.Error as error:
            raise wrong(self.path, f"is not CSV from line {begun:,} on ({error}).",
                        "Put quotes only around whole cells, and close them.") from None

    def _source(self) -> Iterator[str]:
        """The lines of the file, none of which has many more cells than a table may have."""
        read = 0  # characters, of as many bytes or more
        for number, line in enumerate(io.TextIOWrapper(io.BytesIO(self.data), "utf-8", newline=""), 1 + self.skipped):
            read += len(line)
            if number % TOLD_EVERY == 0:
                told(Progress(f"the table {Path(self.path).name}", read, len(self.data)))
            if (count := line.count(self.delimiter) + 1) > 2 * MAX_COLUMNS:
                what = "columns" if not self.names else f"cells in line {number:,}"
                raise wrong(self.path, f"has {count:,} {what}.", f"Use at most {MAX_COLUMNS:,}.")
            yield line

    def _fitted(self, row: list[str], line: int) -> list[str]:
        """A row with as many cells as the header has names; raises `ConfigError` where that is not plain."""
        width = len(self.names)
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            self.cut += 1
            return row[:width]
        raise wrong(self.path, f"has {len(row)} cells in line {line:,}, but {width} columns.",
                    "Give every line as many cells as the header has.")

    def _header(self, row: Sequence[str]) -> list[str]:
        names = [cell.strip() for cell in row]
        while len(names) > 2 and not names[-1]:  # separators at the end of every line
            names.pop()
        if len(names) > MAX_COLUMNS:
            raise wrong(self.path, f"has {len(names):,} columns.", f"Use at most {MAX_COLUMNS:,}.")
        numbers = [value for name in names if not np.isnan(value := cells.number(name))]
        if len(numbers) == len(names):
            raise wrong(self.path, "has only numbers in its first line.", "Begin it with a line of column names.")
        # Whole numbers that rise are names, as pandas numbers columns or a table its years; others are a row of data.
        rising = all(number >= 0 and number == int(number) for number in numbers) and numbers == sorted(set(numbers))
        if 2 * len(numbers) > len(names) and not rising:
            raise wrong(self.path, "has mostly numbers in its first line, which would be the columns' names.",
                        "Begin it with a line of column names.")
        self.nameless = not names[0] and len(names) > 1
        if self.nameless:
            names[0] = next(name for name in ("row", "row name", "name of row") if name not in names)
        check_names(names, self.path)
        return names

    # -- cells -----------------------------------------------------------------------------------------

    def _numbers(self, chunk: Sequence[Sequence[str]], start: int) -> Numbers:
        """Numbers (n, M) of some rows, of which `start` is the first; notes what is none."""
        values = np.full((len(chunk[0]), len(chunk)), np.nan)
        columns = list(zip(*chunk, strict=True))
        for column, texts in enumerate(columns):
            if column not in self.worded and (self.exact or "_" not in "".join(texts)):
                with suppress(ValueError):
                    values[column] = array("d", map(float, texts))
        for column in np.flatnonzero(~(np.abs(values) <= cells.MAX_NUMBER).all(1)).tolist():  # one after the other
            values[column] = [cells.number(text) for text in columns[column]]
            for row in np.flatnonzero(np.isnan(values[column])).tolist():
                text = columns[column][row]
                if column not in self.faults:
                    self.faults[column] = start + row, text
                if not cells.missing(text):
                    self.worded.add(column)
        return np.ascontiguousarray(values.T)

    def _texts(self, columns: Sequence[int]) -> dict[int, list[str]]:
        """The cells of some columns, read once more; equal ones are kept once."""
        if not columns:
            return {}
        kept: dict[int, list[str]] = {column: [] for column in columns}
        known: dict[str, str] = {}
        for _, row in self.rows():
            for column, texts in kept.items():
                cell = row[column]
                texts.append(known.setdefault(cell, cell) if len(known) < CELLS_AT_ONCE else cell)
        return kept

    def _other_forms(self, values: Numbers, texts: Mapping[int, Sequence[str]]) -> list[int]:
        """Fill columns of `values` (N, M) that are numbers in another form; gives those that are only meant so."""
        meant = []
        for column in sorted(self.worded):
            if (found := cells.other_form(texts[column])) is not None:
                name, form = found
                values[:, column] = [form(cell.strip()) for cell in texts[column]]
                self.done.append(f"'{short(self.names[column])}' read as {name}")
                self.faults.pop(column)
                self.worded.remove(column)
                gaps = np.flatnonzero(np.isnan(values[:, column]))
                if len(gaps):
                    self.faults[column] = int(gaps[0]), texts[column][gaps[0]]
            elif cells.meant(texts[column]) and isinstance(cells.days(texts[column]), str):
                meant.append(column)
        return meant


def bounded(rows: Iterable[list[str]], path: str) -> Iterator[list[str]]:
    """The rows of a table of texts as they are read, until they are too many: a row of a byte takes seventy in memory.
    """
    cells = 0
    for count, row in enumerate(rows, 1):
        cells += len(row)
        check_size(count, -(-cells // count), path)
        yield row


def check_size(rows: int, columns: int, path: str) -> None:
    """Raise `ConfigError` for a table of more rows or cells than are read."""
    if rows > MAX_ROWS or rows * columns > MAX_CELLS:
        raise wrong(path, f"has more than {min(MAX_ROWS, MAX_CELLS // columns):,} rows of {columns:,} columns.",
                    f"Use at most {MAX_ROWS:,} rows and {MAX_CELLS:,} cells: a part of it, say.")


def check_names(names: Sequence[str], path: str) -> None:
    """Raise `ConfigError` for a column without a name, or with that of another."""
    seen: set[str] = set()
    for place, name in enumerate(names):
        if not name:
            raise wrong(path, f"has no name for column {place + 1}.",
                        "Name it, or leave it out (pandas writes one unless index=False).")
        if name in seen:
            raise wrong(path, f"has two columns named '{short(name)}'.", "Give each a name of its own.")
        seen.add(name)


def delimiter(text: str, path: str) -> str:
    """What parts the cells: the sign that is most frequent in the first line, outside of quotes; in a .tsv the tab."""
    if path.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    bare = SPREAD.sub("", text.partition("\n")[0])
    counts = {sign: bare.count(sign) for sign in (",", ";", "\t")}
    return max(counts, key=lambda sign: counts[sign]) if any(counts.values()) else ","
