"""Commands in the background: one at a time, followed by what they say, stopped, and killed without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from vaecore import cli
from vaecore.evaluate.likelihood import Cancelled
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.settings import Settings
from vaecore.lab import LabError, background, locks, task
from vaecore.lab.task import HELD, TAIL, Progress, Task
from vaecore.store import Run

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "trained" / "gallery"
SPEAKS = "import time; print('one'); print('two', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
HOLDS = """import sys, time
from pathlib import Path
from vaecore.lab import LabError
from vaecore.lab.task import Task
try:
    with Task(Path(sys.argv[1]), "it", "It", ()).alone():
        print("alone", flush=True)
        time.sleep(float(sys.argv[2]))
except LabError as error:
    print(error, flush=True)
"""


@pytest.fixture
def it(tmp_path: Path) -> Task:
    return Task(tmp_path / "tasks", "it", "It", ("claims", "run", "C99"))


class StandIn:
    """What is run instead of `vaecore ARGUMENTS`, and what that would have been."""

    def __init__(self) -> None:
        self.code, self.rest, self.asked = SPEAKS, list[str](), list[list[str]]()
        self.started: list[subprocess.Popen[bytes]] = []

    def pid(self) -> int:
        return self.started[-1].pid


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    made, real = StandIn(), subprocess.Popen

    def popen(command: list[str], **rest: Any) -> Any:
        made.asked.append(command)
        made.started.append(real([sys.executable, "-c", made.code, *made.rest], **rest))
        return made.started[-1]

    monkeypatch.setattr(task.subprocess, "Popen", popen)
    yield made
    for process in made.started:
        process.kill()


def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_started_followed_and_stopped(it: Task, stand_in: StandIn) -> None:
    assert it.progress() == Progress(False, ())
    it.stop()  # nothing to stop: nothing happens
    it.start({"keep_runs": "yes"})
    assert stand_in.asked == [[sys.executable, "-m", "vaecore", "claims", "run", "C99", "--keep-runs", "yes"]]
    until(lambda: it.progress().lines == ("one", "two"))
    now = it.progress()
    assert now.running and 0 <= now.seconds < 20
    it.stop()
    until(lambda: not it.progress().running)
    assert it.progress().lines == ("one", "two"), "its last words stay"


def test_two_starts_are_refused_and_the_first_goes_on(it: Task, stand_in: StandIn) -> None:
    it.start()
    until(lambda: it.progress().lines)
    with pytest.raises(LabError, match=r"^It is running already: wait, or stop it\.$"):
        it.start()
    with pytest.raises(LabError, match="running already"), it.alone():
        pass
    assert len(stand_in.started) == 1
    assert it.progress().running and it.progress().lines == ("one", "two"), "the log is that of the first"
    other = Task(it.folder, "other", "The other", ())
    other.start()
    assert len(stand_in.started) == 2, "another name runs beside it"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_no_lock(it: Task, stand_in: StandIn, number: signal.Signals) -> None:
    it.start()
    until(lambda: it.progress().lines)
    os.kill(stand_in.pid(), number)
    until(lambda: not it.progress().running)
    with it.alone():
        assert it.progress().running
    it.start()
    assert it.progress().running


def test_one_that_ended_leaves_no_zombie(it: Task, stand_in: StandIn) -> None:
    stand_in.code = "print('done')"
    it.start()
    until(lambda: stand_in.started[-1].returncode is not None)
    with pytest.raises(ProcessLookupError):
        os.kill(stand_in.pid(), 0)
    assert it.progress().lines == ("done",) and not it.progress().running


def test_one_that_is_deaf_runs_on(it: Task, stand_in: StandIn) -> None:
    stand_in.code = DEAF
    it.start()
    until(lambda: it.progress().lines)
    it.stop()
    time.sleep(0.05)
    assert it.progress().running


def test_a_process_that_was_started_holds_the_lock_it_was_given(it: Task, stand_in: StandIn) -> None:
    """It may call itself alone, which its starter and everybody else may not."""
    stand_in.code, stand_in.rest = HOLDS, [str(it.folder), "60"]
    it.start()
    until(lambda: it.progress().lines)
    assert it.progress().lines == ("alone",), "and it has not removed its own log"
    with pytest.raises(LabError), it.alone():
        pass


def test_the_lock_of_one_task_is_not_that_of_another(it: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HELD, str((it.folder / "other.lock").resolve()))
    with it.alone(), pytest.raises(LabError, match="running already"), it.alone():
        pass


def test_alone_in_another_process_is_seen_and_cannot_be_stopped_from_here(it: Task) -> None:
    it.folder.mkdir()
    for kind in ("log", "pid"):
        (it.folder / f"it.{kind}").write_text("1")  # of an earlier process
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(it.folder), "60"], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert process.stdout is not None and process.stdout.readline() == "alone\n"
        assert it.progress() == Progress(True, ()), "what an earlier one said is not of this one"
        with pytest.raises(LabError, match=r"^It cannot be stopped from here"):
            it.stop()
        with pytest.raises(LabError, match="running already"):
            it.start()
    finally:
        process.kill()
        process.communicate()
    assert not it.progress().running


def test_the_lock_is_given_back_after_an_error(it: Task) -> None:
    with pytest.raises(ZeroDivisionError), it.alone():
        raise ZeroDivisionError
    with it.alone():
        pass
    assert not it.progress().running


@pytest.mark.parametrize(("damaged", "refused"), [("", True), ("abc", True), ("999999999", True), ("1", False),
                                                  ("-1", False), ("0", False)])
def test_a_damaged_pid_ends_nobody(it: Task, stand_in: StandIn, damaged: str, refused: bool) -> None:
    it.start()
    (it.folder / "it.pid").write_text(damaged)
    if refused:
        with pytest.raises(LabError, match="cannot be stopped"):
            it.stop()
    else:
        it.stop()
    assert it.progress().running and stand_in.started[-1].poll() is None


def test_only_the_end_of_a_long_log_is_read(it: Task) -> None:
    it.folder.mkdir()
    with (it.folder / "it.log").open("wb") as log:
        log.truncate(3_000_000_000)  # sparse: reading all of it would show
        log.seek(0, os.SEEK_END)
        log.write(b"\xff\nthe end\n")
    lines = it.progress().lines
    assert lines[-1] == "the end" and sum(map(len, lines)) <= TAIL


def test_what_cannot_be_started_leaves_no_lock(it: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def popen(*_: Any, **__: Any) -> Any:
        raise OSError("no memory")

    monkeypatch.setattr(task.subprocess, "Popen", popen)
    with pytest.raises(OSError):
        it.start()
    assert not it.progress().running
    with it.alone():
        pass


def test_without_file_locks_it_runs_alone_but_not_in_the_background(it: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "AVAILABLE", False)
    with it.alone():
        pass
    with pytest.raises(LabError, match="WSL"):
        it.start()


# -- evaluations -----------------------------------------------------------------------------------


def off_default(part: str) -> Settings:
    """Every field but `parts` another than its default, whatever fields there are."""
    values: dict[str, Any] = {"parts": (part,)}
    for name, info in Settings.model_fields.items():
        if name not in values:
            choices = get_args(info.annotation)
            values[name] = next(choice for choice in choices if choice != info.default) if choices else info.default + 1
    made, default = Settings(**values), Settings()
    assert all(getattr(made, name) != getattr(default, name) for name in Settings.model_fields)
    return made


@pytest.mark.parametrize("part", PARTS)
def test_an_evaluation_is_asked_for_with_all_its_settings(
        tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """As the command reads them back: none may be lost on the way from the page to what is evaluated."""
    chosen, asked = off_default(part), []
    shutil.copytree(GALLERY / "vae", tmp_path / "gallery" / "vae")
    background.evaluation(Run(tmp_path / "gallery" / "vae")).start(chosen.words())
    words = stand_in.asked[0][3:]
    assert words[:2] == ["evaluate", "gallery/vae"]
    background.evaluation(Run(tmp_path / "gallery" / "vae")).stop()
    until(lambda: not background.evaluation(Run(tmp_path / "gallery" / "vae")).progress().running)

    def evaluate_run(run: Run, settings: Settings, **_: Any) -> None:
        asked.append((run.id, settings))
        raise Cancelled  # there is nothing to keep

    monkeypatch.setattr("vaecore.evaluate.report.evaluate_run", evaluate_run)
    monkeypatch.setattr(sys, "argv", ["vaecore", *words])
    with pytest.raises(SystemExit):
        cli.main()
    assert asked == [("gallery/vae", chosen)]


def test_evaluations_of_two_runs_go_side_by_side(tmp_path: Path, stand_in: StandIn) -> None:
    background.evaluation(Run(tmp_path / "gallery" / "vae")).start(Settings().words())
    background.evaluation(Run(tmp_path / "runs" / "vae")).start(Settings(parts=()).words())
    assert stand_in.asked[1][stand_in.asked[1].index("--parts") + 1] == "none"
    assert {path.name for path in (tmp_path / "evaluations").glob("*.lock")} == {"gallery~vae.lock", "vae.lock"}


@pytest.mark.usefixtures("stand_in")
def test_one_evaluation_of_a_run_at_a_time(tmp_path: Path) -> None:
    run = Run(tmp_path / "runs" / "vae")
    background.evaluation(run).start(Settings().words())
    with pytest.raises(LabError, match=r"^The evaluation of vae is running already"):
        background.evaluation(run).start(Settings(seed=1).words())
    background.evaluation(run).stop()
    until(lambda: not background.evaluation(run).progress().running)
    background.evaluation(run).start(Settings(seed=1).words())


@pytest.mark.parametrize(("lines", "found"), [
    (("data: loading digits", "likelihood: 30 of 120"), ("likelihood", 0.25)),
    (("evidence: 500 of 500", "likelihood: 0 of 0"), ("likelihood", 0.0)),
    (("evidence: 500 of 500", "a warning", ""), ("evidence", 1.0)),
    (("samples: 9 of 3",), ("samples", 1.0)),
    ((background.line("classifier", 1, 4),), ("classifier", 0.25)),
    (("hearts: 1 of 2", "naive: one of 2", "naive: 1 of", "naive: -1 of 2", "naive: ² of 3", "naive"), None),
    (("naive: " + "9" * 3_000 + " of 1",), None),
    ((), None)])
def test_the_log_says_which_part_is_done_how_far(lines: tuple[str, ...], found: tuple[str, float] | None) -> None:
    assert background.reached(lines) == found


def test_the_last_line_of_one_that_has_just_ended_is_there(it: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    it.folder.mkdir()
    (it.folder / "it.lock").touch()
    log = it.folder / "it.log"
    log.write_text("half of it\n")

    def ends(_: Path) -> bool:
        """It ends while somebody looks whether it is running."""
        log.write_text("half of it\nkept in evaluation.json\n")
        return False

    monkeypatch.setattr(locks, "held", ends)
    found = it.progress()
    assert not found.running and found.lines[-1] == "kept in evaluation.json"


def test_a_task_whose_starter_was_killed_notes_its_own_number(it: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its start the number of an earlier process goes: another's process may have that by now."""
    it.folder.mkdir(parents=True, exist_ok=True)
    (it.folder / f"{it.name}.pid").write_text("1234567")

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt  # in the place of a signal that nothing can catch

    monkeypatch.setattr(task.subprocess, "Popen", killed)
    with pytest.raises(KeyboardInterrupt):
        it.start()
    assert not (it.folder / f"{it.name}.pid").exists()
    monkeypatch.setenv(task.HELD, it._held)
    with it.alone():
        assert (it.folder / f"{it.name}.pid").read_text() == str(os.getpid())
