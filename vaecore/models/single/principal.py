"""The principal components of observations with few or many numbers, exact or as good as that.

Of up to 4,096 numbers from their covariance; of more numbers than that, but no more observations, from the inner
products of the observations, which have the same spectrum. Where both are many, by subspace iteration: covariances of
images of 64 x 64 in colour would be 1.2 GB, and of 256 x 192 have 22 thousand million entries.
Shapes: N observations, D numbers of one, r components.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SOLVED_AT_ONCE = 4_096  # rows of a matrix whose whole spectrum is found: 128 MB, some seconds
SPARE = 16  # directions that subspace iteration carries along, so that those asked for converge
PASSES = 100  # over the data at most
SETTLED = 1e-6  # relative change of the variances from pass to pass
ROWS_AT_ONCE = 1_024  # in double precision at a time
COLUMNS_AT_ONCE = 4_096


class Principal(NamedTuple):
    """The first r components: `directions` (D, r) are orthonormal, `variances` (r,) descend; all in double precision.

    Variances divide by N; `total` is that of all D directions together.
    """

    centre: Tensor  # (D,)
    directions: Tensor
    variances: Tensor
    total: float

    def rank(self, flat: float) -> int:
        """How many of the r variances exceed this share of the largest one."""
        return int((self.variances > flat * self.variances[0]).sum())


def principal(x: Tensor, count: int) -> Principal:
    """The first `count` components of observations (N, D); where there are fewer directions, variances of 0."""
    observations, size = x.shape
    if size <= SOLVED_AT_ONCE:
        x = x.double()
        centre = x.mean(0)
        variances, directions = torch.linalg.eigh((x - centre).T @ (x - centre) / observations)  # ascending
        return Principal(centre, directions.flip(1)[:, :count], variances.flip(0)[:count].clamp(min=0),
                         float(variances.clamp(min=0).sum()))
    centre = x.mean(0, dtype=torch.double)
    if observations <= SOLVED_AT_ONCE:
        return _by_inner_products(x, centre, count)
    return _by_iteration(x, centre, count)


def _by_inner_products(x: Tensor, centre: Tensor, count: int) -> Principal:
    """X X' u = N v u gives X' u, of length sqrt(N v), along the component of variance v."""
    inner = torch.zeros(len(x), len(x), dtype=torch.double, device=x.device)
    columns = list(zip(torch.split(x, COLUMNS_AT_ONCE, 1), torch.split(centre, COLUMNS_AT_ONCE), strict=True))
    for part, middle in columns:
        inner += (part.double() - middle) @ (part.double() - middle).T
    values, vectors = torch.linalg.eigh(inner / len(x))
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)[:, :count]
    directions = torch.cat([(part.double() - middle).T @ vectors for part, middle in columns])
    # Rounding leaves directions without variance anywhere: orthonormalised in order, the good ones stay as they are.
    basis = torch.linalg.qr(_filled(directions, count))[0]
    variances = torch.zeros(count, dtype=torch.double, device=x.device)
    variances[:min(count, len(values))] = values[:count]
    return Principal(centre, basis, variances, float(values.sum()))


def _by_iteration(x: Tensor, centre: Tensor, count: int) -> Principal:
    """Orthogonal iteration on the covariance, which is never made: each pass multiplies by X and by X'."""
    width = min(count + SPARE, *x.shape)
    generator = torch.Generator(x.device).manual_seed(0)
    basis = torch.linalg.qr(torch.randn(x.shape[1], width, generator=generator, dtype=torch.double, device=x.device))[0]
    total, before = 0.0, torch.zeros(count, dtype=torch.double, device=x.device)
    for step in range(PASSES):
        image = torch.zeros_like(basis)
        for rows in torch.split(x, ROWS_AT_ONCE):
            centred = rows.double() - centre
            image += centred.T @ (centred @ basis)
            total += float(centred.square().sum()) / len(x) if step == 0 else 0.0
        values, turn = torch.linalg.eigh(basis.T @ image / len(x))  # Rayleigh and Ritz
        directions, variances = (basis @ turn.flip(1))[:, :count], values.flip(0)[:count].clamp(min=0)
        if bool(((variances - before).abs() <= SETTLED * variances).all()):
            break
        basis, before = torch.linalg.qr(image)[0], variances
    return Principal(centre, directions, variances, total)


def _filled(directions: Tensor, count: int) -> Tensor:
    """Directions (D, n) and, where n is less than `count`, unit vectors for those that the data do not have."""
    if (missing := count - directions.shape[1]) <= 0:
        return directions
    units = torch.eye(len(directions), missing, dtype=directions.dtype, device=directions.device)
    return torch.cat([directions, units], 1)
