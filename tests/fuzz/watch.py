"""What a process does beside reading, seen by an audit hook: that nothing is executed is not assumed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pickle.find_class",
          "socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request", "ctypes.dlopen")
NO_FILES = ("/dev/null", "/proc/self")
_SEEN: list[tuple[str, str]] = []
_WATCHED: list[Path] = []


@contextlib.contextmanager
def watched(root: Path) -> Iterator[list[tuple[str, str]]]:
    """The list of what was started, executed of `root`, or written outside of it, which grows meanwhile."""
    _SEEN.clear()
    _WATCHED.append(root.absolute())
    try:
        yield _SEEN
    finally:
        _WATCHED.clear()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _WATCHED:
        return
    [root] = _WATCHED
    if event in STARTS or (event == "exec" and str(getattr(arguments[0], "co_filename", "")).startswith(str(root))):
        _SEEN.append((event, str(arguments[0])))
        return
    paths: tuple[Any, ...] = ()
    opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
    if opens or event in ("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree"):
        paths = arguments[:1]
    elif event in ("os.rename", "os.symlink", "os.link"):
        paths = arguments[:2]
    for path in paths:
        if not isinstance(path, str | bytes | Path) or not Path(os.fsdecode(path)).is_absolute():
            continue  # rmtree speaks of names in a folder that it holds open
        if not Path(os.fsdecode(path)).is_relative_to(root) and not os.fsdecode(path).startswith(NO_FILES):
            _SEEN.append((event, os.fsdecode(path)))


sys.addaudithook(_hook)
