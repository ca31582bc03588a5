"""Processes of a worker that share a training: which one this is, and how a worker starts and watches the others.

torchrun, or a cluster, starts all of them and says in the environment which each is. In the lab's own queue a worker
starts the others itself. They stay in its process group, end when it ends, and it ends when one of them does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from vaecore.lab.locks import LabError

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
RENDEZVOUS = "VAECORE_RENDEZVOUS"  # a file in which those of one machine find each other
LEFT_BEHIND = 75  # exit code of one that ended because another had
GRACE = 5.0  # seconds in which the first one notices by itself that another has ended
AT_THE_END = 10.0  # seconds that the others have to end after the first one's last step


class Lost(RuntimeError):
    """Another process that shares a training has ended; the message says which, and why as far as that is known."""


class Rank(NamedTuple):
    """A process's place among those that share a training."""

    rank: int
    size: int


def rank() -> Rank | None:
    """What torchrun or a cluster says of this process; None where it trains alone. Raises `LabError` for nonsense."""
    if not os.environ.get("RANK") or os.environ.get("WORLD_SIZE", "1") == "1":
        return None
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        if not os.environ.get(name, "").isdecimal():
            raise LabError(f"{name} is {os.environ.get(name, '')!r} in the environment, and {os.environ['WORLD_SIZE']} "
                           "processes are to share a training: each needs RANK, WORLD_SIZE and LOCAL_RANK as whole "
                           "numbers. Start them by torchrun, or unset WORLD_SIZE.")
    return Rank(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


def alone() -> dict[str, str]:
    """The environment of a process that is to be told nothing of ranks."""
    return {name: value for name, value in os.environ.items() if name not in (*VARIABLES, RENDEZVOUS)}


class Others:
    """Processes of this machine that follow the present one in a training; they are started on entering.

    Of one that dies `ended` is told, from a thread, where this process has not ended by itself soon afterwards: it may
    be evaluating, or wait for the dead one on a GPU.
    """

    def __init__(self, folder: Path, size: int, ended: Callable[[str], None]) -> None:
        self.folder, self.size, self._ended = folder, size, ended
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._before: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._room = Path(tempfile.mkdtemp(prefix="vaecore-ranks-"))  # nobody else may read or write there
        told = {"WORLD_SIZE": str(self.size), "LOCAL_WORLD_SIZE": str(self.size),
                RENDEZVOUS: str(self._room / "store")}
        # Those of one machine meet on it alone, whatever networks there are.
        told["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
        self._before = dict(os.environ)
        os.environ.update({**told, "RANK": "0", "LOCAL_RANK": "0"})
        try:
            for rank in range(1, self.size):
                self._children[rank] = subprocess.Popen(
                    [sys.executable, "-m", "vaecore.lab.worker", str(self.folder)], stdin=subprocess.DEVNULL,
                    env={**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        except OSError:
            self.__exit__(OSError)
            raise
        threading.Thread(target=self._watch, name="ranks", daemon=True).start()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        deadline = time.monotonic() + (AT_THE_END if failure is None else 0)
        for child in self._children.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            child.kill()
            child.wait()
        os.environ.clear()
        os.environ.update(self._before)
        shutil.rmtree(self._room, ignore_errors=True)

    def lost(self, wait: float = 0.0) -> str:
        """A sentence on the process that died of itself; empty where none did within `wait` seconds."""
        deadline = time.monotonic() + wait
        while True:
            for rank, child in self._children.items():
                code = child.poll()
                if code not in (None, 0, LEFT_BEHIND):
                    return died(rank, self.size, code or 0)
            if time.monotonic() >= deadline:
                return ""
            time.sleep(0.05)

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            if lost := self.lost():
                if not self._over.wait(GRACE):
                    for child in self._children.values():
                        child.kill()
                    self._ended(lost)
                return


def died(rank: int, size: int, code: int, log: str = "the log") -> str:
    """A sentence on a process that ended with `code`, negative for a signal; what it wrote is in `log`."""
    if code > 0:
        how = f"ended with code {code}: see {log}"
    else:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        how = f"was killed by {name} ({'for want of memory, or by hand' if name == 'SIGKILL' else f'see {log}'})"
    return f"Rank {rank} of {size} {how}; resume continues from the last checkpoint."


def end_with(parent: int) -> None:
    """End this process when the one that started it is gone, as it may have been killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(LEFT_BEHIND)

    threading.Thread(target=watch, name="parent", daemon=True).start()
