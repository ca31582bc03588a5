"""What may stand in the place of the KL: estimates against loops, assignments, quadratures and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm
from torch import Tensor, nn

from tests.probability.test_priors import FAMILIES, PRIORS, data, noise, survives, tiny
from vaecore.data import COVARIATE, Modality
from vaecore.models import VAEConfig
from vaecore.nets import MLPConfig
from vaecore.probability.divergences import (
    MMD,
    Critic,
    CriticConfig,
    DivergenceConfig,
    KLConfig,
    MMDConfig,
    PerObservationConfig,
    SlicedConfig,
    mmd,
    sliced_wasserstein,
    squared_w2,
)
from vaecore.probability.gaussian import DiagonalGaussian, GaussianMixture, StandardNormal
from vaecore.probability.priors import (
    AggregatedConfig,
    ConditionalConfig,
    ImplicitConfig,
    MixtureConfig,
    PriorConfig,
    VampConfig,
)
from vaecore.schema import ConfigError


class Given:
    """A prior whose draws are given."""

    def __init__(self, draws: Tensor) -> None:
        self.draws = draws

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        assert count == len(self.draws)
        return self.draws


def normal(count: int, r: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(count, r, generator=noise(seed))


def narrow(z: Tensor) -> DiagonalGaussian:
    return DiagonalGaussian(z, torch.full_like(z, -6.0))


# -- maximum mean discrepancy ----------------------------------------------------------------------


PUBLISHED = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # scales in the released code of Tolstikhin et al. (2018)


def by_hand(x: Tensor, y: Tensor, kernel: str) -> float:
    """The U-statistic of the sum of seven kernels of width 2 r s, pair by pair."""
    def k(a: Tensor, b: Tensor) -> float:
        square = float((a - b).square().sum())
        widths = [2 * len(a) * scale for scale in PUBLISHED]
        return sum(c / (c + square) if kernel == "imq" else math.exp(-square / c) for c in widths)

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_is_the_sum_over_pairs(kernel: Any) -> None:
    x, y = 1.5 * normal(7, 3).double() + 1, normal(9, 3, seed=1).double()
    found = float(mmd(x, y, kernel))
    assert found == pytest.approx(by_hand(x, y, kernel), abs=1e-12)
    assert found == pytest.approx(float(mmd(y, x, kernel)), abs=1e-12)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_is_unbiased_where_both_have_one_distribution(kernel: Any) -> None:
    draws = torch.stack([mmd(normal(40, seed=seed), normal(40, seed=10_000 + seed), kernel) for seed in range(400)])
    error = draws.std() / math.sqrt(len(draws))
    assert draws.mean().abs() < 3.5 * error
    assert (draws < 0).float().mean() > 0.3  # as an unbiased estimate of 0 has to
    # A V-statistic, with each sample's pair with itself, would be about 2 k(0, 0) / n too large.
    assert 3.5 * error < 0.2 * 2 * len(PUBLISHED) / 40


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_is_unbiased_under_a_prior_by_class(kernel: Any) -> None:
    """Code and draw of a row are of one class, and nearer than two of the whole batch: it was -0.42 at 16 codes."""
    means = 6 * normal(10, seed=5)
    distance = MMD(kernel)

    def found(seed: int) -> Tensor:
        u = torch.randint(10, (16,), generator=noise(seed))
        codes, draws = (means[u] + normal(16, seed=seed + more) for more in (10_000, 20_000))
        return distance(narrow(codes), codes, Given(draws), torch.nn.functional.one_hot(u, 10).float(), None)

    values = torch.stack([found(seed) for seed in range(400)])
    assert values.mean().abs() < 3.5 * values.std() / math.sqrt(len(values))


def test_mmd_grows_as_samples_part() -> None:
    x, y = normal(300), normal(300, seed=1)
    values = [float(mmd(x + shift, y)) for shift in (0.0, 0.5, 1.0, 3.0)]
    assert values == sorted(values) and values[1] > 10 * abs(values[0]) and values[3] > 1
    assert mmd(x * 3, y) > 0.1  # the same mean


def test_codes_far_out_are_pulled_back_by_the_inverse_multiquadratic_alone() -> None:
    pulls = {}
    for kernel in ("imq", "rbf"):
        x = normal(50) + torch.tensor([60.0, 0.0])
        x.requires_grad_()
        mmd(x, normal(50, seed=1), kernel).backward()  # type: ignore[arg-type]
        assert x.grad is not None
        pulls[kernel] = float(x.grad.sum(0)[0])  # of all together: what is between them cancels
        near = normal(50).requires_grad_()
        mmd(near, normal(50, seed=1) - 1, kernel).backward()  # type: ignore[arg-type]
        assert near.grad is not None and near.grad.sum(0)[0] > 0.05
    assert pulls["imq"] > 1e-3  # a step goes inwards
    assert abs(pulls["rbf"]) < 1e-5


def test_as_a_divergence_mmd_takes_codes_and_draws_of_the_prior() -> None:
    z, drawn = normal(20) + 1, normal(20, seed=1)
    found = MMDConfig(kernel="rbf").build(2, None)(narrow(z), z, Given(drawn), None, None)  # type: ignore[misc]
    assert float(found) == pytest.approx(float(mmd(z, drawn, "rbf")))
    assert float(found) != pytest.approx(float(mmd(z, drawn, "imq")), rel=0.01)


# -- sliced Wasserstein ----------------------------------------------------------------------------


def test_in_one_dimension_it_is_the_best_assignment() -> None:
    x, y = normal(30, 1), 2 * normal(30, 1, seed=1) - 1
    cost = (x - y.T).square().numpy()
    exact = cost[linear_sum_assignment(cost)].mean()
    for direction in (1.0, -1.0):
        found = sliced_wasserstein(x, y, torch.tensor([[direction]]))
        assert float(found) == pytest.approx(float(exact), rel=1e-5)
    assert float(exact) < 0.8 * cost.trace() / 30  # pairs as they come would do worse


def test_of_a_translation_it_is_the_squared_shift_over_r() -> None:
    x, shift = normal(64, 3), torch.tensor([1.0, -2.0, 0.5])
    basis = torch.linalg.qr(normal(3, 3, seed=2)).Q
    assert float(sliced_wasserstein(x + shift, x, basis)) == pytest.approx(float(shift.square().sum()) / 3, rel=1e-5)
    turned = x[torch.randperm(64, generator=noise(3))] + shift  # samples have no order
    assert float(sliced_wasserstein(turned, x, basis)) == pytest.approx(float(shift.square().sum()) / 3, rel=1e-5)
    found = SlicedConfig(projections=4_000).build(3, None)(  # type: ignore[misc]
        narrow(x), x + shift, Given(x), None, noise())
    assert float(found) == pytest.approx(5.25 / 3, rel=0.06)  # over random directions of length 1


# -- of each x -------------------------------------------------------------------------------------


def test_w2_of_gaussians_meets_a_quadrature_of_quantiles() -> None:
    q = DiagonalGaussian(torch.tensor([[1.0, -0.3], [0.0, 2.0]]), torch.tensor([[-1.0, 0.5], [0.0, -3.0]]))
    p = DiagonalGaussian(torch.tensor([[0.2, 0.1], [-1.0, 2.0]]), torch.tensor([[0.7, 0.5], [1.0, -3.0]]))
    u = (np.arange(200_000) + 0.5) / 200_000

    def distance(a: DiagonalGaussian, b: DiagonalGaussian) -> list[float]:
        def quantiles(g: DiagonalGaussian, n: int, j: int) -> np.ndarray:
            return np.asarray(norm.ppf(u, float(g.mean[n, j]), math.exp(0.5 * float(g.logvar[n, j]))))

        return [sum(np.square(quantiles(a, n, j) - quantiles(b, n, j)).mean() for j in range(2)) for n in range(2)]

    assert squared_w2(q, p).tolist() == pytest.approx(distance(q, p), rel=1e-3)
    standard = DiagonalGaussian(torch.zeros(2, 2), torch.zeros(2, 2))
    assert squared_w2(q, StandardNormal(2)).tolist() == pytest.approx(distance(q, standard), rel=1e-3)
    assert squared_w2(standard, StandardNormal(2)).tolist() == [0, 0]  # only where every posterior is the prior
    with pytest.raises(TypeError, match="Gaussian prior"):
        squared_w2(q, GaussianMixture.equal(p))
    mean = PerObservationConfig().build(2, None)(q, q.mean, p, None, None)  # type: ignore[misc]
    assert float(mean) == pytest.approx(sum(distance(q, p)) / 2, rel=1e-3)


def test_of_each_x_it_punishes_what_the_aggregate_does_not() -> None:
    """Narrow posteriors that make up the prior together: the aggregate is right, every single one is not."""
    z = normal(400)
    assert float(squared_w2(narrow(z), StandardNormal(2)).mean()) > 3
    assert abs(float(mmd(z, normal(400, seed=1)))) < 0.02


# -- the critic ------------------------------------------------------------------------------------


def critic(weights: Tensor, covariate: Modality | None = None, **values: Any) -> Critic:
    """D = a z, or a (z, u)."""
    r = len(weights) - (covariate.size if covariate else 0)
    made = CriticConfig(**values).build(r, covariate)
    assert isinstance(made, Critic)
    line = nn.Linear(len(weights), 1, bias=False)
    with torch.no_grad():
        line.weight.copy_(weights[None])
    made.network = nn.Sequential(line)
    return made


@pytest.mark.parametrize("count", [1, 7, 64])
def test_the_gradient_penalty_does_not_depend_on_the_batch(count: int) -> None:
    a = torch.tensor([3.0, -4.0])
    assert float(critic(a).penalty(normal(count), None).detach()) == pytest.approx((5 - 1) ** 2, rel=1e-5)
    assert float(critic(a / 5).penalty(normal(count), None).detach()) == pytest.approx(0, abs=1e-9)


def test_each_code_has_its_own_penalty() -> None:
    class Square(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return 0.5 * z.square().sum(1, keepdim=True)  # its gradient is z

    made, z = critic(torch.ones(2)), 2 * normal(30)
    made.network = nn.Sequential(Square())
    assert float(made.penalty(z, None).detach()) == pytest.approx(float((z.norm(dim=1) - 1).square().mean()), rel=1e-5)


def test_the_penalty_is_of_codes_alone_and_can_be_learned_from() -> None:
    label = Modality("label", (3,))
    made, u = critic(torch.tensor([0.0, 2.0, 50.0, 60.0, 70.0]), label), torch.eye(3)[[0, 1, 2, 0]]
    penalty = made.penalty(normal(4), u)
    assert penalty.item() == pytest.approx(1, rel=1e-5)
    penalty.backward()
    gradient = made.network[0].weight.grad
    assert gradient is not None
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 2.0, 0, 0, 0]]))  # 2 (|a| - 1) a / |a|, none for u
    assert (made.score(normal(4), u) - made.score(normal(4), u.roll(1, 1))).abs().min() > 1  # it does read u
    with pytest.raises(RuntimeError):
        made.score(normal(4), None)


def test_what_the_critic_says_and_learns() -> None:
    a, z, drawn = torch.tensor([3.0, -4.0]), normal(50) + 1, normal(50, seed=1)
    gap = float(((z - drawn) @ a).mean())
    made = critic(a, gradient_penalty=2.0)
    found = made(narrow(z), z, Given(drawn), None, None)
    assert found.item() == pytest.approx(gap, rel=1e-5)
    assert made.learn(z, drawn, None, noise()).item() == pytest.approx(-gap + 2 * 16, rel=1e-5)  # it wants the gap
    logistic = critic(a, loss="gan")
    expected = (torch.log1p((-(z @ a)).exp()) + torch.log1p((drawn @ a).exp())).mean()
    assert logistic.learn(z, drawn, None, noise()).item() == pytest.approx(float(expected), rel=1e-4)
    none = critic(0 * a, loss="gan")
    assert none(narrow(z), z, Given(drawn), None, None).item() == pytest.approx(0, abs=1e-6)
    assert none.learn(z, drawn, None, noise()).item() == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize("loss", ["wasserstein", "gan"])
def test_codes_are_moved_to_where_the_critic_sees_the_prior(loss: Any) -> None:
    a = torch.tensor([1.0, 2.0])
    z, drawn = normal(5).requires_grad_(), normal(5, seed=1).requires_grad_()
    critic(a, loss=loss)(narrow(z.detach()), z, Given(drawn), None, None).backward()  # type: ignore[arg-type]
    assert z.grad is not None and drawn.grad is not None
    assert (z.grad @ a > 0).all()  # a step makes D of codes smaller
    assert (drawn.grad @ a < 0).all()  # and, where the prior learns, that of its draws larger


def test_a_critic_that_has_learned_knows_the_shift() -> None:
    """W1 of N((2, 0), I) and N(0, I) is 2; with a penalty divided by the batch size it would say hundreds.

    Not in one dimension, where a slope of -1 is a local minimum of loss and penalty that a critic may begin in.
    """
    shift = torch.tensor([2.0, 0.0])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made: Any = CriticConfig(hidden=(32,)).build(2, None)
    optimizer, generator = torch.optim.Adam(made.parameters(), lr=5e-3, betas=(0.5, 0.9)), noise()
    for _ in range(400):
        z, drawn = torch.randn(2, 256, 2, generator=generator)
        optimizer.zero_grad()
        made.learn(z + shift, drawn, None, generator).backward()
        optimizer.step()
    z, drawn = normal(5_000) + shift, normal(5_000, seed=1)
    with torch.no_grad():
        assert float(made(narrow(z), z, Given(drawn), None, None)) == pytest.approx(2, rel=0.15)


def test_a_conditional_critic_sees_what_the_marginals_hide() -> None:
    """Codes of the wrong class: all together they are distributed as the prior's draws, class by class they are not."""
    label = Modality("label", (2,))
    made = critic(torch.tensor([1.0, 0.0, 0.0]), label)

    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :1] * (x[:, 1:2] - x[:, 2:3])  # z where the class is 0, -z where it is 1

    made.network = nn.Sequential(Product())
    u = torch.eye(2).repeat(50, 1)
    means = u @ torch.tensor([[2.0], [-2.0]])
    same = made(narrow(means), means, Given(means), u, None)
    swapped = made(narrow(-means), -means, Given(means), u, None)
    assert float(same) == 0 and float(swapped) == -4
    assert sliced_wasserstein(means, -means, torch.ones(1, 1)) == 0


# -- in every family -------------------------------------------------------------------------------

DIVERGENCES: dict[str, dict[str, Any]] = {
    "kl": {}, "mmd": {"weight": 3.0}, "sliced": {"projections": 5}, "critic": {"hidden": [4], "updates": 2},
    "critic-gan": {"hidden": [4], "updates": 2, "loss": "gan"}, "per-x": {}}
DIVERGENCES = {name: {"kind": "critic" if "critic" in name else name, **values} for name, values in DIVERGENCES.items()}


def goes(divergence: str, prior: str) -> bool:
    if prior == "implicit":
        return divergence == "kl"
    return divergence != "per-x" or prior in ("standard", "conditional", "conditional-prior-only")


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_divergence_goes_with_every_family(configure: Callable[..., Any], tmp_path: Path, family: str,
                                                 divergence: str) -> None:
    dataset = data(family)
    for prior in ("standard", "conditional"):
        made = tiny(configure, dataset, {**FAMILIES[family], "prior": PRIORS[prior],
                                         "divergence": DIVERGENCES[divergence]})
        found = survives(made, dataset, tmp_path)
        assert (found.evaluation.divergence is None) == (divergence == "kl")
        assert len(found.evaluation.kl["z"]) == 2  # the KL is still reported


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_every_pair_trains_or_says_what_to_choose(configure: Callable[..., Any], divergence: str, prior: str) -> None:
    dataset = data("vectors")
    model = {**FAMILIES["vectors"], "prior": PRIORS[prior], "divergence": DIVERGENCES[divergence]}
    if goes(divergence, prior):
        made = tiny(configure, dataset, model)
        batch = made.feed.first(20)
        found = made.model.divergence(batch, made.model.encode(batch), noise())
        assert found is None if divergence == "kl" else found is not None and bool(found.isfinite())
    else:
        with pytest.raises(ConfigError, match=r"^model\.divergence\.kind: .*\. Use .*prior") as caught:
            tiny(configure, dataset, model)
        assert caught.value.problems[0].value == divergence.split("-gan")[0]


def test_samples_of_a_learned_prior_teach_it(configure: Callable[..., Any]) -> None:
    """Without a KL, means, variances and weights of the prior learn from the distance alone."""
    dataset = data("vectors")
    for prior in ("mixture", "conditional-mixture", "vamp"):
        for divergence in ("mmd", "sliced", "critic"):
            model = {**FAMILIES["vectors"], "prior": PRIORS[prior], "divergence": DIVERGENCES[divergence]}
            made = tiny(configure, dataset, model, steps=0)
            batch = made.feed.first(20)
            distance = made.model.divergence(batch, made.model.encode(batch), noise())
            assert distance is not None
            distance.backward()
            gradients = [p.grad for p in made.model.get_submodule("latent_prior").parameters()]
            assert all(g is not None and g.norm() > 0 for g in gradients), (prior, divergence)


def test_the_objective_charges_the_divergence_and_not_the_kl() -> None:
    """Its weight is a factor; beta multiplies it; the KL is still told."""
    def terms(weight: float) -> dict[str, float]:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,)), divergence=MMDConfig(weight=weight)).build(
                {"image": Modality("image", (1, 4, 4))})
        objective = model.objective({"image": torch.rand(20, 1, 4, 4, generator=noise())}, noise(1))
        return {name: float(term.detach()) for name, term in objective.terms()._asdict().items()
                if term is not None}

    light, heavy = terms(1.0), terms(7.0)
    assert heavy["charged"] == pytest.approx(7 * light["charged"], rel=1e-5)
    assert light["kl"] > 0 and light["charged"] != pytest.approx(light["kl"], rel=0.01)
    assert all(heavy[name] == light[name] for name in ("reconstruction", "kl", "fit"))


def test_what_needs_a_kl_is_said_to() -> None:
    def build(prior: PriorConfig, divergence: DivergenceConfig) -> Any:
        return VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,)), prior=prior,  # type: ignore[arg-type]
                         divergence=divergence).build(  # type: ignore[arg-type]
            {"image": Modality("image", (1, 4, 4))}, Modality("label", (3,)))

    for divergence in (MMDConfig(), SlicedConfig(), CriticConfig(), PerObservationConfig()):
        with pytest.raises(ConfigError, match=r"implicit optimal prior is found by its KL alone\. Use kl"):
            build(ImplicitConfig(), divergence)
    for prior in (MixtureConfig(), VampConfig(components=4), AggregatedConfig(components=4),
                  ConditionalConfig(components=2)):
        with pytest.raises(ConfigError, match=r"one Gaussian\. Use mmd, sliced or critic, or the standard prior"):
            build(prior, PerObservationConfig())
    build(ConditionalConfig(), PerObservationConfig())
    build(ImplicitConfig(), KLConfig())


def test_a_conditional_divergence_reads_each_rows_covariate(configure: Callable[..., Any]) -> None:
    dataset = data("vectors")
    model = {**FAMILIES["vectors"], "prior": {**PRIORS["conditional"], "encoder": False},
             "divergence": DIVERGENCES["critic"]}
    made = tiny(configure, dataset, model)
    critic_ = made.model.get_submodule("latent_divergence")
    assert isinstance(critic_, Critic)
    assert critic_.network[0].in_features == 2 + 2  # code and covariate
    batch = dict(made.feed.first(20))
    posteriors = made.model.encode(batch)
    before = made.model.divergence(batch, posteriors, noise())
    batch[COVARIATE] = batch[COVARIATE] + 1
    after = made.model.divergence(batch, posteriors, noise())
    assert before is not None and after is not None and abs(float(before.detach() - after.detach())) > 1e-5
