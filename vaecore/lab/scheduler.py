"""What SLURM says: of all jobs at once, of its partitions, and whether it can be used here at all.

It is asked on a thread of its own and at most every two seconds, as a controller that is down lets a question wait for
its whole limit. "No answer" is an answer of its own here, and never taken for "gone".
"""

from __future__ import annotations

import getpass
import importlib.util
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

LIMIT = 8.0  # seconds that a question may take
FRESH, OLD = 2.0, 12.0  # seconds: an answer is asked for again after the first, and none any more after the second
PATIENCE = 1.0  # seconds that whoever looks waits for the first answer, which as a rule takes 0.02
JOB = re.compile(r"\d{1,12}(_\d{1,9})?")
ASKED = "%i|%T|%r|%N|%o"  # of each job: number, state, reason, nodes, and the script that it was submitted as
LINE = re.compile(rf"({JOB.pattern})\|([^|]*)\|([^|]*)\|([^|() ]*|\(null\))\|(.*)")
SUBMISSION = re.compile(r"[0-9a-f]{32}")
SCRIPT = re.compile(rf".*/slurm/({SUBMISSION.pattern})/[^/]*")  # where `cluster.hand_over` has it written
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
Phase = Literal["waiting", "running", "cancelled", "failed", "completed"]

PHASES: dict[str, Phase] = {
    **dict.fromkeys(["PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"], "waiting"),
    **dict.fromkeys(["RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT",
                     "RESIZING", "POWER_UP_NODE", "UPDATE_DB"], "running"),
    **dict.fromkeys(["CANCELLED", "REVOKED", "PREEMPTED"], "cancelled"), "COMPLETED": "completed"}
FAILURES = {
    "TIMEOUT": "Its time limit ended it before it could save: give it more time, then resume.",
    "OUT_OF_MEMORY": "It needed more memory than it had asked for: ask for more, or take a smaller batch; then resume.",
    "NODE_FAIL": "Its node failed. Resume continues from the last checkpoint.",
    "BOOT_FAIL": "Its node did not start. Resume submits it again.",
    "DEADLINE": "It could not be done before its deadline. Resume submits it again."}
REASONS = {
    "None": "", "Priority": "others come first", "Resources": "for free resources",
    "JobArrayTaskLimit": "as many of its array run as may", "BeginTime": "until it may begin",
    "Dependency": "for another job", "DependencyNeverSatisfied": "for a job that failed: stop it and submit it again",
    "JobHeldUser": "it is held by its owner: `scontrol release` lets it go",
    "JobHeldAdmin": "it is held by the cluster's administrators", "Reservation": "for its reservation to begin",
    "PartitionDown": "its partition is down", "PartitionInactive": "its partition takes no jobs now",
    "PartitionTimeLimit": "its time limit is more than the partition allows: stop it and ask for less",
    "PartitionNodeLimit": "it asks for more nodes than the partition has: stop it and ask for fewer",
    "ReqNodeNotAvail": "its nodes are down or reserved", "NodeDown": "its node is down", "Licenses": "for licences",
    "Cleaning": "its last try is still being cleared away",
    "InvalidAccount": "the cluster does not know its account: stop it and name another",
    "InvalidQOS": "the cluster does not know its quality of service: stop it and name another",
    "BadConstraints": "no node can ever do what it asks for: stop it and ask for less"}
# Limits of a user, an account or a quality of service, of which there are some eighty, as "QOSMaxCpuPerUserLimit".
LIMITS = re.compile(r"(?!\w*NotSatisfied)(QOS|Assoc|Max)"
                    r"\w*?(C[Pp][Uu](?:Run)?Minutes|Wall|Job|C[Pp][Uu]|G[Rr][Ee][Ss]|Mem|Node)\w*")
COUNTED = {"job": "many jobs", "cpu": "many cores", "gres": "many GPUs", "mem": "much memory", "node": "many nodes"}


@dataclass(frozen=True)
class Word:
    """What SLURM says of one job: its state and the reason as SLURM calls them, and the nodes it runs on.

    `submission` is which one of ours the job is of; empty for a job of anybody else's.
    """

    state: str
    reason: str = ""
    nodes: str = ""
    submission: str = ""

    @property
    def phase(self) -> Phase:
        """What the state comes to; of one that SLURM has learned since, a failure."""
        return PHASES.get(self.state, "failed")

    @property
    def why(self) -> str:
        """Why it waits, in words; in SLURM's own where there are none."""
        reason = self.reason.partition(",")[0].strip()  # "ReqNodeNotAvail, UnavailableNodes:n1"
        if reason in REASONS:
            return REASONS[reason]
        if not (limit := LIMITS.fullmatch(reason)):
            return self.reason
        owner = "you" if "PerUser" in reason else "its quality of service" if limit[1] == "QOS" else "your account"
        has, may = ("have", "you may") if owner == "you" else ("has", "it may")
        if limit[2] == "Wall":
            return f"its time limit is more than {owner} may ask for: stop it and ask for less"
        if limit[2].endswith("Minutes"):
            return f"{owner} {has} used as many core minutes as {may}"
        return f"{owner} {has} as {COUNTED[limit[2].lower()]} at work as {may}"

    @property
    def failure(self) -> str:
        """What happened to a job that failed, and what to do."""
        return FAILURES.get(self.state, f"SLURM says {self.state}" + (f" ({self.reason})" * (self.reason not in
                            ("", "None")) + ". Resume continues from the last checkpoint."))


@dataclass(frozen=True)
class Partition:
    """A part of the cluster: nodes of one kind. `minutes` is the most a job may ask for, None where there is no end."""

    name: str
    default: bool
    up: bool
    minutes: int | None
    nodes: int
    cores: int  # of a node, the least
    memory: float  # of a node in GiB, the least
    gpus: int  # of a node, the most


class NoAnswer(Exception):
    """SLURM could not be asked, or did not answer; the message is what it said instead."""


T = TypeVar("T")


class Asked(Generic[T]):
    """An answer that is asked for again on a thread as it grows old, and then not believed any more."""

    def __init__(self, ask: Callable[[], T], fresh: float, old: float) -> None:
        self._ask, self._fresh, self._old = ask, fresh, old
        self._change = threading.Condition()
        self._answer: T | None = None
        # When the question was put that was answered, when the last one was, and from when on an answer counts.
        self._begun = self._tried = self._floor = -1e9
        self._asking = False
        self.refused = ""  # why the last question was not answered

    def get(self, since: float = -1e9) -> T | None:
        """The answer to a question put after `since` (monotonic seconds); None where there is none yet.

        Waits for a first answer a moment, and not at all where the last question went unanswered.
        """
        with self._change:
            while True:
                now, floor = time.monotonic(), max(since, self._floor)
                if not self._asking and (now - self._tried > self._fresh or self._tried < floor):
                    self._asking, self._tried = True, now
                    threading.Thread(target=self._refresh, args=(now,), name="slurm", daemon=True).start()
                if self._answer is not None and self._begun >= floor and now - self._begun < self._old:
                    return self._answer
                if not self._asking or self.refused or now >= self._tried + PATIENCE:
                    return None
                self._change.wait(self._tried + PATIENCE - now)

    def forget(self) -> None:
        """Count no answer any more to what was asked before."""
        with self._change:
            self._floor, self.refused = time.monotonic(), ""

    def _refresh(self, begun: float) -> None:
        answer, refused = None, ""
        try:
            answer = self._ask()
        except NoAnswer as error:
            refused = str(error)
        except Exception as error:  # or nobody would ask again
            refused = f"what it says cannot be read ({type(error).__name__})"
        with self._change:
            self._asking, self.refused = False, refused
            if answer is not None:
                self._answer, self._begun = answer, begun
            self._change.notify_all()


def tool(*command: str, limit: float = LIMIT) -> str:
    """What one of SLURM's commands prints; raises `NoAnswer` with its own words where it fails or takes too long."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False,
                              text=True, errors="replace", env={**os.environ, "LC_ALL": "C"})
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{command[0]} took longer than {limit:.0f} s") from None
    except OSError as error:
        raise NoAnswer(f"{command[0]} cannot be started: {error.strerror or error}") from None
    if done.returncode:
        raise NoAnswer(said(done.stderr) or f"{command[0]} ended with code {done.returncode}")
    return done.stdout


def said(text: str) -> str:
    """SLURM's own words in what one of its commands wrote to standard error, without its prefixes."""
    lines = [re.sub(r"^\w+: (error: |fatal: )?", "", line).strip() for line in text.splitlines()]
    return "; ".join(dict.fromkeys(re.sub(r"^[\w ]+ failed: ", "", line) for line in lines[:5] if line))[:300]


# -- jobs --------------------------------------------------------------------------------------------


def word(job: str, user: str = "") -> Word | Literal["forgotten"] | None:
    """What SLURM says of a job of `user`; None where it does not answer."""
    return _found(job, user, lambda answer: answer.get(job))


def job_of(submission: str, task: int, user: str = "") -> str | None:
    """The job of a submission's run, which is the `task` of an array where that has several.

    Empty where SLURM knows none, None where it does not answer.
    """
    def find(answer: dict[str, Word]) -> str | None:
        return next((job for job, word in answer.items() if word.submission == submission
                     and job.partition("_")[2] in ("", str(task))), None)

    found = _found(f"{submission}/{task}", user, find) if submission else "forgotten"
    return "" if found == "forgotten" else found


def working() -> set[str] | None:
    """The submissions of this process's user of which a job waits or runs; None where SLURM does not answer."""
    answer = _jobs.get(time.monotonic()) if installed() else None
    return None if answer is None else {each.submission for each in answer.values()
                                        if each.phase in ("waiting", "running")}


def _found(what: str, user: str, find: Callable[[dict[str, Word]], T | None]) -> T | Literal["forgotten"] | None:
    """What `find` makes of all jobs, those of `user` among them; `what` tells it from all else that is sought.

    None where SLURM does not answer, "forgotten" where it finds nothing in an answer to a question that was put since
    this process first sought it: an earlier one may not know it yet.
    """
    if not installed():
        return None
    with _lock:
        if user and USER.fullmatch(user) and user not in _users:
            _users.add(user)
            _seen.pop(what, None)
        since = _seen.setdefault(what, time.monotonic())
        while len(_seen) > 10_000:
            _seen.pop(next(iter(_seen)))
    for asked_since in (-1e9, since):
        answer = _jobs.get(asked_since)
        if answer is None:
            return None
        if (found := find(answer)) is not None:
            return found
    return "forgotten"


def parsed(text: str) -> dict[str, Word]:
    """Every job in what squeue prints that is `ASKED`, by its number; other lines are passed over."""
    found = {}
    for line in text.splitlines():
        if read := LINE.fullmatch(line.strip()):
            job, _, state, reason, nodes, script = (part or "" for part in read.groups())
            ours = SCRIPT.fullmatch(script)
            found[job] = Word(state.strip()[:40], reason.strip()[:200], nodes[:200], ours[1] if ours else "")
    return found


def _ask() -> dict[str, Word]:
    with _lock:
        users = ",".join(sorted(_users))
    return parsed(tool("squeue", "-h", "-r", "-t", "all", "-u", users, "-o", ASKED))


def me() -> str:
    """The user that this process belongs to, as SLURM calls it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return str(os.getuid())


# -- the cluster -------------------------------------------------------------------------------------


def installed() -> bool:
    """Whether SLURM's commands are on this machine."""
    return shutil.which("squeue") is not None


def available() -> bool:
    """Whether trainings can be submitted to SLURM from here, as far as is known without waiting for it."""
    return not refusal()


def refusal() -> str:
    """Why SLURM cannot be used from here, as a sentence with a remedy; empty where it can."""
    if shutil.which("sbatch") is None or not installed():
        return "sbatch was not found on this machine. Train here, or open the laboratory on a login node of a cluster."
    if importlib.util.find_spec("submitit") is None:
        return "submitit is not installed: pip install 'vaecore[slurm]' brings it."
    if _partitions.get() is None:
        words = f" ({_partitions.refused})" if _partitions.refused else ""
        return f"The cluster does not answer{words}. Try again in a minute, or train here."
    return ""


def partitions() -> list[Partition]:
    """The partitions that can be named, the default first; none where the cluster does not answer."""
    return list(_partitions.get() or []) if installed() else []


def partitions_of(text: str) -> list[Partition]:
    """The partitions in what `sinfo -o '%P|%a|%l|%D|%c|%m|%G'` prints, a line for each kind of node."""
    found: dict[str, Partition] = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 7 or not parts[0]:
            continue
        name, before = parts[0].rstrip("*"), found.get(parts[0].rstrip("*"))
        cores, memory = _number(parts[4]), _number(parts[5]) / 1024
        gpus = sum(int(number) for number in re.findall(r"\bgpu(?::[^,:()]+)?:(\d+)", parts[6]))
        found[name] = Partition(
            name, parts[0].endswith("*"), parts[1] == "up", _minutes(parts[2]),
            _number(parts[3]) + (before.nodes if before else 0), min(cores, before.cores) if before else cores,
            min(memory, before.memory) if before else memory, max(gpus, before.gpus) if before else gpus)
    return sorted(found.values(), key=lambda each: (not each.default, each.name))


def _ask_partitions() -> list[Partition]:
    return partitions_of(tool("sinfo", "-h", "-o", "%P|%a|%l|%D|%c|%m|%G"))


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _minutes(text: str) -> int | None:
    """Minutes of a limit as SLURM prints it: days-hours:minutes:seconds; None for no limit."""
    days, _, clock = text.rpartition("-")
    numbers = [int(part) for part in clock.split(":") if part.isdigit()]
    if not numbers:
        return None
    hours, minutes = (numbers[-3] if len(numbers) > 2 else 0), (numbers[-2] if len(numbers) > 1 else 0)
    return (int(days) if days.isdecimal() else 0) * 1440 + hours * 60 + minutes


def forget() -> None:
    """Forget all that SLURM has said; after a submission, and in tests."""
    _jobs.forget()
    _partitions.forget()


_lock = threading.Lock()
_users = {me()}
_seen: dict[str, float] = {}  # job, or run of a submission -> when this process first sought it
_jobs = Asked(_ask, FRESH, OLD)
_partitions = Asked(_ask_partitions, 60.0, 180.0)
