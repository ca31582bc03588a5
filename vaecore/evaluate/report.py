"""A checkpoint judged on one split of its own data set, with the settings that make the numbers mean something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from vaecore.data import SplitName
from vaecore.evaluate.likelihood import log_likelihood
from vaecore.store import Run
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

BATCH = 100  # observations at a time under importance sampling


def evaluate_run(run: Run, split: SplitName = "test", *, importance_samples: int = 0, limit: int = 0, seed: int = 0,
                 progress: Callable[[int, int], object] | None = None) -> dict[str, Any]:
    """The evidence of `run` on `split` as exact means, in nats per observation.

    With `importance_samples` above 0 also log p(x), on the first `limit` observations if `limit` is not 0.
    Raises `BrokenCheckpoint`, `DataUnavailable`, `ConfigError`, or `ValueError` for a family without a prior.
    """
    config = run.config()
    model = load_model(run.path)
    dataset = config.data.load()
    feed = Feed(dataset, split, torch.device("cpu"))
    result: dict[str, Any] = {
        "run": run.id, "split": split, "data": dataset.source, "pixels": getattr(config.data, "pixels", None),
        "seed": seed, **evaluate(model, feed, seed).as_dict()}
    if importance_samples:
        total = min(limit or len(feed), len(feed))
        batches = ({name: x[: max(0, total - start)] for name, x in batch.items()}
                   for start, batch in zip(range(0, total, BATCH), feed.in_order(BATCH), strict=False))
        estimate = log_likelihood(model, batches, importance_samples, seed=seed,
                                  progress=None if progress is None else lambda done: progress(done, total))
        result["importance_sampling"] = asdict(estimate)
    return result
