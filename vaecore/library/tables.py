"""Records as tables and as JSON: what `vaecore runs` prints, writes and promises to keep. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from vaecore.library.fields import FIELDS, NUMBERS, Field
from vaecore.library.headline import sane
from vaecore.library.order import Group, unlike
from vaecore.library.query import field_of
from vaecore.library.records import Record
from vaecore.tables import Cell, Column, Table, Value

USUAL = ("id", "title", "state", "family", "data", "changed", "seed")  # and after the numbers:
USUAL_LAST = ("made", "tags")
USUAL_NUMBERS = ("elbo", "log_p", "log_p_given_z", "mse", "perplexity")


def usual(records: Sequence[Record]) -> list[str]:
    """The columns that are shown where none are asked for: words, and the numbers that some of the runs have."""
    held = {key for each in records for key in each.numbers}
    found = [*USUAL, *(key for key in USUAL_NUMBERS if key in held), *USUAL_LAST]
    bare = {"title": all(each.title == each.id for each in records), "tags": not any(each.tags for each in records)}
    return [key for key in found if not bare.get(key)]


def table(records: Sequence[Record], keys: Sequence[str] = ()) -> Table:
    """A row a run; numbers with half the width of their interval, and a note where one does not compare.

    Raises `QueryError` for a column that is no field.
    """
    fields = [field_of(key) for key in keys or usual(records)]
    marked = {field.key: unlike(records, field.key) for field in fields if field.key in NUMBERS}
    rows = [{field.key: Cell(_plain(field, each), _half(each, field.key), marked.get(field.key, {}).get(each.id, ""))
             for field in fields} for each in records]
    notes = [f"{field.title}: {len(marked[field.key])} of {len(records)} do not compare with most of the others."
             for field in fields if marked.get(field.key)]
    return Table([_column(field, ranks=not marked.get(field.key)) for field in fields], rows, notes=notes)


def table_of_groups(groups: Sequence[Group], keys: Sequence[str] = ()) -> Table:
    """A row a group: its counts of runs and seeds, means of numbers, and words that all of its runs share.

    Beside a mean stands half the width of its 95 % interval.
    """
    every = [each for group in groups for each in group.records]
    fields = [field_of(key) for key in keys or usual(every) if field_of(key).key not in ("id", "title", "seed")]
    rows = [{"group": group.title, "runs": len(group.records), "seeds": len(group.seeds),
             **{field.key: _of_group(group, field) for field in fields}} for group in groups]
    return Table([Column("group", "Group"), Column("runs", "Runs"), Column("seeds", "Seeds"),
                  *(_column(field, ranks=False) for field in fields)], rows)


def _column(field: Field, *, ranks: bool) -> Column:
    return Column(field.key, field.title, field.unit, field.digits, field.better if ranks else "", field.help)


def _plain(field: Field, one: Record) -> Value:
    value = one.value(field.key)
    if value is None or isinstance(value, str | int | float):
        return value
    return field.said(value) if value != () else ""


def _half(one: Record, key: str) -> float | None:
    number = one.numbers.get(key)
    return number.half if number else None


def _of_group(group: Group, field: Field) -> Cell | Value:
    if not field.numeric:
        value = group.shared(field.key)
        return value if value is None or isinstance(value, str) else field.said(value)
    if (mean := group.interval(field.key)) is None:
        there = any(each.value(field.key) is not None for each in group.records)
        return Cell(None, note="No mean: these numbers do not compare." if there else "")
    return Cell(mean.mean, mean.half if math.isfinite(mean.half) else None, f"n = {mean.count}")


# -- as JSON: what is promised stands in docs/runs.md ----------------------------------------------


def facts(one: Record) -> dict[str, Any]:
    """A run as JSON, by the keys that `docs/runs.md` lists."""
    told: dict[str, Any] = {"id": one.id, "title": one.title, "folder": str(one.run.path), "state": one.state,
                            "detail": one.detail, "problem": one.problem}
    told |= {key: _jsonable(one.value(key)) for key in FIELDS if key not in NUMBERS and key not in told}
    headline = one.headline
    return told | {
        "source": one.source, "trained": one.trained, "model.family": one.settings.get("model.family"),
        "data.name": one.settings.get("data.name"),
        "numbers": {key: {"value": found.value, "low": sane(found.low), "high": sane(found.high),
                          "setting": found.setting, "kind": found.kind or NUMBERS[key].kind}
                    for key, found in one.numbers.items()},
        "by_modality": {"mse": dict(headline.errors) if headline else {},
                        "perplexity": dict(headline.perplexities) if headline else {}},
        "same": one.same, "same_but_seed": one.same_but_seed, "comparable": one.comparable}


def facts_of_group(group: Group) -> dict[str, Any]:
    """A group as JSON, by the keys that `docs/runs.md` lists."""
    means = {key: mean for key in NUMBERS if (mean := group.interval(key)) is not None}
    return {"title": group.title, "runs": [each.id for each in group.records], "seeds": list(group.seeds),
            "numbers": {key: {"mean": mean.mean, "half": mean.half if math.isfinite(mean.half) else None,
                              "count": mean.count} for key, mean in means.items()}}


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
