"""The queue, the lock and the derived states, under every kill we know of. Real processes, a trainer without torch."""

import errno
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vaecore import lab
from vaecore.files import write_json_atomic
from vaecore.lab import LabError, attempts, jobs, locks, owners, state, supervisor, worker

HERE = Path(__file__).resolve().parent
ENV = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
STAND_IN = [sys.executable, str(HERE / "stand_in.py")]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(jobs, "SUPERVISOR", [*STAND_IN, "supervisor"])
    monkeypatch.chdir(tmp_path)  # the processes must find the package from anywhere
    (tmp_path / "runs").mkdir()
    yield tmp_path
    for ticket in state.tickets(tmp_path):  # leave nothing running behind a test that failed
        ticket.unlink()
    for folder in (tmp_path / "runs").iterdir():
        if lab.busy(folder):
            kill(folder)


@pytest.fixture
def make(root: Path) -> Callable[..., Path]:
    def make(name: str, **config: Any) -> Path:
        folder = root / "runs" / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"steps": 3, **config}))
        return folder

    return make


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:  # a limit for a machine that is busy
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return value


def running(folder: Path) -> int:
    """Wait until its first step; the worker's pid."""
    until(lambda: lab.status(folder).state == "running" and (folder / "step.json").exists())
    return int(json.loads((folder / "heartbeat.json").read_text())["pid"])


def parent(pid: int) -> int:
    return int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=True).stdout)


def kill(folder: Path) -> None:
    os.kill(json.loads((folder / "heartbeat.json").read_text())["pid"], signal.SIGKILL)


def slot_free(root: Path) -> bool:
    return not locks.held(root / "slots" / "0")


# --- the queue


def test_four_jobs_run_in_order_and_never_two_at_once(root: Path, make: Callable[..., Path]) -> None:
    folders = [make(name, steps=8) for name in "dbca"]
    for folder in folders:
        lab.submit(folder)
    assert lab.queue(root)[-2:] == ["c", "a"]
    assert lab.status(folders[3]).position in (3, 4)
    assert [lab.wait(folder, 60).state for folder in folders] == ["finished"] * 4
    lives = [json.loads((folder / "times.jsonl").read_text()) for folder in folders]
    assert all(earlier[1] < later[0] for earlier, later in itertools.pairwise(lives))
    assert lab.queue(root) == []
    until(lambda: slot_free(root))  # no supervisor idles


def test_a_run_that_waits_says_whose_turn_comes_first(root: Path, make: Callable[..., Path], monkeypatch: Any) -> None:
    monkeypatch.setattr(jobs, "kick", lambda _: None)
    first, second = make("first"), make("second")
    for folder in (first, second):
        lab.submit(folder)

    def why(folder: Path) -> str:
        return lab.why_it_waits(folder, lab.status(folder))

    assert why(first) == "Waiting, place 1 in the queue. A place is free; it starts in a moment."
    assert why(second) == "Waiting, place 2 in the queue. A place is free; 1 other comes first."
    with locks.training_lock(make("busy")):
        one = "busy trains now, and one trains at a time"
        assert why(first) == f"Waiting, place 1 in the queue. {one}; its turn is next."
        assert why(second).endswith(f"{one}; 1 other comes first.")
        assert why(root / "runs" / "busy") == "", "what trains does not wait"
    monkeypatch.setenv("VAECORE_READ_ONLY", "1")
    assert "Nothing is started from here. This laboratory is shown read-only" in why(first)


def test_two_slots_run_two(root: Path, make: Callable[..., Path]) -> None:
    (root / "lab.json").write_text('{"slots": 2}')
    folders = [make(name, steps=10_000) for name in "abc"]
    for folder in folders:
        lab.submit(folder)
    running(folders[0]), running(folders[1])
    assert lab.status(folders[2]).position == 1
    for folder in reversed(folders):
        lab.stop(folder)
    assert {lab.wait(folder, 60).state for folder in folders} == {"stopped"}


def test_bad_tickets_and_vanished_folders_block_nobody(root: Path, make: Callable[..., Path]) -> None:
    (root / "queue").mkdir()
    for bad in ("0-1-1-gone", "0-2-1-..", "0-x", "0-3-1-", "0-3-" + 30 * "9" + "-b", "notes.txt", "5-1-1-half.tmp-1"):
        (root / "queue" / bad).touch()
    (root / "queue" / "0-4-1-folder").mkdir()
    (root / "lab.json").write_text('{"slots": "many')
    folder = make("good")
    lab.submit(folder)
    assert lab.wait(folder, 60).state == "finished"
    assert lab.queue(root) == []


def test_submit_refuses_with_a_remedy(root: Path, make: Callable[..., Path]) -> None:
    first, second = make("first", steps=10_000), make("second")
    lab.submit(first)
    lab.submit(second)
    with pytest.raises(LabError, match=r"queued already \(place"):
        lab.submit(second)
    running(first)
    with pytest.raises(LabError, match="running already"):
        lab.submit(first)
    lab.stop(second)
    lab.stop(first)
    (root / "runs" / "empty").mkdir()
    with pytest.raises(LabError, match=r"no config\.json"):
        lab.submit(root / "runs" / "empty")
    with pytest.raises(LabError, match="copy it there"):
        lab.submit(root / "gallery" / "first")
    assert lab.wait(first, 60).state == "stopped"


def test_without_file_locks_submit_names_the_remedy(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "AVAILABLE", False)
    folder = make("a")
    with pytest.raises(LabError, match="WSL"):
        lab.submit(folder)
    assert lab.status(folder).state == "new"


def test_a_full_disk_is_told_before_queueing(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make("a")
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=0))
    with pytest.raises(LabError, match="The disk is full"):
        lab.submit(folder)


# --- stop and resume


def test_stop_then_resume_counts_attempts(make: Callable[..., Path]) -> None:
    folder = make("a", steps=60)
    assert lab.status(folder).state == "new"
    lab.submit(folder)
    running(folder)
    lab.stop(folder, why="The sweep has seen enough.")
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.attempt) == ("stopped", 1)
    assert ended.detail.startswith("The sweep has seen enough. Stopped at step ")
    assert 0 < ended.step < 60 == ended.total and f"step {ended.step}" in ended.detail
    lab.submit(folder)
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.attempt, ended.step) == ("finished", 2, 60)
    assert "attempt 1" in str(lab.log(folder)) and "attempt 2" in str(lab.log(folder))
    lab.stop(folder)  # too late: harmless
    assert lab.status(folder).state == "finished"


def test_stop_a_queued_run(root: Path, make: Callable[..., Path]) -> None:
    first, second = make("first", steps=10_000), make("second")
    lab.submit(first)
    lab.submit(second)
    running(first)
    lab.stop(second)
    assert lab.status(second).state == "stopped" and lab.queue(root) == []
    lab.submit(second)
    assert (lab.status(second).state, lab.status(second).attempt) == ("queued", 2)
    lab.stop(first)
    assert lab.wait(second, 60).state == "finished"


def test_stop_now_kills_a_deaf_trainer(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "GRACE", 0.3)
    folder = make("a", steps=10_000, deaf=True)
    lab.submit(folder)
    pid = running(folder)
    lab.stop(folder)
    assert lab.status(folder).stopping
    lab.stop(folder, now=True)
    ended = lab.wait(folder, 60)
    assert ended.state == "stopped" and "Killed on request" in ended.detail and not ended.stopping
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_stop_now_kills_no_process_that_a_folder_only_names(make: Callable[..., Path]) -> None:
    """A copied folder may name any process; only who holds the run's lock is its trainer."""
    folder = make("copied")
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        write_json_atomic(folder / "launch.json", {"attempt": 1, "host": "else", "machine": "another"})
        write_json_atomic(folder / "heartbeat.json", {"attempt": 1, "pid": other.pid, "host": socket.gethostname(),
                                                      "time": time.time()})
        assert lab.status(folder).state == "running"
        try:
            with pytest.raises(LabError, match="does not run on this machine"):
                lab.stop(folder, now=True)
            assert other.poll() is None
        finally:
            other.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_a_polite_signal_stops_as_the_file_does(make: Callable[..., Path], number: signal.Signals) -> None:
    folder = make("a", steps=10_000)
    lab.submit(folder)
    os.kill(running(folder), number)
    assert lab.wait(folder, 60).state == "stopped"


# --- kills


def test_killed_worker_is_failed_and_resumes(make: Callable[..., Path]) -> None:
    folder = make("a", steps=100)
    lab.submit(folder)
    os.kill(running(folder), signal.SIGKILL)
    ended = lab.wait(folder, 60)
    assert ended.state == "failed" and "SIGKILL" in ended.detail and "resume" in ended.detail
    lab.submit(folder)
    assert lab.wait(folder, 60).state == "finished"


def test_killed_supervisor_leaves_the_worker_and_the_queue(root: Path, make: Callable[..., Path]) -> None:
    first, second = make("first", steps=80), make("second")
    lab.submit(first)
    lab.submit(second)
    os.kill(parent(running(first)), signal.SIGKILL)
    time.sleep(0.1)
    assert lab.status(first).state == "running"
    lab.kick(root)
    time.sleep(0.1)
    assert lab.status(second).state == "queued"  # the worker alone still holds the slot
    assert until(lambda: lab.status(first).state == "finished" or None)
    assert lab.wait(second, 60).state == "finished"  # wait kicks


def test_what_another_machine_has_is_looked_for_with_pauses(root: Path, monkeypatch: pytest.MonkeyPatch,
                                                            capfd: pytest.CaptureFixture[str]) -> None:
    """A ticket that none here may take kept a supervisor spinning: ten gigabytes of its log a day."""
    for place in ("queue", "slots", "runs/a"):
        (root / place).mkdir(parents=True, exist_ok=True)
    ticket = root / "queue" / "001-a"
    ticket.touch()
    monkeypatch.setattr(state, "tickets", lambda _: [ticket] if ticket.exists() else [])
    monkeypatch.setattr(jobs, "tickets", state.tickets)
    monkeypatch.setattr(jobs, "run_of", lambda _: "a")
    looks, waits = [], []

    def elsewhere(*_: object) -> None:
        looks.append(len(waits))
        raise owners.Elsewhere("it is being trained on another machine")

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            ticket.unlink()

    monkeypatch.setattr(attempts, "begin", elsewhere)
    monkeypatch.setattr(time, "sleep", wait)
    lock = locks.take(root / "slots" / "0")
    assert lock is not None
    supervisor.main([str(root), "0", str(lock)])
    assert looks == [0, 0, 1, 2] and waits == [supervisor.PAUSE] * 3
    assert capfd.readouterr().out.count("another machine") == 1, "it is said once"


def test_both_killed_is_lost_and_resumes(make: Callable[..., Path]) -> None:
    folder = make("a", steps=100)
    lab.submit(folder)
    pid = running(folder)
    os.kill(parent(pid), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    lost = lab.wait(folder, 60)
    assert lost.state == "lost" and "Resume" in lost.detail
    lab.submit(folder)
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.attempt) == ("finished", 2)


# --- one trainer a folder


def test_a_second_trainer_is_refused(make: Callable[..., Path]) -> None:
    folder = make("a", steps=10_000)
    with lab.training_lock(folder):
        assert lab.busy(folder) and lab.status(folder).state == "running"
        with pytest.raises(LabError, match="Another process is training"), lab.training_lock(folder):
            pass
    assert not lab.busy(folder)
    lab.submit(folder)
    running(folder)
    alone = subprocess.run([*STAND_IN, "worker", str(folder)], env=ENV, capture_output=True, text=True, check=False)
    assert alone.returncode == 1 and "Another process is training" in alone.stderr
    lab.stop(folder)
    assert lab.wait(folder, 60).attempt == 1


def test_a_worker_started_alone(make: Callable[..., Path]) -> None:
    folder = make("a", steps=3)
    (folder / "stop").touch()  # left by an earlier attempt
    subprocess.run([*STAND_IN, "worker", str(folder)], env=ENV, capture_output=True, check=True)
    assert (lab.status(folder).state, lab.status(folder).attempt) == ("finished", 1)


def test_resume_of_a_run_that_finished_elsewhere_leaves_it_finished(root: Path, make: Callable[..., Path]) -> None:
    """A page drawn before shows Resume; the run has since been finished by another page or process."""
    blocker, folder = make("blocker", steps=10_000), make("a", steps=3, fail="its data moved away")
    lab.submit(blocker)
    running(blocker)
    lab.submit(folder)  # waits, and meanwhile somebody trains it to its end by hand
    with lab.training_lock(folder):
        attempts.write_exit(folder, attempts.begin(folder), "finished", "Done.")
    lab.stop(blocker)
    until(lambda: not state.tickets(root) and not lab.busy(blocker) and not lab.busy(folder))
    assert (lab.status(folder).state, lab.status(folder).detail) == ("finished", "Done.")
    with pytest.raises(LabError, match="a has finished: there is nothing left to resume"):
        lab.submit(folder)
    alone = subprocess.run([*STAND_IN, "worker", str(folder)], env=ENV, capture_output=True, text=True,
                           check=False)
    assert alone.returncode == 0 and "has finished" in alone.stdout
    assert lab.status(folder).state == "finished" and lab.queue(root) == []


# --- states from facts


def test_a_failure_is_one_sentence_and_the_log_has_the_rest(make: Callable[..., Path]) -> None:
    folder = make("a", fail="the learning rate\nis silly")
    lab.submit(folder)
    ended = lab.wait(folder, 60)
    assert (ended.state, ended.detail) == ("failed", "the learning rate is silly")
    assert "Traceback" in str(lab.log(folder))


class Advised(Exception):
    advice = "Do this instead."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Advised("It cannot be."), "It cannot be. Do this instead."),
        (ValueError("a\nb"), "a b"),
        (OSError(errno.ENOSPC, "No space"), attempts.DISK_FULL),
        (RuntimeError("I/O error: No space left on device (os error 28)"), attempts.DISK_FULL),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "Out of memory"),
        (MemoryError(), "Out of memory"),
        (KeyError("typo"), "Unexpected KeyError: 'typo'."),
        (SystemExit(3), "Unexpected SystemExit: 3."),
    ],
)
def test_errors_in_plain_words(error: BaseException, words: str) -> None:
    assert worker.explain(error).startswith(words)


def test_a_wrapped_full_disk_is_recognised() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space")
        except OSError as error:
            raise RuntimeError("could not save") from error
    except RuntimeError as error:
        assert worker.explain(error) == attempts.DISK_FULL


@pytest.mark.parametrize(
    "content", [b"", b'{"attempt": 1, "st', b"[]", b"\xff\x00", b'{"attempt": 1e999}', b"9" * 20_000]
)
@pytest.mark.parametrize("name", ["launch.json", "heartbeat.json", "exit.json"])
def test_broken_facts_are_passed_over_and_mentioned(make: Callable[..., Path], name: str, content: bytes) -> None:
    folder = make("a")
    (folder / "launch.json").write_text('{"attempt": 1}')
    (folder / "heartbeat.json").write_text('{"attempt": 1, "time": 1, "step": 5, "total": 9}')
    write_json_atomic(folder / "exit.json", {"attempt": 1, "state": "finished", "detail": "Done."})
    (folder / name).write_bytes(content)
    now = lab.status(folder)
    assert now.state == ("lost" if name == "exit.json" else "finished")
    if content != b'{"attempt": 1e999}':
        assert f"{name} " in now.detail


def test_a_copied_checkpoint_is_finished(root: Path, make: Callable[..., Path]) -> None:
    folder = make("a")
    (folder / "weights.safetensors").touch()
    assert lab.status(folder).state == "finished"
    assert lab.status(root / "runs" / "none").state == "new"


def test_a_run_that_another_machine_trains(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make("a")
    (folder / "launch.json").write_text('{"attempt": 1, "host": "elsewhere"}')
    beat = {
        "attempt": 1,
        "time": time.time(),
        "step": 5,
        "total": 9,
        "rate": 2.0,
        "pid": 1,
        "host": "elsewhere",
    }
    write_json_atomic(folder / "heartbeat.json", beat)
    now = lab.status(folder)
    assert (now.state, now.seconds_left) == ("running", 2.0) and "elsewhere" in now.detail
    write_json_atomic(folder / "heartbeat.json", {**beat, "time": time.time() - 300})
    assert lab.status(folder).state == "running"  # another sign than before: it lives, and only its clock is wrong
    monkeypatch.setattr(state, "_heard", {})  # who has never looked before goes by the clocks
    os.utime(folder / "heartbeat.json", (time.time() - 300,) * 2)
    assert lab.status(folder).state == "lost"


def test_progress_is_seen(make: Callable[..., Path]) -> None:
    folder = make("a", steps=10_000, seconds=0.005)
    lab.submit(folder)
    now = until(lambda: (seen := lab.status(folder)).rate and seen)
    assert 0 < now.rate < 200 and now.total == 10_000 and now.heartbeat_age is not None
    assert now.seconds_left == pytest.approx((10_000 - now.step) / now.rate)
    lab.stop(folder)
    lab.wait(folder, 60)


def test_the_lab_imports_neither_torch_nor_streamlit() -> None:
    code = "import sys, vaecore.lab.supervisor, vaecore.lab.worker; print({'torch', 'streamlit'} & {*sys.modules})"
    seen = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True, check=True).stdout
    assert seen == "set()\n"
