"""How a checkpoint uses its code, on demand: KL by dimension, active units, mutual information, lag of the encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from vaecore.aggregate import information
from vaecore.data import SplitName
from vaecore.distributions import DiagonalGaussian
from vaecore.models.video import VideoFamily
from vaecore.store import Run
from vaecore.training import ACTIVE
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.snapshots import snapshot
from vaecore.training.validation import BATCH

LARGEST = 20_000  # observations: all pairs of them are compared
STILL = 1e-3  # standard deviation, in that of the prior
POINTS, CODES = 100, 256  # of the comparison with the model posterior


def diagnose(run: Run, split: SplitName = "validation", *, observations: int = 10_000, batch_size: int = 32,
             seed: int = 0, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]:
    """What the code of `run` says about up to `observations` of a split, in nats per observation, by latent.

    `kl` and `code_variance` by dimension, `active`, rate and distortion, `information` (full set beside minibatches
    of `batch_size`), and correlation and spread of the model posterior's means and the encoder's.
    Raises `BrokenCheckpoint`, `DataUnavailable`, `ConfigError`, or `ValueError` for a family without a posterior.
    """
    config = run.config()
    if not config.model.has_kl:
        raise ValueError(f"{config.model.title} has no posterior to look into. Choose a run of a family with a KL.")
    model = load_model(run.path)
    if isinstance(model, VideoFamily):
        raise ValueError(f"{config.model.title} has codes of frames, not of whole observations. Their KL by frame is "
                         "on the page Video, and in what `vaecore evaluate` tells.")
    dataset = config.data.load()
    feed = Feed(dataset, split, torch.device("cpu"))
    total = min(observations, LARGEST, len(feed))
    generator = torch.Generator().manual_seed(seed)
    parts: dict[str, list[DiagonalGaussian]] = {}
    distortion, done, size = 0.0, 0, model.at_once(BATCH)
    with torch.inference_mode():
        for batch in feed.in_order(size):
            batch = {name: x[: total - done] for name, x in batch.items()}
            posteriors = model.encode(batch)
            for name, q in posteriors.items():
                assert isinstance(q, DiagonalGaussian)
                parts.setdefault(name, []).append(q)
            distortion -= float(model.evidence(batch, posteriors, generator).total_reconstruction().double().sum())
            done = min(done + size, total)
            if progress:
                progress(done, total)
            if done == total:
                break
    taken = snapshot(model, feed.first(POINTS), generator, codes=CODES)
    latents: dict[str, dict[str, Any]] = {}
    for name, found in parts.items():
        q = DiagonalGaussian(torch.cat([p.mean for p in found]), torch.cat([p.logvar for p in found]))
        variance = q.mean.var(0)
        latents[name] = {
            "kl": q.kl_from_standard().mean(0).tolist(), "code_variance": variance.tolist(),
            "active": int((variance > ACTIVE).sum()),
            "information": asdict(information(q, generator, batch_size=batch_size)),
            "model_spread": taken.model[name].std(0).tolist(),
            "inference_spread": taken.inference[name].std(0).tolist(),
            "correlation": _correlations(taken.model[name].numpy(), taken.inference[name].numpy())}
    return {"run": run.id, "split": split, "data": dataset.source, "observations": total, "seed": seed,
            "rate": sum(sum(part["kl"]) for part in latents.values()), "distortion": distortion / total,
            "method": taken.method, "effective": taken.effective, "latents": latents}


def _correlations(a: np.ndarray, b: np.ndarray) -> list[float | None]:
    """Pearson's by column; None where one hardly varies, which would be the correlation of rounding errors."""
    return [float(np.corrcoef(x, y)[0, 1]) if min(x.std(), y.std()) > STILL else None
            for x, y in zip(a.T, b.T, strict=True)]
