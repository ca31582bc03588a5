"""The download of a published data set as a task of the background, and how far it is.

It runs once at a time, whether a page has started it or a terminal. One that is stopped goes on from there next time.
"""

from __future__ import annotations

import re

from vaecore.data.base import cache_folder
from vaecore.data.fetching import CONVERTING, FETCHING
from vaecore.data.published import Published, megabytes
from vaecore.lab.task import Task

DONE = "is here, in "  # what the last line of one that came to its end says
REACHED = re.compile(r"[\w-]+: ([0-9.]{1,12}) of ([0-9.]{1,12}) MB")


def download(chosen: Published) -> Task:
    """The download of a data set, whose licence was accepted by whoever starts it."""
    accepted = ("--accept-licence",) if chosen.accept else ()
    return Task(cache_folder() / "downloads" / chosen.folder, "fetch", f"The download of {chosen.title}",
                ("data", "--download", chosen.name, *accepted))


def line(chosen: Published, what: str, done: int, total: int) -> str:
    """How far it is, as a line of the log."""
    return f"{chosen.name}: {done / 1e6:.1f} of {megabytes(total)}" if what == FETCHING else f"{chosen.name}: {what}"


def reached(lines: tuple[str, ...]) -> tuple[str, float] | None:
    """How far it is in words, and the share that is done; None where the log does not say."""
    for said in reversed(lines):
        if said.endswith(f": {CONVERTING}"):
            return "All is here; it is converted and checked.", 1.0
        if found := REACHED.fullmatch(said):
            done, total = float(found[1]), float(found[2])
            return said.partition(": ")[2], min(1.0, done / total) if total else 0.0
    return None
