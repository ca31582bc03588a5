"""Many files of one's own: those of a folder, or of a zip of one, listed with a bound and known again by their digest.

Nothing is unpacked onto the disk. A link is followed once; pipes, devices and links to nowhere are named and left out.
A file that changes between being listed and being read to its end is noticed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
import zipfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from vaecore.data import npz
from vaecore.data.base import MAPPED_FROM, cache_folder
from vaecore.data.own.file import digest_of_all, unreadable, wrong
from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.schema import ConfigError
from vaecore.words import shown

MAX_ENTRIES = 500_000  # of a folder with all in it, or of a zip
MAX_DEPTH = 12  # folders in folders
MAX_UNZIPPED_BYTES = 2**36  # that the members of a zip declare together
HIDDEN = frozenset({"__macosx", "thumbs.db", "desktop.ini"})  # what systems leave in folders, beside .names
CHUNK = 2**20
SETTLED = 2.0  # seconds after a change from which on a time of change tells one content from the next
MAX_REMEMBERED = 300_000_000  # bytes of a list of digests


@dataclass(frozen=True)
class File:
    """A file by its name in the folder, parts joined by "/"."""

    name: str
    size: int  # bytes, as listed

    @abstractmethod
    def open(self) -> IO[bytes]:
        """The file to read, at its beginning; raises `ConfigError` or `OSError`."""

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigError` where the file is no longer what was listed."""

    @contextmanager
    def reading(self) -> Iterator[IO[bytes]]:
        """The file to read, which is checked afterwards."""
        with self.open() as file:
            yield file
        self.check()

    def content(self, most: int) -> bytes:
        """All its bytes; raises `ValueError` for more than `most`, whatever is declared."""
        with self.reading() as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise ValueError(f"has more than {most:,} bytes")
        return data


@dataclass(frozen=True)
class OnDisk(File):
    """A regular file; `stamp` are its size, time of change in nanoseconds, inode and device as they were listed."""

    place: Path
    stamp: tuple[int, int, int, int]

    @classmethod
    def listed(cls, name: str, place: Path, found: os.stat_result) -> OnDisk:
        return cls(name, found.st_size, place, _stamp(found))

    def open(self) -> IO[bytes]:
        # Not waiting: a pipe may have taken the place of what was listed.
        descriptor = os.open(self.place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if _stamp(os.fstat(descriptor)) != self.stamp:
            os.close(descriptor)
            raise self._changed()
        return os.fdopen(descriptor, "rb")

    def check(self) -> None:
        try:
            same = _stamp(self.place.stat()) == self.stamp
        except OSError:
            same = False
        if not same:
            raise self._changed()

    def _changed(self) -> ConfigError:
        return wrong(str(self.place), "changed while it was read.", "Read it again once nothing writes to it.")


@dataclass(frozen=True)
class Packed(File):
    """A member of a zip."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def open(self) -> IO[bytes]:
        return self.archive.open(self.info)

    def check(self) -> None:
        """The archive is what could change, and its own file is checked."""


def _stamp(found: os.stat_result) -> tuple[int, int, int, int]:
    return (found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev) if stat.S_ISREG(found.st_mode) else (-1,) * 4


@dataclass
class Listing:
    """The files of a folder in the order of their names, and what in it is none, in words by name."""

    path: str
    files: list[File] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    source: OnDisk | None = None  # the file that all of them are members of

    def named(self, name: str) -> str:
        """A file as messages call it."""
        return shown(f"{Path(self.path).name}/{name}" if self.source is not None else name)


def hidden(name: str) -> bool:
    """Whether any part of a name is what systems leave behind, or begins with a dot."""
    return any(part.startswith(".") or part.lower() in HIDDEN for part in name.split("/"))


def listed(path: str, place: Path) -> Listing:
    """The files of a folder and of those in it; raises `ConfigError` for too many, or a folder that cannot be read."""
    _check_count(path, place)
    listing, seen = Listing(path), set[tuple[int, int]]()

    def visit(folder: Path, prefix: str, depth: int) -> None:
        try:
            found = folder.stat()
            if (found.st_dev, found.st_ino) in seen:
                listing.refused[prefix.rstrip("/")] = "a link to a folder that is read already"
                return
            seen.add((found.st_dev, found.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if len(listing.files) + len(listing.refused) > MAX_ENTRIES:  # by links to folders elsewhere
                        raise _too_many(path)
                    if hidden(entry.name):
                        continue
                    name = f"{prefix}{entry.name}"
                    try:
                        status = entry.stat()
                    except OSError as error:
                        listing.refused[name] = ("a link to nowhere, or in a circle" if entry.is_symlink()
                                                 else f"it cannot be read ({error.strerror})")
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        if depth == MAX_DEPTH:
                            listing.refused[name] = f"more than {MAX_DEPTH} folders deep"
                        else:
                            visit(Path(entry.path), f"{name}/", depth + 1)
                    elif stat.S_ISREG(status.st_mode):
                        listing.files.append(OnDisk.listed(name, Path(entry.path), status))
                    else:
                        listing.refused[name] = "a device or a pipe, and no file"
        except OSError as error:
            if not prefix:
                raise unreadable(path, "folder", error) from None
            listing.refused[prefix.rstrip("/")] = f"it cannot be read ({error.strerror})"

    visit(place, "", 0)
    listing.files.sort(key=lambda file: file.name)
    listing.refused = dict(sorted(listing.refused.items()))
    return listing


def _check_count(path: str, place: Path) -> None:
    """Raise `ConfigError` for a folder with too many files in it, which are counted before any is looked at."""
    folders, count = [str(place)], 0
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                count += 1
                if count > MAX_ENTRIES:
                    raise _too_many(path)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


def _too_many(path: str) -> ConfigError:
    return wrong(path, f"has more than {MAX_ENTRIES:,} files in it.",
                 "Use a part of them, or one .npy of all pictures.")


@contextmanager
def unzipped(path: str, source: OnDisk) -> Iterator[Listing]:
    """The members of a zip, none of them unpacked; raises `ConfigError` for what is none, or declares too much."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(source.open())
            listing = _members(path, source, stack.enter_context(zipfile.ZipFile(_bounded(path, file))))
        except ConfigError:  # a ValueError too
            raise
        except npz.DAMAGED as error:
            raise wrong(path, f"is no zip that can be read ({error}).", "Pack the folder again.") from None
        yield listing
    source.check()


def _bounded(path: str, file: IO[bytes]) -> IO[bytes]:
    """The file of a zip, if the list of its members, which is read whole, is short enough."""
    if (count := npz.counted(file)) > MAX_ENTRIES:
        raise wrong(path, f"has {count:,} files in it.", f"Use at most {MAX_ENTRIES:,}, or one .npy of all pictures.")
    return file


def _members(path: str, source: OnDisk, archive: zipfile.ZipFile) -> Listing:
    listing, total = Listing(path, source=source), 0
    known: set[str] = set()
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")
        while name.startswith("./"):
            name = name[2:]
        if info.is_dir():
            continue
        total += info.file_size
        if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
            listing.refused[name] = "its name leads out of the folder"
        elif hidden(name):
            continue
        elif info.flag_bits & 1:
            listing.refused[name] = "it is encrypted"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            listing.refused[name] = f"it is {npz.PACKED_OTHERWISE}"
        elif name in known:
            listing.refused[name] = "another member has the same name"
        else:
            known.add(name)
            listing.files.append(Packed(name, info.file_size, archive, info))
    if total > MAX_UNZIPPED_BYTES:
        raise wrong(path, f"declares {total:,} bytes of files.", f"Use at most {MAX_UNZIPPED_BYTES:,}.")
    listing.files.sort(key=lambda file: file.name)
    return listing


# -- digests ---------------------------------------------------------------------------------------


def fingerprint(files: Sequence[File], path: str) -> str:
    """SHA-256 of one file, or of the names and digests of several, in their order, wherever they lie.

    They are read in parts; what was read before and has the same size, time of change and inode, is remembered.
    """
    memory = _Remembered(path, sum(file.size for file in files))
    digests = [memory.digest(file) for file in files]
    memory.keep()
    if len(files) == 1:
        return digests[0]
    return digest_of_all(zip((file.name for file in files), digests, strict=True))


class _Remembered:
    """Digests of the files at a path from the last time, where reading all of them again would take long."""

    def __init__(self, path: str, total: int) -> None:
        key = hashlib.sha256(str(Path(path).expanduser().absolute()).encode("utf-8", "surrogateescape")).hexdigest()
        self.place = cache_folder() / "digests" / f"{key[:32]}.json" if total >= MAPPED_FROM else None
        self.before: Mapping[str, Any] = {}
        self.now: dict[str, list[Any]] = {}
        if self.place is not None:
            with suppress(BrokenFile):
                found = read_json(self.place, MAX_REMEMBERED)
                self.before = found if isinstance(found, dict) else {}

    def digest(self, file: File) -> str:
        if self.place is None or not isinstance(file, OnDisk):
            return _digest(file)
        kept = self.before.get(file.name)
        if isinstance(kept, list) and kept[:-1] == list(file.stamp) and isinstance(kept[-1], str):
            self.now[file.name] = kept
            return kept[-1]
        found = _digest(file)
        if time.time_ns() - file.stamp[1] > SETTLED * 1e9:
            self.now[file.name] = [*file.stamp, found]
        return found

    def keep(self) -> None:
        if self.place is not None and self.now != self.before:
            with suppress(OSError, ValueError):  # a full disk, or a name that is no text: it is only read again
                self.place.parent.mkdir(parents=True, exist_ok=True)
                write_json_atomic(self.place, self.now)


def _digest(file: File) -> str:
    found = hashlib.sha256()
    try:
        with file.reading() as content:
            while part := content.read(CHUNK):
                found.update(part)
    except OSError as error:
        place = str(file.place) if isinstance(file, OnDisk) else file.name
        raise unreadable(place, "file", error) from None
    return found.hexdigest()
