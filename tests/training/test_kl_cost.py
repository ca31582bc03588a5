"""What the KL costs, in value and in gradient, and that an update pays it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.runs import Make, Start, read, small
from vaecore.models import Evidence, Objective
from vaecore.schedules.kl_cost import Capacity, FreeBits, KLTerm, MaskedFreeBits, Plain
from vaecore.schema import ConfigError
from vaecore.training.validation import Evaluation

KL = {"z": [[0.0, 1.0, 0.25], [0.75, 3.0, 0.5]], "w": [[0.5], [1.5]]}  # (B, r); means 0.375, 2, 0.375 and 1


def charged(term: KLTerm, step: int = 0, total: int = 10) -> tuple[float, dict[str, list[list[float]]]]:
    """The cost of `KL` and its gradient by observation, times the batch size."""
    kl = {name: torch.tensor(values, requires_grad=True) for name, values in KL.items()}
    objective = Objective([(1.0, Evidence({"x": torch.zeros(2)}, kl))])
    cost = objective.terms(term.at(step, total)).charged
    gradients = torch.autograd.grad(cost, list(kl.values()))
    return cost.item(), {name: (2 * g).tolist() for name, g in zip(kl, gradients, strict=True)}


def test_the_plain_cost_is_the_kl() -> None:
    assert charged(Plain()) == (3.75, {"z": [[1, 1, 1]] * 2, "w": [[1], [1]]})


def test_free_bits_per_dimension() -> None:
    """sum over dimensions of max(lambda, mean over the batch): a dimension below has no gradient, one above has 1.

    Clamped observation by observation the first dimension would cost (0.5 + 0.75) / 2, and pull at the second.
    """
    assert charged(FreeBits(nats=0.5)) == (0.5 + 2 + 0.5 + 1, {"z": [[0, 1, 0]] * 2, "w": [[1], [1]]})
    assert charged(FreeBits(nats=1.5)) == (1.5 + 2 + 1.5 + 1.5, {"z": [[0, 1, 0]] * 2, "w": [[0], [0]]})
    assert charged(FreeBits(nats=0.0)) == charged(Plain())


def test_free_bits_per_latent() -> None:
    """Whole latents have 2.75 and 1 nats: lambda is for the sum over a latent's dimensions."""
    assert charged(FreeBits(nats=2.0, group="latent")) == (2.75 + 2, {"z": [[1, 1, 1]] * 2, "w": [[0], [0]]})
    assert charged(FreeBits(nats=3.0, group="latent")) == (3 + 3, {"z": [[0, 0, 0]] * 2, "w": [[0], [0]]})
    assert charged(FreeBits(nats=0.5, group="latent")) == charged(Plain())


def test_masked_free_bits_are_decided_at_each_observation_and_dimension() -> None:
    """1[KL > lambda] KL, `fb 2` of Li et al.: what is above pays all of its KL, what is not pays and is pulled nothing.

    Ours pays for the mean: the dimension whose mean is above pulls at both observations, also at the one below.
    """
    pays = (1 + (0.75 + 3)) / 2 + 1.5 / 2
    assert charged(MaskedFreeBits(nats=0.5)) == (pays, {"z": [[0, 1, 0], [1, 1, 0]], "w": [[0], [1]]})
    one_below = (1 + (0.75 + 3)) / 2 - (1 + 0.75) / 2  # lambda is not charged for it, as max(lambda, KL) would
    assert charged(MaskedFreeBits(nats=1.5)) == (one_below, {"z": [[0, 0, 0], [0, 1, 0]], "w": [[0], [0]]})
    assert charged(FreeBits(nats=1.5))[1]["z"] == [[0, 1, 0], [0, 1, 0]], "ours pulls at the one below, too"
    assert charged(MaskedFreeBits(nats=0.0))[0] == charged(Plain())[0]


def test_masked_free_bits_of_a_whole_latent_are_decided_at_each_observation() -> None:
    """`fb 1`: the sums are 1.25 and 4.25, and 0.5 and 1.5."""
    assert charged(MaskedFreeBits(nats=1.25, group="latent")) == (
        4.25 / 2 + 1.5 / 2, {"z": [[0, 0, 0], [1, 1, 1]], "w": [[0], [1]]})


def test_the_best_weights_under_masked_free_bits_are_those_of_the_best_elbo() -> None:
    """A mean has no observations: its released code chooses by the whole KL."""
    found = Evaluation(-6.3, {"x": -6.0}, {"z": [0.2, 0.1]}, {}, {}, {}, 3, {}, {})
    assert found.objective(1.0, MaskedFreeBits(nats=0.15).at(0, 10)) == pytest.approx(found.elbo)


def test_capacity_on_both_sides_of_its_target() -> None:
    """|KL - C| with the KL at 3.75: it is pushed down to C, or up."""
    below, above = {"z": [[-1, -1, -1]] * 2, "w": [[-1], [-1]]}, {"z": [[1, 1, 1]] * 2, "w": [[1], [1]]}
    assert charged(Capacity(nats=3.0, fraction=0.5), step=9) == (0.75, above)
    assert charged(Capacity(nats=5.0, fraction=0.5), step=9) == (1.25, below)


def test_capacity_rises_from_0_in_its_share_of_training() -> None:
    def target(step: int, **values: Any) -> float:
        return 100 - Capacity(nats=20.0, **values).at(step, 1000)({"z": torch.tensor([60.0, 40.0])}).item()

    assert [target(step, fraction=0.4) for step in (0, 100, 200, 400, 401, 1000)] == [0, 5, 10, 20, 20, 20]
    assert [target(step, fraction=1.0) for step in (0, 500, 1000)] == [0, 10, 20]
    assert Capacity(nats=20.0).at(0, 0)({"z": torch.tensor([60.0])}).item() == 60  # nothing to divide by


@pytest.mark.parametrize("kl", [{"kind": "free-bits", "nats": 0.02}, {"kind": "capacity", "nats": 4.0}],
                         ids=lambda kl: str(kl["kind"]))
def test_an_update_pays_the_cost(trainer: Make, kl: dict[str, Any]) -> None:
    """loss = beta x cost - reconstruction, and its gradient by hand; the log still has the KL itself."""
    made, _ = trainer(small(kl=kl, beta={"kind": "constant", "value": 3.0}, learning_rate=0.01))
    step = 2  # of 12: Burgess' target has reached 4 x 2 / 6 there
    x = made.feed.batch(made.indices(step), torch.Generator())
    evidence = made.model.elbo(x, torch.Generator().manual_seed(0))
    mean = evidence.kl["z"].mean(0)
    cost = (mean.sum() - 4 / 3).abs() if kl["kind"] == "capacity" else torch.stack(
        [k if k > 0.02 else torch.tensor(0.02) for k in mean]).sum()
    assert cost.item() != pytest.approx(mean.sum().item(), rel=0.01)
    parameters = list(made.model.parameters())
    before = [p.detach().clone() for p in parameters]
    gradients = torch.autograd.grad(3 * cost - evidence.reconstruction["image"].mean(), parameters)
    made.update(step)
    [line] = made.flush()
    assert line["loss"] == pytest.approx(3 * cost.item() - line["reconstruction"], rel=1e-5)
    assert line["kl"] == pytest.approx(mean.sum().item(), rel=1e-5)
    assert line["neg_elbo"] == pytest.approx(line["kl"] - line["reconstruction"], rel=1e-6)
    for old, new, gradient in zip(before, parameters, gradients, strict=True):
        torch.testing.assert_close(new.detach(), old - 0.01 * gradient / (gradient.abs() + 1e-8), atol=2e-5, rtol=0)


def test_dimensions_below_lambda_are_left_alone(trainer: Make) -> None:
    """With all of them below, the encoder's gradient is that of the reconstruction alone, whatever beta is."""
    def gradients(beta: float) -> list[Tensor]:
        made, _ = trainer(small(kl={"kind": "free-bits", "nats": 1e3}, beta={"kind": "constant", "value": beta}))
        made.update(0)
        return [made.trainer.optimizer.state[p]["exp_avg"] for p in made.trainer.parameters]

    assert all(torch.equal(a, b) for a, b in zip(gradients(1.0), gradients(100.0), strict=True))


@pytest.mark.parametrize("kl", ["free-bits", "capacity"])
def test_a_family_without_a_kl_ignores_its_cost(start: Start, kl: str) -> None:
    folders = [start(small({"family": "ae"}, kl={"kind": kind}), name=kind) for kind in ("plain", kl)]
    plain, other = (read(folder).steps for folder in folders)
    assert other == plain and set(other["kl"]) == {0.0}


def test_m2_clips_cost_the_same_in_training_and_in_selection() -> None:
    """Two frames of two dimensions, 0.1 nats each, lambda 0.2: by dimension 0.4 in all; it was charged 0.8."""
    kl = torch.full((3, 2, 2), 0.1)
    objective = Objective([(1.0, Evidence({"x": torch.zeros(3)}, {"z": kl}))])
    bits = FreeBits(nats=0.2).at(0, 10)
    selection = Evaluation(0.0, {"x": 0.0}, {"z": [0.2, 0.2]}, {}, {}, {}, 3, {}, {}).objective(1.0, bits)
    assert objective.terms(bits).charged.item() == pytest.approx(0.4) == pytest.approx(-selection)


@pytest.mark.parametrize(("prior", "refused"), [
    ({"kind": "standard"}, False), ({"kind": "mixture"}, True), ({"kind": "vamp"}, True), ({"kind": "implicit"}, True),
    ({"kind": "conditional"}, False), ({"kind": "conditional", "components": 2}, True)], ids=str)
@pytest.mark.parametrize("kind", ["free-bits", "free-bits-masked"])
def test_m2_free_bits_by_dimension_are_refused_where_the_kl_has_none(trainer: Make, kind: str, prior: dict[str, Any],
                                                                    refused: bool) -> None:
    """It was one group: lambda 0.1 freed 0.1 nats and not 0.1 a dimension."""
    if "vamp" in prior.values():
        prior = {**prior, "components": 10}
    if refused:
        with pytest.raises(ConfigError, match=r"training.kl.group.*dimension.*Use latent"):
            trainer(small({"prior": prior}, kl={"kind": kind}))
    else:
        trainer(small({"prior": prior}, kl={"kind": kind}))
    trainer(small({"prior": prior}, kl={"kind": kind, "group": "latent"}))
