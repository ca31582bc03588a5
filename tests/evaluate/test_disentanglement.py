"""Scores of disentanglement at codes whose score is known: the factors themselves, permuted, turned, thrown away."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from vaecore.evaluate.disentanglement import (
    fixed_factor,
    information_gap,
    information_gap_full,
    mean_correlation,
    separated_attribute_predictability,
)

VALUES = {"shape": 3, "scale": 4, "x": 8, "y": 8}
GRID = np.array(list(itertools.product(*(range(n) for n in VALUES.values()))), float)  # (768, 4)
GRID = np.repeat(GRID, 3, axis=0)
Numbers = np.ndarray[Any, Any]


def permuted(seed: int = 0) -> Numbers:
    """Each latent one factor, in another order, of another sign and scale, with a little noise; one is noise alone."""
    generator = np.random.default_rng(seed)
    codes = GRID[:, [2, 0, 3, 1]] * [-2.0, 0.5, 1.0, 10.0]
    noise = generator.standard_normal((len(GRID), 1))
    return np.concatenate([codes + 0.02 * generator.standard_normal(codes.shape) * codes.std(0), noise], 1)


def turned() -> Numbers:
    """Every latent the same share of every standardised factor, up to sign: an orthogonal Hadamard matrix."""
    hadamard = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    return ((GRID - GRID.mean(0)) / GRID.std(0)) @ hadamard


# -- MIG -------------------------------------------------------------------------------------------


def test_mig_is_one_for_factors_and_near_zero_for_their_rotation() -> None:
    best, worst = (information_gap(codes, GRID, VALUES, bins=40) for codes in (permuted(), turned()))
    assert best.score > 0.95 and worst.score < 0.15
    assert min(best.factors.values()) > 0.95
    for name, count in VALUES.items():
        assert best.entropy[name] == pytest.approx(np.log(count), rel=1e-9)
        assert max(best.information[name]) == pytest.approx(np.log(count), rel=0.02)
    assert [int(np.argmax(best.information[name])) for name in VALUES] == [1, 3, 0, 2]
    assert (best.estimator, best.bins, best.codes, best.observations) == ("histogram", 40, "posterior means", len(GRID))


def test_two_latents_that_tell_the_same_have_no_gap() -> None:
    twice = np.concatenate([GRID, GRID], 1)
    assert information_gap(twice, GRID, VALUES).score == pytest.approx(0, abs=1e-9)
    alone = information_gap(GRID[:, :1], GRID, VALUES)  # one latent: no second to lose to
    assert alone.factors["shape"] == pytest.approx(1) and alone.factors["x"] == pytest.approx(0, abs=1e-9)


def test_information_of_a_known_channel() -> None:
    """A bit through a channel that flips it with probability 0.1: log 2 less the entropy of the flip."""
    generator = np.random.default_rng(0)
    bit = generator.integers(0, 2, 10_000)
    code = np.where(generator.random(10_000) < 0.1, 1 - bit, bit)
    found = information_gap(code[:, None].astype(float), bit[:, None].astype(float), {"bit": 2})
    known = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    assert found.information["bit"][0] == pytest.approx(known, abs=0.01)
    assert found.score == pytest.approx(known / np.log(2), abs=0.02)


def test_continuous_factors_are_binned() -> None:
    generator = np.random.default_rng(0)
    sources = generator.uniform(size=(10_000, 2))
    found = information_gap(sources[:, ::-1], sources, {"a": 0, "b": 0})
    assert found.score > 0.95 and found.entropy["a"] == pytest.approx(np.log(20), rel=0.01)
    noise = information_gap(generator.uniform(size=(10_000, 2)), sources, {"a": 0, "b": 0})
    assert noise.score < 0.02


def test_the_full_estimator_agrees_with_a_closed_form() -> None:
    """z = v + sigma e with v in {-1, 1}: I(z; v) is a one-dimensional integral."""
    sigma, count = 0.8, 2_000
    v = np.tile([-1.0, 1.0], count // 2)[:, None]
    found = information_gap_full(v, np.full_like(v, 2 * np.log(sigma)), (v + 1) / 2, {"sign": 2})
    z = np.linspace(-8, 8, 20_001)
    one, other = (np.exp(-0.5 * ((z - m) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)) for m in (1, -1))
    known = float((one * np.log(one / (0.5 * one + 0.5 * other))).sum() * (z[1] - z[0]))
    assert 0.3 < known < 0.6
    assert found.information["sign"][0] == pytest.approx(known, abs=0.03)
    assert (found.estimator, found.codes, found.bins) == ("full data set", "posterior samples", None)


def test_the_full_estimator_sees_a_collapsed_latent_where_histograms_do_not() -> None:
    """A mean that follows the factor by a hair's breadth of its posterior tells nothing of it."""
    codes = permuted()
    codes[:, 0] *= 1e-3  # x
    logvar = np.full_like(codes, -6.0)
    logvar[:, 0] = 0.0
    full = information_gap_full(codes, logvar, GRID, VALUES)
    assert full.factors["x"] < 0.05 and full.factors["y"] > 0.9 and full.factors["shape"] > 0.9
    assert information_gap(codes, GRID, VALUES, bins=40).factors["x"] > 0.9
    again = information_gap_full(codes, logvar, GRID, VALUES)
    assert again == full


# -- SAP and the beta-VAE score --------------------------------------------------------------------


def test_sap() -> None:
    best, worst = (separated_attribute_predictability(codes, GRID, VALUES) for codes in (permuted(), turned()))
    assert best.score > 0.85 and worst.score < 0.15
    assert set(best.measures.values()) == {"balanced accuracy above chance"}
    assert best.train + best.test == len(GRID)
    assert max(best.prediction["shape"][i] for i in (0, 2, 3, 4)) < 0.1  # latents of other factors are at chance
    generator = np.random.default_rng(0)
    sources = generator.standard_normal((5_000, 2))
    mixed = sources @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    found = separated_attribute_predictability(mixed, sources, {"a": 0, "b": 0})
    assert found.measures == {"a": "R²", "b": "R²"}
    assert found.score == pytest.approx(0.64 - 0.36, abs=0.03)
    assert found.prediction["a"] == pytest.approx([0.64, 0.36], abs=0.03)
    assert found.prediction["b"] == pytest.approx([0.36, 0.64], abs=0.03)  # not the other axis


def test_the_beta_vae_score() -> None:
    best = fixed_factor(permuted(), GRID, VALUES, train=800, test=400)
    assert best.score > 0.99 and best.chance == 0.25 and best.factors == tuple(VALUES) and best.pairs == 64
    assert (best.train, best.test, best.observations) == (800, 400, len(GRID))
    noise = fixed_factor(np.random.default_rng(0).standard_normal((len(GRID), 5)), GRID, VALUES, train=800, test=400)
    assert 0.15 < noise.score < 0.4
    assert fixed_factor(permuted(), GRID, VALUES, train=80, test=40, seed=1) == fixed_factor(
        permuted(), GRID, VALUES, train=80, test=40, seed=1)
    with pytest.raises(ValueError, match="two factors with a number of values"):
        fixed_factor(GRID, GRID, dict.fromkeys(VALUES, 0))


# -- MCC -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources() -> Numbers:
    return np.random.default_rng(0).laplace(size=(5_000, 3))


NAMES = {"a": 0, "b": 0, "c": 0}


def test_mcc_is_one_for_sources_permuted_flipped_and_scaled(sources: Numbers) -> None:
    found = mean_correlation(sources[:, [1, 2, 0]] * [-3.0, 0.1, 100.0] + 7, sources, NAMES, kind="posterior samples")
    assert found.pearson == pytest.approx(1) and found.spearman == pytest.approx(1)
    assert found.matching == {"a": 2, "b": 0, "c": 1}
    assert [found.correlations[name] for name in NAMES] == pytest.approx([1, -1, 1])
    assert (found.codes, found.latents, found.factors, found.observations) == ("posterior samples", 3, 3, 5_000)


def test_mcc_of_a_rotation_is_its_largest_entries(sources: Numbers) -> None:
    angle = np.pi / 5
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    found = mean_correlation(sources @ rotation, sources, NAMES, kind="posterior means")
    assert found.pearson == pytest.approx((2 * np.cos(angle) + 1) / 3, abs=0.02)
    noise = mean_correlation(np.random.default_rng(1).standard_normal(sources.shape), sources, NAMES,
                             kind="posterior means")
    assert noise.pearson < 0.06


def test_the_matching_is_the_best_in_all_not_greedy() -> None:
    """Greedy takes .9 and is left with 0; the best one takes .8 and .8."""
    generator = np.random.default_rng(0)
    e = generator.standard_normal((100_000, 4))
    a, b = e[:, 0], e[:, 1]
    codes = np.stack([0.7 * a + 0.7 * b + 0.14 * e[:, 2], 0.7 * a + 0.714 * e[:, 3]], 1)
    found = mean_correlation(codes, np.stack([a, b], 1), {"a": 0, "b": 0}, kind="posterior means")
    assert found.matching == {"a": 1, "b": 0} and found.pearson == pytest.approx(0.7, abs=0.02)


def test_spearman_forgives_a_monotone_distortion_and_pearson_does_not(sources: Numbers) -> None:
    found = mean_correlation(np.sinh(3 * sources), sources, NAMES, kind="posterior means")
    assert found.spearman == pytest.approx(1) and found.pearson < 0.7


def test_fewer_latents_than_factors_count_zero_for_those_left_over(sources: Numbers) -> None:
    few = mean_correlation(sources[:, [2]], sources, NAMES, kind="posterior means")
    assert few.pearson == pytest.approx(1 / 3) and few.matching == {"a": None, "b": None, "c": 0}
    many = mean_correlation(np.concatenate([np.zeros((5_000, 2)), sources], 1), sources, NAMES,
                            kind="posterior means")  # constant codes correlate with nothing
    assert many.pearson == pytest.approx(1) and many.matching == {"a": 2, "b": 3, "c": 4} and many.latents == 5


# -- what all of them refuse -----------------------------------------------------------------------


@pytest.mark.parametrize("score", [
    information_gap, separated_attribute_predictability, fixed_factor,
    lambda c, f, v: mean_correlation(c, f, v, kind="posterior means"),
    lambda c, f, v: information_gap_full(c, np.zeros_like(c), f, v)], ids=["mig", "sap", "beta", "mcc", "full"])
def test_arrays_that_do_not_fit(score: Any) -> None:
    with pytest.raises(ValueError, match=r"codes of shape .* and factors of .* for 4 names"):
        score(GRID[:-1], GRID, VALUES)
    with pytest.raises(ValueError, match=r"for 4 names"):
        score(GRID.T, GRID.T, VALUES)
    with pytest.raises(ValueError, match="no factor varies"):
        score(GRID, np.zeros_like(GRID), VALUES)
    with pytest.raises(ValueError, match="not finite"):
        score(np.full_like(GRID, np.nan), GRID, VALUES)
    fixed = GRID.copy()
    fixed[:, 0] = 1
    found = score(GRID, fixed, VALUES)
    assert found.factors == 3 or set(found.factors) == {"scale", "x", "y"}
