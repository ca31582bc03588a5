"""python -m vaecore.lab.supervisor ROOT SLOT LOCK: run queued trainings on one slot, one by one, then end.

Started by `kick`, which has locked the slot and hands over the descriptor. It knows no more than the folders do: when
it is killed, its worker goes on, and the next kick starts another one for the rest of the queue.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from vaecore.files import trouble, written_into
from vaecore.lab import attempts, jobs, locks, ranks, state
from vaecore.lab.jobs import Taken

WORKER = [sys.executable, "-m", "vaecore.lab.worker"]
GIVEN_BACK = 0.1  # seconds after which the lock of a member of a stack that ended is free at the latest
PAUSE = 2.0  # seconds until a queue is looked at again of which nothing could be taken, twice
SILENT = ("The disk took no more writes, not even the last words: it was full, or failed. Mend it, then "
          f"{attempts.RESUME}.")
NO_LAST_WORD = 74  # the worker's exit code when it could not write exit.json


def main(arguments: list[str]) -> None:
    root, slot, lock = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    looked = False
    while True:
        took = False
        while slot < state.slots(root) and (job := jobs.take_next(root)):
            took = True
            run(job, slot_lock=lock)
        if looked and not took:
            time.sleep(PAUSE)  # what waits is another machine's just now
        looked = not took
        os.close(lock)
        # A ticket that came before this line found the slot taken and started nobody: look once more.
        if not state.tickets(root) or slot >= state.slots(root):
            return
        again = locks.take(root / "slots" / str(slot))
        if again is None:
            return  # somebody else has it, and will run the ticket
        lock = again


def run(taken: list[Taken], slot_lock: int) -> None:
    """Run one worker to its end, for one run or a stack of them, and see to it that each exit.json speaks.

    Gives each run's lock back when it has ended, which in a stack may be long before the worker does.
    """
    held = {job.folder: job for job in taken}
    try:
        log = written_into(taken[0].folder / "log.txt")
        try:
            worker = subprocess.Popen(
                [*WORKER, *(word for job in taken for word in (str(job.folder), str(job.lock)))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**ranks.alone(), "PYTHONUNBUFFERED": "1"},
                pass_fds=(*(job.lock for job in taken), slot_lock),
                start_new_session=True,
            )
        finally:
            os.close(log)
        code = _waited(worker, held)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)  # children it left would keep the locks, and the processor
        for folder, job in held.items():
            if not _spoken(job):
                speak_for(folder, job.attempt, code)
    except OSError as error:
        for folder, job in held.items():
            attempts.note(f"{folder.name}: {error}")
            speak(folder, job.attempt, "failed", f"Its process could not be started. {trouble(error, attempts.RESUME)}")
    finally:
        for job in held.values():
            os.close(job.lock)


def _waited(worker: subprocess.Popen[bytes], held: dict[Path, Taken]) -> int:
    """Wait for the worker's end; of a stack, whose members end one by one, give the locks of those back meanwhile."""
    if len(held) == 1:
        return worker.wait()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return worker.wait(GIVEN_BACK)
        for folder in [folder for folder, job in held.items() if _spoken(job)]:
            os.close(held.pop(folder).lock)


def _spoken(job: Taken) -> bool:
    said = state.told(job.folder, state.LastWord, [])
    return said is not None and said.attempt == job.attempt


def speak_for(folder: Path, attempt: int, code: int) -> None:
    resume = "resume continues from the last checkpoint."
    if code == NO_LAST_WORD:
        speak(folder, attempt, "failed", SILENT)
    elif code >= 0:
        speak(folder, attempt, "failed", f"Ended with code {code} and no word: see the log; {resume}")
    elif code == -signal.SIGKILL and (folder / "stop").exists():
        speak(folder, attempt, "stopped", f"Killed on request; {resume}")
    else:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        why = "out of memory or killed by hand" if code == -signal.SIGKILL else "see the log"
        speak(folder, attempt, "failed", f"Killed by {name} ({why}); {resume}")


def speak(folder: Path, attempt: int, outcome: state.Outcome, detail: str) -> None:
    """A full disk may have room again soon. When it has not, the run reads "lost", which says what can be done."""
    for _ in range(5):
        try:
            return attempts.write_exit(folder, attempt, outcome, detail)
        except OSError as error:
            attempts.note(f"{folder.name}: {error}")
            if not folder.is_dir():
                return
            time.sleep(1.0)


if __name__ == "__main__":
    main(sys.argv[1:])
