"""What samples that are weighed are worth."""

from __future__ import annotations

from torch import Tensor


def effective(log_weights: Tensor) -> Tensor:
    """Effective sample size of the weights of K samples, (K, ...) logarithms: (sum w)^2 / sum w^2, from 1 to K, (...).

    Weights count up to a factor: they need not be normalised.
    """
    return 1 / log_weights.softmax(0).square().sum(0)
