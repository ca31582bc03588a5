"""What the columns of a table are: numbers, days, words of few levels; and which of them say nothing to learn from.

A column of words becomes a column of 0 and 1 a level, `sex = f` and `sex = m`. A column of dates becomes days since
its first. What is left out, an identifier or free text, is named with the reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from vaecore.arrays import Numbers
from vaecore.data.base import MAX_AXIS
from vaecore.data.own.file import wrong
from vaecore.data.own.tables import cells
from vaecore.data.own.tables.contents import Contents
from vaecore.schema import ConfigError
from vaecore.words import listed, quoted, short

MAX_LEVELS = 50  # of a column of words; one of more is text
IDENTIFIER = re.compile(r"(?:.*[ _.-])?(?:id|ids|index|idx|uuid)|row|row name|name of row|unnamed: 0|"
                        r"__index_level_0__|.*[a-z](?:ID|Id)")
FIX = "Write plain numbers such as 1234.5, or name the columns to use in data.columns."
FILL = "Fill it in, delete that line, or name the columns to use in data.columns."


@dataclass(frozen=True)
class Features:
    """Columns as they are learned from: numbers (N, D), NaN in gaps, and what each of the D is called.

    `sources` (D,) are the columns of the table that they were made of.
    """

    x: Numbers
    names: tuple[str, ...]
    sources: tuple[int, ...]
    done: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def features(table: Contents, columns: Sequence[int], *, named: bool = False, words: bool = True,
             strict: bool = True) -> Features:
    """What some columns of a table become; where they are `named` none is left out.

    Without `words` only columns of numbers count, all of them. Where it is not `strict` a cell among numbers that is
    none is a gap, for the caller to judge. Raises `ConfigError`, naming line and column, for one that is meant
    as numbers but not written so, and for one that was named but is neither numbers, days nor words of few levels.
    """
    parts: list[Numbers] = []
    empty = np.asarray(np.isnan(table.values).all(0))
    names: list[str] = []
    sources: list[int] = []
    done: list[str] = []
    left: list[str] = []
    for column in columns:
        name, texts = table.names[column], table.texts.get(column)
        reason, found, said = "", None, [name]
        if texts is None or _numeric(table, column) or column in table.meant:
            if strict and texts is not None and (row := _odd(table, column)) is not None:
                raise table.fault(column, FIX if column in table.meant else "Correct it, or leave the cell empty.", row)
            if strict and empty[column]:
                reason = "nothing in any row"
            elif not named and words and identifies(table, column):
                reason = "an identifier, different in every row"
            else:
                found = table.values[:, column, None]
        elif not words:
            if named:
                raise fault(table, column, FILL)
            reason = "words"
        else:
            found, said, told = _worded(table, column, texts)
            (done if found is not None else left).append(told)
            if found is None and named:
                raise fault(table, column, FILL)
        if reason:
            if named:
                raise fault(table, column, FILL)
            left.append(f"{quoted(name)}: {reason}")
        if found is not None:
            parts.append(found)
            names += said
            sources += [column] * len(said)
    if len(names) > MAX_AXIS:
        raise wrong(table.path, f"has {len(names):,} columns once each level of a word has its own.",
                    f"Name at most {MAX_AXIS:,} in data.columns.")
    x = np.concatenate(parts, axis=1) if parts else np.zeros((len(table), 0))
    return Features(x, tuple(names), tuple(sources), tuple(done), tuple(left))


def fault(table: Contents, column: int, remedy: str) -> ConfigError:
    """What is wrong with a column: its first cell that is no number, which may be missing from all rows."""
    row = next((row for row, text in enumerate(table.texts.get(column, ())) if not cells.missing(text)
                and math.isnan(table.values[row, column])), None)
    return table.fault(column, remedy, row)


def _numeric(table: Contents, column: int) -> bool:
    """Whether a column with words is one of numbers: where at least half of what it says are."""
    some = int(np.isfinite(table.values[:, column]).sum())
    said = sum(not cells.missing(text) for text in table.texts[column])
    return 2 * some >= said


def _odd(table: Contents, column: int) -> int | None:
    """The first row of a column of numbers that says something else."""
    rows = np.flatnonzero(np.isnan(table.values[:, column])).tolist()
    return next((row for row in rows if not cells.missing(table.texts[column][row])), None)


def identifies(table: Contents, column: int) -> bool:
    """Whether a column of numbers only tells rows apart: whole, each once, and called so."""
    if not IDENTIFIER.fullmatch(table.names[column]) and not IDENTIFIER.fullmatch(table.names[column].lower()):
        return False
    x = table.values[:, column]
    return bool((x == np.rint(x)).all()) and len(np.unique(x)) == len(x)


def _worded(table: Contents, column: int, texts: Sequence[str]) -> tuple[Numbers | None, list[str], str]:
    """Numbers (N, k) of a column of words, what the k are called, and what was done; None where it is left out."""
    name = table.names[column]
    found = cells.days(texts)
    if not isinstance(found, str):
        first = min(day for day in found if not math.isnan(day))
        said = f"{name} [days since {date.fromordinal(int(first)).isoformat()}]"
        return np.array(found)[:, None] - int(first), [said], f"{quoted(name)} read as dates: days since the first"
    if found != "no dates":
        return None, [], f"{quoted(name)}: {found}"
    rows = [cells.class_name(text) for text in texts]
    levels = cells.ordered({row for row in rows if not cells.missing(row)})
    there = sum(not cells.missing(row) for row in rows)
    if len(levels) == 1:
        return None, [], f"{quoted(name)}: '{short(levels[0])}' in every row that says something"
    if len(levels) > min(MAX_LEVELS, there / 2):
        # Of a file that has a type for each column text is text, whatever it says.
        plain = not any(math.isnan(cells.number(level)) for level in levels)
        meant = plain or cells.other_form(texts) or cells.meant(texts)
        what = ("numbers saved as text" if meant else "different in every row" if len(levels) == there else
                f"{len(levels):,} different texts")
        row = next(row for row, text in enumerate(texts) if not cells.missing(text))
        return None, [], (f"{quoted(name)}: {what}, the first '{short(texts[row].strip())}' in {table.line} "
                          f"{table.lines[row]:,}{'; to learn from them, save the column as numbers' if meant else ''}")
    place = {level: number for number, level in enumerate(levels)}
    numbers = np.array([place.get(row, -1) for row in rows])
    x = np.equal(numbers[:, None], np.arange(len(levels))).astype(float)
    x[numbers < 0] = np.nan
    return x, [f"{name} = {level}" for level in levels], (f"{quoted(name)} read as {len(levels)} columns of 0 and 1: "
                                                          f"{listed(levels)}")
