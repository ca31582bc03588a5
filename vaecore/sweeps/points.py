"""The points of a sweep: every combination, or drawn ones; and how fields are typed, as `0.1..10:log:5`. No torch."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Sequence
from typing import Any

import yaml

from vaecore.plain_yaml import read_yaml
from vaecore.schema import parse, problem
from vaecore.sweeps.declared import MAX_RUNS, MAX_VALUES, Grid, Point, Random, Range, Search, Sweep, Value, Values

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
BETWEEN = re.compile(rf"\s*({NUMBER})\s*(?:\.\.|–|—)\s*({NUMBER})((?:\s*[:,\s]\s*\w+)*)\s*")
HOW = "Write values, as 2,8,32, or a range, as 0.1..10:log:5."
TRIES = 50  # draws for one point that is not there yet


def known(sweep: Sweep) -> list[Point]:
    """The points that are known before anything is trained: all of a grid and of a random sweep, none of a search."""
    match sweep.method:
        case Grid():
            return grid(sweep.axes)
        case Random(trials=trials, seed=seed):
            return drawn(sweep.axes, trials, seed)
    return []


def count(sweep: Sweep) -> int:
    """How many points it has."""
    return min(sweep.method.trials, _there(sweep.axes)) if isinstance(sweep.method, Search) else len(known(sweep))


def check_count(sweep: Sweep) -> None:
    """Raise `ConfigError` for more trainings than a sweep may have."""
    if isinstance(sweep.method, Grid):
        points = math.prod(len(axis.listed) for axis in sweep.axes)
    else:
        points = sweep.method.trials
    if points * sweep.seeds > MAX_RUNS:
        ways = " x ".join(str(len(axis.listed)) for axis in sweep.axes)
        made = f"{ways} values" if isinstance(sweep.method, Grid) else f"{points:,} points"
        raise problem("axes", points * sweep.seeds, f"{made} with {sweep.seeds} seed{'s' * (sweep.seeds != 1)} are "
                      f"{points * sweep.seeds:,} trainings.", f"At most {MAX_RUNS:,} make a sweep: take fewer values "
                      "or seeds, or the method random with so many trials.")


def _there(axes: Sequence[Values | Range]) -> int:
    """How many different points there are at most."""
    return math.prod(MAX_RUNS if isinstance(axis, Range) and not axis.whole else
                     int(axis.high - axis.low) + 1 if isinstance(axis, Range) else len(axis.values) for axis in axes)


def grid(axes: Sequence[Values | Range]) -> list[Point]:
    """Every combination, the last field changing fastest."""
    return [dict(zip([axis.field for axis in axes], values, strict=True))
            for values in itertools.product(*(axis.listed for axis in axes))]


def drawn(axes: Sequence[Values | Range], trials: int, seed: int) -> list[Point]:
    """`trials` different points, each field drawn evenly; fewer where there are no more. The same for the same seed."""
    source, points, seen = random.Random(seed), list[Point](), set[str]()
    for _ in range(trials):
        for _ in range(TRIES):
            point = {axis.field: axis.at(source.random()) for axis in axes}
            if repr(point) not in seen:
                points.append(point)
                seen.add(repr(point))
                break
        else:
            break
    return points


# -- as it is typed --------------------------------------------------------------------------------


def axis(field: str, text: str, *, whole: bool) -> Values | Range:
    """The values of a field as they are typed: `2,8,32`, `mlp,conv`, `[64],[64, 32]`, `0.1..10:log:5`.

    `whole` says that the field takes whole numbers only. Raises `ConfigError` for what cannot be read.
    """
    if found := BETWEEN.fullmatch(text):
        low, high, words = float(found[1]), float(found[2]), re.findall(r"\w+", found[3])
        options: dict[str, Any] = {"field": field, "kind": "range", "low": low, "high": high,
                                   "whole": whole or "whole" in words}
        for word in words:
            if word.isdecimal():
                options["count"] = int(word[:9])  # more are far too many in any case
            elif word == "log":
                options["log"] = True
            elif word not in ("whole", "linear"):
                raise problem(field, text, f"'{word}' says nothing of a range.",
                              "Write low..high, and behind a colon log, whole, or how many values: 0.1..10:log:5.")
        if whole and "count" not in options and not options.get("log") and abs(high - low) < MAX_VALUES:
            options["count"] = max(2, int(high - low) + 1)  # 2..6 are the five numbers that they say
        return parse(Range, options)
    return parse(Values, {"field": field, "kind": "values", "values": _listed(field, text)})


def _listed(field: str, text: str) -> list[Value]:
    try:
        values = read_yaml(f"[{text}]") if text.strip() else None
    except (yaml.YAMLError, ValueError, RecursionError):
        values = None
    if not values or not all(isinstance(value, bool | int | float | str | list) for value in values):
        raise problem(field, text, f"'{text[:60]}' is no list of values.", HOW)
    return [_number(value) for value in values]


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; a number is what was meant."""
    if isinstance(value, str) and re.fullmatch(NUMBER, value):
        return float(value)
    return tuple(_number(each) for each in value) if isinstance(value, list) else value
