"""Multi-set canonical correlation analysis with the five criteria of Kettenring (1971).

One variate y_k = X_k a_k a block, of variance 1, so that R, their covariance matrix (M, M), is one of correlations.
With its eigenvalues l_1 >= ... >= l_M, a criterion is

    sumcor  largest sum of the correlations        maxvar  largest l_1
    ssqcor  largest sum of squared correlations    minvar  smallest l_M        genvar  smallest det R

For two blocks all of them are Hotelling's canonical correlation. Stages that follow have the same criterion, among
variates that are orthogonal to those before within each block.

Let D_k be the covariance matrix of block k, divided by the mean variance of its variables so that its mean eigenvalue
is 1 like that of I. With a ridge kappa, (1 - kappa) D_k + kappa I takes its place in the constraints: a_k has length 1
by it, and is orthogonal by it to those before. With kappa = 0 variates of different stages are exactly uncorrelated
within a block; with kappa = 1 the weights are orthogonal, as in PLS. R keeps ones on its diagonal then, so it is not
quite a correlation matrix where the criterion is concerned; variates are scaled to variance 1 at the end.

In coordinates b_k in which every constraint is |b_k| = 1, R_kl = b_k' G_kl b_l. Any vector of length 1 is a stack
of c_k b_k with |c| = 1, so maxvar and minvar are the first and the last eigenvector of G (Kettenring 1971, section 8).
The other three improve one b_k at a time, exactly, so that the criterion never gets worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, eigh

Matrix = NDArray[np.float64]
Criterion = Literal["sumcor", "maxvar", "ssqcor", "minvar", "genvar"]
FLAT = 1e-10  # of the largest singular value of a block: directions below are rounding
LEAST_GAIN = 1e-10  # relative: an iteration that improves the criterion by less is the last one
MAX_ITERATIONS = 500
TINY = 1e-12


@dataclass(frozen=True)
class CanonicalVariates:
    """r variates of each of M blocks.

    `centres[k]` (p_k,) and `weights[k]` (p_k, r) give them: y_k = (x_k - centre) weights, of variance 1 on the samples
    of the fit. `correlations` (r, M, M) are R of each stage as measured there, and `values` (r,) the criterion.
    """

    criterion: Criterion
    centres: list[Matrix]
    weights: list[Matrix]
    correlations: Matrix
    values: Matrix

    def scores(self, blocks: Sequence[Matrix]) -> list[Matrix]:
        """The variates (n, r) of every block, of any samples."""
        return [(x - centre) @ w for x, centre, w in zip(blocks, self.centres, self.weights, strict=True)]


def multiset_cca(blocks: Sequence[Matrix], rank: int, criterion: Criterion = "sumcor", ridge: float = 0.0, *,
                 starts: int = 3) -> CanonicalVariates:
    """`rank` stages of multi-set CCA of blocks (n, p_k), more variables than samples included.

    `ridge` is kappa, 0 to 1. Criteria without a closed form start from the maxvar and the minvar solution and from
    `starts` random ones, and stop at a relative gain below 1e-10 or after 500 rounds; the best is kept. Signs make
    the variates of a stage agree. Raises `ValueError` where the blocks do not fit together, or vary in fewer than
    `rank` directions.
    """
    if len(blocks) < 2 or len({len(x) for x in blocks}) != 1:
        raise ValueError("give two or more blocks of the same samples.")
    if not 0 <= ridge <= 1:
        raise ValueError(f"a ridge of {ridge:g} is not between 0 and 1.")
    n = len(blocks[0])
    centres = [x.mean(0) for x in blocks]
    reduced = [_whitened(x - centre, ridge) for x, centre in zip(blocks, centres, strict=True)]
    if (least := min(w.shape[1] for _, w in reduced)) < rank:
        raise ValueError(f"a block varies in {least} directions, in which {rank} variates have no place.")
    coordinates = [np.asarray((x - c) @ w) for x, c, (_, w) in zip(blocks, centres, reduced, strict=True)]
    gram = _gram(coordinates)
    sizes = [c.shape[1] for c in coordinates]
    generator = np.random.default_rng(0)

    found: list[list[Matrix]] = [[] for _ in blocks]  # b_k of each stage, in all coordinates of the block
    values = []
    bases = [np.eye(size) for size in sizes]  # of what is orthogonal to the stages before
    for _ in range(rank):
        joined = block_diag(*bases)
        value, stage = _stage(joined.T @ gram @ joined, [b.shape[1] for b in bases], criterion, starts, generator)
        values.append(value)
        for k, b in enumerate(stage):
            found[k].append(bases[k] @ b)
            bases[k] = bases[k] @ _complement(b)

    weights = [w @ np.array(b).T for (_, w), b in zip(reduced, found, strict=True)]
    scores = [(x - c) @ w for x, c, w in zip(blocks, centres, weights, strict=True)]
    spreads = [np.sqrt(np.square(y).mean(0)) for y in scores]
    weights = [w / spread for w, spread in zip(weights, spreads, strict=True)]
    y = np.stack([s / spread for s, spread in zip(scores, spreads, strict=True)])  # (M, n, r)
    return CanonicalVariates(criterion, centres, weights, np.einsum("knr,lnr->rkl", y, y) / n, np.array(values))


def value_of(r: Matrix, criterion: Criterion) -> float:
    """A criterion of a correlation matrix (M, M)."""
    match criterion:
        case "sumcor":
            return float(r.sum())
        case "ssqcor":
            return float(np.square(r).sum())
        case "maxvar":
            return float(np.linalg.eigvalsh(r)[-1])
        case "minvar":
            return float(np.linalg.eigvalsh(r)[0])
        case "genvar":
            return float(np.linalg.det(r))


def _whitened(x: Matrix, ridge: float) -> tuple[Matrix, Matrix]:
    """Standard deviations (d,) of a centred block's principal directions, and W (p, d): with a = W b, a'(...)a = b'b.

    Of the ridged D only the space of the samples counts: what is orthogonal to it adds to |a| and to no correlation.
    """
    _, singular, right = np.linalg.svd(x, full_matrices=False)
    keep = singular > FLAT * max(singular[0], TINY)
    deviations, directions = singular[keep] / np.sqrt(len(x)), right[keep].T
    variance = np.square(deviations).sum() / x.shape[1]  # the mean over variables
    metric = (1 - ridge) * np.square(deviations) + ridge * variance
    return deviations, directions / np.sqrt(metric)


def _gram(coordinates: Sequence[Matrix]) -> Matrix:
    """G: covariances between blocks, and the identity within each, where the constraints are."""
    n = len(coordinates[0])
    joined = np.concatenate(coordinates, axis=1)
    gram = joined.T @ joined / n
    start = 0
    for c in coordinates:
        part = slice(start, start + c.shape[1])
        gram[part, part] = np.eye(c.shape[1])
        start += c.shape[1]
    return np.asarray(gram)


def _stage(gram: Matrix, sizes: list[int], criterion: Criterion, starts: int, generator: np.random.Generator
           ) -> tuple[float, list[Matrix]]:
    """The best unit vectors b_k of one stage, with the criterion's value."""
    edges = np.cumsum(sizes)[:-1]
    total = sum(sizes)
    extremes = [_units(np.split(eigh(gram, subset_by_index=[i, i])[1][:, 0], edges)) for i in (total - 1, 0)]
    if criterion in ("maxvar", "minvar"):
        candidates = [extremes[criterion == "minvar"]]
    else:
        drawn = [_units(np.split(generator.standard_normal(total), edges)) for _ in range(starts)]
        candidates = [_improved(gram, _agreeing(gram, b), criterion) for b in (*extremes, *drawn)]
    scored = [(value_of(_between(gram, b), criterion), _agreeing(gram, b)) for b in candidates]
    best = min if criterion in ("minvar", "genvar") else max
    return best(scored, key=lambda pair: pair[0])


def _units(parts: Sequence[Matrix]) -> list[Matrix]:
    """Each at length 1; a block that has no part in a solution may have any direction, and gets its first."""
    return [b / norm if (norm := np.linalg.norm(b)) > TINY else np.eye(1, len(b))[0] for b in parts]


def _between(gram: Matrix, b: Sequence[Matrix]) -> Matrix:
    """R (M, M)."""
    joined = block_diag(*[part[:, None] for part in b])
    return np.asarray(joined.T @ gram @ joined)


def _agreeing(gram: Matrix, b: Sequence[Matrix]) -> list[Matrix]:
    """The same with the signs of the first eigenvector of R: it changes no criterion but sumcor, for the better."""
    first = np.linalg.eigh(_between(gram, b))[1][:, -1]
    first = first * (1 if first[np.abs(first).argmax()] > 0 else -1)
    return [part if sign >= -TINY else -part for part, sign in zip(b, first, strict=True)]


def _improved(gram: Matrix, b: list[Matrix], criterion: Criterion) -> list[Matrix]:
    """One block after the other at its best given the others, until that gains nothing."""
    ends = np.cumsum([len(part) for part in b])
    rows = [slice(end - len(part), end) for end, part in zip(ends, b, strict=True)]
    pulls = np.stack([gram[:, r] @ part for r, part in zip(rows, b, strict=True)], axis=1)  # G_kl b_l, (d, M)
    r = np.stack([part @ pulls[own] for own, part in zip(rows, b, strict=True)])
    last = value_of(r, criterion)
    for _ in range(MAX_ITERATIONS):
        for k, own in enumerate(rows):
            others = [i for i in range(len(b)) if i != k]
            pull = pulls[own][:, others]  # (d_k, M - 1)
            if criterion == "sumcor":
                best = pull.sum(1)
            else:
                if criterion == "genvar":  # det R = det R_others (1 - r' R_others^-1 r), with r = pull' b_k
                    values, vectors = np.linalg.eigh(r[np.ix_(others, others)])
                    pull = pull @ (vectors / np.sqrt(np.maximum(values, TINY)))
                values, vectors = np.linalg.eigh(pull.T @ pull)
                best = pull @ vectors[:, -1]  # the first left singular vector
            if np.linalg.norm(best) > TINY:
                b[k] = best / np.linalg.norm(best)
                pulls[:, k] = gram[:, own] @ b[k]
                r[k] = b[k] @ pulls[own]
                r[:, k] = r[k]
        value = value_of(r, criterion)
        if abs(value - last) <= LEAST_GAIN * abs(last):
            break
        last = value
    return b


def _complement(b: Matrix) -> Matrix:
    """An orthonormal basis (d, d - 1) of what is orthogonal to a unit vector (d,)."""
    return np.asarray(np.linalg.qr(b[:, None], mode="complete")[0][:, 1:])
