"""Runs of a shared store beside one's own: looked at, forked, found by pages and command line, and left as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import vaecore
from pages.monitor.lineage import trees
from tests.cli.test_cli import call, refused
from vaecore.library import records
from vaecore.sharing import export_run, import_run
from vaecore.store import Store
from vaecore.training.checkpoints import INITIAL
from vaecore.training.fork import fork

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """One's own store, beside the store `lab` of a colleague who has one run."""
    shutil.copytree(GALLERY / "vae-plane", tmp_path / "disk" / "runs" / "plane")
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "own"))
    monkeypatch.setenv("VAECORE_SHARED", f"lab={tmp_path / 'disk'}:away={tmp_path / 'nothing'}")
    return Store.default()


def test_a_fork_of_a_shared_run_is_ones_own(own: Store) -> None:
    parent = own.find("lab/plane")
    child = fork(own, parent, "best", parent.config(), "child")
    assert child.writable and (child.path / INITIAL).is_file() and child.about()["parent"]["run"] == "lab/plane"
    lines = trees(["child"], {run.id: run for run in own.everything()})
    assert [(line.id, line.depth) for line in lines] == [("lab/plane", 0), ("child", 1)]


def test_a_shared_run_is_opened_listed_and_taken_along(own: Store, tmp_path: Path) -> None:
    before = sorted(tmp_path.joinpath("disk").rglob("*"))
    assert vaecore.load("lab/plane").run.id == "lab/plane"
    assert [(each.id, each.place) for each in records(own)] == [("lab/plane", "lab")]
    run = import_run(export_run("lab/plane", tmp_path / "plane.zip"))
    assert run.id == "plane" and run.writable and vaecore.load("plane").run == run
    assert sorted(tmp_path.joinpath("disk").rglob("*")) == before


@pytest.mark.usefixtures("own")
def test_the_command_line_reads_it_and_says_who_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["runs", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [row["id"] for row in json.loads(out)] == ["lab/plane"]
    assert "'away'" in err and "is away" in err
    for verb in (["resume", "lab/plane"], ["stop", "lab/plane"], ["remove", "lab/plane", "--yes"]):
        assert "only read here" in refused(capsys, *verb)
