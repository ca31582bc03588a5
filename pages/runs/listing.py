"""Runs as the rows of the table: which columns there are, what stands in each cell, what is marked and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from pages.components.previews import preview_address
from pages.components.table import Cell, Column, Row
from pages.runs.look import Look
from pages.shared.cards import MEANINGS
from pages.shared.words import counted
from vaecore.files import BrokenFile, opened
from vaecore.library import tables
from vaecore.library.fields import FIELDS, NUMBERS, Field
from vaecore.library.order import SEEDS, Group, grouped, sorted_by, unlike
from vaecore.library.query import QueryError, field_of
from vaecore.library.records import Record
from vaecore.store import Run
from vaecore.tables import Table

PREVIEW, UNLIKE = "preview", "≠"
MOST_KEPT = 5_000  # runs whose cells are kept
TEXT_BYTES, TEXT_LETTERS = 4_000, 90  # of a text model's preview: read, shown
WORDS_FIRST = ("title", "state", "family", "data", "changed", "seed")
NUMBERS_SHOWN = ("elbo", "log_p", "log_p_given_z", "kl", "perplexity", "active", "log_p_is", "frechet", "probe",
                 "coherence", "ssim_clips")
WORDS_LAST = ("steps", "seconds", "device", "made", "parent", "tags", "note")
CHOICES: dict[str, str] = {PREVIEW: "Preview", **{key: field.title for key, field in FIELDS.items()}}
_kept: dict[str, tuple[Record, dict[str, Cell]]] = {}  # by the ids of runs
GROUPS: dict[str, str] = {"": "Not grouped", SEEDS: "Seeds as mean ± interval", **{
    key: f"Groups by {FIELDS[key].title.lower()}" for key in ("family", "data", "state", "preset", "experiment",
                                                              "parent", "device", "place")}}


def columns_of(records: Sequence[Record], asked: Sequence[str]) -> list[str]:
    """The keys of the columns to show: those asked for that there are, or the usual ones, less numbers none has."""
    if found := [key for key in dict.fromkeys(asked) if key in CHOICES or _is_setting(key)]:
        return found if "title" in found else ["title", *found]
    held = {key for each in records for key in each.numbers}
    return [PREVIEW, *WORDS_FIRST, *(key for key in NUMBERS_SHOWN if key in held), *WORDS_LAST]


def ordered(records: Sequence[Record], look: Look) -> list[Record]:
    """The records as the look sorts them, pinned ones first; raises `QueryError` for a field that is none."""
    found = list(records)
    if look.sort:
        found = sorted_by(found, look.sort.removeprefix("-"), descending=look.sort.startswith("-"))
    return sorted(found, key=lambda each: not each.pinned)


def groups(records: Sequence[Record], look: Look) -> list[Group]:
    """The ordered records in groups; where these are sorted by a number, by its mean. Raises `QueryError`."""
    found = grouped(records, look.group)
    key, downwards = look.sort.removeprefix("-"), look.sort.startswith("-")
    if not key or not field_of(key).numeric:
        return found

    def place(group: Group) -> tuple[bool, bool, float]:
        mean = group.interval(key)
        pinned = any(each.pinned for each in group.records)
        return not pinned, mean is None, 0.0 if mean is None else mean.mean * (-1 if downwards else 1)

    return sorted(found, key=place)


def rows(records: Sequence[Record], look: Look, keys: Sequence[str]) -> list[Row]:
    """The rows of the table; raises `QueryError` for a group or an order by what is no field."""
    told = {key: unlike(records, key) for key in keys if key in NUMBERS}
    in_order = ordered(records, look)
    if not look.group:
        return [row(each, keys, told) for each in in_order]
    found = []
    for group in groups(in_order, look):
        if len(group.records) > 1:
            found.append(Row(f"group:{group.title}:{group.records[0].id}", [_mean(group, key) for key in keys],
                             members=len(group.records)))
        found += [row(each, keys, told) for each in group.records]
    return found


def row(one: Record, keys: Sequence[str], marked: Mapping[str, Mapping[str, str]]) -> Row:
    """One run; what stands in its cells is kept as long as its record is."""
    kept = _kept.get(one.id)
    if kept is None or kept[0] is not one:
        if len(_kept) > MOST_KEPT:
            _kept.clear()
        kept = _kept[one.id] = (one, {})
    cells = []
    for key in keys:
        if key == PREVIEW:
            cells.append(_preview(one.run))
            continue
        if key not in kept[1]:
            kept[1][key] = _cell(one, key)
        found = kept[1][key]
        if why := marked.get(key, {}).get(one.id):
            found = (found, why, UNLIKE) if isinstance(found, str) else (found[0], f"{found[1]} {why}", UNLIKE)
        cells.append(found)
    return Row(one.id, cells, faded=one.archived, pinned=one.pinned)


def heads(keys: Sequence[str], look: Look, records: Sequence[Record]) -> list[Column]:
    """What stands above the columns."""
    sorted_key, found = look.sort.removeprefix("-"), []
    for key in keys:
        if key == PREVIEW:
            found.append(Column(key, "Preview", "What it draws or writes of its own.", "picture", None))
            continue
        field = field_of(key)
        way = "" if key != sorted_key else "down" if look.sort.startswith("-") else "up"
        unit = f" ({field.unit})" if field.unit not in ("", "share") else ""
        help = f"{_help(field)} Called {key}."
        if key in NUMBERS and (few := len(unlike(records, key))):
            help += (f" Marked {UNLIKE} is what does not compare with most of the others, {few} here: each says why "
                     "on hover.")
        found.append(Column(key, field.title + unit, help, "number" if field.numeric else "text", way))  # type: ignore[arg-type]
    return found


def table(records: Sequence[Record], look: Look, keys: Sequence[str]) -> Table:
    """The same as a table to take along: a row a run, or a row a group."""
    shown = list(dict.fromkeys(["id", *(key for key in keys if key != PREVIEW)]))
    in_order = ordered(records, look)
    return tables.table_of_groups(groups(in_order, look), shown) if look.group else tables.table(in_order, shown)


# -- cells -----------------------------------------------------------------------------------------


def _is_setting(key: str) -> bool:
    try:
        field_of(key)
    except QueryError:
        return False
    return True


def _help(field: Field) -> str:
    better = {"higher": " Higher is better.", "lower": " Lower is better."}.get(field.better, "")
    kind = {"bound": " A bound.", "estimate": " An estimate.", "exact": " Exact."}.get(field.kind, "")
    return f"{field.help}{kind}{better}".strip()


def _cell(one: Record, key: str) -> Cell:
    field = field_of(key)
    said = field.said(one.value(field.key))
    if key == "title":
        return (said, f"{one.title}\n{one.id}") if one.title != one.id else said
    if key == "state":
        meaning = "" if one.state == "unreadable" else MEANINGS[one.state]
        return said, " ".join(filter(None, [meaning, one.detail, one.problem]))[:600]
    if key == "data":
        return (said, one.source) if one.source != said else said
    if (number := one.numbers.get(key)) is None:
        return said
    told: list[str] = []
    if number.low is not None and number.high is not None:
        told.append(f"95 % interval {field.said(number.low)} to {field.said(number.high)}.")
    if number.kind and number.kind != field.kind:
        told.append(f"Here it is of kind: {number.kind}.")
    if number.setting:
        told.append(number.setting + ".")
    return (said, " ".join([f"{field.title}: {said}.", *told])) if told else said


def _mean(group: Group, key: str) -> Cell:
    """A group's cell: what its runs share, or the mean of their numbers."""
    count = len(group.records)
    if key == PREVIEW:
        return _preview(group.records[0].run)
    if key == "title":
        return f"{group.title} · {counted(count, 'run')}", "Press to fold or unfold its runs."
    if key == "seed":
        return ", ".join(map(str, group.seeds[:8])) + (" …" if len(group.seeds) > 8 else ""), "The seeds of its runs."
    field = field_of(key)
    if field.numeric:
        mean = group.interval(key)
        if mean is None:
            there = any(one.value(field.key) is not None for one in group.records)
            return ("–", "No mean: these numbers do not compare with each other.", UNLIKE) if there else "–"
        if field.sort == "whole" and mean.half == 0:
            return field.said(int(mean.mean)), f"The same in n = {mean.count}."
        if not math.isfinite(mean.half):
            return field.said(mean.mean), "One value: no interval."
        return (f"{field.said(mean.mean)} ± {field.said(mean.half)}",
                f"Mean of n = {mean.count}, with the 95 % interval of Student's t.")
    shared = group.shared(field.key)
    return field.said(shared) if shared is not None else "…"


def _preview(run: Run) -> Cell:
    if address := preview_address(run):
        return address
    text = run.path / "preview.txt"
    try:
        first = _first_line(text, text.stat().st_mtime_ns)
    except (OSError, BrokenFile):
        return ""
    return (first[:TEXT_LETTERS], first) if first else ""


@lru_cache(5_000)
def _first_line(path: Path, _: int) -> str:
    with opened(path) as file:
        lines = file.read(TEXT_BYTES).decode(errors="replace").splitlines()
    return next((line.strip() for line in lines if line.strip()), "")


