"""Agreement of latent spaces: against closed forms, a direct computation, and on runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.stats import ortho_group

from tests.pages import demo
from vaecore.explore import Checkpoint
from vaecore.explore.agreement import agreement, best_match, between, cka, correlations, encoded
from vaecore.explore.same import reconstructed
from vaecore.store import EXAMPLES, Store
from vaecore.training.build import build
from vaecore.training.checkpoints import WEIGHTS, save_weights


def codes(n: int, r: int, seed: int = 0) -> np.ndarray:
    """Dimensions of unlike variance, correlated."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, r)) @ rng.standard_normal((r, r)) + rng.standard_normal(r)


def direct(x: np.ndarray, y: np.ndarray) -> float:
    """CKA by the N x N kernels, term by term as Song et al. write it."""
    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        n, one = len(k), np.ones(len(k))
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        total = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / (n - 1) / (n - 2)
        return float(total - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def test_cka_is_what_its_formula_says() -> None:
    x, y = codes(40, 5), np.hstack([codes(40, 5)[:, :2], codes(40, 3, 1)])
    assert cka(x, y) == pytest.approx(direct(x, y), rel=1e-9)


def test_cka_is_one_under_rotation_shift_and_one_scale() -> None:
    x = codes(50, 6)
    assert cka(x, 7 * x @ ortho_group.rvs(6, random_state=0) + 3) == pytest.approx(1, abs=1e-9)
    assert cka(x, x * np.geomspace(1, 30, 6)) < 0.99, "a scale for each dimension changes it"


def test_cka_of_gaussians_is_that_of_their_covariances() -> None:
    rng = np.random.default_rng(2)
    a, mixed = rng.standard_normal((4, 4)), rng.standard_normal((4, 3))
    x = rng.standard_normal((60_000, 4)) @ a
    y = x @ mixed + 2 * rng.standard_normal((60_000, 3))
    xx = a.T @ a
    xy, yy = xx @ mixed, mixed.T @ xx @ mixed + 4 * np.eye(3)
    wanted = (xy**2).sum() / np.sqrt((xx**2).sum() * (yy**2).sum())
    assert cka(x, y) == pytest.approx(wanted, abs=0.01)


def test_independent_codes_do_not_agree_however_few_they_are() -> None:
    """The mean over many draws is 0, where the biased estimate is far above."""
    found = [cka(codes(30, 8, 2 * seed), codes(30, 8, 2 * seed + 1)) for seed in range(300)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(300) and abs(np.mean(found)) < 0.02
    x, y = codes(30, 8, 0), codes(30, 8, 1)
    x, y = x - x.mean(0), y - y.mean(0)
    biased = ((x.T @ y)**2).sum() / np.sqrt(((x.T @ x)**2).sum() * ((y.T @ y)**2).sum())
    assert biased > 0.05


def test_the_best_match_undoes_a_permutation_and_signs() -> None:
    x = codes(200, 5)
    order, signs = [3, 0, 4, 1, 2], np.array([1, -1, -1, 1, 1])
    pairs = best_match(x, (x * signs)[:, order])
    assert {(pair.first, pair.second) for pair in pairs} == {(first, order.index(first)) for first in range(5)}
    assert [pair.correlation * signs[pair.first] for pair in pairs] == pytest.approx([1] * 5)


def test_no_other_assignment_is_better() -> None:
    x, y = codes(60, 4, 1), codes(60, 5, 3)
    found = np.abs(correlations(x, y))
    np.testing.assert_allclose(found, np.abs(np.corrcoef(x.T, y.T)[:4, 4:]), atol=1e-12)
    best = max(sum(found[i, j] for i, j in enumerate(chosen)) for chosen in permutations(range(5), 4))
    assert sum(abs(pair.correlation) for pair in best_match(x, y)) == pytest.approx(best)


def test_a_dimension_that_does_not_move_matches_nothing() -> None:
    x = codes(30, 3)
    still = x.copy()
    still[:, 1] = 5
    assert min(abs(pair.correlation) for pair in best_match(x, still)) == 0
    assert np.isnan(cka(x, np.ones((30, 2))))


def test_by_chance_a_match_is_above_nought() -> None:
    found = agreement(codes(64, 16, 1), codes(64, 16, 2))
    assert found.match.value == pytest.approx(found.chance, abs=0.06) and found.chance > 0.15


def test_intervals_hold_the_truth() -> None:
    """Of 80 intervals of 95 %, as many as chance allows."""
    rng, held = np.random.default_rng(0), 0
    wanted = (0.8**2 * 3) / (3 * (0.8**2 + 0.36))  # y = 0.8 x + 0.6 e, each of unit variance
    for seed in range(80):
        x = rng.standard_normal((150, 3))
        found = agreement(x, 0.8 * x + 0.6 * rng.standard_normal((150, 3)), seed=seed).cka
        held += found.low <= wanted <= found.high
    assert held >= 69


def test_dimensions_out_of_use_match_nothing_and_keep_their_numbers() -> None:
    x = codes(80, 5)
    found = agreement(x, x, [1, 4], [4, 0, 1])
    assert {(pair.first, pair.second) for pair in found.pairs} == {(1, 1), (4, 4)}
    assert found.match.value == pytest.approx(1) and found.cka.value == pytest.approx(1)
    nothing = agreement(x, x, [], [0])
    assert nothing.pairs == () and nothing.match.value == nothing.chance == 0


def test_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        agreement(codes(5, 2), codes(5, 2))
    with pytest.raises(ValueError, match="the same ones"):
        cka(codes(9, 2), codes(8, 2))


def test_runs_of_the_same_data_are_compared_and_others_named() -> None:
    store = Store(demo.store())
    loaded = [Checkpoint.load(store.find(name)) for name in ("runs/vae", "gallery/shipped", "ae", "vectors")]
    found = encoded(loaded)
    [group] = found.encoded
    assert [each.run.id for each in group.checkpoints] == ["vae", "gallery/shipped", "ae"]
    assert "test observations" in group.source and len({len(z) for z in group.codes}) == 1
    assert found.left_out == ["No other of these runs has the data of vectors, so its code is compared with none."]
    same, other = between(group, 0, 1), between(group, 0, 2)
    assert same.cka.value == pytest.approx(1) and same.match.value == pytest.approx(1)
    assert all(pair.first == pair.second and loaded[0].active[pair.first] for pair in same.pairs)
    assert 0 < other.cka.value < 1 and other.observations == len(group.codes[0])


def test_numbers_that_one_of_two_runs_reads_are_given_to_it_whichever_comes_first(
        tmp_path: Path, configure: Callable[..., Any]) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["a,b,dose", *(f"{t % 7},{t % 5},{t % 3}" for t in range(200))]))
    data = {"name": "table", "path": str(tmp_path / "a.csv"), "covariate": "dose", "covariate_kind": "numbers"}
    runs = {}
    for name, prior in (("plain", {}), ("ivae", {"prior": {"kind": "conditional", "encoder": True}})):
        config = configure({"data": data, "model": {"family": "vae", "latent_size": 2, "network": {
            "kind": "mlp", "hidden": [8]}, "likelihood": {"kind": "gaussian"}, **prior}})
        dataset, run = config.data.load(), Store(tmp_path / "store").create(config, name)
        save_weights(run.path / WEIGHTS, build(config, dataset), config, 0)
        test = dataset.splits["test"]
        save_file({"vector": torch.from_numpy(test.arrays["vector"]), "covariate": torch.from_numpy(test.covariate)},
                  run.path / EXAMPLES)
        runs[name] = Checkpoint.load(run)
    both = list(runs.values())
    for place in ("here", "gone"):
        found, turned = encoded(both), encoded(both[::-1])
        assert found.left_out == turned.left_out == [], place
        wanted = runs["ivae"].posteriors(runs["ivae"].examples, runs["ivae"].covariates).mean
        np.testing.assert_allclose(found.encoded[0].codes[1], wanted, atol=1e-6)
        np.testing.assert_array_equal(found.encoded[0].codes[1], turned.encoded[0].codes[0])
        (tmp_path / "a.csv").unlink(missing_ok=True)
    np.testing.assert_array_equal(reconstructed(runs["ivae"], runs["plain"], range(5)),
                                  reconstructed(runs["ivae"], runs["ivae"], range(5)))
