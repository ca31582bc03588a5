"""The bound of clips against closed forms: KL of Gaussian sequences, and a Kalman filter's exact log-likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from vaecore.data import Modality
from vaecore.models import Batch
from vaecore.models.video.shared import Predicted, VideoFamily, code
from vaecore.models.video.svg import SVG, SVGFixedPriorConfig, SVGLearnedPriorConfig
from vaecore.nets.frames import FrameMLPConfig
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl
from vaecore.probability.likelihoods import GaussianFixedConfig
from vaecore.probability.posteriors import Posterior

SIGMA = 0.5

# -- KL of two Gaussian sequences --------------------------------------------------------------------


def joint(q: DiagonalGaussian) -> MultivariateNormal:
    """Sequences (B, T-1, r) of independent Gaussians as Gaussians of (T-1) r numbers."""
    return MultivariateNormal(q.mean.flatten(1).double(), torch.diag_embed(q.logvar.flatten(1).double().exp()))


@pytest.mark.parametrize("config", [SVGLearnedPriorConfig, SVGFixedPriorConfig])
def test_the_kl_of_a_clip_is_that_of_its_sequence_of_codes(config: Any) -> None:
    torch.manual_seed(0)
    model = config(context=2, latent_size=3, network=FrameMLPConfig(hidden=(8,)), code_size=6, hidden=8).build(
        {"frames": Modality("trajectory", (6, 2))})
    assert isinstance(model, SVG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # untrained, posterior and prior would hardly differ
        batch = {"frames": torch.randn(5, 6, 2)}
        posteriors = model.encode(batch)
        q = posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        p = model.priors(batch, posteriors) if config is SVGLearnedPriorConfig else DiagonalGaussian(
            torch.zeros_like(q.mean), torch.zeros_like(q.mean))
        kl = model.divergences(batch, posteriors)["z"]
        evidence = model.evidence(batch, posteriors, torch.Generator().manual_seed(0))
    assert kl.shape == (5, 5, 3)
    expected = kl_divergence(joint(q), joint(p))
    assert expected.min() > 0.3 and (expected - kl_divergence(joint(p), joint(q))).abs().min() > 0.1
    torch.testing.assert_close(kl.sum((1, 2)).double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(evidence.total_kl().double(), expected, rtol=1e-5, atol=1e-5)


def chain(steps: int, slope: float, sd: float) -> MultivariateNormal:
    """z_t = slope z_{t-1} + sd e_t from z_0 = 0, as one Gaussian."""
    lower = torch.eye(steps, dtype=torch.double)
    for t in range(1, steps):
        lower[t] = slope * lower[t - 1] + lower[t]
    return MultivariateNormal(torch.zeros(steps, dtype=torch.double), scale_tril=sd * lower)


def test_of_autoregressive_sequences_it_is_the_sum_of_expected_kls() -> None:
    """Chain rule: sum over t of E_q KL(q(z_t | z_{t-1}) || p(z_t | z_{t-1}))."""
    steps, (a, s), (b, t) = 5, (0.8, 0.6), (-0.3, 1.1)
    q, p = chain(steps, a, s), chain(steps, b, t)
    nodes, weights = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(6))
    before = torch.cat([torch.zeros(1, dtype=torch.double), q.variance[:-1].sqrt()])[:, None] * nodes  # z_{t-1} ~ q
    ones = torch.ones_like(before)
    kl = gaussian_kl(DiagonalGaussian(a * before, 2 * np.log(s) * ones), DiagonalGaussian(b * before,
                                                                                          2 * np.log(t) * ones))
    total = (kl * weights / weights.sum()).sum()
    assert float(total) == pytest.approx(float(kl_divergence(q, p)), rel=1e-9)
    assert float(total) != pytest.approx(float(kl_divergence(p, q)), rel=0.1)


# -- a linear-Gaussian state-space model ---------------------------------------------------------------


class LinearConfig(VideoFamily):
    """h_t = F h_{t-1} + G z_t, x_t = C h_t + e_t with z_t ~ N(0, I), e_t ~ N(0, sigma^2 I) and h_0 = L x_0."""

    def __init__(self, frames: int, size: int, latent: int, *, still: bool, seed: int) -> None:
        config = SVGFixedPriorConfig(context=1, latent_size=latent, likelihood=GaussianFixedConfig(sigma=SIGMA))
        super().__init__({"frames": Modality("trajectory", (frames, size))}, config)
        rng = np.random.default_rng(seed)
        self.f = torch.from_numpy(rng.standard_normal((latent, latent)) * 0.6 * (not still))
        self.g = torch.from_numpy(rng.standard_normal((latent, latent)))
        seen = np.linalg.qr(rng.standard_normal((size, latent)))[0] * (0.7 + rng.random(latent))
        self.c = torch.from_numpy(seen) @ torch.linalg.inv(self.g)  # C G has orthogonal columns
        self.start = torch.from_numpy(rng.standard_normal((latent, size)))
        self.latent = latent

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent}

    def means(self, x: Tensor, z: Tensor) -> Tensor:
        """C h_t of clips (B, T, D) for codes (B, T-1, r): (B, T-1, D)."""
        h, found = x[:, 0] @ self.start.T, []
        for t in range(z.shape[1]):
            h = h @ self.f.T + z[:, t] @ self.g.T
            found.append(h @ self.c.T)
        return torch.stack(found, 1)

    def predictions(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None,
                    *, mean: bool = False) -> Predicted:
        x = batch["frames"]
        means = self.means(x, code(posteriors["z"], generator, mean=mean))
        return Predicted(self.likelihood.observed(means.flatten(0, 1)), len(x))

    def roll_out(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


class Points(DiagonalGaussian):
    """Instead of drawing, the 2 d points mean +- sqrt(d) sd in turn: their mean of anything quadratic is exact.

    Each clip has to be there 2 d times in a row, d = (T-1) r.
    """

    def rsample(self, generator: torch.Generator | None = None, n_samples: int = 1) -> Tensor:
        clips, steps, latent = self.mean.shape
        d = steps * latent
        corners = torch.cat([torch.eye(d, dtype=torch.double), -torch.eye(d, dtype=torch.double)]) * d**0.5
        offsets = corners.repeat(clips // (2 * d), 1).view(clips, steps, latent)
        return (self.mean + (0.5 * self.logvar).exp() * offsets)[None]


def elbo(model: LinearConfig, x: Tensor, q: DiagonalGaussian) -> Tensor:
    """E_q of the family's own evidence, without sampling noise: (B,)."""
    times = 2 * q.mean[0].numel()
    many = Points(*(part.repeat_interleave(times, 0) for part in (q.mean, q.logvar)))
    found = model.evidence({"frames": x.repeat_interleave(times, 0)}, {"z": many}).elbo()
    assert found.shape == (len(x) * times,)
    return found.view(len(x), times).mean(1)


def kalman(model: LinearConfig, x: Tensor) -> Tensor:
    """log p(x_1..x_{T-1} | x_0) in nats by filtering, (B,)."""
    h, spread = x[:, 0] @ model.start.T, torch.zeros(model.latent, model.latent, dtype=torch.double)
    total = torch.zeros(len(x), dtype=torch.double)
    noise = SIGMA**2 * torch.eye(x.shape[2], dtype=torch.double)
    for t in range(1, x.shape[1]):
        h, spread = h @ model.f.T, model.f @ spread @ model.f.T + model.g @ model.g.T
        expected = MultivariateNormal(h @ model.c.T, model.c @ spread @ model.c.T + noise)
        total = total + expected.log_prob(x[:, t])
        gain = spread @ model.c.T @ torch.linalg.inv(expected.covariance_matrix[0])
        h = h + (x[:, t] - h @ model.c.T) @ gain.T
        spread = spread - gain @ model.c @ spread
    return total


def smoothed(model: LinearConfig, x: Tensor) -> MultivariateNormal:
    """p(z_1..z_{T-1} | x) of all (T-1) r numbers, from the linear map of codes to frames: B Gaussians."""
    steps = x.shape[1] - 1
    d = steps * model.latent
    still = model.means(x, torch.zeros(len(x), steps, model.latent, dtype=torch.double))
    units = torch.eye(d, dtype=torch.double).view(d, steps, model.latent)
    map_ = (model.means(x[:1].expand(d, -1, -1), units) - still[:1]).flatten(1)  # (d, steps D)
    covariance = torch.linalg.inv(torch.eye(d, dtype=torch.double) + map_ @ map_.T / SIGMA**2)
    mean = (x[:, 1:] - still).flatten(1) @ map_.T @ covariance / SIGMA**2
    return MultivariateNormal(mean, covariance.expand(len(x), -1, -1))


def drawn(model: LinearConfig, count: int, frames: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(count, frames, size, generator=generator, dtype=torch.double)
    z = torch.randn(count, frames - 1, model.latent, generator=generator, dtype=torch.double)
    return torch.cat([x[:, :1], model.means(x, z) + SIGMA * x[:, 1:]], 1)


@pytest.mark.parametrize("spread", [-1.5, 0.0])
def test_the_bound_of_a_state_space_model_is_kalmans_likelihood_less_the_kl_from_the_smoother(spread: float) -> None:
    model = LinearConfig(6, 3, 2, still=False, seed=0)
    x = drawn(model, 4, 6, 3)
    generator = torch.Generator().manual_seed(5)
    mean = torch.randn(4, 5, 2, generator=generator, dtype=torch.double)
    q = DiagonalGaussian(mean, spread + 0.3 * torch.randn(4, 5, 2, generator=generator, dtype=torch.double))
    posterior, exact, found = smoothed(model, x), kalman(model, x), elbo(model, x, q)
    expected = exact - kl_divergence(joint(q), posterior)
    assert (exact - expected).min() > 1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    assert (found <= exact).all()


def test_no_posterior_of_independent_codes_reaches_it_where_codes_depend_on_each_other() -> None:
    """The best one has the smoother's means, and its precisions' diagonal: what is left is the codes' dependence."""
    model = LinearConfig(6, 3, 2, still=False, seed=0)
    x = drawn(model, 4, 6, 3)
    posterior, exact = smoothed(model, x), kalman(model, x)
    precision = posterior.precision_matrix.diagonal(dim1=1, dim2=2)
    best = DiagonalGaussian(posterior.mean.view(4, 5, 2), -precision.log().view(4, 5, 2))
    lost = 0.5 * (precision.log().sum(1) - torch.logdet(posterior.precision_matrix))
    torch.testing.assert_close(elbo(model, x, best), exact - lost, rtol=0, atol=1e-3)
    assert lost.min() > 0.01


@pytest.mark.parametrize(("frames", "still"), [(2, False), (6, True)])
def test_it_is_reached_by_the_exact_posterior_where_that_is_of_independent_codes(frames: int, still: bool) -> None:
    """One predicted frame, or states that do not last, seen along orthogonal directions."""
    model = LinearConfig(frames, 3, 2, still=still, seed=1)
    x = drawn(model, 4, frames, 3)
    posterior = smoothed(model, x)
    diagonal = posterior.covariance_matrix.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(posterior.covariance_matrix, torch.diag_embed(diagonal), rtol=0, atol=1e-9)
    shape = (4, frames - 1, 2)
    q = DiagonalGaussian(posterior.mean.view(shape), diagonal.log().view(shape))
    torch.testing.assert_close(elbo(model, x, q), kalman(model, x), rtol=0, atol=1e-3)
