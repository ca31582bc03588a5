"""Families of several modalities: products of experts against closed forms, objectives term by term, masks."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from vaecore.data import OBSERVED
from vaecore.evaluate.likelihood import importance_log_weights
from vaecore.modalities import SPECIALS, Modality
from vaecore.models import (
    FAMILIES,
    ConcatenatedVAEConfig,
    DMVAEConfig,
    JMVAEConfig,
    MMVAEConfig,
    MoPoEConfig,
    MultimodalVAEConfig,
    MVAEConfig,
    SeparateVAEsConfig,
)
from vaecore.models.base import Family, ModelConfig
from vaecore.models.multimodal.jmvae import instead_of_joint
from vaecore.models.multimodal.mmvae import MoPoE
from vaecore.models.multimodal.mvae import subset_counts
from vaecore.probability.gaussian import DiagonalGaussian, Experts, gaussian_kl
from vaecore.probability.posteriors import PosteriorMixture
from vaecore.schema import ConfigError, parse

IMAGE, LABEL, VECTOR = Modality("image", (1, 6, 5)), Modality("label", (4,)), Modality("vector", (3,))
TEXT = Modality("text", (4,), (*SPECIALS, "a", "b"))
TWO, FOUR = {"image": IMAGE, "label": LABEL}, {"image": IMAGE, "label": LABEL, "text": TEXT, "numbers": VECTOR}
B = 6
POSTERIORS = {"product": MVAEConfig(), "quotient": MVAEConfig(quotient="posterior"), "joint": JMVAEConfig(),
              "zero": JMVAEConfig(alpha=0), "mixture": MMVAEConfig(), "mixture-of-products": MoPoEConfig()}
CONFIGS: dict[str, ModelConfig] = {
    **{name: MultimodalVAEConfig(latent_size=3, posterior=posterior) for name, posterior in POSTERIORS.items()},
    "dmvae": DMVAEConfig(shared_size=3, private_size=2), "separate": SeparateVAEsConfig(latent_size=3),
    "concatenated": ConcatenatedVAEConfig(latent_size=3)}


def build(config: ModelConfig, modalities: dict[str, Modality] = TWO) -> Family:
    torch.manual_seed(0)
    return config.build(modalities)


def observations(modalities: dict[str, Modality] = TWO, count: int = B) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    sentences = torch.tensor([[4, 5, 2, 0], [4, 2, 0, 0], [5, 5, 4, 2]])
    made = {"image": torch.rand(count, 1, 6, 5, generator=generator),
            "label": torch.eye(4)[torch.randint(4, (count,), generator=generator)],
            "text": sentences[torch.arange(count) % 3], "numbers": torch.randn(count, 3, generator=generator)}
    return {name: made[name] for name in modalities}


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- the product of experts ------------------------------------------------------------------------


def heads(mean: Tensor, variance: Tensor) -> Tensor:
    return torch.cat([mean, variance.log()], -1)


def test_a_product_of_gaussians_is_the_normalised_product_of_their_densities() -> None:
    """On a grid: prior times factors, whatever the subset; with the wrong precision or mean it is another curve."""
    mean, variance = torch.tensor([[[0.7]], [[-1.5]], [[2.0]]]), torch.tensor([[[0.5]], [[2.0]], [[0.3]]])
    subsets = MoPoE.mixed(3)
    q = Experts.bounded(heads(mean, variance)).product(subsets)
    grid = torch.linspace(-8, 8, 4001, dtype=torch.double)
    for s, subset in enumerate(subsets):
        log_density = -0.5 * grid.square()
        for m in range(3):
            if subset[m]:
                log_density = log_density - 0.5 * (grid - mean[m].double().item()).square() / variance[m].item()
        density = log_density.softmax(0)
        first = (density * grid).sum()
        assert q.mean[s].item() == pytest.approx(first.item(), abs=1e-4)
        assert q.logvar[s].exp().item() == pytest.approx(((density * (grid - first).square()).sum()).item(), rel=1e-3)


def test_no_expert_at_all_is_the_prior() -> None:
    experts = Experts.bounded(torch.randn(2, B, 8))
    q = experts.product(torch.zeros(1, 2))
    assert (q.mean == 0).all() and (q.logvar == 0).all()
    q = experts.where(torch.zeros(2, B, dtype=torch.bool)).product(torch.ones(1, 2))
    assert (q.mean == 0).all() and (q.logvar == 0).all()


@pytest.mark.parametrize("variances", list(itertools.product([1e-6, 1.0, 1e6], repeat=3)), ids=str)
def test_a_product_is_exact_for_variances_of_any_size(variances: tuple[float, ...]) -> None:
    variance = torch.tensor(variances).view(3, 1, 1).requires_grad_()
    mean = torch.tensor([1.0, -2.0, 0.5]).view(3, 1, 1)
    q = Experts.bounded(heads(mean, variance)).product(torch.ones(1, 3))
    precision = 1 + sum(1 / v for v in variances)
    assert q.logvar.exp().item() == pytest.approx(1 / precision, rel=1e-4)
    exact = sum(m / v for m, v in zip([1.0, -2.0, 0.5], variances, strict=True)) / precision
    assert q.mean.item() == pytest.approx(exact, rel=1e-4)
    [gradient] = torch.autograd.grad(q.mean.sum() + q.logvar.sum() + q.kl_from_standard().sum(), variance)
    assert gradient.isfinite().all()


def test_a_quotient_times_the_prior_is_the_posterior_it_came_from() -> None:
    """MVAE-Q: q(z|x) / p(z) * p(z) = q(z|x), and two of them are divided by the prior once too often undone."""
    head = torch.randn(2, B, 6)
    mean, raw = head.chunk(2, -1)
    experts = Experts.quotients(head)
    alone = experts.product(torch.eye(2))
    variance = 1 / (1 + (-raw).exp())
    torch.testing.assert_close(alone.mean, mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone.logvar.exp(), variance, atol=1e-6, rtol=1e-4)
    both = experts.product(torch.ones(1, 2))
    torch.testing.assert_close(1 / both.logvar.exp()[0], (1 / variance).sum(0) - 1, rtol=1e-4, atol=1e-4)
    assert (experts.precision >= 0).all()  # always a factor


# -- mixtures --------------------------------------------------------------------------------------


def test_a_mixture_of_posteriors_against_torch() -> None:
    torch.manual_seed(0)  # torch gives a weight of 0 some 1e-7, which counts at a point that is far from all others
    means, logvars = torch.randn(3, B, 2), torch.randn(3, B, 2)
    weights = torch.rand(3, B).softmax(0)
    weights[:, 0] = torch.tensor([0.0, 1.0, 0.0])  # a component may weigh nothing
    q = PosteriorMixture(means, logvars, weights)
    theirs = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(weights.T), torch.distributions.Independent(torch.distributions.Normal(
            means.transpose(0, 1), (0.5 * logvars).exp().transpose(0, 1)), 1))
    z = torch.randn(5, B, 2)
    torch.testing.assert_close(q.log_prob(z), theirs.log_prob(z), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(q.mean, theirs.mean)
    drawn = q.rsample(noise(), 40_000)
    torch.testing.assert_close(drawn.mean(0), theirs.mean, atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.var(0), theirs.variance, atol=0.25, rtol=0.05)


# -- what every family returns ---------------------------------------------------------------------


@pytest.mark.parametrize("modalities", [TWO, FOUR], ids=["two", "four"])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_subset_gives_codes_and_every_modality_is_generated(name: str, modalities: dict[str, Modality]) -> None:
    if name == "concatenated":
        modalities = {key: m for key, m in modalities.items() if m.kind != "text"}
    model, batch = build(CONFIGS[name], modalities).eval(), observations(modalities)
    with torch.no_grad():
        for size in range(1, len(modalities) + 1):
            for given in itertools.combinations(modalities, size):
                q = model.encode({key: batch[key] for key in given})
                assert {key: p.mean.shape for key, p in q.items()} == {key: (B, r) for key, r in model.latents.items()}
        decoded = model.decode({key: p.mean for key, p in q.items()})
        for key, p in decoded.items():
            assert p.log_prob(batch[key]).shape == (B,)
        turned = model.encode({key: x.flip(0) for key, x in batch.items()})
        for key, p in turned.items():  # no observation knows of another
            torch.testing.assert_close(p.mean.flip(0), q[key].mean, atol=1e-5, rtol=1e-4)
        with pytest.raises(ValueError, match=r"nothing is given\. Give at least one of image"):
            model.encode({})


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_missing_is_never_read(name: str) -> None:
    """With another image where there is none, every number is the same; so is the gradient."""
    model, batch = build(CONFIGS[name]), observations()
    mask = torch.tensor([[True, True], [False, True], [True, False], [False, True], [True, True], [True, False]])
    batch["image"] = batch["image"] * mask[:, :1, None, None]
    batch["label"] = batch["label"] * mask[:, 1:]
    other = {**batch, "image": batch["image"].where(mask[:, :1, None, None], torch.rand_like(batch["image"]))}
    found = []
    for values in (batch, other):
        model.zero_grad()
        terms = model.objective({**values, OBSERVED: mask}, noise()).terms()
        torch.autograd.backward(terms.charged - terms.fit + terms.penalty)
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        evidence = model.elbo({**values, OBSERVED: mask}, noise())
        assert (evidence.reconstruction["image"][~mask[:, 0]] == 0).all()
        assert (evidence.reconstruction["image"][mask[:, 0]] != 0).all()
        found.append((torch.stack([term for term in terms if term is not None]), gradients))
    for one, another in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, another, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found[0][0], found[1][0])


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("zero", "concatenated")])
def test_a_mask_says_the_same_as_leaving_a_modality_out(name: str) -> None:
    model, batch = build(CONFIGS[name]).eval(), observations()
    with torch.no_grad():
        left_out = model.encode({"label": batch["label"]})
        masked = model.encode({**batch, OBSERVED: torch.tensor([[False, True]]).expand(B, 2)})
        for key, q in left_out.items():
            torch.testing.assert_close(masked[key].mean, q.mean, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_elbo_is_below_the_importance_sampled_likelihood(name: str) -> None:
    model, batch = build(CONFIGS[name]).eval(), observations()
    with torch.no_grad():
        bound = torch.stack([model.elbo(batch, noise(seed)).elbo() for seed in range(300)]).mean(0)
        exact = importance_log_weights(model, batch, 2000, noise()).logsumexp(0) - torch.tensor(2000.0).log()
    assert (bound < exact + 0.02).all()


# -- objectives, term by term ----------------------------------------------------------------------


def test_mvae_trains_the_joint_elbo_every_marginal_and_random_subsets() -> None:
    config = MultimodalVAEConfig(latent_size=3, posterior=MVAEConfig(random_subsets=2))
    model, batch = build(config, FOUR), observations(FOUR)
    elbos = model.objective(batch, noise()).elbos
    names = [tuple(e.reconstruction) for _, e in elbos]
    assert names[0] == tuple(FOUR) and names[1:5] == [(name,) for name in FOUR]
    assert len(names) == 7 and all(2 <= len(n) <= 3 for n in names[5:])
    assert {w for w, _ in elbos} == {1.0}
    for given in names:  # the KL of each is that of the posterior of its own subset: the prior times its experts
        q = model.encode({name: batch[name] for name in given})["z"]
        kl = next(e.kl["z"] for _, e in elbos if tuple(e.reconstruction) == given)
        torch.testing.assert_close(kl, q.kl_from_standard(), atol=1e-5, rtol=1e-4)


def test_the_size_of_a_random_subset_is_drawn_first() -> None:
    """Uniform over sizes 2 to 4 of five; drawn uniformly over subsets, half of them would have size 2 or 3."""
    modalities = {f"v{m}": VECTOR for m in range(5)}
    model: Any = build(MultimodalVAEConfig(latent_size=2, posterior=MVAEConfig(random_subsets=1)), modalities)
    generator, sizes, members = noise(), [0] * 6, torch.zeros(5)
    for _ in range(3000):
        subset = model.drawn_subsets(generator)[-1]
        sizes[int(subset.sum())] += 1
        members += subset
    assert sizes[0] == sizes[1] == sizes[5] == 0
    assert all(900 < sizes[n] < 1100 for n in (2, 3, 4))
    assert (members / 3000 - 0.6).abs().max() < 0.04  # every modality as often: mean size 3 of 5


def test_two_modalities_have_no_random_subset_and_the_marginals_can_be_left_out() -> None:
    assert len(build(MultimodalVAEConfig()).objective(observations(), noise()).elbos) == 3
    model = build(MultimodalVAEConfig(posterior=MVAEConfig(marginals=False)))
    assert len(model.objective(observations(), noise()).elbos) == 1


def test_where_one_modality_is_all_there_is_its_elbo_counts_once() -> None:
    model, batch = build(MultimodalVAEConfig()), observations()
    mask = torch.tensor([[True, True]] * 3 + [[True, False]] * 3)
    elbos = [e for _, e in model.objective({**batch, OBSERVED: mask}, noise()).elbos]
    assert (elbos[0].reconstruction["image"] != 0).all()  # the joint ELBO of an image alone is that image's own
    assert (elbos[1].reconstruction["image"][3:] == 0).all() and (elbos[1].kl["z"][3:] == 0).all()
    assert (elbos[2].reconstruction["label"][3:] == 0).all()
    assert (elbos[1].kl["z"][:3] != 0).any()


def test_jmvae_penalty_is_the_kl_from_the_joint_posterior_to_each_single_one() -> None:
    """The joint posterior comes first (erratum E9): the other way round is another number."""
    model, batch = build(MultimodalVAEConfig(latent_size=3, posterior=JMVAEConfig(alpha=0.5))), observations()
    joint: DiagonalGaussian = model.encode(batch)["z"]
    singles = [model.encode({name: batch[name]})["z"] for name in TWO]
    forward = sum(torch.distributions.kl_divergence(normal(joint), normal(q)).sum(1).mean() for q in singles)
    found = model.objective(batch, noise()).penalties["stand-in"]
    torch.testing.assert_close(found, 0.5 * forward)
    backward = sum(torch.distributions.kl_divergence(normal(q), normal(joint)).sum(1).mean() for q in singles)
    assert (found - 0.5 * backward).abs() > 1e-4
    torch.testing.assert_close(gaussian_kl(joint, singles[0]).sum(1).mean(),
                               torch.distributions.kl_divergence(normal(joint), normal(singles[0])).sum(1).mean())


def normal(q: DiagonalGaussian) -> torch.distributions.Normal:
    return torch.distributions.Normal(q.mean, (0.5 * q.logvar).exp())


@pytest.mark.parametrize("stop", [False, True])
def test_stop_gradient_keeps_the_penalty_from_the_joint_encoder(stop: bool) -> None:
    model: Any = build(MultimodalVAEConfig(latent_size=3, posterior=JMVAEConfig(alpha=1, stop_gradient=stop)))
    torch.autograd.backward(model.objective(observations(), noise()).penalties["stand-in"])
    assert all(p.grad is not None for p in model.encoder.single.parameters())
    assert all((p.grad is None) == stop for p in model.encoder.features.parameters())


def test_the_best_stand_in_for_a_joint_encoder_is_the_moment_match_of_its_mixture() -> None:
    """Of q_1 = N(m, v), E KL(q_joint || q_1) over what the other modality may be is least at the mixture's mean and
    variance: mode-covering. The other direction would give something narrower."""
    joint = DiagonalGaussian(torch.tensor([[-1.0], [2.0], [3.0]]), torch.tensor([[0.3], [1.2], [0.5]]).log())
    mean = torch.zeros(1, requires_grad=True)
    logvar = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([mean, logvar], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = gaussian_kl(joint, DiagonalGaussian(mean, logvar)).mean()
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    matched = joint.mean.mean(), joint.logvar.exp().mean() + joint.mean.var(correction=0)
    torch.testing.assert_close(mean.detach()[0], matched[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logvar.detach().exp()[0], matched[1], atol=1e-3, rtol=1e-3)


def test_jmvae_given_some_of_several_multiplies_their_own_posteriors() -> None:
    """Its joint encoder has only seen everything: zeros for a missing modality would mean something else to it."""
    model, batch = build(MultimodalVAEConfig(latent_size=3, posterior=JMVAEConfig()), FOUR).eval(), observations(FOUR)
    torch.nn.init.constant_(model.encoder.single[0][-1].bias, -1.0)  # narrower than the prior, as after training
    with torch.no_grad():
        singles = [model.encode({name: batch[name]})["z"] for name in ("image", "numbers")]
        some = model.encode({name: batch[name] for name in ("image", "numbers")})["z"]
    precision = [(-q.logvar).exp() for q in singles]
    factors = [(p - 1).clamp(min=0) for p in precision]
    shift = sum(p * q.mean * (p > 1) for p, q in zip(precision, singles, strict=True))
    torch.testing.assert_close(some.logvar.exp(), 1 / (1 + sum(factors)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(some.mean, shift / (1 + sum(factors)), atol=1e-5, rtol=1e-4)


def test_m1_of_incomplete_observations_the_product_of_what_is_there_teaches() -> None:
    """A joint encoder that never saw a complete observation knows nothing: whatever it says must not matter."""
    model: Any = build(MultimodalVAEConfig(latent_size=3, posterior=JMVAEConfig(alpha=2.0)), FOUR).eval()
    torch.nn.init.constant_(model.encoder.single[0][-1].bias, -1.0)
    observed = torch.ones(B, 4, dtype=torch.bool)
    observed[:, 2] = False
    observed[0] = torch.tensor([True, False, False, False])  # whom nobody has to stand in for
    batch = {**observations(FOUR), OBSERVED: observed}
    before = model.objective(batch, noise())
    torch.autograd.backward(before.penalties["stand-in"] - before.elbos[0][1].elbo().mean())
    for part in (model.encoder.features, model.encoder.head):
        assert all(p.grad is None or not p.grad.any() for p in part.parameters())
    with torch.no_grad():
        q = model.encode(batch)["z"]
        expected = 0.0
        for m, name in enumerate(FOUR):
            if m != 2:
                single = model.encode({name: batch[name]})["z"]
                expected = expected + torch.distributions.kl_divergence(normal(q), normal(single)).sum(1)[1:].sum() / B
        torch.testing.assert_close(before.penalties["stand-in"], 2.0 * expected)
        model.encoder.head[-1].bias.add_(3.0)
        after = model.objective(batch, noise())
    torch.testing.assert_close(after.penalties["stand-in"], before.penalties["stand-in"].detach())
    complete = model.objective({**batch, OBSERVED: torch.ones(B, 4, dtype=torch.bool)}, noise())
    plain = model.objective(observations(FOUR), noise())
    torch.testing.assert_close(complete.penalties["stand-in"], plain.penalties["stand-in"])


def test_m1_exact_posteriors_of_incomplete_observations_stay_where_they_are() -> None:
    """A linear Gaussian case: with x_m = z + noise, the mean over x_2 of KL(p(z|x_1, x_2) || q(z|x_1)) is least at the
    exact p(z|x_1), and the product that teaches is exact when its factors are: nothing pulls at any alpha."""
    x = torch.randn(2, 200_000, 1, generator=noise(5)) + torch.randn(200_000, 1, generator=noise(6))
    scale = torch.tensor(0.5, requires_grad=True)  # of the exact mean x / 2
    logvar = torch.tensor(0.5).log().requires_grad_()  # of the exact variance 1 / 2
    single = DiagonalGaussian(scale * x, logvar.expand_as(x))
    observed = torch.tensor([[True], [True], [False]]).expand(3, 200_000)
    three = DiagonalGaussian(torch.cat([single.mean, x[:1] * 0]), torch.cat([single.logvar, x[:1] * 0]))
    joint = DiagonalGaussian(x[0] * 0, x[0] * 0)  # never trained
    teacher = instead_of_joint(joint, three, observed)
    torch.testing.assert_close(teacher.mean, x.sum(0) / 3)
    torch.testing.assert_close(teacher.logvar.exp(), torch.full_like(x[0], 1 / 3))
    fixed = DiagonalGaussian(teacher.mean.detach(), teacher.logvar.detach())
    gradients = torch.autograd.grad(gaussian_kl(fixed, single).mean(), [scale, logvar])
    assert max(abs(float(g)) for g in gradients) < 0.01


def test_a_random_subset_that_is_all_there_is_counts_once() -> None:
    model: Any = build(MultimodalVAEConfig(latent_size=3, posterior=MVAEConfig(random_subsets=8)), FOUR)
    subsets = model.drawn_subsets(noise())
    observed = torch.tensor([[True, True, False, True], [True, True, True, True], [False, False, True, True]]).T
    counts = subset_counts(subsets, observed)
    seen = {(tuple(row.tolist()), b): float(counts[5 + s, b]) for s, row in enumerate(subsets[5:]) for b in range(3)}
    for (row, b), once in seen.items():
        there = [m for m in range(4) if row[m] and observed[m, b]]
        assert once == float(1 < len(there) < int(observed[:, b].sum()))
    assert counts[0].tolist() == [1, 1, 1] and counts[1:5, 0].tolist() == [1, 1, 0, 1]


def test_an_observation_without_anything_has_the_prior() -> None:
    for name in ("product", "mixture", "mixture-of-products", "dmvae"):
        model, batch = build(CONFIGS[name]).eval(), observations()
        with torch.no_grad():
            for q in model.encode({**batch, OBSERVED: torch.zeros(B, 2, dtype=torch.bool)}).values():
                assert (q.mean == 0).all() and q.rsample(noise()).isfinite().all()


def test_a_mixture_trains_every_component_to_reconstruct_everything() -> None:
    model, batch = build(CONFIGS["mixture"], FOUR), observations(FOUR)
    [(_, evidence)] = model.objective(batch, noise()).elbos
    assert set(evidence.reconstruction) == set(FOUR)
    singles = [model.encode({name: batch[name]})["z"] for name in FOUR]
    kl = torch.stack([q.components[m].kl_from_standard() for m, q in enumerate(singles)]).mean(0)
    torch.testing.assert_close(evidence.kl["z"], kl, atol=1e-5, rtol=1e-4)
    q = model.encode(batch)["z"]
    assert isinstance(q, PosteriorMixture)
    torch.testing.assert_close(q.weights, torch.full((4, B), 0.25))


def test_a_mixture_of_products_mixes_the_subsets_that_are_there() -> None:
    model, batch = build(CONFIGS["mixture-of-products"], FOUR), observations(FOUR)
    q = model.encode({name: batch[name] for name in ("image", "numbers")})["z"]
    assert isinstance(q, PosteriorMixture)
    assert (q.weights > 0).sum(0).tolist() == [3] * B  # image, numbers, both
    torch.testing.assert_close(q.weights.sum(0), torch.ones(B))


def test_dmvae_trains_joint_own_and_cross_reconstructions() -> None:
    model, batch = build(CONFIGS["dmvae"], FOUR), observations(FOUR)
    elbos = [e for _, e in model.objective(batch, noise()).elbos]
    assert len(elbos) == 5 and all(set(e.reconstruction) == set(FOUR) for e in elbos)
    for e, given in zip(elbos, [tuple(FOUR), *[(name,) for name in FOUR]], strict=True):
        q = model.encode({name: batch[name] for name in given})["shared"]
        torch.testing.assert_close(e.kl["shared"], q.kl_from_standard(), atol=1e-5, rtol=1e-4)
    whole = model.encode(batch)
    assert set(elbos[0].kl) == set(whole) == {"shared", "private image", "private text", "private numbers"}
    for name in FOUR:  # without cross terms each modality's code speaks for itself alone
        own = [e for _, e in build(DMVAEConfig(shared_size=3, cross=False), FOUR).objective(batch, noise()).elbos]
        assert [set(e.reconstruction) for e in own[1:]] == [{n} for n in FOUR]
        expected = {"shared"} | ({f"private {name}"} if name != "label" else set())
        assert set(own[1 + list(FOUR).index(name)].kl) == expected


def test_dmvae_decodes_each_modality_from_the_shared_and_its_own_code() -> None:
    model, batch = build(CONFIGS["dmvae"], FOUR).eval(), observations(FOUR)
    with torch.no_grad():
        z = {name: q.mean for name, q in model.encode(batch).items()}
        before = {name: p.log_prob(batch[name]) for name, p in model.decode(z).items()}
        after = {name: p.log_prob(batch[name])
                 for name, p in model.decode({**z, "private image": z["private image"] + 3}).items()}
        assert (before["image"] - after["image"]).abs().min() > 1e-6
        for name in ("label", "text", "numbers"):
            torch.testing.assert_close(before[name], after[name])
        moved = {name: p.log_prob(batch[name]) for name, p in model.decode({**z, "shared": z["shared"] + 3}).items()}
        assert all((before[name] - moved[name]).abs().max() > 1e-6 for name in FOUR)


def test_the_private_posterior_of_what_is_not_given_is_its_prior() -> None:
    model, batch = build(CONFIGS["dmvae"]).eval(), observations()
    q = model.encode({"label": batch["label"]})["private image"]
    assert isinstance(q, DiagonalGaussian) and (q.mean == 0).all() and (q.logvar == 0).all()


def test_parameters_of_a_product_grow_by_as_much_with_every_modality() -> None:
    """O(M), where one encoder a subset would need 2^M - 1."""
    counts = [build(MultimodalVAEConfig(latent_size=4), {f"v{m}": VECTOR for m in range(size)}).parameter_count
              for size in range(2, 13)]
    assert len({b - a for a, b in itertools.pairwise(counts)}) == 1


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "message"), [
    ({"weights": {"lable": 50}}, r"model\.weights\.lable: this data set has no modality 'lable'\. It has image, label"),
    ({"weights": {"label": -1}}, r"weights\.label: -1 is too small"),
    ({"likelihoods": {"label": "bernoulli"}}, r"model\.likelihoods\.label: 'bernoulli' does not describe labels\. Use "
     "categorical"),
    ({"likelihoods": {"sound": "bernoulli"}}, r"model\.likelihoods\.sound: this data set has no modality 'sound'"),
    ({"family": "dmvae", "private_sizes": {"x": 1}}, r"model\.private_sizes\.x: this data set has no modality 'x'")])
def test_a_setting_for_no_modality_is_refused(values: dict[str, Any], message: str) -> None:
    values = {"family": "multimodal-vae", **values}
    with pytest.raises(ConfigError, match=message):
        parse(FAMILIES[values["family"]], values).build(TWO)


def test_one_modality_or_too_many_products_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs 2 to 16, but this data set has 1"):
        MultimodalVAEConfig().build({"image": IMAGE})
    with pytest.raises(ConfigError, match="511 subsets"):
        MultimodalVAEConfig(posterior=MoPoEConfig()).build({f"v{m}": VECTOR for m in range(9)})


def test_a_likelihood_of_ones_own_and_a_weight() -> None:
    config = MultimodalVAEConfig(latent_size=3, likelihoods={"image": "gaussian"}, sigma=0.5, weights={"label": 50})
    model, batch = build(config), observations()
    with torch.no_grad():
        p = model.decode({"z": torch.zeros(B, 3)})["image"]
        exact = torch.distributions.Normal(p.mean, 0.5).log_prob(batch["image"]).flatten(1).sum(1)
    torch.testing.assert_close(p.log_prob(batch["image"]), exact)
    objective = model.objective(batch, noise())
    by_hand = sum((e.reconstruction[name] * (50 if name == "label" else 1)).mean()
                  for _, e in objective.elbos for name in e.reconstruction)
    torch.testing.assert_close(objective.terms().fit, torch.as_tensor(by_hand))
