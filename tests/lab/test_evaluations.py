"""Evaluations of many runs: one after the other, over the end of who asked for them, cancelled one by one or all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pages import demo
from vaecore import cli
from vaecore.errors import NotAllowed
from vaecore.evaluate.kept import evaluations as kept
from vaecore.evaluate.settings import Settings
from vaecore.lab import LabError, background, evaluations
from vaecore.lab.task import Task
from vaecore.store import Store

NONE = Settings(parts=())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Three runs in a store in use."""
    for name in ("vae", "ae", "collapsed"):
        shutil.copytree(demo.store() / "runs" / name, tmp_path / "runs" / name)
        (tmp_path / "runs" / name / "evaluation.json").unlink(missing_ok=True)
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    return Store(tmp_path)


class Sleeper:
    """In the place of evaluations: processes that sleep, and what they say at their end."""

    def __init__(self, said: str = f"{background.KEPT}a file", seconds: float = 0.4) -> None:
        self.said, self.seconds, self.begun, self.most = said, seconds, list[str](), 0
        self.asked = 0  # for a runner
        self.tasks: list[Task] = []

    def start(self, task: Task, options: object = None) -> None:
        """As `Task.start`."""
        code = f"import time; time.sleep({self.seconds}); print({self.said!r}, flush=True)"
        if "runner" in task.name:
            self.asked += 1
            return
        self.begun.append(task.name)
        lock = task._take()
        with (task.folder / f"{task.name}.log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log, pass_fds=(lock,),
                                       start_new_session=True)
        (task.folder / f"{task.name}.pid").write_text(str(process.pid))
        os.close(lock)
        threading.Thread(target=process.wait, daemon=True).start()
        self.tasks.append(task)
        self.most = max(self.most, sum(each.progress().running for each in self.tasks))


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Sleeper:
    found = Sleeper()
    monkeypatch.setattr(Task, "start", lambda task, options=None: found.start(task, options))
    monkeypatch.setattr(evaluations, "POLL", 0.02)
    return found


def states(store: Store) -> list[tuple[str, str]]:
    return [(item.run, item.state) for item in evaluations.items(store)]


def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(store: Store, *names: str) -> list:  # type: ignore[type-arg]
    return [store.find(name) for name in names]


def test_they_wait_for_each_other_in_their_order(store: Store, sleeper: Sleeper) -> None:
    assert evaluations.submit(runs(store, "vae", "ae", "collapsed"), NONE) == {}
    assert states(store) == [("vae", "waiting"), ("ae", "waiting"), ("collapsed", "waiting")]
    evaluations.work(store)
    assert sleeper.begun == ["vae", "ae", "collapsed"] and sleeper.most == 1
    assert states(store) == [("vae", "done"), ("ae", "done"), ("collapsed", "done")]


def test_several_at_once_where_the_lab_says_so(store: Store, sleeper: Sleeper) -> None:
    (store.root / "lab.json").write_text('{"evaluations": 2}')
    evaluations.submit(runs(store, "vae", "ae", "collapsed"), NONE)
    evaluations.work(store)
    assert sleeper.most == 2
    (store.root / "lab.json").write_text('{"evaluations": "many"}')
    assert evaluations.at_once(store) == 1


@pytest.mark.usefixtures("sleeper")
def test_what_waits_already_and_what_has_no_weights_is_left_out(store: Store) -> None:
    (store.root / "runs/ae/weights.safetensors").unlink()
    first = evaluations.submit(runs(store, "vae", "ae"), NONE)
    assert first == {"ae": "It has no weights yet."}
    again = evaluations.submit(runs(store, "vae", "collapsed", "collapsed"), NONE)
    assert again == dict.fromkeys(("vae", "collapsed"), "It waits already, with the same settings.")
    assert evaluations.submit(runs(store, "vae"), Settings(parts=("cost",))) == {}
    assert [run for run, _ in states(store)] == ["vae", "collapsed", "vae"]


def test_one_that_was_removed_meanwhile_is_said_to_be_gone(store: Store, sleeper: Sleeper) -> None:
    run = store.find("ae")
    store.discard(run)
    assert evaluations.submit([run], NONE) == {"ae": "There is no such run any more."} and not sleeper.asked


def test_one_that_fails_ends_no_other(store: Store, sleeper: Sleeper) -> None:
    sleeper.said = "There is no such file."
    evaluations.submit(runs(store, "vae", "ae"), NONE)
    shutil.rmtree(store.root / "runs/ae")
    evaluations.work(store)
    one, two = evaluations.items(store)
    assert (one.state, one.detail) == ("failed", "There is no such file.")
    assert two.state == "failed" and "There is no run ae" in two.detail


def test_one_that_is_killed_is_tried_again_and_not_for_ever(store: Store, sleeper: Sleeper) -> None:
    sleeper.said, sleeper.seconds = background.line("evidence", 1, 2), 0.05
    evaluations.submit(runs(store, "vae"), NONE)
    evaluations.work(store)
    assert sleeper.begun == ["vae"] * evaluations.TRIES
    assert states(store) == [("vae", "failed")]


def test_a_new_runner_finds_what_the_last_had_begun(store: Store, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
                                                    ) -> None:
    evaluations.submit(runs(store, "vae", "ae"), NONE)
    read, tickets = list[Store](), evaluations._tickets
    with monkeypatch.context() as patch:
        patch.setattr(evaluations, "_tickets", lambda store: (read.append(store), tickets(store))[1])
        assert evaluations._advance(store)
    assert read == [store]  # once a look: there may be thousands, and the queue is locked meanwhile
    assert states(store) == [("vae", "running"), ("ae", "waiting")]
    evaluations.work(store)
    assert sleeper.begun == ["vae", "ae"] and [state for _, state in states(store)] == ["done", "done"]


def test_one_or_all_are_cancelled(store: Store, sleeper: Sleeper) -> None:
    sleeper.seconds = 30
    evaluations.submit(runs(store, "vae", "ae", "collapsed"), NONE)
    evaluations._advance(store)
    first, second, _ = evaluations.items(store)
    evaluations.cancel([second.id])
    assert states(store) == [("vae", "running"), ("ae", "cancelled"), ("collapsed", "waiting")]
    evaluations.cancel_all()
    assert {state for _, state in states(store)} == {"cancelled"}
    until(lambda: not background.evaluation(store.find("vae")).progress().running, 10)
    evaluations.work(store)
    assert sleeper.begun == ["vae"]
    evaluations.cancel([first.id])  # of what has ended nothing is changed
    evaluations.forget_ended([first.id])
    assert [item.run for item in evaluations.items(store)] == ["ae", "collapsed"]
    evaluations.forget_ended()
    assert evaluations.items(store) == []
    assert evaluations.submit(runs(store, "ae"), NONE) == {} and states(store) == [("ae", "waiting")]


def test_damaged_and_foreign_files_are_passed_over(store: Store, sleeper: Sleeper) -> None:
    evaluations.submit(runs(store, "vae"), NONE)
    folder = store.root / "evaluations/queue"
    for name, text in (("1-1.json", "no"), ("2-1.json", "[]"), ("3-1.json", '{"run": 3}'), ("x.json", "{}"),
                       ("4-1.json", json.dumps({"run": "../../etc", "settings": {}})),
                       ("5-1.json", json.dumps({"run": "ae", "settings": {"parts": ["hearts"]}}))):
        (folder / name).write_text(text)
    evaluations.work(store)
    found = {item.run: item for item in evaluations.items(store)}
    assert found["vae"].state == "done" and sleeper.begun == ["vae"]
    assert found["../../etc"].state == "failed" and found["ae"].state == "failed" and "hearts" in found["ae"].detail


def test_a_ticket_that_could_not_be_written_again_ends_no_runner(store: Store, sleeper: Sleeper) -> None:
    queue = store.root / "evaluations" / "queue"
    queue.mkdir(parents=True)
    (queue / "1-0.json").write_text('{"run": "ae", "settings": {"observations": NaN}}')
    evaluations.submit([store.find("vae")], NONE)
    evaluations.work(store)
    assert len(sleeper.begun) == 1
    assert [(item.run, item.state) for item in evaluations.items(store)] == [("vae", "done")]


def test_no_shipped_run_is_evaluated_for_a_removed_one_of_its_name(store: Store, sleeper: Sleeper) -> None:
    shutil.copytree(store.root / "runs" / "ae", store.root / "gallery" / "ae")
    evaluations.submit([store.find("ae")], NONE)
    store.discard(store.find("runs/ae"))
    evaluations.work(store)
    [item] = evaluations.items(store)
    assert not sleeper.begun and (item.state, item.detail) == ("failed", "There is no run ae any more.")


def test_read_only_nothing_is_queued_or_cancelled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_READ_ONLY", "1")
    for act in (lambda: evaluations.submit(runs(store, "vae")), lambda: evaluations.cancel([]),
                lambda: evaluations.work(store)):
        with pytest.raises(NotAllowed):
            act()
    assert not (store.root / "evaluations").exists()


def test_who_may_only_look_starts_no_runner(store: Store, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor whose role is to look meets no error when others' evaluations wait."""
    evaluations.submit(runs(store, "vae"), NONE)
    monkeypatch.setattr("vaecore.permission.refusal", lambda: "You may look.")
    evaluations.kick(store)
    assert sleeper.asked == 1, "by who submitted"


@pytest.mark.usefixtures("sleeper")
def test_the_queue_has_an_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "MAX_QUEUED", 1)
    with pytest.raises(LabError, match="at most 1 can"):
        evaluations.submit(runs(store, "vae", "ae"), NONE)


def call(words: list[str]) -> int:
    try:
        cli.command_line(words)(words)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_in_truth_over_the_end_of_who_asked(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command line, with processes of their own."""
    assert call(["evaluate", "vae", "--parts", "none", "--queue"]) == 0
    assert "1 evaluation queued" in capsys.readouterr().out
    until(lambda: {state for _, state in states(store)} <= set(evaluations.ENDED))
    assert states(store) == [("vae", "done")] and len(kept(store.find("vae"))) == 1
    assert call(["evaluations", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["run"] for each in told] == ["vae"] and told[0]["detail"].startswith(background.KEPT)


def test_several_in_the_foreground(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    (store.root / "runs/ae/weights.safetensors").write_bytes(b"no")
    assert call(["evaluate", "ae", "vae", "--parts", "none", "--json"]) == cli.printing.FAILED
    said = capsys.readouterr()
    assert [each["run"] for each in json.loads(said.out)] == ["vae"]
    assert "ae, 1 of 2" in said.err and "weights.safetensors" in said.err
