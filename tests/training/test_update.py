"""One update: its signs, its gradient, and what reaches it of the schedules."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.training.runs import Make, small
from vaecore.schema import ConfigError


def test_loss_is_beta_times_kl_minus_reconstruction(trainer: Make) -> None:
    made, _ = trainer(small(beta={"kind": "constant", "value": 3.0}))
    evidence = made.model.elbo(made.feed.batch(made.indices(0), torch.Generator().manual_seed(0)),
                               torch.Generator().manual_seed(0))
    made.update(0)
    [line] = made.flush()
    assert line["loss"] == pytest.approx(3 * line["kl"] - line["reconstruction"], rel=1e-5)
    assert line["neg_elbo"] == pytest.approx(line["kl"] - line["reconstruction"], rel=1e-6)
    assert line["reconstruction"] == pytest.approx(evidence.total_reconstruction().mean().item(), rel=1e-5)
    assert line["kl"] == pytest.approx(evidence.total_kl().mean().item(), rel=1e-5)
    assert line["kl"] > 0 > line["reconstruction"]


def test_a_step_is_one_adam_step_down_the_loss(trainer: Make) -> None:
    """Against Adam's first step worked out by hand: every weight moves by the rate against its gradient's sign."""
    made, _ = trainer(small(beta={"kind": "constant", "value": 2.0}, learning_rate=0.01))
    before = [p.detach().clone() for p in made.model.parameters()]
    x = made.feed.batch(made.indices(0), torch.Generator())
    generator = torch.Generator().manual_seed(0)  # as the trainer's, whose seed is 0
    evidence = made.model.elbo(x, generator)
    gradients = torch.autograd.grad(2 * evidence.kl["z"].sum(1).mean() - evidence.reconstruction["image"].mean(),
                                    list(made.model.parameters()))
    made.update(0)
    for old, new, gradient in zip(before, made.model.parameters(), gradients, strict=True):
        torch.testing.assert_close(new.detach(), old - 0.01 * gradient / (gradient.abs() + 1e-8), atol=2e-5, rtol=0)
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    assert made.flush()[0]["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)


def test_clipping_happens_after_the_backward_pass_and_before_the_step(trainer: Make) -> None:
    made, _ = trainer(small(clip_norm=0.5))
    seen: list[float] = []
    update = made.trainer.optimizer.step

    def look(*args: Any) -> Any:
        seen.append(torch.cat([p.grad.flatten() for p in made.trainer.parameters]).norm().item())
        return update(*args)

    made.trainer.optimizer.step = look
    for step in range(4):
        made.update(step)
    lines = made.flush()
    assert all(line["grad_norm"] > 0.5 for line in lines)  # the log holds the length before
    assert seen == pytest.approx([0.5] * 4, rel=1e-3)


def test_beta_and_rate_of_the_schedule_reach_the_step(trainer: Make) -> None:
    made, _ = trainer(small(beta={"kind": "linear", "fraction": 0.5}, rate={"kind": "step", "factor": 0.1, "drops": 1},
                            learning_rate=0.01), run=False)
    rates = []
    for step in range(made.total):
        made.update(step)
        rates.append(made.trainer.optimizer.param_groups[0]["lr"])
    lines = made.flush()
    assert [line["beta"] for line in lines] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6] + [1] * 6)
    assert rates == pytest.approx([0.01] * 6 + [0.001] * 6)
    assert [line["rate"] for line in lines] == pytest.approx(rates)
    assert lines[0]["loss"] == pytest.approx(-lines[0]["reconstruction"])  # beta is 0 there


def test_penalties_are_added(trainer: Make) -> None:
    made, _ = trainer({**small(), "model": {"family": "linear-ae", "latent_size": 3, "l2": 2.0}})
    squares = sum(p.square().sum().item() for p in made.trainer.parameters if p.ndim == 2)
    made.update(0)
    [line] = made.flush()
    assert line["loss"] == pytest.approx(-line["reconstruction"] + squares, rel=1e-5)
    assert line["kl"] == 0


# -- encoder and decoder in turns ------------------------------------------------------------------


def test_one_half_is_held_while_the_other_moves(trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """phi are the encoder's parameters; a learned sigma is theta. What is held has no gradient, not a zero one."""
    made, _ = trainer(small({"likelihood": {"kind": "gaussian-learned"}}, weight_decay=0.1, optimizer="adamw",
                            inference={"kind": "aggressive", "most": 3, "window": 100}, clip_norm=1.0))
    named = dict(made.model.named_parameters())
    phi = {name for name in named if name.startswith("encoder.")}
    theta = named.keys() - phi
    assert phi and "likelihood.logvar" in theta and len(theta) > 3
    with_gradient: list[set[str]] = []
    step = made.trainer.optimizer.step
    monkeypatch.setattr(made.trainer.optimizer, "step", lambda: (
        with_gradient.append({name for name, p in named.items() if p.grad is not None}), step()))
    moved, complete = [], []
    for _ in range(8):
        before = {name: p.detach().clone() for name, p in named.items()}
        complete.append(made.advance(0))
        moved.append({name for name, p in named.items() if not torch.equal(p, before[name])})
        assert all(p.requires_grad and p.grad is None for p in named.values())
    assert with_gradient == moved == [phi, phi, phi, theta, phi, phi, phi, theta]
    assert complete == [False, False, False, True] * 2
    assert len(made.flush()) == 2  # only the decoder's are logged
    made.turns.aggressive = False
    before = {name: p.detach().clone() for name, p in named.items()}
    assert made.advance(1)
    assert all(not torch.equal(p, before[name]) for name, p in named.items())
    assert with_gradient[-1] == named.keys()


def test_no_gradient_is_computed_for_what_is_held(trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = trainer(small(inference={"kind": "aggressive", "most": 2, "window": 100}))
    true, needed = torch.autograd.backward, []

    def look(loss: torch.Tensor) -> None:
        leaves, nodes = set(), [loss.grad_fn]
        while nodes:  # every leaf that the backward pass will reach
            node = nodes.pop()
            if node is not None:
                leaves |= {id(node.variable)} if hasattr(node, "variable") else set()
                nodes += [following for following, _ in node.next_functions]
        needed.append({name for name, p in made.model.named_parameters() if id(p) in leaves})
        true(loss)

    monkeypatch.setattr(torch.autograd, "backward", look)
    for _ in range(3):
        made.advance(0)
    names = {name for name, _ in made.model.named_parameters()}
    encoder = {name for name in names if name.startswith("encoder.")}
    assert needed == [encoder, encoder, names - encoder]


def test_encoder_updates_are_on_fresh_minibatches(trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = trainer(small(inference={"kind": "aggressive", "most": 4, "window": 100}))
    true, seen = made.feed.batch, []
    monkeypatch.setattr(made.feed, "batch", lambda indices, generator: (
        seen.append(indices.tolist()), true(indices, generator))[1])
    for _ in range(10):
        made.advance(0 if len(seen) < 5 else 1)
    inner, outer = [seen[i] for i in (0, 1, 2, 3, 5, 6, 7, 8)], [seen[i] for i in (4, 9)]
    assert outer == [made.indices(step).tolist() for step in (0, 1)]  # the epoch's order goes on undisturbed
    assert all(len(indices) == 64 and set(indices) <= set(range(256)) for indices in inner)
    assert len({tuple(indices) for indices in inner + outer}) == 10


def test_only_a_family_with_a_posterior_can_lag(trainer: Make) -> None:
    with pytest.raises(ConfigError, match=r"training\.inference\.kind: .*Autoencoder has no posterior"):
        trainer(small({"family": "ae"}, inference={"kind": "aggressive"}))
