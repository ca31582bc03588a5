"""JIVE against what was planted, its constraints, and as a family whose ranks are chosen from the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vaecore.config import RunConfig
from vaecore.lab.control import Control
from vaecore.multiblock import choose_ranks, jive
from vaecore.schema import ConfigError, parse
from vaecore.store import Store
from vaecore.studies.c09_jive import simulation
from vaecore.training import train
from vaecore.training.checkpoints import load_model, save_weights, untrained

Matrix = NDArray[np.float64]
Train = Callable[..., Any]


def planted(seed: int, n: int = 100, p: int = 50, strength: float = 0.5) -> tuple[list[Matrix], Matrix, list[Matrix]]:
    """Two blocks with a joint and an individual score each, the scores (n, 3), and J less its mean."""
    generator = np.random.default_rng(seed)
    scores = generator.standard_normal((n, 3))
    joint = [np.outer(scores[:, 0], generator.standard_normal(p)) for _ in range(2)]
    blocks = [j + strength * np.outer(scores[:, 1 + m], generator.standard_normal(p))
              + generator.standard_normal((n, p)) for m, j in enumerate(joint)]
    return blocks, scores, [j - j.mean(0) for j in joint]


@pytest.mark.parametrize("shape", [(100, 50), (40, 90), (400, 20)])  # either short cut, and both sides of a block
def test_parts_are_orthogonal_and_add_up(shape: tuple[int, int]) -> None:
    blocks, scores, joint = planted(0, *shape)
    found = jive(blocks, 1, (1, 1))
    s, (a, b) = found.joint_scores, found.individual_scores
    for left, right in ((s, a), (s, b), (a, b)):
        assert abs(float((left.T @ right).item())) < 1e-3 * shape[0]
    np.testing.assert_allclose(np.square(np.concatenate([s, a, b], axis=1)).mean(0), 1)
    for x, j, own, e, c in zip(blocks, found.joint, found.individual, found.explained, found.centres, strict=True):
        total = np.square(x - c).sum()
        assert e["residual"] == pytest.approx(np.square(x - c - j - own).sum() / total)
        assert e["joint"] + e["individual"] + e["residual"] == pytest.approx(1, abs=0.03)
    assert abs(np.corrcoef(s[:, 0], scores[:, 0])[0, 1]) > 0.98
    error = np.linalg.norm(np.concatenate(found.joint, 1) - np.concatenate(joint, 1)) / np.linalg.norm(joint)
    assert error < 0.35
    again, own = found.scores(blocks)  # least squares on all loadings, with the same signs
    assert np.corrcoef(again[:, 0], s[:, 0])[0, 1] > 0.98
    assert all(np.corrcoef(x[:, 0], y[:, 0])[0, 1] > 0.9 for x, y in zip(own, (a, b), strict=True))


def test_permutation_finds_the_planted_ranks() -> None:
    """Where the joint part is the stronger one. Claim C9 has 20 seeds, and parts that are equally strong."""
    lines: list[str] = []
    ranks = []
    for seed in range(4):
        found = choose_ranks(planted(seed)[0], permutations=60, seed=seed, progress=lines.append)
        ranks.append((found.joint_rank, *found.individual_ranks))
        assert found.agreed
    print(ranks, lines)
    assert ranks.count((1, 1, 1)) >= 3
    assert lines[0].startswith("round 1: joint rank 1")


def test_the_start_is_that_of_rjive() -> None:
    """From A = 0 a part of one individual score stays in the joint rest here, and passes for another (1; 2, 1)."""
    found = choose_ranks(simulation(0, 1.0)[0], permutations=60)
    assert (found.joint_rank, *found.individual_ranks) == (1, 1, 1)


def test_impossible_ranks_are_refused() -> None:
    blocks, _, _ = planted(0, 20, 5)
    with pytest.raises(ValueError, match="individual rank of 6"):
        jive(blocks, 1, (6, 1))
    with pytest.raises(ValueError, match="joint rank of 11"):
        jive(blocks, 11, (1, 1))


@pytest.mark.parametrize("ranks", [{"kind": "fixed", "joint": 2, "individual": 1},
                                   {"kind": "permutation", "permutations": 20, "most": 7}])
def test_the_family_is_saved_and_reads_any_modalities(trainer: Train, tmp_path: Path, ranks: dict[str, Any]) -> None:
    made, _ = trainer({"data": {"name": "planted-blocks", "samples": 300, "noise": 0.3},
                       "model": {"family": "jive", "ranks": ranks}})
    batch = made.feed.all()
    assert made.model.fit(batch)
    save_weights(tmp_path / "weights.safetensors", made.model, made.config, 0)
    model = load_model(tmp_path)
    assert model.latents == made.model.latents and "joint" in model.latents
    assert untrained(made.config, tmp_path).latents["joint"] == ranks.get("joint", 7)  # what there is room for
    whole = model.encode(batch)
    assert {name: q.mean.shape[1] for name, q in whole.items()} == model.latents
    rebuilt = model.decode({name: q.mean for name, q in whole.items()})
    for name, p in rebuilt.items():
        assert (p.mean - batch[name]).square().mean() < 0.2 * batch[name].var()
    for name in batch:
        alone = model.encode({name: batch[name]})
        z = {latent: q.mean for latent, q in alone.items()}
        assert (model.decode(z, predict=[name])[name].mean - batch[name]).square().mean() < 0.2 * batch[name].var()
        for latent in set(z) - {"joint", f"individual {name}"}:
            assert (z[latent].abs() < 1e-5).all()  # nothing is known of the others' own
    shares = model.explained(batch)["block 1"]
    assert list(shares) == ["joint", "individual", "residual"] and shares["residual"] < 0.2
    assert sum(shares.values()) == pytest.approx(1)
    loadings = model.loadings()
    assert loadings["joint"]["block 2"].shape == (10, model.latents["joint"])
    own = [latent for latent in loadings if latent != "joint"]
    assert own and all((loadings[latent]["block 1"] == 0).all() for latent in own if latent != "individual block 1")


def test_a_family_of_nothing_is_refused(trainer: Train) -> None:
    with pytest.raises(ConfigError, match="there is nothing"):
        trainer({"data": {"name": "planted-blocks", "samples": 200},
                 "model": {"family": "jive", "ranks": {"kind": "fixed", "joint": 0, "individual": 0}}})


@pytest.mark.parametrize("family", ["jive", "cca", "multiblock-pls"])
def test_blocks_solved_at_once_may_be_fewer_than_a_batch(tmp_path: Path, family: str) -> None:
    config = parse(RunConfig, {"data": {"name": "planted-blocks", "train_limit": 100}, "model": {"family": family},
                               "training": {"batch_size": 60_000}})
    run = Store(tmp_path).create(config)
    assert train(run.path, Control(run.path)) == "finished"
    assert run.summary()["total_steps"] == 0
