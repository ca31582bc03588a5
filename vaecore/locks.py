"""File locks: the kernel drops them when their holder dies, however it dies.

`flock` belongs to the open file: two openings of one file exclude each other within a process too, and closing the
descriptor gives the lock back.
"""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
AVAILABLE = fcntl is not None


def attempt(path: Path) -> int | None:
    """The descriptor of `path`, made if need be and locked for us alone; None while somebody else holds it.

    Where the system has no locks, the descriptor as it is.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        if AVAILABLE:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise


def held(path: Path) -> bool:
    """Whether somebody holds the lock. It tries a shared lock for some microseconds, so takers wait a little."""
    if not AVAILABLE:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # what is no file may make one wait
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
