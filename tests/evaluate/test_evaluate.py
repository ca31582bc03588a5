"""log p(x) by importance sampling against exact marginals, and what it refuses."""

from __future__ import annotations

import math

import pytest
import torch

from vaecore.data import Modality
from vaecore.evaluate.likelihood import importance_log_weights, log_likelihood
from vaecore.models import AEConfig, Family, VAEConfig
from vaecore.nets import LinearConfig
from vaecore.probability.likelihoods import GaussianFixedConfig

SIGMA, SIZE = 0.7, 5


@pytest.fixture(scope="module")
def linear() -> Family:
    """A linear-Gaussian VAE, whose p(x) is N(b, W W' + sigma^2 I), with an encoder that is not the posterior."""
    torch.manual_seed(0)
    config = VAEConfig(latent_size=2, network=LinearConfig(), likelihood=GaussianFixedConfig(sigma=SIGMA))
    return config.build({"vector": Modality("vector", (SIZE,))}).eval()


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(40, SIZE, generator=torch.Generator().manual_seed(1))


def exact(model: Family, x: torch.Tensor) -> torch.Tensor:
    layer = model.get_submodule("decoder.0")
    w, b = layer.weight, layer.bias
    covariance = w @ w.T + SIGMA**2 * torch.eye(SIZE)
    return torch.distributions.MultivariateNormal(b, covariance).log_prob(x)


@torch.inference_mode()
def test_meets_the_exact_marginal(linear: Family, x: torch.Tensor) -> None:
    result = log_likelihood(linear, [{"vector": x[:25]}, {"vector": x[25:]}], 4000)
    truth = exact(linear, x)
    assert result.observations == 40 and result.samples == 4000
    assert result.log_likelihood == pytest.approx(float(truth.mean()), abs=0.02)
    assert result.standard_error == pytest.approx(float(truth.std() / math.sqrt(40)), rel=0.05)


@torch.inference_mode()
def test_grows_with_k_from_the_elbo_to_the_truth(linear: Family, x: torch.Tensor) -> None:
    batch, generator = {"vector": x}, torch.Generator().manual_seed(2)
    weights = importance_log_weights(linear, batch, 20_000, generator)  # (K, B)
    assert weights.shape == (20_000, 40)
    curve = [float((weights.view(-1, k, 40).logsumexp(1) - math.log(k)).mean()) for k in (1, 10, 100, 1000)]
    assert curve == sorted(curve) and curve[-1] <= float(exact(linear, x).mean()) + 0.01
    repeated = torch.stack([linear.elbo(batch, generator).elbo() for _ in range(2000)]).mean()
    assert curve[0] == pytest.approx(float(repeated), abs=0.02)  # K = 1 is the ELBO


def test_what_it_refuses(linear: Family, x: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="0 importance samples"):
        log_likelihood(linear, [{"vector": x}], 0)
    code = AEConfig(latent_size=2, network=LinearConfig()).build({"vector": Modality("vector", (SIZE,))})
    with pytest.raises(ValueError, match="no prior"):
        log_likelihood(code, [{"vector": x}], 10)
