"""The trash: removed runs with their size and date, brought back or deleted, many at once. No torch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vaecore import lab, permission
from vaecore.errors import StoreError
from vaecore.files import clear_deleted, delete, trouble
from vaecore.lab.locks import LabError
from vaecore.library.marks import Done
from vaecore.store import NAME, Run, Store, checked_name


@dataclass(frozen=True)
class Trashed:
    """A removed run: the name by which it is brought back, what it was called, its bytes, and when it was removed."""

    name: str
    title: str
    bytes: int
    removed: datetime


def trashed(store: Store) -> list[Trashed]:
    """What lies in the trash of a store, what was removed last first."""
    found = []
    for path in _folders(store):
        try:
            removed = datetime.fromtimestamp(int(path.stat().st_mtime))
            found.append(Trashed(path.name, Run(path).title, _size(path), removed))
        except OSError:  # somebody emptied it just now
            continue
    return sorted(found, key=lambda each: (each.removed, each.name), reverse=True)


def remove(runs: Iterable[Run]) -> list[Done]:
    """Move idle runs to the trash; one that is queued, is running or is only read stays, and its answer says why."""
    permission.require("remove a run")
    done = []
    for run in runs:
        try:
            run.require_writable()
            done.append(Done(run.id, name=lab.remove(run.path)))
        except (StoreError, LabError) as error:
            done.append(Done(run.id, str(error)))
        except OSError as error:
            done.append(Done(run.id, f"{run.id} cannot be moved. {trouble(error)}"))
    return done


def restore(store: Store, names: Iterable[str]) -> list[Done]:
    """Bring removed runs back, by the names that the trash lists."""
    permission.require("bring a removed run back")
    done = []
    for name in names:
        try:
            done.append(Done(store.restore(name).id, name=name))
        except StoreError as error:
            done.append(Done(name, str(error)))
        except OSError as error:
            done.append(Done(name, f"{name} cannot be brought back. {trouble(error)}"))
    return done


def empty(store: Store, names: Iterable[str] | None = None) -> list[Done]:
    """Delete removed runs for good: those of these names, or all. Whoever calls has asked the person first."""
    permission.require("empty the trash")
    store.require_own()
    clear_deleted(store.root / "trash")
    done = []
    for name in [path.name for path in _folders(store)] if names is None else names:
        try:
            path = store.root / "trash" / checked_name(name)
            if path.is_symlink() or not path.is_dir():
                raise StoreError(f"There is no '{name}' in the trash of {store.root}.")
            delete(path)
            done.append(Done(name, name=name))
        except StoreError as error:
            done.append(Done(name, str(error)))
        except OSError as error:
            done.append(Done(name, f"{name} cannot be deleted. {trouble(error)}"))
    return done


def _folders(store: Store) -> list[Path]:
    try:
        return [path for path in (store.root / "trash").iterdir()
                if path.is_dir() and not path.is_symlink() and NAME.fullmatch(path.name)]
    except OSError:
        return []


def _size(folder: Path) -> int:
    """Bytes of all files in a folder; what a link leads to is not counted."""
    total, left = 0, [str(folder)]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total
