"""Names, tags, notes, pins and archiving, for many runs at once. What a mark may be says `vaecore/marks.py`.

A run keeps its id whatever it is called. Each function answers for every run by itself: one that cannot be marked costs
no other. Two writers wait for each other, and a reader sees the old marks or the new ones, whole. What of the old ones
cannot be read stays in a file beside. No torch.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vaecore import locks, permission
from vaecore.errors import StoreError
from vaecore.files import set_aside, trouble, write_json_atomic
from vaecore.marks import MOST_TAGS, Marks, note_fault, read, tag_fault, title_fault
from vaecore.store import Run

PATIENCE = 10.0  # seconds to wait for another writer


@dataclass(frozen=True)
class Done:
    """What came of a change of one run: nothing to tell, or in `problem` why it was not made."""

    id: str
    problem: str = ""
    name: str = ""  # of a removed run: the name by which it is restored

    @property
    def fine(self) -> bool:
        """Whether the change was made."""
        return not self.problem


def rename(run: Run, title: str, *, instead_of: str | None = None) -> Done:
    """Call a run `title`, at most 80 characters of any letters; an empty one gives its own name back. The id stays.

    Where it is called neither `instead_of` nor by its own name any more, it is left so. Raises `StoreError` for what
    cannot be a title.
    """
    permission.require("rename a run")
    wanted = " ".join(title.split())
    if wanted and (fault := title_fault(wanted)):
        raise StoreError(f"A run cannot be called so: {fault}. Give a shorter or plainer name.")

    def change(marks: Marks) -> Marks:
        _expected(marks.title, instead_of, "name", wanted)
        return marks.model_copy(update={"title": wanted})

    [done] = _each([run], change)
    return done


def tag(runs: Iterable[Run], add: Sequence[str] = (), remove: Sequence[str] = ()) -> list[Done]:
    """Give runs tags, and take others away; raises `StoreError` for what cannot be a tag."""
    permission.require("tag a run")
    for each in (*add, *remove):
        if fault := tag_fault(each):
            raise StoreError(f"'{each[:60]}' cannot be a tag: {fault}.")

    def change(marks: Marks) -> Marks:
        tags = [each for each in dict.fromkeys([*marks.tags, *add]) if each not in remove]
        if len(tags) > MOST_TAGS:
            raise StoreError(f"It would have {len(tags)} tags, and a run has at most {MOST_TAGS}. Take some off.")
        return marks.model_copy(update={"tags": tuple(tags)})

    return _each(runs, change)


def note(runs: Iterable[Run], text: str, *, instead_of: str | None = None) -> list[Done]:
    """Write a note to runs, in the place of theirs; an empty one takes it away. Raises `StoreError` for a long one.

    A note that is another than `instead_of` stays.
    """
    permission.require("write a note to a run")
    wanted = text.replace("\r\n", "\n").strip()
    if fault := note_fault(wanted):
        raise StoreError(f"This note cannot be kept: {fault}.")

    def change(marks: Marks) -> Marks:
        _expected(marks.note, instead_of, "note", wanted)
        return marks.model_copy(update={"note": wanted})

    return _each(runs, change)


def pin(runs: Iterable[Run], *, pinned: bool = True) -> list[Done]:
    """Pin runs to the top of lists, or let them go."""
    permission.require("pin a run")
    return _each(runs, lambda marks: marks.model_copy(update={"pinned": pinned}))


def archive(runs: Iterable[Run], *, archived: bool = True) -> list[Done]:
    """Put runs away, so that lists leave them out, or bring them back. Their files stay where they are."""
    permission.require("archive a run")
    return _each(runs, lambda marks: marks.model_copy(update={"archived": archived}))


def _expected(now: str, before: str | None, what: str, wanted: str) -> None:
    """Refuse to write over what somebody else has written meanwhile."""
    if before is not None and now not in ("", before, wanted):
        raise StoreError(f"Its {what} was changed meanwhile, and that would be lost: nothing was written. "
                         + (f"Yours was: {wanted}" if wanted else "Yours was empty."))


def _each(runs: Iterable[Run], change: Callable[[Marks], Marks]) -> list[Done]:
    done = []
    for run in runs:
        try:
            _change(run, change)
            done.append(Done(run.id))
        except StoreError as error:
            done.append(Done(run.id, str(error)))
        except OSError as error:
            done.append(Done(run.id, f"The marks of {run.id} cannot be written. {trouble(error)}"))
    return done


def _change(run: Run, change: Callable[[Marks], Marks]) -> None:
    path = run.marks_file
    if not run.path.is_dir():
        raise StoreError(f"There is no run '{run.id}' any more.")
    if not run.writable:  # of one's own its folder is there, and is not made again where it was removed just now
        path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent / ".marks.lock"):
        found, passed_over = read(path)
        marks = change(found)
        if passed_over:
            set_aside(path)
        kept = {name: value for name, value in marks.model_dump(mode="json").items() if value}
        if kept:
            write_json_atomic(path, kept)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock that all writers of some file take; raises `StoreError` where another holds it too long."""
    until = time.monotonic() + PATIENCE
    while (lock := locks.attempt(path)) is None:
        if time.monotonic() > until:
            raise StoreError(f"Another process has held {path.name} for {PATIENCE:.0f} s: it may be suspended. Try "
                             "again.")
        time.sleep(0.005)
    try:
        yield
    finally:
        os.close(lock)
