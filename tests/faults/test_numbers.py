"""A member of a stack whose numbers break ends alone: its last good checkpoint loads, and the others are as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.runs import Start, small
from vaecore.training.checkpoints import load_model
from vaecore.training.course import TrainingFailed
from vaecore.training.stacked import train_stacked
from vaecore.training.stacked.engine import Stack


def members(start: Start, prefix: str) -> list[Path]:
    return [start(small(epochs=3, learning_rate=rate, evaluate_every=0.5), name=f"{prefix}-{place}", train=False)
            for place, rate in enumerate((0.001, 0.002, 0.003))]


def test_numbers_that_break_in_one_member_end_that_one(start: Start, watch: Any, monkeypatch: pytest.MonkeyPatch
                                                       ) -> None:
    good, tried = members(start, "good"), members(start, "tried")
    ends: dict[int, Any] = {}
    train_stacked(good, [watch() for _ in good], ends.__setitem__)
    assert ends == {0: "finished", 1: "finished", 2: "finished"}

    true, calls = Stack.update, iter(range(10_000))

    def poisoned(self: Stack, steps: Any) -> None:
        if next(calls) == 6 and len(self.courses) == 3:
            self.rows[1].fill_(torch.nan)
        true(self, steps)

    monkeypatch.setattr(Stack, "update", poisoned)
    ends.clear()
    train_stacked(tried, [watch() for _ in tried], ends.__setitem__)
    assert (ends[0], ends[2]) == ("finished", "finished")
    assert isinstance(ends[1], TrainingFailed) and "At step 6" in str(ends[1])
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(tried[1] / name).values())
        for place in (0, 2):
            expected = load_file(good[place] / name)
            for key, tensor in load_file(tried[place] / name).items():
                assert torch.equal(tensor, expected[key]), (place, name, key)
    load_model(tried[1])
    monkeypatch.undo()
    train_stacked([tried[1]], [watch()], ends.__setitem__)  # now that the cause is gone, from the good checkpoint
    assert ends[0] == "finished"
