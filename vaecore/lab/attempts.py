"""Attempts of a run: who may open one, what that writes, and the last word on how it ended.

Whoever trains opens an attempt first, with the run's lock in hand, and leaves its last word in the end:

    begin              here: a supervisor for a ticket, a worker that was started by hand, a notebook
    opened_for         whoever submits to a cluster: before SLURM knows the job, which may start at once
    begin_on_cluster   the job on its node: the attempt that was opened for it, or the next where it was queued again
    begin_again        the job that is about to be queued again
    write_exit         the worker; its supervisor or its node where it could not; `write_down` where SLURM alone knows

An attempt is opened once, whichever machines share the disk (`owners.py`), and nothing is said of one after which
another was opened. What the files hold and what follows from them tells `state.py`; `jobs.py` decides when.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vaecore.files import (
    BrokenFile,
    opened,
    remove_leftovers,
    trouble,
    write_bytes_atomic,
    write_json_atomic,
    written_into,
)
from vaecore.lab import cluster, locks, owners, scheduler
from vaecore.lab.locks import LabError
from vaecore.lab.owners import Elsewhere
from vaecore.lab.state import (
    GONE,
    Beat,
    LastWord,
    Launch,
    Outcome,
    Submission,
    is_told,
    known_attempt,
    place,
    status,
    told,
    trained_elsewhere,
)
from vaecore.store import WRITTEN_BESIDE

LAUNCH = f"{Launch.file}.json"
RESUME = "press Resume; the last checkpoint is whole"  # once the disk is well again
DISK_FULL = trouble(OSError(errno.ENOSPC, ""), RESUME)


# --- opened


def finished(folder: Path) -> bool:
    """Whether the last attempt was trained to its end. Certain only with the run's lock in hand."""
    last_word = told(folder, LastWord, [])
    return last_word is not None and last_word.state == "finished" and last_word.attempt == known_attempt(folder)


def begin(folder: Path, attempt: int | None = None, **more: str | int) -> int:
    """Open a new attempt, `attempt` where its number is known; launch.json says `more` of it.

    Only with the run's lock in hand: it also sweeps up what an earlier attempt left.
    Raises `Elsewhere` where another machine has opened it, or is at the one before.
    """
    attempt = known_attempt(folder) + 1 if attempt is None else attempt
    if host := trained_elsewhere(folder):
        raise Elsewhere(f"{folder.name} is being trained on {host}. Wait for it to end, or stop it first.")
    remove_leftovers(folder, WRITTEN_BESIDE)
    (folder / "stop").unlink(missing_ok=True)
    return _open(folder, attempt, **more)


@contextlib.contextmanager
def opened_for(submission: str, folders: Sequence[Path], also: Sequence[str]) -> Iterator[None]:
    """Attempts of runs that are about to be submitted to a cluster as `submission`, in this order.

    Where the submission comes to nothing, the files are again what they were, and so are those that `also` names.
    """
    before: dict[Path, tuple[dict[Path, bytes | None], int]] = {}
    try:
        for number, folder in enumerate(folders):
            was = {folder / name: _bytes(folder / name) for name in (LAUNCH, "stop", *also)}
            with locks.training_lock(folder):
                before[folder] = was, begin(folder, **_on_slurm(submission, number))
        yield
    except BaseException:
        for folder, (files, attempt) in before.items():
            for path, content in files.items():
                if content is None:
                    path.unlink(missing_ok=True)
                else:
                    write_bytes_atomic(path, content)
            owners.give_back(folder, attempt)
        raise


def _bytes(path: Path) -> bytes | None:
    try:
        with opened(path) as file:
            return file.read(10_000)
    except (OSError, BrokenFile):
        return None


def note_job(folder: Path, submission: str, job: str) -> None:
    """Write down what SLURM calls the job of a run's submission."""
    write_json_atomic(folder / f"{Submission.file}.json", {
        "submission": submission, "job": job, "user": scheduler.me(), "host": socket.gethostname(),
        "time": time.time()})


def begin_on_cluster(folder: Path, submission: str, job: str) -> int | None:
    """Begin the attempt that was opened for a submission, or the next where SLURM has queued its job again.

    None where the attempt has ended, as it was taken back, or where the run went elsewhere since. The run's lock is
    in hand. A stop that was asked for meanwhile stays.
    """
    launch, last_word, beat = told(folder, Launch, []), told(folder, LastWord, []), told(folder, Beat, [])
    if launch is None or (launch.backend, launch.submission) != ("slurm", submission) or finished(folder):
        return None
    ended = last_word is not None and last_word.attempt == launch.attempt
    if last_word is not None and ended and not last_word.signalled:
        return None
    remove_leftovers(folder, WRITTEN_BESIDE)
    note_job(folder, submission, job)
    if ended or (beat is not None and beat.attempt == launch.attempt):
        return _open(folder, known_attempt(folder) + 1, **_on_slurm(submission, launch.task))
    return launch.attempt


def begin_again(folder: Path, why: str) -> int:
    """Open the next attempt of a run whose job is queued again; the run's lock is in hand."""
    launch = told(folder, Launch, []) or Launch()
    return _open(folder, known_attempt(folder) + 1, **_on_slurm(launch.submission, launch.task), again=why)


def _on_slurm(submission: str, task: int) -> dict[str, Any]:
    """What launch.json says of an attempt on a cluster: enough to find its job there, whoever has noted its number."""
    return {"backend": "slurm", "submission": submission, "task": task, "user": scheduler.me()}


def _open(folder: Path, attempt: int, **more: str | int) -> int:
    while not owners.claim(folder, attempt):
        before = told(folder, Launch, [])
        if (before is not None and before.attempt >= attempt) or not owners.abandoned(folder, attempt, GONE):
            raise Elsewhere(f"{folder.name} was begun by another process just now.")
        attempt += 1
    if known_attempt(folder) >= attempt:  # opened, and its claim swept up, since we have read its number
        owners.give_back(folder, attempt)
        raise Elsewhere(f"{folder.name} was begun by another process just now.")
    write_json_atomic(folder / LAUNCH, {
        "attempt": attempt, "backend": "local", "host": socket.gethostname(), "machine": owners.machine(),
        "time": time.time(), **more})
    owners.sweep(folder, attempt)
    return attempt


# --- under way


def reached(folder: Path) -> int:
    """The last step that a run's process has told of, in whichever attempt."""
    beat = told(folder, Beat, [])
    return int(beat.step) if beat is not None else 0


def why_stopped(folder: Path) -> str:
    """The sentence with which a run was asked to stop; empty where there was none."""
    try:
        with opened(folder / "stop") as file:
            return " ".join(file.read(300).decode(errors="replace").split())
    except (OSError, BrokenFile):
        return ""


def note(message: str) -> None:
    """A line for the log, which may lie on the full disk that the line is about."""
    with contextlib.suppress(OSError):
        print(message, flush=True)


# --- ended


def write_exit(folder: Path, attempt: int, state: Outcome, detail: str, *, signalled: bool = False,
               suggested: Sequence[str] = ()) -> None:
    """Write the last word on an attempt; `signalled`: a signal stopped it, so a cluster may queue it again.

    `suggested` are settings of a fork that would not fail so.

    Nothing is said of an attempt after which another was opened, as after this process was suspended for long.
    """
    launch = told(folder, Launch, [])
    if launch is not None and launch.attempt > attempt:
        return note(f"{folder.name}: attempt {attempt} ends, as attempt {launch.attempt} was opened meanwhile.")
    last_word: dict[str, Any] = {"attempt": attempt, "state": state, "detail": detail, "time": time.time()}
    write_json_atomic(folder / "exit.json", last_word | ({"signalled": True} if signalled else {})
                      | ({"suggested": list(suggested)} if suggested else {}))


def write_down(folder: Path) -> None:
    """Keep as the last word how SLURM says that a run has ended, as its process could not and SLURM forgets it."""
    lock = None
    try:
        now = status(folder)
        lock = locks.take(folder / "lock")
        last_word = told(folder, LastWord, [])
        if lock is not None and now.job and now.state in ("failed", "stopped") and (
                last_word is None or last_word.attempt < now.attempt == known_attempt(folder)):
            launch = told(folder, Launch, [])
            lines = cluster.errors(place(folder)[0], launch.submission if launch else "", now.job)
            with os.fdopen(written_into(folder / "log.txt"), "w", encoding="utf-8") as log:
                log.writelines(f"{line}\n" for line in (f"--- what {now.place} wrote", *lines) if lines)
            write_exit(folder, now.attempt, now.state, now.detail)
    except (OSError, LabError) as error:  # it is told as long as SLURM knows
        note(f"{folder.name}: {error}")
    finally:
        if lock is not None:
            os.close(lock)
        is_told(folder)
