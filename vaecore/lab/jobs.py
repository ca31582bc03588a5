"""Submit, stop, kick, wait: what changes the queue and the runs, here and on a cluster.

`state.py` tells the files, `attempts.py` what is written when an attempt is opened and when it ends.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import vaecore
from vaecore import permission
from vaecore.files import sync_folder, trouble, write_json_atomic
from vaecore.lab import attempts, cluster, locks, owners
from vaecore.lab.locks import LabError
from vaecore.lab.owners import Elsewhere
from vaecore.lab.state import (
    GONE,
    LIVE,
    SLOW,
    TICKET,
    Beat,
    LastWord,
    Launch,
    Status,
    Together,
    busy,
    fellows,
    known_attempt,
    place,
    run_of,
    slots,
    status,
    ticket_of,
    tickets,
    told,
    untold,
)
from vaecore.lab.where import FILE as WHERE
from vaecore.lab.where import Here, Slurm, keep, kept
from vaecore.store import Run, Store

if TYPE_CHECKING:
    from vaecore.config import RunConfig

SUPERVISOR = [sys.executable, "-m", "vaecore.lab.supervisor"]
STACK = f"{Together.file}.json"
GRACE = 2.0  # seconds that "stop now" leaves a trainer to obey before it is killed


def require_place(where: Here | Slurm) -> None:
    """Pass where a run can be queued there; raises `LabError` that says why not, before there is a run."""
    if isinstance(where, Slurm):
        cluster.require()


def submit(folder: Path, where: Here | Slurm | None = None) -> None:
    """Queue the run; one that ended or was lost goes on from its last checkpoint.

    `where` says on which machines; without, those of the last time, and this one at first.
    """
    permission.require("train a run")
    where = kept(folder) if where is None else where
    if isinstance(where, Slurm):
        return _hand_over([folder], where)
    _queue([folder], {}, where)


def submit_together(folders: Sequence[Path], where: Here | Slurm | None = None, *, stack: bool | None = None) -> None:
    """Queue these runs at once; small models that differ in no shape train stacked, in one process.

    Which can is found by trying, unless `stack` says that all of them can, or none; where several processes share a
    training, none. On a cluster they are one array, a job a run. Raises `LabError` as `submit`, and then none of
    that store is queued.
    """
    permission.require("train a run")
    folders = list(dict.fromkeys(folders))
    where = kept(folders[0]) if where is None and folders else where or Here()
    if isinstance(where, Slurm):
        return _hand_over(folders, where)
    if stack and where.processes > 1:
        raise LabError(f"A stack is trained in one process, and {where.processes} processes share each of these "
                       "trainings. Leave out the one or the other.")
    alone = stack is False or len(folders) < 2 or where.processes > 1
    together = [] if alone else _stacks(folders, try_them=stack is None)
    members = {folder: [each.name for each in group] for group in together if len(group) > 1 for folder in group}
    by_root: dict[Path, list[Path]] = {}
    for folder in folders:
        by_root.setdefault(place(folder)[0], []).append(folder)
    for own in by_root.values():
        _queue(own, members, where)


def submit_new(folders: Sequence[Path], where: Here | Slurm | None = None, *, stack: bool | None = None) -> None:
    """Queue runs that have just been made, as `submit_together`; where it is refused they are taken back.

    So whoever asks for what a cluster does not have finds no run that nobody wanted, and no name taken.
    """
    permission.require("train a run")
    try:
        submit_together(folders, where, stack=stack)
    except BaseException:  # an interrupt too: stacks are tried for seconds
        for folder in folders:
            if status(folder).state == "new":
                shutil.rmtree(folder, ignore_errors=True)
        raise


def _stacks(folders: Sequence[Path], *, try_them: bool) -> list[list[Path]]:
    """Those that can be trained stacked, in groups; what cannot be tried here is no member of one."""
    from vaecore.training.stacked import groups, tried  # late: torch

    configs: dict[Path, RunConfig] = {}
    for folder in folders:
        with contextlib.suppress(Exception):  # a run whose configuration is broken says so when it is trained
            configs[folder] = Run(folder).config()
    found = []
    for group in groups(configs, slots(place(folders[0])[0])):
        with contextlib.suppress(Exception):  # likewise data that are not there
            if len(group) > 1 and (not try_them or tried([configs[folder] for folder in group]).stacked):
                found.append(group)
    return found


def _queue(folders: Sequence[Path], members: Mapping[Path, list[str]], where: Here) -> None:
    """A ticket for each of some runs of one store, or for none; `members` names those that train stacked with one."""
    locks.require_locks()
    for folder in folders:
        _check(folder)
    root = place(folders[0])[0]
    with _queue_lock(root):
        for folder in folders:
            _check_state(folder)
        made: list[Path] = []
        try:
            for folder in folders:
                keep(folder, where)
                if folder in members:
                    write_json_atomic(folder / STACK, {"members": members[folder]})
                else:
                    (folder / STACK).unlink(missing_ok=True)
            for folder in folders:
                made.append(root / "queue" / f"5-{_behind_all(root)}-{known_attempt(folder) + 1}-{folder.name}")
                made[-1].touch(exist_ok=False)
        except BaseException:  # as of a disk that fails in between
            for ticket in made:
                with contextlib.suppress(OSError):
                    ticket.unlink(missing_ok=True)
            raise
        sync_folder(root / "queue")
    kick(root)


def _hand_over(folders: Sequence[Path], where: Slurm) -> None:
    """Submit runs to SLURM, those of a store as one array; none of a store's where SLURM refuses them."""
    locks.require_locks()
    cluster.require()
    by_root: dict[Path, list[Path]] = {}
    for folder in folders:
        _check(folder)
        by_root.setdefault(place(folder)[0], []).append(folder)
    for root, own in by_root.items():
        submission = uuid.uuid4().hex
        with contextlib.ExitStack() as until_handed_over:
            with _queue_lock(root):
                for folder in own:
                    _check_state(folder)
                until_handed_over.enter_context(attempts.opened_for(submission, own, (WHERE, STACK)))
                for folder in own:
                    keep(folder, where)
                    (folder / STACK).unlink(missing_ok=True)
            numbers = cluster.hand_over(own, root, where, submission)
        for folder, job in zip(own, numbers, strict=True):
            attempts.note_job(folder, submission, job)
        with contextlib.suppress(OSError):
            _tidy(root)


def _tidy(root: Path) -> None:
    """Remove what lies in the store of submissions that are over, but of those that some run still counts on.

    It does so until it has had its last word: what its job wrote is told then, where its process could not speak.
    """
    if not (found := cluster.old(root)):
        return
    counted_on = set()
    for run in Store(root).runs():
        launch, last_word = told(run.path, Launch, []), told(run.path, LastWord, [])
        if launch is not None and (last_word is None or last_word.attempt < launch.attempt):
            counted_on.add(launch.submission)
    cluster.prune(root, (name for name in found if name not in counted_on))


def _behind_all(root: Path) -> int:
    """The number of a ticket behind those that wait: the time, unless the clock was set back meanwhile."""
    return max([time.time_ns(), *(1 + int(ticket.name.split("-", 2)[1]) for ticket in tickets(root))])


def _check(folder: Path) -> None:
    """Raise `LabError` for what cannot be trained here."""
    name = place(folder)[1]
    if folder.absolute().parent.name != "runs":
        raise LabError(f"{name} is not among the store's runs: copy it there, then train the copy.")
    locks.require_own(folder)
    if not TICKET.fullmatch(f"5-0-1-{name}"):
        raise LabError(f"A run cannot be called {name!r}: its folder's name must not begin with a dot.")
    if not (folder / "config.json").is_file():
        raise LabError(f"{name} has no config.json, so there is nothing to train: create the run first.")
    if shutil.disk_usage(folder).free < 1_000_000:  # a ticket takes no room, but would be dropped when its turn comes
        raise LabError(attempts.DISK_FULL)


def _check_state(folder: Path) -> None:
    """Raise `LabError` for a run that waits, runs or has finished."""
    name, now = place(folder)[1], status(folder)
    if now.state == "queued":
        place_of = f"place {now.position}" if now.position else now.place
        raise LabError(f"{name} is queued already ({place_of}): wait, or stop it to take it out.")
    if now.state == "running":
        raise LabError(f"{name} is running already: wait, or stop it and then resume it.")
    if now.state == "unknown":
        raise LabError(f"{name} may wait or run as {now.place}: {now.detail} Wait until it does, or stop it first.")
    if now.state == "finished":  # since the page was drawn, from another page or process
        raise LabError(f"{name} has finished: there is nothing left to resume. Fork it to train it further.")


def stop(folder: Path, *, now: bool = False, why: str = "") -> None:
    """Take a queued run out; ask a running one to save and stop. `now`: kill it if it has not obeyed after GRACE.

    `why`, a sentence, begins what is said of the run afterwards.
    """
    permission.require("stop a run")
    locks.require_own(folder)
    root = place(folder)[0]
    if (root / "queue").is_dir():
        with _queue_lock(root):
            ticket, attempt = ticket_of(folder, tickets(root)), status(folder).attempt
            # Claimed, so that no other machine opens it now; what was claimed here and not opened is nobody's.
            if ticket and (owners.claim(folder, attempt) or owners.abandoned(folder, attempt, GONE)):
                ticket.unlink(missing_ok=True)
                last_word = told(folder, LastWord, [])
                if last_word is None or last_word.state != "finished":  # a finished run stays a finished run
                    attempts.write_exit(folder, attempt, "stopped",
                                        f"{why} Taken out of the queue before it started.".strip())
                return
    before = status(folder)
    if (before.state == "queued" and before.place) or (before.state == "unknown" and not busy(folder) and (
            before.heartbeat_age is None or before.heartbeat_age > GONE)):
        # Its job ends at once where it starts nevertheless: `begin_on_cluster` finds that the attempt has ended.
        attempts.write_exit(folder, before.attempt, "stopped", f"{why} Taken out of SLURM's queue.".strip())
        if before.job and (refused := _cancel(folder, before.job)):
            attempts.note(f"{folder.name}: {refused}")
        return
    if before.state not in LIVE:
        return  # it ended by itself, or never began: nothing to stop
    request = folder / "stop"
    if not request.exists():  # the grace counts from the first request
        request.write_text(why, encoding="utf-8")
    if now:
        # No longer than the grace by this process's clock either: the machine's may have been set back.
        until = time.monotonic() + min(GRACE, max(0.0, request.stat().st_mtime + GRACE - time.time()))
        while busy(folder) and time.monotonic() < until:
            time.sleep(0.05)
        left = status(folder)
        if left.state in ("running", "unknown") and left.job:
            if refused := _cancel(folder, left.job):
                raise LabError(f"SLURM did not cancel job {left.job}: {refused}.")
        elif left.state == "running":
            _kill(folder)


def _cancel(folder: Path, job: str) -> str:
    launch = told(folder, Launch, [])
    return cluster.cancel(place(folder)[0], launch.submission if launch else "", job)


def remove(folder: Path) -> str:
    """Move an idle run to the store's trash; the name by which `Store.restore` brings it back."""
    permission.require("remove a run")
    root, name = place(folder)
    if not folder.is_dir():
        raise LabError(f"There is no run {name} to remove.")
    locks.require_own(folder)
    now = status(folder)
    if now.state in LIVE:
        raise LabError(f"{name} is {now.state}: stop it first, then remove it.")
    with _queue_lock(root), locks.training_lock(folder):  # nobody can start it in between
        return Store(root).discard(Run(folder))


def kick(root: Path) -> None:
    """Start a supervisor on each free slot while tickets wait. Whoever looks at the queue calls this."""
    # Who may only look starts nothing, and is not told so at each look; nor is anything started for another's store.
    if permission.refusal() or Store(root).listed_as:
        return
    for folder in untold(root, SLOW):
        attempts.write_down(folder)
    waiting = len(tickets(root))
    for slot in range(slots(root)):
        if not waiting or not locks.AVAILABLE:
            return
        (root / "slots").mkdir(exist_ok=True)
        lock = locks.take(root / "slots" / str(slot))
        if lock is None:
            continue  # at work; its supervisor will come to the tickets by itself
        # The child must find this package even when it was found by the folder of the script that imported it.
        paths = [str(Path(vaecore.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        try:
            with (root / "slots" / f"{slot}.log").open("wb") as log:
                supervisor = subprocess.Popen(
                    [*SUPERVISOR, str(root.absolute()), str(slot), str(lock)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                    pass_fds=(lock,),
                    start_new_session=True,
                )
        finally:
            os.close(lock)
        threading.Thread(target=supervisor.wait, daemon=True).start()  # or it stays a zombie when it ends
        waiting -= 1


def wait(folder: Path, timeout: float | None = None) -> Status:
    """Block until the run is neither queued nor running; TimeoutError when that takes longer than `timeout` s."""
    start = kicked = time.monotonic()
    while (now := status(folder)).state in LIVE:
        elapsed = time.monotonic() - start
        if timeout is not None and elapsed > timeout:
            raise TimeoutError(f"{folder.name} is still {now.state} after {timeout} s.")
        if start + elapsed - kicked > 0.5:
            kick(place(folder)[0])
            kicked = time.monotonic()
        time.sleep(0.05)
    return now


# --- what the supervisor asks for


@dataclass(frozen=True)
class Taken:
    """A run whose ticket was taken: its attempt is open, and its lock is held by the descriptor `lock`."""

    folder: Path
    attempt: int
    lock: int


def take_next(root: Path) -> list[Taken]:
    """Open an attempt of the run of the first good ticket, and of those that wait to be trained stacked with it.

    A bad ticket is dropped: it must block nobody. Empty where none is left.
    """
    taken: list[Taken] = []
    with _queue_lock(root):
        wanted: set[Path] = set()
        for ticket in tickets(root):
            folder = root / "runs" / run_of(ticket)
            if taken and folder not in wanted:
                continue
            if (job := _take(ticket, folder)) is not None:
                wanted = wanted if taken else set(fellows(folder))
                taken.append(job)
            if taken and not wanted:
                break
    return taken


def _take(ticket: Path, folder: Path) -> Taken | None:
    lock = None
    try:
        lock = locks.take_run(folder)
        attempt = known_attempt(folder) + 1
        # Finished by hand while its ticket waited: another attempt could only spoil it. Or taken by another machine.
        if attempts.finished(folder) or not ticket.exists():
            ticket.unlink(missing_ok=True)
            os.close(lock)
            return None
        attempt = attempts.begin(folder, attempt)
        ticket.unlink(missing_ok=True)
        return Taken(folder, attempt, lock)
    except Elsewhere as error:  # the other machine takes the ticket away
        _note_once(f"{ticket.name}: {error}")
        if lock is not None:
            os.close(lock)
        return None
    except (OSError, LabError) as error:  # the folder vanished, is trained by hand, the disk is full ...
        attempts.note(f"{ticket.name} is dropped: {error}")
        with contextlib.suppress(OSError):
            ticket.unlink()
        if lock is not None:
            with contextlib.suppress(OSError):
                attempts.write_exit(folder, known_attempt(folder), "failed",
                                    f"It could not be started. {trouble(error, attempts.RESUME)}")
            os.close(lock)
        return None


@functools.lru_cache(64)  # it is asked for again and again as long as the other machine has it
def _note_once(words: str) -> None:
    attempts.note(words)


@contextlib.contextmanager
def _queue_lock(root: Path) -> Iterator[None]:
    (root / "queue").mkdir(exist_ok=True)
    lock = locks.take(root / "queue" / ".lock", wait=10.0)
    if lock is None:
        raise LabError("Another process has been changing the queue for 10 s: it may be suspended. Try again.")
    try:
        yield
    finally:
        os.close(lock)


def _shares(folder: Path, beat: Beat) -> bool:
    """Whether a run is trained by the process whose sign of life `beat` is."""
    own = told(folder, Beat, [])
    return own is not None and (own.pid, own.host) == (beat.pid, beat.host) and busy(folder)


def _kill(folder: Path) -> None:
    """End the trainer and its children. The run's lock is held and the heartbeat is this attempt's: the pid is its."""
    beat = told(folder, Beat, [])
    if beat is None or beat.pid <= 1 or beat.attempt != known_attempt(folder):
        raise LabError("Its process is not known yet: wait some seconds, then stop it again.")
    if beat.host != socket.gethostname():
        raise LabError(f"It runs on {beat.host}: stop its process there.")
    if not busy(folder):  # a folder may say whatever it likes: without the lock the process is somebody's
        raise LabError("Its process does not run on this machine, or has ended just now: look again in a minute.")
    pid = beat.pid
    if others := [each.name for each in fellows(folder) if _shares(each, beat) and not (each / "stop").exists()]:
        raise LabError(f"It trains stacked with {len(others)} other{'s' * (len(others) != 1)} in one process, and "
                       "stops after its step or evaluation: wait. To kill the process, stop "
                       f"{', '.join(others[:3])}{' and the rest' * (len(others) > 3)} as well.")
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:  # started by hand inside somebody's script: only this process is ours
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 2
    while busy(folder) and time.monotonic() < deadline:  # until its supervisor has written the last word
        time.sleep(0.02)
