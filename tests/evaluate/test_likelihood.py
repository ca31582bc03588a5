"""log p(x) by importance sampling, and the lecture's estimates of it, against linear-Gaussian models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from vaecore.data import COVARIATE, Modality
from vaecore.evaluate import likelihood, naive
from vaecore.evaluate.likelihood import (
    DECODED_AT_ONCE,
    divisors,
    exact_likelihood,
    importance_log_weights,
    log_likelihood,
)
from vaecore.evaluate.naive import estimates
from vaecore.evaluate.parts.conditionals import Conditional, Conditionals
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.models import AEConfig, Batch, Family, PCAConfig, VAEConfig
from vaecore.nets import LinearConfig
from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.importance import effective
from vaecore.probability.likelihoods import GaussianFixedConfig, Observation
from vaecore.probability.priors import (
    ConditionalConfig,
    FittedConfig,
    ImplicitConfig,
    MixtureConfig,
    PriorConfig,
    StandardConfig,
)
from vaecore.studies import c03_naive

SIGMA = 0.7


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(size: int = 5, r: int = 2, prior: PriorConfig | None = None, covariate: Modality | None = None) -> Any:
    """p(x|z) = N(W z + b, sigma^2 I), probabilistic PCA under the standard prior; an encoder that knows nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = VAEConfig(latent_size=r, network=LinearConfig(), likelihood=GaussianFixedConfig(sigma=SIGMA),
                     prior=prior or StandardConfig())  # type: ignore[arg-type]
        return config.build({"vector": Modality("vector", (size,))}, covariate).eval()


def loadings(model: Any) -> tuple[Tensor, Tensor]:
    return model.decoder[0].weight.detach(), model.decoder[0].bias.detach()


def data(count: int = 40, size: int = 5) -> Tensor:
    return torch.randn(count, size, generator=noise(1))


def exact(model: Any, x: Tensor, mean: Tensor | None = None, variance: Tensor | None = None) -> Tensor:
    """log N(x; W m + b, W S W' + sigma^2 I) where z ~ N(m, S), standard if not said."""
    w, b = (part.double() for part in loadings(model))
    mean = torch.zeros(w.shape[1]) if mean is None else mean
    variance = torch.ones(w.shape[1]) if variance is None else variance
    covariance = (w * variance.double()) @ w.T + SIGMA**2 * torch.eye(len(w)).double()
    return torch.distributions.MultivariateNormal(w @ mean.double() + b, covariance).log_prob(x.double())


def with_a_wide_proposal(model: Any) -> None:
    """An encoder that gives one wide Gaussian whatever it reads: importance weights without heavy tails."""
    with torch.no_grad():
        model.encoder[1].weight.zero_()
        model.encoder[1].bias.copy_(torch.tensor([0.0, 0.0, 1.0, 1.0]))


def with_true_posterior(model: Any) -> None:
    """Loadings made orthogonal, so that the posterior is diagonal, and an encoder that gives it."""
    with torch.no_grad():
        w = torch.linalg.qr(model.decoder[0].weight).Q * torch.tensor([1.5, 0.8])
        model.decoder[0].weight.copy_(w)
        variance = 1 / (1 + w.square().sum(0) / SIGMA**2)
        head = variance[:, None] * w.T / SIGMA**2
        model.encoder[1].weight.copy_(torch.cat([head, torch.zeros_like(head)]))
        model.encoder[1].bias.copy_(torch.cat([-head @ model.decoder[0].bias, variance.log()]))


# -- importance sampling ---------------------------------------------------------------------------


def test_meets_the_exact_marginal_at_a_thousand_samples() -> None:
    """The encoder is off by a good deal: its bound is a nat or more below."""
    model, x = linear(), data()
    found, truth = log_likelihood(model, [{"vector": x[:25]}, {"vector": x[25:]}], 1_000), exact(model, x)
    assert found.interval[0] < float(truth.mean()) < found.interval[1]
    assert found.curve[1] < float(truth.mean()) - 0.5
    # The interval is of the observations; of the samples, each log of a mean has a variance of 1 / ESS - 1 / K.
    with torch.inference_mode():
        weights = importance_log_weights(model, {"vector": x}, 1_000, noise(3))
    share = (2 * weights.logsumexp(0) - (2 * weights).logsumexp(0)).exp()
    error = float((1 / share - 1 / 1_000).sum().sqrt()) / len(x)
    assert error < 0.02
    assert found.log_likelihood == pytest.approx(float(truth.mean()), abs=4 * error)
    assert found.standard_error == pytest.approx(float(truth.std()) / math.sqrt(40), rel=0.05)
    assert (found.samples, found.observations) == (1_000, 40)
    assert 1 / 1_000 < found.effective_low <= found.effective < 1


def test_meets_it_for_each_observation() -> None:
    model, x = linear(), data(12)
    with torch.inference_mode():
        weights = importance_log_weights(model, {"vector": x}, 20_000, noise())
    assert weights.shape == (20_000, 12) and weights.dtype == torch.double
    torch.testing.assert_close(weights.logsumexp(0) - math.log(20_000), exact(model, x), atol=0.05, rtol=0)


@torch.no_grad()
def test_meets_it_under_a_mixture_with_whole_covariances() -> None:
    """Of x = W z + b + noise with z from a mixture, p(x) is the mixture of N(W m + b, W S W' + sigma^2 I)."""
    model = linear(prior=FittedConfig(components=2))
    prior = model.latent_prior
    mean, factor = torch.tensor([[-1.5, 0.5], [1.0, -1.0]]), torch.tensor([[[0.8, 0.0], [0.6, 0.3]],
                                                                          [[0.5, 0.0], [-0.4, 0.9]]])
    prior.hold(FullMixture(mean, factor, torch.tensor([0.3, 0.7]).log()))
    with_a_wide_proposal(model)
    x, (w, b) = data(), (part.double() for part in loadings(model))
    whole = w @ (factor @ factor.mT).double() @ w.T + SIGMA**2 * torch.eye(len(w)).double()
    parts = torch.distributions.MultivariateNormal(mean.double() @ w.T + b, whole).log_prob(x.double()[:, None])
    truth = (parts + torch.tensor([0.3, 0.7]).double().log()).logsumexp(1)
    weights = importance_log_weights(model, {"vector": x}, 20_000, noise(3))
    torch.testing.assert_close(weights.logsumexp(0) - math.log(20_000), truth, atol=0.08, rtol=0)
    assert float((exact(model, x) - truth).abs().mean()) > 0.5  # under N(0, I) it is another number


@torch.no_grad()
def test_meets_it_under_a_mixture() -> None:
    model = linear(prior=MixtureConfig(components=3))
    prior = model.latent_prior
    prior.mean.copy_(torch.tensor([[-2.0, 0.0], [1.0, 1.0], [0.0, -1.5]]))
    prior.logvar.copy_(torch.tensor([[-1.0, 0.0], [0.5, -0.5], [0.0, 0.3]]))
    prior.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
    with_a_wide_proposal(model)
    x = data()
    parts = torch.stack([exact(model, x, prior.mean[k], prior.logvar[k].exp()) for k in range(3)])
    truth = (parts + prior.logits.double().log_softmax(0)[:, None]).logsumexp(0)
    assert (truth - exact(model, x)).abs().mean() > 0.2  # the standard prior would be another model
    found = log_likelihood(model, [{"vector": x}], 4_000)
    assert found.log_likelihood == pytest.approx(float(truth.mean()), abs=0.03)


@torch.no_grad()
def test_meets_it_under_a_density_ratio_only_with_its_normaliser() -> None:
    """T = a z + 2 makes the prior N(a, I), and log Z is |a|^2 / 2 + 2: left out, the likelihood is too large by it."""
    class LinearRatio(nn.Module):
        def forward(self, z: Tensor, *_: object, **__: object) -> Tensor:
            return z @ torch.tensor([0.8, -0.6]) + 2

    model, x = linear(prior=ImplicitConfig()), data()
    model.latent_prior.ratio = LinearRatio()
    truth = float(exact(model, x, torch.tensor([0.8, -0.6])).mean())
    assert log_likelihood(model, [{"vector": x}], 2_000).log_likelihood == pytest.approx(truth + 2.5, abs=0.05)
    model.calibrate()
    assert log_likelihood(model, [{"vector": x}], 2_000).log_likelihood == pytest.approx(truth, abs=0.07)


@torch.no_grad()
def test_meets_it_under_a_conditional_prior() -> None:
    model = linear(prior=ConditionalConfig(encoder=False, hidden=(4,)), covariate=Modality("label", (2,)))
    for parameter in model.latent_prior.parameters():
        parameter.mul_(3)
    with_a_wide_proposal(model)
    x, u = data(), torch.eye(2).repeat(20, 1)
    p = model.prior({COVARIATE: torch.eye(2)})["z"]
    truth = torch.stack([exact(model, x, p.mean[k], p.logvar[k].exp()) for k in (0, 1)])
    own = truth[u.argmax(1), torch.arange(40)]
    assert (truth[0] - truth[1]).abs().mean() > 0.2
    found = log_likelihood(model, [{"vector": x, COVARIATE: u}], 4_000)
    assert found.log_likelihood == pytest.approx(float(own.mean()), abs=0.03)


def test_with_the_true_posterior_one_sample_is_enough() -> None:
    model, x = linear(), data()
    with_true_posterior(model)
    with torch.inference_mode():
        weights = importance_log_weights(model, {"vector": x}, 7, noise())
    torch.testing.assert_close(weights, exact(model, x).expand(7, -1), atol=2e-5, rtol=0)
    found = log_likelihood(model, [{"vector": x}], 6)
    assert found.effective == pytest.approx(1, abs=1e-6) and found.effective_low == pytest.approx(1, abs=1e-6)
    for value in found.curve.values():
        assert value == pytest.approx(float(exact(model, x).mean()), abs=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 7, 12, 60, 256, 500])
def test_the_curve_never_falls(samples: int) -> None:
    model, x = linear(), data(9)
    with torch.no_grad():
        model.encoder[1].bias.add_(torch.tensor([1.0, -1.0, -1.0, -1.0]))  # narrow and beside the point
    for seed in range(5):
        found = log_likelihood(model, [{"vector": x}], samples, seed=seed)
        values = list(found.curve.values())
        assert list(found.curve) == divisors(samples)
        assert all(a <= b + 1e-12 for a, b in itertools.pairwise(values))
        assert values[-1] == found.log_likelihood
        assert samples < 12 or values[-1] > values[0] + 0.1


def test_divisors_are_a_chain() -> None:
    assert divisors(1) == [1] and divisors(7) == [1, 7] and divisors(500) == [1, 2, 4, 20, 100, 500]
    for samples in range(1, 300):
        chain = divisors(samples)
        assert chain[0] == 1 and chain[-1] == samples
        assert all(b % a == 0 and b > a for a, b in itertools.pairwise(chain))


def test_the_numbers_of_an_example_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of four samples (rows) for three observations."""
    weights = torch.tensor([[1.0, 1.0, 3.0], [1.0, 1e-30, 1.0], [1.0, 1e-30, 1e-30], [1.0, 1e-30, 1e-30]]).double()
    monkeypatch.setattr(likelihood, "importance_log_weights", lambda *_, **__: weights.log())
    found = log_likelihood(linear(), [{"vector": data(3)}], 4)
    assert found.effective == pytest.approx((1 + 1 / 4 + (4**2 / 10) / 4) / 3)  # (sum w)^2 / sum w^2 over K
    assert found.effective_low == pytest.approx(1 / 4 + 0.1 * (0.4 - 0.25))  # between the lowest two of three
    assert found.curve[4] == pytest.approx((0 - math.log(4) + 0) / 3)
    # Groups are the first two samples and the last two: logs of 1, 1; of 1/2, 1e-30; of 2, 1e-30.
    tiny = -30 * math.log(10)
    assert found.curve[2] == pytest.approx((0 + (math.log(0.5) + tiny) / 2 + (math.log(2) + tiny) / 2) / 3)


def test_the_interval_is_the_normal_one_where_that_holds() -> None:
    values = -90 + 5 * torch.randn(400, generator=noise())
    found = exact_likelihood(values)
    error = float(values.double().std()) / 20
    assert found.log_likelihood == pytest.approx(float(values.mean())) and found.standard_error == pytest.approx(error)
    assert found.interval[0] == pytest.approx(float(values.mean()) - 1.96 * error, abs=0.15 * error)
    assert found.interval[1] == pytest.approx(float(values.mean()) + 1.96 * error, abs=0.15 * error)
    assert (found.samples, found.effective, found.curve) == (0, 1, {})
    assert exact_likelihood(values) == found  # its own seed


def test_the_interval_is_bca_for_nats_are_skewed() -> None:
    """Against scipy's, on values whose percentile interval begins 0.15 standard errors higher."""
    values = torch.from_numpy(-50 - np.random.default_rng(0).exponential(40, 100))
    usual = scipy.stats.bootstrap((values.numpy(),), np.mean, n_resamples=20_000, method="BCa",
                                  rng=np.random.default_rng(0))
    found = exact_likelihood(values)
    assert found.interval == pytest.approx(usual.confidence_interval, abs=0.1 * usual.standard_error)


def test_windows_of_one_clip_are_drawn_together() -> None:
    """Eight copies of each value know no more than one: interval and error are those of the clips."""
    values = torch.from_numpy(-50 - np.random.default_rng(0).gamma(4, 10, 40))
    clips, windows = exact_likelihood(values), exact_likelihood(values.repeat(8), np.tile(np.arange(40), 8))
    assert windows.standard_error == pytest.approx(clips.standard_error)
    assert windows.interval == pytest.approx(clips.interval) and windows.observations == 320
    one = exact_likelihood(values[:3], np.zeros(3, int))
    assert one.interval is None and math.isnan(one.standard_error)


def test_what_is_no_number_has_no_interval() -> None:
    found = exact_likelihood(torch.tensor([-90.0, -80.0, -math.inf]))
    assert found.log_likelihood == -math.inf and found.interval is None and math.isnan(found.standard_error)


def test_batches_change_only_the_noise() -> None:
    model, x = linear(), data()
    whole = log_likelihood(model, [{"vector": x}], 500, seed=1)
    parts = log_likelihood(model, [{"vector": part} for part in x.split(7)], 500, seed=1)
    assert parts.observations == 40
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, abs=0.05)
    assert parts.standard_error == pytest.approx(whole.standard_error, rel=0.05)
    assert log_likelihood(model, [{"vector": x}], 500, seed=1) == whole
    assert log_likelihood(model, [{"vector": x}], 500, seed=2).log_likelihood != whole.log_likelihood


class Counting(Family):
    """A family that tells how many codes it is asked to decode."""

    def __init__(self, model: Family) -> None:
        super().__init__(model.modalities)
        self.model, self.asked = model, list[int]()

    @property
    def latents(self) -> dict[str, int]:
        return self.model.latents

    def encode(self, batch: Batch) -> Any:
        return self.model.encode(batch)

    def prior(self, batch: Batch | None = None) -> Any:
        return self.model.prior(batch)

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        self.asked.append(len(z["z"]))
        return self.model.decode(z)

    def evidence(self, *_: object) -> Any:
        raise AssertionError("importance sampling needs no ELBO")


@pytest.mark.parametrize(("count", "samples"), [(10, 3_000), (9_000, 2), (1, 10_000), (700, 11)])
def test_memory_is_bounded_whatever_the_counts(count: int, samples: int) -> None:
    model = Counting(linear())
    found = log_likelihood(model, [{"vector": data(count)}], samples)
    assert found.observations == count and sum(model.asked) == count * samples
    assert max(model.asked) <= DECODED_AT_ONCE
    assert len(model.asked) <= 2 + 2 * count * samples / DECODED_AT_ONCE  # nor by many small steps


def test_large_counts_of_weights_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "WEIGHTS_AT_ONCE", 1_000)
    done: list[int] = []
    found = log_likelihood(linear(), [{"vector": data()}], 100, progress=done.append)
    assert done == [10, 20, 30, 40] and found.observations == 40


def test_progress_can_end_it() -> None:
    class Enough(Exception):
        pass

    def batches() -> Iterator[Batch]:
        yield {"vector": data(5)}
        yield {"vector": data(5)}
        raise AssertionError("asked for more after the end")

    told: list[int] = []

    def progress(done: int) -> None:
        told.append(done)
        if done >= 10:
            raise Enough

    with pytest.raises(Enough):
        log_likelihood(linear(), batches(), 3, progress=progress)
    assert told == [5, 10]


def test_the_effective_sample_size_by_hand() -> None:
    """Of K equal ones K, of one that has it all 1, of 3 : 1 it is 16 / 10; whatever the factor, in single precision."""
    weights = torch.tensor([[1.0, 1.0, 3.0], [1.0, 1e-30, 1.0]])
    for shift in (0.0, -900.0, 900.0):
        assert effective(weights.log() + shift).tolist() == pytest.approx([2, 1, 1.6], rel=1e-4)
    told = Likelihood(log_likelihood=-1.0, standard_error=0.1, samples=500, effective=0.5, effective_low=0.01)
    assert (told.effective_samples, told.worst) == (250, 5)
    across = Conditionals(modalities={"a": Conditional(given=["b"], effective=0.1), "b": Conditional(given=["a"])},
                          joint=-1.0, effective=0.25, samples=500)
    assert [across.effective_samples(name) for name in ("", "a", "b")] == [125, 50, None]


def test_a_poor_proposal_is_seen_in_the_effective_sample_size() -> None:
    model, x = linear(), data()
    good = log_likelihood(model, [{"vector": x}], 500)
    with torch.no_grad():
        model.encoder[1].bias.copy_(torch.tensor([5.0, 5.0, -4.0, -4.0]))
    lost = log_likelihood(model, [{"vector": x}], 500)
    assert lost.effective < 0.03 < 0.2 < good.effective
    assert lost.log_likelihood < float(exact(model, x).mean()) - 1  # from below


@pytest.mark.parametrize("samples", [0, -3])
def test_what_cannot_be_estimated_is_refused(samples: int) -> None:
    model, batch = linear(), {"vector": data(3)}
    with pytest.raises(ValueError, match=rf"{samples} importance samples.*Use at least 1"):
        log_likelihood(model, [batch], samples)
    with pytest.raises(ValueError, match=rf"{samples} importance samples.*Use at least 1"):
        importance_log_weights(model, batch, samples)
    with pytest.raises(ValueError, match=rf"{samples} samples.*Use at least 1"):
        estimates(model, batch, samples)
    for config in (AEConfig(latent_size=2, network=LinearConfig()), PCAConfig(latent_size=2)):
        code = config.build({"vector": Modality("vector", (5,))})
        code.fit(batch)
        for estimate in (importance_log_weights, estimates):
            with pytest.raises(ValueError, match="no prior, so log p"):
                estimate(code, batch, 10)


# -- equations (13) and (14) -----------------------------------------------------------------------


def pieces(model: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """E_p[log p(x|z)], E_q[log p(x|z)] and KL(q || p) in closed form, (B,) each."""
    w, b = loadings(model)
    q = model.encode({"vector": x})["z"]

    def expected(mean: Tensor, variance: Tensor) -> Tensor:
        fit = torch.distributions.Normal(mean @ w.T + b, SIGMA).log_prob(x).sum(1)
        return fit - (variance @ w.square().T).sum(1) / (2 * SIGMA**2)

    return (expected(torch.zeros_like(q.mean), torch.ones_like(q.mean)).double(),
            expected(q.mean, q.logvar.exp()).double(), q.kl_from_standard().sum(1).double())


@torch.no_grad()
def test_what_each_estimate_tends_to() -> None:
    model, x = linear(size=3, r=1), data(5, 3)
    model.decoder[0].weight.mul_(2)
    found = estimates(model, {"vector": x}, 10_000, noise())
    blind, seen, kl = pieces(model, x)
    truth = exact(model, x)
    for name, expected, atol in (("prior_printed", blind, 0.05), ("posterior_printed", seen, 0.05),
                                 ("elbo", seen - kl, 0.05), ("prior_corrected", truth, 0.05),
                                 ("posterior_corrected", truth, 0.03)):
        value = getattr(found, name)
        assert value.shape == (5,)
        torch.testing.assert_close(value, expected, atol=atol, rtol=0, msg=lambda m, name=name: f"{name}: {m}")
    # As printed they are different numbers: (13) below log p(x), (14) above the bound by the KL.
    assert (truth - blind).min() > 0.2 and kl.max() > 0.3


@torch.no_grad()
def test_the_corrected_prior_estimate_lags_behind_with_few_samples() -> None:
    """It is unbiased for p(x), hence too low for log p(x): Jensen."""
    model, x = linear(), data(20)
    few = torch.stack([estimates(model, {"vector": x}, 3, noise(seed)).prior_corrected for seed in range(60)]).mean()
    many = estimates(model, {"vector": x}, 5_000, noise()).prior_corrected.mean()
    truth = exact(model, x).mean()
    assert few < truth - 0.2 and abs(float(many - truth)) < 0.05
    one = estimates(model, {"vector": x}, 1, noise())  # with one sample there is no mean to be in the wrong place
    assert torch.equal(one.prior_printed, one.prior_corrected) and torch.equal(one.elbo, one.posterior_corrected)


@torch.no_grad()
def test_with_the_true_posterior_the_bound_is_the_truth() -> None:
    model, x = linear(), data(6)
    with_true_posterior(model)
    found = estimates(model, {"vector": x}, 5, noise())
    for value in (found.elbo, found.posterior_corrected):
        torch.testing.assert_close(value, exact(model, x), atol=1e-4, rtol=0)


def test_both_files_weigh_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = linear(), {"vector": data(7)}
    with torch.inference_mode():
        weights = importance_log_weights(model, batch, 20_000, noise())
    found = estimates(model, batch, 5_000, noise(1))
    error = weights.std(0) * math.sqrt(1 / 5_000 + 1 / 20_000)
    assert ((found.elbo - weights.mean(0)).abs() < 5 * error).all() and error.max() < 0.2
    torch.testing.assert_close(found.posterior_corrected, weights.logsumexp(0) - math.log(20_000), atol=0.25, rtol=0)
    whole = estimates(model, batch, 4, noise(1))
    monkeypatch.setattr(naive, "DECODED_AT_ONCE", 3)
    torch.testing.assert_close(estimates(model, batch, 4, noise(1)).elbo, whole.elbo)  # decoded in parts


@pytest.mark.parametrize(("fewest", "holds"), [(-4.2, True), (-9.0, False)])
def test_the_rule_of_c3_needs_a_gap_that_does_not_close(fewest: float, holds: bool) -> None:
    rows = [{"D": size, "samples": samples, "log p(x)": 0.0, "(13) as printed": gap * place, "(13) corrected": 0.0,
             "(14) as printed": 0.5, "(14) corrected": 0.0} for place, size in enumerate(c03_naive.SIZES, 1)
            for samples, gap in ((10, fewest), (max(c03_naive.SAMPLES), -4.0))]
    assert c03_naive.finding(rows).reproduced is holds
