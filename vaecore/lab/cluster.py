"""Trainings on a cluster with SLURM, by the same worker on the same folder: handed over, cancelled, written down.

Each is a job of its own, several that are submitted together are one array. submitit hands them over. Its files lie in
`<store>/slurm/<submission>/<job>/` and never in a run's folder, which may come from somebody else: what it pickles
there is executed on the nodes. Hence that folder is its owner's alone, and nothing in it is ever read back here but
what the job wrote to its standard error. It is pruned as more is submitted.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import vaecore
from vaecore.files import opened
from vaecore.lab import scheduler
from vaecore.lab.locks import LabError
from vaecore.lab.node import WARNING, WORKER, Training
from vaecore.lab.scheduler import available, partitions, refusal
from vaecore.lab.where import Slurm, demand, further

__all__ = ["available", "cancel", "errors", "hand_over", "partitions", "refusal", "require"]

FOLDER = "slurm"  # of a store
KEPT_FOR = 86_400.0  # seconds: no submission's files are pruned before, as somebody may look for why a job ended
MOST_PRUNED = 20  # submissions are pruned at a time
# What nodes are told of our environment.
KEPT = ("VAECORE_DATA", "VAECORE_CACHE", "VAECORE_MEMORY", "VAECORE_PLUGINS", "OMP_NUM_THREADS")


def require() -> None:
    """Pass where trainings can be submitted from here; raises `LabError`, which says what to do instead."""
    if why := refusal():
        raise LabError(why)


def hand_over(folders: Sequence[Path], root: Path, where: Slurm, submission: str) -> list[str]:
    """Give runs of one store to SLURM, as an array where they are several; their jobs in the same order.

    Raises `LabError` with SLURM's own words where it refuses them; then none was handed over.
    """
    from submitit import SlurmExecutor  # late: an extra, and a quarter of a second
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    place = root.absolute() / FOLDER
    if "%" in str(place):
        raise LabError(f"{root}: SLURM cannot write into a folder whose name holds %. Rename it.")
    own = place / submission
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        place.chmod(0o700)  # what lies there is executed
        own.mkdir(mode=0o700)
    except PermissionError:
        raise LabError(f"{place} is another user's, whose alone it has to be as what lies there is executed. Submit "
                       "from a store of your own, and read this one by VAECORE_SHARED.") from None
    trainings = [Training(str(folder.absolute()), submission, where.time, tuple(WORKER)) for folder in folders]
    try:
        with _outside(), contextlib.redirect_stderr(_Others(sys.stderr)):
            executor = SlurmExecutor(own / "%j")
            executor.update_parameters(**_parameters(folders, where))
            jobs = executor.submit_array(trainings)
    except (FailedJobError, FailedSubmissionError, OSError, RuntimeError, ValueError) as error:
        shutil.rmtree(own, ignore_errors=True)
        why = (scheduler.said(str(error)) or type(error).__name__).rstrip(".")
        raise LabError(f"SLURM refused it: {why}. It was asked for {demand(where)}.") from None
    scheduler.forget()
    return [str(job.job_id) for job in jobs]


def _parameters(folders: Sequence[Path], where: Slurm) -> dict[str, Any]:
    a_node = where.processes // where.nodes
    paths = [str(Path(vaecore.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    told = {"PYTHONPATH": os.pathsep.join(paths), **{name: os.environ[name] for name in KEPT if name in os.environ}}
    chosen = {"partition": where.partition, "account": where.account, "gpus_per_node": where.gpus * a_node,
              "array_parallelism": where.at_once}
    return {
        "job_name": f"vaecore-{folders[0].name}"[:60] if len(folders) == 1 else "vaecore", "time": where.time,
        "nodes": where.nodes, "ntasks_per_node": a_node, "cpus_per_task": where.cpus, "mem": f"{where.memory}GB",
        # A training that is told too late cannot save, one that is told too early has no time to train.
        "signal_delay_s": min(WARNING, where.time * 15), "wckey": None,
        "setup": [f"export {name}={shlex.quote(value)}" for name, value in told.items()],
        "additional_parameters": {"requeue": True, **further(where.extra)},
        **{name: value for name, value in chosen.items() if value}}


@contextlib.contextmanager
def _outside() -> Iterator[None]:
    """Meanwhile the environment of a job that this process may itself run in is not that of what it submits."""
    with _environment:
        hidden = {name: value for name, value in os.environ.items()
                  if "SLURM_JOB_ID" in os.environ and name.startswith(("SLURM_", "SLURMD_", "SRUN_", "SBATCH_"))
                  and name != "SLURM_CONF"}
        for name in hidden:
            del os.environ[name]
        try:
            yield
        finally:
            os.environ.update(hidden)


class _Others(io.StringIO):
    """Standard error for all threads but this one, in which submitit prints what sbatch says and raises it too."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


def cancel(root: Path, submission: str, job: str) -> str:
    """Take a job of a store out of SLURM's queue, or end it; why that could not be done, empty where it was.

    A run's folder names its job, and may come from somebody else: what was not handed over from this store stays.
    """
    if not scheduler.JOB.fullmatch(job):
        return f"{job[:40]!r} is no job."
    known = False
    with contextlib.suppress(OSError):  # another user's folder may not even be looked at
        own = root / FOLDER / submission
        # The second where who submitted it was killed before submitit had made the job's folder.
        known = submission.isalnum() and ((own / job).is_dir() or (own.is_dir() and _of(submission, job)))
    if not known:
        return "it was not submitted from this store, and may be another's"
    try:
        scheduler.tool("scancel", job)
    except scheduler.NoAnswer as error:
        return str(error)
    scheduler.forget()
    return ""


def _of(submission: str, job: str) -> bool:
    """Whether SLURM says that a job is of a submission."""
    said = scheduler.word(job)
    return isinstance(said, scheduler.Word) and said.submission == submission


def errors(root: Path, submission: str, job: str) -> list[str]:
    """The last lines that SLURM or submitit wrote of a job, as where no Python was found on its node."""
    if not scheduler.JOB.fullmatch(job) or not submission.isalnum():
        return []
    found: list[str] = []
    for name in (f"{job}_0_log.out", f"{job}_0_log.err"):
        with contextlib.suppress(OSError, ValueError), opened(root / FOLDER / submission / job / name) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4_000))
            found += file.read(4_000).decode(errors="replace").splitlines()
    return [line[:300] for line in found if line.strip() and not line.startswith("submitit ")][-20:]


def old(root: Path) -> list[str]:
    """The submissions of a store whose files may be pruned as far as SLURM goes, the oldest first.

    That is: made a day ago or longer, and none of their jobs waits or runs. None where SLURM does not answer.
    """
    now = time.time()
    try:
        with os.scandir(root / FOLDER) as entries:
            made = {each.name: each.stat(follow_symlinks=False).st_mtime for each in entries
                    if scheduler.SUBMISSION.fullmatch(each.name) and each.is_dir(follow_symlinks=False)}
    except OSError:
        return []
    aged = sorted((name for name, at in made.items() if now - at > KEPT_FOR), key=made.__getitem__)
    working = scheduler.working() if aged else None
    return [] if working is None else [name for name in aged if name not in working]


def prune(root: Path, submissions: Iterable[str]) -> None:
    """Remove the files of submissions, of the first few: whoever submits waits for it."""
    for name in islice(submissions, MOST_PRUNED):
        shutil.rmtree(root / FOLDER / name, ignore_errors=True)


_environment = threading.Lock()
