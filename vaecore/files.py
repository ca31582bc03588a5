"""Writing files so that a kill or a full disk never leaves half of one, and reading small JSON with a bound.

A reader of a file written here sees either the old content or the new one, whole: the bytes go to a temporary file
beside it, reach the disk, and only then take the name.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from pathlib import Path
from typing import Any


class BrokenFile(ValueError):
    """A file is there but does not hold what it should; the message names the file and says why."""


def beside(path: Path) -> Path:
    """A name in the folder of `path` for what is to take its name: another one at each call, whichever thread calls."""
    return path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex[:12]}")


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, durably. On failure the old file stays and no temporary file is left."""
    temporary = beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def write_json_atomic(path: Path, obj: Any) -> None:
    """As `write_bytes_atomic`, for an object that JSON can hold. NaN and infinity are refused: they are not JSON."""
    text = json.dumps(obj, ensure_ascii=False, allow_nan=False, indent=1)
    write_bytes_atomic(path, text.encode() + b"\n")


def read_json(path: Path, limit: int = 1_000_000) -> Any | None:
    """The object in `path`; None when there is no such file; `BrokenFile` when it is too long or is not JSON."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BrokenFile(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if len(data) > limit:
        raise BrokenFile(f"{path.name} is longer than {limit} bytes.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BrokenFile(f"{path.name} is not valid JSON: {error}.") from error


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that a kill left. Only for whoever is the one writer of the folder."""
    for leftover in folder.glob("*.tmp-*"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the platform can (a folder cannot be opened on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
