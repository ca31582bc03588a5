"""What a job of SLURM does on its node: open an attempt of its run, start the worker, and see to its end.

It is the supervisor's part for one run. SLURM asks in two ways: SIGUSR2 comes before the time limit (and, where the
cluster is so set up, before a preemption), SIGTERM with a cancellation or a preemption. Both become the worker's stop
at a step; then the job is queued again, unless it was cancelled. It goes on from the run's folder, nothing else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

WORKER = [sys.executable, "-m", "vaecore.lab.worker"]
WARNING = 90  # seconds before the time limit at which a training is told of it, where the limit is long enough
EARLY = 75.0  # seconds: SLURM may send its warning up to a minute early


@dataclass(frozen=True)
class Training:
    """A training as submitit hands it to a node, which calls it there. It holds names, and no state of a training."""

    folder: str
    submission: str
    minutes: int  # the time limit
    worker: tuple[str, ...]

    def __call__(self) -> None:
        """Train on this node; ends the process with a code where that failed."""
        from vaecore.lab import node

        code = node.train(Path(self.folder), self.submission, self.minutes, self.worker)
        if code:
            sys.exit(code)


class Signals:
    """The signals that came; whichever comes is passed on to the worker."""

    def __init__(self) -> None:
        self.warned = self.ended = False
        self.worker: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGUSR2):  # after submitit's, which ignores the first
            signal.signal(number, self._take)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.warned |= number == signal.SIGUSR2
        self.ended |= number == signal.SIGTERM
        self.pass_on()

    def pass_on(self) -> None:
        """Tell the worker to save and stop."""
        if self.worker is not None and self.worker.poll() is None:
            self.worker.send_signal(signal.SIGTERM)


def job_id() -> str:
    """The job that this process is a part of, as squeue calls it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]


def train(folder: Path, submission: str, minutes: int, command: Sequence[str]) -> int:
    """Train the run in `folder` as a task of a job; the task's exit code."""
    from vaecore.files import trouble
    from vaecore.lab import attempts, locks, state, supervisor, worker
    from vaecore.lab.ranks import LEFT_BEHIND

    begun, signals = time.monotonic(), Signals()
    ranks = int(os.environ.get("SLURM_NTASKS", "1"))
    if ranks > 1:
        from submitit.helpers import TorchDistributedEnvironment

        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
    if ranks > 1 and os.environ["RANK"] != "0":  # it only computes, and ends with the first
        code = subprocess.run([*command, str(folder)], stdin=subprocess.DEVNULL, check=False).returncode
        return 0 if code == LEFT_BEHIND else abs(code)
    try:
        lock = locks.take_run(folder)
    except locks.LabError as error:
        attempts.note(str(error))
        worker.dismiss(folder)
        return 1
    try:
        try:
            attempt = attempts.begin_on_cluster(folder, submission, job_id())
        except (locks.LabError, OSError) as error:
            attempts.note(trouble(error))
            worker.dismiss(folder)
            return 1
        if attempt is None:
            attempts.note(f"{folder.name} was taken back, or went elsewhere: this job has nothing to do.")
            worker.dismiss(folder)  # those that share its steps wait for it
            return 0
        before = attempts.reached(folder)
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            signals.worker = subprocess.Popen(
                [*command, str(folder), str(lock)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,),
                start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        finally:
            os.close(log)
        if signals.warned or signals.ended:  # before there was a worker
            signals.pass_on()
        code = signals.worker.wait()
        if code == -signal.SIGTERM and (signals.warned or signals.ended):  # before it could take signals
            attempts.write_exit(folder, attempt, "stopped", "Ended by the cluster before it began.", signalled=True)
            code = 0
        last_word = state.told(folder, state.LastWord, [])
        if last_word is None or last_word.attempt != attempt:
            supervisor.speak_for(folder, attempt, code)
        elif last_word.signalled:
            late = time.monotonic() - begun > minutes * 60 - WARNING - EARLY
            again(folder, signals, signals.warned and late, attempts.reached(folder) > before)
        return abs(code)
    finally:
        os.close(lock)


def again(folder: Path, signals: Signals, late: bool, advanced: bool) -> None:
    """Queue the job again, unless SLURM ends it or does so itself; after a signal at which the worker has saved.

    `late` says that the time limit had come, `advanced` that the training has taken a step in this attempt.
    """
    from vaecore.lab import attempts, scheduler, state

    job, attempt = job_id(), state.known_attempt(folder)
    if not signals.warned and not _left_running(job):
        return  # cancelled, or SLURM queues it again by itself
    if late and not advanced:
        attempts.write_exit(folder, attempt, "stopped", "Its time limit came before it had taken a step: give it more "
                            "time, then resume.")
        return
    attempt = attempts.begin_again(folder, "after its time limit" if late else "after another job took its place")
    try:
        scheduler.tool("scontrol", "requeue", job, limit=60.0)
    except scheduler.NoAnswer as error:
        attempts.write_exit(folder, attempt, "stopped", "Saved before its time was up, but SLURM did not queue it "
                            f"again: {error}. Resume continues there.")


def _left_running(job: str) -> bool:
    """Whether SLURM, which has sent SIGTERM, counts a job as running: it is about to be preempted.

    A cancelled one is not. Where SLURM does not answer, it will kill what it has cancelled meanwhile.
    """
    from vaecore.lab import scheduler

    for _ in range(30):
        found = scheduler.word(job)
        if found is not None:
            return found != "forgotten" and found.state == "RUNNING"
        time.sleep(2.0)
    return False
