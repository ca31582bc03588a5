"""He et al. (2019) in small: the aggressive encoder finds a code where plain training finds none."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vaecore.claims import CLAIMS, run_claim
from vaecore.config import changed, preset
from vaecore.store import Store
from vaecore.training.feed import Feed
from vaecore.training.loop import FLUSH_STEPS, Trainer
from vaecore.training.setup import build
from vaecore.training.validation import evaluate

CPU = torch.device("cpu")
STEPS = 60  # decoder updates; about 2,700 of the aggressive encoder


def information_after(kind: str, steps: int) -> float:
    """Mutual information on the validation set after so many decoder updates."""
    config = changed(preset(f"lagging-{kind}"), ["data.data_seed=0", "data.size=8000"])
    dataset = config.data.load()
    trainer = Trainer(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    for step in range(steps):
        while not trainer.advance(step):
            pass
        if len(trainer.pending) == FLUSH_STEPS:
            trainer.flush()
    trainer.flush()
    return evaluate(trainer.model, Feed(dataset, "validation", CPU), 0).information["z"].mutual_information


def test_the_aggressive_encoder_finds_a_code_and_the_plain_one_does_not() -> None:
    torch.set_flush_denormal(True)
    assert information_after("basic", STEPS) < 0.05
    assert information_after("aggressive", STEPS) > 0.4


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("name", ["C1", "C13", "C14", "C22"])
def test_claim(name: str, tmp_path: Any) -> None:
    """Those that were found to hold; C15 and C16 come out as they come out."""
    assert run_claim(CLAIMS[name], Store(tmp_path)).verdict == "reproduced"
