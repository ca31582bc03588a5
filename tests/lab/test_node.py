"""What a job does on its node where it cannot begin, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vaecore.lab import attempts, locks, node, worker
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
