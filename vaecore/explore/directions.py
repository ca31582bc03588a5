"""Directions of a latent that say something: between two groups of codes, and what a decoder listens to at a code.

Shapes: r latent size, k directions, N codes, D numbers of what is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.explore.codes import Codes
from vaecore.explore.surface import Surface

VISIBLE = 0.05  # root mean square of what one unit of a local direction changes, in pixel values or units of a vector
COLUMNS = 32  # of a Jacobian that are computed at once
HALF = 2  # codes on each side of a group that a half needs, to be judged by the other


# -- between groups --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attribute:
    """The way from the mean code of a group B to that of a group A; one unit of it is all of that way."""

    name: str
    vector: Codes  # (r,)
    counts: tuple[int, int]  # codes in A and in B
    auc: float  # chance that a code of A lies farther along it than one of B; ties count half
    in_sample: bool  # whether that was measured on the codes that the direction is made of, for want of others

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "vector": self.vector.tolist(), "count": list(self.counts), "auc": self.auc,
                "in_sample": self.in_sample}

    @property
    def words(self) -> str:
        """A sentence on how the direction was made, and how well it separates both groups."""
        told = ("on the very codes that it is made of" if self.in_sample else
                "on codes that the direction was not made of")
        return (f"The mean of {self.counts[0]} codes less that of {self.counts[1]}; a code of the first lies farther "
                f"along it than one of the second in {self.auc:.0%} of pairs, {told}.")


def attribute(a: Codes, b: Codes, name: str) -> Attribute:
    """The mean of codes `a` (N, r) less that of codes `b` (M, r), and how well it tells one from the other.

    Every second code of either is held out of a direction that is judged on it, and the other way round; the AUC is the
    mean of both. With fewer than four codes on a side it is measured in sample, which flatters. Raises `ValueError` for
    a group without a code, and for two means that are equal.
    """
    if not len(a) or not len(b):
        raise ValueError(f"{name}: {'the first' if not len(a) else 'the second'} group has no code. Choose a group "
                         "that has.")
    vector = _between(a, b)
    if not np.any(vector):
        raise ValueError(f"{name}: both groups have the same mean code, so there is no direction between them. Choose "
                         "another group.")
    in_sample = min(len(a), len(b)) < 2 * HALF
    if in_sample:
        return Attribute(name, vector, (len(a), len(b)), auc(a @ vector, b @ vector), True)
    halves = ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2)))
    judged = []
    for own, held in halves:
        along = _between(a[own], b[own])
        judged.append(auc(a[held] @ along, b[held] @ along))
    return Attribute(name, vector, (len(a), len(b)), float(np.mean(judged)), False)


def _between(a: Codes, b: Codes) -> Codes:
    found: Codes = (a.mean(0, dtype=np.float64) - b.mean(0, dtype=np.float64)).astype(np.float32)
    return found


def auc(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The chance that a number of `a` is larger than one of `b`, ties counting half: the area under the ROC curve."""
    ordered = np.sort(b)
    below = np.searchsorted(ordered, a, "left") + np.searchsorted(ordered, a, "right")
    return float(below.mean() / (2 * len(b)))


# -- at a code -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Local:
    """What a decoder listens to most at one code: right singular vectors of its Jacobian, the strongest first."""

    vectors: Codes  # (k, r), each of length 1
    values: NDArray[np.float64]  # (k,) how far what is decoded moves with a code that moves by 1
    steps: NDArray[np.float64]  # (k,) how far a code moves with one unit of a slider, so that it is seen

    @property
    def moves(self) -> Codes:
        """The way of a code with one unit of each slider, (k, r)."""
        found: Codes = (self.steps[:, None] * self.vectors).astype(np.float32)
        return found

    def facts(self) -> list[dict[str, Any]]:
        return [{"name": f"local {place + 1}", "vector": vector.tolist(), "value": float(value), "step": float(step)}
                for place, (vector, value, step) in enumerate(zip(self.vectors, self.values, self.steps, strict=True))]


def local(surface: Surface, code: Codes, count: int = 6, *, unit: Codes | None = None, like: Local | None = None
          ) -> Local:
    """The `count` directions at `code` (r,) along which what is decoded changes most.

    A unit of a slider changes it by `VISIBLE` in root mean square, to first order, or by less where the code would move
    more than one `unit` (r,) of its scale. A singular vector is known but for its sign: its largest component is
    positive. `like` are the directions at a code nearby: then each keeps the place and the sign of the one it goes on
    from, so that a slider never turns round as the code moves on.
    """
    j = jacobian(surface, torch.as_tensor(np.asarray(code, np.float32)))
    _, values, rows = np.linalg.svd(j.double().numpy(), full_matrices=False)
    order = _following(rows, like)[:count] if like is not None else np.arange(len(values))[:count]
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])
    if like is not None:
        for place, row in enumerate(order[:len(like.vectors)]):
            signs[row] = 1.0 if rows[row] @ like.vectors[place] >= 0 else -1.0
    vectors, values = (signs[:, None] * rows)[order], values[order]
    wide = np.abs(vectors / (1 if unit is None else unit)).max(1)  # units of scale that the code moves by at most
    visible = VISIBLE * math.sqrt(len(j)) / np.maximum(values, 1e-12)
    return Local(vectors.astype(np.float32), values, np.minimum(visible, 1 / wide))


def jacobian(surface: Surface, code: Tensor) -> Tensor:
    """J (D, r) at a code (r,): how what is decoded changes with each dimension.

    J' u is what reverse differentiation gives, for any u, and is linear in u: differentiated once more by u it gives
    J v. With a copy of the code for each v all columns take three passes together (Townsend 2017).
    """
    columns: list[Tensor] = []
    for basis in torch.split(torch.eye(len(code)).to(code), COLUMNS):
        with torch.enable_grad():
            codes = code.detach().expand(len(basis), -1).clone().requires_grad_()
            points = surface(codes)
            u = torch.zeros_like(points, requires_grad=True)
            [pulled] = torch.autograd.grad(points, codes, u, create_graph=True, allow_unused=True)  # J' u, a row each
            # What is decoded without this latent, as a modality from the private code of another, never moves.
            columns += [torch.zeros_like(points)] if pulled is None else torch.autograd.grad(pulled, u, basis)
    return torch.cat(columns).T


def _following(rows: NDArray[np.float64], like: Local) -> NDArray[np.int64]:
    """Which of the vectors (k, r) goes on from each earlier one, the closest pairs first; then those that are left."""
    close = np.abs(like.vectors @ rows.T)
    taken: dict[int, int] = {}
    for flat in np.argsort(-close, axis=None, kind="stable"):
        place, row = divmod(int(flat), len(rows))
        if place not in taken and row not in taken.values():
            taken[place] = row
    found: Sequence[int] = [taken[place] for place in sorted(taken)]
    return np.array([*found, *(row for row in range(len(rows)) if row not in found)])
