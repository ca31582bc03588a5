"""What a run is doing, derived from the files in the store's folder. Everything in here only looks.

    ROOT/lab.json                   {"slots": 1}: how many trainings at once (absent: 1)
         queue/5-<time_ns>-<attempt>-<run>  a ticket, empty; the sorted names are the order
         queue/.lock                held by whoever changes the queue, for milliseconds
         slots/0                    held by a supervisor and inherited by its worker
         runs/<run>/config.json     written by whoever made the run
                    lock            held as long as a trainer lives
                    owner-<n>.json  whose attempt n is, see `owners.py`
                    launch.json     {attempt, backend, host, machine, time}, written by whoever opens an attempt; on a
                                    cluster also {submission, task, user, again}: which one, which of its array, whose,
                                    and why it was queued again
                    slurm.json      {submission, job, user, host, time}: the job of that submission
                    heartbeat.json  {time, attempt, pid, host, step, total, epoch, rate, doing, changed}, every second
                    stack.json      {members}: the runs it is to train with, in one process, itself among them
                    stop            exists = please save and stop; what it says is why
                    exit.json       {attempt, state, detail, time, signalled, suggested}, the last word on that attempt
                    log.txt

A state is derived from these facts and never stored as a wish, so no kill leaves a false one. What makes it exact:
- a ticket becomes a worker under the run's lock: lock, then launch.json, then the ticket goes. Looking goes in that
  order too (ticket, lock, last word), so a run is never seen as neither queued nor running;
- attempts are numbered, so an old exit.json never speaks for a new try.
On a cluster it is SLURM that knows whether a job waits or runs: it is asked where no exit.json speaks, and where that
says that a signal stopped it, after which SLURM may queue it again. No answer is `unknown`, and never `lost`. Whoever
submits may be killed before the job is noted: then it is found by its script, which lies in the submission's folder.
A run folder may come from somebody else: nothing in it is executed, and broken files are passed over.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError

from vaecore.files import BrokenFile, read_json
from vaecore.lab import cluster, locks, owners, scheduler
from vaecore.untrusted import Sane, Untrusted, Whole, Word

Outcome = Literal["finished", "failed", "stopped"]
State = Literal["new", "queued", "running", "finished", "failed", "stopped", "lost", "unknown"]
LIVE: tuple[State, ...] = ("queued", "running", "unknown")  # something may still come of it, by itself

TICKET = re.compile(r"\d-\d+-(\d{1,9})-([^.].*)")
SETTING = re.compile(r"[a-z_]+(\.[a-z_]+)*=[\w.+-]{1,40}")  # of a fork, as a last word suggests it
SILENCE = 15.0  # seconds without a heartbeat before we mention it
SLOW = 5.0  # ... after which a file that was written on a node is seen here at the latest
GONE = 60.0  # ... before a run on another machine, whose lock we cannot see, counts as lost


@dataclass(frozen=True)
class Waits:
    """A ticket of the queue."""

    position: int  # from 1
    attempt: int


@dataclass(frozen=True)
class Status:
    """Where a run stands. `step`, `total` and `epoch` tell how far it came, also after it ended."""

    state: State
    detail: str = ""  # a sentence for the person who looks
    attempt: int = 0
    step: int = 0
    total: int = 0
    epoch: float = 0.0
    seconds_left: float | None = None
    rate: float | None = None  # steps a second
    heartbeat_age: float | None = None  # seconds
    position: int | None = None  # in the queue, from 1
    stopping: bool = False  # asked to stop, not yet obeyed
    doing: str = ""  # what a running one does before its first step, as "Preparing the pictures of faces, 43 %."
    place: str = ""  # where it waits, runs or ran if not in this machine's queue, as "SLURM job 123 on n1"
    job: str = ""  # what SLURM calls it, as "123" or "123_2"
    suggested: tuple[str, ...] = ()  # settings of a fork that would not fail as it did, as "training.batch_size=64"


# --- the files, which anybody may have written


class File(Untrusted):
    """One of the small files, by its name."""

    file: ClassVar[str]


class Attempt(File):
    """One that speaks of an attempt."""

    attempt: Whole = 0


class Launch(Attempt):
    """Who opened the last attempt."""

    file = "launch"
    host: str = ""
    machine: str = ""
    backend: str = "local"
    submission: str = ""
    task: Whole = 0
    user: str = ""
    again: str = ""

    @property
    def elsewhere(self) -> bool:
        """Whether another machine opened it, whose lock may not be seen here."""
        return self.machine != owners.machine() if self.machine else bool(self.host) and (
            self.host != socket.gethostname())


class Submission(File):
    """What SLURM calls the job of a submission."""

    file = "slurm"
    submission: str = ""
    job: str = ""
    user: str = ""


class Beat(Attempt):
    """The sign of life of a run's process: when it last stood where."""

    file = "heartbeat"
    time: Sane = 0.0
    pid: Whole = 0
    host: str = ""
    step: Sane = 0.0
    total: Sane = 0.0
    epoch: Sane = 0.0
    rate: Sane = 0.0
    doing: str = ""
    changed: str = ""


class LastWord(Attempt):
    """How an attempt ended."""

    file = "exit"
    state: Outcome
    detail: str = ""
    time: Sane = 0.0
    signalled: bool = False  # stopped by a signal, as a cluster sends one: it may be queued again
    suggested: list[Word] = Field(default_factory=list, max_length=8)  # settings of a fork that would not fail so


class Together(File):
    """The runs that are to train stacked, by name."""

    file = "stack"
    members: list[Word] = Field(default_factory=list, max_length=64)


class Lab(File):
    """How many train at once."""

    file = "lab"
    slots: Whole = 1


Facts = TypeVar("Facts", bound=File)


# --- where a run stands


def status(folder: Path, waiting: Mapping[str, Waits] | None = None) -> Status:
    """Where the run stands. Reads a few small files: well under a millisecond.

    `waiting` is what `in_line` has just said of its store: who looks at many runs asks that once.
    """
    first = _look(folder, waiting)
    # "Lost" is concluded from what is absent, and so is an end that SLURM tells; a run that started or ended between
    # two reads could feign it: look again.
    return _look(folder) if first.state == "lost" or (first.job and first.state not in LIVE) else first


def queue(root: Path) -> list[str]:
    """The names of the queued runs, next first."""
    return [run_of(ticket) for ticket in tickets(root)]


def busy(folder: Path) -> bool:
    """Whether some process is training into the folder."""
    return locks.held(folder / "lock")


def fellows(folder: Path) -> list[Path]:
    """The runs that train stacked with this one, each of which names the same members; without itself."""
    found = told(folder, Together, [])
    if found is None or folder.name not in found.members:
        return []
    others = [folder.parent / name for name in dict.fromkeys(found.members)
              if name != folder.name and TICKET.fullmatch(f"5-0-1-{name}") and "/" not in name]
    return [other for other in others if told(other, Together, []) == found]


def _look(folder: Path, waiting: Mapping[str, Waits] | None = None) -> Status:
    root, name = place(folder)
    waiting = in_line(root) if waiting is None else waiting
    waits = waiting.get(name) if _among_runs(folder) else None
    held = waits is None and busy(folder)
    broken: list[str] = []
    launch, last_word, beat = told(folder, Launch, broken), told(folder, LastWord, broken), told(folder, Beat, broken)
    attempt = max(found.attempt if found else 0 for found in (launch, last_word, beat))
    if waits is not None:
        attempt = max(attempt, waits.attempt)
        now = Status("queued", f"Waiting, place {waits.position} in the queue{_with_whom(folder, waiting)}.", attempt,
                     position=waits.position)
    else:
        now = _begun(folder, attempt, held, launch, last_word, beat)
    if broken:
        now = replace(now, detail=f"{now.detail} Passed over: {' '.join(broken)}".strip())
    return replace(now, step=int(beat.step), total=int(beat.total), epoch=beat.epoch) if beat else now


def _begun(folder: Path, attempt: int, held: bool, launch: Launch | None, last_word: LastWord | None,
           beat: Beat | None) -> Status:
    """Where a run stands that does not wait here; `held` says that its lock is, `attempt` which was the last."""
    opened_by = launch if launch and launch.attempt == attempt else None
    ended = last_word if last_word and last_word.attempt == attempt else None
    sign = beat if beat and beat.attempt == attempt else None
    age, asked = _age(folder, sign) if sign else None, (folder / "stop").exists()
    where = ""
    job: Submission | None = None
    there: _There | None = None
    if launch and launch.backend == "slurm":
        handed_over = launch is opened_by and (ended is None or ended.signalled)
        job = _job(folder, launch, seek=handed_over)
        there = _on_cluster(folder, launch, job, held, age, ended=ended is not None) if handed_over else None
        where = (f"SLURM job {job.job}" if job and job.job else "SLURM") + (
            f" on {there.nodes}" if there and there.nodes else "")

    def standing(state: State, detail: str) -> Status:
        return Status(state, detail, attempt, heartbeat_age=age, place=where, job=job.job if job else "")

    if there and there.state != "running":
        return standing(there.state, there.detail)
    if ended and not held and there is None:
        return replace(standing(ended.state, ended.detail[:1000]), suggested=tuple(
            setting for setting in ended.suggested if SETTING.fullmatch(setting)))
    elsewhere = opened_by is not None and opened_by.elsewhere and (
        age if age is not None else owners.age(folder / "launch.json")) < GONE
    if held or there or elsewhere:
        on = there.detail if there else f"Running on {_host(opened_by)}." if elsewhere else ""
        return _under_way(standing("running", on), sign, stopping=asked)
    if attempt == 0 and (folder / "weights.safetensors").is_file():
        return standing("finished", "A trained checkpoint.")  # shipped, or copied from somebody
    if attempt == 0:
        return standing("new", "Not started yet.")
    if asked:
        return standing("stopped", "Killed on request; resume continues from the last checkpoint.")
    return standing("lost", "Its process is gone and left no word: the machine was restarted, the process was killed, "
                            "or the disk was full or failed. Resume continues from the last checkpoint.")


def _host(launch: Launch | None) -> str:
    """The machine that opened an attempt; this one where nobody says."""
    return launch.host[:100] if launch and launch.host else socket.gethostname()


def _under_way(now: Status, sign: Beat | None, *, stopping: bool) -> Status:
    """A run that is running, with how fast it goes and what it does, by the sign of life of its attempt."""
    rate = (sign.rate or None) if sign else None
    left = max(0.0, sign.total - sign.step) / rate if sign and rate else None
    doing, detail, silence = "", now.detail, now.heartbeat_age or 0.0
    if stopping:
        detail = "Stopping: it saves a checkpoint first."
    elif silence > SILENCE:
        detail = f"No sign of life for {silence:.0f} s: it may be suspended, or the machine is overloaded."
    elif rate is None:
        doing = sign.doing[:300] if sign else ""
        detail = doing or detail or "Starting."
    elif sign and sign.changed:
        detail = f"{detail} {sign.changed[:300]}".strip()
    return replace(now, detail=detail, rate=rate, seconds_left=left, stopping=stopping, doing=doing)


@dataclass(frozen=True)
class _There:
    """What is known of a run whose job SLURM has; `nodes` are those it runs on."""

    state: State
    detail: str
    nodes: str = ""


def _job(folder: Path, launch: Launch, *, seek: bool) -> Submission | None:
    """The job of a submission as it was noted, or as SLURM knows it where nobody has noted it and we are to `seek` it.

    Its number is empty where there is none, and all is None where SLURM does not answer.
    """
    noted = told(folder, Submission, [])
    if noted is not None and noted.submission == launch.submission and scheduler.JOB.fullmatch(noted.job):
        return noted
    job = scheduler.job_of(launch.submission, launch.task, launch.user) if seek else ""
    return None if job is None else Submission(submission=launch.submission, job=job, user=launch.user)


def _on_cluster(folder: Path, launch: Launch, job: Submission | None, running: bool, age: float | None, *, ended: bool
                ) -> _There | None:
    """Where a run stands whose attempt was handed over to SLURM; None where its last word counts, which `ended` says
    is there.

    `job` is what `_job` found, `running` says that the run's lock is held, `age` how old the attempt's last sign of
    life is.
    """
    if job is None or not job.job:
        if running or (age is not None and age < GONE):
            return _There("running", "")
        if owners.age(folder / "launch.json") < GONE:
            return _There("queued", "It is being handed over to SLURM.")
        if job is None:
            return _There("unknown", _no_answer(age))
        return _There("lost", "It was not handed over to SLURM: whoever submitted it was interrupted. Submit it again.")
    said = scheduler.word(job.job, job.user)
    if said is None:
        return _There("running", "") if running else _There("unknown", _no_answer(age))
    if said == "forgotten" or said.phase == "cancelled":
        if running or (said == "forgotten" and not ended and age is not None and age < GONE):
            return _There("running", "")
        if ended:
            return None
        if said != "forgotten":
            _untold.setdefault(folder, time.monotonic())
            what = "Another job took its place" if said.state == "PREEMPTED" else "Cancelled on the cluster"
            return _There("stopped", f"{what}; resume continues from the last checkpoint.")
        return _There("lost", f"SLURM no longer knows its job {job.job}, which left no word. Resume continues from "
                              "the last checkpoint.")
    if said.phase == "waiting":
        again = launch.again or ("by SLURM" if age is not None or ended else "")
        first = f"Queued again {again[:100]}" if again else "Waiting for SLURM"
        return _There("queued", f"{first}: {said.why}." if said.why else f"{first}.")
    if said.phase == "running" or running:
        return _There("running", f"Running on {said.nodes}." if said.nodes else "", said.nodes)
    if ended:
        return None
    if len(_done) > 10_000:
        _done.clear()
    if said.phase == "completed" and time.monotonic() - _done.setdefault(job.job, time.monotonic()) < SLOW:
        return _There("running", "It has ended, and its last word is not seen here yet.", said.nodes)
    if said.phase == "completed":
        return _There("lost", "SLURM says that its job is done, and it left no word. Resume continues from the last "
                              "checkpoint.")
    _untold.setdefault(folder, time.monotonic())
    if age is None and (lines := cluster.errors(place(folder)[0], launch.submission, job.job)):
        own = [line for line in lines if not line.startswith("srun:")] or lines
        return _There("failed", f"It ended before it began: {own[-1]} {said.failure}", said.nodes)
    return _There("failed", said.failure, said.nodes)


def _no_answer(age: float | None) -> str:
    """Why nothing can be said of a job, and how long ago its process gave its last sign of life."""
    why = "The cluster does not answer" if scheduler.installed() else "SLURM cannot be asked from this machine"
    return f"{why}; last sign of life {age:.0f} s ago." if age is not None else f"{why}."


def untold(root: Path, seconds: float) -> list[Path]:
    """The runs of a store whose end only SLURM has told, for so many seconds: it will forget it."""
    return [folder for folder, since in list(_untold.items())
            if place(folder)[0] == root.absolute() and time.monotonic() - since > seconds]


def is_told(folder: Path) -> None:
    """Take a run from those whose end only SLURM has told."""
    _untold.pop(folder, None)


_done: dict[str, float] = {}  # job -> when this process first heard that it is done
_untold: dict[Path, float] = {}  # folder -> when this process first heard of it


def trained_elsewhere(folder: Path) -> str:
    """The machine on which the last attempt still shows signs of life and has left no last word; empty for ours."""
    launch, last_word, beat = told(folder, Launch, []), told(folder, LastWord, []), told(folder, Beat, [])
    if launch is None or launch.backend != "local" or not launch.elsewhere or (
            last_word is not None and last_word.attempt >= launch.attempt):
        return ""
    sign = _age(folder, beat) if beat is not None and beat.attempt == launch.attempt else owners.age(
        folder / "launch.json")
    return (launch.host or "another machine")[:100] if sign < GONE else ""


def _age(folder: Path, beat: Beat) -> float:
    """Seconds that have passed since a sign of life.

    The clocks of the machine that gave it, of this one and of the disk may differ: the least that two of them say
    counts, and before all that the sign has changed since this process looked before.
    """
    now = time.monotonic()
    before = _heard.get(folder)
    if before is None or before[0] != beat.time:
        if len(_heard) > 10_000:
            _heard.clear()
        said = min((past for past in (time.time() - beat.time, owners.age(folder / "heartbeat.json")) if past >= 0),
                   default=0.0)
        _heard[folder] = before = (beat.time, now, said if before is None else min(said, 1.0))
    _, since, then = before
    return then + now - since


_heard: dict[Path, tuple[float, float, float]] = {}  # folder -> (the sign, when it was first seen, how old it was then)


def _with_whom(folder: Path, waiting: Mapping[str, Waits]) -> str:
    """How many of those that wait a waiting run is to train stacked with, in words; empty of none."""
    found = told(folder, Together, [])
    if found is None or folder.name not in found.members:
        return ""
    others = len(waiting.keys() & set(found.members)) - 1
    return f", to train stacked with {others} other{'s' * (others != 1)}" if others > 0 else ""


# --- the facts


def place(folder: Path) -> tuple[Path, str]:
    """(store root, name of the run)."""
    folder = folder.absolute()
    return folder.parent.parent, folder.name


def slots(root: Path) -> int:
    found = told(root, Lab, [])
    return max(1, min(64, found.slots)) if found else 1


def tickets(root: Path) -> list[Path]:
    """Tickets in order; whatever else lies in the queue's folder is passed over."""
    try:
        with os.scandir(root / "queue") as entries:
            names = sorted(entry.name for entry in entries if TICKET.fullmatch(entry.name) and entry.is_file())
    except OSError:
        return []
    return [root / "queue" / name for name in names]


def run_of(ticket: Path) -> str:
    return ticket.name.split("-", 3)[3]


def in_line(root: Path) -> dict[str, Waits]:
    """The queued runs by their names, in order."""
    found: dict[str, Waits] = {}
    for position, ticket in enumerate(tickets(root), 1):
        found.setdefault(run_of(ticket), Waits(position, int(ticket.name.split("-", 3)[2])))
    return found


def ticket_of(folder: Path, waiting: list[Path]) -> Path | None:
    if not _among_runs(folder):
        return None
    return next((ticket for ticket in waiting if run_of(ticket) == folder.name), None)


def _among_runs(folder: Path) -> bool:
    return folder.absolute().parent.name == "runs"  # a shipped checkpoint may share its name with a run


def told(folder: Path, kind: type[Facts], broken: list[str]) -> Facts | None:
    """What a small file says; None when it is absent or broken, which `broken` then tells."""
    name = f"{kind.file}.json"
    try:
        found = read_json(folder / name, limit=10_000)
        return None if found is None else kind.kept(found)
    except ValidationError:
        broken.append(f"{name} does not say what it should.")
    except BrokenFile as error:
        broken.append(str(error))
    return None


def known_attempt(folder: Path) -> int:
    """The highest attempt that any file speaks of; 0 when none does."""
    kinds: tuple[type[Attempt], ...] = (Launch, Beat, LastWord)
    return max(found.attempt if found else 0 for found in (told(folder, kind, []) for kind in kinds))
