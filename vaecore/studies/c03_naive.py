"""C3: (13) and (14) of the lecture, as printed, do not tend to log p(x); corrected they do (errata E1 and E2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.evaluate.naive import Estimates, estimates
from vaecore.models import Family, VAEConfig
from vaecore.nets import LinearConfig
from vaecore.probability.gaussian import LOG_2PI
from vaecore.probability.likelihoods import GaussianFixedConfig
from vaecore.studies.base import Bench, Finding, Row, Study

SIZES = (2, 8, 32)  # D, the observed size
LATENT, SIGMA = 2, 0.7
SAMPLES = (10, 100, 1_000, 10_000)
OBSERVATIONS = 50
NEAR = 0.1  # nats
STAYS = 0.9  # share of the gap with fewest samples that is there with most


def model(size: int) -> tuple[Family, Tensor]:
    """A VAE with linear maps, whose exact log p(x) is known, and its weights W (D, r); its q(z|x) is the posterior.

    p(x) = N(0, W W' + sigma^2 I). W has orthogonal columns of squared length D / 4, so that the code is worth more
    the larger D is, and the posterior is diagonal.
    """
    generator = torch.Generator().manual_seed(size)
    w = torch.linalg.qr(torch.randn(size, LATENT, generator=generator)).Q * math.sqrt(size) / 2
    family = VAEConfig(latent_size=LATENT, network=LinearConfig(), likelihood=GaussianFixedConfig(sigma=SIGMA)).build(
        {"vector": Modality("vector", (size,))})
    precision = 1 + size / 4 / SIGMA**2
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.zero_()
        weights = dict(family.named_parameters())
        weights["decoder.0.weight"].copy_(w)
        weights["encoder.1.weight"][:LATENT] = w.T / SIGMA**2 / precision
        # Wider than the posterior by a quarter: with the exact one a single sample would do.
        weights["encoder.1.bias"][LATENT:] = math.log(1.25 / precision)
    return family.eval(), w


def exact(w: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """log p(x), and E_p(z)[log p(x|z)], to which (13) as printed tends; (B,) each, in closed form."""
    size = len(w)
    covariance = w.double() @ w.double().T + SIGMA**2 * torch.eye(size, dtype=torch.double)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), x.double().T, upper=False)  # (D, B)
    log_p = -0.5 * (size * LOG_2PI + torch.logdet(covariance) + whitened.square().sum(0))
    expected = (x.double().square().sum(1) + w.double().square().sum()) / SIGMA**2
    return log_p, -0.5 * (size * (LOG_2PI + 2 * math.log(SIGMA)) + expected)


def row(size: int, samples: int) -> Row:
    """Means over observations drawn from the model."""
    family, w = model(size)
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(OBSERVATIONS, LATENT, generator=generator)
    x = z @ w.T + SIGMA * torch.randn(OBSERVATIONS, size, generator=generator)
    log_p, limit = exact(w, x)
    found: Estimates = estimates(family, {"vector": x}, samples, generator)
    return {"D": size, "samples": samples, "log p(x)": float(log_p.mean()),
            "(13) as printed": float(found.prior_printed.mean()), "its limit": float(limit.mean()),
            "(13) corrected": float(found.prior_corrected.mean()),
            "(14) as printed": float(found.posterior_printed.mean()), "ELBO": float(found.elbo.mean()),
            "(14) corrected": float(found.posterior_corrected.mean())}


def run(bench: Bench) -> Finding:
    """Every size with more and more samples."""
    table = []
    for size in SIZES:
        bench.say(f"D = {size}")
        for samples in SAMPLES:
            table.append(row(size, samples))
            bench.check()
    return finding(table)


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the rows with most samples, and to those with fewest for whether the gap closes."""
    fewest = min(int(row["samples"]) for row in table)

    def off(name: str, samples: int = max(SAMPLES)) -> list[float]:
        return [float(row[name]) - float(row["log p(x)"]) for row in table if row["samples"] == samples]

    printed, above = off("(13) as printed"), off("(14) as printed")
    grows = printed[0] < 0 and all(b < a for a, b in pairwise(printed))
    stays = all(last <= STAYS * first for first, last in zip(off("(13) as printed", fewest), printed, strict=True))
    right = max(map(abs, off("(13) corrected") + off("(14) corrected"))) < NEAR
    return Finding(
        grows and stays and right,
        "With 10,000 samples (13) as printed is off by " + ", ".join(f"{gap:.1f}" for gap in printed)
        + f" nats for D = {', '.join(str(size) for size in SIZES)}, and (14) by "
        + ", ".join(f"{gap:+.2f}" for gap in above) + f"; corrected, both are within "
        f"{max(map(abs, off('(13) corrected') + off('(14) corrected'))):.2f} nats.", list(table))


STUDY = Study(
    "C3", "The naive likelihood estimate is inconsistent",
    "As the lecture prints it, (13) does not tend to log p(x), however many samples are drawn. Corrected, (13) and "
    "(14) do.",
    "Lecture, equations (13) and (14); Burda, Grosse & Salakhutdinov (2016) for the corrected one",
    f"A linear-Gaussian model with known log p(x) and D = {', '.join(map(str, SIZES))} observed numbers; "
    f"{', '.join(f'{count:,}' for count in SAMPLES)} samples.",
    f"(13) as printed lies below log p(x) by a gap that grows with D and does not close with samples; corrected, both "
    f"are within {NEAR} nats at {max(SAMPLES):,} samples.", 0.1, run)
