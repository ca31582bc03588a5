"""Multi-set CCA against closed forms, and as a family that is saved, loaded and read from any modalities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.cross_decomposition import CCA

from vaecore.data import OBSERVED
from vaecore.multiblock import Criterion, multiset_cca
from vaecore.multiblock.cca import value_of
from vaecore.training.checkpoints import load_model, save_weights

Matrix = NDArray[np.float64]
Train = Callable[..., Any]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)


def planted(blocks: int, n: int = 300, sizes: tuple[int, ...] = (8, 6, 7), shared: int = 2, seed: int = 0
            ) -> tuple[list[Matrix], Matrix]:
    generator = np.random.default_rng(seed)
    z = generator.standard_normal((n, shared))
    return [z @ generator.standard_normal((shared, p)) + generator.standard_normal((n, p))
            for p in sizes[:blocks]], z


@pytest.mark.parametrize("criterion", CRITERIA)
def test_for_two_blocks_every_criterion_is_canonical_correlation(criterion: Any) -> None:
    blocks, _ = planted(2)
    u, v = CCA(3, max_iter=5_000, tol=1e-14).fit(*blocks).transform(*blocks)
    expected = [np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(3)]
    found = multiset_cca(blocks, 3, criterion)
    np.testing.assert_allclose(found.correlations[:, 0, 1], expected, atol=1e-6)
    for y in found.scores(blocks):  # variance 1, and uncorrelated stages
        np.testing.assert_allclose(np.cov(y.T, bias=True), np.eye(3), atol=1e-9)


def test_each_criterion_is_best_at_what_it_names() -> None:
    blocks, z = planted(3, shared=1)
    found = {criterion: multiset_cca(blocks, 1, criterion) for criterion in CRITERIA}
    for criterion in CRITERIA:
        values = {name: value_of(f.correlations[0], criterion) for name, f in found.items()}
        best = min if criterion in ("minvar", "genvar") else max
        assert values[criterion] == pytest.approx(best(values.values()), abs=1e-9), criterion
        if criterion != "minvar":  # the smallest eigenvalue may be between two blocks only
            assert min(abs(np.corrcoef(y[:, 0], z[:, 0])[0, 1]) for y in found[criterion].scores(blocks)) > 0.9


def test_only_a_ridge_stops_correlations_between_independent_noise() -> None:
    generator = np.random.default_rng(3)
    train, test = ([generator.standard_normal((n, 100)) for _ in range(2)] for n in (40, 2_000))
    shared = generator.standard_normal((2_040, 1))
    real_train, real_test = ([x + s for x in part] for part, s in ((train, shared[:40]), (test, shared[40:])))
    free = multiset_cca(train, 1, ridge=0)
    assert free.correlations[0, 0, 1] == pytest.approx(1, abs=1e-9)
    held_out = {}
    for name, ridge, fitted, judged in (("noise", 0.5, train, test), ("ridge", 0.5, real_train, real_test),
                                        ("none", 0.0, real_train, real_test)):
        u, v = multiset_cca(fitted, 1, ridge=ridge).scores(judged)
        held_out[name] = float(np.corrcoef(u[:, 0], v[:, 0])[0, 1])
    assert abs(held_out["noise"]) < 0.1
    assert held_out["ridge"] > 0.9 > held_out["none"]


def test_the_family_is_saved_and_reads_any_modalities(trainer: Train, tmp_path: Path) -> None:
    made, _ = trainer({"data": {"name": "planted-blocks", "samples": 400, "noise": 0.3},
                       "model": {"family": "cca", "latent_size": 2, "ridge": 0.0}})
    batch = made.feed.all()
    assert made.total == 0 and made.model.fit(batch)
    save_weights(tmp_path / "weights.safetensors", made.model, made.config, 0)
    model = load_model(tmp_path)
    whole = model.encode(batch)["canonical"].mean
    assert torch.equal(whole, made.model.encode(batch)["canonical"].mean)
    torch.testing.assert_close(whole.square().mean(0), torch.ones(2), atol=1e-4, rtol=0)
    for given in ("block 1", "block 2", "block 3"):
        alone = model.encode({given: batch[given]})["canonical"].mean
        for i in range(2):  # a wrong sign or order would not correlate
            assert torch.corrcoef(torch.stack([alone[:, i], whole[:, i]]))[0, 1] > 0.9
        other = "block 3" if given == "block 1" else "block 1"
        p = model.decode({"canonical": alone}, predict=[other])
        assert list(p) == [other]
        assert (p[other].mean - batch[other]).square().mean() < 0.8 * batch[other].var()
    missing = {**batch, OBSERVED: torch.ones(400, 3, dtype=torch.bool)}
    missing[OBSERVED][::2, 1:] = False
    mixed = model.encode(missing)["canonical"].mean
    torch.testing.assert_close(mixed[1::2], whole[1::2])
    torch.testing.assert_close(mixed[::2], model.encode({"block 1": batch["block 1"]})["canonical"].mean[::2])
    assert (model.evidence(missing, model.encode(missing)).reconstruction["block 2"][::2] == 0).all()
    assert set(model.correlations()) == {("block 1", "block 2"), ("block 1", "block 3"), ("block 2", "block 3")}
    assert model.loadings()["canonical"]["block 2"].shape == (10, 2)
    with pytest.raises(ValueError, match="have every modality"):
        model.fit({**batch, OBSERVED: missing[OBSERVED] & False})
