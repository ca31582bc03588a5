"""What is known of pictures besides what is on them: classes, groups and splits, from folders or a table beside."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vaecore.data.own import splitting
from vaecore.data.own.file import decoded, wrong
from vaecore.data.own.tables.contents import bounded, delimiter
from vaecore.schema import problem
from vaecore.words import counted, shown, some

LABELS = frozenset({"label", "labels", "y", "class", "target", "targets", "category"})
GROUPS = frozenset({"group", "groups", "patient", "subject", "donor", "animal_id", "person", "patient_id",
                    "subject_id"})
SPLIT = frozenset({"split", "set", "partition", "subset", "fold"})


@dataclass
class Known:
    """What is known of N pictures; "" where it is not known of one, None where of none."""

    count: int
    labels: list[str] | None = None
    groups: list[str] | None = None
    splits: list[str] | None = None
    label_source: str = ""  # where the labels come from, in words
    group_name: str = ""
    class_order: list[str] | None = None  # classes in their order, where that is not that of their names
    told: list[str] = field(default_factory=list)  # what was not used or not found, a sentence each


def text_of(value: Any) -> str:
    """A label or name of an array as text: 1 and 1.0 are the same."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float):
        return "" if value != value else str(int(value)) if value.is_integer() else f"{value:g}"
    return str(int(value) if isinstance(value, bool) else value).strip()


def from_folders(names: Sequence[str]) -> Known:
    """Classes and splits of pictures from the folders in their names.

    Folders that all have in common say nothing. If the first of the others are called train, and test or validation,
    they are the split; the first after that is the class.
    """
    known = Known(len(names))
    parts = _apart([name.split("/")[:-1] for name in names])
    first = {part[0] if part else "" for part in parts}
    splits = {splitting.named(name) for name in first}
    if "" not in splits and "train" in splits and len(splits) > 1:
        known.splits = [splitting.named(part[0]) for part in parts]
        parts = _apart([part[1:] for part in parts])
    if any(parts):
        known.labels, known.label_source = [part[0] if part else "" for part in parts], "their folders"
    return known


def _apart(parts: list[list[str]]) -> list[list[str]]:
    """Without the folders that all have in common."""
    while parts and all(parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    return parts


def from_table(table: tuple[str, bytes], names: Sequence[str], path: str, label: str, group: str) -> Known:
    """What a CSV or TSV says of pictures, which it names in one of its columns; raises `ConfigError`."""
    called, data = table
    place = f"{path}/{called}"
    header, rows = _cells(data, place)
    column, found = _naming(header, rows, names)
    if column is None:
        raise wrong(place, f"names none of the pictures, such as '{shown(names[0])}', in any of its columns.",
                    "Give one column of file names, as they are in the folder; or take the table away.")
    known = Known(len(names))
    others = [place_ for place_ in range(len(header)) if place_ != column]
    absent = [f"'{shown(cells[column])}' in line {line:,}" for line, cells in rows if cells[column] not in found]
    if absent:
        known.told.append(f"{counted(len(absent), 'row')} of {called} whose picture is not there: "
                          + some(absent))
    told: list[tuple[int, list[str]] | None] = [None] * len(names)
    for line, cells in rows:
        for picture in found.get(cells[column], ()):
            if (before := told[picture]) is not None and before[1] != cells:
                raise wrong(place, f"names '{shown(names[picture])}' twice, in lines {before[0]:,} and {line:,}, with "
                            "different cells.", "Keep one of the lines.")
            told[picture] = line, cells

    def values(which: int) -> list[str]:
        return ["" if row is None else row[1][which] for row in told]

    used = {column}
    label_at = _column(header, others, label, LABELS, "data.label", place)
    group_at = _column(header, others, "" if group == "folder" else group, GROUPS, "data.group", place)
    split_at = _column(header, others, "", SPLIT, "", place)
    if label_at is None and len(spare := [each for each in others if each not in (group_at, split_at)]) == 1:
        label_at = spare[0]
    if label_at is not None:
        known.labels, known.label_source = values(label_at), f"column '{shown(header[label_at])}' of {called}"
        used.add(label_at)
    if group_at is not None:
        known.groups, known.group_name = values(group_at), shown(header[group_at])
        used.add(group_at)
    if split_at is not None:
        used.add(split_at)
        said = values(split_at)
        for row, value in zip(told, said, strict=True):
            if value and not splitting.named(value):
                assert row is not None
                raise wrong(place, f"has '{shown(value)}' in line {row[0]:,}, column '{shown(header[split_at])}'.",
                            "Use train, validation and test.")
        known.splits = [splitting.named(value) for value in said]
    if unused := [header[each] for each in others if each not in used]:
        known.told.append(f"column{'s' * (len(unused) != 1)} of {called}: {some(unused)}; data.label names the one of "
                          "classes")
    if unnamed := [name for name, row in zip(names, told, strict=True) if row is None]:
        known.told.append(f"nothing is said in {called} of {counted(len(unnamed), 'picture')}: "
                          + some(unnamed))
    return known


def _cells(data: bytes, place: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The first row, and all rows with the lines they begin in; cells are stripped, and rows as long as the first."""
    text = decoded(data, place)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text, place), strict=True)
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in bounded(reader, place):
            begun, line = line, reader.line_num + 1
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            header = header or [*stripped]
            if len(stripped) != len(header):
                raise wrong(place, f"has {len(stripped)} cells in line {begun:,}, but {len(header)} in its first.",
                            "Give every line as many cells.")
            rows.append((begun, stripped))
    except csv.Error as error:
        raise wrong(place, f"cannot be read as a table in line {line:,} ({error}).", "Save it as plain CSV.") from None
    if not rows:
        raise wrong(place, "is empty.", "Fill it, or take it away.")
    return header, rows


def _naming(header: list[str], rows: list[tuple[int, list[str]]], names: Sequence[str]
            ) -> tuple[int | None, Mapping[str, list[int]]]:
    """The column that names most pictures, None where none does, and which pictures each of its cells names.

    By their path in the folder, by what they are called alone where that is enough, or by that without its ending. The
    first row is taken away unless it names a picture itself.
    """
    best: tuple[int, int | None, Mapping[str, list[int]]] = 0, None, {}
    for form in (_whole, _alone, _bare):
        by: dict[str, list[int]] = {}
        for picture, name in enumerate(names):
            by.setdefault(form(name), []).append(picture)
        by = {key: named for key, named in by.items() if len({names[each] for each in named}) == 1}  # pages of one file
        for column in range(len(header)):
            hits = sum(cells[column].replace("\\", "/").removeprefix("./") in by for _, cells in rows)
            if hits > best[0]:
                found = {cells[column]: by[key] for _, cells in rows
                         if (key := cells[column].replace("\\", "/").removeprefix("./")) in by}
                best = hits, column, found
    _, naming, named = best
    if naming is not None:
        if rows[0][1][naming] in named:
            header[:] = [f"column {place + 1}" for place in range(len(header))]
        else:
            del rows[0]
    return naming, named


def _whole(name: str) -> str:
    return name


def _alone(name: str) -> str:
    return name.rpartition("/")[2]


def _bare(name: str) -> str:
    return _alone(name).rpartition(".")[0]


def _column(header: Sequence[str], among: Sequence[int], asked: str, usual: frozenset[str], field: str, place: str
            ) -> int | None:
    """The column that is asked for, or that has a usual name; None for none."""
    if asked:
        found = next((each for each in among if header[each] == asked), None)
        if found is None:
            raise problem(field, asked, f"'{place}' has no column of that name.",
                          f"Use one of {', '.join(shown(header[each]) for each in among[:20]) or 'no other columns'}.")
        return found
    return next((each for each in among if header[each].lower().replace(" ", "_") in usual), None)
