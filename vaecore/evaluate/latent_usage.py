"""How a checkpoint uses its code, on demand: KL by dimension, active units, mutual information, lag of the encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaecore.data import COVARIATE, SplitName
from vaecore.models.video.shared import VideoFamily
from vaecore.probability.aggregate import information
from vaecore.probability.gaussian import DiagonalGaussian, Point
from vaecore.probability.posteriors import PosteriorMixture, together
from vaecore.probability.priors import ConditionalMixture
from vaecore.store import Run
from vaecore.training import ACTIVE
from vaecore.training.checkpoints import check_origin, check_words, load_model
from vaecore.training.feed import Feed
from vaecore.training.snapshots import snapshot
from vaecore.training.validation import EVALUATED_AT_ONCE, across, activity

MAX_PAIRED = 20_000  # observations: all pairs of them are compared
STILL = 1e-3  # standard deviation, in that of the prior
POINTS, CODES = 100, 256  # of the comparison with the model posterior


def diagnose(run: Run, split: SplitName = "validation", *, observations: int = 10_000, batch_size: int = 32,
             seed: int = 0, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]:
    """What the code of `run` says about up to `observations` of a split, in nats per observation, by latent.

    `rate` is the model's own KL, from the prior that it has, and so is each latent's; `kl` is the latter by dimension,
    None where the KL has no closed form by dimension. Further `code_variance` and `active`, `information` (full set
    beside minibatches of `batch_size`), and correlation and spread of the model posterior's means and the encoder's.
    Of a mixture of posteriors the rate is the mean over its components, which the ELBO charges.
    Raises `BrokenCheckpoint`, `DataUnavailable`, `ConfigError`, or `ValueError` for a family without a posterior.
    """
    config = run.config()
    if not config.model.has_kl:
        raise ValueError(f"{config.model.title} has no posterior to look into. Choose a run of a family with a KL.")
    model = load_model(run.path)
    if isinstance(model, VideoFamily):
        raise ValueError(f"{config.model.title} has codes of frames, not of whole observations. Their KL by frame is "
                         "in what `vaecore evaluate` tells.")
    check_origin(run)
    dataset = config.data.load()
    check_words(run.path, dataset)
    feed = Feed(dataset, split, torch.device("cpu"))
    total = min(observations, MAX_PAIRED, len(feed))
    generator = torch.Generator().manual_seed(seed)
    parts: dict[str, list[DiagonalGaussian | PosteriorMixture]] = {}
    kl: dict[str, list[Tensor]] = {}
    covariates: list[Tensor] = []
    distortion, done, size = 0.0, 0, model.at_once(EVALUATED_AT_ONCE)
    with torch.inference_mode():
        for batch in feed.in_order(size):
            batch = {name: x[: total - done] for name, x in batch.items()}
            posteriors = model.encode(batch)
            evidence = model.evidence(batch, posteriors, generator)
            for name, q in posteriors.items():
                assert not isinstance(q, Point)
                parts.setdefault(name, []).append(q)
                kl.setdefault(name, []).append(evidence.kl[name])
            if COVARIATE in batch:
                covariates.append(batch[COVARIATE])
            distortion -= float(evidence.total_reconstruction().double().sum())
            done = min(done + size, total)
            if progress:
                progress(done, total)
            if done == total:
                break
        priors = model.prior({COVARIATE: torch.cat(covariates)} if covariates else None)
    taken = snapshot(model, feed.first(POINTS), generator, codes=CODES)
    latents: dict[str, dict[str, Any]] = {}
    for name, found in parts.items():
        q = together(found)
        charged = torch.cat(kl[name]).double().mean(0)  # (r,), or (1,) where there is only the sum
        variance = across(q.mean)
        by_dimension = charged.tolist() if len(charged) == len(variance) else None
        prior = priors[name]
        apart = across(q.mean - prior.expected) if isinstance(prior, ConditionalMixture) else variance
        told = activity(by_dimension, variance, apart if model.prior_moves else None)
        latents[name] = {
            "rate": float(charged.sum()), "kl": by_dimension,
            "code_variance": variance, "active": sum(value > ACTIVE for value in told),
            "information": asdict(information(q, generator, batch_size=batch_size, prior=prior)),
            "model_spread": taken.model[name].std(0, correction=0).tolist(),
            "inference_spread": taken.inference[name].std(0, correction=0).tolist(),
            "correlation": _correlations(taken.model[name].numpy(), taken.inference[name].numpy())}
    return {"run": run.id, "split": split, "data": dataset.source, "observations": total, "seed": seed,
            "rate": sum(part["rate"] for part in latents.values()), "distortion": distortion / total,
            "method": taken.method, "effective": taken.effective, "latents": latents}


def aggregate_words(told: Mapping[str, Any]) -> str:
    """KL(q(z) || p(z)) of an `information`, as a number or as what bounds it, in nats."""
    value, least = told["aggregate_kl"], told["aggregate_kl_least"]
    if told["bound"] == "estimate":
        return f"{value:.3f}"
    return f"at most {value:.3f}" if least is None else f"{least:.3f} to {value:.3f}"


def _correlations(a: np.ndarray, b: np.ndarray) -> list[float | None]:
    """Pearson's by column; None where one hardly varies, which would be the correlation of rounding errors."""
    return [float(np.corrcoef(x, y)[0, 1]) if min(x.std(), y.std()) > STILL else None
            for x, y in zip(a.T, b.T, strict=True)]
