"""A command of `vaecore` as a process of its own, so that a page can start it, follow it and stop it.

While it runs it holds `<name>.lock`, so that it never runs twice; its last words stand in `<name>.log`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import vaecore
from vaecore import permission
from vaecore.lab import locks
from vaecore.lab.locks import LabError
from vaecore.schema import flag

HELD = "VAECORE_TASK"  # names the lock that came with the process
TAIL = 4_000  # bytes of the log that are read


@dataclass(frozen=True)
class Progress:
    """Whether a task is running, and the end of what it said."""

    running: bool
    lines: tuple[str, ...]
    seconds: float = 0.0  # since it was started


@dataclass(frozen=True)
class Task:
    """A command of `vaecore` that may run once at a time.

    Its files lie in `folder` under `name`, errors call it `called`, and the arguments of `vaecore` that do it are
    `command`.
    """

    folder: Path
    name: str
    called: str
    command: tuple[str, ...]

    def start(self, options: Mapping[str, str] | None = None) -> None:
        """Run the command in the background, with options by the names of their fields.

        Raises `LabError` where the task is running already.
        """
        permission.require("start work on this machine")
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._take()
        given = [word for name, value in (options or {}).items() for word in (flag(name), value)]
        paths = [str(Path(vaecore.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        try:
            with contextlib.suppress(OSError):
                self._file("pid").unlink(missing_ok=True)  # of an earlier process: it may be a stranger's by now
            with self._file("log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "vaecore", *self.command, *given],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,), start_new_session=True,
                    env={**os.environ, HELD: self._held, "PYTHONUNBUFFERED": "1",
                         "PYTHONPATH": os.pathsep.join(filter(None, paths))})
            try:
                self._file("pid").write_text(str(process.pid))
            except OSError:  # a disk that is full: nobody could stop it
                process.kill()
                process.wait()
                raise
        finally:
            os.close(lock)
        threading.Thread(target=process.wait, daemon=True).start()  # or it stays a zombie when it ends

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock while the task is done; raises `LabError` where somebody else does.

        A process that `start` has made holds it already: it was given with the process.
        """
        if os.environ.get(HELD) == self._held:
            if not self._file("pid").exists():  # who started it was killed before it had noted its number
                self._file("pid").write_text(str(os.getpid()))
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._take() if locks.AVAILABLE else -1
        try:
            for kind in ("log", "pid"):  # of an earlier process: they say nothing of this one
                self._file(kind).unlink(missing_ok=True)
            yield
        finally:
            if lock >= 0:
                os.close(lock)

    def progress(self) -> Progress:
        """Where the task stands."""
        # First, so that of one that has ended no last line is missed.
        lock = self._file("lock")
        running = lock.exists() and locks.held(lock)
        try:
            with self._file("log").open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL))
                lines = tuple(log.read(TAIL).decode("utf-8", "replace").splitlines())
        except OSError:
            lines = ()
        try:
            seconds = max(0.0, time.time() - self._file("pid").stat().st_mtime)
        except OSError:
            seconds = 0.0
        return Progress(running, lines, seconds)

    def stop(self) -> None:
        """Ask it to end; what it does then is its own affair. Nothing happens where it is not running."""
        permission.require("stop work on this machine")
        if not self.progress().running:
            return
        try:
            pid = int(self._file("pid").read_text())
            if pid > 1 and os.getpgid(pid) == pid:  # it leads a session of its own: still ours
                os.killpg(pid, signal.SIGTERM)
        except (OSError, ValueError) as error:
            raise LabError(f"{self.called} cannot be stopped from here ({error}).") from None

    def _take(self) -> int:
        lock = locks.take(self._file("lock"), wait=0.3)  # others merely look whether it is held
        if lock is None:
            raise LabError(f"{self.called} is running already: wait, or stop it.")
        return lock

    @property
    def _held(self) -> str:
        return str(self._file("lock").resolve())

    def _file(self, kind: str) -> Path:
        return self.folder / f"{self.name}.{kind}"
