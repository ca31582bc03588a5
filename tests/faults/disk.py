# ruff: noqa: PTH100, PTH110, PTH115
"""A disk that fails at the n-th thing that is asked of it: full, over quota, broken, or suddenly only to be read.

`failing(root, at=n, error=...)` counts what is asked below `root` of this process: files opened for writing, writes,
flushes, syncs, renames, new folders and removals. A full disk also writes half of what it is given, without a word, as
a real one does. What is read, and what lies elsewhere, is let through.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

ERRORS = {name: getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EIO", "EROFS")}
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class Disk:
    """What was asked of it so far, and where it fails."""

    root: str
    at: int = 0  # which of them fails, from 1; 0: none
    error: int = errno.ENOSPC
    lasting: bool = False  # whether all that follow fail too
    asked: list[str] = field(default_factory=list)

    def ask(self, what: str, path: object, *, room: bool = True) -> None:
        """Count one, and raise where it is the one that fails; what takes no `room` a full disk does as ever."""
        place = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)
        if not os.path.abspath(place).startswith(self.root + os.sep):
            return
        self.asked.append(f"{what} {os.path.relpath(place, self.root)}")
        count = len(self.asked)
        if self.at and (count == self.at or (self.lasting and count > self.at)) and (
                room or self.error not in FULL):
            raise OSError(self.error, os.strerror(self.error), place)


class File:
    """An open file on the disk."""

    def __init__(self, file: Any, path: str, disk: Disk) -> None:
        self._file, self._path, self._disk = file, path, disk

    def write(self, data: Any) -> int:
        try:
            self._disk.ask("write", self._path)
        except OSError as error:
            if error.errno in FULL and isinstance(self._file, io.FileIO) and len(data) > 1:
                return int(self._file.write(memoryview(data)[:len(data) // 2]))  # as much as there was room for
            raise
        return int(self._file.write(data))

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._disk.ask("flush", self._path)
        self._file.flush()

    def truncate(self, *size: int) -> int:
        self._disk.ask("truncate", self._path, room=False)
        return int(self._file.truncate(*size))

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Any:
        return iter(self._file)


@contextlib.contextmanager
def failing(root: Path, at: int = 0, error: int = errno.ENOSPC, *, lasting: bool = False) -> Iterator[Disk]:
    """Meanwhile the n-th thing asked of the disk below `root` fails; of this process alone."""
    disk = Disk(str(root.absolute()), at, error, lasting)
    true_open, true_os = builtins.open, {name: getattr(os, name) for name in (
        "open", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "link", "utime", "write", "truncate")}

    def place(descriptor: int) -> str:
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            return ""

    def opened(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        writes = bool(set(mode) & set("wax+"))
        path = place(file) if isinstance(file, int) else os.fsdecode(file)
        if writes and not isinstance(file, int):
            disk.ask("open", path)
        found = true_open(file, mode, *args, **more)
        inside = os.path.abspath(path).startswith(disk.root + os.sep)
        return File(found, path, disk) if writes and inside else found

    def os_open(path: Any, flags: int, *args: Any, **more: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            disk.ask("open", path, room=bool(flags & os.O_CREAT) and not os.path.exists(path))
        return int(true_os["open"](path, flags, *args, **more))

    def by_descriptor(name: str) -> Callable[..., Any]:
        def call(descriptor: int, *args: Any) -> Any:
            disk.ask(name, place(descriptor))
            return None if name == "fsync" else true_os[name](descriptor, *args)  # nobody pulls the plug here
        return call

    def by_path(name: str, which: int = 0, *, room: bool = True) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if more.get("dir_fd") is None and more.get("src_dir_fd") is None:
                disk.ask(name, args[which], room=room)
            return true_os[name](*args, **more)
        return call

    with contextlib.ExitStack() as patches:
        for owner in (builtins, io):
            patches.enter_context(mock.patch.object(owner, "open", opened))
        for name, replacement in {
                "open": os_open, "fsync": by_descriptor("fsync"), "write": by_descriptor("write"),
                "replace": by_path("replace", 1), "rename": by_path("rename", 1), "mkdir": by_path("mkdir"),
                "link": by_path("link", 1), "unlink": by_path("unlink", room=False),
                "rmdir": by_path("rmdir", room=False), "utime": by_path("utime", room=False)}.items():
            patches.enter_context(mock.patch.object(os, name, replacement))
        yield disk
