"""Stores of others, which are only read: folders on a shared disk beside one's own store, and the shipped gallery.

`VAECORE_SHARED` lists folders, each as `name=path` or as a path alone, joined as in PATH; each holds run folders, or a
store's `runs/`. A disk may be away, slow, or just be written to by somebody: looking at one takes `PATIENCE` seconds at
most, in a thread of its own, and what is wrong is a sentence (`Look.trouble`) and no error.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

STORE, SHARED, GALLERY = "VAECORE_STORE", "VAECORE_SHARED", "VAECORE_GALLERY"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # of a run's folder
PATIENCE = 2.0  # seconds that a page waits for a disk
FRESH = 3.0  # seconds for which a look stands
MOST_RUNS = 20_000  # of one shared store
RESERVED = ("runs", "gallery", "trash", "queue")


@dataclass(frozen=True)
class Look:
    """What was seen of a shared store: its runs' folders, newest first, and what is wrong, in a sentence or two."""

    folders: tuple[Path, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class SharedStore:
    """A folder of somebody's runs under the name by which their ids begin: `name/run`."""

    name: str
    root: Path

    def look(self) -> Look:
        """The store's runs as they were `FRESH` seconds ago at most; none, and why, where it is away or slow."""
        return _watch(self).look()

    def holds(self, folder: Path) -> bool:
        """Whether a run's folder belongs to it, by its path alone: no disk is asked."""
        return folder.parent in (self.root, self.root / "runs")


def listed() -> tuple[SharedStore, ...]:
    """The stores that `VAECORE_SHARED` names, in its order; a name that is taken or unusable is made a good one."""
    return _parsed(os.environ.get(SHARED, ""), Path.cwd())


def own() -> Path:
    """The root of one's own store: `VAECORE_STORE`, or `trained` in the working folder."""
    return Path(os.environ.get(STORE, "trained")).resolve()


def place_of(folder: Path) -> str:
    """The store that a run's folder lies in, by its path alone: "", "gallery", or the name of a shared one."""
    # Pages ask this many times of each run: the answer stands until one of these is set anew.
    return _place(folder, Path.cwd(), *(os.environ.get(variable) for variable in (STORE, SHARED, GALLERY)))


@lru_cache(20_000)
def _place(folder: Path, *_: object) -> str:
    folder = folder.absolute()
    for store in listed():
        if store.holds(folder) and store.root != own():
            return store.name
    return "gallery" if folder.parent.name == "gallery" or folder.parent == shipped() else ""


def shipped() -> Path | None:
    """The folder of the checkpoints that come with the project: `VAECORE_GALLERY`, or beside the package.

    None where there is none, and where `VAECORE_GALLERY` is set and empty.
    """
    given = os.environ.get(GALLERY)
    if given is None:
        return Path(__file__).parents[1] / "trained" / "gallery"
    return Path(given).absolute() if given else None


@lru_cache(8)
def _parsed(text: str, folder: Path) -> tuple[SharedStore, ...]:
    found: list[SharedStore] = []
    for part in filter(None, (part.strip() for part in text.split(os.pathsep))):
        name, given, path = part.partition("=")
        if not given or "/" in name or os.sep in name:  # an '=' of the path itself
            name, path = "", part
        root = Path(os.path.normpath(folder / Path(path).expanduser()))  # `resolve` would ask a disk that is away
        if all(root != other.root for other in found):
            called = name or (root.parent.name if root.name in RESERVED else root.name)  # /mnt/old/runs is `old`
            found.append(SharedStore(_named(called, {other.name for other in found}), root))
    return tuple(found)


def _named(wanted: str, taken: set[str]) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", wanted.lower()).strip("-_")[:40] or "shared"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken and name not in RESERVED)


# -- looking without waiting for a dead disk -------------------------------------------------------


class _Watch:
    """Looks at one shared store, one look at a time; who asks meanwhile is told what is known."""

    def __init__(self, store: SharedStore) -> None:
        self.store, self.known, self.known_at = store, Look(), -FRESH
        self.lock, self.thread, self.since = threading.Lock(), None, 0.0

    thread: threading.Thread | None

    def look(self) -> Look:
        now = time.monotonic()
        with self.lock:
            if now - self.known_at < FRESH:
                return self.known
            if self.thread is None or not self.thread.is_alive():
                self.thread, self.since = threading.Thread(target=self._see, daemon=True), now
                self.thread.start()
            thread, patience = self.thread, PATIENCE - (now - self.since)
        thread.join(max(0.0, patience))  # who comes to a look that hangs does not wait for it again
        if not thread.is_alive():
            return self.known
        return Look((), f"The shared store '{self.store.name}' ({self.store.root}) does not answer within "
                        f"{PATIENCE:g} s: its disk is slow or away. Its runs come back with it.")

    def _see(self) -> None:
        found = _seen(self.store)
        with self.lock:
            self.known, self.known_at = found, time.monotonic()


@lru_cache(64)
def _watch(store: SharedStore) -> _Watch:
    return _Watch(store)


def _seen(store: SharedStore) -> Look:
    called = f"The shared store '{store.name}' ({store.root})"
    try:
        with os.scandir(store.root) as entries:
            whole = any(entry.name == "runs" and entry.is_dir() for entry in entries)
        with os.scandir(store.root / "runs" if whole else store.root) as entries:
            names = [entry.name for entry in itertools.islice(entries, MOST_RUNS + 1) if NAME.fullmatch(entry.name)]
    except OSError as error:
        return Look((), f"{called} is away: {error.strerror or error}. Mount its disk, or take it out of {SHARED}.")
    made = []
    for name in names[:MOST_RUNS]:
        folder = store.root / "runs" / name if whole else store.root / name
        try:
            made.append(((folder / "config.json").stat().st_mtime, folder))
        except OSError:  # no run, or one that is still being copied there
            continue
    trouble = ""
    if not made and not whole:
        trouble = f"{called} holds no run. Is its disk mounted?"
    elif len(names) > MOST_RUNS:
        trouble = f"{called} holds more than {MOST_RUNS:,} runs: the others are left out."
    return Look(tuple(folder for _, folder in sorted(made, reverse=True)), trouble)
