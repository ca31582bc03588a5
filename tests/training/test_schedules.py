"""Schedules of beta and of the learning rate, at their corners."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.training.runs import small
from vaecore.config import RunConfig
from vaecore.schedules.beta import (
    ConstantBeta,
    CyclicalBeta,
    LinearBeta,
    PointsBeta,
    SigmoidBeta,
    ThereAndBackBeta,
    ramp,
)
from vaecore.schedules.rate import ConstantRate, CosineRate, RestartsRate, StepRate
from vaecore.schema import ConfigError, parse
from vaecore.training.build import check


def test_linear_beta_at_its_corners() -> None:
    ramp = LinearBeta(start=0.5, end=2.5, fraction=0.1)
    assert ramp(0, 1000) == 0.5
    assert ramp(50, 1000) == pytest.approx(1.5)
    assert ramp(99, 1000) < 2.5
    assert ramp(100, 1000) == ramp(101, 1000) == ramp(999, 1000) == ramp.final() == 2.5
    whole = LinearBeta(fraction=1)
    assert whole(0, 10) == 0
    assert whole(9, 10) == pytest.approx(0.9)
    assert whole(10, 10) == 1  # after the last step
    assert LinearBeta()(0, 1) == 0
    assert ConstantBeta(value=4)(0, 10) == ConstantBeta(value=4)(9, 10) == ConstantBeta(value=4).final() == 4


@pytest.mark.parametrize(("start", "end"), [(0.03, 0.3), (0.03, 0.41), (0.1, 0.7), (3.0, 0.1)])
def test_ramps_end_exactly_at_their_end(start: float, end: float) -> None:
    """Patience runs once beta equals its final value: rounding must not keep it just beside."""
    for schedule in (LinearBeta(start=start, end=end), SigmoidBeta(start=start, end=end),
                     CyclicalBeta(start=start, end=end, shape="cosine")):
        assert schedule(0, 1000) == start
        assert schedule(999, 1000) == end == schedule.final()


@pytest.mark.parametrize("shape", ["linear", "sigmoid", "cosine"])
def test_every_ramp_goes_from_0_over_a_half_to_1(shape: Any) -> None:
    assert ramp(shape, 0.0) == 0
    assert [ramp(shape, share) for share in (0.5, 1.0)] == pytest.approx([0.5, 1], abs=1e-15)
    values = [ramp(shape, i / 100) for i in range(101)]
    assert values == sorted(values) and len(set(values)) == 101
    assert [1 - v for v in reversed(values)] == pytest.approx(values, abs=1e-12)  # symmetric about the middle
    quarter = {"linear": 0.25, "cosine": 0.5 * (1 - math.sqrt(0.5)),
               "sigmoid": (1 / (1 + math.exp(3)) - 1 / (1 + math.exp(6))) / (1 - 2 / (1 + math.exp(6)))}
    assert ramp(shape, 0.25) == pytest.approx(quarter[shape], rel=1e-12)


def test_sigmoid_beta_is_half_way_half_way() -> None:
    beta = SigmoidBeta(start=1, end=3, fraction=0.2)
    assert [beta(step, 1000) for step in (0, 100, 200, 201, 999)] == [1, 2, 3, 3, 3]
    assert 1 < beta(50, 1000) < 1.1 and 2.9 < beta(150, 1000) < 3  # slow, fast, slow
    assert beta(199, 1000) < 3


def test_cyclical_beta_is_the_formula_of_fu_et_al() -> None:
    """tau = mod(t - 1, T / M) / (T / M); beta = f(tau / R) up to tau = R, then level. Steps count from 0."""
    beta = CyclicalBeta(start=0.1, end=1.1, cycles=4, ramp=0.5)
    for begin in (0, 100, 200, 300):
        assert beta(begin, 400) == 0.1
        assert beta(begin + 25, 400) == pytest.approx(0.6)
        assert beta(begin + 49, 400) < 1.1
        assert [beta(begin + index, 400) for index in (50, 51, 75, 99)] == [1.1] * 4
    assert beta.final() == 1.1
    # Ten steps in four cycles of 2.5: they begin at 0, 2.5, 5 and 7.5, and the last step is the 0.6th part of one.
    uneven = CyclicalBeta(cycles=4, ramp=0.8)
    assert [uneven(step, 10) for step in range(10)] == pytest.approx([0, 0.5, 1, 0.25, 0.75] * 2)
    many = CyclicalBeta(cycles=300, ramp=0.5)
    assert sum(many(step, 1000) < many(step - 1, 1000) for step in range(1, 1000)) == 299, "300 cycles, 299 falls"
    assert many(999, 1000) == 1, "and the last is level at its end"
    # All ramp and no level part: the last step of a cycle stands one step below its end.
    saw = CyclicalBeta(cycles=3, ramp=1)
    assert [saw(step, 12) for step in range(12)] == pytest.approx([0, 0.25, 0.5, 0.75] * 3)
    every = CyclicalBeta(cycles=5, ramp=0.5)
    assert [every(step, 5) for step in range(5)] == [0] * 5  # a cycle of a single step is its beginning


@pytest.mark.parametrize("shape", ["sigmoid", "cosine"])
def test_cyclical_beta_rises_in_its_shape(shape: Any) -> None:
    beta = CyclicalBeta(cycles=2, ramp=0.5, shape=shape)
    assert [beta(50 + step, 100) for step in range(26)] == [ramp(shape, step / 25) for step in range(25)] + [1]
    assert CyclicalBeta(cycles=2, ramp=0.8, shape=shape)(20, 100) == pytest.approx(0.5, abs=1e-15)


def test_there_and_back_goes_up_by_equal_factors_and_down_the_same_way() -> None:
    beta = ThereAndBackBeta(start=2, top=32, level=0.1, stay=0.2)  # up from 100 to 400, down from 600 to 900
    assert [beta(step, 1000) for step in (0, 50, 100, 900, 950, 999)] == [2] * 6
    assert [beta(step, 1000) for step in (400, 500, 600)] == pytest.approx([32] * 3, rel=1e-12)
    assert [beta(step, 1000) for step in (175, 250, 325)] == pytest.approx([4, 8, 16])
    assert [beta(1000 - step, 1000) for step in range(1, 501)] == [beta(step, 1000) for step in range(1, 501)]
    rising = [beta(step, 1000) for step in range(100, 401)]
    assert rising == sorted(rising) and len(set(rising)) == 301
    assert beta.final() == 2 and max(beta(step, 1000) for step in range(1000)) == 32
    valley = ThereAndBackBeta(start=4, top=1, level=0, stay=0)
    assert [valley(step, 8) for step in range(8)] == pytest.approx([4, 8**0.5, 2, 2**0.5, 1, 2**0.5, 2, 8**0.5])


def test_there_and_back_without_room_to_rise_jumps() -> None:
    steep = ThereAndBackBeta(start=1, top=5, level=0.3, stay=0.5)
    assert [steep(step, 10) for step in range(10)] == [1, 1, 1, 1, 5, 5, 5, 1, 1, 1]
    assert ThereAndBackBeta(start=2)(0, 1) == 2
    with pytest.raises(ConfigError, match=r"training\.beta\.start"):
        parse(RunConfig, small(beta={"kind": "there-and-back", "start": 0}))


def test_points_are_joined_by_straight_lines_and_level_outside() -> None:
    beta = PointsBeta(points=((0.1, 2.0), (0.3, 0.0), (0.5, 4.0)))
    assert [beta(step, 100) for step in (0, 5, 10)] == [2, 2, 2]
    assert [beta(step, 100) for step in (20, 40)] == pytest.approx([1, 2])
    assert beta(30, 100) == pytest.approx(0, abs=1e-12)
    assert [beta(step, 100) for step in (50, 51, 99, 100)] == [4] * 4
    assert beta.final() == 4
    single = PointsBeta(points=((0.5, 3.0),))
    assert single(0, 10) == single(9, 10) == single.final() == 3


@pytest.mark.parametrize(("points", "words"), [
    ([[0.2, 0.0], [0.1, 1.0]], r"0\.1 does not come after 0\.2"),
    ([[0.0, 0.0], [0.25, 1.0], [0.25, 2.0]], r"0\.25 does not come after 0\.25"),
    ([[0.0, 0.0], [1.5, 1.0]], r"1\.5"), ([[0.0, -1.0]], r"-1"), ([], "")])
def test_points_that_do_not_ascend_or_leave_their_range_are_refused(points: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"training\.beta\.points.*{words}"):
        parse(RunConfig, small(beta={"kind": "points", "points": points}))


def test_points_survive_a_file() -> None:
    config = parse(RunConfig, small(beta={"kind": "points", "points": [[0, 0], [0.5, 2]]}))
    assert parse(RunConfig, config.model_dump(mode="json")) == config


def test_rates_at_their_corners() -> None:
    assert ConstantRate()(0, 10) == ConstantRate()(9, 10) == 1
    plain = CosineRate(warmup=0, final=0.1)
    assert plain(0, 1000) == 1
    assert plain(500, 1000) == pytest.approx(0.55)
    assert plain(1000, 1000) == pytest.approx(0.1)
    warm = CosineRate(warmup=0.1, final=0)
    assert 0 < warm(0, 1000) < 0.02
    assert warm(99, 1000) < 1
    assert warm(100, 1000) == 1
    rising, falling = [warm(s, 1000) for s in range(101)], [warm(s, 1000) for s in range(100, 1000)]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert 0 < falling[-1] < 1e-4
    steps = StepRate(factor=0.5, drops=2)
    assert [steps(s, 9) for s in range(9)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert steps(0, 0) == 1


def test_restarts_begin_each_cycle_at_the_full_rate() -> None:
    rate = RestartsRate(cycles=4, final=0.2)
    for begin in (0, 100, 200, 300):
        assert rate(begin, 400) == 1
        assert rate(begin + 50, 400) == pytest.approx(0.6, rel=1e-12)  # half way between 1 and 0.2
        fall = [rate(begin + step, 400) for step in range(100)]
        assert fall == sorted(fall, reverse=True)
        assert 0.2 < fall[-1] < 0.201
    uneven = RestartsRate(cycles=4)  # 2.5 steps each, as beta's cycles
    assert [uneven(step, 10) for step in range(5)] == pytest.approx(
        [0.5 * (1 + math.cos(math.pi * share)) for share in (0, 0.4, 0.8, 0.2, 0.6)])
    assert RestartsRate(cycles=1)(0, 1) == 1


@pytest.mark.parametrize(("part", "kind", "words"), [("beta", "cyclical", "cycles"), ("rate", "restarts", "restarts")])
def test_more_cycles_than_steps_are_refused(configure: Any, part: str, kind: str, words: str) -> None:
    """256 observations in batches of 64, three epochs: 12 steps."""
    def chosen(cycles: int) -> RunConfig:
        return configure(small(**{part: {"kind": kind, "cycles": cycles}}))

    dataset = chosen(1).data.load()
    check(chosen(6), dataset)
    with pytest.raises(ConfigError, match=rf"training\.{part}\.cycles: 7 {words} do not fit into 12 .*at most 6"):
        check(chosen(7), dataset)


def test_a_ramp_that_leaves_no_step_level_is_refused(configure: Any) -> None:
    beta = {"kind": "cyclical", "cycles": 3, "ramp": 0.75}  # 4 steps each, the last of them level
    dataset = configure(small(beta=beta)).data.load()
    check(configure(small(beta=beta)), dataset)
    with pytest.raises(ConfigError, match="at most 3"):
        check(configure(small(beta=beta | {"cycles": 4})), dataset)
    CyclicalBeta(cycles=3, ramp=0.9).check(30)  # 10 steps each: 1 - 0.9 is a little less than a tenth


@pytest.mark.parametrize(("beta", "first"), [
    (ConstantBeta(), 0), (LinearBeta(fraction=0.5), 50), (SigmoidBeta(fraction=0.25), 25),
    (LinearBeta(fraction=1), 100), (CyclicalBeta(cycles=4, ramp=0.6), 90), (CyclicalBeta(cycles=4, ramp=1), 100),
    (PointsBeta(points=((0.0, 1.0), (0.2, 0.0), (0.7, 1.0))), 70), (ThereAndBackBeta(level=0.2), 80)])
def test_settled_is_from_the_last_arrival_on(beta: Any, first: int) -> None:
    """Level parts of earlier cycles and points passed on the way are not the end."""
    assert [beta.settled(step, 100) for step in range(101)] == [step >= first for step in range(101)]
    assert all(beta(step, 100) == beta.final() for step in range(first, 100))
