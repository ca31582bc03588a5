"""The aggregated posterior and mutual information, where they are known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vaecore.probability import aggregate
from vaecore.probability.aggregate import aggregate_log_prob, information
from vaecore.probability.gaussian import DiagonalGaussian


def drawn(seed: int, *shape: int) -> Tensor:
    """Standard normal numbers; never those that the code draws with one of the seeds below."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 + seed))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("a", "s"), [(1.0, 0.5), (0.6, 0.8), (0.2, 1.0), (3.0, 0.1), (-1.5, 1.2)])
def test_a_gaussian_channel_has_known_information(a: float, s: float) -> None:
    """q(z|x) = N(a x, s^2), x ~ N(0, 1): I = log(1 + a^2 / s^2) / 2, and q(z) = N(0, a^2 + s^2)."""
    found = information(DiagonalGaussian(a * drawn(0, 5000, 1), torch.full((5000, 1), 2 * math.log(s))), seeded(1))
    v = a**2 + s**2
    assert found.mutual_information == pytest.approx(0.5 * math.log(v / s**2), abs=0.03)
    assert found.aggregate_kl == pytest.approx(0.5 * (v - 1 - math.log(v)), abs=0.04 * max(1, v))
    assert found.rate == pytest.approx(0.5 * (v - 1) - math.log(s), rel=0.03, abs=0.01)
    assert (found.observations, found.batch_size) == (5000, 32)
    assert 0 < found.minibatch < min(found.mutual_information, math.log(32))


@pytest.mark.parametrize(("a", "s"), [(1.0, 0.5), (0.6, 0.8)])
def test_the_rate_is_information_plus_what_the_aggregate_is_off(a: float, s: float) -> None:
    """Hoffman & Johnson's identity, which is exact for the samples' mean: the noise is that of the rate alone."""
    q = DiagonalGaussian(a * drawn(2, 5000, 2) + 0.3, torch.full((5000, 2), 2 * math.log(s)) + 0.1 * drawn(3, 5000, 2))
    sums = [information(q, seeded(seed)) for seed in range(4)]
    parts = sum(found.mutual_information + found.aggregate_kl for found in sums) / 4
    assert parts == pytest.approx(sums[0].rate, abs=1e-2)
    assert len({found.rate for found in sums}) == 1  # the rate has no noise
    assert sums[0].rate == pytest.approx(q.kl_from_standard().sum(1).mean().item(), rel=1e-6)


@pytest.mark.parametrize("n", [200, 64, 33, 32])
def test_well_separated_posteriors_saturate_at_the_logarithm(n: int) -> None:
    mean = torch.stack([100.0 * torch.arange(n), torch.zeros(n)], 1)
    found = information(DiagonalGaussian(mean, torch.full((n, 2), -6.0)), seeded())
    assert found.mutual_information == pytest.approx(math.log(n), abs=1e-4)
    assert found.minibatch == pytest.approx(math.log(32), abs=1e-4)
    other = information(DiagonalGaussian(mean, torch.full((n, 2), -6.0)), seeded(), batch_size=10)
    assert other.minibatch == pytest.approx(math.log(10), abs=1e-4)
    assert other.batch_size == 10


def test_fewer_observations_than_a_batch_are_one() -> None:
    found = information(DiagonalGaussian(100.0 * torch.arange(10.0)[:, None], torch.zeros(10, 1)), seeded())
    assert found.minibatch == found.mutual_information == pytest.approx(math.log(10), abs=1e-4)
    assert found.batch_size == 10


def test_a_partial_last_batch_is_left_out() -> None:
    """Four batches of two far components, and a ninth observation: the mean of log 2, whatever the ninth is."""
    mean = torch.tensor([0.0, 100, 0, 100, 0, 100, 0, 100, 0])[:, None]
    found = information(DiagonalGaussian(mean, torch.zeros(9, 1)), seeded(), batch_size=2)
    assert found.minibatch == pytest.approx(math.log(2), abs=1e-5)
    expected = 5 / 9 * math.log(9 / 5) + 4 / 9 * math.log(9 / 4)  # which of the two: entropy of 5 to 4
    assert found.mutual_information == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_a_collapsed_posterior_says_nothing(mean: float) -> None:
    q = DiagonalGaussian(torch.full((1000, 4), mean), torch.zeros(1000, 4))
    found = information(q, seeded())
    assert found.mutual_information == pytest.approx(0, abs=1e-5)
    assert found.minibatch == pytest.approx(0, abs=1e-5)
    assert found.rate == pytest.approx(2 * mean**2)
    assert found.aggregate_kl == pytest.approx(2 * mean**2, abs=1e-5 if mean == 0 else 0.5)


def direct(q: DiagonalGaussian, z: Tensor) -> Tensor:
    """The definition, pair by pair and in double precision."""
    mean, sigma, z = q.mean.double(), (0.5 * q.logvar.double()).exp(), z.double()
    pairs = torch.distributions.Normal(mean, sigma).log_prob(z[:, None]).sum(2)  # (S, N)
    return pairs.logsumexp(1) - math.log(len(mean))


def test_the_mixture_density_is_the_definition() -> None:
    q = DiagonalGaussian(2 * drawn(0, 50, 3), drawn(1, 50, 3))
    z = 3 * drawn(2, 20, 3)
    found = aggregate_log_prob(q, z)
    assert found.dtype == torch.double and found.shape == (20,)
    torch.testing.assert_close(found, direct(q, z), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("offset", [1e3, -1e3, 1e5])
def test_narrow_posteriors_far_from_0_stay_exact(offset: float) -> None:
    q = DiagonalGaussian(offset + 0.1 * drawn(0, 300, 2), torch.full((300, 2), 2 * math.log(0.05)))
    z = q.rsample(seeded())[0]
    torch.testing.assert_close(aggregate_log_prob(q, z), direct(q, z), rtol=1e-9, atol=1e-9)
    if abs(offset) == 1e3:
        near = information(DiagonalGaussian(q.mean - offset, q.logvar), seeded())
        far = information(q, seeded())
        assert far.mutual_information == pytest.approx(near.mutual_information, abs=2e-3)  # z itself is in float32


@pytest.mark.parametrize("pairs", [1, 99, 300, 7 * 300, 300 * 300])
def test_the_size_of_a_block_does_not_matter(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    q, z = DiagonalGaussian(drawn(0, 300, 3), drawn(1, 300, 3)), drawn(2, 301, 3)
    whole = aggregate_log_prob(q, z)
    monkeypatch.setattr(aggregate, "PAIRS_AT_ONCE", pairs)
    torch.testing.assert_close(aggregate_log_prob(q, z), whole, rtol=1e-12, atol=1e-12)


def test_the_noise_is_the_generator_s_own() -> None:
    q, state = DiagonalGaussian(drawn(0, 100, 2), drawn(1, 100, 2)), torch.get_rng_state()
    assert information(q, seeded(5)) == information(q, seeded(5)) != information(q, seeded(6))
    assert torch.equal(torch.get_rng_state(), state)
