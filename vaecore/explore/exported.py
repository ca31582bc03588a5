"""Vectors as CSV: the file's columns by their names, in its units; and what labels are called.

A text that begins with =, +, - or @ is written with ' before it: a spreadsheet would take it for a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from vaecore.arrays import Labels, Numbers

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet runs


def as_csv(names: Sequence[str], numbers: Numbers, before: Mapping[str, Sequence[object]] | None = None) -> str:
    """A header and N lines of numbers (N, D), called `names` (D,); `before` are columns (N,) to stand in front."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    first = {} if before is None else before
    writer.writerow([cell(name) for name in (*first, *names)])
    for place, row in enumerate(numbers.tolist()):
        writer.writerow([*(cell(each[place]) for each in first.values()), *(f"{number:.7g}" for number in row)])
    return file.getvalue()


def cell(value: object) -> str:
    """A value as a cell: a number plainly, a text so that no spreadsheet runs it."""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULAS) else text


def names_of(labels: Labels, classes: Sequence[str]) -> list[str]:
    """What labels (B,) are called: their numbers where they have no names, and nothing where there is none."""
    return ["" if label < 0 else classes[label] if label < len(classes) else str(label) for label in labels.tolist()]
