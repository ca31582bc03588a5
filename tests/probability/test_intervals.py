"""The small statistics of claims against scipy and closed forms, and what is kept of a claim's cost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.store import Store
from vaecore.studies import CLAIMS, Bench, Finding, Study, about, kept, minutes, run_study

SHIPPED = Store(Path(__file__).parents[2] / "trained")


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_the_interval_is_that_of_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(3, 2, count)
    found = over_seeds(list(values))
    wanted = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.mean == pytest.approx(values.mean()) and found.count == count


def test_two_values_have_the_closed_form() -> None:
    found = over_seeds([1.0, 3.0])  # t with one degree of freedom is Cauchy: its 97.5 % point is tan(0.475 pi)
    assert found.half == pytest.approx(math.tan(0.475 * math.pi))


def test_the_paired_difference_is_that_of_scipy_and_narrower() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 5, 6)
    a, b = shared + rng.normal(1, 0.1, 6), shared
    found = paired(dict(enumerate(a)), dict(reversed(list(enumerate(b)))))
    wanted = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.half < 0.1 * over_seeds(list(a)).half


def test_other_seeds_or_none_or_two_of_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"seeds \[0, 1\] are compared with seeds \[0\]"):
        paired({0: 1.0, 1: 1.0}, {0: 1.0})
    with pytest.raises(ValueError, match="at least one"):
        over_seeds([])
    with pytest.raises(ValueError, match="several rows of one seed"):
        by_seed([{"seed": 0, "KL": 1.0}] * 2, "KL")


def test_from_one_seed_nothing_is_known_of_the_spread() -> None:
    found = over_seeds([4.0])
    assert over_seeds([0.01, 0.03]).words("+.1%").endswith("± 12.7%"), "of a half width there is no sign"
    assert found.low == -math.inf and found.high == math.inf and "one seed" in found.words()


def test_rows_are_chosen_by_their_other_columns() -> None:
    table = [{"my model": m, "seed": s, "KL": 10.0 * s + len(m)} for m in ("a", "bb") for s in (1, 0)]
    assert by_seed(table, "KL", my_model="bb") == {1: 12.0, 0: 2.0}
    assert by_seed([{"seed": 0, "KL": 1.0, "nll": 9.0}, {"seed": 1, "KL": 2.0}], "nll") == {0: 9.0}


# -- M8: what a claim costs ------------------------------------------------------------------------


def busy(_bench: Bench) -> Finding:
    assert sum(i * i for i in range(2_000_000)) > 0
    return Finding(True, "", [{"seed": s, "KL": 1.0} for s in range(3)],
                   intervals={"gain": over_seeds([1.0, 2.0, 3.0]), "of one": over_seeds([1.0])})


def test_m8_cpu_seconds_seeds_and_intervals_are_kept(tmp_path: Path) -> None:
    claim = Study("C99", "t", "s", "s", "e", "r", 7, busy)
    result = run_study(claim, Store(tmp_path))
    assert kept(Store(tmp_path), "C99") == result
    assert 0 < result.cpu_seconds <= result.seconds + 0.2
    assert result.seeds == 3 and list(result.intervals) == ["gain"], "one seed has no interval"
    assert result.intervals["gain"] == pytest.approx([2 - over_seeds([1.0, 2.0, 3.0]).half, 2,
                                                      2 + over_seeds([1.0, 2.0, 3.0]).half])
    assert minutes(claim, result) == result.cpu_seconds / 60 and about(claim, result) == "under 1 CPU minute"
    other = Study("C99", "t", "s", "s", "e", "another rule", 7, busy)
    assert minutes(other, result) == 7 and about(other, result) == "about 7 CPU minutes"


# A result of another rule may be of fewer seeds, and says nothing of what the present one takes.
JUDGED = {name: result for name, claim in CLAIMS.items()
          if (result := kept(SHIPPED, name)) and result.by_rule_of(claim)}


@pytest.mark.parametrize("name", JUDGED)
def test_m8_estimates_are_what_the_kept_result_took(name: str) -> None:
    """Up to 6.6 times too small before."""
    took = (JUDGED[name].cpu_seconds or JUDGED[name].seconds) / 60
    assert took / 1.6 < CLAIMS[name].minutes < 1.6 * took + 0.3
