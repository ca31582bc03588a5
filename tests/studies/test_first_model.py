"""The newcomer's first model: the preset `vae-mnist` on the embedded digits learns, and what it draws can be read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.config import preset
from vaecore.explore import Checkpoint
from vaecore.store import Metrics, Run


def read_digits(images: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label of the nearest known digit, (B, H, W) against (N, H, W): a reader that never saw the model."""
    x, y = images.reshape(len(images), -1) / 255.0, known.reshape(len(known), -1) / 255.0
    distances = (x**2).sum(1)[:, None] - 2 * x @ y.T + (y**2).sum(1)
    return labels[distances.argmin(1)]


@pytest.mark.parametrize(("epochs", "reached"), [(3, 145), pytest.param(30, 135, marks=pytest.mark.slow)])
def test_validation_falls_and_reconstructions_can_be_read(start: Callable[..., Path], epochs: int, reached: float
                                                          ) -> None:
    values: dict[str, Any] = preset("vae-mnist").model_dump(mode="json")
    values["data"]["source"] = "embedded"
    values["training"] |= {"epochs": epochs, "threads": 1}
    run = Run(start(values))
    metrics = Metrics(run.path / "metrics.jsonl")
    metrics.update()
    bound = [-line["elbo"] for line in metrics.evaluations]
    assert bound[0] > 500 and bound[-1] < reached, "from noise to digits, in nats"
    assert all(later < earlier + 3 for earlier, later in pairwise(bound)), "it falls"

    train = run.config().data.load().splits["train"]
    assert train.labels is not None
    checkpoint = Checkpoint.load(run)
    assert checkpoint.labels is not None
    known = np.asarray(train.arrays["image"])[:, 0]
    originals = read_digits(checkpoint.originals(slice(None)), known, train.labels)
    ceiling = float(np.mean(originals == checkpoint.labels))
    drawn = float(np.mean(read_digits(checkpoint.reconstruct(slice(None)), known, train.labels) == checkpoint.labels))
    assert ceiling > 0.9, "the reader can read digits at all"
    assert drawn > ceiling - 0.12, "and reads most reconstructions as the digit that was encoded"
