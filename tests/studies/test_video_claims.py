"""Claims on video in small, and the rules by which they are judged; whole they are C11, C12, C23 and E7."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vaecore.config import differences
from vaecore.store import Run
from vaecore.studies import CLAIMS, Bench, c11_three_stages, c12_learned_prior, c23_once_or_each_bounce, e07_direction

# -- C12 -------------------------------------------------------------------------------------------


def test_c12_differs_in_the_model_alone() -> None:
    for configuration in (c12_learned_prior.states, c12_learned_prior.pixels):
        configs = [configuration(name) for name in c12_learned_prior.MODELS]
        assert {config.model.model_dump()["family"] for config in configs} == {"svg-lp", "svg-fp",
                                                                                "recurrent-predictor"}
        assert set(differences(configs)) <= {"model.family", "model.latent_size"}


def test_a_row_of_c12_is_of_the_late_frames_and_of_the_prior(start: Callable[..., Path],
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FUTURES", 3), ("CLIPS", 4)):
        monkeypatch.setattr(c12_learned_prior, name, value)
    config = c12_learned_prior.states("learned prior", ["training.epochs=1", "data.clips=64", "data.test_clips=8",
                                                        "model.hidden=8", "training.evaluate_every=9"])
    done = Run(start(config.model_dump(mode="json")))
    row, curves = c12_learned_prior.row(Bench(done.path.parent), "coordinates", "learned prior", done)
    by_frame = curves["coordinates, learned prior: squared error by frame"]
    assert len(by_frame) == 25, "frames 5 to 29"
    assert row["squared error, best of 3"] == pytest.approx(np.mean(by_frame[10:])), "frames 15 to 29"
    assert curves["coordinates: n"] == [1, 2, 3]
    ladder = curves["coordinates, learned prior: squared error, best of n"]
    assert ladder == sorted(ladder, reverse=True) and ladder[-1] == pytest.approx(np.mean(by_frame), rel=1e-5)
    assert 0 < row["AUC of the sd"] < 1 and row["KL at events"] > 0
    assert row["ratio, best dimension"] >= row["sd at events / elsewhere"] > 0


# -- C23 and C11 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("once", "bounce", "spread", "holds"), [
    (1.0, 1.8, 1.02, True), (1.25, 1.8, 1.02, False), (1.0, 1.45, 1.02, False),
    (1.0, 1.8, 1.3, False)])  # a spread between seeds wider than the margin shows nothing
def test_c23_needs_one_code_to_suffice_and_to_fail(once: float, bounce: float, spread: float, holds: bool) -> None:
    table = [{"seed": seed, "direction drawn": turns, "code": latent,
              **dict.fromkeys(("error, best of 100", "error, best of 20", "later frames, best of 100"), error),
              "KL a clip": 1.0}
             for turns, ratio in (("once", once), ("bounce", bounce)) for seed in range(3)
             for latent, error in (("invariant", ratio * spread ** (seed - 1)), ("variant", 1.0))]
    found = c23_once_or_each_bounce.finding(table)
    assert found.reproduced is holds and f"{once:.2f} [" in found.summary
    with pytest.raises(ValueError, match="the same ones"):
        c23_once_or_each_bounce.finding(table[1:])


def test_c23_differs_in_the_clips_and_the_code() -> None:
    made = [c23_once_or_each_bounce.configuration(turns, latent) for turns in ("once", "bounce")
            for latent in ("invariant", "variant")]
    assert set(differences(made)) == {"data.turns", "model.latent"}
    assert {config.model.model_dump()["context"] for config in made} == {1}, "the first direction is unknown"


@pytest.mark.parametrize(("three", "one", "spread", "holds"), [
    ((0.5, 0.3), (0.001, 0.02), 0.01, True), ((0.09, 0.3), (0.001, 0.02), 0.01, False),
    ((0.5, 0.3), (0.02, 0.02), 0.01, False), ((0.5, 0.3), (0.001, 0.04), 0.01, False),
    ((0.5, 0.3), (0.001, 0.02), 0.5, False)])
def test_c11_needs_a_code_in_use_and_one_that_is_not(three: tuple[float, float], one: tuple[float, float],
                                                     spread: float, holds: bool) -> None:
    table = [{"seed": seed, "training": name, "KL a clip": kl * (1 + spread * (seed - 1)),
              "difference of two futures": apart, "error, best of 100": 0.1, "-ELBO a frame": 1.0}
             for name, (kl, apart) in (("three stages", three), ("one stage", one)) for seed in range(3)]
    assert c11_three_stages.finding(table).reproduced is holds


def test_c11_differs_in_the_stages_alone() -> None:
    found = differences(c11_three_stages.configuration(stages) for stages in c11_three_stages.STAGES)
    assert found.pop("model.stages.kind") == ["three", "one"]
    assert all(name.startswith("model.stages.") for name in found)


def test_a_row_of_c23(start: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FUTURES", 4), ("FEWER", 2)):
        monkeypatch.setattr(c23_once_or_each_bounce, name, value)
    config = c23_once_or_each_bounce.configuration("bounce", "variant", [
        "training.epochs=1", "training.batch_size=4", "data.clips=4", "data.test_clips=6", "model.channels=2"])
    done = Run(start(config.model_dump(mode="json")))
    row = c23_once_or_each_bounce.row(Bench(done.path.parent), "bounce", "variant", done)
    assert 0 < row["error, best of 4"] < row["error, best of 2"] < row["error of one"] < 1
    assert 0 < row["later frames, best of 4"] < row["later frames, one"] < 1
    assert row["KL a clip"] > 0 and row["difference of two futures"] > 0


# -- E7 --------------------------------------------------------------------------------------------


def test_the_closed_forms_of_e7_are_those_of_drawn_numbers() -> None:
    theta = e07_direction.Theta(0.4, 0.7, 0.3, 1.1, 0.6)
    q = e07_direction.Posterior(0.2, 0.5, 0.4)
    generator = torch.Generator().manual_seed(0)
    first, noise, code = torch.randn(3, 100_000, generator=generator, dtype=torch.double)
    second = e07_direction.A * first + e07_direction.S * noise
    normal = torch.distributions.Normal
    own = normal(q.alpha * first + q.beta * second, q.rho)
    z = own.mean + q.rho * code
    prior = normal(theta.b * first, theta.tau)
    elbo = normal(theta.d * first + theta.w * z, theta.sigma).log_prob(second) + prior.log_prob(z) - own.log_prob(z)
    data = normal(e07_direction.A * first, e07_direction.S)
    model = normal(theta.slope * first, math.sqrt(theta.variance))
    drawn = model.mean + model.stddev * noise
    exact = e07_direction.posterior(theta)
    posterior = normal(exact.alpha * first + exact.beta * second, exact.rho)
    # Bayes: the posterior is what is left of the joint density.
    torch.testing.assert_close(posterior.log_prob(z), prior.log_prob(z) - model.log_prob(second)
                               + normal(theta.d * first + theta.w * z, theta.sigma).log_prob(second))
    for found, values in (
            (e07_direction.gap(theta, q), data.log_prob(second) - elbo),
            (e07_direction.slack(theta, q), own.log_prob(z) - posterior.log_prob(z)),
            (e07_direction.forward(theta), data.log_prob(second) - model.log_prob(second)),
            (e07_direction.backward(theta), model.log_prob(drawn) - data.log_prob(drawn))):
        assert found == pytest.approx(float(values.mean()), abs=5 * float(values.std()) / 100_000**0.5)


def fitted(own: float = 0.2, ahead: float = 0.19, back: float = 0.4) -> dict[str, float]:
    return {"E[-ELBO] - H": own, "standard error": 0.001, "KL(data || model)": ahead, "KL(model || data)": back}


@pytest.mark.parametrize(("trained", "holds"), [
    ({}, True), ({"ahead": 0.3}, False), ({"back": 0.2}, False)])
def test_e7_is_of_the_grid_and_of_a_trained_model(trained: dict[str, float], holds: bool) -> None:
    theta = e07_direction.Theta(0.8, 1.0, 0.9, 2.0, 2.0)
    grid = [(theta, name, q) for name, q in e07_direction.posteriors(theta).items()]
    assert e07_direction.finding(grid, fitted(**trained)).reproduced is holds


def test_e7_fails_where_the_printed_direction_is_never_larger() -> None:
    exact = e07_direction.Theta(0.0, 1.0, e07_direction.A, 0.01, e07_direction.S)  # close to the data: both are 0
    grid = [(exact, name, q) for name, q in e07_direction.posteriors(exact).items()]
    assert e07_direction.forward(exact) < 1e-3
    assert not e07_direction.finding(grid, fitted()).reproduced


def test_quadrature_finds_the_kl_of_svg_lp() -> None:
    """With weights of zero SVG-LP gives N(c, sigma^2) whatever it reads, and both KL have closed forms."""
    model = e07_direction.svg(steps=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    m, a, s, sigma = e07_direction.M, e07_direction.A, e07_direction.S, e07_direction.SIGMA
    ahead, back = e07_direction.quadrature(model)
    assert ahead == pytest.approx(0.5 * (math.log(sigma**2 / s**2) + (s**2 + a**2 * m) / sigma**2 - 1), abs=1e-5)
    assert back == pytest.approx(0.5 * (math.log(s**2 / sigma**2) + (sigma**2 + a**2 * m) / s**2 - 1), abs=1e-5)


def test_what_is_listed() -> None:
    assert {"C11", "C12", "C23", "E7"} <= set(CLAIMS)
