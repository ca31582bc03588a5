"""Intervals cover what they say they cover, see pairs and groups, and are the closed form where there is one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vaecore.probability.bootstrap import MANY, means

REPEATS = 1_000
BINOMIAL = 3 * math.sqrt(0.95 * 0.05 / REPEATS)  # three standard errors of a share of 95 %: 2.1 %


def covered(x: np.ndarray, truth: float, groups: np.ndarray | None = None) -> float:
    return float(np.mean([each.low <= truth <= each.high for each in means(x, groups)]))


@pytest.mark.parametrize(("name", "truth"), [("normal", 0.0), ("like nats", -90.0)])
def test_an_interval_of_95_percent_covers_the_truth_in_95_percent(name: str, truth: float) -> None:
    """1,000 repeats of 200 observations, normal ones and ones as skewed as nats are: a gamma of shape 4, turned."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, REPEATS)) if name == "normal" else -50 - rng.gamma(4, 10, size=(200, REPEATS))
    assert covered(x, truth) == pytest.approx(0.95, abs=BINOMIAL)


def test_it_is_centred_where_the_values_are_skewed() -> None:
    """Of exponential values the percentile interval misses on one side far more than on the other."""
    rng = np.random.default_rng(2)
    found = means(rng.exponential(size=(60, REPEATS)))
    above, below = (np.mean([each.low > 1 for each in found]), np.mean([each.high < 1 for each in found]))
    assert 0.01 < above < 0.05 and 0.01 < below < 0.06
    assert np.mean([(each.high - each.value) / (each.value - each.low) for each in found]) > 1.15


def test_pairs_see_a_difference_that_single_means_hide() -> None:
    """Two models whose difference is known: 0.5 nats, among observations that differ by 20."""
    rng = np.random.default_rng(3)
    common = rng.normal(-90, 20, size=(400, REPEATS))
    better = common + 0.5 + rng.normal(0, 1, size=common.shape)
    difference = means(better - common)
    assert covered(better - common, 0.5) == pytest.approx(0.95, abs=BINOMIAL)
    assert np.mean([each.low > 0 for each in difference]) > 0.99, "the pairs see it"
    single = means(better[:, :5])
    assert all(each.high - each.low > 3 for each in single), "each mean alone is known to two nats"


def test_groups_are_drawn_together() -> None:
    """Windows of one clip show the same scene: as if they were apart, the interval covers far too little."""
    rng = np.random.default_rng(4)
    scene = rng.normal(size=(60, REPEATS)).repeat(8, 0)
    x = scene + rng.normal(0, 0.3, size=scene.shape)
    groups = np.arange(60).repeat(8)
    assert covered(x, 0.0, groups) == pytest.approx(0.945, abs=BINOMIAL)
    assert covered(x[:, :200], 0.0) < 0.65


def test_of_many_it_is_the_normal_interval() -> None:
    rng = np.random.default_rng(5)
    x = rng.gamma(4, 10, size=MANY)
    [few], [many] = means(x[: MANY - 1, None]), means(x[:, None])
    assert many.low == pytest.approx(x.mean() - 1.959964 * x.std(ddof=1) / math.sqrt(MANY))
    assert (few.low, few.high) == pytest.approx((many.low, many.high), abs=0.2 * many.error)


def test_the_standard_error_is_that_of_the_mean() -> None:
    x = np.random.default_rng(6).normal(size=(50, 2))
    assert [each.error for each in means(x)] == pytest.approx(x.std(0, ddof=1) / math.sqrt(50))
    assert [each.value for each in means(x)] == pytest.approx(x.mean(0))


def test_the_same_values_have_the_same_interval() -> None:
    x = np.random.default_rng(7).normal(size=(50, 3))
    assert means(x) == means(x) != means(x, seed=1)


def test_what_is_not_there_is_left_out() -> None:
    x = np.random.default_rng(8).normal(size=(80, 1))
    gaps = np.concatenate([x, np.full((40, 1), np.nan)])
    [whole], [left] = means(x), means(gaps)
    assert left.value == pytest.approx(whole.value) and left.error == pytest.approx(whole.error, rel=0.02)
    assert left.high - left.low == pytest.approx(whole.high - whole.low, rel=0.15)


def test_those_that_lack_a_column_do_not_count_in_its_error() -> None:
    [few] = means(np.array([[1.0], [3.0], *[[np.nan]] * 998]))
    assert (few.value, few.error) == (2.0, pytest.approx(1.0)), "s / √n of the two"


def test_where_there_is_no_interval() -> None:
    assert [(each.low, each.high) for each in means(np.full((5, 1), 2.0))] == [(2.0, 2.0)]
    for x in (np.ones((1, 1)), np.full((4, 1), np.nan), np.array([[1.0], [np.nan]]),
              np.array([[1.0], *[[np.nan]] * MANY])):
        [found] = means(x)
        assert math.isnan(found.low) and math.isnan(found.high) and math.isnan(found.error)
    [one] = means(np.ones((4, 1)), np.zeros(4, int))  # windows of a single clip
    assert math.isnan(one.low)
