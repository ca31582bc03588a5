"""Packing of the cloud: what the browser gets, what it may send back, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pages.components.cloud import (
    NONE,
    Axis,
    Category,
    Chosen,
    Map,
    Number,
    Plane,
    Sprites,
    chosen,
    pack,
)
from tests.pages.lasso import as_sent

X, Y = np.array([0.5, -1, 2], np.float32), np.array([1, 2, 3], np.float32)
ROWS = np.array([0, 7, 9], np.uint32)
LABELS = Category("label", "Class", ("cat", "dog"), np.array([1, NONE, 0], np.uint16))
TOLD = {"key": "k", "split": "test", "noun": "image"}


def one(x: Any = X, y: Any = Y, **more: Any) -> Map:
    return Map("runs/a", "a", "dims", x, y, Axis("z3", "prior σ"), Axis("z0"), 4, **more)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The browser's reading of a packed value."""
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4:4 + length])
    assert length % 4 == 0 and all(column["offset"] % 4 == 0 for column in header["columns"].values())
    return header, {name: np.frombuffer(data, f"<{column['type']}", column["count"], 4 + length + column["offset"])
                    for name, column in header["columns"].items()}


def test_the_browser_reads_what_was_packed() -> None:
    plane = Plane(*(np.full(4, value, np.float32) for value in (0, 1, 2)))
    number = Number("kl", "KL", "/map/kl", 0.5, float("nan"), "nats")
    header, columns = unpack(pack(
        [one(plane=plane, codes="/codes", numbers=[number]), one(-X, Y)], ROWS, categories=[LABELS], colour="label",
        sprites=Sprites("/s/{page}", (28, 28), 36, 1296), held=("0:rows:", ""), **TOLD))
    assert columns["row"].tolist() == [0, 7, 9] and columns["category.label"].tolist() == [1, NONE, 0]
    np.testing.assert_array_equal(columns["x.0"], X)
    np.testing.assert_array_equal(columns["x.1"], -X)
    np.testing.assert_array_equal(columns["y.1"], Y)
    assert header["maps"][0]["plane"] == {"origin": [0] * 4, "across": [1] * 4, "up": [2] * 4}
    assert header["maps"][0]["numbers"] == [{"name": "kl", "title": "KL", "unit": "nats", "help": "", "low": 0.5,
                                             "high": 0.0, "address": "/map/kl"}]
    assert header["maps"][1]["plane"] is None and header["maps"][1]["across"] == {"title": "z3", "unit": "prior σ"}
    assert header["categories"] == [{"name": "label", "title": "Class", "help": "", "names": ["cat", "dog"]}]
    assert header["sprites"] == {"address": "/s/{page}", "cell": [28, 28], "columns": 36, "count": 1296}
    assert (header["n"], header["colour"], header["chosen"], header["against"]) == (3, "label", "0:rows:", "")


@pytest.mark.parametrize(("change", "words"), [
    ({"maps": []}, "0 maps"), ({"maps": [one()] * 3}, "3 maps"), ({"maps": [one(x=X[:2])]}, "x has shape"),
    ({"rows": ROWS[:0]}, "0 points"),
    ({"categories": [Category("label", "Class", ("cat",), LABELS.places)]}, "of its 1 names"),
    ({"categories": [Category("label", "Class", ("cat",), LABELS.places[:2])]}, "category 'label'")])
def test_what_does_not_fit_is_named(change: dict[str, Any], words: str) -> None:
    given = {"maps": [one()], "rows": ROWS, **TOLD, **change}
    with pytest.raises(ValueError, match=words):
        pack(given.pop("maps"), given.pop("rows"), **given)


@pytest.mark.parametrize("places", [[], [5], [0, 1, 98, 99], list(range(0, 100, 2)), list(range(100))])
def test_a_lasso_comes_back_as_it_was(places: list[int]) -> None:
    sent = as_sent(Chosen(1, np.array(places, np.int64)), 100)
    assert chosen(sent, 100, 2).places.tolist() == places and chosen(sent, 100, 2).map == 1
    assert len(sent) < 40


@pytest.mark.parametrize("sent", [
    None, 3, "", "0:rows", "0:rows:!!", "0:rows:AAA=", "2:rows:AAAAAA==", "0:bits:AA==", "0:other:AAAAAA==", "0:rows:é",
    "0:rows:" + "A" * 10_000, "-1:rows:AAAAAA=="])
def test_anything_else_chooses_nothing(sent: object) -> None:
    assert len(chosen(sent, 100).places) == 0


def test_places_beyond_the_points_are_left_out() -> None:
    assert chosen(as_sent(Chosen(0, np.array([3, 99])), 1_000_000), 50).places.tolist() == [3]
