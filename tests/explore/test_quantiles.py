"""Quantiles of priors and of aggregated posteriors, against scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from vaecore.explore.quantiles import quantiles, shares
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture, StandardNormal

P = [0.01, 0.25, 0.5, 0.9, 0.999]


def test_of_a_standard_normal_they_are_known() -> None:
    found = quantiles(StandardNormal(3).as_mixture(), P)
    np.testing.assert_allclose(found, np.tile(norm.ppf(P)[:, None], 3), atol=1e-9)


def test_of_a_mixture_they_hold_the_mass_that_is_asked_for() -> None:
    mean, sigma = torch.tensor([[-2.0, 1.0], [1.0, 0.5], [30.0, -1.0]]), torch.tensor([[0.5, 1], [1.5, 0.3], [0.02, 2]])
    weights = np.array([0.2, 0.7, 0.1])
    found = quantiles(GaussianMixture(mean, 2 * sigma.log(), torch.from_numpy(weights).log()), P)
    for d in range(2):
        below = norm.cdf(found[:, d][:, None], mean[:, d].numpy(), sigma[:, d].numpy()) @ weights
        np.testing.assert_allclose(below, P, atol=1e-6)
    assert found[-1, 0] == pytest.approx(norm.ppf(0.99, 30, 0.02), abs=1e-5)


def test_of_two_alike_the_middle_is_between_them_and_both_sides_mirror() -> None:
    q = DiagonalGaussian(torch.tensor([[-3.0], [3.0]]), torch.zeros(2, 1))
    found = quantiles(GaussianMixture.equal(q), [0.25, 0.5, 0.75])[:, 0]
    assert found[1] == pytest.approx(0, abs=1e-9) and found[0] == pytest.approx(-found[2], abs=1e-9)
    assert found[0] == pytest.approx(-3, abs=1e-3), "half of the left one's mass"


def test_many_posteriors_that_spread_as_a_gaussian_have_its_quantiles() -> None:
    """N(0, 0.6^2) of means with sigma 0.8 in each is N(0, 1)."""
    count = 4000
    means = 0.6 * torch.from_numpy(norm.ppf((np.arange(count) + 0.5) / count)).float()[:, None]
    q = DiagonalGaussian(means, torch.full((count, 1), 2 * math.log(0.8)))
    values = np.linspace(-2.5, 2.5, 11)
    found = quantiles(GaussianMixture.equal(q), shares(values))[:, 0]
    np.testing.assert_allclose(found, values, atol=3e-3)


@pytest.mark.parametrize("wrong", [[], [0.0, 0.5], [0.5, 1.0], [float("nan")]])
def test_no_number_has_all_or_nothing_below_it(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantiles(StandardNormal(2).as_mixture(), wrong)
