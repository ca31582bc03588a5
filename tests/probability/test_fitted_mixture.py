"""Mixtures with whole covariances against torch's own, and expectation-maximisation against what it should recover."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch import distributions as reference

from vaecore.explore.densities import marginal, moments, plane
from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture
from vaecore.probability.mixture_fit import fit_mixture
from vaecore.probability.priors import Fitted, FittedConfig
from vaecore.training.checkpoints import HALVED_FROM, halved

MEAN = torch.tensor([[-2.0, 1.0], [1.0, 0.5], [3.0, -2.0]])
FACTOR = torch.tensor([[[0.6, 0.0], [0.5, 0.4]], [[1.2, 0.0], [-0.9, 0.5]], [[0.4, 0.0], [0.0, 0.9]]])
WEIGHTS = torch.tensor([0.5, 0.3, 0.2])
MIXED = FullMixture(MEAN, FACTOR, WEIGHTS.log())


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def torchs(mixed: FullMixture) -> reference.Distribution:
    parts = reference.MultivariateNormal(mixed.mean.double(), scale_tril=mixed.factor.double())
    return reference.MixtureSameFamily(reference.Categorical(logits=mixed.log_weights.double()), parts)


def grid(half: float = 9.0, step: float = 0.05) -> tuple[Tensor, Tensor]:
    axis = torch.arange(-half, half, step, dtype=torch.double)
    return axis, torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)  # rows by y


# -- the density -----------------------------------------------------------------------------------


def test_log_prob_is_torchs_and_keeps_shape_and_precision() -> None:
    z = 3 * torch.randn(4, 5, 2, generator=noise())
    found = MIXED.log_prob(z)
    assert found.shape == (4, 5) and found.dtype == torch.float32
    torch.testing.assert_close(found.double(), torchs(MIXED).log_prob(z.double()), atol=1e-5, rtol=1e-5)


def test_it_integrates_to_one() -> None:
    axis, points = grid()
    assert float(MIXED.log_prob(points).exp().sum()) * 0.05**2 == pytest.approx(1, abs=1e-6)
    assert float(plane(MIXED, (0, 1), axis.numpy(), axis.numpy()).sum()) * 0.05**2 == pytest.approx(1, abs=1e-6)


def test_a_plane_has_what_its_dimensions_have_in_common() -> None:
    axis, points = grid(step=0.5)
    truth = torchs(MIXED).log_prob(points).exp()
    torch.testing.assert_close(torch.from_numpy(plane(MIXED, (0, 1), axis.numpy(), axis.numpy())), truth)
    torch.testing.assert_close(torch.from_numpy(plane(MIXED, (1, 0), axis.numpy(), axis.numpy())), truth.T)
    assert float((torch.from_numpy(plane(MIXED.as_mixture(), (0, 1), axis.numpy(), axis.numpy())) - truth).abs().max()
                 ) > 0.02  # which the diagonal mixture has not


def test_marginals_and_moments_are_those_of_draws() -> None:
    mean, std = moments(MIXED)
    drawn = torchs(MIXED).sample((200_000,)).numpy()
    assert mean == pytest.approx(drawn.mean(0), abs=0.02) and std == pytest.approx(drawn.std(0), rel=0.01)
    axis, _ = grid(step=0.05)
    for dimension in (0, 1):
        other = plane(MIXED, (dimension, 1 - dimension), axis.numpy(), axis.numpy()).sum(0) * 0.05
        assert marginal(MIXED, dimension, axis.numpy()) == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
def test_draws_have_means_and_covariances_of_their_components(temperature: float) -> None:
    one = FullMixture(MEAN[:1], FACTOR[:1], torch.zeros(1)).tempered(temperature)
    drawn = one.sample(100_000, noise())
    torch.testing.assert_close(drawn.mean(0), MEAN[0], atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), temperature**2 * FACTOR[0] @ FACTOR[0].T, atol=0.01, rtol=0.02)


def test_draws_come_from_components_by_weight() -> None:
    far = FullMixture(100 * MEAN, FACTOR, WEIGHTS.log())
    for drawn in (far.sample(50_000, noise()), far.from_noise(torch.linspace(0, 1 - 1e-6, 50_000).double(),
                                                             torch.randn(50_000, 2, generator=noise()))):
        nearest = torch.cdist(drawn, far.mean).argmin(1)
        torch.testing.assert_close(nearest.bincount() / 50_000, WEIGHTS, atol=0.01, rtol=0)
    assert torch.equal(far.from_noise(torch.tensor([0.1, 0.6, 0.9]), torch.zeros(3, 2)), far.mean)


def test_its_kl_from_a_posterior_is_estimated_from_codes() -> None:
    q = DiagonalGaussian(torch.tensor([[0.5, -0.5]]), torch.tensor([[-1.0, -2.0]]))
    one = FullMixture(MEAN[1:2], FACTOR[1:2], torch.zeros(1))
    z = q.rsample(noise(), 50_000)
    truth = reference.kl_divergence(reference.MultivariateNormal(q.mean[0], torch.diag(q.logvar[0].exp())),
                                    reference.MultivariateNormal(MEAN[1], scale_tril=FACTOR[1]))
    found = one.kl(q, z)
    assert found.shape == (1, 1) and float(found) == pytest.approx(float(truth), rel=0.02)


def test_the_gaussian_of_codes_has_their_mean_and_covariance() -> None:
    codes = MIXED.sample(500, noise()).double()
    found = FullMixture.gaussian_of(codes)
    torch.testing.assert_close(found.mean[0], codes.mean(0))
    torch.testing.assert_close(found.covariances((0, 1))[0], codes.T.cov(correction=0), atol=1e-6, rtol=1e-6)
    assert math.isfinite(float(FullMixture.gaussian_of(torch.zeros(9, 2)).log_prob(torch.zeros(1, 2).double())))


# -- expectation-maximisation ----------------------------------------------------------------------


def test_it_recovers_a_known_mixture_and_tells_unseen_codes_nearly_as_well() -> None:
    codes, unseen = MIXED.sample(6_000, noise(1)), MIXED.sample(4_000, noise(2)).double()
    found = fit_mixture(codes, 3).density
    assert isinstance(found, FullMixture) and found.mean.dtype == torch.float32
    order = torch.cdist(MEAN, found.mean).argmin(1)
    assert sorted(order.tolist()) == [0, 1, 2] and torch.equal(order, torch.arange(3))  # the heaviest first
    torch.testing.assert_close(found.mean, MEAN, atol=0.12, rtol=0)
    torch.testing.assert_close(found.log_weights.exp(), WEIGHTS, atol=0.03, rtol=0)
    torch.testing.assert_close(found.factor @ found.factor.mT, FACTOR @ FACTOR.mT, atol=0.12, rtol=0.15)
    lost = float((torchs(MIXED).log_prob(unseen) - found.log_prob(unseen)).mean())
    assert 0 < lost < 0.01


def test_a_diagonal_one_has_no_correlations_and_fits_less() -> None:
    codes = MIXED.sample(3_000, noise(1))
    full, diagonal = fit_mixture(codes, 3).density, fit_mixture(codes, 3, "diagonal").density
    assert isinstance(diagonal, GaussianMixture)
    assert float(diagonal.log_prob(codes).mean()) < float(full.log_prob(codes).mean()) - 0.1


def test_the_scale_of_codes_makes_no_difference() -> None:
    codes, scale = MIXED.sample(2_000, noise(1)).double(), torch.tensor([1e-2, 1e2]).double()
    plain, scaled = fit_mixture(codes, 3).density, fit_mixture(codes * scale + 7, 3).density
    torch.testing.assert_close(scaled.log_prob(codes * scale + 7), plain.log_prob(codes), atol=0.01, rtol=0.01)


def test_the_same_seed_gives_the_same_bits() -> None:
    codes = MIXED.sample(1_000, noise(1))
    one, again, other = (fit_mixture(codes, 4, seed=seed).density for seed in (3, 3, 4))
    assert torch.equal(one.mean, again.mean) and not torch.equal(one.mean, other.mean)


def test_codes_that_do_not_vary_do_not_break_it() -> None:
    codes = torch.cat([MIXED.sample(400, noise(1)), torch.ones(400, 1)], 1)
    assert bool(fit_mixture(codes, 3).density.log_prob(codes).isfinite().all())
    assert bool(fit_mixture(torch.zeros(60, 2), 3).density.log_prob(torch.zeros(1, 2)).isfinite().all())


def test_it_survives_half_precision_where_a_code_hardly_varies() -> None:
    """A direction of 1e-8 has no number in half precision: the density of every code was none."""
    codes = torch.randn(600, 24, generator=noise(1))
    codes[:, 3] = 1.0
    prior = Fitted(24, FittedConfig())
    with torch.no_grad():
        prior.hold(fit_mixture(codes, 10).density)
    held = prior.state_dict(prefix="latent_prior.")
    sent = halved(held | {"encoder.weight": torch.ones(HALVED_FROM), "latent_prior.inputs": torch.ones(HALVED_FROM)})
    assert all(torch.equal(sent[name], tensor) for name, tensor in held.items()) and len(held) == 3
    assert sent["encoder.weight"].dtype == torch.float16
    assert held["latent_prior.spread"].numel() >= HALVED_FROM > 0 == held["latent_prior.spread"].half().diagonal(
        dim1=1, dim2=2).min()
    assert halved({"latent_prior.inputs": torch.ones(HALVED_FROM)})["latent_prior.inputs"].dtype == torch.float16


def test_a_plane_of_covariances_of_lower_rank_is_drawn() -> None:
    """As a file may hold them; there was nothing to divide by."""
    flat = FullMixture(torch.zeros(2, 2), torch.tensor([[[1.0, 0.0], [0.5, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]),
                       torch.tensor([0.5, 0.5]).log())
    axis = np.linspace(-3, 3, 7)
    assert np.isfinite(plane(flat, (0, 1), axis, axis)).all()


@pytest.mark.parametrize(("covariance", "count"), [("full", 8), ("diagonal", 5)])
def test_too_few_codes_are_refused(covariance: str, count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} codes of 2 dimensions are too few for 3 components of {covariance}"):
        fit_mixture(torch.randn(count, 2), 3, covariance)  # type: ignore[arg-type]


# -- the prior that holds it -----------------------------------------------------------------------


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_a_prior_gives_back_the_mixture_that_it_holds(covariance: str) -> None:
    codes = MIXED.sample(600, noise(1))
    density = fit_mixture(codes, 3, covariance).density  # type: ignore[arg-type]
    prior = Fitted(2, FittedConfig(components=3, covariance=covariance))  # type: ignore[arg-type]
    prior.hold(density)
    assert torch.equal(prior.density.log_prob(codes), density.log_prob(codes))
    assert not any(each.requires_grad for each in prior.parameters())
