"""Files from anywhere: what is forgiven, what is not, and that what we make ourselves is forgiven nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from vaecore.untrusted import LARGEST_NUMBER, LONGEST_WORD, Number, Sane, Untrusted, Whole, Word


class Inner(Untrusted):
    size: Whole
    share: float = math.nan


class Outer(Untrusted):
    name: Word = "nobody"
    step: Whole | None = None
    rate: Sane = 0.0
    terms: dict[str, Number] = {}  # noqa: RUF012 (pydantic copies it)
    groups: list[Inner] = []  # noqa: RUF012
    pair: tuple[float, float] | None = None


def test_what_is_whole_is_read_and_what_is_not_declared_is_passed_over() -> None:
    found = Outer.kept({"name": "x" * 999, "step": 3, "rate": 0.5, "terms": {"a": 1, "b": None}, "pair": [1, 2],
                        "groups": [{"size": 2, "share": 0.25}], "else": "?"})
    assert (len(found.name), found.step, found.rate, found.pair) == (LONGEST_WORD, 3, 0.5, (1.0, 2.0))
    assert found.terms["a"] == 1.0 and math.isnan(found.terms["b"]), "a number that is none"
    assert found.groups == [Inner(size=2, share=0.25)] and not hasattr(found, "else")


@pytest.mark.parametrize(("change", "field", "value"), [
    ({"name": 7}, "name", "nobody"), ({"step": "three"}, "step", None), ({"step": 1.5}, "step", None),
    ({"step": 10**400}, "step", None), ({"rate": math.nan}, "rate", 0.0), ({"rate": 2 * LARGEST_NUMBER}, "rate", 0.0),
    ({"terms": {"a": 1.0, "b": "much", "c": [2]}}, "terms", {"a": 1.0}), ({"terms": 3}, "terms", {}),
    ({"groups": [{"size": 1}, "junk", {"share": 1}, {"size": 2}]}, "groups", [1, 2]), ({"pair": [1]}, "pair", None),
    ({"pair": [1, "x"]}, "pair", None)])
def test_what_cannot_be_read_costs_itself(change: dict[str, Any], field: str, value: Any) -> None:
    found = getattr(Outer.kept(change), field)
    assert ([each.size for each in found] if field == "groups" else found) == value


def test_a_number_that_is_none_is_nan_and_what_has_to_be_there_is_missed() -> None:
    assert math.isnan(Inner.kept({"size": 1, "share": "?"}).share)
    for value in ({}, {"size": None}, {"size": "x"}, [], None, 3):
        with pytest.raises(ValidationError):
            Inner.kept(value)


@pytest.mark.parametrize("change", [{"name": 7}, {"step": "three"}, {"rate": math.nan}, {"terms": {"a": "much"}},
                                    {"groups": ["junk"]}, {"pair": (1,)}])
def test_what_we_make_is_forgiven_nothing(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Outer(**change)
