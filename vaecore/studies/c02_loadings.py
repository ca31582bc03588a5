"""C2: the singular vectors of a linear autoencoder's decoder are principal components only with an L2 penalty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vaecore.config import RunConfig
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.schema import parse
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model

EIGENVALUES = (9.0, 5.5, 3.0, 1.6, 0.5, 0.4, 0.3, 0.2)
LATENT = 4
PENALTIES = (0.0, 0.1)
WITH, WITHOUT = 0.999, 0.9
SEEDS = tuple(range(10))  # a run takes seconds, and the rotation that training without the penalty ends in is by chance
SINGULAR, INSIDE, SUBSPACE = ("least cosine, singular vectors of W2", "least cosine, PCA of the reconstructions",
                              "least cosine, subspace")
Matrix = NDArray[np.float64]


def configuration(l2: float, seed: int = 0) -> RunConfig:
    """A linear autoencoder on Gaussian vectors, also drawn by `seed`, the whole set at a time."""
    return parse(RunConfig, {
        "seed": seed, "data": {"name": "gaussian", "eigenvalues": EIGENVALUES, "size": 2_000, "data_seed": seed},
        "model": {"family": "linear-ae", "latent_size": LATENT, "l2": l2},
        "training": {"epochs": 4_000, "batch_size": 2_000, "learning_rate": 0.01,
                     "rate": {"kind": "cosine", "final": 0.001}, "evaluate_every": 1_000, "checkpoints": 0,
                     "keep": "last"}})


def row(run: Run, l2: float, seed: int = 0) -> Row:
    """Cosines between principal components and both ways to find them, and how far off the subspace is."""
    weights = dict(load_model(run.path).named_parameters())
    w2: Matrix = weights["decoder.0.weight"].detach().double().numpy()  # (D, r)
    w1: Matrix = weights["encoder.1.weight"].detach().double().numpy()
    x = np.asarray(run.config().data.load().splits["train"].arrays["vector"], np.float64)
    covariance = np.cov(x.T, bias=True)
    components = np.linalg.eigh(covariance)[1][:, ::-1][:, :LATENT]  # (D, r)
    left, singular, _ = np.linalg.svd(w2, full_matrices=False)
    rebuilt = w2 @ w1
    inside = np.linalg.eigh(rebuilt @ covariance @ rebuilt.T)[1][:, ::-1][:, :LATENT]
    subspace = np.linalg.svd(left.T @ components, compute_uv=False)
    return {"l2": l2, "seed": seed, SINGULAR: float(cosines(left, components).min()),
            INSIDE: float(cosines(inside, components).min()), SUBSPACE: float(subspace.min()),
            "singular values of W2": ", ".join(f"{value:.3f}" for value in singular),
            "predicted": ", ".join(f"{np.sqrt(1 - l2 / value):.3f}" for value in
                                   np.linalg.eigvalsh(covariance)[::-1][:LATENT]) if l2 else "any"}


def cosines(a: Matrix, b: Matrix) -> Matrix:
    """|cos| of the columns of a and b, (r,)."""
    return np.asarray(np.abs((a * b).sum(0)))


def run(bench: Bench) -> Finding:
    """Without and with the penalty, for every seed."""
    wanted = {(l2, seed): f"l2-{l2:g}-{seed}" for seed in SEEDS for l2 in PENALTIES}
    runs = bench.train_all({label: configuration(*point) for point, label in wanted.items()})
    return finding([row(runs[label], *point) for point, label in wanted.items()])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where both are not of the same seeds."""
    without, with_ = (by_seed(table, SINGULAR, l2=l2) for l2 in PENALTIES)
    free, penalised = over_seeds(list(without.values())), over_seeds(list(with_.values()))
    subspace = over_seeds(list(by_seed(table, SUBSPACE, l2=PENALTIES[0]).values()))
    gain = paired(with_, without)
    holds = {f"cosines of {WITH} with the penalty": penalised.low >= WITH,
             f"a cosine below {WITHOUT} without it": free.high < WITHOUT,
             "that the penalty gains as much": gain.low > WITH - WITHOUT,
             f"the subspace without it, by a cosine of {WITH}": subspace.low >= WITH}
    failed = [words for words, held in holds.items() if not held]
    inside = min(float(r[INSIDE]) for r in table)
    return Finding(
        not failed,
        f"The worst of {LATENT} cosines with the principal components is {penalised.words('.4f')} with the penalty and "
        f"{free.words()} without, by seed {gain.words()} more; without it the subspace is found with a cosine of "
        f"{subspace.words('.4f')}, and PCA of the reconstructions finds the components either way, with at least "
        f"{inside:.4f}." + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table), intervals={"least cosine with the penalty": penalised, "least cosine without": free,
                                "with less without": gain, "least cosine of the subspace without": subspace})


STUDY = Study(
    "C2", "Only a penalised linear autoencoder finds principal components",
    "The loading vectors are the left singular vectors of the decoder's weights. That needs an L2 penalty on both "
    "maps; without, only the subspace is identified.",
    "Plaut (2018) for the singular vectors, Kunin, Bloom, Goeva & Seed (2019) for the penalty",
    f"A linear autoencoder with {LATENT} dimensions on {len(EIGENVALUES)}-dimensional Gaussian vectors, trained by "
    f"gradient with and without the penalty, {len(SEEDS)} seeds of data and training.",
    f"By 95% intervals over seeds: all cosines at least {WITH} with the penalty; the least below {WITHOUT} without, "
    f"and by seed more than {WITH - WITHOUT:.3f} apart; without it, too, the subspace found with a cosine of at least "
    f"{WITH}.", 0.7, run)
