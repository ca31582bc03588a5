"""The optimal variance of Rybkin, Daniilidis & Levine (2021): its identities, and that no data is scored by its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.captured import MLP, TEACHER, clips, modal, single, vae
from tests.training.runs import Start
from vaecore.evaluate.likelihood import importance_log_weights
from vaecore.models import VAE
from vaecore.probability.likelihoods import (
    REMEMBERED,
    SHARED_LOGVAR,
    GaussianOptimal,
    GaussianPixels,
    counted,
)
from vaecore.training.checkpoints import INITIAL, halve_weights, inherit, load_model, read_weights, write_weights
from vaecore.training.validation import evaluate

Train = Callable[..., Any]
SHAPE = (40, 1, 5, 4)
SIZE = math.prod(SHAPE[1:])
OPTIMAL = {"kind": "gaussian-optimal"}


@pytest.fixture
def pictures(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What was observed, and what a decoder gave, 0.3 off."""
    x = torch.rand(SHAPE, generator=generator)
    return x, x + 0.3 * torch.randn(SHAPE, generator=generator)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def gradient(value: Tensor, of: Tensor) -> Tensor:
    [found] = torch.autograd.grad(value, of, retain_graph=True)
    return found


# -- identities ------------------------------------------------------------------------------------


def test_three_ways_to_the_same_gradient(pictures: tuple[Tensor, Tensor]) -> None:
    """With the variance held fixed, through the variance, and of D/2 log MSE."""
    x, output = pictures
    output.requires_grad_()
    ours = GaussianOptimal()(output).log_prob(x).mean()
    error = (x - output).square().mean()
    through = GaussianPixels(output, error.log()).log_prob(x).mean()
    short = -0.5 * SIZE * error.log()
    wanted = gradient(short, output)
    assert float(wanted.abs().max()) > 1e-3
    for value in (ours, through):
        torch.testing.assert_close(gradient(value, output), wanted, rtol=1e-5, atol=1e-8)
    assert ours.item() == pytest.approx((short - 0.5 * SIZE * (1 + math.log(2 * math.pi))).item(), rel=1e-6)
    # Means where sums belong, a mean over pixels too, are D times too small: the KL beside them would rule.
    assert not torch.allclose(gradient(-0.5 * error.log(), output), wanted, rtol=1e-2)


def test_of_all_variances_it_is_the_likeliest(pictures: tuple[Tensor, Tensor]) -> None:
    x, output = pictures
    ours = GaussianOptimal()(output).log_prob(x).mean().item()
    best = (x - output).square().mean()
    assert best.item() == pytest.approx(0.09, rel=0.1)
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        assert GaussianPixels(output, (best * factor).log()).log_prob(x).mean().item() < ours
    assert GaussianPixels(output, best.log()).log_prob(x).mean().item() == pytest.approx(ours, rel=1e-6)


def test_beta_is_the_variance_and_not_twice_its_root() -> None:
    """Erratum E25: |x - m|^2 / 2 + beta KL has the gradient of a Gaussian of sigma^2 = beta, and not of beta / 2."""
    x, m, beta = torch.tensor([[0.3, 0.8]]), torch.tensor([[0.1, 0.2]], requires_grad=True), 0.2

    def scaled(variance: float) -> Tensor:
        return beta * gradient(-GaussianPixels(m, torch.tensor(math.log(variance))).log_prob(x).sum(), m)

    wanted = gradient(0.5 * (x - m).square().sum(), m)
    torch.testing.assert_close(scaled(beta), wanted)
    assert not torch.allclose(scaled(beta / 2), wanted)


def test_an_error_of_nothing_stays_finite() -> None:
    x = torch.zeros(3, 2)
    likelihood = GaussianOptimal()
    for training in (True, False):
        found = likelihood.train(training)(x).log_prob(x)
        assert found.tolist() == pytest.approx([-(SHARED_LOGVAR[0] + math.log(2 * math.pi))] * 3)


# -- what is remembered ----------------------------------------------------------------------------


def test_what_training_found_is_a_mean_of_its_last_steps(generator: torch.Generator) -> None:
    likelihood = GaussianOptimal()
    assert likelihood.variance.item() == 1  # before any
    errors, kept = [], 0.0
    for step in range(1, 3 * REMEMBERED):
        output = torch.randn(4, 3, generator=generator) / step
        likelihood(output).log_prob(torch.zeros(4, 3))
        errors.append(output.square().mean().item())
        kept += (errors[-1] - kept) / min(0.9 + 0.1 * step, REMEMBERED)
        if step == 1:
            assert likelihood.variance.item() == pytest.approx(errors[0])
    assert likelihood.variance.item() == pytest.approx(kept, rel=1e-4)
    assert likelihood.variance.item() == pytest.approx(np.mean(errors[-30:]), rel=0.3)
    assert likelihood.variance.item() < 0.01 * np.mean(errors)  # the first steps are forgotten
    assert not list(likelihood.parameters()) and set(likelihood.state_dict()) == {"variance", "steps"}


def test_nothing_is_scored_by_its_own_variance(pictures: tuple[Tensor, Tensor]) -> None:
    """Batches that are evaluated together or apart, in either order, give the same; and nothing is learned of them."""
    x, output = pictures
    likelihood = GaussianOptimal()
    likelihood(output).log_prob(x)
    likelihood.eval()
    before = {name: value.clone() for name, value in likelihood.state_dict().items()}
    far = x + 2 * (output - x)
    together = likelihood(torch.cat([output, far])).log_prob(torch.cat([x, x]))
    apart = torch.cat([likelihood(far).log_prob(x), likelihood(output).log_prob(x)]).roll(len(x))
    torch.testing.assert_close(together, apart)
    assert all(torch.equal(value, before[name]) for name, value in likelihood.state_dict().items())
    error = (x - far).square().mean()
    own = GaussianPixels(far, error.log()).log_prob(x).mean()  # what a variance of the test batch would claim
    assert own.item() > likelihood(far).log_prob(x).mean().item() + 5
    drawn = likelihood.train()(output)
    assert drawn.sample(torch.Generator().manual_seed(0)).sub(output).std().item() == pytest.approx(0.3, rel=0.1)


def test_rows_that_do_not_count_say_nothing(pictures: tuple[Tensor, Tensor]) -> None:
    x, output = pictures
    counts = (torch.arange(len(x)) % 3 == 0).float()
    some, own = GaussianOptimal(), GaussianOptimal()
    output[counts == 0] += 10
    found = counted(some(output), counts).log_prob(x)[counts > 0]
    torch.testing.assert_close(found, own(output[counts > 0]).log_prob(x[counts > 0]), rtol=1e-5, atol=1e-5)
    assert some.variance.item() == pytest.approx(own.variance.item(), rel=1e-5)
    kept = {name: value.clone() for name, value in some.state_dict().items()}
    assert counted(some(output), 0 * counts).log_prob(x).isfinite().all()
    assert all(torch.equal(value, kept[name]) for name, value in some.state_dict().items())


# -- families --------------------------------------------------------------------------------------

BLOCKS = {"likelihoods": {f"block {m}": "gaussian-optimal" for m in (1, 2, 3)}}


def several(name: str) -> dict[str, Any]:
    """A family of three modalities, of which each observation lacks some."""
    values = modal(name, missing={"kind": "random"})
    return {**values, "model": {**values["model"], **BLOCKS}}


FAMILIES: dict[str, dict[str, Any]] = {
    "vae": vae(likelihood=OPTIMAL), "vae, three samples": vae(likelihood=OPTIMAL, n_samples=3),
    "ae": single({"family": "ae", "latent_size": 3, "network": MLP, "likelihood": OPTIMAL}),
    "svg-lp": clips("lp", likelihood=OPTIMAL, feeding=TEACHER), "svg-fp": clips("fp", likelihood=OPTIMAL),
    "svg-lp, states": clips("states", likelihood=OPTIMAL), "recurrent-predictor": clips("one", likelihood=OPTIMAL),
    "sv2p": clips("sv2p", likelihood=OPTIMAL, feeding=TEACHER, stages={"kind": "one"}),
    **{name: several(name) for name in ("joint", "product", "mixture", "mixture-of-products", "dmvae", "separate",
                                        "concatenated")},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_the_best_for_what_a_family_trains(name: str, trainer: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """The derivative of all that is maximised, by the log-variance that was found, is 0: whichever samples, frames,
    subsets and missing modalities count, and however much."""
    made, _ = trainer(FAMILIES[name])
    model, batch, fit = made.model, made.feed.batch(made.indices(0), made.generator), GaussianOptimal.fit
    found: dict[GaussianOptimal, Tensor] = {}

    def fitted(self: GaussianOptimal, squares: Tensor, counts: Tensor | None = None) -> Tensor:
        assert self not in found
        found[self] = fit(self, squares, counts)
        return found[self]

    monkeypatch.setattr(GaussianOptimal, "fit", fitted)
    model.objective(batch, torch.Generator().manual_seed(1))
    assert len(found) == (1 if len(model.modalities) == 1 else 3)

    def slopes(off: float) -> list[float]:
        given = {each: (logvar + off).requires_grad_() for each, logvar in found.items()}
        monkeypatch.setattr(GaussianOptimal, "fit", lambda self, *_: given[self])
        terms = model.objective(batch, torch.Generator().manual_seed(1)).terms()
        return [float(each) for each in torch.autograd.grad(terms.fit, list(given.values()))]

    best, less, more = slopes(0), slopes(-0.1), slopes(0.1)
    for at, below, above in zip(best, less, more, strict=True):
        assert below > 0 > above
        assert abs(at) < 1e-3 * min(below, -above)
    assert all(each.steps.item() == 1 and each.variance.log().item() == pytest.approx(logvar.item(), abs=1e-5)
               for each, logvar in found.items())


def test_a_step_of_svg_goes_along_the_short_form(trainer: Train) -> None:
    """One variance for all frames of all clips: the gradient is that of D (T-1) / 2 log MSE + KL."""
    made, _ = trainer(FAMILIES["svg-lp"])
    model, batch = made.model, made.feed.batch(made.indices(0), made.generator)
    terms = model.objective(batch, torch.Generator().manual_seed(1)).terms()
    posteriors = model.encode(batch)
    generator = torch.Generator().manual_seed(1)
    predicted = model.predictions(batch, posteriors, generator)
    x = batch["frames"][:, 1:]
    error = (predicted.mean - x).square().mean()
    kl = model.divergences(batch, posteriors)["z"].flatten(1).sum(1).mean()
    short = 0.5 * x[0].numel() * error.log() + kl
    weights = [p for p in model.parameters() if p.requires_grad]
    pairs = zip(*(torch.autograd.grad(loss, weights) for loss in (terms.loss(), short)), strict=True)
    for found, wanted in pairs:
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()) + 1e-7)
    assert model.likelihood.variance.item() == pytest.approx(error.item(), rel=1e-5)


def test_evaluation_meanwhile_neither_learns_nor_looks(trainer: Train) -> None:
    made, _ = trainer(FAMILIES["vae"], run=True)
    model = made.model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    whole = evaluate(model, made.feed, 0)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    error, variance = whole.mse["image"], model.likelihood.variance.item()
    assert variance == pytest.approx(error, rel=0.7) and variance != pytest.approx(error, rel=1e-3)
    model.eval()
    x = made.feed.first(20)
    pieces = [{"image": x["image"][rows]} for rows in (slice(0, 1), slice(1, 20))]

    scores = model.decode({"z": model.encode(x)["z"].mean})["image"].log_prob(x["image"])
    apart = [model.decode({"z": model.encode(part)["z"].mean})["image"].log_prob(part["image"]) for part in pieces]
    torch.testing.assert_close(torch.cat(apart), scores)
    assert importance_log_weights(model, x, 3, torch.Generator().manual_seed(0)).isfinite().all()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_loop_of_ones_own_learns_it_as_it_learns_a_batch_norm() -> None:
    model = VAE((1, 4, 4), latent_size=2, network=MLP, likelihood=OPTIMAL)
    x = torch.rand(8, 1, 4, 4)
    model.loss(x)
    assert model.likelihood.steps.item() == 1
    model.eval()
    with torch.no_grad():
        model.loss(x)
    assert model.likelihood.steps.item() == 1


# -- what is kept ----------------------------------------------------------------------------------


def test_it_travels_with_weights_checkpoints_and_forks(start: Start, tmp_path: Path) -> None:
    folder = start(FAMILIES["vae"])
    model = load_model(folder)
    kept = model.likelihood.state_dict()
    assert kept["steps"].item() == 8 and 0 < kept["variance"].item() < 1
    halve_weights(folder / "weights.safetensors")
    for name, value in load_model(folder).likelihood.state_dict().items():
        assert torch.equal(value, kept[name])  # to the bit
    child = VAE((1, 8, 8), latent_size=3, network=MLP, likelihood=OPTIMAL)
    write_weights(tmp_path / INITIAL, read_weights(folder / "weights.safetensors")[0], 8)
    inherit(tmp_path, child)
    assert torch.equal(child.likelihood.variance, kept["variance"])


# -- where the optimum is known --------------------------------------------------------------------


def test_of_a_linear_vae_it_is_the_mean_of_the_eigenvalues_left_out(trainer: Train) -> None:
    """Probabilistic PCA in closed form (Tipping & Bishop 1999): the likeliest noise of r kept dimensions."""
    eigenvalues, kept = (8.0, 2.6, 0.8, 0.26, 0.08, 0.025), 3
    made, dataset = trainer({
        "data": {"name": "gaussian", "eigenvalues": eigenvalues, "size": 6_000},
        "model": {"family": "vae", "latent_size": kept, "network": {"kind": "linear"}, "likelihood": OPTIMAL,
                  "n_samples": 2},
        "training": {"epochs": 100, "batch_size": 500, "learning_rate": 0.05, "beta": {"kind": "constant"},
                     "rate": {"kind": "cosine", "final": 0.001}}}, run=True)
    x = dataset.splits["train"].arrays["vector"].astype(float)
    spectrum = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    left = spectrum[:-kept].mean()  # ascending
    assert made.model.likelihood.variance.item() == pytest.approx(left, rel=0.02)
    # And the bound is the likeliest log p of a Gaussian whose covariance has so many free dimensions.
    kept_log = np.log(spectrum[-kept:]).sum() + (len(spectrum) - kept) * math.log(left)
    exact = -0.5 * (len(spectrum) * (math.log(2 * math.pi) + 1) + kept_log)
    assert evaluate(made.model, made.feed, seed=1).elbo == pytest.approx(exact, abs=0.05)
