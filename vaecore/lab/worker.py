"""python -m vaecore.lab.worker FOLDER [LOCK [FOLDER LOCK ...]]: train the run in FOLDER to its end, wherever this
process was started; several of them stacked.

A supervisor passes each run's lock, taken already, and has opened the attempt. Started alone it does both itself. Of
several processes that share a training, as torchrun or a cluster starts them, the first does; the others only compute.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, Self, TextIO

from vaecore import permission
from vaecore.errors import OutOfMemory, short_of_memory
from vaecore.files import of_disk, trouble, written_into
from vaecore.lab import attempts, ranks, state, where
from vaecore.lab.control import Control, Heartbeat, Heartbeats
from vaecore.lab.locks import LabError, training_lock
from vaecore.lab.previews import write_preview
from vaecore.lab.supervisor import NO_LAST_WORD
from vaecore.schema import ConfigError
from vaecore.store import Run, StoreError
from vaecore.views import view_of

if TYPE_CHECKING:
    from vaecore.data.converted import Progress

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD
KEPT, KEPT_BLOCK = 2**30, 2**26  # bytes that may lie free at the end of the heap, and of a block that comes from there


def main(arguments: list[str]) -> int:
    keep_freed_memory()
    folder = Path(arguments[0]).absolute()
    lock = int(arguments[1]) if len(arguments) > 1 else None
    if len(arguments) > 2:
        return work_together([Path(name).absolute() for name in arguments[::2]], list(map(int, arguments[1::2])))
    led = False  # whether the others of a shared training have heard of this one
    try:
        place = ranks.rank()
        if place is not None and place.rank:
            follow(folder)
        with training_lock(folder, lock):
            if lock is None and attempts.finished(folder):
                attempts.note(f"{folder.name} has finished: there is nothing left to train. Fork it to train it "
                              "further.")
                return 0
            attempt = attempts.begin(folder) if lock is None else state.known_attempt(folder)
            led = True
            return work(folder, attempt)
    except (LabError, OSError) as error:
        print(trouble(error), file=sys.stderr)
        return 1
    finally:
        if not led:
            dismiss(folder)


def follow(folder: Path) -> NoReturn:
    """Take part in a training that another process leads, which decides and writes, and end this process."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):  # who leads stops at its step, and all with it
        signal.signal(number, signal.SIG_IGN)
    if ranks.RENDEZVOUS in os.environ:
        ranks.end_with(os.getppid())
    os.nice(5)
    keep_freed_memory()
    import torch

    torch.set_flush_denormal(True)
    from vaecore.training.ranks.group import RankLost
    from vaecore.training.ranks.session import follow as steps

    code = 0
    try:
        steps(folder, explain)
    except RankLost:
        code = ranks.LEFT_BEHIND
    except BaseException:  # whatever ended it has been left word of
        traceback.print_exc(file=sys.stdout)
        code = 1
    sys.stdout.flush()
    os._exit(code)  # torch's threads that still talk to the others may abort an interpreter that ends by itself


def dismiss(folder: Path) -> None:
    """Where this process was to lead others and has nothing to do, tell them so: they wait for it."""
    with contextlib.suppress(LabError):
        place = ranks.rank()
        if place is not None and place.rank == 0:
            from vaecore.training.ranks.group import RankLost
            from vaecore.training.ranks.session import dismiss as tell

            with contextlib.suppress(RankLost):  # they have gone by themselves
                tell(folder)


def work(folder: Path, attempt: int) -> int:
    """Train as a process of its own, and say in exit.json how it ended. Returns the exit code."""
    control = Control(folder)
    control.obey_signals()
    os.nice(5)  # the page and the person come first
    try:
        outcome, _ = attempted(folder, attempt, control)
    except OSError as error:
        attempts.note(f"exit.json could not be written: {trouble(error, attempts.RESUME)}")
        return NO_LAST_WORD
    return 1 if outcome == "failed" else 0


def work_together(folders: list[Path], held: list[int]) -> int:
    """Train several runs stacked, each of whose locks is `held`, as a process of its own; returns the exit code.

    As soon as a run has ended its exit.json says how, and its lock is given back while the others go on.
    """
    controls = [Control(folder) for folder in folders]
    controls[0].obey_signals(*controls[1:])
    os.nice(5)
    with contextlib.ExitStack() as everything:
        members = []
        for given in zip(folders, held, controls, strict=True):
            try:
                members.append(everything.enter_context(Member(*given)))
            except (OSError, LabError) as error:  # as a log that leads out of the folder: the others go on
                attempts.write_exit(given[0], state.known_attempt(given[0]), "failed",
                                f"It could not be started. {trouble(error, attempts.RESUME)}")
        hearts = Heartbeats([member.heart for member in members])
        everything.callback(hearts.end)

        def ended(place: int, how: Literal["finished", "stopped"] | Exception) -> None:
            members[place].end(how, hearts)

        def preparing(progress: Progress) -> None:
            """All wait for the same data; who was asked to stop meanwhile does so when they are there."""
            living = [member.control for member in members if not member.over]
            for control in living:
                with contextlib.suppress(Stopped):
                    control.preparing(progress)
            if all(control.stop_requested() for control in living):
                raise Stopped

        try:
            import torch

            torch.set_flush_denormal(True)
            hearts.start()
            from vaecore.data.converted import Stopped, watched
            from vaecore.training.stacked import train_stacked

            for member in members:
                note_changes(member.folder, member.control)
            with watched(preparing):
                train_stacked([member.folder for member in members], [member.control for member in members], ended,
                              lambda place: members[place].aside())
        except BaseException as error:  # whatever ended them all
            for member in members:
                if not member.over:
                    with member.aside():
                        member.end(error, hearts)
        return NO_LAST_WORD if any(member.silent for member in members) else 0


class Member:
    """One run of a stack, as the worker sees it: its lock, its log, its heartbeat, and its last word."""

    def __init__(self, folder: Path, held: int, control: Control) -> None:
        self.folder, self.control = folder, control
        self.attempt = state.known_attempt(folder)
        self.heart = Heartbeat(folder, self.attempt, control)
        self.over = self.silent = False
        self._held = contextlib.ExitStack()
        self._held.enter_context(training_lock(folder, held))
        self._log: TextIO | None = None

    def __enter__(self) -> Self:
        try:
            log = written_into(self.folder / "log.txt")
        except OSError:
            self._held.close()
            raise
        self._log = self._held.enter_context(os.fdopen(log, "w", 1, "utf-8"))  # by lines: it is read meanwhile
        with self.aside():
            attempts.note(f"--- attempt {self.attempt}, {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}, "
                          "stacked")
        self.heart.beat()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def aside(self) -> contextlib.redirect_stdout[TextIO | None]:
        """Where what is printed goes into this run's log."""
        return contextlib.redirect_stdout(self._log)

    def end(self, how: Literal["finished", "stopped"] | BaseException, hearts: Heartbeats) -> None:
        """Say how it ended, and give its lock back."""
        self.over = True
        outcome, detail = last_words(how, self.folder, self.control)
        if isinstance(how, BaseException):
            with contextlib.suppress(OSError):
                if not of_disk(how):
                    traceback.print_exception(how, file=sys.stdout)
        else:
            draw_preview(self.folder)
        hearts.stop(self.heart)
        try:
            signalled = outcome == "stopped" and self.control.signalled
            attempts.write_exit(self.folder, self.attempt, outcome, detail, signalled=signalled,
                                suggested=suggested(how))
        except OSError as error:
            self.silent = True
            attempts.note(f"exit.json could not be written: {trouble(error, attempts.RESUME)}")
        self._held.close()


def train_here(folder: Path, control: Control) -> state.Outcome:
    """Train the run in `folder` in this very process, as a notebook does; what it does is read from the same files.

    An interrupt from the keyboard stops it after its step, a second one at once. Raises what ended a training that
    failed, and `LabError` where another process trains this run.
    """
    import torch

    permission.require("train a run")
    threads = torch.get_num_threads()
    with (training_lock(folder), obeying(control),
          os.fdopen(written_into(folder / "log.txt"), "w", encoding="utf-8") as log):
        attempt = attempts.begin(folder)
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
    attempts.note(f"--- attempt {attempt}, {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}")
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

        note_changes(folder, control)
        with watched(control.preparing):
            outcome, detail = last_words(trained(folder, attempt, control), folder, control)
        draw_preview(folder)
    except BaseException as error:  # whatever ended it, SystemExit too, exit.json says so
        (outcome, detail), failure = last_words(error, folder, control), error
        with contextlib.suppress(OSError):  # the log may be on the full disk
            if not of_disk(error):  # where the disk fails, where we stood says nothing
                traceback.print_exc(file=sys.stdout)
    heart.stop()
    attempts.write_exit(folder, attempt, outcome, detail, signalled=outcome == "stopped" and control.signalled,
                        suggested=suggested(failure))
    return outcome, failure


def keep_freed_memory() -> None:
    """Keep freed memory for the next step, until the process ends, where the C library is glibc.

    It hands large blocks back at the end of every step, and gets them again page by page: 4 to 15 % of a step of clips.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            adjust = ctypes.CDLL(None).mallopt
            adjust(MMAP_THRESHOLD, KEPT_BLOCK)
            adjust(TRIM_THRESHOLD, KEPT)


def trained(folder: Path, attempt: int, control: Control) -> Literal["finished", "stopped"]:
    """Train alone, or with the other processes that are to share the steps: those that wait, or are started here."""
    from vaecore.training import train

    def end(why: str) -> None:
        attempts.note(why)
        with contextlib.suppress(OSError):
            attempts.write_exit(folder, attempt, "failed", why)
        os._exit(1)

    place, last = ranks.rank(), where.kept(folder)
    processes = last.processes if isinstance(last, where.Here) else 1
    if place is None and (processes == 1 or Run(folder).config().model.closed_form):  # which has no steps to share
        return train(folder, control)
    from vaecore.training.ranks.group import RankLost
    from vaecore.training.ranks.session import lead

    if place is not None:
        try:
            return lead(folder, control)
        except RankLost as error:
            raise ranks.Lost(str(error)) from error
    with ranks.Others(folder, processes, end) as others:
        try:
            return lead(folder, control)
        except RankLost as error:
            raise ranks.Lost((error.unknown and others.lost(wait=2.0)) or str(error)) from error


def last_words(how: Literal["finished", "stopped"] | BaseException, folder: Path, control: Control
               ) -> tuple[state.Outcome, str]:
    """How a training ended, and a sentence on it."""
    if isinstance(how, BaseException):
        settings = [word for setting in suggested(how) for word in ("--set", setting)]
        fork = ["vaecore", "fork", Run(folder).id, "--from", "last", *settings]
        return "failed", f"{explain(how)} In a terminal: {shlex.join(fork)}" if settings else explain(how)
    before = f"{control.doing.removesuffix('.')}: stopped" if control.doing else f"Stopped at step {control.step}"
    by_cluster = control.signalled and "SLURM_JOB_ID" in os.environ
    why = "Ended by the cluster." if by_cluster else attempts.why_stopped(folder)
    stopped = f"{why} {before}; resume continues there.".strip()
    return how, " ".join(filter(None, ["Finished." if how == "finished" else stopped, control.changed[:300]]))


def note_changes(folder: Path, control: Control) -> None:
    """Let the state of a run say with which other settings than before it is resumed; training says what is wrong."""
    if not (folder / "checkpoint.safetensors").exists():
        return
    from vaecore.training.checkpoints import BrokenCheckpoint, changed_settings

    with contextlib.suppress(BrokenCheckpoint, ConfigError, StoreError, OSError):
        control.changed = " ".join(changed_settings(Run(folder)))


def suggested(how: object) -> tuple[str, ...]:
    """The settings of a fork that would not end as this one did, where its end knows some."""
    return how.suggested if isinstance(how, OutOfMemory) else ()


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
    if isinstance(error, ranks.Lost):  # the words of another process, or on its end
        return said
    if of_disk(error):
        return trouble(error, attempts.RESUME)
    if any(map(short_of_memory, chain)) and not isinstance(error, OutOfMemory):  # which knows more
        return "Out of memory: close other programs and resume, or fork it with a smaller batch or model."
    if advice := getattr(error, "advice", None):
        return said if str(advice) in said else f"{said} {advice}"
    if isinstance(error, ValueError | OSError | RuntimeError) or type(error).__module__.startswith("vaecore."):
        return said  # ours are written to be read
    return f"Unexpected {type(error).__name__}: {said}. The log tells where."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
