"""Writing files so that a kill or a full disk never leaves half of one, reading small JSON with a bound, keeping some.

A reader of a file written here sees either the old content or the new one, whole: the bytes go to a temporary file
beside it, reach the disk, and only then take the name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

OLD = 60.0  # seconds after which nobody is writing a temporary file any more
DEEPEST = 60  # levels of lists and groups in a JSON; ours have under ten
DELETED = ".deleted-"  # how the name of a folder begins that is being deleted
_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")  # half of a character of two, or a whole one so written


# What a disk that fails says, in words, and what helps.
DISK = {errno.ENOSPC: ("The disk is full", "free some space"),
        errno.EDQUOT: ("The quota of the disk is used up", "free some space or have it raised"),
        errno.EROFS: ("The disk can only be read", "make it writable again"),
        errno.EIO: ("The disk failed (input/output error)", "check it, or take the store to another")}


class BrokenFile(ValueError):
    """A file is there but does not hold what it should; the message names the file and says why."""


def of_disk(error: BaseException) -> int:
    """The number of the failure of a disk that is an error's cause, one of `DISK`; 0 where none is."""
    link: BaseException | None = error
    seen: list[BaseException] = []
    while link is not None and link not in seen:
        if isinstance(link, OSError) and link.errno in DISK:
            return link.errno
        if "No space left on device" in str(link):  # as libraries of other languages word it
            return errno.ENOSPC
        seen.append(link)
        link = link.__cause__ or link.__context__
    return 0


def trouble(error: BaseException, then: str = "try again") -> str:
    """What went wrong, for who asked for it: of a disk that failed with what helps, else in the error's own words.

    `then` is what is to be done once the disk is well.
    """
    if number := of_disk(error):
        what, remedy = DISK[number]
        return f"{what}: {remedy}, then {then}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


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
    """Replace `path` by an object as JSON, durably. NaN and infinity are refused: they are not JSON."""
    text = json.dumps(obj, ensure_ascii=False, allow_nan=False, indent=1)
    write_bytes_atomic(path, text.encode() + b"\n")


def read_json(path: Path, limit: int = 1_000_000, *, halves: bool = False) -> Any | None:
    """The object in `path`; None when there is no such file; `BrokenFile` when it is too long or is not JSON.

    `halves` takes half of a character for text: only for who replaces it at once.
    """
    try:
        with opened(path) as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BrokenFile(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if len(data) > limit:
        raise BrokenFile(f"{path.name} is longer than {limit} bytes.")
    return parsed_json(data, path.name, halves=halves)


def opened(path: Path) -> BinaryIO:
    """The file `path`, open for reading; raises `BrokenFile` for a pipe, for which `open` would wait, or a device.

    Raises `OSError` for what cannot be opened.
    """
    file = open(path, "rb", opener=_not_waiting)  # noqa: SIM115, the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise BrokenFile(f"{path.name} is a device or a pipe, and no file.")
    return file


def regular(path: Path) -> Path:
    """The path, for a reader that opens it by itself and would wait for a pipe with all threads of this process.

    Raises `BrokenFile` for a pipe or a device, `OSError` for what is not there.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise BrokenFile(f"{path.name} is a device or a pipe, and no file.")
    return path


def written_into(path: Path, flags: int = os.O_WRONLY | os.O_APPEND) -> int:
    """A descriptor of a file that is written into as it grows, made where there is none: by default at its end.

    Raises `OSError` for a link, which in a folder from elsewhere may lead to any file, and for a pipe or a device.
    """
    try:
        descriptor = _not_waiting(str(path), flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "A link, and nothing is written through links", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "A device or a pipe, and no file", str(path))
    return descriptor


def _not_waiting(path: str, flags: int) -> int:
    """Open what may be a pipe that nobody writes to, for which `open` would wait."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def parsed_json(data: bytes | str, name: str, *, halves: bool = False) -> Any:
    """The object that JSON from anywhere says; `BrokenFile`, which calls it `name`, for what no reader could hold.

    That is: text that is no UTF-8 or holds half of a character, which no page and no file takes; lists in lists
    deeper than `DEEPEST`; whole numbers that no float holds. One of more than 64 bits is read as a float.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        value = json.loads(text, parse_int=_whole)
    except BrokenFile as error:
        raise BrokenFile(f"{name} {error}.") from None
    except RecursionError:
        raise BrokenFile(f"{name} is nested too deeply to be read.") from None
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BrokenFile(f"{name} is not valid JSON: {error}.") from None
    search = not halves and _HALF.search(text) is not None  # seldom, so that most files are not searched
    level, depth = [value], 0
    while level:
        if search and not all(map(_is_whole, level)):
            raise BrokenFile(f"{name} holds half of a character (a lone surrogate), which is no text.")
        groups = [part for part in level if isinstance(part, dict | list)]
        if groups and depth == DEEPEST:
            raise BrokenFile(f"{name} is nested more than {DEEPEST} levels deep, too deeply to be read.")
        level = [inner for part in groups for inner in ([*part, *part.values()] if isinstance(part, dict) else part)]
        depth += 1
    return value


def _whole(digits: str) -> int | float:
    if len(digits) < 20 and -2**63 <= (number := int(digits)) < 2**63:
        return number
    if math.isinf(inexact := float(digits)):
        raise BrokenFile(f"holds a whole number of {len(digits):,} digits, more than any reader here can hold")
    return inexact


def _is_whole(text: Any) -> bool:
    """Whether UTF-8 can hold it."""
    try:
        return not isinstance(text, str) or bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def digest(path: Path) -> str:
    """SHA-256 of a file, read once for as long as nobody replaces it.

    Raises `BrokenFile` for a device or a pipe, `OSError` for what cannot be read.
    """
    found = regular(path).stat()
    return _digest(path, found.st_mtime_ns, found.st_size, found.st_ino)


@lru_cache(512)
def _digest(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_kept(path: Path) -> bytes | None:
    """What is kept in a file because it was costly to make, noted as asked for now; None where it cannot be read."""
    try:
        found = path.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):  # a read-only disk
        os.utime(path)
    return found


def prune(folder: Path, pattern: str, most: int) -> None:
    """Delete those kept files that were not asked for longest, while all of a `pattern` take more than `most` bytes.

    And what a kill has left of one that was being written.
    """
    files = []
    for leftover in folder.glob(f"{pattern}.tmp-*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > OLD:
                leftover.unlink()
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):  # another process may prune as well
            told = path.stat()
            files.append((told.st_mtime, told.st_size, path))
    for _, size, path in sorted(files, reverse=True):
        most -= size
        if most < 0:
            path.unlink(missing_ok=True)


def remove_leftovers(folder: Path, others: Collection[str] = ()) -> None:
    """Delete the temporary files that a kill left. Only for whoever is the one writer of the folder.

    `others` are files that somebody else may be writing there just now: theirs go once they are a minute old.
    """
    for leftover in folder.glob("*.tmp-*"):
        with contextlib.suppress(OSError):
            if leftover.name.partition(".tmp-")[0] not in others or time.time() - leftover.stat().st_mtime > OLD:
                leftover.unlink()


def set_aside(path: Path) -> Path:
    """Give a file that cannot be read whole another name beside it, which is returned: writing anew then costs nothing.
    """
    aside = path.with_name(f"{path.stem}.unread-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}{path.suffix}")
    path.rename(aside)
    return aside


def moved_to(folder: Path, target: Path) -> bool:
    """Give a folder that holds something the name `target`, whole; False where another holds that already."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):  # a file is in the way too
            return False
        raise
    sync_folder(target.parent)
    return True


def delete(folder: Path) -> None:
    """Delete a folder with all that is in it; a kill leaves none that is half there under its name."""
    aside = folder.with_name(f"{DELETED}{uuid.uuid4().hex[:12]}")
    os.utime(folder)  # so that nobody takes it for what a kill left
    folder.rename(aside)
    shutil.rmtree(aside)


def clear_deleted(place: Path) -> None:
    """Delete in `place` what is left of files and folders whose deleting, or whose writing, a kill has ended."""
    for leftover in [*place.glob(f"{DELETED}*"), *place.glob("*.tmp-*")]:
        with contextlib.suppress(OSError):
            if time.time() - leftover.lstat().st_mtime <= OLD or leftover.is_symlink():
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the platform can (a folder cannot be opened on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
