"""File locks: the kernel drops them when their holder dies, however it dies. So "running" means "locked".

`flock` belongs to the open file, which a child inherits: a lock given to a worker outlives the supervisor that took
it. Hence a lock is given back by closing the file, never by unlocking, which would take it from the worker too. Lock
files are never deleted: two processes could then each lock a file of that name.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
AVAILABLE = fcntl is not None


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
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    deadline = time.monotonic() + wait
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(0.005)
    except BaseException:
        os.close(descriptor)
        raise


def held(path: Path) -> bool:
    """Whether somebody holds the lock. It tries a shared lock for some microseconds, so takers wait a little."""
    if not AVAILABLE:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)


def take_run(folder: Path) -> int:
    """The run's lock, or a refusal. The wait is for those who merely look whether it is held."""
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
