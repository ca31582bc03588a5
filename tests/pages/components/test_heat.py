"""Thinning, order and packing of the heat maps: what the browser gets must be what was evaluated."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pages.components.heat import CELLS, LIMIT, MAX_MAPS, Heat, ceiling, pack, thin


def unpack(data: bytes) -> dict[str, Any]:
    """The browser's reading of a packed value (heat.js, decode)."""
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    at = 4 + length
    assert at % 4 == 0, "float32 values must be aligned"
    for each in header["maps"]:
        for name, shape in (("steps", (each["columns"],)), ("values", (each["columns"], len(each["dimensions"])))):
            count = int(np.prod(shape))
            each[name] = np.frombuffer(data, "<f4", count, at).reshape(shape)
            at += 4 * count
    assert at == len(data), "nothing may be left over"
    return header


def one(values: Any, steps: Any = None, **options: Any) -> dict[str, Any]:
    """One single map, packed and read again."""
    values = np.asarray(values, dtype=float)
    heat = Heat("a", "a", np.arange(len(values)) if steps is None else np.asarray(steps), values)
    packed: dict[str, Any] = unpack(pack([heat], **options))["maps"][0]
    return packed


@pytest.mark.parametrize("label", ["a", "ab", "abc", "abcd", "β-TCVAE · étape"])
def test_round_trip(label: str) -> None:
    first = Heat(label, "r1", np.array([0, 10, 50]), np.array([[0.5, 1], [0.25, 2], [0.125, 3]]))
    second = Heat("b", "r2", np.array([7]), np.array([[4.0, 5.0, 6.0]]))
    header = unpack(pack([first, second], height=200))
    assert (header["height"], header["ordered"], header["ceiling"]) == (200, False, 6.0)
    a, b = header["maps"]
    assert [(m["label"], m["run"], m["given"]) for m in (a, b)] == [(label, "r1", 3), ("b", "r2", 1)]
    np.testing.assert_array_equal(a["steps"], first.steps)
    np.testing.assert_array_equal(a["values"], first.values)
    np.testing.assert_array_equal(b["values"], second.values)
    assert (a["dimensions"], b["dimensions"]) == ([0, 1], [0, 1, 2])
    assert (a["reach"], b["reach"]) == (25.0, 1.0), "the median distance of the evaluations"


def test_ordered_by_the_last_evaluation_with_rows_that_keep_their_number() -> None:
    values = [[9.0, 0.0, 0.0, 0.0], [0.1, 3.0, np.nan, 0.1]]
    packed = one(values, ordered=True)
    assert packed["dimensions"] == [1, 0, 3, 2], "ties in the order of the dimensions, nan at the bottom"
    np.testing.assert_array_equal(packed["values"], np.asarray(values, dtype=np.float32)[:, [1, 0, 3, 2]])


@pytest.mark.parametrize("values", [[], np.empty((0, 0)), np.empty((0, 5))])
@pytest.mark.parametrize("ordered", [False, True])
def test_no_evaluation(values: Any, ordered: bool) -> None:
    assert one(values, ordered=ordered)["columns"] == 0
    assert unpack(pack([], ordered=ordered))["maps"] == []


def test_no_dimension() -> None:
    packed = one(np.empty((3, 0)), ordered=True)
    assert (packed["columns"], packed["dimensions"]) == (3, [])


@pytest.mark.parametrize("limit", [2, 3, 10, LIMIT])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 11, LIMIT - 1, LIMIT, LIMIT + 1, 50_000])
def test_thinning_keeps_first_and_last_within_the_limit(n: int, limit: int) -> None:
    kept = thin(n, limit)
    assert min(n, limit // 2) <= len(kept) <= limit
    assert np.all(np.diff(kept) > 0)
    if n:
        assert (kept[0], kept[-1]) == (0, n - 1)


def test_columns_stay_put_while_evaluations_are_added() -> None:
    before, after = set(thin(5000)), set(thin(5010))
    assert before - after <= {4999}


def test_a_wide_latent_gets_fewer_columns() -> None:
    packed = one(np.zeros((700, 1000)))
    assert packed["columns"] <= CELLS // 1000
    assert len(packed["dimensions"]) == 1000
    assert packed["steps"][[0, -1]].tolist() == [0, 699]


def test_values_that_are_not_finite_are_marked_and_do_not_stretch_the_scale() -> None:
    values = np.array([[1.0, np.nan, np.inf, -np.inf, 1e300, 2.0]])
    header = unpack(pack([Heat("a", "a", np.array([0]), values)]))
    np.testing.assert_array_equal(header["maps"][0]["values"], [[1.0, np.nan, np.nan, np.nan, np.nan, 2.0]])
    assert header["ceiling"] == 2.0
    assert unpack(pack([Heat("a", "a", np.array([0]), np.full((1, 2), np.nan))]))["ceiling"] == 1.0


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 1), (1e-9, 1), (1, 1), (1.2, 1.5), (2, 2), (6.1, 8), (9, 10), (71, 80)]
)
def test_the_scale_ends_at_a_round_number_of_at_least_one_nat(largest: float, top: float) -> None:
    assert ceiling(largest) == top


def test_a_resumed_run_overwrites_the_steps_it_repeats() -> None:
    packed = one([[1.0], [2.0], [3.0], [20.0], [9.0]], steps=[1, 2, 3, 2, np.nan])
    np.testing.assert_array_equal(packed["steps"], [1, 2, 3])
    np.testing.assert_array_equal(packed["values"], [[1.0], [20.0], [3.0]])
    assert packed["given"] == 3


@pytest.mark.parametrize("values", [np.zeros(2), np.zeros((3, 4)), np.zeros((2, 1, 1)), np.zeros((0, 4))])
def test_shapes_must_agree(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="2 steps but values of shape"):
        pack([Heat("a", "a", np.arange(2), values)])


def test_at_most_eight() -> None:
    heat = Heat("a", "a", np.arange(1), np.zeros((1, 1)))
    assert len(unpack(pack([heat] * MAX_MAPS))["maps"]) == MAX_MAPS
    with pytest.raises(ValueError, match="at most 8 maps, not 9"):
        pack([heat] * (MAX_MAPS + 1))
