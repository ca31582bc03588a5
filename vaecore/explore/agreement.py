"""How far two latent spaces agree on the same observations: linear CKA, and the best match of their dimensions.

CKA (Kornblith, Norouzi, Lee & Hinton 2019, "Similarity of neural network representations revisited", eq. 3) compares
what two codes say of how alike observations are. With the linear kernels K = X X' and L = Y Y' of codes X (N, p) and
Y (N, q),

    CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)).

The usual HSIC is biased: with few observations and many dimensions independent codes would seem to agree. Taken here is
the unbiased estimator (Song, Smola, Gretton, Bedo & Borgwardt 2012, "Feature selection via dependence maximization",
eq. 5), with the diagonals of K and L set to 0:

    HSIC = [tr(K L) + (1'K1)(1'L1) / ((N - 1)(N - 2)) - 2 (1'K L 1) / (N - 2)] / (N (N - 3)).

A ratio of unbiased estimates is nearly so; it may be slightly below 0. It is 1 for codes that differ by a rotation and
one scale for all, and in the limit |S_xy|^2 / (|S_xx| |S_yy|) of the covariances, in Frobenius norms.

The best match pairs each dimension of one code with one of the other, so that the sum of the |correlations| is largest
(the assignment problem; `scipy.optimize.linear_sum_assignment`). It is 1 where only order and signs differ. The largest
of many correlations is above 0 by chance: `chance` is what the same search finds where the observations are shuffled.

Intervals come from halves of the observations, drawn without replacement, whose spread is that of the whole (the
delete-half jackknife): a bootstrap would draw observations twice, and each would count as agreeing with itself.

Shapes: N observations, p and q latent sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from vaecore.arrays import Numbers
from vaecore.data.identity import identity
from vaecore.explore.codes import Codes
from vaecore.explore.observed import observed
from vaecore.explore.same import FAULTS
from vaecore.explore.single import Checkpoint, as_read
from vaecore.probability.intervals import two_sided
from vaecore.training.checkpoints import BrokenCheckpoint

OBSERVATIONS = 1_000  # at most, that are encoded
FEWEST_OBSERVATIONS = 8  # observations of which agreement is told: halves of fewer have no unbiased estimate
HALVES = 60  # drawn for an interval
SHUFFLES = 20  # for what a match is by chance
STILL = 1e-12  # variance of a dimension that does not move, as a share of the largest


class Estimate(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Pair(NamedTuple):
    """Two dimensions that go together, and their correlation with its sign."""

    first: int
    second: int
    correlation: float


@dataclass(frozen=True)
class Agreement:
    """How far two codes of the same observations agree."""

    cka: Estimate
    match: Estimate  # mean |correlation| of the pairs
    chance: float  # the same where nothing agrees
    pairs: tuple[Pair, ...]  # the strongest first; of the larger code some dimensions are left over
    observations: int


class Encoded(NamedTuple):
    """Codes (N, r) of the same observations by several runs: all dimensions, and which of these are in use."""

    checkpoints: list[Checkpoint]
    codes: list[Codes]
    used: list[list[int]]
    source: str  # which observations, in words


class Groups(NamedTuple):
    """Runs whose codes can be compared, group by group, and in sentences why others are not."""

    encoded: list[Encoded]
    left_out: list[str]


def cka(x: Numbers, y: Numbers) -> float:
    """Debiased linear CKA of codes (N, p) and (N, q); nan where one does not move. Raises `ValueError` for N < 4."""
    if len(x) != len(y) or len(x) < 4:
        raise ValueError(f"codes of {len(x)} and {len(y)} observations. Give the same ones, at least 4.")
    x, y = x - x.mean(0), y - y.mean(0)
    both, own, other = _hsic(x, y), _hsic(x, x), _hsic(y, y)
    return float(both / np.sqrt(own * other)) if own > 0 and other > 0 else float("nan")


def _hsic(x: Numbers, y: Numbers) -> float:
    """The unbiased estimate of HSIC under linear kernels, without their N x N matrices."""
    n = len(x)
    own, other = (x**2).sum(1), (y**2).sum(1)  # the diagonals, which count as 0
    rows, columns = x @ x.sum(0) - own, y @ y.sum(0) - other  # K 1 and L 1
    trace = ((x.T @ y) ** 2).sum() - own @ other
    return float((trace + rows.sum() * columns.sum() / ((n - 1) * (n - 2)) - 2 * (rows @ columns) / (n - 2))
                 / (n * (n - 3)))


def best_match(x: Numbers, y: Numbers) -> list[Pair]:
    """The pairs of dimensions of codes (N, p) and (N, q) with the largest sum of |correlations|, the strongest first.

    A dimension that does not move correlates with nothing.
    """
    found = correlations(x, y)
    pairs = [Pair(int(i), int(j), float(found[i, j])) for i, j in zip(*linear_sum_assignment(-np.abs(found)),
                                                                       strict=True)]
    return sorted(pairs, key=lambda pair: -abs(pair.correlation))


def correlations(x: Numbers, y: Numbers) -> Numbers:
    """Correlations (p, q) of the dimensions of two codes; 0 of one that does not move."""
    whole: Numbers = _standard(x).T @ _standard(y)
    return whole


def _standard(x: Numbers) -> Numbers:
    """Columns of mean 0 and length 1; those that do not move are 0."""
    x = x - x.mean(0)
    lengths = np.sqrt((x**2).sum(0))
    still = lengths**2 <= STILL * max(1e-300, float((lengths**2).max(initial=0)))
    return np.where(still, 0, x / np.where(still, 1, lengths))


def agreement(x: Codes, y: Codes, used: Sequence[int] | None = None, others: Sequence[int] | None = None, seed: int = 0
              ) -> Agreement:
    """How far two codes (N, p) and (N, q) of the same observations agree, with intervals.

    CKA is of all dimensions, the match of those `used` in the first and of `others` in the second; all without them.
    The pairs of the whole are kept in every half. Raises `ValueError` for fewer than 8 observations.
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(a) < FEWEST_OBSERVATIONS or len(a) != len(b):
        raise ValueError(f"codes of {len(a)} and {len(b)} observations. Give the same ones, at least "
                         f"{FEWEST_OBSERVATIONS}.")
    used, others = (list(range(z.shape[1]) if own is None else own) for z, own in ((a, used), (b, others)))
    rng = np.random.default_rng(seed)
    pairs = [Pair(used[i], others[j], correlation) for i, j, correlation in best_match(a[:, used], b[:, others])]
    firsts, seconds = a[:, [pair.first for pair in pairs]], b[:, [pair.second for pair in pairs]]
    kernels, matches = [], []
    for _ in range(HALVES):
        half = rng.permutation(len(a))[:len(a) // 2]
        kernels.append(cka(a[half], b[half]))
        own = (_standard(firsts[half]) * _standard(seconds[half])).sum(0)
        matches.append(float(np.abs(own).mean()) if len(own) else 0.0)
    chance = [_mean(best_match(a[:, used], b[rng.permutation(len(b))][:, others])) for _ in range(SHUFFLES)]
    share = np.sqrt((len(a) // 2) / (len(a) - len(a) // 2))  # 1, but for one observation that is left over
    return Agreement(_interval(cka(a, b), kernels, share), _interval(_mean(pairs), matches, share),
                     float(np.mean(chance)), tuple(pairs), len(a))


def _mean(pairs: Sequence[Pair]) -> float:
    return float(np.mean([abs(pair.correlation) for pair in pairs])) if pairs else 0.0


def _interval(value: float, halves: Sequence[float], share: float) -> Estimate:
    off = two_sided() * share * float(np.std(halves, ddof=1))
    return Estimate(value, value - off, float(np.minimum(1.0, value + off)))


# -- codes of runs -----------------------------------------------------------------------------------


def encoded(checkpoints: Sequence[Checkpoint], count: int = OBSERVATIONS) -> Groups:
    """Codes of the same test observations by runs of the same data, group by group.

    Read from the data where they are here, else the test observations that travel with the first run of a group; with
    what they are known by, where one of its runs reads that.
    """
    groups: dict[tuple[object, ...], list[Checkpoint]] = {}
    for checkpoint in checkpoints:
        key = (checkpoint.shape, identity(checkpoint.run.values().get("data") or {}))
        groups.setdefault(key, []).append(checkpoint)
    found, left_out = [], []
    for group in groups.values():
        if len(group) == 1:
            left_out.append(f"No other of these runs has the data of {group[0].run.id}, so its code is compared with "
                            "none.")
            continue
        reader = next((each for each in group if each.model.covariate is not None), group[0])
        seen = observed(reader, count, "test")
        codes, kept = [], []
        for each in group:
            try:
                covariate, u = each.model.covariate, seen.covariates
                if covariate is None:
                    u = None
                elif u is None or covariate != reader.model.covariate:
                    u = as_read(covariate, seen.labels, None)
                    if u is None:
                        raise BrokenCheckpoint("it reads labels or covariates, which these observations lack.")
                codes.append(each.posteriors(seen.x, u).mean.numpy())
                kept.append(each)
            except FAULTS as error:
                left_out.append(f"{each.run.id} is left out: {error}")
        if len(kept) > 1:
            found.append(Encoded(kept, codes, [[int(i) for i in np.flatnonzero(each.active)] for each in kept],
                                 seen.source))
    return Groups(found, left_out)


def between(group: Encoded, first: int, second: int) -> Agreement:
    """How far two runs of a group agree: CKA of all dimensions, and the match of those in use, by their own numbers."""
    return agreement(group.codes[first], group.codes[second], group.used[first], group.used[second])
