"""python -m vaecore.lab.worker FOLDER [LOCK]: train the run in FOLDER to its end, wherever this process was started.

A supervisor passes the run's lock, taken already, and has opened the attempt. Started alone it does both itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from vaecore import permission
from vaecore.lab import jobs, state
from vaecore.lab.control import Control, Heartbeat
from vaecore.lab.locks import LabError, training_lock
from vaecore.lab.previews import write_preview
from vaecore.lab.supervisor import NO_LAST_WORD
from vaecore.store import Run
from vaecore.views import view_of


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]).absolute()
    lock = int(arguments[1]) if len(arguments) > 1 else None
    try:
        with training_lock(folder, lock):
            if lock is None and jobs.finished(folder):
                jobs.note(f"{folder.name} has finished: there is nothing left to train. Fork it to train it further.")
                return 0
            attempt = jobs.begin(folder) if lock is None else state.known_attempt(folder)
            return work(folder, attempt)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def work(folder: Path, attempt: int) -> int:
    """Train as a process of its own, and say in exit.json how it ended. Returns the exit code."""
    control = Control(folder)
    control.obey_signals()
    os.nice(5)  # the page and the person come first
    try:
        outcome, _ = attempted(folder, attempt, control)
    except OSError as error:
        jobs.note(f"exit.json could not be written: {error}")
        return NO_LAST_WORD
    return 1 if outcome == "failed" else 0


def train_here(folder: Path, control: Control) -> state.Outcome:
    """Train the run in `folder` in this very process, as a notebook does; what it does is read from the same files.

    An interrupt from the keyboard stops it after its step, a second one at once. Raises what ended a training that
    failed, and `LabError` where another process trains this run.
    """
    import torch

    permission.require("train a run")
    threads = torch.get_num_threads()
    with training_lock(folder), obeying(control), (folder / "log.txt").open("a", encoding="utf-8") as log:
        attempt = jobs.begin(folder)
        try:
            with contextlib.redirect_stdout(log):
                outcome, error = attempted(folder, attempt, control)
        finally:
            torch.set_num_threads(threads)
            torch.set_flush_denormal(False)
    if error is not None:
        raise error
    return outcome


def attempted(folder: Path, attempt: int, control: Control) -> tuple[state.Outcome, BaseException | None]:
    """Train with the run's lock in hand, and say in exit.json how it ended; that, and what made it fail.

    Raises `OSError` where the last word could not be written.
    """
    jobs.note(f"--- attempt {attempt}, {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}")
    heart = Heartbeat(folder, attempt, control)
    heart.beat()  # so that the process can be found, and killed, while torch loads
    outcome: state.Outcome
    failure: BaseException | None = None
    try:
        # Denormal numbers make some steps many times slower. The setting belongs to a thread and goes to those it
        # starts, so it comes before anything parallel.
        import torch

        torch.set_flush_denormal(True)
        heart.start()
        from vaecore.data.converted import watched
        from vaecore.training import train

        with watched(control.preparing):
            outcome = train(folder, control)
        before = f"{control.doing.removesuffix('.')}: stopped" if control.doing else f"Stopped at step {control.step}"
        stopped = f"{jobs.why_stopped(folder)} {before}; resume continues there.".strip()
        detail = "Finished." if outcome == "finished" else stopped
        draw_preview(folder)
    except BaseException as error:  # whatever ended it, SystemExit too, exit.json says so
        outcome, detail, failure = "failed", explain(error), error
        with contextlib.suppress(OSError):  # the log may be on the full disk
            traceback.print_exc(file=sys.stdout)
    heart.stop()
    jobs.write_exit(folder, attempt, outcome, detail)
    return outcome, failure


@contextlib.contextmanager
def obeying(control: Control) -> Iterator[None]:
    """Signals stop the training meanwhile, where this thread is the one that gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = control.obey_signals(insist=True)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def draw_preview(folder: Path) -> None:
    """What the model draws or writes, for the run's card. A run without it is still a run, so nothing here fails it."""
    try:
        run = Run(folder)
        write_preview(view_of(run).load(run))
    except Exception as error:
        print(f"no preview: {error}", flush=True)


def explain(error: BaseException) -> str:
    """One plain sentence with a remedy; the traceback is in the log."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    said = " ".join(str(error).split())[:400] or type(error).__name__
    if any(_full(link) for link in chain):
        return jobs.DISK_FULL
    if any(_memory(link) for link in chain):
        return "Out of memory: close other programs and resume, or start a run with a smaller batch or model."
    if advice := getattr(error, "advice", None):
        return said if str(advice) in said else f"{said} {advice}"
    if isinstance(error, ValueError | OSError | RuntimeError) or type(error).__module__.startswith("vaecore."):
        return said  # ours are written to be read
    return f"Unexpected {type(error).__name__}: {said}. The log tells where."


def _full(error: BaseException) -> bool:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or "No space left on device" in str(error)  # as libraries written in other languages word it


def _memory(error: BaseException) -> bool:
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
