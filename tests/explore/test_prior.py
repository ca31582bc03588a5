"""Priors and aggregated posteriors as they are drawn: densities, shares of mass, moments, components and samples."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from torch import Tensor

from vaecore.data import COVARIATE, Modality
from vaecore.explore import Checkpoint
from vaecore.explore.densities import held, marginal, moments, plane, weights_of
from vaecore.explore.prior import by_label, components, inputs, normaliser, overfit, pair
from vaecore.explore.same import codes_same
from vaecore.models import PCAConfig, VAEConfig
from vaecore.nets import MLPConfig
from vaecore.probability.gaussian import MAX_COMPONENTS, DiagonalGaussian, GaussianMixture, StandardNormal
from vaecore.probability.priors import (
    AggregatedConfig,
    ConditionalConfig,
    ConditionalMixture,
    ImplicitConfig,
    MixtureConfig,
    PriorConfig,
    StandardConfig,
    Tilted,
    VampConfig,
)
from vaecore.store import Run, Store

MEAN = torch.tensor([[-2.0, 1.0], [1.0, 0.5], [3.0, -1.0]])
SIGMA = torch.tensor([[0.5, 1.0], [1.5, 0.3], [0.2, 2.0]])
WEIGHTS = torch.tensor([0.2, 0.7, 0.1])
MIXED = GaussianMixture(MEAN, 2 * SIGMA.log(), WEIGHTS.log())
IMAGE, LABEL = Modality("image", (1, 4, 4)), Modality("label", (3,))
Z = np.linspace(-6, 6, 241)


def expected(dimension: int, z: np.ndarray) -> np.ndarray:
    """The marginal of `MIXED`, by scipy."""
    return np.asarray(sum(w * norm.pdf(z, m, s) for w, m, s in zip(
        WEIGHTS.numpy(), MEAN[:, dimension].numpy(), SIGMA[:, dimension].numpy(), strict=True)))


def checkpoint(prior: PriorConfig, *, covariate: Modality | None = None, encoder: bool = True, count: int = 60
               ) -> Checkpoint:
    """An untrained model of images with this prior, beside random test images of three classes, and no data set."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,)), prior=prior).build(  # type: ignore[arg-type]
            {"image": IMAGE}, covariate)
        x = torch.rand(count, 1, 4, 4)
        if encoder:  # that says something: the codes of these images lie apart
            with torch.no_grad():
                for weight in (p for p in model.encoder.parameters() if p.ndim == 2):
                    weight.mul_(2.5)
    labels = torch.arange(count) % 3
    u = None if model.covariate is None else torch.eye(3)[labels]
    return Checkpoint(Run(Path("nowhere")), model.eval(), {}, x, labels.numpy(), u)


def mixture(**values: Any) -> Checkpoint:
    """A learned mixture that is `MIXED`."""
    made = checkpoint(MixtureConfig(components=3, **values))
    with torch.no_grad():
        for parameter, value in zip(made.model.latent_prior.parameters(), (MEAN, 2 * SIGMA.log(), WEIGHTS.log()),
                                    strict=True):
            parameter.copy_(value)
    return made


def conditional(**values: Any) -> Checkpoint:
    """A prior by label whose three means lie well apart."""
    made = checkpoint(ConditionalConfig(hidden=(16,), **values), covariate=LABEL)
    with torch.no_grad():
        for parameter in made.model.latent_prior.parameters():
            parameter.mul_(2.5)
    return made


def ring() -> Checkpoint:
    """An implicit prior whose ratio is that of N((1, 0), diag(0.5, 1)): T = log q - log N + 0.7, all but the log Z."""
    class Known(torch.nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return -(z[..., 0] - 1) ** 2 / 1 + 0.5 * z[..., 0] ** 2 - 0.5 * math.log(0.5) + 0.7

    made = checkpoint(ImplicitConfig(hidden=(4,)))
    made.model.latent_prior.ratio = Known()
    made.model.latent_prior.calibrate()
    return made


# -- densities -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [0, 1])
def test_a_marginal_is_the_mixture_of_marginals(dimension: int) -> None:
    np.testing.assert_allclose(marginal(MIXED, dimension, Z), expected(dimension, Z), rtol=1e-5, atol=1e-12)


def test_a_plane_has_rows_by_y_and_columns_by_x() -> None:
    x, y = np.linspace(-4, 4, 7), np.linspace(-3, 3, 5)
    points = np.stack(np.meshgrid(x, y), -1)  # (5, 7, 2)
    parts = sum(w * multivariate_normal(m, np.diag(s**2)).pdf(points) for w, m, s in zip(
        WEIGHTS.numpy(), MEAN.numpy(), SIGMA.numpy(), strict=True))
    found = plane(MIXED, (0, 1), x, y)
    assert found.shape == (5, 7)
    np.testing.assert_allclose(found, parts, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(plane(MIXED, (1, 0), y, x), found.T)


def test_a_plane_of_three_dimensions_leaves_the_third_out() -> None:
    more = GaussianMixture(torch.cat([torch.full((3, 1), 9.0), MEAN], 1), torch.cat(
        [torch.zeros(3, 1), 2 * SIGMA.log()], 1), WEIGHTS.log())
    x = np.linspace(-4, 4, 9)
    np.testing.assert_allclose(plane(more, (1, 2), x, x), plane(MIXED, (0, 1), x, x), rtol=1e-6)


def test_moments_of_a_mixture() -> None:
    mean, std = moments(MIXED)
    np.testing.assert_allclose(mean, WEIGHTS @ MEAN, rtol=1e-6)
    z = np.linspace(-20, 20, 40_001)
    for d in (0, 1):
        variance = np.trapezoid((z - mean[d]) ** 2 * expected(d, z), z)
        assert std[d] == pytest.approx(math.sqrt(variance), rel=1e-5)
    np.testing.assert_array_equal(moments(StandardNormal(3).as_mixture()), ([0] * 3, [1] * 3))


def test_weights_of_equal_components() -> None:
    equal = GaussianMixture.equal(DiagonalGaussian(MEAN, SIGMA.log()))
    np.testing.assert_allclose(weights_of(equal), [1 / 3] * 3, rtol=1e-6)
    np.testing.assert_allclose(weights_of(MIXED), WEIGHTS, rtol=1e-6)


# -- shares of mass --------------------------------------------------------------------------------


def test_held_is_the_share_within_a_radius() -> None:
    """Of a Gaussian of two dimensions 1 - exp(-r^2 / 2) lies within r, whatever its spreads once they are units."""
    axis = np.linspace(-5, 5, 301)
    for sigma in ((1.0, 1.0), (0.5, 2.0)):
        density = plane(GaussianMixture.equal(DiagonalGaussian(torch.zeros(1, 2), 2 * torch.tensor([sigma]).log())),
                        (0, 1), sigma[0] * axis, sigma[1] * axis)
        radius = np.hypot(*np.meshgrid(axis, axis))
        inside = radius < 4
        np.testing.assert_allclose(held(density)[inside], 1 - np.exp(-radius[inside] ** 2 / 2), atol=4e-3)


def test_held_in_one_dimension_is_two_sided() -> None:
    z = np.linspace(-6, 6, 4_001)
    found = held(norm.pdf(z))
    np.testing.assert_allclose(found, norm.cdf(abs(z)) - norm.cdf(-abs(z)), atol=2e-3)


def test_held_is_of_the_densest_points_first() -> None:
    """A high narrow peak before a low wide one, though it holds less."""
    found = held(np.array([[1.0, 1.0, 6.0], [1.0, 1.0, 0.0]]))
    assert found[0, 2] == pytest.approx(0.6)
    np.testing.assert_allclose(sorted(found.ravel()), [0.6, 0.7, 0.8, 0.9, 1.0, 1.0])
    assert found[1, 2] == 1
    assert (held(np.zeros((3, 4))) == 0).all(), "nothing anywhere"


# -- every prior as a mixture ----------------------------------------------------------------------


def test_what_a_prior_is_as_a_mixture() -> None:
    p = DiagonalGaussian(MEAN, 2 * SIGMA.log())
    found = p.as_mixture()  # of three covariates
    np.testing.assert_allclose(marginal(found, 0, Z), np.mean([
        norm.pdf(Z, m, s) for m, s in zip(MEAN[:, 0].numpy(), SIGMA[:, 0].numpy(), strict=True)], 0), rtol=1e-5)
    two = ConditionalMixture(torch.stack([MEAN, -MEAN]), torch.stack([SIGMA, SIGMA]).log() * 2,
                             torch.stack([WEIGHTS, WEIGHTS]).log())
    np.testing.assert_allclose(marginal(two.as_mixture(), 0, Z), (expected(0, Z) + expected(0, -Z)) / 2, rtol=1e-4,
                               atol=1e-9)


def test_what_is_drawn_is_bounded_and_still_a_density() -> None:
    rows = MAX_COMPONENTS // 4
    for density in (DiagonalGaussian(torch.zeros(MAX_COMPONENTS + 9, 2), torch.zeros(MAX_COMPONENTS + 9, 2)),
                    ConditionalMixture(*torch.zeros(2, rows, 5, 2), torch.full((rows, 5), -math.log(5)))):
        found = density.as_mixture()
        assert len(found.mean) <= MAX_COMPONENTS
        assert weights_of(found).sum() == pytest.approx(1, rel=1e-4)


def test_an_implicit_prior_is_drawn_where_its_ratio_puts_it() -> None:
    """N(0, I) times the ratio of N((1, 0), diag(1/2, 1)), known but for a constant."""
    made = ring()
    assert isinstance(made.prior, Tilted) and not made.prior.gaussian
    z, error = normaliser(made) or (0.0, 0.0)
    assert z == pytest.approx(0.7, abs=4 * error) and 0 < error < 0.02
    found = made.prior.as_mixture()
    mean, std = moments(found)
    np.testing.assert_allclose(mean, [1, 0], atol=0.04)
    np.testing.assert_allclose(std, [math.sqrt(0.5), 1], rtol=0.06)  # kernels widen it a little
    assert weights_of(found).sum() == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(marginal(found, 0, Z), norm.pdf(Z, 1, math.sqrt(0.5)), atol=0.05)
    assert normaliser(mixture()) is None


@pytest.mark.parametrize("density", [MIXED, DiagonalGaussian(MEAN, SIGMA), ConditionalMixture(
    MEAN[:, None].repeat(1, 2, 1), SIGMA[:, None].repeat(1, 2, 1), torch.zeros(3, 2).log_softmax(1))],
    ids=["mixture", "gaussian", "conditional mixture"])
def test_a_temperature_multiplies_standard_deviations(density: Any) -> None:
    def drawn(temperature: float) -> Tensor:
        return density.tempered(temperature).sample(3, torch.Generator().manual_seed(0))

    assert density.tempered(1) is density
    still, half, whole = drawn(0.0), drawn(0.5), drawn(1.0)
    assert torch.cdist(still, density.mean.reshape(-1, 2)).min(1).values.max() == 0, "means of its Gaussians"
    torch.testing.assert_close(half - still, 0.5 * (whole - still))


def test_only_gaussians_have_a_temperature() -> None:
    tilted = ring().prior
    assert tilted.tempered(0.5) is tilted and StandardNormal(2).tempered(0.5) == StandardNormal(2)
    with pytest.raises(ValueError, match="no Gaussians whose spread"):
        ring().sample_codes(3, temperature=0.5)


# -- samples ---------------------------------------------------------------------------------------

PRIORS: dict[str, Any] = {
    "standard": lambda: checkpoint(StandardConfig()), "mixture": mixture,
    "vamp": lambda: checkpoint(VampConfig(components=5)),
    "aggregated": lambda: begun(), "implicit": ring, "conditional": conditional,
    "conditional-mixture": lambda: conditional(components=3)}


def begun() -> Checkpoint:
    """An aggregated posterior of the first six test images."""
    made = checkpoint(AggregatedConfig(components=6))
    made.model.latent_prior.begin(made.examples[:6], made.examples[:6])
    return made


@pytest.mark.parametrize("kind", PRIORS)
def test_samples_have_the_moments_of_their_prior(kind: str) -> None:
    made = PRIORS[kind]()
    z = made.sample_codes(6_000, seed=1)
    assert z.shape == (6_000, 2) and z.dtype == np.float32
    mean, std = moments(made.prior.as_mixture())
    np.testing.assert_allclose(z.mean(0), mean, atol=4.5 * std.max() / math.sqrt(6_000))
    np.testing.assert_allclose(z.std(0), std, rtol=0.06)
    np.testing.assert_array_equal(z, made.sample_codes(6_000, seed=1))
    assert (z != made.sample_codes(6_000, seed=2)).any()
    np.testing.assert_allclose(made.scale(), (mean, std), rtol=1e-5)


@pytest.mark.parametrize("kind", PRIORS)
def test_the_same_noise_goes_through_each_ones_own_prior(kind: str) -> None:
    """Not through a Gaussian with the prior's moments: moments and mean log density are those of the prior itself."""
    made = PRIORS[kind]()
    plain, own = (codes_same(each, each.order, 6_000, seed=1) for each in (checkpoint(StandardConfig()), made))
    assert own.shape == (6_000, 2) and own.dtype == np.float32
    mixture = made.prior.as_mixture()
    mean, std = moments(mixture)
    np.testing.assert_allclose(own.mean(0), mean, atol=4.5 * std.max() / math.sqrt(6_000))
    np.testing.assert_allclose(own.std(0), std, rtol=0.06)
    with torch.inference_mode():
        found, expected = (mixture.log_prob(torch.from_numpy(z).double()).numpy()
                           for z in (own, made.sample_codes(6_000, seed=2)))
    spread = math.hypot(found.std(), expected.std()) / math.sqrt(6_000)
    assert abs(found.mean() - expected.mean()) < 4.5 * spread
    np.testing.assert_array_equal(own, codes_same(made, made.order, 6_000, seed=1))
    if kind == "standard":
        np.testing.assert_array_equal(own, plain)


@pytest.mark.parametrize("density", [MIXED, ConditionalMixture(MEAN.expand(6_000, 3, 2), 2 * SIGMA.log().expand(
    6_000, 3, 2), WEIGHTS.log().expand(6_000, 3))])
def test_from_noise_keeps_shares_and_places(density: Any) -> None:
    """A component by its share of the uniform, and within it the normal number, scaled and shifted."""
    uniform = (torch.arange(6_000).double() + 0.5) / 6_000
    codes = density.from_noise(uniform, torch.zeros(6_000, 2))
    shares = [(codes == mean).all(1).double().mean().item() for mean in MEAN]
    np.testing.assert_allclose(shares, WEIGHTS, atol=1e-3)
    normal = torch.randn(6_000, 2, generator=torch.Generator().manual_seed(0))
    component = torch.searchsorted(WEIGHTS.double().cumsum(0), uniform)
    np.testing.assert_allclose(density.from_noise(uniform, normal), MEAN[component] + SIGMA[component] * normal,
                               rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["vae-vamp", "vae-conv-mixture", "vae-conditional"])
def test_the_same_codes_of_a_shipped_prior_are_as_likely_as_its_samples(name: str) -> None:
    made = Checkpoint.load(Store(Path(__file__).parents[2] / "trained").find(f"gallery/{name}"))
    codes = codes_same(made, made.order, 400, seed=0)
    with torch.inference_mode():
        mixture = made.prior.as_mixture()
        found, expected = (mixture.log_prob(torch.from_numpy(z)).mean().item()
                           for z in (codes, made.sample_codes(400, seed=1)))
    assert abs(found - expected) < 1.5, "nats; of a Gaussian with the prior's moments it is much less"


@pytest.mark.parametrize("kind", [kind for kind in PRIORS if kind != "implicit"])
def test_at_temperature_0_a_code_is_the_mean_of_a_component(kind: str) -> None:
    made = PRIORS[kind]()
    z, means = made.sample_codes(700, temperature=0), made.prior.as_mixture().mean.numpy()
    apart = np.linalg.norm(z[:, None] - means, axis=2)
    assert apart.min(1).max() < 1e-5
    assert apart.min(0).max() < 1e-5, "each of them is drawn"


def test_more_codes_than_are_drawn_at_once_are_no_repeats() -> None:
    z = mixture().sample_codes(1_300)
    assert z.shape == (1_300, 2) and len(np.unique(z, axis=0)) == 1_300


# -- by label --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_a_label_and_the_same_noise_down_a_column(count: int) -> None:
    made = conditional(components=count)
    codes = [made.sample_codes(8, seed=4, labels=[label] * 8) for label in range(3)]
    density = made.priors(torch.eye(3))["z"]
    if count == 1:
        assert isinstance(density, DiagonalGaussian)
        noise = [(z - density.mean[label].numpy()) / (0.5 * density.logvar[label]).exp().numpy()
                 for label, z in enumerate(codes)]
        np.testing.assert_allclose(noise[1], noise[0], atol=1e-4)
        np.testing.assert_allclose(noise[2], noise[0], atol=1e-4)
        assert np.abs(codes[1] - codes[0]).max() > 0.3, "the label does change them"
    rows = by_label(made, columns=8, most=9, seed=4)
    assert [label for label, _ in rows] == [0, 1, 2]
    for (_, images), z in zip(rows, codes, strict=True):
        np.testing.assert_array_equal(images, made.decode(z))
    assert [label for label, _ in by_label(made, 2, most=2)] == [0, 1]
    assert by_label(mixture(), 2, most=5) == []


def test_labels_that_are_no_such_are_refused() -> None:
    made = conditional()
    for labels in ([0], [0, 3], [0, -1]):
        with pytest.raises(ValueError, match=r"labels of this prior are 0 to 2, one for each code"):
            made.sample_codes(2, labels=labels)
    with pytest.raises(ValueError, match="not conditioned on labels"):
        mixture().sample_codes(2, labels=[0, 1])


# -- components and their inputs -------------------------------------------------------------------


def test_components_are_the_heaviest_first() -> None:
    found = components(mixture())
    assert found is not None and found.numbers == (1, 0, 2)
    np.testing.assert_allclose(found.weights, [0.7, 0.2, 0.1], rtol=1e-6)
    np.testing.assert_allclose(found.mean, MEAN[[1, 0, 2]])
    np.testing.assert_allclose(found.std, SIGMA[[1, 0, 2]], rtol=1e-6)
    z = found.draw(2, 5_000, seed=1)
    np.testing.assert_allclose(z.mean(0), MEAN[2], atol=0.12)
    np.testing.assert_allclose(z.std(0), SIGMA[2], rtol=0.05)
    np.testing.assert_array_equal(z, found.draw(2, 5_000, seed=1))


@pytest.mark.parametrize("kind", ["standard", "implicit", "conditional", "conditional-mixture"])
def test_what_has_no_components_to_be_shown(kind: str) -> None:
    made = PRIORS[kind]()
    assert components(made) is None and inputs(made) is None


def test_inputs_are_in_the_order_of_the_components() -> None:
    made = checkpoint(VampConfig(components=5))
    found, given = components(made), inputs(made)
    assert found is not None and given is not None and given.learned and given.images.shape == (5, 4, 4)
    with torch.inference_mode():
        u = made.model.latent_prior.pseudo_inputs
        means = made.model.encode({"image": u})["z"].mean
    np.testing.assert_array_equal(given.images, (u[:, 0] * 255).round().to(torch.uint8))
    np.testing.assert_allclose(found.mean, means[list(found.numbers)], atol=1e-6)
    made = begun()
    given = inputs(made)
    assert given is not None and not given.learned
    found = components(made)
    assert found is not None
    np.testing.assert_allclose(found.mean, made.encode(slice(6))[list(found.numbers)], atol=1e-6)
    np.testing.assert_array_equal(given.images, made.originals(slice(6)))


# -- beside the data -------------------------------------------------------------------------------


def test_a_pair_is_prior_and_average_posterior_of_the_examples() -> None:
    made = mixture()
    both = pair(made)
    assert both.source == "the 60 test observations that travel with the run" and both.centred
    with torch.inference_mode():
        q: Any = made.model.encode({"image": made.examples})["z"]
    curve = both.curve(1, 300)
    assert curve.dimension == 1 and curve.z.shape == curve.prior.shape == curve.aggregated.shape == (300,)
    np.testing.assert_allclose(curve.prior, expected(1, curve.z), rtol=1e-4, atol=1e-9)
    sigma = (0.5 * q.logvar[:, 1]).exp().numpy()
    mean = norm.pdf(curve.z[:, None], q.mean[:, 1].numpy(), sigma).mean(1)
    np.testing.assert_allclose(curve.aggregated, mean, rtol=1e-3, atol=1e-6)
    assert np.trapezoid(curve.prior, curve.z) == pytest.approx(1, abs=0.02), "the grid reaches as far as both"
    assert np.trapezoid(curve.aggregated, curve.z) == pytest.approx(1, abs=0.02)


def test_a_plane_shows_the_centres_of_a_prior_that_has_its_own() -> None:
    found = pair(mixture()).plane((1, 0), side=40)
    assert found.dimensions == (1, 0) and found.prior.shape == (40, 40)
    np.testing.assert_allclose(found.centres, MEAN[:, [1, 0]])
    row, column = np.unravel_index(found.prior.argmin(), found.prior.shape)
    assert found.x[column] == pytest.approx(0.5, abs=0.4), "z1 of the densest component"
    assert found.y[row] == pytest.approx(1.0, abs=0.8), "and its z0"
    assert len(pair(conditional()).plane((0, 1), side=8).centres) == 0, "those of single observations"


def test_a_conditional_prior_is_averaged_over_the_covariates_of_the_data() -> None:
    made = conditional()
    twice = torch.cat([made.covariates, torch.eye(3)[:1].expand(60, 3)])  # type: ignore[list-item]
    uneven = Checkpoint(made.run, made.model, {}, torch.rand(120, 1, 4, 4), None, twice)
    density = made.priors(torch.eye(3))["z"]
    assert isinstance(density, DiagonalGaussian)
    shares = np.array([80, 20, 20]) / 120
    curve = pair(uneven).curve(0)
    by_hand = sum(w * norm.pdf(curve.z, float(m), math.exp(0.5 * float(v))) for w, m, v in zip(
        shares, density.mean[:, 0], density.logvar[:, 0], strict=True))
    np.testing.assert_allclose(curve.prior, by_hand, rtol=1e-3, atol=1e-9)
    with torch.inference_mode():
        q: Any = made.model.encode({"image": uneven.examples, COVARIATE: twice})["z"]
    np.testing.assert_allclose(curve.aggregated, norm.pdf(
        curve.z[:, None], q.mean[:, 0].numpy(), (0.5 * q.logvar[:, 0]).exp().numpy()).mean(1), rtol=1e-3, atol=1e-6)


def test_where_the_data_set_is_here_its_validation_split_is_taken(tmp_path: Path) -> None:
    from vaecore.config import changed, preset
    from vaecore.store import Store

    config = changed(preset("vae-digits"), ["model.latent_size=2", "model.prior.kind=conditional"])
    run = Store(tmp_path).create(config, "here")
    dataset = config.data.load()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = config.model.build(dataset.modalities, dataset.covariate).eval()
    made = Checkpoint(run, model, {}, torch.zeros(2, 1, 8, 8), None, torch.eye(10)[:2])
    found = pair(made, observations=150)
    assert found.source == "150 validation observations" and len(found.aggregated.mean) == 150
    labels = dataset.splits["validation"].labels
    assert labels is not None
    p = made.priors(torch.eye(10))["z"]
    assert isinstance(p, DiagonalGaussian)
    np.testing.assert_allclose(found.prior.mean, p.mean[labels[:150].tolist()], atol=1e-6)
    other = Checkpoint(Store(tmp_path).create(changed(config, ["data.name=gaussian"]), "other"), model, {},
                       torch.zeros(2, 1, 8, 8), None, torch.eye(10)[:2])
    assert "travel with the run" in pair(other).source, "a data set of another shape is none"


def test_a_family_without_a_prior_has_no_pair() -> None:
    model = PCAConfig(latent_size=2).build({"image": IMAGE})
    made = Checkpoint(Run(Path("nowhere")), model, {}, torch.rand(9, 1, 4, 4), None)
    with pytest.raises(ValueError, match="a family without a prior"):
        pair(made)
    assert components(made) is None and normaliser(made) is None


def test_an_aggregated_posterior_knows_its_own_observations() -> None:
    """KL(q_i || 1/n sum q) <= log n for each of its own, by the component that is q_i; others have no such bound."""
    found = checkpoint(AggregatedConfig(components=12))
    own = torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(8))
    found.model.get_submodule("latent_prior").begin(own, own)
    with torch.no_grad():
        found.model.encoder[-1].bias[2:] = -6.0  # narrow: hardly any posterior overlaps another
    told = overfit(found)
    assert told is not None and told.count == 12
    assert told.own <= math.log(12) + 1e-4 and told.own > 0.5 * math.log(12)
    assert told.others > told.own + 1
    assert "60 test observations" in told.source
    assert overfit(checkpoint(VampConfig(components=12))) is None and overfit(checkpoint(StandardConfig())) is None
