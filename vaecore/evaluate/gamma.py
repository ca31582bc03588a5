"""What a fixed observation variance gamma makes of a VAE (Dai, Wang & Wipf 2020): costs and active units against it.

Costs are negative ELBOs in nats per observation. Shapes: N observations, D observed size, r latent size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaecore.data import Dataset
from vaecore.data.rows import in_parts

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What the closed forms need of a data set."""

    eigenvalues: Vector  # of the training covariance, descending, (D,)
    scatter: float  # mean squared distance of validation observations from the training mean

    @property
    def size(self) -> int:
        """The observed size D."""
        return len(self.eigenvalues)


@dataclass(frozen=True)
class Solution:
    """A trained VAE on the validation set, per observation."""

    gamma: float  # the variance it was scored with
    cost: float  # -ELBO, nats
    rate: float  # KL, nats
    error: float  # squared error under q(z|x), summed over the D numbers of an observation
    active: float  # dimensions in use

    @classmethod
    def scored(cls, gamma: float, cost: float, rate: float, active: float, size: int) -> Solution:
        """The solution whose code was scored so, D being `size`.

        Its distortion is D/2 log 2 pi gamma + error / (2 gamma).

        The mean squared error of an evaluation is no substitute: it is that of the decoded posterior mean, and less.
        """
        return cls(gamma, cost, rate, gamma * (2 * (cost - rate) - size * math.log(2 * math.pi * gamma)), active)

    def best_gamma(self, size: int) -> float:
        """The gamma at which this solution, left as it is, costs least: its mean squared error, D being `size`."""
        return self.error / size


def moments(dataset: Dataset) -> Moments:
    """Moments of the one modality of a data set of images in [0, 1] or vectors."""
    [name] = dataset.modalities
    train, validation = (dataset.splits[split].arrays[name] for split in ("train", "validation"))
    mean = sum(_flat(part).sum(0) for part in in_parts(train)) / len(train)
    covariance = sum((x := _flat(part) - mean).T @ x for part in in_parts(train)) / len(train)
    scatter = sum(float(((_flat(part) - mean) ** 2).sum()) for part in in_parts(validation)) / len(validation)
    return Moments(np.linalg.eigvalsh(covariance)[::-1], scatter)


def collapsed_cost(gamma: Vector, data: Moments) -> Vector:
    """Cost of the trivial solution: every observation decoded to the training mean, q(z|x) = p(z)."""
    return np.asarray(0.5 * (data.size * np.log(2 * np.pi * gamma) + data.scatter / gamma))


def best_collapsed_cost(data: Moments) -> float:
    """What a collapsed model costs at its own best gamma: what learning gamma would give it."""
    return float(0.5 * data.size * (np.log(2 * np.pi * data.scatter / data.size) + 1))


def linear_cost(gamma: Vector, data: Moments, latent_size: int) -> Vector:
    """Cost of the best linear VAE on the training set, probabilistic PCA; from lambda_max on it is the trivial one.

    The other costs are of the validation set: near lambda_max the two differ by the noise between the sets.
    """
    kept = np.maximum(data.eigenvalues[:latent_size, None], gamma)  # (r, G)
    spread = data.eigenvalues[:latent_size, None] / kept
    rest = np.maximum(data.eigenvalues[latent_size:], 0).sum() / gamma
    return np.asarray(0.5 * ((np.log(2 * np.pi * kept) + spread).sum(0) + rest
                             + (data.size - len(kept)) * np.log(2 * np.pi * gamma)))


def linear_active(gamma: Vector, data: Moments, latent_size: int) -> NDArray[np.int64]:
    """Active dimensions of the best linear VAE: the eigenvalues above gamma, at most r of them."""
    return np.asarray((data.eigenvalues[:latent_size, None] > gamma).sum(0))


def linear_kl(gamma: Vector, data: Moments, latent_size: int) -> Vector:
    """KL of each dimension of the best linear VAE at each gamma, (G, r), the largest first.

    It is half log(lambda / gamma), and 0 of the eigenvalues below. Reverse water-filling: gamma is the level of the
    water, and what lies under it is not coded. A weight beta of the KL has the same optimum as beta times gamma: both
    weigh the squared error against the KL.
    """
    kept = np.maximum(data.eigenvalues[None, :latent_size], gamma[:, None])
    return np.asarray(0.5 * np.log(kept / gamma[:, None]))


def kept_cost(gamma: Vector, data: Moments, rate: float, error: float) -> Vector:
    """Cost at each gamma of one solution left as it is: its KL `rate`, its squared error `error` an observation."""
    return np.asarray(rate + 0.5 * (data.size * np.log(2 * np.pi * gamma) + error / gamma))


def crossing(data: Moments, rate: float, error: float) -> float:
    """gamma' of Proposition 2: from there on the trivial solution costs less than this one, left as it is.

    Where `kept_cost` meets `collapsed_cost`; infinite for a solution with no rate, 0 for one that explains nothing.
    """
    explained = max(0.0, data.scatter - error)
    return explained / (2 * rate) if rate > 0 else math.inf


def _flat(x: NDArray[np.generic]) -> Vector:
    plain = x.reshape(len(x), -1).astype(np.float64)
    return plain / 255 if x.dtype == np.uint8 else plain
