"""`vaecore map`: written as its ending says, kept for the next time, refused by the field; stopped and begun again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.test_cli import refused, said
from tests.training.runs import small
from vaecore.explore import Checkpoint
from vaecore.explore.maps import Population, kept
from vaecore.lab import background
from vaecore.mapping import Settings
from vaecore.store import Run

pytestmark = pytest.mark.usefixtures("cast")


@pytest.fixture
def run(start: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    return Run(start(small()))


def words(run: Run, *more: str) -> list[str]:
    return ["map", run.id, "--store", str(run.path.parents[1]), *more]


def test_a_map_is_written_and_its_codes_are_kept(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts: Any = said(capsys, *words(run, "--method", "pca", "--output", str(tmp_path / "map.npz")))
    with np.load(tmp_path / "map.npz") as arrays:
        assert len(arrays["points"]) == facts["observations"] == 250
        assert facts["means"]["kl"] == pytest.approx(arrays["kl"].mean(), rel=1e-5)
    assert facts["axes"][0].startswith("PC1") and facts["settings"]["method"] == "pca"
    assert kept.codes(Population.of(Checkpoint.load(run))) is not None
    python = Checkpoint.load(run).map(method="pca")
    assert list(python.axes) == facts["axes"]


@pytest.mark.parametrize(("given", "told"), [
    (["--split", "all"], "split"), (["--method", "tsne"], "method"), (["--output", "map.pdf"], ".png, .csv, .npz"),
    (["--across", "7"], "dimensions 0 to 3"), (["--min-dist", "2"], "min_dist"),
    (["--across", "1", "--up", "1"], "two different")])
def test_what_cannot_be_made_is_refused_by_its_field(run: Run, given: list[str], told: str,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    assert told in refused(capsys, *words(run, *given))


def test_a_map_of_the_background_is_stopped_and_begun_again(run: Run) -> None:
    settings = Settings(method="umap", neighbors=5)
    task = background.latent_map(run, settings)
    task.start(settings.words())
    _until(lambda: task.progress().lines or not task.progress().running)
    task.stop()
    _until(lambda: not task.progress().running)
    population = Population.of(Checkpoint.load(run))
    assert kept.points(population, settings) is None
    quick = Settings(method="pca")
    again = background.latent_map(run, quick)
    again.start(quick.words())
    _until(lambda: not again.progress().running)
    assert kept.codes(population) is not None, again.progress().lines
    assert again.progress().lines[-1].startswith(background.KEPT), "a page tells it from a failure"
    assert background.reached(("encoding: 5 of 10",)) == ("encoding", 0.5)


def _until(done: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)
