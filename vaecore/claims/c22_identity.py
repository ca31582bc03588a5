"""C22: the mean KL is mutual information plus KL(q(z) || p(z)); minibatch estimates of the former saturate."""

from __future__ import annotations

import math

import numpy as np
import torch

from vaecore.aggregate import aggregate_log_prob, information
from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.config import changed, preset
from vaecore.distributions import LOG_2PI, DiagonalGaussian
from vaecore.training.checkpoints import load_model

OBSERVATIONS = 4_000
SAMPLES = 25  # of z an observation, so that noise is below the tolerance
TOLERANCE, MASS, NEAR = 1e-2, 1e-3, 0.02  # relative error of the identity, of the mass of q(z); nats to the ceiling
BATCHES = (32, 50)


def posteriors(bench: Bench, label: str, *settings: str) -> DiagonalGaussian:
    """Those of a small VAE on the training digits, (N, r)."""
    config = changed(preset("vae-mlp-mnist"), ["data.source=embedded", "training.snapshots=0", "training.checkpoints=0",
                                               *settings])
    model = load_model(bench.train(label, config).path)
    pixels = np.asarray(config.data.load().splits["train"].arrays["image"][:OBSERVATIONS], np.float32)
    with torch.inference_mode():
        q = model.encode({"image": torch.from_numpy(pixels / 255)})["z"]
    assert isinstance(q, DiagonalGaussian)
    return q


def identity(q: DiagonalGaussian) -> Row:
    """For a scalar code: mutual information by samples, KL(q(z)||p(z)) by quadrature, so that no error cancels."""
    z = torch.linspace(-12, 12, 24_001, dtype=torch.double)[:, None]
    log_q, log_p = aggregate_log_prob(q, z), -0.5 * (z[:, 0].square() + LOG_2PI)
    width = float(z[1, 0] - z[0, 0])
    mi = mean_of(q, "mutual_information", BATCHES[0])
    kl = float((log_q.exp() * (log_q - log_p)).sum()) * width
    rate = float(q.kl_from_standard().sum(1).mean())
    return {"code": "1 dimension", "mean KL": rate, "mutual information": mi, "KL(q(z)||p(z))": kl,
            "identity error": abs(mi + kl - rate) / rate, "mass of q(z)": float(log_q.exp().sum()) * width}


def mean_of(q: DiagonalGaussian, name: str, batch: int) -> float:
    """One estimate of `Information`, a mean over several draws of z."""
    generator = torch.Generator().manual_seed(batch)
    return sum(float(getattr(information(q, generator, batch_size=batch), name)) for _ in range(SAMPLES)) / SAMPLES


def run(bench: Bench) -> Finding:
    """The identity on a scalar code, saturation on one that is worth more than log 50 nats."""
    small = identity(posteriors(bench, "scalar", "model.latent_size=1", "training.epochs=10"))
    q = posteriors(bench, "twenty", "training.epochs=30")
    full = mean_of(q, "mutual_information", BATCHES[0])
    many: list[Row] = [
        {"code": "20 dimensions", "mean KL": float(q.kl_from_standard().sum(1).mean()), "mutual information": full,
         "batch": size, "minibatch estimate": mean_of(q, "minibatch", size), "log batch": math.log(size),
         "log N": math.log(OBSERVATIONS)} for size in BATCHES]
    gap = max(float(r["log batch"]) - float(r["minibatch estimate"]) for r in many)
    mass = abs(float(small["mass of q(z)"]) - 1)
    holds = float(small["identity error"]) < TOLERANCE and mass < MASS
    return Finding(holds and gap < NEAR and full > math.log(max(BATCHES)) + 1,
                   f"The identity holds to {float(small['identity error']):.2%}; minibatch estimates lie {gap:.1g} "
                   f"nats under log 32 and log 50, while the full set finds {full:.2f} nats.", [small, *many])


CLAIM = Claim(
    "C22", "Mutual information saturates at log batch",
    "E KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)); with the aggregated posterior of a minibatch of B the "
    "estimate of I cannot exceed log B.",
    "Hoffman & Johnson (2016); the estimator in the released code of He et al. (2019)",
    f"VAEs on {OBSERVATIONS:,} digits, {SAMPLES} samples of z each. With a scalar code I is sampled and KL(q(z) ‖ "
    "p(z)) integrated on a grid; with 20 dimensions I is estimated over all digits and over minibatches of 32 and "
    "50.",
    f"The identity within {TOLERANCE:.0%} and q(z) of mass 1 within {MASS}; minibatch estimates within "
    f"{NEAR} nats of log 32 and log 50, the full one more than 1 nat above both.", 1, run)
