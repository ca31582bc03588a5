"""Files of one's own on this machine: what a data set read from them has in common, their bytes, bounded, and what is
wrong with them in words."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from vaecore.data.base import DataConfig, DataUnavailable
from vaecore.files import BrokenFile, opened
from vaecore.schema import ConfigError, option, problem

MAX_FILE_BYTES = 50_000_000
FILE_LIMIT = f"{MAX_FILE_BYTES // 10**6} MB"  # as forms say it
MAX_LINE_LENGTH = 10_000  # characters of a text
MAX_LINES = 1_000_000  # of a text, or rows of a table
FEW = 200  # entries of a folder that are looked at to recognise it


def digest_of(what: str, other: str) -> Any:
    """The field `digest` of a data set of one's own, which a run is given so that it notices another file."""
    return option("", f"SHA-256 of {what}, filled in when a run is made: on {other} the run would not be the same.",
                  pattern="^([0-9a-f]{64})?$", advanced=True)


class OwnFile(DataConfig):
    """Data read from a file of one's own, or from a folder of them. It stays where it is; a run remembers its digest.

    A subclass has the fields `path` and `digest`, and its `load` begins with `read`.
    """

    file: ClassVar[str]  # what it is read from, as "CSV file"
    unchosen: ClassVar[str]  # what is said while no path is given
    several: ClassVar[bool] = False  # whether it may be more than one file
    endings: ClassVar[tuple[str, ...]]  # of files that it is read from, in small letters, as ".csv"
    alone: ClassVar[tuple[str, ...]] = ()  # of these, those of which a single file can be such data; empty: all
    upload: ClassVar[str]  # what is asked for where files are uploaded, as "Text file"
    invitation: ClassVar[str]  # what will be seen there, said while there is nothing yet

    if TYPE_CHECKING:  # fields, which stand in a form where the subclass has them
        path: str
        digest: str

    def files(self) -> dict[str, bytes]:
        """The bytes by the names of the files, the name empty of a single one; raises `ConfigError`."""
        return {"": contents(self.path, self.file)}

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether what lies at `path` looks like such data, by its name; a folder by the names in it. Never raises."""
        with contextlib.suppress(OSError, ValueError):
            if path.is_dir():
                return cls.several and any(entry.suffix.lower() in cls.endings
                                           for entry in islice(path.iterdir(), FEW) if not entry.name.startswith("."))
            return path.name.lower().endswith(cls.endings) and path.is_file()
        return False

    @classmethod
    def may_be(cls, path: Path) -> bool:
        """Whether what lies at `path` may be meant as such data though it does not look so. Never raises."""
        return path.name.lower().endswith(cls.alone or cls.endings)

    def fingerprint(self) -> str:
        """SHA-256 of what lies at the path, wherever that is; raises `ConfigError` for what cannot be read."""
        return digest(self.files())

    def resolve(self) -> Self:
        """The choice with the absolute path, as a run is trained from another folder, and with the digest."""
        if not self.path or self.digest:
            return self
        try:
            found = self.fingerprint()
        except ConfigError:
            return self  # `load` says what is wrong with it
        return self.model_copy(update={"path": str(Path(self.path).expanduser().absolute()), "digest": found})

    def read(self) -> dict[str, bytes]:
        """What `files` gives, if a run may be trained on it.

        Raises `DataUnavailable` without a path, and `ConfigError` for files that cannot be read or have changed.
        """
        if not self.path:
            raise DataUnavailable(self.unchosen)
        data = self.files()
        self.check_same(digest(data))
        return data

    def check_same(self, found: str) -> None:
        """Raise `ConfigError` unless `found` is the digest of what the run was made with, if it was made."""
        if self.digest and found != self.digest:
            old, new = ("old files", "these") if self.several else ("old file", "this one")
            raise wrong(self.path, "has changed since this run was made.",
                        f"Put the {old} back, or clear data.digest to start anew with {new}.")


def contents(path: str, kind: str) -> bytes:
    """The bytes of a regular file that is neither empty nor too large; raises `ConfigError` for any other.

    `kind` is what it should be, as "CSV file".
    """
    place, found = place_of(path, kind)
    if stat.S_ISDIR(found.st_mode):
        raise wrong(path, "is a folder, not a file.", f"Give the path of a {kind}.")
    if found.st_size > MAX_FILE_BYTES:
        raise wrong(path, f"has {found.st_size:,} bytes.", f"Use at most {MAX_FILE_BYTES:,}: a part of it, say.")
    try:
        with opened(place) as file:  # another may lie there by now
            return file.read(MAX_FILE_BYTES)
    except (OSError, BrokenFile) as error:
        raise unreadable(path, kind, error) from None


def place_of(path: str, kind: str) -> tuple[Path, os.stat_result]:
    """What lies at `path`, a regular file that is not empty or a folder; raises `ConfigError` for anything else.

    `kind` is what it should be, as "CSV file".
    """
    try:
        place = Path(path).expanduser()
        found = place.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise wrong(path, "is not there.", f"Give the path of a {kind} on this machine.") from None
    except (OSError, ValueError, RuntimeError) as error:  # a 0 byte in the path; "~someone" without a home
        raise unreadable(path, kind, error) from None
    regular = stat.S_ISREG(found.st_mode)
    if not regular and not stat.S_ISDIR(found.st_mode):  # before it is opened: a pipe would be waited for
        raise wrong(path, "is a device or a pipe, not a file.", f"Give the path of a {kind}.")
    if regular and not found.st_size:
        raise wrong(path, "is empty.", f"Give a {kind} with something in it.")
    return place, found


def decoded(data: bytes, path: str) -> str:
    """The text of bytes in UTF-8, or in UTF-16 that says so; raises `ConfigError` naming the line of what is none."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with contextlib.suppress(UnicodeDecodeError):
            data = data.decode("utf-16").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    remedy = "Save it as plain text in UTF-8."
    if (place := data.find(0)) >= 0:
        raise wrong(path, f"is not a text: line {_line(data, place):,} has a 0 byte.", remedy)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise wrong(path, f"is not UTF-8: byte 0x{data[error.start]:02x} in line {_line(data, error.start):,} "
                    "does not belong there.", remedy) from None


def lines(data: bytes, path: str) -> list[str]:
    """The lines of a text, empty ones too; raises `ConfigError` for no text, and for lines too many or too long."""
    text = decoded(data, path).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    if (count := text.count("\n") + 1) > MAX_LINES:
        raise wrong(path, f"has {count:,} lines.", f"Use at most {MAX_LINES:,}: a part of it, say.")
    found = text.split("\n")
    for number, line in enumerate(found, 1):
        if len(line) > MAX_LINE_LENGTH:
            raise wrong(path, f"has {len(line):,} characters in line {number:,}.",
                        f"Put one sentence on a line, at most {MAX_LINE_LENGTH:,} characters.")
    return found


def digest(data: Mapping[str, bytes]) -> str:
    """SHA-256 of a file, whose name is empty here, or of the names and digests of several."""
    if "" in data:
        return hashlib.sha256(data[""]).hexdigest()
    return digest_of_all((name, hashlib.sha256(content).hexdigest()) for name, content in data.items())


def digest_of_all(digests: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of the names and digests of several files, in their order."""
    whole = hashlib.sha256()
    for name, each in digests:
        whole.update(f"{name}\0{each}\n".encode("utf-8", "surrogateescape"))  # a name on the disk may be no text
    return whole.hexdigest()


def wrong(path: str, message: str, remedy: str) -> ConfigError:
    """What is wrong with the file at `path`, as a fault of the field data.path."""
    return problem("data.path", path, f"'{path}' {message}", remedy)


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def unreadable(path: str, kind: str, error: Exception) -> ConfigError:
    """The error that says why what lies at `path` cannot be read."""
    return wrong(path, f"cannot be read ({getattr(error, 'strerror', None) or error}).",
                 f"Give the path of a {kind} that you may read.")
