"""Priors against torch's own mixtures, quadrature and known ratios, and in every family with a Gaussian latent."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde
from torch import Tensor, nn
from torch import distributions as reference

from tests.training.sentences import A, B, C, D, rows, text
from vaecore.data import COVARIATE, SPLITS, Dataset, Modality, Split
from vaecore.evaluate.likelihood import log_likelihood
from vaecore.models import VAEConfig
from vaecore.nets import LinearConfig, MLPConfig
from vaecore.probability.aggregate import aggregate_log_prob
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture, StandardNormal, choose, scott_logvar
from vaecore.probability.priors import (
    AggregatedConfig,
    ConditionalConfig,
    ImplicitConfig,
    Inputs,
    MixtureConfig,
    VampConfig,
)
from vaecore.schema import ConfigError
from vaecore.training.build import build
from vaecore.training.checkpoints import load_model, save_weights
from vaecore.training.course import Course
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

CPU = torch.device("cpu")
VECTORS = Inputs((3,), bounded=False, observed=(3,), dtype=torch.double)


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoded(x: Tensor) -> DiagonalGaussian:
    """Some q(z|x) of vectors of 3 numbers, two-dimensional and in double precision."""
    w = torch.randn(3, 4, generator=noise(5)).double()
    h = x.double() @ w
    return DiagonalGaussian(h[:, :2], (0.4 * h[:, 2:]).clamp(-2, 0.5))


def torch_mixture(mean: Tensor, logvar: Tensor, log_weights: Tensor) -> reference.Distribution:
    parts = reference.Independent(reference.Normal(mean, (0.5 * logvar).exp()), 1)
    return reference.MixtureSameFamily(reference.Categorical(logits=log_weights), parts)


def grid(half: float = 14.0, step: float = 0.05) -> tuple[Tensor, float]:
    """Points of the plane (S, 2) and the area of each."""
    axis = torch.arange(-half, half + step / 2, step, dtype=torch.double)
    return torch.cartesian_prod(axis, axis), step**2


# -- densities -------------------------------------------------------------------------------------


def densities(kind: str) -> tuple[Density, reference.Distribution]:
    """A prior of each kind with parameters far from its first ones, and the same density by torch."""
    u = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        if kind == "mixture":
            prior = MixtureConfig(components=4, spread=2.0).build(2, VECTORS, None).double()
            parts = dict(prior.named_parameters())
            with torch.no_grad():
                parts["logvar"].copy_(torch.linspace(-2, 1, 8).view(4, 2))
                parts["logits"].copy_(torch.tensor([0.0, 1.5, -1.0, 0.3]))
            expected = torch_mixture(parts["mean"], parts["logvar"], parts["logits"])
        elif kind == "vamp":
            prior = VampConfig(components=5).build(2, VECTORS, None).double()
            q = encoded(next(prior.parameters()))
            expected = torch_mixture(q.mean, q.logvar, torch.zeros(5).double())
        elif kind == "aggregated":
            prior, x = AggregatedConfig(components=6).build(2, VECTORS, None), torch.randn(6, 3).double()
            prior.begin(x, x)
            q = encoded(x)
            expected = torch_mixture(q.mean, q.logvar, torch.zeros(6).double())
        else:
            prior = ConditionalConfig(components=3, hidden=(8,)).build(2, VECTORS, Modality("label", (2,)))
            with torch.no_grad():
                for parameter in prior.parameters():
                    parameter.mul_(2)
            p = prior(encoded, u, CPU)
            expected = torch_mixture(p.mean.double(), p.logvar.double(), p.log_weights.double())
        return prior(encoded, u if kind == "conditional" else None, CPU), expected


@torch.no_grad()
@pytest.mark.parametrize("kind", ["mixture", "vamp", "aggregated", "conditional"])
def test_integrates_to_one_and_is_the_mixture_it_says_it_is(kind: str) -> None:
    density, expected = densities(kind)
    z, area = grid()
    if kind == "conditional":
        z = z[:, None].expand(-1, 2, -1)  # of both covariates
    found = density.log_prob(z)
    assert found.shape == z.shape[:-1]
    torch.testing.assert_close(found.exp().sum(0) * area, torch.ones(found.shape[1:]).double(), atol=1e-5, rtol=0)
    digits = 1e-5 if kind == "conditional" else 1e-8  # its network is in single precision
    torch.testing.assert_close(found[::97], expected.log_prob(z[::97]), atol=digits, rtol=digits)
    if kind == "conditional":
        assert (found[:, 0] - found[:, 1]).abs().max() > 0.5  # u matters
    else:
        more = torch.randn(3, 4, 2, generator=noise()).double()
        torch.testing.assert_close(density.log_prob(more), expected.log_prob(more))  # whatever the leading axes


@pytest.mark.parametrize("place", [0.0, 10.0, 300.0])
def test_narrow_components_far_from_zero_keep_their_digits(place: float) -> None:
    """In single precision, against doubles: uncentred squares would be wrong by whole nats."""
    mean = place + torch.randn(50, 4, generator=noise())
    logvar = torch.full((50, 4), -6.0)
    z = mean[:20] + 0.05 * torch.randn(20, 4, generator=noise(1))
    exact = torch_mixture(mean.double(), logvar.double(), torch.zeros(50).double()).log_prob(z.double())
    found = GaussianMixture.equal(DiagonalGaussian(mean, logvar)).log_prob(z)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, atol=2e-3, rtol=0)
    precision = (-logvar).exp()
    squares = (-0.5 * z.square() @ precision.T + z @ (mean * precision).T
               - 0.5 * (mean.square() * precision).sum(1)).logsumexp(1)
    error = (squares - squares.mean() - exact + exact.mean()).abs().max()
    assert place < 300 or error > 1


def test_components_are_drawn_at_random_by_their_weights() -> None:
    mean = torch.tensor([[-5.0, 0.0], [0.0, 5.0], [5.0, 0.0]])
    deviation, weights = torch.tensor([[0.1, 0.3], [0.2, 0.2], [0.4, 0.1]]), torch.tensor([0.6, 0.3, 0.1])
    mixture = GaussianMixture(mean, 2 * deviation.log(), weights.log())
    z = mixture.sample(20_000, noise())
    assert z.shape == (20_000, 2)
    chosen = torch.cdist(z, mean).argmin(1)
    shares = chosen.bincount().float() / len(z)
    assert (shares - weights).abs().max() < 4 * math.sqrt(0.25 / len(z))
    for k in range(3):
        own = z[chosen == k]
        torch.testing.assert_close(own.mean(0), mean[k], atol=0.04, rtol=0)
        torch.testing.assert_close(own.std(0), deviation[k], rtol=0.08, atol=0)
    # Of all: mean sum w m, covariance sum w (S + m m') less its square.
    centre = weights @ mean
    covariance = torch.diag(weights @ deviation.square()) + (weights[:, None] * mean).T @ mean - centre.outer(centre)
    torch.testing.assert_close(z.mean(0), centre, atol=0.1, rtol=0)
    torch.testing.assert_close(z.T.cov(), covariance, atol=0.25, rtol=0)
    again = float((chosen[1:] == chosen[:-1]).float().mean())
    assert again == pytest.approx(float(weights.square().sum()), abs=0.02)  # one draw says nothing of the next
    assert torch.equal(z, mixture.sample(20_000, noise())) and not torch.equal(z, mixture.sample(20_000, noise(1)))


def test_a_vamp_prior_does_not_draw_its_first_pseudo_inputs() -> None:
    """The released code of the paper takes the first n of them."""
    mean = torch.arange(500.0)[:, None]
    chosen = GaussianMixture.equal(DiagonalGaussian(mean, torch.full_like(mean, -8.0))).sample(100, noise())
    places = chosen[:, 0].round().long()
    assert (places >= 100).sum() > 60 and len(places.unique()) > 80


def test_the_kl_from_a_mixture_meets_a_quadrature() -> None:
    mixture = GaussianMixture(torch.tensor([[-1.0], [0.5], [3.0]]), torch.tensor([[-1.0], [0.0], [-2.0]]),
                              torch.tensor([0.5, 0.2, 0.3]).log())
    q = DiagonalGaussian(torch.tensor([[0.2], [2.0]]), torch.tensor([[-2.0], [0.5]]))
    z = q.rsample(noise(), 200_000)
    kl = mixture.kl(q, z)
    assert kl.shape == (2, 1)
    axis = torch.linspace(-20, 20, 40_001, dtype=torch.double)
    for b in range(2):
        own = reference.Normal(q.mean[b].double(), (0.5 * q.logvar[b].double()).exp())
        gap = own.log_prob(axis) - mixture.log_prob(axis[:, None])
        exact = float((own.log_prob(axis).exp() * gap).sum() * 40 / 40_000)
        error = float((q.log_prob(z)[:, b] - mixture.log_prob(z)[:, b]).std()) / math.sqrt(len(z))
        assert error < 0.01 < 0.1 < exact
        assert float(kl[b, 0]) == pytest.approx(exact, abs=4 * error)


def test_the_kl_of_two_gaussians_knows_its_arguments() -> None:
    q = DiagonalGaussian(torch.tensor([[1.0, -2.0]]), torch.tensor([[-1.0, 0.4]]))
    p = DiagonalGaussian(torch.tensor([[-0.5, 0.3]]), torch.tensor([[1.2, -0.7]]))

    def normal(g: DiagonalGaussian) -> reference.Normal:
        return reference.Normal(g.mean, (0.5 * g.logvar).exp())

    there, back = (reference.kl_divergence(normal(a), normal(b)) for a, b in ((q, p), (p, q)))
    assert (there - back).abs().min() > 0.1
    torch.testing.assert_close(p.kl(q, q.mean[None]), there)
    torch.testing.assert_close(q.kl(p, p.mean[None]), back)
    standard = StandardNormal(2).kl(q, q.mean[None])
    torch.testing.assert_close(standard, reference.kl_divergence(normal(q), reference.Normal(0.0, 1.0)))


def test_choices_are_one_hot_and_their_gradient_moves_the_weights() -> None:
    logits = torch.tensor([0.5, -0.5, 0.0], requires_grad=True)
    values = torch.tensor([3.0, -3.0, 0.0])
    drawn = choose(logits.expand(20_000, 3), noise())
    torch.testing.assert_close(drawn.detach().sort(1).values, torch.tensor([[0.0, 0.0, 1.0]]).expand(20_000, 3))
    shares = logits.detach().softmax(0)
    assert (drawn.detach().mean(0) - shares).abs().max() < 4 * math.sqrt(0.25 / 20_000)
    (drawn @ values).mean().backward()
    mean = shares @ values
    exact = shares * (values - mean)  # of the expectation, which the relaxed draw's only approaches
    assert logits.grad is not None
    assert torch.equal(logits.grad[:2].sign(), exact[:2].sign())
    torch.testing.assert_close(logits.grad, exact, rtol=0.5, atol=0.3)
    assert not choose(logits.detach().expand(5, 3), noise()).requires_grad


def test_samples_of_a_mixture_move_its_weights_means_and_variances() -> None:
    """Codes are wanted at +4: the component there gains weight, the other moves towards it and widens or narrows."""
    prior = MixtureConfig(components=2).build(1, VECTORS, None)
    parts = dict(prior.named_parameters())
    with torch.no_grad():
        parts["mean"].copy_(torch.tensor([[-2.0], [2.0]]))
    (prior(encoded, None, CPU).sample(20_000, noise()) - 4).square().mean().backward()
    assert parts["logits"].grad[1] < 0 < parts["logits"].grad[0]  # a step goes against the gradient
    assert (parts["mean"].grad < 0).all() and (parts["logvar"].grad > 0).all()


def test_a_mixture_has_bounded_variances() -> None:
    prior = MixtureConfig(components=2).build(2, VECTORS, None)
    with torch.no_grad():
        dict(prior.named_parameters())["logvar"].copy_(torch.tensor([[-80.0, 80.0], [0.0, 1.0]]))
    found = prior(encoded, None, CPU)
    torch.testing.assert_close(found.logvar, torch.tensor([[-6.0, 4.0], [0.0, 1.0]]))


# -- pseudo-inputs and training observations -------------------------------------------------------


def vae(prior: Any, kind: str = "image", covariate: Modality | None = None) -> Any:
    shape = (1, 4, 4) if kind == "image" else (16,)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,)), prior=prior).build(
            {kind: Modality(kind, shape)}, covariate)  # type: ignore[arg-type]


def images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 1, 4, 4, generator=noise(seed))


def test_pseudo_inputs_stay_pixels() -> None:
    model = vae(VampConfig(components=7))
    prior = model.latent_prior
    assert prior.inputs.shape == (7, 1, 4, 4)
    assert float(prior.inputs.detach().mean()) == pytest.approx(0.05, abs=0.005)
    assert float(prior.inputs.detach().std()) == pytest.approx(0.01, abs=0.003)
    with torch.no_grad():
        prior.inputs.copy_(3 * torch.randn(7, 1, 4, 4, generator=noise()))
    seen = prior.pseudo_inputs
    assert seen.min() == 0 and seen.max() == 1
    torch.testing.assert_close(model.prior()["z"].mean, model.posterior(prior.inputs.clamp(0, 1)).mean)
    vectors = vae(VampConfig(components=300), "vector").latent_prior
    assert float(vectors.inputs.detach().std()) == pytest.approx(1, abs=0.05)
    assert vectors.pseudo_inputs.min() < -1  # numbers without bounds


def test_pseudo_inputs_begin_as_training_observations() -> None:
    model, x, asked = vae(VampConfig(components=40, start="data")), images(40), []

    def train(n: int) -> dict[str, Tensor]:
        asked.append(n)
        return {"image": x}

    model.begin(train)
    assert asked == [40]
    difference = (model.latent_prior.inputs - x).detach()
    assert float(difference.std()) == pytest.approx(0.01, rel=0.15) and float(difference.mean().abs()) < 0.002
    model = vae(VampConfig(components=40))
    before = model.latent_prior.inputs.detach().clone()
    model.begin(train)
    assert asked == [40] and torch.equal(model.latent_prior.inputs, before)  # random ones ask for none


def test_a_vamp_prior_learns_pseudo_inputs_and_encoder() -> None:
    model = vae(VampConfig(components=5))
    model.prior()["z"].log_prob(torch.randn(6, 2, generator=noise())).sum().backward()
    assert model.latent_prior.inputs.grad.flatten(1).norm(dim=1).min() > 0  # of each
    assert all(p.grad is not None and p.grad.norm() > 0 for p in model.encoder.parameters())
    assert all(p.grad is None for p in model.decoder.parameters())


def test_the_aggregated_posterior_is_equation_41() -> None:
    model, x = vae(AggregatedConfig(components=30)), images(30)
    model.begin(lambda n: {"image": x[:n]})
    assert torch.equal(model.latent_prior.observed, x) and "latent_prior.observed" in model.state_dict()
    x.zero_()  # the prior has a copy of its own
    assert model.latent_prior.observed.std() > 0.1
    z = torch.randn(50, 2, generator=noise())
    density = model.prior()["z"]
    expected = aggregate_log_prob(model.encode({"image": images(30)})["z"], z)
    torch.testing.assert_close(density.log_prob(z).double(), expected, atol=1e-5, rtol=0)
    density.log_prob(z).sum().backward()
    assert all(p.grad is not None and p.grad.norm() > 0 for p in model.encoder.parameters())
    assert not model.latent_prior.observed.requires_grad


# -- the implicit prior ----------------------------------------------------------------------------


class LinearRatio(nn.Module):
    """T(z) = a z + c, of which N e^T / Z is N(a, I) and log Z = |a|^2 / 2 + c."""

    def __init__(self, a: Tensor, c: float = 0.0) -> None:
        super().__init__()
        self.a, self.c = a, c

    def forward(self, z: Tensor, *_: object, **__: object) -> Tensor:
        return z.float() @ self.a + self.c


def tilted(c: float = 0.0) -> tuple[Any, Tensor]:
    a = torch.tensor([0.8, -0.6])
    prior: Any = ImplicitConfig().build(2, VECTORS, None)
    prior.ratio = LinearRatio(a, c)
    prior.calibrate()
    return prior, a


@pytest.mark.parametrize("c", [0.0, 1.7])
def test_log_z_of_a_known_ratio(c: float) -> None:
    prior, a = tilted(c)
    error = float(prior.log_z_error)
    assert error == pytest.approx(math.sqrt((math.e - 1) / 20_000), rel=0.15)  # var e^T / (E e^T)^2 = e^|a|^2 - 1
    assert float(prior.log_z) == pytest.approx(0.5 + c, abs=4 * error)
    before = float(prior.log_z)
    prior.calibrate()
    assert float(prior.log_z) == before  # of the weights alone
    z, area = grid(half=8)
    density = prior(encoded, None, CPU)
    assert float(density.log_prob(z).exp().sum() * area) == pytest.approx(1, abs=4 * error)
    exact = reference.MultivariateNormal(a, torch.eye(2)).log_prob(z[::501].float())
    torch.testing.assert_close(density.log_prob(z[::501]).float(), exact, atol=4 * error, rtol=0)


def test_the_kl_from_a_known_ratio_counts_log_z() -> None:
    prior, a = tilted(0.9)
    q = DiagonalGaussian(torch.tensor([[0.3, 1.0], [-1.0, 0.2]]), torch.tensor([[-1.0, 0.2], [-2.0, -0.4]]))
    kl = prior(encoded, None, CPU).kl(q, q.rsample(noise(), 20_000))
    exact = reference.kl_divergence(reference.Normal(q.mean, (0.5 * q.logvar).exp()), reference.Normal(a, 1.0)).sum(1)
    assert kl.shape == (2, 1)
    torch.testing.assert_close(kl[:, 0], exact, atol=0.06, rtol=0)


def test_sampling_importance_resampling_finds_the_tilted_density() -> None:
    prior, a = tilted(0.4)
    z = prior(encoded, None, CPU).sample(4_000, noise())
    assert z.shape == (4_000, 2)
    torch.testing.assert_close(z.mean(0), a, atol=0.08, rtol=0)
    torch.testing.assert_close(z.T.cov(), torch.eye(2), atol=0.12, rtol=0)


def test_the_ratio_of_a_known_mixture_is_learned() -> None:
    """q = (N(-1.5, 0.25) + N(1.5, 0.25)) / 2 in one dimension: T = log q - log N, and log Z = 0."""
    truth = GaussianMixture(torch.tensor([[-1.5], [1.5]]), torch.full((2, 1), math.log(0.25)),
                            torch.tensor([0.5, 0.5]).log())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior: Any = ImplicitConfig(hidden=(32, 32), dropout=0.0).build(1, VECTORS, None)
    optimizer, generator, steps = torch.optim.Adam(prior.parameters(), lr=5e-3), noise(), 1_200
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        prior.loss(truth.sample(1_000, generator), generator).backward()
        optimizer.step()
        schedule.step()
    z = torch.linspace(-4, 4, 801)[:, None]
    exact = truth.log_prob(z) - StandardNormal(1).log_prob(z)
    mass = truth.log_prob(z).exp() > 0.02
    with torch.no_grad():
        error = (prior.ratio(z) - exact)[mass].square().mean().sqrt()
    assert error < 0.1 < exact[mass].std()
    prior.calibrate()
    assert abs(float(prior.log_z)) < 0.05
    with torch.no_grad():
        gap = (prior(encoded, None, CPU).log_prob(z) - truth.log_prob(z))[mass]
    assert gap.square().mean().sqrt() < 0.12


def test_hidden_units_are_left_out_only_while_the_ratio_learns() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior: Any = ImplicitConfig(hidden=(400,), dropout=0.5).build(2, VECTORS, None)
    z = torch.randn(1, 2, generator=noise()).expand(2_000, -1)
    with torch.no_grad():
        plain, dropped = prior.ratio(z), prior.ratio(z, noise(), dropped=True)
    assert float(plain.std()) < 1e-6 < 0.1 < float(dropped.std())
    error = 4 * float(dropped.std()) / math.sqrt(2_000)
    assert float(dropped.mean()) == pytest.approx(float(plain.mean()), abs=error)  # its mean stays, being scaled
    assert torch.equal(dropped, prior.ratio(z, noise(), dropped=True))  # by the given generator alone
    before = torch.random.get_rng_state()
    prior.loss(z, noise())
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_loss_of_a_ratio_that_knows_nothing_is_two_coins() -> None:
    prior: Any = ImplicitConfig().build(2, VECTORS, None)
    prior.ratio = LinearRatio(torch.zeros(2))
    codes = torch.randn(10, 2, generator=noise())
    assert float(prior.loss(codes, noise())) == pytest.approx(2 * math.log(2))
    prior.ratio = LinearRatio(torch.tensor([2.0, 0.0]), -3.0)
    assert prior.loss(codes + 3, noise()) < 1 < 4 < prior.loss(codes - 3, noise())  # T is high where codes are


# -- p(z|u) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("kind", ["label", "vector"])
def test_a_conditional_prior_is_of_each_row_its_own(kind: Any, components: int) -> None:
    u = torch.eye(2) if kind == "label" else torch.tensor([[0.3, -1.0], [2.0, 0.5]])
    with torch.random.fork_rng():
        torch.manual_seed(4)  # weights whose means differ well between rows
        prior = ConditionalConfig(components=components, hidden=(8,)).build(2, VECTORS, Modality(kind, (2,)))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(3)
        density = prior(encoded, u, CPU)
        turned = prior(encoded, u.flip(0), CPU)
        z = torch.randn(5, 2, 2, generator=noise())
        torch.testing.assert_close(density.log_prob(z), turned.log_prob(z.flip(1)).flip(1))
        many = prior(encoded, u.repeat_interleave(4_000, 0), CPU)
        drawn = many.sample(8_000, noise()).view(2, 4_000, 2)
        weights = torch.ones(2, 1) if components == 1 else density.log_weights.exp()
        means = density.mean.view(2, components, 2)
        torch.testing.assert_close(drawn.mean(1), (weights[..., None] * means).sum(1), atol=0.25, rtol=0)
        assert (drawn[0].mean(0) - drawn[1].mean(0)).norm() > 0.5
    with pytest.raises(ValueError, match="3 codes of a density of 2"):
        density.sample(3)
    q = DiagonalGaussian(torch.zeros(2, 2), torch.zeros(2, 2))
    assert density.kl(q, q.rsample(noise(), 7)).shape == ((2, 2) if components == 1 else (2, 1))


def test_without_means_only_the_variances_depend_on_u() -> None:
    prior = ConditionalConfig(mean=False, hidden=(8,)).build(2, VECTORS, Modality("label", (2,)))
    density = prior(encoded, torch.eye(2), CPU)
    assert isinstance(density, DiagonalGaussian) and (density.mean == 0).all()
    assert (density.logvar[0] - density.logvar[1]).abs().max() > 1e-3


def test_a_conditional_prior_needs_a_covariate() -> None:
    with pytest.raises(ConfigError, match=r"model\.prior\.kind: .*no labels and no covariate.*Choose another prior"):
        ConditionalConfig().build(2, VECTORS, None)
    model = vae(ConditionalConfig(), covariate=Modality("label", (3,)))
    with pytest.raises(ValueError, match="say for which covariate"):
        model.prior()
    with pytest.raises(ValueError, match="say for which covariate"):
        model.sample(4)
    assert model.sample(4, noise(), torch.eye(3)[[0, 1, 2, 2]])["image"].shape == (4, 1, 4, 4)


# -- in every family -------------------------------------------------------------------------------

MLP_VAE = {"family": "vae", "latent_size": 2, "network": {"kind": "mlp", "hidden": [8]}}
FAMILIES: dict[str, dict[str, Any]] = {
    "mlp": MLP_VAE,
    "conv": {**MLP_VAE, "network": {"kind": "conv", "channels": [2, 4], "dense": 8}},
    "vectors": {**MLP_VAE, "likelihood": {"kind": "gaussian-learned"}},
    "sentences": {"family": "sentence-vae", "latent_size": 2, "embedding": 3, "hidden": 4}}
PRIORS: dict[str, dict[str, Any]] = {
    "standard": {}, "mixture": {"components": 3}, "vamp": {"components": 3}, "vamp-data": {"components": 3},
    "aggregated": {"components": 5}, "implicit": {"hidden": [4], "updates": 2}, "conditional": {"hidden": [4]},
    "conditional-mixture": {"hidden": [4], "components": 2}, "conditional-prior-only": {"hidden": [4]}}
PRIORS = {name: {"kind": name.split("-")[0], **values} for name, values in PRIORS.items()}
PRIORS["vamp-data"]["start"] = "data"
PRIORS["conditional-prior-only"]["encoder"] = False


def data(family: str, count: int = 48) -> Dataset:
    """Images and sentences with labels, vectors with two numbers as their covariate; every split the same."""
    random = np.random.default_rng(0)
    labels, u = random.integers(0, 3, count), random.standard_normal((count, 2)).astype(np.float32)
    if family == "vectors":
        split = Split({"vector": random.standard_normal((count, 6)).astype(np.float32)}, covariate=u)
        return Dataset("toy", "made", {"vector": Modality("vector", (6,))}, dict.fromkeys(SPLITS, split))
    if family == "sentences":
        words = [[A, B, C], [A], [D, D, A, B]] * (count // 3)
        return Dataset("toy", "made", {"text": text(6)},
                       dict.fromkeys(SPLITS, Split({"text": rows(words, 6)}, labels)))
    split = Split({"image": random.integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)}, labels)
    return Dataset("toy", "made", {"image": Modality("image", (1, 8, 8))}, dict.fromkeys(SPLITS, split))


def tiny(configure: Callable[..., Any], dataset: Dataset, model: dict[str, Any], steps: int = 3) -> Course:
    """A model after a few steps."""
    config = configure({"data": {"name": "digits"}, "model": model, "training": {"epochs": 5, "batch_size": 16}})
    made = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    made.model.begin(lambda n: made.feed.at(torch.randperm(len(made.feed), generator=noise())[:n]))
    for step in range(steps):
        made.update(step)
    made.flush()  # raises at a number that is not finite
    return made


def survives(made: Course, dataset: Dataset, folder: Path) -> SimpleNamespace:
    """Evaluate, save, load: the same numbers, and a likelihood; returns what was found for more to be asked."""
    feed = Feed(dataset, "validation", CPU)
    made.model.calibrate()
    before = evaluate(made.model, feed, 1)
    save_weights(folder / "weights.safetensors", made.model, made.config, 3)
    loaded = load_model(folder)
    after = evaluate(loaded, feed, 1)
    assert math.isfinite(before.elbo)
    assert after.elbo == pytest.approx(before.elbo, rel=1e-5)
    assert after.kl["z"] == pytest.approx(before.kl["z"], rel=1e-4)
    assert after.divergence == (None if before.divergence is None else pytest.approx(before.divergence, rel=1e-5))
    if loaded.prior(feed.first(4)):
        likelihood = log_likelihood(loaded, [feed.first(10)], 8)
        assert math.isfinite(likelihood.log_likelihood) and 1 / 8 <= likelihood.effective <= 1
    return SimpleNamespace(evaluation=after, model=loaded, batch=feed.first(10))


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_prior_goes_with_every_family(configure: Callable[..., Any], tmp_path: Path, family: str, prior: str
                                            ) -> None:
    dataset = data(family)
    made = tiny(configure, dataset, {**FAMILIES[family], "prior": PRIORS[prior]})
    learned = list(made.model.get_submodule("latent_prior").parameters())
    assert bool(learned) == (prior not in ("standard", "aggregated"))
    found = survives(made, dataset, tmp_path)
    closed = prior in ("standard", "conditional", "conditional-prior-only")
    assert len(found.evaluation.kl["z"]) == (2 if closed else 1)  # a dimension where it has a closed form
    assert found.evaluation.divergence is None
    assert (found.model.covariate is not None) == prior.startswith("conditional")
    u = found.batch[COVARIATE] if prior.startswith("conditional") else None
    if family != "sentences":  # whose observations have no mean to sample as
        [drawn] = found.model.sample(10, noise(), u).values()
        assert drawn.shape[0] == 10 and drawn.isfinite().all()
    if prior in ("vamp-data", "aggregated") and family == "vectors":
        own = found.model.latent_prior.observed if prior == "aggregated" else found.model.latent_prior.inputs
        x = torch.from_numpy(dataset.splits["train"].arrays["vector"])
        nearest = torch.cdist(own.detach(), x).min(1)
        assert nearest.values.max() < (1e-3 if prior == "aggregated" else 0.1)
        assert len(nearest.indices.unique()) == len(own)  # different observations


@pytest.mark.parametrize("size", [1, 2, 5])
def test_kernels_are_as_wide_as_those_of_scipy(size: int) -> None:
    x = torch.randn(300, size, generator=noise()) * torch.arange(1, size + 1)
    found = scott_logvar(x.var(0), len(x), size).exp()
    assert found.numpy() == pytest.approx(gaussian_kde(x.T.numpy()).covariance.diagonal(), rel=1e-4)
    assert torch.isfinite(scott_logvar(torch.zeros(size), torch.tensor(7.0), size)).all(), "of draws that are one"


def test_a_learned_prior_changes_as_the_model_learns(configure: Callable[..., Any]) -> None:
    for name in ("mixture", "vamp", "conditional", "implicit"):
        dataset = data("vectors")
        first, last = (tiny(configure, dataset, {**FAMILIES["vectors"], "prior": PRIORS[name]}, steps).model
                       .get_submodule("latent_prior").state_dict() for steps in (0, 3))
        moved = [not torch.equal(first[key], last[key]) for key in first if not key.startswith("log_z")]
        assert all(moved), name


def test_linear_networks_take_a_covariate_too(configure: Callable[..., Any], tmp_path: Path) -> None:
    dataset = data("mlp")
    model = {**MLP_VAE, "network": LinearConfig().model_dump(), "prior": PRIORS["conditional"]}
    survives(tiny(configure, dataset, model), dataset, tmp_path)
