"""Whose turn it is while the encoder is trained aggressively: He et al. (2019), Algorithm 1, as in their code."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
import torch

from vaecore.schedules.inference import Aggressive
from vaecore.training.turns import Turns

CPU = torch.device("cpu")


def turn(turns: Turns, losses: Sequence[float]) -> int:
    """How many encoder updates with these losses a turn has; `ValueError` when they run out before its end."""
    for count, loss in enumerate(losses, 1):
        assert turns.encoder
        turns.encoder_updated(torch.tensor(loss))
        if not turns.encoder:
            return count
    raise ValueError("the encoder goes on")


def test_a_turn_ends_at_the_first_window_that_is_worse() -> None:
    turns = Turns(Aggressive(window=3, most=99), CPU)
    assert turns.encoder  # it begins aggressive
    # Means of 5, 4, 2 and 3: single losses rise before, and it is the mean that counts.
    assert turn(turns, [9, 3, 3, 1, 1, 10, 0, 6, 0, 3, 3, 3, 0, 0, 0]) == 12
    turns.decoder_updated()
    assert turns.encoder and turns.updates == 0
    # The next turn compares with nothing of this one: its first window may be as bad as it likes.
    assert turn(turns, [90, 90, 90, 91, 91, 91]) == 6
    assert turns.all_updates == 18


def test_equal_means_do_not_end_a_turn() -> None:
    turns = Turns(Aggressive(window=2, most=99), CPU)
    assert turn(turns, [4, 4, 3, 5, 4, 4, 4, 4.5]) == 8


def test_with_a_window_of_one_every_loss_counts() -> None:
    turns = Turns(Aggressive(window=1, most=99), CPU)
    assert turn(turns, [5, 4, 3, 2, 1, 1.5]) == 6
    turns.decoder_updated()
    assert turn(turns, [5, 6, 1]) == 2


@pytest.mark.parametrize(("most", "window", "ends"), [(7, 3, 7), (6, 3, 6), (2, 3, 2), (1, 1, 1)])
def test_a_turn_never_has_more_than_most_updates(most: int, window: int, ends: int) -> None:
    turns = Turns(Aggressive(window=window, most=most), CPU)
    falling = [100.0 - i for i in range(50)]
    assert turn(turns, falling) == ends
    turns.decoder_updated()
    assert turn(turns, falling) == ends
    # A window cut short by `most` leaves nothing behind: means 50 and 60 end the turn, not 50 + what was left.
    turns.decoder_updated()
    if most == 7:
        assert turn(turns, [50, 50, 50, 60, 60, 60]) == 6


def judged(patience: int, values: Sequence[float]) -> int:
    """At which evaluation it stops being aggressive, counted from 1; 0 for never."""
    turns = Turns(Aggressive(patience=patience), CPU)
    for index, value in enumerate(values, 1):
        turns.judge(value)
        if not turns.aggressive:
            assert not turns.encoder  # from now on there is no turn to take
            return index
    return 0


def test_patience_1_is_the_first_fall() -> None:
    assert judged(1, [0.1, 0.5, 0.5, 0.7, 0.69, 0.9]) == 5  # equal is not below
    assert judged(1, [0.0, 0.0, 0.1, 0.2]) == 0
    assert judged(1, [-0.3, -0.4]) == 2  # a negative estimate is a number like others


def test_patience_counts_what_is_below_the_best_and_never_back() -> None:
    assert judged(3, [1.0, 0.5, 2.0, 1.9, 3.0, 4.0, 3.9]) == 7
    assert judged(3, [1.0, 0.5, 0.6, 0.7]) == 4  # rising, but below the best
    assert judged(3, [1.0, 0.5, 2.0, 1.9, 3.0]) == 0


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_a_state_taken_over_goes_on_alike(count: int) -> None:
    config = Aggressive(window=3, most=10, patience=2)
    losses = [0.1 * (7 * i % 11) + 1 / 3 for i in range(60)]

    def script(turns: Turns, begin: int, end: int) -> list[tuple[bool, bool, int, int]]:
        found = []
        for i in range(begin, end):
            if turns.encoder:
                turns.encoder_updated(torch.tensor(losses[i]))
            else:
                turns.decoder_updated()
                turns.judge(math.sin(i))
            found.append((turns.encoder, turns.aggressive, turns.updates, turns.all_updates))
        return found

    whole, part, again = (Turns(config, CPU) for _ in range(3))
    expected = script(whole, 0, 60)
    assert any(not encoder for encoder, *_ in expected) and not expected[-1][1]
    script(part, 0, count)
    again.restore(json.loads(json.dumps(part.state(), allow_nan=False)))
    assert again.state() == part.state()
    assert script(again, count, 60) == expected[count:]
    assert again.state() == whole.state()


@pytest.mark.parametrize("state", [{}, {"aggressive": True}, None, {**Turns(Aggressive(), CPU).state(), "best": "x"},
                                   {**Turns(Aggressive(), CPU).state(), "updates": None}])
def test_what_is_not_a_state_is_refused(state: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Turns(Aggressive(), CPU).restore(state)  # type: ignore[arg-type]
