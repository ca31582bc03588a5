"""The restricted Boltzmann machine: log Z against all states, annealing against log Z, gradients against log p."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vaecore.data import Modality
from vaecore.models.single.rbm import RBM, RBMConfig
from vaecore.schema import parse
from vaecore.store import Run
from vaecore.training.checkpoints import load_model


def machine(shape: tuple[int, ...] = (1, 2, 4), scale: float = 1.0, seed: int = 0, **values: Any
            ) -> RBM:
    """A machine with random weights of the given scale."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = parse(RBMConfig, {"hidden": 3, **values}).build({"x": Modality("image", shape)})
        assert isinstance(model, RBM)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(scale * torch.randn(parameter.shape))
    return model.eval()


def states(count: int) -> Tensor:
    """All states of `count` binary units, (2^count, count)."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=count)))


def log_p(model: RBM, v: Tensor) -> Tensor:
    """log p of states (B, D) through what evaluation reads."""
    with torch.no_grad():
        return model.elbo({"x": v.view(-1, *model.shape.shape)}).reconstruction["x"]


@pytest.mark.parametrize("hidden", [3, 12], ids=["few hidden", "few visible"])
def test_log_z_is_the_sum_over_all_states(hidden: int) -> None:
    model = machine(hidden=hidden)
    w, b, c = (p.detach().double() for p in (model.weight, model.visible_bias, model.hidden_bias))
    v, h = states(8).double(), states(hidden).double()
    energy = (v @ b)[:, None] + (h @ c)[None] + v @ w @ h.T  # every pair of states
    model.calibrate()
    assert float(model.log_z) == pytest.approx(float(energy.flatten().logsumexp(0)), abs=1e-4)
    assert float(model.log_z_error) == 0
    found = log_p(model, states(8)).double()
    torch.testing.assert_close(found, energy.logsumexp(1) - energy.flatten().logsumexp(0), atol=1e-4, rtol=0)
    assert float(found.logsumexp(0)) == pytest.approx(0, abs=1e-4)


def test_annealing_finds_log_z_within_its_error() -> None:
    model = machine((1, 8, 8), scale=0.3, hidden=16)
    model.calibrate()
    exact = float(model.log_z)
    with torch.no_grad():
        model.base.copy_(0.5 * torch.randn(64, generator=torch.Generator().manual_seed(5)))
        estimate, error = model.annealed()
        again, _ = model.annealed()
    assert torch.equal(estimate, again)  # nothing is drawn from the training's noise
    assert 0 < float(error) < 0.05
    assert abs(float(estimate) - exact) < 4 * float(error)
    independent = float(torch.nn.functional.softplus(model.base).sum()) + 16 * math.log(2)
    assert abs(independent - exact) > 3  # there was something to find


def test_gibbs_steps_keep_the_distribution() -> None:
    """From its own samples, states come as often as the sum over all says."""
    model = machine((1, 1, 3), hidden=2)
    model.calibrate()
    v = states(3)
    p = log_p(model, v).exp()
    generator = torch.Generator().manual_seed(0)
    drawn = model.gibbs(torch.zeros(40_000, 3), 40, generator)
    counts = torch.stack([(drawn == state).all(1).float().mean() for state in v])
    torch.testing.assert_close(counts, p, atol=0.012, rtol=0)


@pytest.mark.parametrize("chain", ["cd", "pcd"])
def test_the_gradient_is_that_of_log_p(chain: str) -> None:
    """With chains long enough to forget where they began; its sign and its mean over the batch included."""
    model = machine((1, 1, 5), scale=0.7, hidden=3, chain=chain, steps=30, chains=10_000)
    v = states(5)[torch.randint(32, (60_000,), generator=torch.Generator().manual_seed(1))]
    batch = {"x": v.view(-1, 1, 1, 5)}
    terms = model.objective(batch, torch.Generator().manual_seed(0)).terms()
    loss = terms.charged - terms.fit + terms.penalty
    found = torch.autograd.grad(loss, list(model.parameters()))
    every = states(5)
    exact = model.free_energy(v).mean() + (-model.free_energy(every)).logsumexp(0)
    for gradient, expected in zip(found, torch.autograd.grad(exact, list(model.parameters())), strict=True):
        torch.testing.assert_close(gradient, expected, atol=0.01, rtol=0)
        assert expected.abs().max() > 0.05


@pytest.mark.parametrize("chain", ["cd", "pcd"])
def test_after_an_evaluation_the_curve_is_minus_log_p(chain: str) -> None:
    """With the entropy of the model as found there; chains and the sign of both energies enter."""
    model = machine((1, 2, 4), scale=0.5, hidden=4, chains=10_000, chain=chain)
    model.chains.copy_(model.gibbs(model.chains, 100, torch.Generator().manual_seed(0)))
    model.calibrate()
    every = log_p(model, states(8)).double()
    assert float(model.entropy) == pytest.approx(float(-(every.exp() * every).sum()), abs=0.03)
    v = torch.tensor([[1.0, 1, 0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0, 1]])
    terms = model.objective({"x": v.view(2, 1, 2, 4)}, torch.Generator().manual_seed(1)).terms()
    reconstruction, penalty = terms.reconstruction, terms.penalty
    assert float(penalty.detach()) == 0 and penalty.requires_grad and not reconstruction.requires_grad
    assert float(reconstruction) == pytest.approx(float(log_p(model, v).mean()), abs=0.05)


@pytest.mark.parametrize("values", [{"chain": "cd", "steps": 1}, {"chain": "cd", "steps": 10}, {"chain": "pcd"}],
                         ids=str)
def test_training_raises_the_exact_likelihood(values: dict[str, Any]) -> None:
    """Of two patterns with noise; a wrong sign would lower it."""
    generator = torch.Generator().manual_seed(0)
    pattern = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]])
    v = pattern[torch.randint(2, (500,), generator=generator)]
    v = (v - (torch.rand(v.shape, generator=generator) < 0.15).float()).abs()
    batch = {"x": v.view(-1, 1, 2, 4)}
    model = machine(scale=0.01, hidden=4, chains=500, **values)
    model.begin(lambda _: batch)
    model.calibrate()
    before = float(log_p(model, v).mean())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(400):
        terms = model.objective(batch, generator).terms()
        (terms.penalty - terms.fit).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.calibrate()
    after = float(log_p(model, v).mean())
    best = -math.log(2) + 8 * (0.85 * math.log(0.85) + 0.15 * math.log(0.15))
    assert before < -5 and after > best - 0.3


def test_samples_come_from_the_model() -> None:
    """Means of the probabilities at the chains' ends are the means of the distribution."""
    model = machine((1, 2, 3), scale=0.8, hidden=3, sampling_sweeps=60)
    model.calibrate()
    v = states(6)
    expected = (log_p(model, v).exp()[:, None] * v).sum(0)
    found = model.sample(20_000, torch.Generator().manual_seed(0))["x"]
    assert found.shape == (20_000, 1, 2, 3)
    torch.testing.assert_close(found.flatten(1).mean(0), expected, atol=0.02, rtol=0)
    assert model.sampling_passes == 60 and model.inference_passes == 1


def test_code_and_decoding_are_the_conditional_probabilities() -> None:
    model = machine()
    v, h = states(8)[37:38], states(3)[5:6]
    joint = [(v @ model.visible_bias + s @ model.hidden_bias + v @ model.weight @ s).squeeze() for s in states(3)]
    weights = torch.stack(joint).softmax(0)
    with torch.no_grad():
        torch.testing.assert_close(model.encode({"x": v.view(1, 1, 2, 4)})["h"].mean[0],
                                   (weights[:, None] * states(3)).sum(0))
        energies = torch.stack([u @ model.visible_bias + u @ model.weight @ h[0] for u in states(8)]).softmax(0)
        torch.testing.assert_close(model.decode({"h": h})["x"].mean.flatten(),
                                   (energies[:, None] * states(8)).sum(0))


def test_grey_levels_are_a_lower_bound_of_their_draws() -> None:
    model = machine()
    model.calibrate()
    grey = torch.rand(1, 8, generator=torch.Generator().manual_seed(2))
    p = torch.where(states(8) > 0, grey, 1 - grey).prod(1)
    assert float(log_p(model, grey)) < float((p * log_p(model, states(8))).sum()) + 1e-5


def values(chain: str, hidden: int = 30) -> dict[str, Any]:
    return {"data": {"name": "digits", "pixels": "binary-dynamic"},
            "model": {"family": "rbm", "hidden": hidden, "chain": chain, "chains": 20, "temperatures": 50,
                      "ais_chains": 10},
            "training": {"epochs": 2, "batch_size": 64, "learning_rate": 0.01}}


@pytest.mark.parametrize("chain", ["cd", "pcd"])
def test_a_stopped_run_ends_with_the_same_bits(chain: str, start: Callable[..., Path], watch: Any) -> None:
    from vaecore.training import train

    whole = start(values(chain), name="whole")
    parts = start(values(chain), name="parts", control=watch(stop_at=27))
    assert train(parts, watch()) == "finished"
    one, other = (load_file(folder / "checkpoint.safetensors") for folder in (whole, parts))
    assert {"model.chains", "model.entropy", "model.log_z"} <= one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_a_run_reports_the_likelihood_of_what_it_kept(start: Callable[..., Path]) -> None:
    folder = start(values("pcd", hidden=12))
    model = load_model(folder)
    assert isinstance(model, RBM)
    images = Run(folder).config().data.load().splits["test"].arrays["image"]
    v = torch.from_numpy(images.copy()).float().flatten(1) / 255
    said = float(model.log_z)
    model.calibrate()
    assert said == float(model.log_z) and float(model.log_z_error) == 0
    with torch.no_grad():
        expected = float((-model.free_energy(v) - model.log_z).double().mean())
    test = Run(folder).summary()["test"]
    assert test["elbo"] == pytest.approx(expected, abs=1e-3) and test["kl"] == {}
