"""What scores pixels scores images of any size and number of channels: the sum over all of them, in nats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import bernoulli, logistic, norm

from vaecore.probability.likelihoods import (
    BernoulliConfig,
    DiscretisedLogisticConfig,
    GaussianFixedConfig,
    GaussianLearnedConfig,
    GaussianPerPixelConfig,
)

SHAPES = [(1, 28, 20), (2, 9, 7), (4, 64, 64), (7, 32, 40)]


def given(shape: tuple[int, ...], channels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Three images of grey levels, black and white among them, and a decoder's output for each."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randint(0, 256, (3, *shape), generator=generator) / 255
    x[:, :, 0], x[:, :, 1] = 0, 1
    return x, 0.3 * torch.randn(3, channels * shape[0], *shape[1:], generator=generator) + 0.4


def summed(values: Any) -> Any:
    return np.asarray(values).reshape(3, -1).sum(1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("sigma", [0.05, 1.0])
def test_gaussians(shape: tuple[int, ...], sigma: float) -> None:
    x, output = given(shape)
    for config in (GaussianFixedConfig(sigma=sigma), GaussianLearnedConfig(initial_sigma=sigma)):
        found = config.build()(output).log_prob(x).detach()
        expected = summed(norm.logpdf(x.double().numpy(), output.double().numpy(), sigma))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    x, output = given(shape, 2)
    mean, logvar = output[:, :shape[0]], output[:, shape[0]:] * 6 - 2  # the first C channels are the mean
    p = GaussianPerPixelConfig().build()(torch.cat([mean, logvar], 1))
    assert p.mean.shape == x.shape
    spread = np.exp(0.5 * np.clip(logvar.double().numpy(), -4.5, 0))
    expected = summed(norm.logpdf(x.double().numpy(), mean.double().numpy(), spread))
    np.testing.assert_allclose(p.log_prob(x), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bernoulli(shape: tuple[int, ...]) -> None:
    x, output = given(shape)
    share = 1 / (1 + np.exp(-output.double().numpy()))
    black = x.round()
    found = BernoulliConfig().build()(output)
    np.testing.assert_allclose(found.log_prob(black), summed(bernoulli.logpmf(black.numpy(), share)), rtol=1e-5)
    expected = summed(x.numpy() * np.log(share) + (1 - x.numpy()) * np.log1p(-share))  # of grey: a mean over draws
    np.testing.assert_allclose(found.log_prob(x), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("scale", [0.02, 0.1, 1.0])
def test_the_discretised_logistic_is_the_mass_of_each_grey_level(shape: tuple[int, ...], scale: float) -> None:
    x, output = given(shape)
    found = DiscretisedLogisticConfig(initial_scale=scale).build()(output).log_prob(x).detach()
    levels, mean = x.double().numpy(), output.double().numpy()
    upper = np.where(levels == 1, np.inf, levels + 0.5 / 255)  # the outer bins are open
    lower = np.where(levels == 0, -np.inf, levels - 0.5 / 255)
    mass = np.where(mean > levels, logistic.cdf(upper, mean, scale) - logistic.cdf(lower, mean, scale),
                    logistic.sf(lower, mean, scale) - logistic.sf(upper, mean, scale))  # no difference of two ones
    np.testing.assert_allclose(found, summed(np.log(mass)), rtol=2e-5)


@pytest.mark.parametrize("scale", [1e-3, 0.01, 0.3, 10.0])
@pytest.mark.parametrize("mean", [-0.6, 0.0, 0.5, 1.0, 2.0])
def test_the_masses_of_all_levels_add_up_to_one(scale: float, mean: float) -> None:
    likelihood = DiscretisedLogisticConfig(initial_scale=scale).build()
    levels = (torch.arange(256) / 255)[:, None, None, None].expand(256, 4, 1, 1)
    output = torch.full((256, 4, 1, 1), mean)
    one = likelihood(output[:, :1]).log_prob(levels[:, :1]).detach().double()
    assert float(one.exp().sum()) == pytest.approx(1, abs=2e-4)
    # Channels are independent: four times the nats of one.
    torch.testing.assert_close(likelihood(output).log_prob(levels).detach().double(), 4 * one, rtol=1e-5, atol=1e-4)


def test_a_learned_sigma_has_its_optimum_at_the_error() -> None:
    x, output = given((4, 12, 9))
    likelihood = GaussianLearnedConfig().build()
    error = float((x - output).square().mean())
    size = x[0].numel()
    best = -0.5 * size * (math.log(2 * math.pi * error) + 1)
    with torch.no_grad():
        likelihood.logvar.fill_(math.log(error))
    assert likelihood(output).log_prob(x).mean().item() == pytest.approx(best, rel=1e-5)
    likelihood(output).log_prob(x).mean().backward()
    assert likelihood.logvar.grad.item() == pytest.approx(0, abs=1e-2)
