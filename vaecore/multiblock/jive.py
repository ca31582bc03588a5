"""Joint and Individual Variation Explained (Lock, Hoadley, Marron & Nobel 2013), as r.jive 2.4 does it.

X_m = J_m + A_m + E_m: the J_m of all blocks together have rank r and a common row space, A_m has rank r_m, and the rows
of J and A_m are orthogonal. The paper has variables in rows and samples in columns; so does this file inside, while
blocks come as (n, p_m). Every variable is centred and every block divided by its Frobenius norm.

J is the best approximation of rank r of all X_m - A_m on top of each other, A_m that of rank r_m of (X_m - J_m) with
rows orthogonal to those of J; they alternate until neither moves by more than 1e-6 of |X|. With `orthogonal`, the
default of r.jive (orthIndiv) but not in the paper, A_m is also orthogonal to the row spaces of the other blocks' A.

The alternation ends in a local optimum, so its start matters. Without `orthogonal` it is A = 0; with it the first J has
one rank less, which is what r.jive does without saying so: it subtracts A = -1 from data of about 1e-6, and one joint
dimension becomes the constant. So the tumours of its vignette take its 98 iterations (66 from A = 0), and less is left.

Ranks are chosen by permutation: singular values count, from the first on, while they exceed the 1 - alpha quantile of
those of permuted data. For r the samples of each X_m - A_m are permuted, for r_m the entries in each row of X_m - J_m;
then J and A are fitted anew, until two rounds agree. r never decreases.

Two exact short cuts. A block of more variables than samples is replaced by its coordinates in its left singular
vectors, and many samples likewise by their coordinates in the common row space. Singular values and vectors come
from the smaller of X X' and X'X; of permuted samples of blocks, these follow from those of the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Matrix = NDArray[np.float64]
MAX_ROUNDS = 10  # of choosing ranks, as in r.jive
MAX_ITERATIONS = 1_000
CONVERGED = 1e-6  # of |X|, by which J and A may still move


@dataclass(frozen=True)
class Decomposition:
    """Fitted to M blocks of n samples.

    `centres[m]` (p_m,) and `scales[m]`, a Frobenius norm, made the blocks X_m; `joint[m]` and `individual[m]` (n, p_m)
    are J_m and A_m in the units of the data. `joint_scores` (n, r) and `individual_scores[m]` (n, r_m) have a mean
    square of 1, `joint_loadings[m]` (p_m, r) and `individual_loadings[m]` (p_m, r_m) the data's units:
    J_m = joint_scores joint_loadings[m]', and A_m likewise. `explained[m]` are shares of the block's sum of squares.
    """

    centres: list[Matrix]
    scales: list[float]
    joint_rank: int
    individual_ranks: list[int]
    joint_scores: Matrix
    joint_loadings: list[Matrix]
    individual_scores: list[Matrix]
    individual_loadings: list[Matrix]
    explained: list[dict[str, float]]  # joint, individual, residual
    iterations: int
    rounds: int = 0  # of choosing ranks; 0 where they were given
    agreed: bool = True  # whether the last two rounds did

    @property
    def joint(self) -> list[Matrix]:
        return [self.joint_scores @ u.T for u in self.joint_loadings]

    @property
    def individual(self) -> list[Matrix]:
        return [s @ w.T for s, w in zip(self.individual_scores, self.individual_loadings, strict=True)]

    def scores(self, blocks: Sequence[Matrix]) -> tuple[Matrix, list[Matrix]]:
        """Joint (n, r) and individual scores (n, r_m) of any samples: least squares on all loadings, blocks scaled."""
        ranks = [self.joint_rank, *self.individual_ranks]
        joined = np.concatenate([(x - c) / s for x, c, s in zip(blocks, self.centres, self.scales, strict=True)], 1)
        rows = []
        for m, (u, w) in enumerate(zip(self.joint_loadings, self.individual_loadings, strict=True)):
            parts = [w if i == m else np.zeros((len(w), r)) for i, r in enumerate(self.individual_ranks)]
            rows.append(np.concatenate([u, *parts], 1) / self.scales[m])
        solved = joined @ np.linalg.pinv(np.concatenate(rows)).T
        joint, *own = np.split(solved, np.cumsum(ranks)[:-1], axis=1)
        return joint, own


def jive(blocks: Sequence[Matrix], joint_rank: int, individual_ranks: Sequence[int], *, orthogonal: bool = True
         ) -> Decomposition:
    """The decomposition of blocks (n, p_m) with given ranks. Raises `ValueError` where they are not possible."""
    x, centres, scales = _prepared(blocks)
    _check(x, joint_rank, individual_ranks)
    return _decomposition(x, centres, scales, *_alternate(x, joint_rank, list(individual_ranks), orthogonal))


def choose_ranks(blocks: Sequence[Matrix], *, permutations: int = 100, alpha: float = 0.05, most: int | None = None,
                 orthogonal: bool = True, seed: int = 0, progress: Callable[[str], object] | None = None
                 ) -> Decomposition:
    """The decomposition of blocks (n, p_m) with ranks chosen by permutation, each at most `most`.

    `progress` is told after each round. Raises `ValueError` where the blocks do not have the same samples.
    """
    x, centres, scales = _prepared(blocks)
    generator = np.random.default_rng(seed)
    n, level = x[0].shape[1], 1 - alpha
    joint, own = [np.zeros_like(part) for part in x], [np.zeros_like(part) for part in x]
    fitted = None
    ranks: list[int] = [-1] * (1 + len(x))
    rounds, agreed = 0, False
    while not agreed and rounds < MAX_ROUNDS:
        last = ranks
        chance = _permuted_samples([part - a for part, a in zip(x, own, strict=True)], permutations, generator)
        actual = _singular_values(np.concatenate([part - a for part, a in zip(x, own, strict=True)]))
        found = max(_above(actual, chance, level, min(most or n, n - 1)), last[0])
        ranks = [found]
        for part, j in zip(x, joint, strict=True):
            rest = part - j
            chance = np.stack([_singular_values(generator.permuted(rest, axis=1)) for _ in range(permutations)])
            ranks.append(_above(_singular_values(rest), chance, level,
                                max(0, min(most or n, min(rest.shape) - 1, n - 1 - found))))
        rounds += 1
        agreed = ranks == last
        if progress is not None:
            progress(f"round {rounds}: joint rank {ranks[0]}, individual ranks {', '.join(map(str, ranks[1:]))}")
        if not agreed:
            fitted = _alternate(x, ranks[0], ranks[1:], orthogonal)
            joint, own = _products(fitted[0]), _products(fitted[1])
    assert fitted is not None
    return _decomposition(x, centres, scales, *fitted, rounds=rounds, agreed=agreed)


# -- the alternation -------------------------------------------------------------------------------

Factors = list[tuple[Matrix, Matrix]]  # of each block, loadings (p_m, r) and orthonormal rows (n, r): their product


def _products(factors: Factors) -> list[Matrix]:
    return [loadings @ rows.T for loadings, rows in factors]


def _prepared(blocks: Sequence[Matrix]) -> tuple[list[Matrix], list[Matrix], list[float]]:
    """Centred and scaled blocks, variables in rows, with their centres and Frobenius norms."""
    if len(blocks) < 2 or len({len(x) for x in blocks}) != 1:
        raise ValueError("give two or more blocks of the same samples.")
    centres = [x.mean(0) for x in blocks]
    centred = [(x - c).T for x, c in zip(blocks, centres, strict=True)]
    scales = [float(np.linalg.norm(x)) or 1.0 for x in centred]
    return [x / s for x, s in zip(centred, scales, strict=True)], centres, scales


def _check(x: Sequence[Matrix], joint_rank: int, individual_ranks: Sequence[int]) -> None:
    n = x[0].shape[1]
    if len(individual_ranks) != len(x) or min([joint_rank, *individual_ranks]) < 0:
        raise ValueError(f"give a joint rank and one individual rank for each of {len(x)} blocks, 0 or more.")
    if joint_rank > min(n - 1, sum(map(len, x))):
        raise ValueError(f"a joint rank of {joint_rank} is more than {n} samples of these blocks have.")
    for part, r in zip(x, individual_ranks, strict=True):
        if r > min(len(part), n - 1 - joint_rank):
            raise ValueError(f"an individual rank of {r}, beside a joint rank of {joint_rank}, is more than a block of "
                             f"{len(part)} variables and {n} samples has.")


def _alternate(x: Sequence[Matrix], joint_rank: int, individual_ranks: list[int], orthogonal: bool
               ) -> tuple[Factors, Factors, int]:
    """J and A by alternating least squares, and how many iterations it took."""
    bases = [np.linalg.svd(part, full_matrices=False)[0] if part.shape[0] > part.shape[1] else None for part in x]
    data = [part if b is None else b.T @ part for part, b in zip(x, bases, strict=True)]
    common = None
    if sum(map(len, data)) < data[0].shape[1]:  # many samples: all that happens, happens in the common row space
        common = np.linalg.svd(np.concatenate(data), full_matrices=False)[2].T  # (n, d)
        data = [part @ common for part in data]
    n = data[0].shape[1]
    whole = np.concatenate(data)
    edges = np.cumsum([len(part) for part in data])[:-1]
    enough = CONVERGED * float(np.linalg.norm(whole))
    own = [np.zeros_like(part) for part in data]
    directions: list[Matrix | None] = [None] * len(data)  # row spaces of the A_m, (n, r_m), for orthogonality
    last_joint, last_own = np.zeros_like(whole), np.zeros_like(whole)
    shared: Matrix = np.zeros((n, 0))
    iteration = 0
    for iteration in range(1, MAX_ITERATIONS + 1):
        rest = whole - np.concatenate(own)
        # r.jive starts from A = -1, far larger than its data: one joint dimension is spent on the constant at first.
        shared = _right(rest, max(0, joint_rank - 1) if orthogonal and iteration == 1 else joint_rank)
        joint = rest @ shared @ shared.T
        own, fresh = [], []
        for m, (part, j) in enumerate(zip(data, np.split(joint, edges), strict=True)):
            rest = _without(part - j, shared)
            for other, v in enumerate(directions):
                if orthogonal and other != m and v is not None:
                    rest = _without(rest, v)
            v = _right(rest, individual_ranks[m])
            if iteration > 1:
                directions[m] = v  # at once: the next block is made orthogonal to it already
            fresh.append(v)
            own.append(rest @ v @ v.T)
        if iteration == 1 and orthogonal:
            # Nothing was orthogonal yet. As r.jive does, each A_m is projected, and its row space taken anew.
            for m in range(len(own)):
                for other in range(len(own)):
                    if other != m:
                        own[m] = _without(own[m], fresh[other])
            directions = [_right(a, r) for a, r in zip(own, individual_ranks, strict=True)]
        stacked = np.concatenate(own)
        moved = max(float(np.linalg.norm(joint - last_joint)), float(np.linalg.norm(stacked - last_own)))
        last_joint, last_own = joint, stacked
        if moved <= enough and iteration > 1:
            break

    def whole_again(factors: Factors) -> Factors:
        lifted = []
        for (loadings, rows), b in zip(factors, bases, strict=True):
            lifted.append((loadings if b is None else b @ loadings, rows if common is None else common @ rows))
        return lifted

    joint_factors = [(part @ shared, shared) for part in np.split(last_joint, edges)]
    own_factors = [(a @ v, v) for a, v in ((a, _right(a, r)) for a, r in zip(own, individual_ranks, strict=True))]
    return whole_again(joint_factors), whole_again(own_factors), iteration


def _decomposition(x: Sequence[Matrix], centres: list[Matrix], scales: list[float], joint: Factors, own: Factors,
                   iterations: int, rounds: int = 0, agreed: bool = True) -> Decomposition:
    root = np.sqrt(x[0].shape[1])  # orthonormal scores become scores of mean square 1
    explained = []
    for part, j, a in zip(x, _products(joint), _products(own), strict=True):
        total = float(np.square(part).sum()) or 1.0
        explained.append({name: float(np.square(share).sum()) / total for name, share
                          in (("joint", j), ("individual", a), ("residual", part - j - a))})
    return Decomposition(
        centres, scales, joint[0][1].shape[1], [rows.shape[1] for _, rows in own],
        joint[0][1] * root, [u * (s / root) for (u, _), s in zip(joint, scales, strict=True)],
        [rows * root for _, rows in own], [w * (s / root) for (w, _), s in zip(own, scales, strict=True)],
        explained, iterations, rounds, agreed)


def _without(x: Matrix, v: Matrix) -> Matrix:
    """Rows of x without what they have in the span of orthonormal v (n, r)."""
    return x - (x @ v) @ v.T if v.shape[1] else x


def _right(x: Matrix, rank: int) -> Matrix:
    """The first right singular vectors (n, rank) of x (p, n), from the smaller of x x' and x'x."""
    p, n = x.shape
    if not rank:
        return np.zeros((n, 0))
    if p >= n:
        return np.asarray(eigh(x.T @ x, subset_by_index=[n - rank, n - 1])[1][:, ::-1])
    left = eigh(x @ x.T, subset_by_index=[p - rank, p - 1])[1][:, ::-1]
    return np.asarray(np.linalg.qr(x.T @ left)[0])  # where x has a lower rank, qr completes them


# -- permutation -----------------------------------------------------------------------------------


def _singular_values(x: Matrix) -> Matrix:
    """Largest first, from the smaller of x x' and x'x."""
    return _roots(x @ x.T if x.shape[0] < x.shape[1] else x.T @ x)


def _roots(gram: Matrix) -> Matrix:
    return np.asarray(np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0)))


def _permuted_samples(x: Sequence[Matrix], permutations: int, generator: np.random.Generator) -> Matrix:
    """Singular values of the stack with the samples of each block permuted on their own, (permutations, k)."""
    n = x[0].shape[1]
    if sum(map(len, x)) >= n:
        grams = [part.T @ part for part in x]
        drawn = []
        for _ in range(permutations):
            orders = [generator.permutation(n) for _ in x]
            drawn.append(_roots(np.sum([g[np.ix_(o, o)] for g, o in zip(grams, orders, strict=True)], axis=0)))
        return np.stack(drawn)
    return np.stack([_singular_values(np.concatenate([part[:, generator.permutation(n)] for part in x]))
                     for _ in range(permutations)])


def _above(actual: Matrix, chance: Matrix, level: float, most: int) -> int:
    """How many singular values, from the first on, exceed the quantile of their like by chance."""
    exceeds = actual > np.quantile(chance, level, axis=0)
    return min(most, len(exceeds) if exceeds.all() else int(exceeds.argmin()))
