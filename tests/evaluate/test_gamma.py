"""Closed forms of evaluate/gamma.py against densities from elsewhere, and the figures that draw them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pages.shared.gamma_figure import active_figure, cost_figure
from pages.shared.lagging_figure import spread_figure
from vaecore.data import Dataset, Modality, Split
from vaecore.evaluate.gamma import (
    Moments,
    Solution,
    best_collapsed_cost,
    collapsed_cost,
    crossing,
    kept_cost,
    linear_active,
    linear_cost,
    moments,
)
from vaecore.evaluate.lagging import Spread, ratio_at, spread_at, spreads

SIZE, LATENT = 5, 3
RATE, ERROR = 4.0, 1.5


def dataset(*, same: bool = True) -> Dataset:
    """Vectors with variances from 9 to 0.04; the validation set is the training set, or draws of its own."""
    rng = np.random.default_rng(3)
    spread = np.array([3.0, 1.5, 0.8, 0.4, 0.2])
    rotation, _ = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))
    x, other = (((rng.standard_normal((n, SIZE)) * spread) @ rotation + 1).astype(np.float32) for n in (600, 90))
    splits = {"train": x, "validation": x if same else other, "test": other}
    return Dataset("vectors", "drawn here", {"vector": Modality("vector", (SIZE,))},
                   {name: Split({"vector": values}) for name, values in splits.items()})


@pytest.fixture(scope="module")
def train() -> np.ndarray:
    return dataset().splits["train"].arrays["vector"].astype(np.float64)


@pytest.fixture(scope="module")
def data() -> Moments:
    return moments(dataset())


def test_moments_are_those_of_the_data(data: Moments, train: np.ndarray) -> None:
    np.testing.assert_allclose(data.eigenvalues, np.linalg.svd(train - train.mean(0))[1] ** 2 / len(train))
    assert data.size == SIZE
    assert data.scatter == pytest.approx(data.eigenvalues.sum())  # on the training set itself
    apart = dataset(same=False)
    other = apart.splits["validation"].arrays["vector"].astype(np.float64)
    assert moments(apart).scatter == pytest.approx(((other - train.mean(0)) ** 2).sum(1).mean())


def test_pixels_count_from_0_to_1() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 1, 2, 2), dtype=np.uint8)
    both = {name: Split({"image": images}) for name in ("train", "validation", "test")}
    found = moments(Dataset("images", "drawn here", {"image": Modality("image", (1, 2, 2))}, both))
    assert found.scatter == pytest.approx((images / 255).reshape(50, 4).var(0).sum())


@pytest.mark.parametrize("where", ["below all", "between", "above all"])
def test_linear_cost_is_the_exact_marginal_likelihood_of_probabilistic_pca(data: Moments, train: np.ndarray,
                                                                           where: str) -> None:
    eigenvalues = data.eigenvalues
    gamma = {"below all": eigenvalues[-1] / 3, "between": (eigenvalues[1] + eigenvalues[2]) / 2,
             "above all": 2 * eigenvalues[0]}[where]
    _, directions = np.linalg.eigh(np.cov(train.T, bias=True))
    principal = directions[:, ::-1][:, :LATENT]
    loadings = principal * np.sqrt(np.maximum(eigenvalues[:LATENT] - gamma, 0))  # Tipping & Bishop (1999), eq. 15
    covariance = loadings @ loadings.T + gamma * np.eye(SIZE)
    exact = -multivariate_normal(train.mean(0), covariance).logpdf(train).mean()
    assert linear_cost(np.array([gamma]), data, LATENT)[0] == pytest.approx(exact, rel=1e-9)
    assert linear_active(np.array([gamma]), data, LATENT)[0] == {"below all": 3, "between": 2, "above all": 0}[where]


def test_from_the_largest_eigenvalue_on_linear_is_trivial(data: Moments) -> None:
    largest = data.eigenvalues[0]
    beyond = largest * np.array([1.0, 1.5, 10.0])
    np.testing.assert_allclose(linear_cost(beyond, data, LATENT), collapsed_cost(beyond, data))
    np.testing.assert_array_equal(linear_active(beyond, data, LATENT), 0)
    below = largest * np.array([0.2, 0.9])
    assert (linear_cost(below, data, LATENT) < collapsed_cost(below, data)).all()


def test_collapsed_cost_is_a_gaussian_around_the_mean(data: Moments, train: np.ndarray) -> None:
    exact = -multivariate_normal(train.mean(0), 0.7 * np.eye(SIZE)).logpdf(train).mean()
    assert collapsed_cost(np.array([0.7]), data)[0] == pytest.approx(exact)


def test_best_collapsed_cost_is_the_least_of_all(data: Moments) -> None:
    grid = np.geomspace(1e-3, 1e3, 20_001)
    costs = collapsed_cost(grid, data)
    assert best_collapsed_cost(data) == pytest.approx(costs.min(), abs=1e-5)
    assert (costs >= best_collapsed_cost(data) - 1e-12).all()
    assert collapsed_cost(np.array([data.scatter / SIZE]), data)[0] == pytest.approx(best_collapsed_cost(data))


def test_at_the_crossing_both_cost_the_same(data: Moments) -> None:
    where = crossing(data, RATE, ERROR)
    gammas = where * np.array([0.5, 1.0, 2.0])
    left, there, right = kept_cost(gammas, data, RATE, ERROR) - collapsed_cost(gammas, data)
    assert there == pytest.approx(0, abs=1e-9)
    assert left < 0 < right < RATE
    assert crossing(data, 0.0, ERROR) == math.inf
    assert crossing(data, RATE, data.scatter + 1) == 0.0


def test_a_solution_costs_at_its_own_gamma_what_it_was_scored_with(data: Moments) -> None:
    found = Solution.scored(0.3, 7.5, RATE, 3, SIZE)
    assert kept_cost(np.array([0.3]), data, RATE, found.error)[0] == pytest.approx(7.5)
    best = found.best_gamma(SIZE)
    near = kept_cost(best * np.array([0.99, 1.0, 1.01]), data, RATE, found.error)
    assert near.argmin() == 1


# -- the figures -----------------------------------------------------------------------------------


FIXED = [Solution(0.1, -3.0, 5.0, 0.4, 3), Solution(1.0, 6.0, 2.0, 3.0, 2), Solution(20.0, 14.0, 0.0, 11.0, 0)]
LEARNED = Solution(0.3, 1.5, RATE, ERROR, 3)


def named(figure: object) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data}


def test_the_figure_draws_the_closed_forms_and_marks_the_crossing(data: Moments) -> None:
    figure = cost_figure(data, LATENT, FIXED, LEARNED)
    traces = named(figure)
    grid = np.asarray(traces["best linear VAE, exact"].x)
    np.testing.assert_allclose(traces["best linear VAE, exact"].y, linear_cost(grid, data, LATENT))
    np.testing.assert_allclose(traces["trivial: no code, the mean image"].y, collapsed_cost(grid, data))
    np.testing.assert_allclose(traces["the learned solution at other γ"].y, kept_cost(grid, data, RATE, ERROR))
    assert list(traces["trained, γ fixed"].y) == [-3.0, 6.0, 14.0]
    assert (traces["trained, γ learned"].x[0], traces["trained, γ learned"].y[0]) == (0.3, 1.5)
    where = crossing(data, RATE, ERROR)
    [note] = figure.layout.annotations
    assert note.text == f"γ′ = {where:.3g}" and note.x == pytest.approx(math.log10(where))


def test_relative_costs_lie_around_the_trivial_one(data: Moments) -> None:
    traces = named(cost_figure(data, LATENT, FIXED, LEARNED, relative=True))
    np.testing.assert_allclose(traces["trivial: no code, the mean image"].y, 0, atol=1e-12)
    assert traces["trained, γ fixed"].y[1] == pytest.approx(6.0 - collapsed_cost(np.array([1.0]), data)[0])
    kept = np.asarray(traces["the learned solution at other γ"].y)
    grid = np.asarray(traces["the learned solution at other γ"].x)
    np.testing.assert_array_equal(kept > 0, grid > crossing(data, RATE, ERROR))


def test_active_units_fall_at_the_eigenvalues(data: Moments) -> None:
    figure = active_figure(data, LATENT, FIXED, LEARNED)
    linear = named(figure)["best linear VAE, exact"]
    x, y = np.asarray(linear.x), np.asarray(linear.y)
    np.testing.assert_allclose(x[1:][np.diff(y) < 0], data.eigenvalues[:LATENT][::-1])
    assert figure.layout.annotations[0].x == pytest.approx(math.log10(data.eigenvalues[0]))


def test_figures_of_little_or_nothing(data: Moments) -> None:
    for fixed, learned in (([], None), (FIXED[:1], None), ([], LEARNED)):
        for relative in (False, True):
            low, high = cost_figure(data, LATENT, fixed, learned, relative=relative).layout.yaxis.range
            assert math.isfinite(low) and low < high
        active_figure(data, LATENT, fixed, learned)


def test_spreads_are_of_the_widest_dimension_of_the_model() -> None:
    model, inference = np.array([[0.0, -3.0], [0.0, 3.0]]), np.array([[5.0, -1.0], [-5.0, 1.0]])
    assert spreads(model, inference) == (3.0, 1.0)


def test_one_ratio_is_told_wherever_a_run_s_lag_is_told() -> None:
    """None of means that hardly vary, of a handful of importance samples, of another step, and of damaged lines."""
    def line(model: float, inference: float, **more: Any) -> dict[str, Any]:
        return {"step": 200, "method": "grid", "effective": 0.5, **more,
                "model": {"a": [[0.0], [0.0]], "z": [[model], [-model]]},
                "inference": {"a": [[9.0], [-9.0]], "z": [[inference], [-inference]]}}

    good = line(0.4, 0.1)
    assert spread_at(good) == (200, (0.4, 0.1)) and ratio_at([good, {}, line(0.4, 0.3, step=100)], 200) == 0.25
    assert ratio_at([good, line(0.4, 0.2)], 200) == 0.5 and ratio_at([good], 300) is None
    assert ratio_at([line(0.08, 0.02)], 200) is None is Spread("basic", "a", (1.0, 1.0), (0.08, 0.02)).ratio
    for share, told in ((0.02, None), (0.3, 0.25)):
        assert ratio_at([line(0.4, 0.1, method="importance", effective=share)], 200) == told
    for damaged in (7, {"step": 200}, line(math.nan, 1.0), line(0.4, math.inf), line(1e308, 1e308), {
            **good, "model": {"z": [[1.0], []]}}, {**good, "inference": {"z": [[1.0]]}}, {**good, "model": {}}):
        assert spread_at(damaged) is None


def test_the_spread_figure_has_a_line_for_each_training() -> None:
    points = [Spread("basic", "seed 0", (0.4, 0.01), (0.9, 0.0)), Spread("basic", "seed 1", (0.4, 0.02), (0.8, 0.0)),
              Spread("aggressive", "seed 0", (0.7, 0.6), (0.9, 0.8))]
    diagonal, *lines = spread_figure(points, early="step 200").data
    assert list(diagonal.x) == list(diagonal.y) and diagonal.x[1] > 0.9
    assert [(list(line.x), list(line.y)) for line in lines] == [
        ([0.4, 0.9], [0.01, 0.0]), ([0.4, 0.8], [0.02, 0.0]), ([0.7, 0.9], [0.6, 0.8])]
    assert [line.showlegend for line in lines] == [True, False, True]
