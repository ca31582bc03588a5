"""Processes that share a training: one that dies ends all, any number of them goes on, and the curve is that of one."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.runs import small, timeless
from vaecore import lab
from vaecore.config import Training
from vaecore.lab import LabError, ranks, state
from vaecore.store import Store
from vaecore.training import train
from vaecore.training.ranks import group

ROOT = Path(__file__).parents[2]
# Long enough to be caught in the middle; 64 rows are unequal parts for three processes.
RUN = small({"network": {"kind": "mlp", "hidden": [16], "activation": "tanh"}}, epochs=125, evaluate_every=25,
            clip_norm=10.0, optimizer="sgd")


@pytest.fixture
def make(tmp_path: Path, configure: Callable[[dict[str, Any]], Any], monkeypatch: pytest.MonkeyPatch
         ) -> Callable[..., Path]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def make(values: dict[str, Any], name: str) -> Path:
        return Store(tmp_path / "trained").create(configure(values), name).path

    return make


def until(true: Callable[[], Any], seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return value


def logged(folder: Path, attempt: int, resumed: bool = True) -> int:
    """The steps in the log, once an attempt has opened the run: they come 50 at a time, and sooner than heartbeats."""
    said = (folder / "log.txt").read_text() if (folder / "log.txt").exists() else ""
    _, begun, said = said.partition(f"--- attempt {attempt}, ")
    if not begun or ("resumed at" if resumed else "step 0:") not in said:
        return 0
    return (folder / "metrics.jsonl").read_text().count('"kind": "step"')


def ranks_of(folder: Path) -> list[int]:
    """The pids of the processes that follow another in the training of `folder`."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                command, said = (place / "cmdline").read_bytes().split(b"\0"), (place / "environ").read_bytes()
            except OSError:  # it has ended meanwhile, or is another user's
                continue
            if str(folder).encode() in command and b"vaecore.lab.worker" in command and any(
                    word.startswith(b"RANK=") and word != b"RANK=0" for word in said.split(b"\0")):
                found.append(int(place.name))
    return found


def by_torchrun(folder: Path, size: int) -> list[subprocess.Popen[bytes]]:
    """A training by processes that know of each other what torchrun tells them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [subprocess.Popen([sys.executable, "-m", "vaecore.lab.worker", str(folder)], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env={**env, "RANK": str(rank), "LOCAL_RANK": str(rank)})
            for rank in range(size)]


def apart(one: Any, other: Any) -> float:
    """The largest relative difference of two logs, whose lines have the same fields."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return max((apart(one[name], other[name]) for name in one), default=0.0)
    if isinstance(one, list):
        return max((apart(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    if isinstance(one, float):
        return abs(one - other) / (1 + abs(one))
    assert one == other
    return 0.0


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes by /proc")
@pytest.mark.parametrize("longer", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_processes_then_one_then_three_make_the_curve_of_one(make: Callable[..., Path], watch: Any, longer: bool
                                                                 ) -> None:
    plain, folder = make(RUN, "plain"), make(RUN, "shared")
    train(plain, watch())

    lab.submit(folder, lab.Here(processes=2))  # --- two, of which one is killed
    until(lambda: logged(folder, 1, resumed=False) > 50)
    [follower] = ranks_of(folder)
    os.kill(follower, signal.SIGKILL)
    said = lab.wait(folder, 60)
    assert said.state == "failed" and "Rank 1 of 2 was killed by SIGKILL" in said.detail, said.detail
    assert not ranks_of(folder)
    if not longer:
        train(folder, watch())
        assert apart(timeless(plain), timeless(folder)) < 1e-3
        return

    lab.submit(folder)  # --- two, as the last time; stopped
    until(lambda: logged(folder, 2) > 50)
    lab.stop(folder)
    said = lab.wait(folder, 60)
    assert said.state == "stopped" and 50 < said.step < 300 and not ranks_of(folder), said.detail
    assert "in each of 2 processes" in (folder / "log.txt").read_text()

    train(folder, watch(stop_at=said.step + 50))  # --- one

    three = by_torchrun(folder, 3)  # --- three, asked to stop: all do after the same step
    until(lambda: (folder / "metrics.jsonl").read_text().count('"kind": "step"') > said.step + 50)
    (folder / "stop").touch()
    logs = [each.communicate(timeout=60)[0].decode() for each in three]
    assert [each.returncode for each in three] == [0, 0, 0], logs
    assert lab.status(folder).state == "stopped", logs
    assert f"resumed at step {said.step + 50}" in logs[0] and not any("step" in log for log in logs[1:])

    train(folder, watch())
    assert apart(timeless(plain), timeless(folder)) < 1e-3
    assert sorted(each.name for each in folder.iterdir()) == sorted(
        [*(each.name for each in plain.iterdir()), "exit.json", "heartbeat.json", "launch.json", "lock", "where.json",
         "log.txt", "owner-3.json", "preview.png", "stop"])


@pytest.mark.slow
def test_what_evaluations_decide_is_followed_by_all(make: Callable[..., Path], watch: Any) -> None:
    """When encoder and decoder begin to learn together, which weights are kept, and when patience ends it."""
    values = small(RUN["model"], epochs=40, optimizer="sgd", learning_rate=1.0, clip_norm=1.0, patience=2,
                   inference={"kind": "aggressive", "window": 2, "most": 4, "patience": 1})
    plain, shared = make(values, "plain"), make(values, "shared")
    train(plain, watch())
    two = by_torchrun(shared, 2)
    logs = [each.communicate(timeout=120)[0].decode() for each in two]
    assert [each.returncode for each in two] == [0, 0], logs
    assert lab.status(shared).state == "finished", logs
    assert "encoder and decoder now learn together" in logs[0] and "stopped early" in logs[0]
    assert 0 < timeless(shared)[-1]["step"] < 160
    assert apart(timeless(plain)[:20], timeless(shared)[:20]) < 1e-4
    assert apart(timeless(plain), timeless(shared)) < 0.05  # long steps take two orders of summing further apart


def test_several_processes_train_no_stack(make: Callable[..., Path]) -> None:
    folders = [make(RUN, f"member-{seed}") for seed in range(2)]
    with pytest.raises(LabError, match="2 processes share"):
        lab.submit_together(folders, lab.Here(processes=2), stack=True)
    assert not state.tickets(folders[0].parents[1])


def test_nonsense_in_the_environment_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    assert ranks.rank() is None  # of one process nothing is asked
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(LabError, match="RANK is 'first'"):
        ranks.rank()
    assert "RANK" not in ranks.alone()


def test_who_waits_in_vain_for_another_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1",
                        "MASTER_PORT": str(port)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(group.RENDEZVOUS, raising=False)
    monkeypatch.setattr(group, "JOINING", datetime.timedelta(seconds=0.3))
    with pytest.raises(group.RankLost, match=r"^Rank 0 of 2 has waited .* not all have come"):
        group.Ranks.join(Training(device="cpu"))
