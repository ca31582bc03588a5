"""Every density against integration, torch.distributions or a formula written out again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from torch.nn.functional import binary_cross_entropy_with_logits

from vaecore.probability.gaussian import POSTERIOR_LOGVAR, DiagonalGaussian, GaussianMixture
from vaecore.probability.likelihoods import (
    PIXEL_LOGVAR,
    BernoulliConfig,
    BernoulliPixels,
    DiscretisedLogisticConfig,
    DiscretisedLogisticPixels,
    GaussianFixedConfig,
    GaussianLearnedConfig,
    GaussianPerPixelConfig,
    GaussianPixels,
)
from vaecore.schema import ConfigError, parse

B, SHAPE = 3, (2, 4, 5)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# -- posteriors ------------------------------------------------------------------------------------


def test_kl_is_the_integral_in_each_dimension() -> None:
    means = torch.tensor([[0.0, 1.5, -2.0], [0.3, 0.0, 3.0]])
    logvars = torch.tensor([[0.0, -3.0, 1.2], [2.0, -6.0, 0.5]])
    kl = DiagonalGaussian(means, logvars).kl_from_standard()
    assert kl.shape == (2, 3)  # a dimension each: r of them, whatever the size of what is observed
    for row, column in np.ndindex(2, 3):
        mean, sigma = means[row, column].item(), math.exp(0.5 * logvars[row, column].item())
        q = stats.norm(mean, sigma)
        expected, _ = integrate.quad(lambda z, q=q: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)),
                                     mean - 10 * sigma, mean + 10 * sigma)
        assert kl[row, column].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(*POSTERIOR_LOGVAR)), min_size=1, max_size=8))
def test_kl_is_never_negative_and_zero_only_at_the_prior(values: list[tuple[float, float]]) -> None:
    parameters = torch.tensor(values, dtype=torch.float64).T
    kl = DiagonalGaussian(parameters[:1], parameters[1:]).kl_from_standard()
    assert (kl >= -1e-15).all()
    away = (parameters.abs() > 1e-3).any(0)
    assert (kl[0][away] > 0).all()


def test_samples_have_the_posteriors_moments(generator: torch.Generator) -> None:
    q = DiagonalGaussian(torch.tensor([[1.0, -2.0], [0.0, 3.0]]), torch.tensor([[0.0, -4.0], [1.0, -1.0]]))
    z = q.rsample(generator, 40_000)
    assert z.shape == (40_000, 2, 2)
    sigma = (0.5 * q.logvar).exp()
    assert ((z.mean(0) - q.mean).abs() < 5 * sigma / 200).all()
    torch.testing.assert_close(z.var(0), q.logvar.exp(), rtol=0.05, atol=0)
    eps = ((z - q.mean) / sigma).flatten(1)
    torch.testing.assert_close(torch.corrcoef(eps.T), torch.eye(4), atol=0.03, rtol=0)  # each with its own noise
    again = q.rsample(torch.Generator().manual_seed(0), 40_000)
    assert torch.equal(z, again)


def test_samples_are_differentiable_in_mean_and_logvar(generator: torch.Generator) -> None:
    mean, logvar = torch.tensor([[0.5, -1.0]], requires_grad=True), torch.tensor([[-1.0, 0.7]], requires_grad=True)
    z = DiagonalGaussian(mean, logvar).rsample(generator, 50_000)
    z.square().sum(-1).mean().backward()  # E z^2 = mean^2 + exp(logvar)
    torch.testing.assert_close(mean.grad, 2 * mean.detach(), rtol=0.03, atol=0.02)
    torch.testing.assert_close(logvar.grad, logvar.detach().exp(), rtol=0.05, atol=0.02)


def test_log_prob_is_torchs(generator: torch.Generator) -> None:
    mean, logvar = torch.randn(B, 4, generator=generator), torch.randn(B, 4, generator=generator)
    z = torch.randn(7, B, 4, generator=generator)
    expected = torch.distributions.Normal(mean, (0.5 * logvar).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(DiagonalGaussian(mean, logvar).log_prob(z), expected)
    assert expected.shape == (7, B)


def test_posterior_is_bounded_and_split_mean_first() -> None:
    q = DiagonalGaussian.bounded(torch.tensor([[50.0, -50.0, 0.5, 100.0, -100.0, 1.0]]))
    assert q.mean.tolist() == [[50, -50, 0.5]]
    assert q.logvar.tolist() == [[2, -6, 1]]
    assert DiagonalGaussian.bounded(torch.zeros(1, 4, dtype=torch.bfloat16)).mean.dtype == torch.float32


# -- likelihoods -----------------------------------------------------------------------------------


def bernoulli(output: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    p = 1 / (1 + np.exp(-output))
    return np.asarray(x * np.log(p) + (1 - x) * np.log(1 - p))


def logistic(output: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    level, cdf = np.rint(x * 255), stats.logistic(output, 0.1).cdf
    upper = np.where(level == 255, 1, cdf((level + 0.5) / 255))
    return np.asarray(np.log(upper - np.where(level == 0, 0, cdf((level - 0.5) / 255))))


CASES: list[Any] = [
    pytest.param(BernoulliConfig(), bernoulli, id="bernoulli"),
    pytest.param(GaussianFixedConfig(sigma=0.3), lambda m, x: stats.norm(m, 0.3).logpdf(x), id="gaussian"),
    pytest.param(GaussianLearnedConfig(initial_sigma=0.7), lambda m, x: stats.norm(m, 0.7).logpdf(x), id="learned"),
    pytest.param(GaussianPerPixelConfig(), None, id="per-pixel"),
    pytest.param(DiscretisedLogisticConfig(), logistic, id="discretised-logistic")]


@pytest.mark.parametrize(("config", "formula"), CASES)
def test_log_prob_sums_over_pixels_and_not_over_the_batch(config: Any, formula: Any, generator: torch.Generator
                                                          ) -> None:
    likelihood = config.build()
    output = torch.randn(B, likelihood.channels * SHAPE[0], *SHAPE[1:], generator=generator)
    if isinstance(config, DiscretisedLogisticConfig):
        output = 0.3 * output + 0.5  # near the pixels: far from them the formula's difference of CDFs has no digits
    x = torch.randint(0, 256, (B, *SHAPE), generator=generator) / 255
    x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    p = likelihood(output)
    found = p.log_prob(x)
    assert found.shape == (B,)
    mean, wide = output[:, : SHAPE[0]].double().numpy(), x.double().numpy()
    if formula is None:  # equation (12): the second half of the channels are log-variances, bounded
        logvar = np.clip(output[:, SHAPE[0]:].double().numpy(), *PIXEL_LOGVAR)
        values = -0.5 * (np.log(2 * np.pi) + logvar + (wide - mean) ** 2 / np.exp(logvar))
        assert (output[:, SHAPE[0]:] > 0).any() and (output[:, SHAPE[0]:] < 0).any()
    else:
        values = formula(mean, wide)
    np.testing.assert_allclose(found.detach().numpy(), values.sum((1, 2, 3)), rtol=1e-4)
    for row in range(B):  # each alone as in the batch
        alone = likelihood(output[row: row + 1]).log_prob(x[row: row + 1])
        torch.testing.assert_close(alone, found[row: row + 1])
    assert p.mean.shape == (B, *SHAPE)
    expected_mean = 1 / (1 + np.exp(-mean)) if isinstance(config, BernoulliConfig) else mean
    np.testing.assert_allclose(p.mean.detach().numpy(), expected_mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", [pytest.param(case.values[0], id=case.id) for case in CASES])
def test_samples_have_the_mean_and_the_spread(config: Any, generator: torch.Generator) -> None:
    likelihood = config.build()
    output = torch.full((20_000, likelihood.channels, 2, 2), 0.4)
    if likelihood.channels == 2:
        output[:, 1] = -2.0
    with torch.no_grad():
        p = likelihood(output)
        x = p.sample(generator)
    assert x.shape == (20_000, 1, 2, 2)
    mean = torch.sigmoid(torch.tensor(0.4)).item() if isinstance(config, BernoulliConfig) else 0.4
    sigma = {"bernoulli": math.sqrt(mean * (1 - mean)), "gaussian": 0.3, "gaussian-learned": 0.7,
             "gaussian-per-pixel": math.exp(-1), "discretised-logistic": 0.1 * math.pi / math.sqrt(3)}[config.kind]
    assert x.mean().item() == pytest.approx(mean, abs=0.015)
    assert x.std().item() == pytest.approx(sigma, rel=0.05)
    assert torch.corrcoef(x.flatten(1).T).fill_diagonal_(0).abs().max() < 0.04
    assert torch.equal(x, p.sample(torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("log_scale", [-7.0, -4.0, -2.0, 0.0, 3.0])
@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.3, 0.5 / 255, 1.0, 4.0])
def test_discretised_logistic_sums_to_one(log_scale: float, mean: float) -> None:
    grid = torch.arange(256, dtype=torch.float64)[:, None] / 255
    p = DiscretisedLogisticPixels(torch.full((256, 1), mean, dtype=torch.float64),
                                  torch.tensor(log_scale, dtype=torch.float64))
    log_prob = p.log_prob(grid)
    assert log_prob.isfinite().all()
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-9)
    single = DiscretisedLogisticPixels(torch.full((256, 1), mean), torch.tensor(log_scale)).log_prob(grid.float())
    assert single.exp().sum().item() == pytest.approx(1, abs=2e-3)


def test_discretised_logistic_samples_stay_on_the_grid(generator: torch.Generator) -> None:
    p = DiscretisedLogisticPixels(torch.linspace(-0.5, 1.5, 200).repeat(200, 1), torch.tensor(-2.0))
    levels = p.sample(generator) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert levels.min() == 0 and levels.max() == 255
    # How often each level comes agrees with its probability.
    one = DiscretisedLogisticPixels(torch.full((100_000, 1), 0.1), torch.tensor(-2.5))
    share = np.bincount(one.sample(generator).mul(255).round().int().numpy().ravel(), minlength=256) / 100_000
    grid = torch.arange(256)[:, None] / 255
    exact = DiscretisedLogisticPixels(torch.full((256, 1), 0.1), torch.tensor(-2.5)).log_prob(grid).exp().numpy()
    assert exact[0] > 0.2 and np.abs(share - exact).max() < 0.008


def test_variances_are_bounded() -> None:
    x = torch.zeros(1, 1, 1, 1)
    for raw, bound in ((-50.0, PIXEL_LOGVAR[0]), (50.0, PIXEL_LOGVAR[1])):
        p = GaussianPerPixelConfig().build()(torch.tensor([[[[0.2]], [[raw]]]]))
        expected = stats.norm(0.2, math.exp(bound / 2)).logpdf(0)
        assert p.log_prob(x).item() == pytest.approx(expected, rel=1e-5)
    learned = GaussianLearnedConfig().build()
    with torch.no_grad():
        learned.logvar.fill_(-1000)
    assert learned(x).log_prob(x).isfinite().all()


@pytest.mark.parametrize(("config", "field"), [(GaussianFixedConfig, "sigma"), (GaussianLearnedConfig, "initial_sigma"),
                                               (DiscretisedLogisticConfig, "initial_scale")])
def test_no_allowed_width_is_changed_in_silence(config: Any, field: str) -> None:
    smallest = next(m.ge for m in config.model_fields[field].metadata if hasattr(m, "ge"))
    for value in (smallest, 10.0):
        p = config(**{field: value}).build()(torch.zeros(1, 1))
        width = p.log_scale.exp() if isinstance(p, DiscretisedLogisticPixels) else (0.5 * p.logvar).exp()
        assert width.item() == pytest.approx(value, rel=1e-4)
    for value in (0, -1, smallest / 2):
        with pytest.raises(ConfigError, match=field):
            parse(config, {field: value})


def test_only_learned_widths_are_parameters() -> None:
    counts = {c.values[0].kind: sum(p.numel() for p in c.values[0].build().parameters()) for c in CASES}
    assert counts == {"bernoulli": 0, "gaussian": 0, "gaussian-learned": 1, "gaussian-per-pixel": 0,
                      "discretised-logistic": 1}
    assert "logvar" in GaussianFixedConfig().build().state_dict()  # yet the fixed one travels with the weights


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    value = BernoulliPixels(logits).log_prob(torch.tensor([[1.0, 1.0]]))
    assert value.item() == pytest.approx(-200)
    value.sum().backward()
    assert logits.grad.tolist() == [[1, 0]]
    assert GaussianPixels(torch.zeros(1, 2), torch.tensor(0.0)).log_prob(torch.zeros(1, 2)).item() == pytest.approx(
        -math.log(2 * math.pi))


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 5.0, 30.0, 1000.0])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3,), (112,), (1, 15, 15), (2, 7, 17)])
def test_the_bernoulli_of_evaluation_is_the_cross_entropy_of_training(scale: float, shape: tuple[int, ...]) -> None:
    """Any number of pixels, black, white and grey, logits of any size: to what single precision can tell."""
    generator = torch.Generator().manual_seed(1)
    logits = scale * torch.randn(40, *shape, generator=generator)
    x = torch.rand(40, *shape, generator=generator)
    x[::2] = (x[::2] < 0.5).float()
    with torch.no_grad():
        found = BernoulliPixels(logits).log_prob(x)
    wanted = -binary_cross_entropy_with_logits(logits.double(), x.double(), reduction="none").flatten(1).sum(1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted, rtol=2e-6, atol=2e-5)
    torch.testing.assert_close(found, BernoulliPixels(logits).log_prob(x), rtol=2e-6, atol=2e-5)  # as in training


@pytest.mark.parametrize("logvar", [-13.8, -3.2, 0.0, 9.2])
def test_a_gaussian_of_one_variance_is_that_of_as_many_equal_ones(logvar: float) -> None:
    """The value, and the gradients of means and of the variance."""
    generator = torch.Generator().manual_seed(2)
    mean, x = torch.randn(2, 5, 3, 4, 4, generator=generator)
    mean.requires_grad_()
    one = torch.tensor(logvar, requires_grad=True)
    each = GaussianPixels(mean.double(), one.double().expand(mean.shape)).log_prob(x.double())
    found = GaussianPixels(mean, one).log_prob(x)
    torch.testing.assert_close(found.double(), each, rtol=2e-6, atol=1e-4)
    for own, wanted in zip(torch.autograd.grad(found.sum(), [mean, one]), torch.autograd.grad(each.sum(), [mean, one]),
                           strict=True):
        torch.testing.assert_close(own, wanted, rtol=1e-5, atol=1e-4)


def test_many_undecided_pixels_do_not_underflow() -> None:
    """Half to the power of a thousand is no number in single precision."""
    with torch.no_grad():
        found = BernoulliPixels(torch.zeros(2, 1000)).log_prob(torch.ones(2, 1000))
    assert found.tolist() == pytest.approx([-1000 * math.log(2)] * 2, rel=1e-6)


@pytest.mark.parametrize("spread", [1.0, 30.0, 100.0, 3000.0])
def test_m3_a_mixture_of_far_components_is_exact_in_single_precision(spread: float) -> None:
    """Codes of the narrow components themselves: single precision was off by 2 nats at 30, by 56 at 100."""
    generator = torch.Generator().manual_seed(4)
    mean = spread * torch.randn(50, 8, generator=generator)
    logvar = torch.full((50, 8), -6.0) + 0.1 * torch.randn(50, 8, generator=generator)
    mixture = GaussianMixture(mean, logvar, torch.randn(50, generator=generator).log_softmax(0))
    z = (mean + (0.5 * logvar).exp() * torch.randn(50, 8, generator=generator)).view(5, 10, 8)
    pairs = torch.distributions.Normal(mean.double(), (0.5 * logvar.double()).exp()).log_prob(z.double()[:, :, None])
    exact = (pairs.sum(-1) + mixture.log_weights.double()).logsumexp(-1)
    found = mixture.log_prob(z)
    assert found.dtype == z.dtype and found.shape == (5, 10)
    torch.testing.assert_close(found.double(), exact, atol=1e-4, rtol=1e-6)
    z.requires_grad_()
    [gradient] = torch.autograd.grad(mixture.log_prob(z).sum(), z)
    posterior = (pairs.sum(-1) + mixture.log_weights.double()).softmax(-1)[..., None]
    pull = ((mean.double() - z.detach().double()[:, :, None]) * (-logvar.double()).exp() * posterior).sum(2)
    torch.testing.assert_close(gradient.double(), pull, atol=1e-2, rtol=1e-4)
