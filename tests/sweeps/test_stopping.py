"""Which points a rule stops, on made curves of which it is known which ones it must."""

from __future__ import annotations

import pytest

from vaecore.sweeps.declared import Halving, Median, NoStopping
from vaecore.sweeps.stopping import Course, stopped

EPOCHS = 20


def course(end: float, *, start: float = -100.0, upto: int = 10, seeds: int = 1, judged_from: float = 0.0,
           running: bool = True, slow: float = 0.0) -> Course:
    """A point whose curves rise evenly from `start` to `end` in 20 epochs, after `slow` ones at `start`."""
    line = [(float(epoch), start + (end - start) * max(0.0, epoch - slow) / (EPOCHS - slow))
            for epoch in range(upto + 1)]
    return Course({seed: [(epoch, value - 0.01 * seed) for epoch, value in line] for seed in range(1, seeds + 1)},
                  judged_from, EPOCHS, running=running)


def test_the_median_rule_stops_those_below_the_median_and_no_other() -> None:
    courses = {number: course(end) for number, end in enumerate([-10.0, -20.0, -29.0, -40.0, -50.0], 1)}
    assert set(stopped(Median(grace=0.3), courses)) == {4, 5}  # the third is above the median of the other four, -30
    assert stopped(NoStopping(), courses) == {}


def test_nothing_is_stopped_within_its_grace_or_before_there_is_enough_to_compare() -> None:
    courses = {number: course(end, upto=5) for number, end in enumerate([-10.0, -20.0, -30.0, -40.0], 1)}
    assert stopped(Median(grace=0.3), courses) == {}  # epoch 5 of 20 lies within the first 30 %
    assert set(stopped(Median(grace=0.25), courses)) == {3, 4}
    assert stopped(Median(grace=0.25, at_least=4), courses) == {}


def test_points_are_compared_at_the_same_epoch_and_not_by_their_newest_numbers() -> None:
    """One that has come half as far is worse now, and better than the others were then."""
    ahead = {number: course(end, upto=20) for number, end in enumerate([-40.0, -42.0, -44.0], 2)}
    assert stopped(Median(), {1: course(-30.0, upto=10), **ahead}) == {}
    assert set(stopped(Median(), {1: course(-50.0, upto=10), **ahead})) >= {1}


def test_a_slow_starter_under_annealing_is_not_stopped_before_its_beta_has_arrived() -> None:
    """Until beta is at its end its ELBO at beta = 1 is bad, and then it is the best of all."""
    others = {number: course(-40.0 - number, upto=20, running=False) for number in range(2, 6)}
    slow = course(-20.0, upto=11, slow=10, judged_from=10.0)
    assert stopped(Median(grace=0.1), {1: course(-20.0, upto=9, slow=10, judged_from=10.0), **others}) == {}
    assert set(stopped(Median(grace=0.1), {1: course(-20.0, upto=11, slow=10), **others})) >= {1}  # the trap itself
    assert 1 not in stopped(Median(grace=0.6), {1: slow, **others})
    assert 1 not in stopped(Halving(first=0.1), {1: course(-20.0, upto=9, slow=10, judged_from=10.0), **others})


def test_an_error_that_was_small_while_beta_was_near_nothing_counts_for_nothing() -> None:
    """Of an autoencoder the error is small: what was seen before `judged_from` is not the best of anything."""
    annealed = Course({1: [(0, 9.0), (5, 9.0), (10, 1.0), (12, 1.1)]}, 10.0, EPOCHS)
    others = {number: Course({1: [(0, 0.0), (5, 2.0), (10, 3.0), (12, 3.0)]}, 0.0, EPOCHS) for number in (2, 3, 4)}
    assert annealed.best(1, 12) == 1.1
    assert set(stopped(Median(), {1: annealed, **others})) == {1}


@pytest.mark.parametrize("rule", [Median(grace=0.0, at_least=1), Halving(first=0.05, factor=2), Halving()])
@pytest.mark.parametrize("upto", [1, 3, 8, 20])
def test_the_best_is_never_stopped(rule: Median | Halving, upto: int) -> None:
    courses = {number: course(-10.0 * number, upto=upto) for number in range(1, 10)}
    assert 1 not in stopped(rule, courses)
    assert 1 not in stopped(rule, {number: course(-10.0, upto=upto) for number in range(1, 10)})  # all alike: none


def test_halving_lets_one_in_three_through_each_rung() -> None:
    courses = {number: course(-10.0 * number, upto=4) for number in range(1, 10)}
    assert set(stopped(Halving(first=0.2, factor=3), courses)) == {4, 5, 6, 7, 8, 9}
    further = {number: course(-10.0 * number, upto=12 if number <= 3 else 4, running=number <= 3)
               for number in range(1, 10)}
    assert set(stopped(Halving(first=0.2, factor=3), further)) == {2, 3}  # at epoch 12, three times as far
    before = {number: course(-10.0 * number, upto=3) for number in range(1, 10)}
    assert stopped(Halving(first=0.2, factor=3), before) == {}


def test_a_point_is_judged_by_the_mean_of_the_seeds_that_both_have() -> None:
    """Seed 2 is bad luck for all points: a point that has only met it yet is not stopped for it."""
    def with_seeds(one: float | None, two: float | None) -> Course:
        return Course({seed: [(0, value), (10, value)] for seed, value in ((1, one), (2, two)) if value is not None},
                      0.0, EPOCHS)

    others = {number: with_seeds(10.0, 0.0) for number in (2, 3, 4)}
    assert 1 not in stopped(Median(), {1: with_seeds(None, 1.0), **others})
    assert 1 in stopped(Median(), {1: with_seeds(None, -1.0), **others})
    assert 1 in stopped(Median(), {1: with_seeds(11.0, -5.0), **others})  # 3 against 5


def test_one_that_has_ended_by_itself_is_compared_with_at_every_later_epoch() -> None:
    early = Course({1: [(0, 0.0), (6, 50.0)]}, 0.0, EPOCHS, running=False, finished=frozenset({1}))
    slow = Course({1: [(0, 0.0), (12, 40.0)]}, 0.0, EPOCHS)
    assert set(stopped(Median(at_least=1), {1: slow, 2: early})) == {1}
    unfinished = Course({1: [(0, 0.0), (6, 50.0)]}, 0.0, EPOCHS, running=False)
    assert stopped(Median(at_least=1), {1: slow, 2: unfinished}) == {}
