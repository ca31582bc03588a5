"""UMAP: an optional package, whose map is kept by its settings; without it everything else goes on."""

from __future__ import annotations

import builtins
import importlib.util
from typing import Any

import numpy as np
import pytest

from vaecore.explore import Checkpoint
from vaecore.explore.maps import Population, Settings, kept, latent_map, neighbourhoods
from vaecore.schema import ConfigError

UMAP = Settings(split="kept", method="umap", neighbors=5)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where umap-learn is not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(neighbourhoods, "find_spec", lambda name: None if name == "umap" else real(name))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many codes each projection had, which is a stand-in: a line by the first dimension."""
    calls: list[int] = []

    def project(codes: np.ndarray, *how: Any) -> np.ndarray:
        calls.append(len(codes))
        return np.stack([codes[:, 0], np.full(len(codes), how[0])], 1).astype(np.float32)

    monkeypatch.setattr(neighbourhoods, "project", project)
    return calls


@pytest.mark.slow
def test_islands_come_apart_and_the_seed_fixes_the_map() -> None:
    draws = np.random.default_rng(0)
    codes = np.concatenate([draws.normal(size=(60, 6)), draws.normal(size=(60, 6)) + 30]).astype(np.float32)
    told: list[tuple[int, int]] = []
    found = neighbourhoods.project(codes, 8, 0.1, 4, lambda done, of: told.append((done, of)))
    np.testing.assert_array_equal(found, neighbourhoods.project(codes, 8, 0.1, 4))
    assert found.shape == (120, 2) and found.dtype == np.float32
    first, second = found[:60], found[60:]
    inside = max(np.linalg.norm(part - part.mean(0), axis=1).max() for part in (first, second))
    assert np.linalg.norm(first.mean(0) - second.mean(0)) > inside
    assert told and told[-1][0] <= told[-1][1] and told == sorted(told)
    new = neighbourhoods.place(codes, found, np.array([[0] * 6, [30] * 6], np.float32), 8)
    assert np.linalg.norm(new[0] - first.mean(0)) < inside and np.linalg.norm(new[1] - second.mean(0)) < inside
    with pytest.raises(ValueError, match="at least 3"):
        neighbourhoods.project(codes[:2])


def test_a_map_is_kept_by_its_settings(vae: Checkpoint, counted: list[int]) -> None:
    first = latent_map(vae, UMAP)
    np.testing.assert_array_equal(latent_map(vae, UMAP).points, first.points)
    assert counted == [64] and first.plane is None and first.axes == ("UMAP 1", "UMAP 2")
    latent_map(vae, UMAP.model_copy(update={"across": 2}))  # a field of another method
    assert counted == [64]
    for field, value in (("neighbors", 6), ("min_dist", 0.5), ("seed", 1)):
        other = UMAP.model_copy(update={field: value})
        assert kept.points(Population.of(vae, "kept"), other) is None
        latent_map(vae, other)
    assert counted == [64] * 4


@pytest.mark.usefixtures("counted")
def test_a_place_of_umap_is_the_mean_code_of_its_neighbours(vae: Checkpoint) -> None:
    found = latent_map(vae, UMAP)
    code = found.codes(found.points[[3]])[0]
    assert np.linalg.norm(code - found.encoded.means[3]) < found.encoded.means.std(0).max() * 2
    np.testing.assert_allclose(found.place(found.encoded.means[[3]])[0, 1], found.points[3, 1], atol=1e-5)


@pytest.mark.usefixtures("without")
def test_without_the_package_it_says_how_to_install_it(vae: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not neighbourhoods.available()
    with pytest.raises(ConfigError, match=r"pip install 'vaecore\[umap\]'"):
        latent_map(vae, UMAP)
    real = builtins.__import__

    def refused(name: str, *rest: Any, **more: Any) -> Any:
        assert name != "umap"
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refused)
    assert len(latent_map(vae, Settings(split="kept", method="pca"))) == 64
