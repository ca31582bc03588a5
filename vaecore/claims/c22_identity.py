"""C22: the mean KL is mutual information plus KL(q(z) || p(z)); minibatch estimates of the former saturate."""

from __future__ import annotations

import math

import numpy as np
import torch

from vaecore.aggregate import information
from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.config import changed, preset
from vaecore.distributions import DiagonalGaussian
from vaecore.training.checkpoints import load_model

OBSERVATIONS = 4_000
SAMPLES = 25  # of z an observation, so that noise is below the tolerance
TOLERANCE, NEAR = 1e-2, 0.02  # relative error of the identity; distance from the ceiling
BATCHES = (32, 50)


def run(bench: Bench) -> Finding:
    """A VAE whose code is worth more than log 50 nats, its posteriors on the training digits."""
    config = changed(preset("vae-mlp-mnist"), ["data.source=embedded", "training.epochs=30", "training.snapshots=0",
                                               "training.checkpoints=0"])
    model = load_model(bench.train("vae", config).path)
    pixels = np.asarray(config.data.load().splits["train"].arrays["image"][:OBSERVATIONS], np.float32)
    x = torch.from_numpy(pixels / 255)
    with torch.inference_mode():
        q = model.encode({"image": x})["z"]
    assert isinstance(q, DiagonalGaussian)
    table: list[Row] = []
    for size in BATCHES:
        generator = torch.Generator().manual_seed(size)
        draws = [information(q, generator, batch_size=size) for _ in range(SAMPLES)]
        mi, aggregate, small = (sum(getattr(d, name) for d in draws) / SAMPLES
                                for name in ("mutual_information", "aggregate_kl", "minibatch"))
        table.append({"batch": size, "mean KL": draws[0].rate, "mutual information": mi, "KL(q(z)||p(z))": aggregate,
                      "identity error": abs(mi + aggregate - draws[0].rate) / draws[0].rate,
                      "minibatch estimate": small, "log batch": math.log(size), "log N": math.log(len(x))})
    worst = max(float(r["identity error"]) for r in table)
    gap = max(float(r["log batch"]) - float(r["minibatch estimate"]) for r in table)
    return Finding(worst < TOLERANCE and 0 <= gap < NEAR,
                   f"The identity holds to {worst:.2%}; minibatch estimates lie {gap:.1g} nats under log 32 "
                   f"and log 50, while the full set finds {float(table[0]['mutual information']):.2f} nats.", table)


CLAIM = Claim(
    "C22", "Mutual information saturates at log batch",
    "E KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)); with the aggregated posterior of a minibatch of B the "
    "estimate of I cannot exceed log B.",
    "Hoffman & Johnson (2016); the estimator in the released code of He et al. (2019)",
    f"A VAE on {OBSERVATIONS:,} digits, {SAMPLES} samples of z each, aggregated over all of them and over "
    "minibatches of 32 and 50.",
    f"The identity within {TOLERANCE:.0%}; the minibatch estimates within {NEAR} nats of log 32 and log 50.", 2, run)
