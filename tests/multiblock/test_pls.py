"""Multi-block PLS against PLS and PCA of the joined blocks, and as a family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.cross_decomposition import PLSRegression

from vaecore.multiblock import multiblock_pls
from vaecore.schema import ConfigError
from vaecore.training.checkpoints import load_model, save_weights

Matrix = NDArray[np.float64]
Train = Callable[..., Any]


def planted(n: int = 120, seed: int = 0) -> tuple[list[Matrix], Matrix, Matrix]:
    """Blocks, an outcome, and the blocks joined after division by sqrt(p_b)."""
    generator = np.random.default_rng(seed)
    z = generator.standard_normal((n, 3))
    blocks = [z @ generator.standard_normal((3, p)) + generator.standard_normal((n, p)) + 5 for p in (30, 4, 9)]
    y = z @ generator.standard_normal((3, 2)) + 0.3 * generator.standard_normal((n, 2))
    return blocks, y, np.concatenate([(x - x.mean(0)) / np.sqrt(x.shape[1]) for x in blocks], axis=1)


def test_super_scores_are_those_of_the_joined_blocks() -> None:
    blocks, y, joined = planted()
    informed = multiblock_pls(blocks, 3, y)
    pls = PLSRegression(3, scale=False, tol=1e-15, max_iter=10_000).fit(joined, y)
    np.testing.assert_allclose(np.abs(informed.super_scores), np.abs(pls.x_scores_), atol=1e-6)
    agnostic = multiblock_pls(blocks, 3)
    left, singular, _ = np.linalg.svd(joined, full_matrices=False)
    np.testing.assert_allclose(np.abs(agnostic.super_scores), np.abs(left[:, :3] * singular[:3]), atol=1e-6)
    for found in (informed, agnostic):
        np.testing.assert_allclose(found.scores(blocks), found.super_scores, atol=1e-9)
        np.testing.assert_allclose(np.einsum("bnr,br->nr", found.block_scores, found.super_weights),
                                   found.super_scores, atol=1e-9)
        np.testing.assert_allclose(np.square(found.super_weights).sum(0), 1)


@pytest.mark.parametrize("outcome", ["", "block 3"])
def test_the_family_is_saved_and_reads_any_modalities(trainer: Train, tmp_path: Path, outcome: str) -> None:
    made, _ = trainer({"data": {"name": "planted-blocks", "samples": 400, "noise": 0.3, "individual_rank": 0},
                       "model": {"family": "multiblock-pls", "latent_size": 2, "outcome": outcome}})
    batch = made.feed.all()
    assert made.model.fit(batch)
    save_weights(tmp_path / "weights.safetensors", made.model, made.config, 0)
    model = load_model(tmp_path)
    whole = model.encode(batch)["super"].mean
    torch.testing.assert_close(whole.square().mean(0), torch.ones(2), atol=1e-4, rtol=0)
    for given in ("block 1", "block 2", "block 3"):
        alone = model.encode({given: batch[given]})["super"].mean
        assert (alone - whole).square().mean() < 0.2
        other = "block 3" if given == "block 1" else "block 1"
        p = model.decode({"super": alone}, predict=[other])
        assert (p[other].mean - batch[other]).square().mean() < 0.4 * batch[other].var()
    shares = model.explained(batch)["block 1"]
    assert shares["scores"] > 0.7 and sum(shares.values()) == pytest.approx(1)
    with pytest.raises(ConfigError, match="no modality"):
        type(made.config.model)(outcome="nothing").build(model.modalities)
