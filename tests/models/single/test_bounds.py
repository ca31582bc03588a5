"""The importance-weighted bound and both of its gradients, on linear-Gaussian VAEs whose log p(x) is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models.test_models import exact_reconstruction, parts
from vaecore.config import RunConfig
from vaecore.data import COVARIATE, Modality
from vaecore.models import VAEConfig
from vaecore.models.single import bounds
from vaecore.probability.gaussian import GaussianMixture
from vaecore.schedules.kl_cost import Charge, Plain
from vaecore.schema import ConfigError, parse
from vaecore.studies import c26_signal
from vaecore.training.build import build
from vaecore.training.feed import Feed
from vaecore.training.fitting import mended, unread
from vaecore.training.validation import evaluate

GAMMA, SIZE, LATENT = 0.25, 5, 2
U = Modality("label", (3,))


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(samples: int = 0, gradient: str = "dreg", **fields: Any) -> Any:
    """A linear VAE, the same whatever its bound; `samples` 0 is the ELBO."""
    bound = {"kind": "iwae", "samples": samples, "gradient": gradient} if samples else {"kind": "elbo"}
    config = parse(VAEConfig, {"latent_size": LATENT, "network": {"kind": "linear"}, "bound": bound,
                               "likelihood": {"kind": "gaussian", "sigma": GAMMA**0.5}, **fields})
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = config.build({"vector": Modality("vector", (SIZE,))}, U)
        model.begin(lambda n: {"vector": torch.randn(n, SIZE)})
        with torch.no_grad():  # so that the bound is loose, and priors stand where codes are
            model.decoder[0].weight.mul_(1.5)
    return model


def observations(copies: int = 1) -> dict[str, Tensor]:
    """Two observations, each `copies` times: every copy draws codes of its own."""
    x = torch.randn(2, SIZE, generator=noise(1))
    return {"vector": x.repeat(copies, 1), COVARIATE: torch.eye(3)[:2].repeat(copies, 1)}


def log_p(model: Any, x: Tensor) -> Tensor:
    """Exact log p(x), (B,)."""
    w, b = (part.detach() for part in parts(model))
    return torch.distributions.MultivariateNormal(b, w @ w.T + GAMMA * torch.eye(SIZE)).log_prob(x)


@torch.no_grad()
def bound(model: Any, draws: int, seed: int = 2) -> tuple[float, float]:
    """L_K of both observations, a mean over draws, and its standard error."""
    batch, generator = observations(draws // 50), noise(seed)
    values = torch.tensor([float(model.objective(batch, generator).terms().loss().neg()) for _ in range(50)],
                          dtype=torch.double)
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def drawn(model: Any, beta: float = 1.0, groups: int = 100, copies: int = 100, seed: int = 3) -> dict[str, Tensor]:
    """Gradients of the loss by parameter, (groups, numbers), each the mean over many draws."""
    batch, generator = observations(copies), noise(seed)
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = []
    for _ in range(groups):
        loss = model.objective(batch, generator).terms().loss(beta)
        given = torch.autograd.grad(loss, parameters, allow_unused=True)
        found.append([torch.zeros(p.numel()) if g is None else g.flatten()
                      for p, g in zip(parameters, given, strict=True)])
    return {name: torch.stack([group[place] for group in found]) for place, name in enumerate(names)}


def off(differences: Tensor) -> float:
    """By how many standard errors the mean of (groups, numbers) lies from 0, at most."""
    error = differences.std(0) / math.sqrt(len(differences))
    return float((differences.mean(0).abs() / error.clamp(min=1e-9)).max())


# -- the value -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", ["plain", "dreg"])
def test_of_one_code_it_is_the_elbo(gradient: str) -> None:
    model, plain = linear(1, gradient), linear()
    x = observations()["vector"]
    with torch.no_grad():
        elbo = exact_reconstruction(plain, x, GAMMA) - plain.elbo(observations()).kl["z"].sum(1)
    value, error = bound(model, 200_000)
    assert error < 0.05 and abs(value - float(elbo.mean())) < 4 * error
    for beta in (1.0, 0.3):  # beta weighs what is sampled of the KL
        names, parameters = zip(*plain.named_parameters(), strict=True)
        exact = beta * plain.elbo(observations()).kl["z"].sum(1) - exact_reconstruction(plain, x, GAMMA)
        expected = dict(zip(names, torch.autograd.grad(exact.mean(), parameters), strict=True))
        for name, found in drawn(model, beta).items():
            assert off(found - expected[name].flatten()) < 5, (beta, name)
            assert found.std(0).max() < 0.5 * expected[name].abs().max()  # a wrong one would be seen


def test_it_tightens_with_codes_to_the_exact_log_p() -> None:
    exact = float(log_p(linear(), observations()["vector"]).mean())
    found = [bound(linear(samples), 100_000 // samples) for samples in (1, 2, 5, 20, 100)]
    for (looser, error), (tighter, its) in pairwise(found):
        assert tighter - looser > 4 * math.hypot(error, its)
    for value, error in found:
        assert value < exact + 4 * error
    assert exact - found[0][0] > 0.5 > 0.05 > exact - found[-1][0], (exact, found)


def test_it_is_what_the_weights_of_codes_say() -> None:
    """Against densities of torch, at the same draws: the logarithm stands outside the mean over codes, observation by
    observation, and beta weighs prior and posterior alike."""
    model, batch, normal = linear(7), observations(), torch.distributions.Normal
    with torch.no_grad():
        q = model.encode(batch)["z"]
        sigma = (0.5 * q.logvar).exp()
        z = q.mean + sigma * torch.randn(7, 2, LATENT, generator=noise(5))
        w, b = parts(model)
        fit = normal(z @ w.T + b, GAMMA**0.5).log_prob(batch["vector"]).sum(-1)
        ratio = (normal(0.0, 1.0).log_prob(z) - normal(q.mean, sigma).log_prob(z)).sum(-1)
        for beta in (1.0, 0.25):
            expected = torch.log((fit + beta * ratio).exp().mean(0)).mean()
            found = model.objective(batch, noise(5)).terms()
            torch.testing.assert_close(found.loss(beta), -expected)
        torch.testing.assert_close(found.reconstruction, fit.mean())  # what curves show, at the same codes
        torch.testing.assert_close(found.kl, q.kl_from_standard().sum(1).mean())


# -- the gradient ----------------------------------------------------------------------------------

PRIORS: dict[str, dict[str, Any]] = {
    "standard": {"kind": "standard"}, "mixture": {"kind": "mixture", "components": 3},
    "vamp": {"kind": "vamp", "components": 3}, "aggregated": {"kind": "aggregated", "components": 3},
    "conditional": {"kind": "conditional", "hidden": [4]},
    "conditional mixture": {"kind": "conditional", "hidden": [4], "components": 2, "encoder": False}}


def compared(prior: str, beta: float) -> dict[str, tuple[Tensor, Tensor]]:
    """Both gradients at the same draws, by parameter."""
    plain, dreg = (drawn(linear(5, gradient, prior=PRIORS[prior]), beta, groups=60, copies=60)
                   for gradient in ("plain", "dreg"))
    return {name: (plain[name], dreg[name]) for name in plain}


@pytest.mark.parametrize(("prior", "beta"), [*((name, 1.0) for name in PRIORS), ("standard", 0.3), ("vamp", 0.3)])
def test_dreg_is_the_plain_gradient_in_the_mean(prior: str, beta: float) -> None:
    for name, (plain, dreg) in compared(prior, beta).items():
        if name.startswith("encoder"):
            assert off(dreg - plain) < 5, name
            assert not torch.allclose(dreg, plain, rtol=1e-2)  # by other numbers
        else:  # decoder, prior and pseudo-inputs, draw for draw
            torch.testing.assert_close(dreg, plain, rtol=1e-4, atol=1e-5)


def never_weighed(path: Any, bound: Tensor, factor: Tensor) -> Tensor:
    return weighed(path, bound, torch.ones_like(factor))


def of_the_wrong_axis(path: Any, bound: Tensor, factor: Tensor) -> Tensor:
    return weighed(path, bound, factor / factor.sum(1, keepdim=True))


def beta_forgotten(path: Any, bound: Tensor, factor: Tensor) -> Tensor:
    return weighed(path, bound, (factor - 0.7) / 0.3)  # v_k alone, of (1 - beta) + beta v_k


weighed = bounds.Path.weighed


@pytest.mark.parametrize(("wrong", "beta"), [(never_weighed, 1.0), (of_the_wrong_axis, 1.0), (beta_forgotten, 0.3)])
def test_another_weight_would_be_seen(monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., Tensor], beta: float
                                      ) -> None:
    monkeypatch.setattr(bounds.Path, "weighed", wrong)
    assert max(off(dreg - plain) for name, (plain, dreg) in compared("standard", beta).items()
               if name.startswith("encoder")) > 10


def test_a_prior_held_still_with_the_posterior_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trap of priors whose components come from the encoder: they move with it, codes or no codes."""
    real = GaussianMixture.log_prob
    monkeypatch.setattr(GaussianMixture, "log_prob", lambda self, z: real(
        GaussianMixture(self.mean.detach(), self.logvar.detach(), self.log_weights), z))
    still = drawn(linear(5, prior=PRIORS["vamp"]), groups=60, copies=60)
    monkeypatch.undo()
    plain = drawn(linear(5, "plain", prior=PRIORS["vamp"]), groups=60, copies=60)
    assert max(off(still[name] - plain[name]) for name in still if name.startswith("encoder")) > 10


def test_each_backward_pass_has_the_weights_of_its_own_beta() -> None:
    model, batch = linear(5), observations()
    own = {}
    for beta in (1.0, 0.3):
        loss = model.objective(batch, noise(5)).terms().loss(beta)
        own[beta] = torch.autograd.grad(loss, model.encoder[1].weight)[0]
    terms = model.objective(batch, noise(5)).terms()
    losses = {beta: terms.loss(beta) for beta in own}
    for beta, loss in losses.items():  # asked for first, differentiated later
        found = torch.autograd.grad(loss, model.encoder[1].weight, retain_graph=True)[0]
        torch.testing.assert_close(found, own[beta])
    assert not torch.allclose(own[1.0], own[0.3], rtol=0.05)


class Bench:
    def check(self) -> None:
        """Nobody asks it to stop."""


def test_the_plain_signal_fades_with_codes_and_that_of_dreg_grows() -> None:
    signal = {(row["gradient"], row["K"]): float(row["signal over noise"])
              for row in c26_signal.rows(0, Bench(), codes=(1, 10, 100), draws=400)}
    plain, dreg = ([signal[name, count] for count in (1, 10, 100)] for name in ("IWAE", "IWAE, DReG"))
    assert plain[0] > 2 * plain[1] > 4 * plain[2] and 1.5 * dreg[0] < dreg[1] < dreg[2] / 2


# -- what goes together ----------------------------------------------------------------------------

IWAE = {"kind": "iwae", "samples": 4}


def config(model: dict[str, Any] | None = None, **training: Any) -> RunConfig:
    return parse(RunConfig, {
        "data": {"name": "digits", "train_limit": 64},
        "model": {"family": "vae", "latent_size": 3, "network": {"kind": "mlp", "hidden": [8]}, "bound": IWAE,
                  **(model or {})},
        "training": {"epochs": 2, "batch_size": 16, "device": "cpu", "threads": 1, **training}})


@pytest.mark.parametrize(("model", "training", "field", "words"), [
    ({"divergence": {"kind": "mmd"}}, {}, "model.divergence.kind", "has no KL"),
    ({"prior": {"kind": "implicit"}}, {}, "model.prior.kind", "not for importance weights"),
    ({"n_samples": 3}, {}, "model.n_samples", "codes of its own"),
    ({}, {"kl": {"kind": "free-bits"}}, "training.kl.kind", "charges no KL"),
    ({}, {"kl": {"kind": "capacity"}}, "training.kl.kind", "charges no KL"),
    ({}, {"beta": {"kind": "constant", "value": 4.0}}, "training.beta", "ends at 4"),
    ({}, {"beta": {"kind": "points", "points": [[0.0, 0.0], [0.5, 0.5]]}}, "training.beta", "ends at 0.5")])
def test_what_makes_no_sense_is_refused_with_a_way_out(model: dict[str, Any], training: dict[str, Any], field: str,
                                                       words: str) -> None:
    chosen = config(model, **training)
    dataset = chosen.data.load()
    with pytest.raises(ConfigError, match=words) as refused:
        build(chosen, dataset)
    assert refused.value.problems[0].field == field
    better, changes = mended(chosen, dataset, {"model.bound"})
    assert better.model.bound == chosen.model.bound and len(changes) == 1  # type: ignore[union-attr]
    build(better, dataset)


def test_the_form_does_not_ask_for_what_is_not_read() -> None:
    weighed, plain = config(), config({"bound": {"kind": "elbo"}})
    seen = weighed.data.load().modalities
    assert {"model.n_samples", "training.kl"} <= unread(weighed, seen)
    assert not {"model.n_samples", "training.kl"} & unread(plain, seen)


def test_validation_tells_the_bound_and_chooses_by_it() -> None:
    chosen = config()
    dataset = chosen.data.load()
    model = build(chosen, dataset)
    feed = Feed(dataset, "validation", torch.device("cpu"))
    found = evaluate(model, feed, seed=1)
    assert found.bound is not None and found.elbo < found.bound == found.objective(1.0, Charge(Plain(), 0.0))
    many = evaluate(build(config({"bound": {**IWAE, "samples": 64}}), dataset), feed, seed=1)
    assert many.bound is not None and many.bound > found.bound
    plain = evaluate(build(config({"bound": {"kind": "elbo"}}), dataset), feed, seed=1)
    assert plain.bound is None and plain.objective(1.0, Charge(Plain(), 0.0)) == pytest.approx(plain.elbo)
    assert plain.elbo == pytest.approx(found.elbo, rel=0.02)
