"""What a job of SLURM does on its node: open an attempt of its run, start the worker, and see to its end.

It is the supervisor's part for one run. SLURM asks in two ways: SIGUSR2 comes before the time limit (and, where the
cluster is so set up, before a preemption), SIGTERM with a cancellation or a preemption. Both become the worker's stop
at a step; then the job is queued again, unless it was cancelled. It goes on from the run's folder, nothing else.

Where several tasks share the training, the first sees to the run. Of another whose process dies its node leaves word in
the submission's folder: the first may still wait for that process to come, or for what it computes on a GPU.
"""

from __future__ import annotations

import contextlib
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
LOOK = 1.0  # seconds between two looks for word of another task's end


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
    from vaecore.files import trouble, written_into
    from vaecore.lab import attempts, locks, state, supervisor, worker

    begun, signals = time.monotonic(), Signals()
    tasks = int(os.environ.get("SLURM_NTASKS", "1"))
    if tasks > 1:
        from submitit.helpers import TorchDistributedEnvironment

        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        if os.environ["RANK"] != "0":  # it only computes, and ends with the first
            return _follow(folder, submission, int(os.environ["RANK"]), tasks, command, signals)
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
        log = written_into(folder / "log.txt")
        try:
            signals.worker = subprocess.Popen(
                [*command, str(folder), str(lock)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,),
                start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        finally:
            os.close(log)
        if signals.warned or signals.ended:  # before there was a worker
            signals.pass_on()
        code, lost = _waited(signals.worker, _words(folder, submission)) if tasks > 1 else (signals.worker.wait(), "")
        if code == -signal.SIGTERM and (signals.warned or signals.ended):  # before it could take signals
            attempts.write_exit(folder, attempt, "stopped", "Ended by the cluster before it began.", signalled=True)
            code = 0
        last_word = state.told(folder, state.LastWord, [])
        if lost and (last_word is None or last_word.attempt != attempt):
            attempts.write_exit(folder, attempt, "failed", lost)
        elif last_word is None or last_word.attempt != attempt:
            supervisor.speak_for(folder, attempt, code)
        elif last_word.signalled:
            late = time.monotonic() - begun > minutes * 60 - WARNING - EARLY
            again(folder, signals, signals.warned and late, attempts.reached(folder) > before)
        return abs(code)
    finally:
        os.close(lock)


def _words(folder: Path, submission: str) -> Path:
    """What the names of files begin with that tell of tasks whose process died, in this life of the job."""
    from vaecore.lab import cluster

    own = folder.parents[1] / cluster.FOLDER / submission / job_id()
    return own / f"died-{os.environ.get('SLURM_RESTART_COUNT', '0')}-"


def _follow(folder: Path, submission: str, rank: int, tasks: int, command: Sequence[str], signals: Signals) -> int:
    """Compute beside the first task until the training ends; the exit code. Leaves word where its process dies."""
    from vaecore.lab import ranks

    code = subprocess.run([*command, str(folder)], stdin=subprocess.DEVNULL, check=False).returncode
    if code in (0, ranks.LEFT_BEHIND):
        return 0
    if code < 0 and (signals.warned or signals.ended):  # SLURM ends them all
        return abs(code)
    words = _words(folder, submission)
    log = words.parent / f"{words.parent.name}_{rank}_log.out"
    with contextlib.suppress(OSError):
        words.with_name(f"{words.name}{rank}").write_text(ranks.died(rank, tasks, code, str(log)), encoding="utf-8")
    return abs(code)


def _waited(worker: subprocess.Popen[bytes], words: Path) -> tuple[int, str]:
    """Wait for the worker's end: its code, and the word of another task that died where the worker was ended for it.

    As a rule it notices by itself, and says more.
    """
    from vaecore.lab import ranks

    lost = ""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return worker.wait(ranks.GRACE if lost else LOOK), ""
        if lost:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            return worker.wait(), lost
        with contextlib.suppress(OSError):
            for path in words.parent.glob(f"{words.name}*"):
                lost = path.read_text(encoding="utf-8")[:600]


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
