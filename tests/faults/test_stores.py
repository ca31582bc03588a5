"""A store, a run's folder or its configuration that is moved, deleted, replaced or made read-only while it trains."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.disk import failing
from tests.faults.writes import VALUES, aside, broken, trained
from tests.training.test_resume import same
from vaecore import cli, lab, locks
from vaecore.config import RunConfig
from vaecore.lab import attempts, evaluations, state
from vaecore.schema import parse
from vaecore.store import Run, Store

CONFIG = parse(RunConfig, VALUES)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run that was trained by a worker, and one that was not."""
    import sklearn.datasets  # noqa: F401, so that no child has to
    import torch
    import torch._dynamo

    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("made")
    for name in ("whole", "it"):
        Store(root).create(CONFIG, name)
    assert trained(root / "runs" / "whole", root.with_name("log"))[0] == 0
    return root


@pytest.fixture
def store(tmp_path: Path, made: Path) -> Store:
    shutil.copytree(made, tmp_path / "store")
    return Store(tmp_path / "store")


def while_training(folder: Path, act: Callable[[], object], log: Path, step: int = 5) -> int:
    """Train in a child, in which something happens at a step; its exit code."""
    def do() -> int:
        from vaecore.lab import control, worker

        control.Heartbeat.start = lambda _self: None  # type: ignore[method-assign]
        true, done = control.Control.progress, []

        def progress(self: control.Control, now: int, total: int, epoch: float) -> None:
            if now == step and not done:
                done.append(act())
            true(self, now, total, epoch)

        control.Control.progress = progress  # type: ignore[method-assign]
        return worker.main([str(folder)])

    return aside(do, log)


def test_a_store_that_is_moved_while_it_trains_and_moved_back(store: Store, tmp_path: Path) -> None:
    folder, away = store.root / "runs" / "it", tmp_path / "away"
    assert while_training(folder, lambda: store.root.rename(away), tmp_path / "log") != 0
    assert not store.root.exists(), "nothing is made again where the store was"
    moved = away / "runs" / "it"
    assert lab.status(moved).state == "lost" and "Resume" in lab.status(moved).detail
    assert not broken(moved) and not lab.busy(moved)
    away.rename(store.root)
    assert lab.status(folder).state == "lost"
    assert trained(folder, tmp_path / "log")[0] == 0
    same(store.root / "runs" / "whole", folder)


def test_a_store_that_is_moved_is_resumed_where_it_is(store: Store, tmp_path: Path) -> None:
    folder, away = store.root / "runs" / "it", tmp_path / "away"
    while_training(folder, lambda: store.root.rename(away), tmp_path / "log", step=9)
    assert trained(away / "runs" / "it", tmp_path / "log")[0] == 0
    same(away / "runs" / "whole", away / "runs" / "it")


@pytest.mark.parametrize("what", ["run", "store"])
def test_what_is_deleted_while_it_trains_is_not_made_again(store: Store, tmp_path: Path, what: str) -> None:
    folder = store.root / "runs" / "it"
    gone = folder if what == "run" else store.root
    assert while_training(folder, lambda: shutil.rmtree(gone), tmp_path / "log") != 0
    assert not gone.exists()
    if what == "run":
        assert [run.id for run in store.runs()] == ["whole"]
        assert lab.status(store.root / "runs" / "whole").state == "finished"


def test_a_configuration_that_is_replaced_while_it_trains(store: Store, tmp_path: Path) -> None:
    """It goes on with what it began with; who resumes it with another model or other data is refused, in words."""
    folder = store.root / "runs" / "it"
    other = json.loads((folder / "config.json").read_text())
    other["model"]["latent_size"] = 2
    true = (folder / "config.json").read_text()
    assert while_training(folder, lambda: (folder / "config.json").write_text(json.dumps(other)), tmp_path / "log") == 0
    (folder / "config.json").write_text(true)
    same(store.root / "runs" / "whole", folder)

    half = store.create(CONFIG, "half").path
    def stop() -> None:
        (half / "stop").touch()
        time.sleep(0.1)  # it looks twenty times a second, and the training may be over sooner

    assert while_training(half, stop, tmp_path / "log") == 0
    assert lab.status(half).state == "stopped"
    good = {path.name: path.read_bytes() for path in half.glob("*.safetensors")}
    (half / "config.json").write_text(json.dumps(other))
    assert trained(half, tmp_path / "log")[0] == 1
    now = lab.status(half)
    assert now.state == "failed" and "model.latent_size = 4, but config.json says 2" in now.detail
    assert good == {path.name: path.read_bytes() for path in half.glob("*.safetensors")}
    (half / "config.json").write_text(true)
    assert trained(half, tmp_path / "log")[0] == 0
    same(store.root / "runs" / "whole", half)


def test_a_disk_that_becomes_read_only_while_it_trains(store: Store, tmp_path: Path) -> None:
    folder = store.root / "runs" / "it"
    _, asked = trained(store.create(CONFIG, "counted").path, tmp_path / "log")
    code, _ = trained(folder, tmp_path / "log", 2 * len(asked) // 3, errno.EROFS, lasting=True)
    now = lab.status(folder)
    assert code != 0 and now.state == "lost" and "disk" in now.detail and "Resume" in now.detail
    assert "The disk can only be read: make it writable again, then press Resume" in (tmp_path / "log").read_text()
    assert trained(folder, tmp_path / "log")[0] == 0
    same(store.root / "runs" / "whole", folder)


# -- verbs on a store that can only be read ---------------------------------------------------------


@pytest.fixture
def read_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The store in use has a disk that refuses every write."""
    monkeypatch.setenv("VAECORE_STORE", str(store.root))
    with failing(store.root, 1, errno.EROFS, lasting=True):
        yield


@pytest.mark.parametrize(("words", "code"), [
    (("runs",), 0), (("show", "whole"), 0), (("trash",), 0), (("evaluations",), 0), (("sweep", "list"), 0),
    (("resume", "it"), 2), (("tag", "whole", "--add", "good"), None), (("remove", "whole", "--yes"), None),
    (("rename", "whole", "x"), None), (("train", "--preset", "vae-digits"), 2), (("fork", "whole"), 2),
    (("evaluate", "whole", "--parts", "none"), None)])
@pytest.mark.usefixtures("read_only")
def test_every_verb_on_a_read_only_disk_answers_in_words(capsys: pytest.CaptureFixture[str],
                                                         monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...],
                                                         code: int | None) -> None:
    monkeypatch.setattr("sys.argv", ["vaecore", *words])
    try:
        cli.main()
        ended = 0
    except SystemExit as end:
        ended = int(end.code or 0)
    said = capsys.readouterr()
    assert ended == code if code is not None else ended != 0, said
    if ended:
        assert "The disk can only be read: make it writable again, then try again." in said.err + said.out
    assert "Traceback" not in said.err + said.out


# -- clocks ----------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_lets_nobody_overtake(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.jobs, "kick", lambda _root: None)
    times = iter([3_000, 1_000, 1_000, 2_000, 5_000])
    monkeypatch.setattr(lab.jobs.time, "time_ns", lambda: next(times))
    names = [store.create(CONFIG, f"queued-{place}").path.name for place in range(5)]
    for name in names:
        lab.submit(store.root / "runs" / name)
    assert lab.queue(store.root) == names
    assert [ticket.name.split("-")[1] for ticket in state.tickets(store.root)] == [
        "3000", "3001", "3002", "3003", "5000"]


def test_evaluations_keep_their_order_when_the_clock_is_set_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "kick", lambda _store: None)
    times = iter([3_000, 1_000])
    monkeypatch.setattr(evaluations.time, "time_ns", lambda: next(times))
    shutil.copytree(store.root / "runs" / "whole", store.root / "runs" / "second")
    for name in ("whole", "second"):
        assert not evaluations.submit([Run(store.root / "runs" / name)], store=store)
    assert [item.run for item in evaluations.items(store)] == ["whole", "second"]


@pytest.mark.parametrize("hours", [-30_000, -3_600, 3_600, 30_000])
def test_states_do_not_hang_on_the_clock(store: Store, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running is who holds the lock, finished who said so; a clock that is wrong by days changes neither."""
    folder, whole = store.root / "runs" / "it", store.root / "runs" / "whole"
    attempts.begin(folder)
    beat = {"time": state.time.time(), "attempt": 1, "pid": os.getpid(), "host": "", "step": 3, "total": 12}
    (folder / "heartbeat.json").write_text(json.dumps(beat))
    lock = locks.attempt(folder / "lock")
    assert lock is not None
    true = state.time.time()
    monkeypatch.setattr(state.time, "time", lambda: true + 3_600 * hours)
    try:
        now = lab.status(folder)
        assert (now.state, now.step) == ("running", 3) and now.heartbeat_age is not None and now.heartbeat_age >= 0
        assert lab.status(whole).state == "finished"
    finally:
        os.close(lock)
    assert lab.status(folder).state == "lost"


def test_stopping_at_once_does_not_wait_for_a_clock_that_was_set_back(store: Store, monkeypatch: pytest.MonkeyPatch
                                                                      ) -> None:
    folder = store.root / "runs" / "it"
    attempts.begin(folder)
    lock = locks.attempt(folder / "lock")
    assert lock is not None
    monkeypatch.setattr(lab.jobs, "GRACE", 0.2)
    killed: list[Path] = []
    monkeypatch.setattr(lab.jobs, "_kill", killed.append)
    true = lab.jobs.time.time()
    monkeypatch.setattr(lab.jobs.time, "time", lambda: true - 86_400)  # the request's file is of tomorrow
    lab.stop(folder, now=True)
    os.close(lock)
    assert killed == [folder]
