"""C2: the singular vectors of a linear autoencoder's decoder are principal components only with an L2 penalty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.config import RunConfig
from vaecore.schema import parse
from vaecore.training.checkpoints import load_model

EIGENVALUES = (9.0, 5.5, 3.0, 1.6, 0.5, 0.4, 0.3, 0.2)
LATENT = 4
PENALTIES = (0.0, 0.1)
WITH, WITHOUT = 0.999, 0.9
Matrix = NDArray[np.float64]


def configuration(l2: float) -> RunConfig:
    """A linear autoencoder on Gaussian vectors, the whole set at a time."""
    return parse(RunConfig, {
        "data": {"name": "gaussian", "eigenvalues": EIGENVALUES, "size": 2_000},
        "model": {"family": "linear-ae", "latent_size": LATENT, "l2": l2},
        "training": {"epochs": 4_000, "batch_size": 2_000, "learning_rate": 0.01,
                     "rate": {"kind": "cosine", "final": 0.001}, "evaluate_every": 1_000, "checkpoints": 0,
                     "keep": "last"}})


def row(bench: Bench, l2: float) -> Row:
    """Cosines between principal components and both ways to find them, and how far off the subspace is."""
    config = configuration(l2)
    run = bench.train(f"l2-{l2:g}", config)
    weights = dict(load_model(run.path).named_parameters())
    w2: Matrix = weights["decoder.0.weight"].detach().double().numpy()  # (D, r)
    w1: Matrix = weights["encoder.1.weight"].detach().double().numpy()
    x = np.asarray(config.data.load().splits["train"].arrays["vector"], np.float64)
    covariance = np.cov(x.T, bias=True)
    components = np.linalg.eigh(covariance)[1][:, ::-1][:, :LATENT]  # (D, r)
    left, singular, _ = np.linalg.svd(w2, full_matrices=False)
    rebuilt = w2 @ w1
    inside = np.linalg.eigh(rebuilt @ covariance @ rebuilt.T)[1][:, ::-1][:, :LATENT]
    subspace = np.linalg.svd(left.T @ components, compute_uv=False)
    return {"l2": l2, "least cosine, singular vectors of W2": float(cosines(left, components).min()),
            "least cosine, PCA of the reconstructions": float(cosines(inside, components).min()),
            "least cosine, subspace": float(subspace.min()),
            "singular values of W2": ", ".join(f"{value:.3f}" for value in singular),
            "predicted": ", ".join(f"{np.sqrt(1 - l2 / value):.3f}" for value in
                                   np.linalg.eigvalsh(covariance)[::-1][:LATENT]) if l2 else "any"}


def cosines(a: Matrix, b: Matrix) -> Matrix:
    """|cos| of the columns of a and b, (r,)."""
    return np.asarray(np.abs((a * b).sum(0)))


def run(bench: Bench) -> Finding:
    """Without and with the penalty."""
    return finding([row(bench, l2) for l2 in PENALTIES])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table."""
    name = "least cosine, singular vectors of W2"
    without, with_ = (float(next(r for r in table if (float(r["l2"]) > 0) == penalised)[name])
                      for penalised in (False, True))
    return Finding(with_ >= WITH and without < WITHOUT,
                   f"The worst of {LATENT} cosines with the principal components is {with_:.4f} with the penalty and "
                   f"{without:.2f} without; PCA of the reconstructions finds them either way.", list(table))


CLAIM = Claim(
    "C2", "Only a penalised linear autoencoder finds principal components",
    "The loading vectors are the left singular vectors of the decoder's weights. That needs an L2 penalty on both "
    "maps; without, only the subspace is identified.",
    "Plaut (2018) for the singular vectors, Kunin, Bloom, Goeva & Seed (2019) for the penalty",
    f"A linear autoencoder with {LATENT} dimensions on {len(EIGENVALUES)}-dimensional Gaussian vectors, trained by "
    "gradient with and without the penalty.",
    f"Cosines of at least {WITH} with the penalty, one below {WITHOUT} without.", 0.1, run)
