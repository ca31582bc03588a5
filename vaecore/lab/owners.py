"""Whose attempt it is, on a disk that several machines share, where a lock may hold on one of them only.

    <run>/owner-<attempt>.json      {host, machine, pid}: made exclusively by who opens the attempt

The file system itself lets only one make a file of a name, on NFS too. So an attempt is opened once, whichever
machines read its ticket; nobody takes over the attempt of another, but opens the next one, and the process of the one
before ends at its next step as it sees that (`Control.stop_requested`). No clocks of two machines are compared for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path

from vaecore.files import BrokenFile, read_json
from vaecore.lab.locks import LabError

BOOT = Path("/proc/sys/kernel/random/boot_id")


class Elsewhere(LabError):
    """Another machine has opened the attempt, or is still at the one before."""


def machine() -> str:
    """What tells this machine from all others until it is started again: containers on it are the same machine."""
    return _MACHINE


def _machine() -> str:
    try:
        return BOOT.read_text(encoding="ascii").strip()[:100]
    except (OSError, ValueError):  # not Linux
        return socket.gethostname()


def claim(folder: Path, attempt: int) -> bool:
    """Make an attempt ours; False where it is somebody's."""
    try:
        made = os.open(_file(folder, attempt), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(made, "w", encoding="utf-8") as file:
        json.dump({"host": socket.gethostname(), "machine": machine(), "pid": os.getpid()}, file)
    return True


def abandoned(folder: Path, attempt: int, silence: float) -> bool:
    """Whether who claimed an attempt cannot open it any more.

    That is: killed on this machine, whose lock we hold, or silent for so many seconds on another one.
    """
    try:
        found = read_json(_file(folder, attempt), limit=10_000)
    except BrokenFile:  # killed as it wrote, or just writing
        found = None
    if isinstance(found, dict) and found.get("machine") == machine():
        return True
    return age(_file(folder, attempt)) > silence


def give_back(folder: Path, attempt: int) -> None:
    """Take our claim back, of an attempt that was not opened."""
    _file(folder, attempt).unlink(missing_ok=True)


def sweep(folder: Path, attempt: int) -> None:
    """Remove what tells the owners of earlier attempts; that of `attempt` is opened by now."""
    with contextlib.suppress(OSError):
        for path in folder.glob("owner-*.json"):
            if path.name != _file(folder, attempt).name:
                path.unlink(missing_ok=True)


def age(path: Path) -> float:
    """Seconds since a file was written, by this machine's clock and the disk's; many where there is none.

    Negative where the clocks differ, or one was set back.
    """
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 1e9


def _file(folder: Path, attempt: int) -> Path:
    return folder / f"owner-{attempt}.json"


_MACHINE = _machine()
