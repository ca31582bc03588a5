"""A text of one's own, one sentence a line. It stays where it is; a run remembers its digest."""

from __future__ import annotations

import codecs
import hashlib
import stat
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import SPLITS, Dataset, DataUnavailable
from vaecore.data.text import TextConfig
from vaecore.schema import ConfigError, option, problem

LARGEST = 50_000_000  # bytes
LONGEST_LINE = 10_000  # characters
FEWEST, HELD_OUT = 30, 2_000  # sentences


class TextFile(TextConfig):
    """The sentences of a text file; a tenth, at most 2,000, are for validation and as many for test."""

    title: ClassVar[str] = "Your own text"
    name: Literal["text-file"] = "text-file"
    path: str = option("", "A UTF-8 text file on this machine, one sentence a line, 50 MB at most.")
    digest: str = option("", "SHA-256 of the file, filled in when a run is made: on another text the run would not be "
                         "the same.", pattern="^([0-9a-f]{64})?$", advanced=True)

    def resolve(self) -> TextFile:
        """With the absolute path, as a run is trained from another folder, and with the file's digest."""
        if not self.path or self.digest:
            return self
        try:
            data = contents(self.path)
        except ConfigError:
            return self  # `load` says what is wrong with it
        return self.model_copy(update={"path": str(Path(self.path).expanduser().absolute()),
                                       "digest": hashlib.sha256(data).hexdigest()})

    def load(self) -> Dataset:
        """Shuffled once and for all, then split; raises `ConfigError` for a file that cannot be used."""
        if not self.path:
            raise DataUnavailable("No text is chosen. Give data.path, a UTF-8 text file with one sentence a line.")
        data = contents(self.path)
        if self.digest and hashlib.sha256(data).hexdigest() != self.digest:
            raise _wrong(self.path, "has changed since this run was made.",
                         "Put the old file back, or clear data.digest to start anew with this one.")
        lines = sentences(data, self.path)
        order = np.random.default_rng(0).permutation(len(lines))
        held_out = min(len(lines) // 10, HELD_OUT)
        cut = len(lines) - 2 * held_out
        parts = dict(zip(SPLITS, np.split(order, [cut, cut + held_out]), strict=True))
        sizes = " / ".join(f"{len(part):,}" for part in parts.values())
        return self.finish("text-file", f"{Path(self.path).name}: {sizes}",
                           {split: [lines[row] for row in part] for split, part in parts.items()})


def contents(path: str) -> bytes:
    """The bytes of a regular file that is neither empty nor too large; raises `ConfigError` for any other."""
    try:
        place = Path(path).expanduser()
        found = place.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _wrong(path, "is not there.", "Give the path of a text file on this machine.") from None
    except (OSError, ValueError, RuntimeError) as error:  # a 0 byte in the path; "~someone" without a home
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):  # before it is opened: a pipe would be waited for
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
        raise _wrong(path, f"is {what}, not a file.", "Give the path of a text file.")
    if not found.st_size:
        raise _wrong(path, "is empty.", "Give a text with one sentence a line.")
    if found.st_size > LARGEST:
        raise _wrong(path, f"has {found.st_size:,} bytes.", f"Use at most {LARGEST:,}: a part of it, say.")
    try:
        with place.open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        raise _unreadable(path, error) from None


def sentences(data: bytes, path: str) -> list[str]:
    """The lines that are not blank; raises `ConfigError` for what is not a text of sentences."""
    data = data.removeprefix(codecs.BOM_UTF8)
    remedy = "Save it as plain text in UTF-8."
    if (place := data.find(0)) >= 0:
        raise _wrong(path, f"is not a text: line {_line(data, place):,} has a 0 byte.", remedy)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _wrong(path, f"is not UTF-8: byte 0x{data[error.start]:02x} in line {_line(data, error.start):,} "
                     "does not belong there.", remedy) from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise _wrong(path, f"has {len(line):,} characters in line {number:,}.",
                         f"Put one sentence on a line, at most {LONGEST_LINE:,} characters.")
    found = [line for line in lines if line.strip()]
    if len(found) < FEWEST:
        raise _wrong(path, f"has {len(found)} sentence{'s' * (len(found) != 1)}.",
                     f"Give at least {FEWEST}, each on a line of its own.")
    return found


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _unreadable(path: str, error: Exception) -> ConfigError:
    return _wrong(path, f"cannot be read ({getattr(error, 'strerror', None) or error}).",
                  "Give the path of a text file that you may read.")


def _wrong(path: str, message: str, remedy: str) -> ConfigError:
    return problem("data.path", path, f"'{path}' {message}", remedy)
