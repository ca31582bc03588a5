"""The log of a run: what its processes printed. It may be of any length and by anybody: read with a bound, as text."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from vaecore import words
from vaecore.files import BrokenFile, opened
from vaecore.untrusted import CONTROLS

FILE = "log.txt"
TAIL, SEARCHED, TAKEN = 2**16, 2**22, 2**25  # bytes of its end: what is shown of, searched in, and taken along
LONGEST_SHOWN = 2_000  # signs of a line that are shown
COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")  # what a bar or a warning says to a terminal


@dataclass(frozen=True)
class Log:
    """The last lines of a log, or of those lines that hold what is sought; printed, it is their text."""

    lines: tuple[str, ...] = ()
    found: int = 0  # how many lines there were in what was read
    read: int = 0  # bytes of its end
    size: int = 0  # bytes of the whole file

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def told(self) -> str:
        """What is not shown, in words; empty where all of it is."""
        parts = [f"the last {len(self.lines):,} of {self.found:,} lines"] if self.found > len(self.lines) else []
        if self.read < self.size:
            parts.append(f"{'of ' if parts else ''}its last {words.size(self.read)} of {words.size(self.size)}")
        return ", ".join(parts)


def log(folder: Path, lines: int = 40, find: str = "") -> Log:
    """The last `lines` of a run's log; with `find`, of those that hold it, in capitals or not.

    At most its last 4 MB are searched, and 64 KB read where nothing is sought. Of a line that was drawn over and over
    it is the last drawing; colours are left out, and what would act on a terminal or turn the text is shown as �.
    """
    data, size = _read(folder, SEARCHED if find else TAIL)
    text = COLOURS.sub("", data.decode(errors="replace")).rstrip("\r\n")
    found = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")] if text else []
    if find:
        found = [line for line in found if find.casefold() in line.casefold()]
    return Log(tuple(map(_shown, found[-lines:])) if lines > 0 else (), len(found), len(data), size)


def taken(folder: Path) -> bytes:
    """A log to take along, as it is in the file: of a longer one its last 32 MB."""
    return _read(folder, TAKEN)[0]


def _read(folder: Path, most: int) -> tuple[bytes, int]:
    """The last bytes of the file, and how many it has; none where it cannot be read."""
    try:
        with opened(folder / FILE) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            return file.read(most), size
    except (OSError, BrokenFile):
        return b"", 0


def _shown(line: str) -> str:
    cut = f" … ({len(line) - LONGEST_SHOWN:,} more)" if len(line) > LONGEST_SHOWN else ""
    return line[:LONGEST_SHOWN].translate(CONTROLS) + cut
