"""A small VAE and its map, trained once a module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.runs import small
from vaecore.explore import Checkpoint
from vaecore.store import Run, Store
from vaecore.training import train


class _Silent:
    def stop_requested(self) -> bool:
        return False

    def progress(self, step: int, total: int, epoch: float) -> None:
        pass


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, configure: Callable[..., Any]) -> Callable[..., Checkpoint]:
    """A small run with other values, trained and opened."""
    store = Store(tmp_path_factory.mktemp("trained"))

    def trained(values: dict[str, Any] | None = None, name: str = "run") -> Checkpoint:
        run = store.create(configure({**small(), **(values or {})}), name)
        train(run.path, _Silent())
        return Checkpoint.load(run)

    return trained


@pytest.fixture(scope="module")
def vae(make: Callable[..., Checkpoint]) -> Checkpoint:
    return make()


@pytest.fixture
def here(start: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """One of a test's own, whose files it may change, with a cache of its own: equal weights share what is kept."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    return Checkpoint.load(Run(start(small())))
