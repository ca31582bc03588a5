"""A claim's experiment as a process of its own, so that a page can start it, follow it and stop it.

While it runs it holds `<id>.lock`; its last words stand in `<id>.log`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import vaecore
from vaecore.claims.base import claims_folder
from vaecore.lab import locks
from vaecore.lab.locks import LabError
from vaecore.store import Store

HELD = "VAECORE_CLAIM"  # says which claim's lock came with the process
TAIL = 4_000  # bytes of the log that are read


@dataclass(frozen=True)
class Progress:
    """Whether an experiment is running, and the end of what it said."""

    running: bool
    lines: tuple[str, ...]
    seconds: float = 0.0  # since it was started


def start(store: Store, claim: str) -> None:
    """Run a claim in the background; raises `LabError` where it is running already."""
    folder = claims_folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    lock = locks.take(folder / f"{claim}.lock", wait=0.3)  # others merely look whether it is held
    if lock is None:
        raise LabError(f"{claim} is running already: wait, or stop it.")
    paths = [str(Path(vaecore.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    try:
        with (folder / f"{claim}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "vaecore.cli", "claims", "run", claim, "--store", str(store.root)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,), start_new_session=True,
                env={**os.environ, HELD: claim, "PYTHONUNBUFFERED": "1",
                     "PYTHONPATH": os.pathsep.join(filter(None, paths))})
        (folder / f"{claim}.pid").write_text(str(process.pid))
    finally:
        os.close(lock)
    threading.Thread(target=process.wait, daemon=True).start()  # or it stays a zombie when it ends


@contextlib.contextmanager
def alone(store: Store, claim: str) -> Iterator[None]:
    """Hold a claim's lock while it is run; raises `LabError` where somebody else does.

    A process that `start` has made holds it already: it was given with the process.
    """
    if os.environ.get(HELD) == claim:
        yield
        return
    folder = claims_folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    lock = locks.take(folder / f"{claim}.lock", wait=0.3) if locks.AVAILABLE else -1
    if lock is None:
        raise LabError(f"{claim} is running already: wait, or stop it.")
    try:
        yield
    finally:
        if lock >= 0:
            os.close(lock)


def progress(store: Store, claim: str) -> Progress:
    """Where a background run stands."""
    folder = claims_folder(store)
    try:
        with (folder / f"{claim}.log").open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL))
            lines = tuple(log.read(TAIL).decode("utf-8", "replace").splitlines())
    except OSError:
        lines = ()
    try:
        seconds = max(0.0, time.time() - (folder / f"{claim}.pid").stat().st_mtime)
    except OSError:
        seconds = 0.0
    lock = folder / f"{claim}.lock"
    return Progress(lock.exists() and locks.held(lock), lines, seconds)


def stop(store: Store, claim: str) -> None:
    """End a background run; nothing of it is kept, and an earlier result stays."""
    if not progress(store, claim).running:
        return
    try:
        pid = int((claims_folder(store) / f"{claim}.pid").read_text())
        if pid > 1 and os.getpgid(pid) == pid:  # it leads a session of its own: still ours
            os.killpg(pid, signal.SIGTERM)
    except (OSError, ValueError) as error:
        raise LabError(f"{claim} cannot be stopped from here ({error}).") from None
