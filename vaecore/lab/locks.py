"""The lock of a run: "running" means "locked", as the kernel drops a lock when its holder dies, however it dies.

A child inherits the open file that a lock belongs to: one given to a worker outlives the supervisor that took it.
Hence a lock is given back by closing the file, never by unlocking, which would take it from the worker too. Lock files
of the lab are never deleted: two processes could then each lock a file of that name.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from vaecore.locks import AVAILABLE, attempt, held
from vaecore.store import Run, StoreError

__all__ = ["AVAILABLE", "LabError", "held", "require_locks", "require_own", "take", "take_run", "training_lock"]


class LabError(RuntimeError):
    """Something asked of the lab cannot be done now; the message says what to do instead."""


def require_locks() -> None:
    if not AVAILABLE:
        raise LabError(
            "Training in the background needs file locks, which this system lacks: on Windows, run Latent Lab "
            "inside WSL (the Windows Subsystem for Linux)."
        )


def take(path: Path, wait: float = 0.0) -> int | None:
    """The descriptor of `path`, locked for us alone; None when somebody holds it for longer than `wait` seconds."""
    require_locks()
    deadline = time.monotonic() + wait
    while (descriptor := attempt(path)) is None:
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.005)
    return descriptor


def require_own(folder: Path) -> None:
    """Pass where the run in `folder` may be trained, stopped and removed; raises `LabError` for one only read."""
    try:
        Run(folder).require_writable()
    except StoreError as error:
        raise LabError(str(error)) from None


def take_run(folder: Path) -> int:
    """The run's lock, or a refusal. The wait is for those who merely look whether it is held."""
    require_own(folder)
    descriptor = take(folder / "lock", wait=0.3)
    if descriptor is None:
        raise LabError(
            f"Another process is training into this folder ({folder.name}). Wait for it to end, or stop it first."
        )
    return descriptor


@contextlib.contextmanager
def training_lock(folder: Path, inherited: int | None = None) -> Iterator[None]:
    """Hold the run's lock while training. `inherited` is the descriptor a supervisor has locked already."""
    if inherited is None:
        descriptor = take_run(folder)
    else:
        descriptor = inherited
        if not os.path.samestat(os.fstat(descriptor), (folder / "lock").stat()):
            raise LabError(f"Descriptor {inherited} is not the lock of {folder.name}.")
    try:
        yield
    finally:
        os.close(descriptor)
