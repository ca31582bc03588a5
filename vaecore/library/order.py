"""Records in order, in groups, and which of their numbers do not compare. No torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vaecore.library.fields import FIELDS
from vaecore.library.headline import comparable
from vaecore.library.query import field_of
from vaecore.library.records import Record, shared
from vaecore.naming import complete
from vaecore.probability.intervals import Interval, over_seeds

SEEDS = "seeds"  # the grouping of runs that differ in nothing but their seed


def sorted_by(records: Iterable[Record], field: str, *, descending: bool | None = None) -> list[Record]:
    """The records by a field; equal ones keep their order, and those without it come last, whichever way.

    Without `descending`, numbers of which more is better and dates begin with the largest. Raises `QueryError` for what
    is no field. Numbers of unlike data stand beside each other: `unlike` says which.
    """
    found = field_of(field)
    if descending is None:
        descending = found.better == "higher" or found.sort == "date"
    given = list(records)
    values = {id(each): _order(each.value(found.key)) for each in given}
    there = [each for each in given if values[id(each)] is not None]
    # A stable sort keeps the order of equal ones in reverse too.
    there.sort(key=lambda each: values[id(each)] or (), reverse=descending)
    return there + [each for each in given if values[id(each)] is None]


def _order(value: Any) -> tuple[Any, ...] | None:
    """What a value is sorted by: numbers, then dates, then words; None where there is none."""
    if value is None or value == "" or value == () or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | int | float):
        return (0, float(value))
    if isinstance(value, datetime):
        return (1, value)
    if isinstance(value, list | tuple):
        return (2, ", ".join(map(str, value)).casefold())
    return (2, str(value).casefold())


def unlike(records: Iterable[Record], field: str) -> dict[str, str]:
    """The runs whose number does not compare with that of most others in the list, by id, with the reasons.

    A number in nats compares among runs of the same data, read alike, and likelihood; one that an evaluation found only
    with the same settings. Empty for fields of which any compare.
    """
    declared = field_of(field)
    if not declared.compares:
        return {}
    found = [each for each in records if declared.key in each.numbers and each.headline is not None]
    nats = declared.compares == "likelihood"
    kinds: dict[tuple[str, str], list[Record]] = {}
    for each in found:
        alike_by = each.comparable if nats else each.scored_on
        kinds.setdefault((alike_by, each.numbers[declared.key].setting), []).append(each)
    if len(kinds) < 2:
        return {}
    most = max(kinds.values(), key=len)[0]
    told: dict[str, str] = {}
    for alike in kinds.values():
        reasons = _why(most, alike[0], declared.key, nats=nats)
        if reasons:
            told |= {each.id: reasons for each in alike}
    return told


def _why(first: Record, other: Record, key: str, *, nats: bool) -> str:
    """Why a number of two runs does not compare; empty where it does."""
    if first is other or first.headline is None or other.headline is None:
        return ""
    reasons = comparable([first.headline, other.headline], nats=nats)
    ours, theirs = first.numbers[key].setting, other.numbers[key].setting
    if ours != theirs:
        reasons.append(f"settings ({ours or 'none'}; {theirs or 'none'})")
    return f"Other {', other '.join(reasons)} than most." if reasons else ""


# -- equal configurations --------------------------------------------------------------------------


def equal(records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """Runs of one configuration, seed included: by the id of each the ids of the others; those alone are left out."""
    return _others(records, "same")


def equal_but_seed(records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """Runs that differ in nothing but their seed, or not even in that: by the id of each the ids of the others."""
    return _others(records, "same_but_seed")


def equal_to(values: Mapping[str, Any], records: Iterable[Record], parent: Mapping[str, Any] | None = None
             ) -> list[Record]:
    """The runs of the configuration that `values` are, seed included; resolved, as `config.json` holds it.

    Of a fork, those that began with the same weights of its `parent`, which is as `about.json` has it.
    """
    same, _ = shared(complete(values), parent)
    return [each for each in records if each.same == same]


def _others(records: Iterable[Record], key: str) -> dict[str, tuple[str, ...]]:
    alike: dict[str, list[str]] = {}
    for each in records:
        if shared := getattr(each, key):
            alike.setdefault(shared, []).append(each.id)
    return {one: tuple(other for other in ids if other != one) for ids in alike.values() if len(ids) > 1 for one in ids}


# -- groups ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Runs that share something: of the seeds of one configuration, all but their seed."""

    title: str
    records: tuple[Record, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its runs, in order, each once."""
        return tuple(sorted({each.seed for each in self.records if each.seed is not None}))

    def interval(self, key: str) -> Interval | None:
        """The mean of a number over its runs, with a 95 % interval of Student's t and their count.

        Of two runs of one seed and configuration one counts: they are no two draws. None where no run has the number,
        or where those of different runs do not compare.
        """
        if unlike(self.records, key):
            return None
        values: dict[tuple[str, int | None], float] = {}
        for each in self.records:
            value = each.value(field_of(key).key)
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                values.setdefault((each.same or each.id, each.seed), float(value))
        return over_seeds(list(values.values())) if values else None

    def shared(self, key: str) -> Any:
        """The value of a field that all of its runs share; None where they do not."""
        first, *rest = (each.value(field_of(key).key) for each in self.records)
        return first if all(value == first for value in rest) else None


def grouped(records: Iterable[Record], by: str = SEEDS) -> list[Group]:
    """The records in groups, in the order of their first ones: the seeds of one configuration, or one value of a field.

    Of the seeds, a record without a configuration is a group of its own. Raises `QueryError` for what is no field.
    """
    key = "" if by == SEEDS else field_of(by).key
    found: dict[Any, list[Record]] = {}
    for each in records:
        if by == SEEDS:
            found.setdefault(each.same_but_seed or ("alone", each.id), []).append(each)
        else:
            found.setdefault(repr(each.value(key)), []).append(each)
    return [Group(_title(members, key), tuple(members)) for members in found.values()]


def _title(members: Sequence[Record], key: str) -> str:
    first = members[0]
    if key:
        value = first.value(key)
        return FIELDS[key].said(value) if key in FIELDS else str(value if value is not None else "–")
    if len(members) == 1:
        return first.title
    titles = Counter(_without_seed(each) for each in members)
    return titles.most_common(1)[0][0]


def _without_seed(one: Record) -> str:
    """A run's title less its seed, where it ends with that."""
    words = one.title.split()
    return " ".join(words[:-1]) if len(words) > 1 and words[-1] == f"s{one.seed}" else one.title


def counts(records: Iterable[Record], keys: Sequence[str]) -> Mapping[str, Counter[str]]:
    """How many runs have each value of some fields: what a page offers to filter by."""
    found: dict[str, Counter[str]] = {key: Counter() for key in keys}
    for each in records:
        for key in keys:
            value = each.value(key)
            found[key].update(map(str, value) if isinstance(value, tuple) else [str(value)] if value else [])
    return found
