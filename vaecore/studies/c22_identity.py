"""C22: the mean KL is mutual information plus KL(q(z) || p(z)); minibatch estimates of the former saturate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from vaecore.config import changed, preset
from vaecore.probability.aggregate import aggregate_log_prob, information
from vaecore.probability.gaussian import LOG_2PI, DiagonalGaussian
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model

OBSERVATIONS = 4_000
SAMPLES = 25  # of z an observation, so that noise is below the tolerance
TOLERANCE, MASS, NEAR = 1e-2, 1e-3, 0.02  # relative error of the identity, of the mass of q(z); nats to the ceiling
BATCHES = (32, 50)
SEEDS = (0, 1, 2)
CEILING = 1e-6  # nats by which rounding may put a minibatch estimate above log batch
SATURATED = 0.25  # nats: so near log N an estimate over all N is its own ceiling, and says "at least"


def posteriors(bench: Bench, label: str, *settings: str) -> DiagonalGaussian:
    """The posteriors (N, r) of a small VAE on the training digits."""
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
    """For each seed the identity on a scalar code, and saturation on one that is worth more than log 50 nats."""
    table: list[Row] = []
    for seed in SEEDS:
        chosen = f"seed={seed}"
        small = posteriors(bench, f"scalar-{seed}", "model.latent_size=1", "training.epochs=10", chosen)
        table.append({"seed": seed, **identity(small)})
        q = posteriors(bench, f"twenty-{seed}", "training.epochs=30", chosen)
        full, rate = mean_of(q, "mutual_information", BATCHES[0]), float(q.kl_from_standard().sum(1).mean())
        table += [{"seed": seed, "code": "20 dimensions", "mean KL": rate, "mutual information": full, "batch": size,
                   "minibatch estimate": mean_of(q, "minibatch", size), "log batch": math.log(size),
                   "log N": math.log(OBSERVATIONS)} for size in BATCHES]
    return finding(table)


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the rows of every seed."""
    small = [r for r in table if "identity error" in r]
    many = [r for r in table if "minibatch estimate" in r]
    error = max(float(r["identity error"]) for r in small)
    mass = max(abs(float(r["mass of q(z)"]) - 1) for r in small)
    above = max(float(r["minibatch estimate"]) - float(r["log batch"]) for r in many)
    below = max(float(r["log batch"]) - float(r["minibatch estimate"]) for r in many)
    full = min(float(r["mutual information"]) for r in many)
    ceiling = float(many[0]["log N"])
    saturated = full > ceiling - SATURATED
    return Finding(
        error < TOLERANCE and mass < MASS and above <= CEILING and below < NEAR
        and full > math.log(max(BATCHES)) + 1,
        f"In {len(small)} seeds the identity holds to {error:.2%}; minibatch estimates lie up to {below:.1g} nats "
        f"under log 32 and log 50, {'none' if above <= CEILING else 'some'} above; over all digits I is at least "
        f"{full:.2f} nats"
        + (f", where that estimate meets its own ceiling, log {OBSERVATIONS:,} = {ceiling:.2f}." if saturated else "."),
        list(table), note="An estimate of I over N observations cannot exceed log N either. Within "
                          f"{SATURATED} nats of it the number is a lower bound of I, no measurement, and the mean KL "
                          "less it no KL(q(z) ‖ p(z)) but an upper bound of that.")


STUDY = Study(
    "C22", "Mutual information saturates at log batch",
    "E KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)); with the aggregated posterior of a minibatch of B the "
    "estimate of I cannot exceed log B.",
    "Hoffman & Johnson (2016); the estimator in the released code of He et al. (2019)",
    f"VAEs on {OBSERVATIONS:,} digits, {len(SEEDS)} seeds, {SAMPLES} samples of z each. With a scalar code I is "
    "sampled and KL(q(z) ‖ p(z)) integrated on a grid; with 20 dimensions I is estimated over all digits and over "
    "minibatches of 32 and 50.",
    f"In every seed: the identity within {TOLERANCE:.0%} and q(z) of mass 1 within {MASS}; no minibatch estimate above "
    f"log 32 or log 50, none more than {NEAR} nats below; that over all digits, a lower bound of I, more than 1 nat "
    "above both.", 1.5, run,
    columns={"mean KL": "KL of q(z|x) from the prior, in nats: the rate.",
             "minibatch estimate": "The mutual information, aggregated over one minibatch only.",
             "identity error": "Share of the mean KL by which mutual information plus KL(q(z)‖p(z)) misses it.",
             "log batch": "The ceiling of a minibatch estimate.",
             "log N": "The ceiling of the estimate over all observations."})
