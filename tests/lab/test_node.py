"""What a job does on its node where it cannot begin, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vaecore.lab import attempts, locks, node, ranks, state, worker
from vaecore.lab.owners import Elsewhere


@pytest.mark.parametrize("error", [Elsewhere("it was begun by another process just now"), OSError(28, "full")])
def test_a_job_that_cannot_begin_lets_those_go_who_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                               error: Exception) -> None:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)

    def refuse(*_: Any) -> int:
        raise error

    told: list[Path] = []
    monkeypatch.setattr(node, "Signals", lambda: None)
    monkeypatch.setattr(attempts, "begin_on_cluster", refuse)
    monkeypatch.setattr(worker, "dismiss", told.append)
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert node.train(folder, "abc", 10, ["no such worker"]) == 1
    assert told == [folder] and not locks.held(folder / "lock")


@pytest.fixture
def two_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was handed over to a job of two tasks, which are started in turn by naming their rank."""
    helpers = pytest.importorskip("submitit.helpers")

    class Environment:
        def export(self, **_: object) -> None: ...

    monkeypatch.setattr(helpers, "TorchDistributedEnvironment", Environment)
    monkeypatch.setattr(node, "Signals", lambda: SimpleNamespace(warned=False, ended=False, worker=None))
    monkeypatch.setattr(node, "LOOK", 0.05)
    monkeypatch.setattr(ranks, "GRACE", 0.1)
    for name, value in {"SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    (tmp_path / "slurm" / "abc" / "7").mkdir(parents=True)
    (tmp_path / "slurm" / "abc" / "7" / "died-0-1").write_text("Of the life before.")
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    with attempts.opened_for("abc", [folder], ()):
        pass
    return folder


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_a_task_that_dies_before_it_has_met_the_first_ends_the_training(two_tasks: Path,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert node.train(two_tasks, "abc", 10, sh("exit 3")) == 3
    monkeypatch.setenv("RANK", "0")
    assert node.train(two_tasks, "abc", 10, sh("sleep 60 & wait")) == 9
    now = state.told(two_tasks, state.LastWord, [])
    log = two_tasks.parents[1] / "slurm" / "abc" / "7" / "7_1_log.out"
    assert now is not None and (now.state, now.attempt) == ("failed", 1)
    assert now.detail == f"Rank 1 of 2 ended with code 3: see {log}; resume continues from the last checkpoint."


def test_what_the_first_says_itself_counts_and_a_task_that_follows_it_leaves_no_word(
        two_tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = two_tasks.parents[1] / "slurm" / "abc" / "7"
    monkeypatch.setenv("RANK", "1")
    for code in (0, ranks.LEFT_BEHIND):
        assert node.train(two_tasks, "abc", 10, sh(f"exit {code}")) == 0
    assert [each.name for each in files.iterdir()] == ["died-0-1"]
    (files / "died-1-1").write_text("Rank 1 of 2 died.")
    monkeypatch.setattr(ranks, "GRACE", 60.0)
    monkeypatch.setenv("RANK", "0")
    said = json.dumps({"attempt": 1, "state": "failed", "detail": "Rank 1 of 2 failed: its data are gone."})
    assert node.train(two_tasks, "abc", 10, sh(f"sleep 0.3; echo '{said}' > {two_tasks}/exit.json; exit 1")) == 1
    now = state.told(two_tasks, state.LastWord, [])
    assert now is not None and now.detail == "Rank 1 of 2 failed: its data are gone."
