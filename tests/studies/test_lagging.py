"""He et al. (2019) in small: the aggressive encoder finds a code where plain training finds none; claim C13 whole."""

from __future__ import annotations

import pytest
import torch

from vaecore.config import changed, preset
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

CPU = torch.device("cpu")
STEPS = 60  # decoder updates; about 2,700 of the aggressive encoder


def information_after(kind: str, steps: int) -> float:
    """Mutual information on the validation set after so many decoder updates."""
    config = changed(preset(f"lagging-{kind}"), ["data.data_seed=0", "data.size=8000"])
    dataset = config.data.load()
    trainer = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    for step in range(steps):
        while not trainer.advance(step):
            pass
        if len(trainer.pending) == FLUSH_STEPS:
            trainer.flush()
    trainer.flush()
    return evaluate(trainer.model, Feed(dataset, "validation", CPU), 0).information["z"].mutual_information


@pytest.mark.slow
def test_the_aggressive_encoder_finds_a_code_and_the_plain_one_does_not() -> None:
    torch.set_flush_denormal(True)  # as the worker does
    try:
        assert information_after("basic", STEPS) < 0.05
        assert information_after("aggressive", STEPS) > 0.4
    finally:
        torch.set_flush_denormal(False)
