"""Thinning and packing of the live curves: what the browser gets must look like what was given."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from vaecore.charts.curves import LIMIT, Clock, Panel, Series, pack, thin


def unpack(data: bytes) -> dict[str, Any]:
    """The browser's reading of a packed value (curves.js, decode)."""
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    at = 4 + length
    assert at % 4 == 0, "float32 columns must be aligned"
    for series in (s for panel in header["panels"] for s in panel["series"]):
        for name in ("x", "y", "mean", "count") if series["blocked"] else ("x", "y"):
            series[name] = np.frombuffer(data, "<f4", series["points"], at)
            at += 4 * series["points"]
    for clock in header["runs"].values():
        for name in ("steps", "seconds"):
            clock[name] = np.frombuffer(data, "<f4", clock["knots"], at)
            at += 4 * clock["knots"]
    assert at == len(data), "nothing may be left over"
    return header


def one(y: Any, x: Any = None, **options: Any) -> dict[str, Any]:
    """The packed panel of one single series."""
    y = np.asarray(y, dtype=float)
    series = Series("training", np.arange(1, len(y) + 1) if x is None else np.asarray(x), y, run="a")
    panel: dict[str, Any] = unpack(pack([Panel("loss", [series])], **options))["panels"][0]
    return panel


@pytest.mark.parametrize("label", ["a", "ab", "abc", "abcd", "β-TCVAE · étape"])
def test_round_trip(label: str) -> None:
    first = Series(label, np.array([0, 1, 2]), np.array([3.0, 2.0, 1.5]), run="r1")
    second = Series("validation", np.array([2]), np.array([1.75]), run="r1", dashed=True)
    panels = [
        Panel("ELBO", [first, second], unit="nats", help="higher is better"),
        Panel("KL", [], may_log=False),
    ]
    clocks = {"r1": Clock(2.0, np.array([0, 2]), np.array([0.0, 7.5]), zero=1.0)}
    header = unpack(pack(panels, clocks=clocks, smoothing=0.5, height=200, columns=3))
    assert (header["smoothing"], header["height"], header["columns"]) == (0.5, 200, 3)
    elbo, kl = header["panels"]
    assert (elbo["unit"], elbo["help"], elbo["mayLog"], kl["mayLog"]) == ("nats", "higher is better", True, False)
    clock = header["runs"]["r1"]
    assert (clock["perEpoch"], clock["zero"], clock["seconds"].tolist()) == (2, 1, [0, 7.5])
    assert kl["series"] == []
    assert [s["label"] for s in elbo["series"]] == [label, "validation"]
    assert [s["group"] for s in elbo["series"]] == ["r1", "r1"]
    assert [s["dashed"] for s in elbo["series"]] == [False, True]
    np.testing.assert_array_equal(elbo["series"][0]["x"], [0, 1, 2])
    np.testing.assert_array_equal(elbo["series"][0]["y"], [3.0, 2.0, 1.5])
    np.testing.assert_array_equal(elbo["series"][1]["y"], [1.75])


def test_without_a_run_the_label_decides_the_colour() -> None:
    x = np.arange(2)
    header = unpack(pack([Panel("terms", [Series("kl", x, x), Series("reconstruction", x, x)])]))
    assert [s["group"] for s in header["panels"][0]["series"]] == ["kl", "reconstruction"]


def test_empty_series() -> None:
    panel = one([])
    assert panel["series"][0]["points"] == panel["series"][0]["given"] == 0
    assert len(thin(np.array([]))) == 0


def test_short_series_are_sent_whole() -> None:
    y = np.random.default_rng(0).normal(size=LIMIT)
    np.testing.assert_array_equal(one(y)["series"][0]["y"], y.astype(np.float32))


@pytest.mark.parametrize("n", [LIMIT + 1, 1999, 4096, 50_001, 1_000_000])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("log", [False, True])
def test_thinning_keeps_ends_extremes_and_stays_within_the_limit(n: int, gaps: bool, log: bool) -> None:
    rng = np.random.default_rng(n)
    y = rng.normal(size=n)
    y[rng.integers(1, n - 1)] = 50.0
    y[rng.integers(1, n - 1)] = -50.0
    if gaps:
        y[n // 3 : n // 3 + 5] = np.nan
    kept = thin(y, log=log)
    assert 300 <= len(kept) <= LIMIT
    assert np.all(np.diff(kept) > 0)
    assert (kept[0], kept[-1]) == (0, n - 1)
    assert np.nanmax(y[kept]) == np.nanmax(y)
    assert np.nanmin(y[kept]) == np.nanmin(y)
    assert np.isnan(y[kept]).any() == gaps


def test_every_stretch_keeps_its_own_extremes() -> None:
    n = 100_000
    y = np.sin(np.arange(n) / 300) * np.linspace(1, 5, n)
    kept = thin(y)
    for part in np.array_split(np.arange(n), 50):
        inside = kept[(kept >= part[0]) & (kept <= part[-1])]
        width = np.ptp(y[part])
        assert y[inside].max() > y[part].max() - 0.05 * width
        assert y[inside].min() < y[part].min() + 0.05 * width


def test_a_log_axis_keeps_early_points() -> None:
    y = np.random.default_rng(3).normal(size=100_000)
    assert np.sum(thin(y) < 100) <= 3
    assert np.sum(thin(y, log=True) < 100) > 60


@pytest.mark.parametrize("log", [False, True])
def test_old_points_stay_put_while_a_series_grows(log: bool) -> None:
    y = np.random.default_rng(1).normal(size=6000)
    before, after = set(thin(y[:5000], log=log)), set(thin(y[:5010], log=log))
    assert len(before - after) <= 3, "only the last bucket may change, or the line shimmers"


def test_values_that_are_not_finite_become_gaps_and_are_counted() -> None:
    panel = one([1.0, np.nan, np.inf, -np.inf, 1e300, 2.0])
    np.testing.assert_array_equal(np.isnan(panel["series"][0]["y"]), [False, True, True, True, True, False])
    assert panel["note"] == "4 values nan or infinite"
    assert one([1.0, 2.0])["note"] == ""


def test_a_gap_survives_thinning_where_it_is() -> None:
    y = np.ones(10_000)
    y[7_777] = np.nan
    series = one(y)["series"][0]
    assert series["x"][np.isnan(series["y"])].tolist() == [7_778]


def test_what_a_log_axis_shows_survives_thinning() -> None:
    """Which axis it will be is the browser's choice: so the early points and the least above 0 are there."""
    y = np.ones(100_000)
    y[::2] = -1.0  # the minimum of every bucket is one that no log axis draws
    series = one(y)["series"][0]
    assert (series["y"] > 0).sum() >= 300 and (series["y"] < 0).sum() >= 300
    assert (series["x"] < 100).sum() > 20


def test_in_a_crowd_each_series_gets_less_and_no_spike_is_lost() -> None:
    rng = np.random.default_rng(5)
    many = []
    for run in range(12):
        y = rng.normal(size=20_000)
        y[rng.integers(20_000)], y[rng.integers(20_000)] = 99.0 + run, -99.0 - run
        many.append(Series("training", np.arange(20_000), y, run=f"run-{run}"))
    [panel] = unpack(pack([Panel("KL", many)]))["panels"]
    for given, sent in zip(many, panel["series"], strict=True):
        assert sent["points"] < LIMIT and (sent["y"].max(), sent["y"].min()) == (given.y.max(), given.y.min())


def test_a_resumed_run_overwrites_the_steps_it_repeats() -> None:
    series = one([1.0, 2.0, 3.0, 20.0, 30.0], x=[1, 2, 3, 2, 3])["series"][0]
    np.testing.assert_array_equal(series["x"], [1, 2, 3])
    np.testing.assert_array_equal(series["y"], [1.0, 20.0, 30.0])
    assert series["given"] == 5


def test_blocks_hold_every_value_once() -> None:
    y = np.random.default_rng(2).exponential(size=30_000)
    y[123] = np.nan
    series = one(y)["series"][0]
    assert series["count"].sum() == np.isfinite(y).sum()
    assert np.average(series["mean"], weights=series["count"]) == pytest.approx(np.nanmean(y), rel=1e-4)
    assert not one(y[:100])["series"][0]["blocked"], "what is sent whole stands for itself"


def test_a_series_on_the_right_is_neither_logarithmic_nor_smoothed() -> None:
    n = 3 * LIMIT
    x, beta = np.arange(n), np.linspace(-1, 1, n)
    kl = Series("training", x, np.where(x == 5, -1.0, 2.0), run="a")
    right = Series("β", x, beta, run="a", right=True, step=True)
    panel = Panel("KL and β", [kl, right], unit="nats", right_title="β", right_unit="1")
    packed = unpack(pack([panel]))["panels"][0]
    assert (packed["unit"], packed["rightTitle"], packed["rightUnit"]) == ("nats", "β", "1")
    assert [s["right"] for s in packed["series"]] == [s["step"] for s in packed["series"]] == [False, True]
    assert [s["blocked"] for s in packed["series"]] == [True, False]
    assert packed["series"][1]["y"][[0, -1]].tolist() == [-1.0, 1.0]


def test_a_clock_ascends_whatever_a_resumed_run_repeats() -> None:
    """What is kept is read off the axis between two knots: each is later than the one before."""
    steps, seconds = np.array([0, 10, 20, 15, 20, 30]), np.array([1.0, 5.0, 9.0, 7.0, math.nan, 13.0])
    clock = unpack(pack([], clocks={"a": Clock(5, steps, seconds)}))["runs"]["a"]
    assert (clock["steps"].tolist(), clock["seconds"].tolist()) == ([0, 10, 20, 30], [1, 5, 9, 13])
    long = unpack(pack([], clocks={"a": Clock(5, np.arange(50_000), np.arange(50_000) / 7)}))["runs"]["a"]
    assert long["knots"] <= 400 and (long["steps"][0], long["steps"][-1]) == (0, 49_999)
    with pytest.raises(ValueError, match="2 steps but 1 seconds"):
        pack([], clocks={"a": Clock(5, np.arange(2), np.arange(1))})


def test_curves_that_lie_on_each_other_are_told() -> None:
    x, y = np.arange(50), np.random.default_rng(0).normal(size=50)
    lines = {"a": y, "b": y.copy(), "c": y + np.where(x == 49, 1e-3, 0), "d": y}
    panel = Panel("KL", [Series("training", x, value, run=run) for run, value in lines.items()])
    assert unpack(pack([panel]))["same"] == {"b": "a", "d": "a"}
    other = Panel("ELBO", [Series("training", x, x * (run == "b"), run=run) for run in lines])
    sent = unpack(pack([panel, other]))
    assert sent["same"] == {"d": "a"}, "in all charts, or they are not the same"
    assert [each["hidden"] for each in sent["panels"]] == [1, 1], "b on a, c on a"


@pytest.mark.parametrize("bad", [-0.1, 1.0, float("nan")])
def test_smoothing_out_of_range(bad: float) -> None:
    with pytest.raises(ValueError, match="smoothing"):
        pack([], smoothing=bad)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 x but 3 y"):
        pack([Panel("loss", [Series("training", np.arange(2), np.arange(3))])])
