"""Two servers and a terminal on one store: never two trainings of one run, never more at once than there are slots."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from pathlib import Path

import pytest

from vaecore import lab
from vaecore.lab import jobs

STAND_IN = [sys.executable, str(Path(__file__).parents[1] / "lab" / "stand_in.py")]
BEGUN = {"new": 0, "queued": 1, "running": 2, "finished": 3}  # a run only goes on


def serve(root: Path, until: float, told: multiprocessing.Queue[list[tuple[str, str]]]) -> None:
    """Look at the queue and at every run again and again, as the pages of a server do."""
    jobs.SUPERVISOR = [*STAND_IN, "supervisor"]
    seen: list[tuple[str, str]] = []
    folders = sorted((root / "runs").iterdir())
    while time.monotonic() < until:
        lab.kick(root)
        states = [lab.status(folder).state for folder in folders]
        seen += [(folder.name, state) for folder, state in zip(folders, states, strict=True)]
        if set(states) == {"finished"}:
            break
    told.put(seen)


def test_servers_that_look_at_once_train_each_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SUPERVISOR", [*STAND_IN, "supervisor"])
    (tmp_path / "runs").mkdir()
    (tmp_path / "lab.json").write_text('{"slots": 2}')
    folders = [tmp_path / "runs" / f"run-{place}" for place in range(6)]
    for folder in folders:
        folder.mkdir()
        (folder / "config.json").write_text('{"steps": 20, "seconds": 0.01}')
    context = multiprocessing.get_context("fork")
    told: multiprocessing.Queue[list[tuple[str, str]]] = context.Queue()
    servers = [context.Process(target=serve, args=(tmp_path, time.monotonic() + 120, told)) for _ in range(3)]
    for server in servers:
        server.start()
    for folder in folders:
        lab.submit(folder)
    seen = [told.get(timeout=150) for _ in servers]
    for server in servers:
        server.join()

    lives = [[json.loads(line) for line in (folder / "times.jsonl").read_text().splitlines()] for folder in folders]
    assert [len(life) for life in lives] == [1] * 6, "each was trained once"
    assert [lab.status(folder).attempt for folder in folders] == [1] * 6
    moments = sorted([(begin, 1) for [(begin, _)] in lives] + [(end, -1) for [(_, end)] in lives])
    at_once = [sum(step for _, step in moments[:place + 1]) for place in range(len(moments))]
    assert max(at_once) <= 2
    for each in seen:  # and no server saw one go back, or saw what was not
        for folder in folders:
            states = [BEGUN[state] for name, state in each if name == folder.name]
            assert states == sorted(states) and states[-1] == BEGUN["finished"], folder.name
