"""Multi-block partial least squares by the super-score algorithm of NIPALS (Wold 1987, Westerhuis et al. 1998).

With centred blocks X_b (n, p_b) and an outcome Y (n, q), one component is found by repeating

    w_b = X_b' u / |X_b' u|,   t_b = X_b w_b / sqrt(p_b)      block weights and block scores
    v = T' u / |T' u|,         t = T v                        super weights and super score, T = [t_1 .. t_B]
    c = Y' t / t't,            u = Y c / c'c

and every X_b and Y lose what t explains. Without an outcome (the agnostic way of Chen et al. 2009) u is t itself. Super
scores are those of PLS, or without an outcome of PCA, of the blocks joined end to end after division by sqrt(p_b):
a block then counts the same however many variables it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
LEAST_CHANGE = 1e-13  # of a super score, relative and squared: below it a component is found
MAX_ITERATIONS = 20_000
NOTHING = 1e-12  # of the sum of squares: what is left of the blocks is rounding


@dataclass(frozen=True)
class MultiblockScores:
    """r components of B blocks.

    `super_scores` (n, r) are orthogonal; `block_scores` (B, n, r); `super_weights` (B, r), whose squares sum to 1, say
    how much each block counts; `weights[b]` (p_b, r) are w_b. `rotations[b]` (p_b, r) give super scores of new samples:
    t = sum_b (x_b - centres[b]) rotations[b]. `outcome_scores` (n, r) is u, the other half of the latent pair: t
    itself without an outcome.
    """

    centres: list[Matrix]
    weights: list[Matrix]
    super_weights: Matrix
    super_scores: Matrix
    block_scores: Matrix
    outcome_scores: Matrix
    rotations: list[Matrix]

    def scores(self, blocks: Sequence[Matrix]) -> Matrix:
        """Super scores (n, r) of any samples."""
        return np.asarray(np.sum([(x - centre) @ rotation for x, centre, rotation
                                  in zip(blocks, self.centres, self.rotations, strict=True)], axis=0))


def multiblock_pls(blocks: Sequence[Matrix], rank: int, outcome: Matrix | None = None) -> MultiblockScores:
    """`rank` components of blocks (n, p_b), with an outcome (n, q) or without.

    Raises `ValueError` where the blocks do not have the same samples, or no component is left to find.
    """
    if not blocks or len({len(x) for x in blocks}) != 1 or (outcome is not None and len(outcome) != len(blocks[0])):
        raise ValueError("give blocks, and an outcome, of the same samples.")
    centres = [x.mean(0) for x in blocks]
    scaled = [(x - centre) / np.sqrt(x.shape[1]) for x, centre in zip(blocks, centres, strict=True)]
    left = [x.copy() for x in scaled]
    y = None if outcome is None else outcome - outcome.mean(0)
    whole = sum(float(np.square(x).sum()) for x in scaled)
    weights: list[list[Matrix]] = [[] for _ in blocks]
    found: list[tuple[Matrix, Matrix, Matrix, Matrix]] = []
    loadings: list[Matrix] = []
    for a in range(rank):
        if (sum(float(np.square(x).sum()) for x in left) <= NOTHING * whole
                or (y is not None and float(np.square(y).sum()) <= NOTHING)):
            raise ValueError(f"after {a} components nothing is left of the blocks or of the outcome. Use at most {a}.")
        each, v, t, u, block_scores = _component(left, y)
        for b, w in enumerate(each):
            weights[b].append(w)
        loading = [x.T @ t / (t @ t) for x in left]
        left = [x - np.outer(t, p) for x, p in zip(left, loading, strict=True)]
        if y is not None:
            y = y - np.outer(t, y.T @ t / (t @ t))
        loadings.append(np.concatenate(loading))
        found.append((v, t, u, block_scores))
    super_weights, super_scores, outcome_scores = (np.stack([f[i] for f in found], axis=-1) for i in range(3))
    # t_a is made of deflated blocks; with the loadings P, W (P'W)^-1 makes all of them of the blocks themselves.
    joined = np.concatenate([np.stack(w, axis=1) * super_weights[b] for b, w in enumerate(weights)])
    rotations = joined @ np.linalg.inv(np.stack(loadings) @ joined)
    edges = np.cumsum([x.shape[1] for x in blocks])[:-1]
    parts = [part / np.sqrt(len(part)) for part in np.split(rotations, edges)]
    return MultiblockScores(centres, [np.stack(w, axis=1) for w in weights], super_weights, super_scores,
                            np.stack([f[3] for f in found], axis=-1), outcome_scores, parts)


def _component(blocks: Sequence[Matrix], y: Matrix | None) -> tuple[list[Matrix], Matrix, Matrix, Matrix, Matrix]:
    """Block weights, super weights (B,), super score (n,), u (n,) and block scores (B, n) of scaled blocks."""
    u = _first(blocks) if y is None else y[:, np.square(y).sum(0).argmax()]
    last = np.zeros_like(u)
    for _ in range(MAX_ITERATIONS):
        weights = [_unit(x.T @ u) for x in blocks]
        block_scores = np.stack([x @ w for x, w in zip(blocks, weights, strict=True)])
        super_weights = _unit(block_scores @ u)
        t = super_weights @ block_scores
        if float(np.square(t - last).sum()) <= LEAST_CHANGE**2 * float(t @ t):
            break
        last = t
        if y is None:
            u = t / np.linalg.norm(t)
        else:
            c = y.T @ t / (t @ t)
            u = y @ c / (c @ c)
    return weights, super_weights, t, (t if y is None else u), block_scores


def _first(blocks: Sequence[Matrix]) -> Matrix:
    """Where to begin without an outcome: the first principal component, from which NIPALS has no way to go.

    It would get there from any variable, but slowly where two components have nearly the same variance.
    """
    joined = np.concatenate(blocks, axis=1)
    if joined.shape[0] <= joined.shape[1]:
        return np.asarray(np.linalg.eigh(joined @ joined.T)[1][:, -1])
    return _unit(joined @ np.linalg.eigh(joined.T @ joined)[1][:, -1])


def _unit(x: Matrix) -> Matrix:
    norm = float(np.linalg.norm(x))
    return x / norm if norm else x
