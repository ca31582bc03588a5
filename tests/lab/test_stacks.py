"""Runs that are trained stacked, in the queue: real processes, real trainings."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.runs import small
from vaecore import lab
from vaecore.config import RunConfig
from vaecore.lab import LabError, attempts, jobs, locks, state
from vaecore.schema import parse
from vaecore.store import Store

pytestmark = pytest.mark.usefixtures("cast")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[list[Path]]:
    """Three runs that differ in their seeds, too long to end by themselves while a test looks."""
    store = Store(tmp_path)
    values = small(epochs=20_000, evaluate_every=500, checkpoints=0, snapshots=0, threads=1)
    yield [store.create(parse(RunConfig, {**values, "seed": seed}), f"seed-{seed}").path for seed in range(3)]
    for ticket in state.tickets(tmp_path):
        ticket.unlink()
    for folder in (tmp_path / "runs").iterdir():
        if lab.busy(folder) and (pid := beat(folder)["pid"]) != os.getpid():
            os.kill(pid, signal.SIGKILL)


def beat(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "heartbeat.json").read_text()))


def given_back(taken: list[jobs.Taken]) -> list[str]:
    """The names of what was taken, whose locks are dropped."""
    for job in taken:
        os.close(job.lock)
    return [job.folder.name for job in taken]


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return value


def states(folders: list[Path]) -> list[str]:
    return [lab.status(folder).state for folder in folders]


def test_one_worker_trains_a_stack_whose_members_end_one_by_one(stack: list[Path]) -> None:
    root = stack[0].parents[1]
    lab.submit_together(stack, stack=True)
    assert set(states(stack)) <= {"queued", "running"}
    until(lambda: all(lab.status(folder).state == "running" and lab.status(folder).step > 0 for folder in stack))
    assert len({beat(folder)["pid"] for folder in stack}) == 1
    assert not state.tickets(root)
    with pytest.raises(LabError, match="running already"):
        lab.submit(stack[0])

    lab.stop(stack[1])
    until(lambda: lab.status(stack[1]).state == "stopped")
    until(lambda: not locks.held(stack[1] / "lock"))
    assert "Stopped at step" in lab.status(stack[1]).detail
    assert states(stack) == ["running", "stopped", "running"]
    last = beat(stack[1])

    before = lab.status(stack[0]).step  # the others go on
    until(lambda: lab.status(stack[0]).step > before + 100)
    assert beat(stack[1]) == last, "no heartbeat after the last word"
    assert "stacked: one of 3" in (stack[1] / "log.txt").read_text()
    assert "stacked: one of 3" in (stack[2] / "log.txt").read_text()

    # A kill of all leaves those that trained lost, and the one that ended as it ended.
    pid = beat(stack[0])["pid"]
    os.kill(int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=True).stdout),
            signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    until(lambda: states(stack) == ["lost", "stopped", "lost"])

    for folder in stack:  # a shorter training, so that what is resumed comes to an end
        config = json.loads((folder / "config.json").read_text())
        config["training"]["epochs"] = 1
        (folder / "config.json").write_text(json.dumps(config))
        for name in ("checkpoint.safetensors", "metrics.jsonl"):
            (folder / name).unlink()
    lab.submit_together(stack, stack=True)
    assert [lab.wait(folder, 60).state for folder in stack] == ["finished"] * 3
    assert all((folder / "summary.json").exists() and (folder / "preview.png").exists() for folder in stack)


def test_a_waiting_member_is_taken_out_alone(stack: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "kick", lambda _root: None)  # nobody takes the tickets
    lab.submit_together(stack, stack=True)
    assert [lab.status(folder).position for folder in stack] == [1, 2, 3]
    assert lab.status(stack[2]).detail == "Waiting, place 3 in the queue, to train stacked with 2 others."
    lab.stop(stack[1])
    assert states(stack) == ["queued", "stopped", "queued"]
    assert lab.status(stack[2]).detail == "Waiting, place 2 in the queue, to train stacked with 1 other."
    taken = jobs.take_next(stack[0].parents[1])
    assert states(stack) == ["running", "stopped", "running"]
    assert given_back(taken) == ["seed-0", "seed-2"]


def test_what_is_queued_alone_leaves_its_stack(stack: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "kick", lambda _root: None)
    lab.submit_together(stack, stack=True)
    lab.stop(stack[0])
    lab.submit(stack[0])
    root = stack[0].parents[1]
    assert given_back(jobs.take_next(root)) == ["seed-1", "seed-2"]
    assert given_back(jobs.take_next(root)) == ["seed-0"]


def test_one_process_is_killed_only_for_all_whom_it_trains(stack: list[Path]) -> None:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    held = [locks.take_run(folder) for folder in stack[:2]]
    try:
        for folder in stack[:2]:
            (folder / jobs.STACK).write_text(json.dumps({"members": ["seed-0", "seed-1", "seed-2"]}))
            attempt = attempts.begin(folder)
            (folder / "heartbeat.json").write_text(json.dumps({
                "attempt": attempt, "pid": process.pid, "host": socket.gethostname(), "time": time.time()}))
        (stack[2] / jobs.STACK).write_text((stack[0] / jobs.STACK).read_text())  # which has ended
        with pytest.raises(LabError, match=r"trains stacked with 1 other in one process.*stop seed-1 as well"):
            jobs._kill(stack[0])
        assert process.poll() is None
        (stack[1] / "stop").touch()
        jobs._kill(stack[0])
        assert process.wait(10) == -signal.SIGKILL
    finally:
        process.kill()
        for lock in held:
            os.close(lock)


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_ends_alone(stack: list[Path], tmp_path: Path) -> None:
    for folder in stack:
        config = json.loads((folder / "config.json").read_text())
        config["training"]["epochs"] = 1
        (folder / "config.json").write_text(json.dumps(config))
    (stack[1] / "log.txt").symlink_to(tmp_path / "elsewhere")
    lab.submit_together(stack, stack=True)
    assert [lab.wait(folder, 100).state for folder in stack] == ["finished", "failed", "finished"]
    assert not (tmp_path / "elsewhere").exists()


def test_names_in_a_folder_lead_nowhere_else(stack: list[Path]) -> None:
    for members in (["seed-0", "../elsewhere", "seed-1"], ["seed-0", ".hidden"], ["seed-1", "seed-2"], "seed-0", 5):
        (stack[0] / jobs.STACK).write_text(json.dumps({"members": members}))
        assert state.fellows(stack[0]) == []  # nobody else says the same
    for folder in stack:
        (folder / jobs.STACK).write_text(json.dumps({"members": ["seed-0", "seed-2", "../runs/seed-1"]}))
    assert state.fellows(stack[0]) == [stack[2]]
    assert state.fellows(stack[1]) == []


def test_none_is_queued_where_one_cannot_be(stack: list[Path]) -> None:
    shutil.rmtree(stack[2])
    with pytest.raises(LabError, match=r"has no config\.json"):
        lab.submit_together(stack, stack=True)
    assert states(stack[:2]) == ["new", "new"]
