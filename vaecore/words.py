"""Counts, sizes, names and cells as messages say them: in the right number, on one line, and no longer than is read."""

from __future__ import annotations

from collections.abc import Sequence

CELL_CHARACTERS, PATH_CHARACTERS = 40, 80  # at most
NAMED = 5  # of many names


def counted(count: int, what: str) -> str:
    """A count in words: "1 picture", "1,200 pictures"."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def size(count: float) -> str:
    """Bytes in words: "312 bytes", "65.5 kB", "11.6 MB", "4.3 GB"."""
    for unit, each in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if round(1_000 * count / each, 1) >= 1_000:  # 999,990 bytes are 1.0 MB, not 1,000.0 kB
            return f"{count / each:,.1f} {unit}"
    return f"{count:.0f} bytes"


def are(count: int) -> str:
    """The verb for so many."""
    return "is" if count == 1 else "are"


def short(text: str) -> str:
    """A cell or the name of a column, by its beginning."""
    return text if len(text) <= CELL_CHARACTERS else text[:CELL_CHARACTERS - 1] + "…"


def quoted(text: str) -> str:
    """`short`, in quotes."""
    return f"'{short(text)}'"


def listed(names: Sequence[str]) -> str:
    """The first cells or names of columns, in quotes."""
    return ", ".join(map(quoted, names[:NAMED])) + (", …" if len(names) > NAMED else "")


def shown(name: str) -> str:
    """The name of a file on one line, by its end, which tells it from others."""
    line = "".join(sign if sign.isprintable() else "?" for sign in name)
    return line if len(line) <= PATH_CHARACTERS else f"…{line[1 - PATH_CHARACTERS:]}"


def some(names: Sequence[str]) -> str:
    """The first names of files, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(shown, names[:NAMED])) + more
