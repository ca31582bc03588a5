"""The conditional Wasserstein variant of SVG-LP: distances in the prior's units, and what a learned prior cannot do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models import FAMILIES
from vaecore.models.video.conditional_wasserstein import MAX_PAIRS, ConditionalWasserstein, PairedMMD, in_units_of
from vaecore.probability.divergences import Critic, squared_w2
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl
from vaecore.schema import parse

KINDS = ["mmd", "critic", "per-x"]


def made(kind: str = "mmd", **divergence: Any) -> ConditionalWasserstein:
    values = {"network": {"kind": "mlp", "hidden": [8]}, "code_size": 6, "hidden": 8, "layers": 1, "latent_size": 2,
              "context": 2, "divergence": {"kind": kind, **divergence}}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = parse(FAMILIES["conditional-wasserstein"], values).build({"frames": Modality("trajectory", (5, 2))})
    assert isinstance(model, ConditionalWasserstein)
    return model


def clips(count: int = 6) -> Tensor:
    return torch.randn(count, 5, 2, generator=torch.Generator().manual_seed(1))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_distance_stands_in_the_place_of_the_kl_which_is_still_told(kind: str) -> None:
    model, batch = made(kind, weight=3), {"frames": clips()}
    objective = model.objective(batch, seeded())
    terms = objective.terms()
    assert objective.divergence is not None and torch.equal(terms.charged, objective.divergence)
    posteriors = model.encode(batch)
    q = posteriors["z"]
    assert isinstance(q, DiagonalGaussian)
    expected = gaussian_kl(q, model.priors(batch, posteriors))
    torch.testing.assert_close(objective.elbos[0][1].kl["z"], expected)
    torch.testing.assert_close(terms.kl, expected.sum((1, 2)).mean())
    twice = made(kind, weight=6).objective(batch, seeded()).divergence
    assert twice is not None
    torch.testing.assert_close(twice, 2 * objective.divergence)


def test_the_closed_form_is_w2_of_each_pair_in_the_priors_units() -> None:
    model, batch = made("per-x", weight=1), {"frames": clips()}
    posteriors = model.encode(batch)
    q, p = posteriors["z"], model.priors(batch, posteriors)
    assert isinstance(q, DiagonalGaussian)
    spread = (0.5 * p.logvar).exp()
    by_hand = (((q.mean - p.mean) / spread).square() + ((0.5 * q.logvar).exp() / spread - 1).square()).sum(2)
    torch.testing.assert_close(model.divergence(batch, posteriors), by_hand.sum(1).mean())
    units = in_units_of(p, q)
    standard = DiagonalGaussian(torch.zeros(24, 2), torch.zeros(24, 2))
    torch.testing.assert_close(squared_w2(units, standard), by_hand.flatten())


def test_it_is_nothing_where_posterior_and_prior_are_one_and_grows_with_their_distance() -> None:
    generator = seeded()
    p = DiagonalGaussian(*torch.randn(2, 50, 20, 2, generator=generator).mul(0.3))
    history = torch.randn(1000, 2, generator=generator)
    measure, found = PairedMMD("imq"), []
    for shift in (0.0, 0.5, 1.0):
        q = in_units_of(p, DiagonalGaussian(p.mean + shift * (0.5 * p.logvar).exp(), p.logvar))
        z = q.rsample(torch.Generator().manual_seed(7))[0]
        found.append(float(measure(q, z, DiagonalGaussian(torch.zeros(1000, 2), torch.zeros(1000, 2)), history,
                                   torch.Generator().manual_seed(8))))
    assert abs(found[0]) < 0.01 < found[1] < found[2]


def test_pairs_tell_what_codes_alone_do_not() -> None:
    """Codes that follow the history have the prior's law by themselves, but not given the history."""
    u = torch.randn(800, 2, generator=seeded())
    measure, standard = PairedMMD("imq"), DiagonalGaussian(torch.zeros(800, 2), torch.zeros(800, 2))
    apart, following = (float(measure(standard, z, standard, u, torch.Generator().manual_seed(8)))
                        for z in (torch.randn(800, 2, generator=torch.Generator().manual_seed(4)), u))
    assert abs(apart) < 0.01 < 0.05 < following


def test_no_change_of_scale_brings_the_distance_down() -> None:
    """A learned prior could make all codes small together."""
    q, p = (DiagonalGaussian(torch.randn(4, 3, 2), torch.randn(4, 3, 2)) for _ in range(2))
    small = [DiagonalGaussian(0.01 * d.mean, d.logvar + 2 * torch.tensor(0.01).log()) for d in (q, p)]
    a, b = in_units_of(p, q), in_units_of(small[1], small[0])
    torch.testing.assert_close(a.mean, b.mean)
    torch.testing.assert_close(a.logvar, b.logvar)


@pytest.mark.parametrize("kind", KINDS)
def test_encoder_and_prior_both_learn_from_it_and_the_history_does_not(kind: str) -> None:
    model, batch = made(kind), {"frames": clips()}
    model.divergence(batch, model.encode(batch), seeded()).backward()
    assert model.learned_prior is not None
    for part in (model.inference, model.learned_prior.head, model.encoder):
        assert any(p.grad is not None and bool(p.grad.any()) for p in part.parameters())
    q, history = model._pairs(batch, model.encode(batch))
    assert q.mean.requires_grad and not history.requires_grad and history.shape == (24, 2)
    torch.testing.assert_close(history.std(0), torch.ones(2))


def test_the_critic_learns_apart_and_reads_the_history() -> None:
    model, batch = made("critic"), {"frames": clips()}
    [(name, critic)] = model.auxiliaries().items()
    assert name == "critic" and made().auxiliaries() == {} == made("per-x").auxiliaries()
    assert isinstance(model.measure, Critic)
    assert {id(p) for p in critic.parameters} == {id(p) for p in model.measure.parameters()}
    assert next(model.measure.network.parameters()).shape[1] == 4  # z and history
    critic.loss(batch, seeded()).backward()
    assert all(p.grad is not None for p in critic.parameters)
    assert all(p.grad is None for p in model.encoder.parameters())


def test_the_paired_distance_has_mean_0_where_codes_are_the_priors() -> None:
    """Samples that shared each pair's history would make it too small: -0.27 for six pairs."""
    from vaecore.probability.gaussian import StandardNormal

    generator = seeded()
    measure, zeros = PairedMMD("imq"), torch.zeros(6, 8)
    found = torch.stack([
        measure(DiagonalGaussian(zeros, zeros), torch.randn(6, 8, generator=generator), StandardNormal(8),
                torch.randn(6, 8, generator=generator), generator) for _ in range(2000)])
    assert abs(float(found.mean())) < 5 * float(found.std()) / 2000**0.5


def test_a_large_batch_is_compared_by_some_of_its_pairs() -> None:
    z, u = torch.randn(3 * MAX_PAIRS, 2), torch.randn(3 * MAX_PAIRS, 2)
    standard = DiagonalGaussian(torch.zeros_like(z), torch.zeros_like(z))
    found = PairedMMD("imq")(standard, z, standard, u, seeded())
    assert abs(float(found)) < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_its_loss(kind: str) -> None:
    """A clip in which every frame is new: all of it has to pass through the codes."""
    model = made(kind, weight=1)
    batch, generator = {"frames": clips(32)}, seeded()
    own = [p for name, p in model.named_parameters() if not name.startswith("measure.")]
    optimizer, losses = torch.optim.Adam(own, 0.01), []
    for _ in range(40):
        optimizer.zero_grad()
        terms = model.objective(batch, generator).terms()
        loss = terms.charged - terms.fit
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 20
