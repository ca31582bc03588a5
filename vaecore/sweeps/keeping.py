"""The file of a sweep, `<store>/sweeps/<name>.json`: what was asked. What came of it stands in the runs. No torch."""

from __future__ import annotations

from pathlib import Path

from vaecore import permission
from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.lab import Here, Slurm, where
from vaecore.lab.task import Task
from vaecore.library.marks import alone
from vaecore.schema import ConfigError, parse
from vaecore.store import NAME, Store, StoreError
from vaecore.sweeps import points
from vaecore.sweeps.declared import Sweep
from vaecore.sweeps.objective import objective

PLACE = ".where"  # how the file beside it ends that says where its trainings run
MAX_SWEEP_BYTES = 1_000_000  # of its file


def place(store: Store, name: str) -> Path:
    """Where the sweep of that name is kept; raises `StoreError` for what can be no name."""
    if not NAME.fullmatch(name) or ".." in name:
        raise StoreError(f"'{name[:80]}' cannot be a sweep's name. Use small letters, digits, '-' and '_'.")
    return store.root / "sweeps" / f"{name}.json"


def names(store: Store) -> list[str]:
    """The sweeps of a store, newest first."""
    try:
        found = [(path.stat().st_mtime_ns, path.stem) for path in (store.root / "sweeps").glob("*.json")
                 if NAME.fullmatch(path.stem)]
    except OSError:
        return []
    return [name for _, name in sorted(found, reverse=True)]


def kept(store: Store, name: str) -> Sweep:
    """The sweep of that name; raises `StoreError` where there is none or its file cannot be read."""
    path = place(store, name)
    try:
        values = read_json(path, MAX_SWEEP_BYTES)
        if values is None:
            close = ", ".join(names(store)[:8]) or "none yet"
            raise StoreError(f"There is no sweep '{name}' in {store.root}. There are: {close}.")
        sweep = parse(Sweep, values)
        points.check_count(sweep)  # as when it was started: or a look would list points without end
        objective(sweep.objective)
    except (BrokenFile, ConfigError) as error:
        raise StoreError(f"The sweep {name} cannot be read: {error} Remove {path}; its runs stay.") from None
    if sweep.name != name:
        raise StoreError(f"The sweep {name} cannot be read: its file names '{sweep.name}'. Call one as the other, or "
                         f"remove {path}; its runs stay.")
    return sweep


def keep(store: Store, sweep: Sweep) -> None:
    """Write its file; raises `StoreError` where one of that name is there, or the store is only read."""
    permission.require("start a sweep")
    store.require_own()
    path = place(store, sweep.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(store.root / ".sweeps.lock"):  # two pages may choose one name at once
        if path.exists():
            raise StoreError(f"There is already a sweep called '{sweep.name}'. Choose another name, or remove that "
                             "one.")
        write_json_atomic(path, sweep.model_dump(mode="json"))


def goes_on(store: Store, name: str) -> Here | Slurm:
    """Where the trainings of a sweep are queued: as was asked for last, and here where nobody said."""
    path = place(store, name).with_suffix(PLACE)
    return where.kept(path.parent, path.name)


def go_on(store: Store, name: str, asked: Here | Slurm) -> None:
    """Queue its trainings there from now on."""
    permission.require("start a sweep")
    store.require_own()
    path = place(store, name).with_suffix(PLACE)
    where.keep(path.parent, asked, path.name)


def forget(store: Store, name: str) -> None:
    """Remove a sweep; its runs stay. Raises `StoreError` while it is at work."""
    permission.require("remove a sweep")
    store.require_own()
    if tending(store, name).progress().running:
        raise StoreError(f"The sweep {name} is at work: stop it first, then remove it.")
    path = place(store, name)
    for each in (path, *(path.with_suffix(kind) for kind in (".log", ".pid", PLACE))):  # a lock's file stays
        each.unlink(missing_ok=True)


def tending(store: Store, name: str) -> Task:
    """The process that queues a sweep's trainings, chooses the points of a search and ends the bad."""
    return Task(place(store, name).parent, name, f"The sweep {name}",
                ("sweep", "tend", name, "--store", str(store.root)))
