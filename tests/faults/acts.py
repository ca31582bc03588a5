"""What a person does besides training, on a disk that fails at each place: `python -m tests.faults.acts`.

After each failure the store is whole: an act was done or was not, nothing half of it is there. What is said names the
disk and the way out. Then the same act is done again, and does what it would have done.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from tests.faults.disk import ERRORS, FULL, failing
from tests.faults.writes import VALUES, Tally, broken
from vaecore import lab, shelf
from vaecore.config import RunConfig
from vaecore.errors import StoreError
from vaecore.evaluate import kept as evaluations
from vaecore.files import trouble
from vaecore.lab import LabError, jobs, state
from vaecore.library import marks, trash, views
from vaecore.schema import ConfigError, parse
from vaecore.sharing import pack, unpack
from vaecore.store import Run, Store
from vaecore.sweeps import keeping
from vaecore.sweeps.declared import Sweep

CONFIG = parse(RunConfig, VALUES)
NAMES = ("a", "b", "c")
SHIPPED = Path(__file__).parents[2] / "trained/gallery/pca"
RESULT = {"settings": {"parts": [], "seed": 0}, "partial": False, "elbo": -1.0}
SWEEP = {"name": "widths", "base": CONFIG.model_dump(mode="json"), "axes": [
    {"kind": "values", "field": "training.learning_rate", "values": [0.001, 0.002]}]}


def runs(store: Store) -> list[Path]:
    return [store.root / "runs" / name for name in NAMES]


def _submit(store: Store) -> None:
    lab.submit_together([each for each in runs(store) if lab.status(each).state == "new"], stack=True)


def _submitted(store: Store) -> bool:
    waiting = [state.run_of(ticket) for ticket in state.tickets(store.root)]
    return len(waiting) == 3


def _create(store: Store) -> None:
    store.create(CONFIG, "new")


def _created(store: Store) -> bool:
    folder = store.root / "runs" / "new"
    assert not folder.exists() or (folder / "config.json").exists(), "half a run"
    return folder.exists()


def _mark(store: Store) -> None:
    told = marks.tag([Run(runs(store)[0])], add=["good"])
    _raise([done.problem for done in told])


def _raise(problems: list[str]) -> None:
    if wrong := [problem for problem in problems if problem]:
        raise StoreError(wrong[0])


def _remove(store: Store) -> None:
    _raise([done.problem for done in trash.remove([Run(runs(store)[0])])])


def _empty(store: Store) -> None:
    _raise([done.problem for done in trash.empty(store)])


def _emptied(store: Store) -> bool:
    left = [each.name for each in trash.trashed(store)]
    for name in left:
        assert (store.root / "trash" / name / "config.json").exists(), "half of a removed run"
    return not left


# What it is called: before, the act, and whether it is done.
ACTS: dict[str, tuple[Callable[[Store], Any], Callable[[Store], Any], Callable[[Store], bool]]] = {
    "create a run": (lambda _: None, _create, _created),
    "submit three": (lambda _: None, _submit, _submitted),
    "mark": (lambda _: None, _mark, lambda store: marks.read(Run(runs(store)[0]).marks_file)[0].tags == ("good",)),
    "upload a file": (lambda _: None, lambda store: shelf.keep(store, [("x.csv", b"a,b\n1,2\n")]),
                      lambda store: any(kept.name.startswith("x") for kept in shelf.brought(store))),
    "upload files": (lambda _: None, lambda store: shelf.keep(store, [("d/x.txt", b"one"), ("d/y.txt", b"two")]),
                     lambda store: _whole_upload(store)),
    "keep an evaluation": (lambda _: None, lambda store: evaluations.keep(Run(runs(store)[0]), RESULT),
                           lambda store: evaluations.file_of(Run(runs(store)[0])).exists()),
    "keep a sweep": (lambda _: None, lambda store: keeping.keep(store, parse(Sweep, SWEEP)),
                     lambda store: keeping.names(store) == ["widths"]),
    "keep a view": (lambda _: None, lambda store: views.keep(store, views.TableView(name="mine")),
                    lambda store: [view.name for view in views.views(store)] == ["mine"]),
    "remove": (lambda _: None, _remove, lambda store: not runs(store)[0].exists()),
    "restore": (_remove, lambda store: _raise([done.problem for done in trash.restore(store, ["a"])]),
                lambda store: (runs(store)[0] / "config.json").exists()),
    "empty the trash": (_remove, _empty, _emptied),
    "import": (lambda store: _zip(store), lambda store: unpack(store.root / "a.zip", store, "imported"),
               lambda store: (store.root / "runs" / "imported" / "config.json").exists()),
}


def _whole_upload(store: Store) -> bool:
    found = [kept.path for kept in shelf.brought(store) if kept.name.startswith("d")]
    for path in found:
        assert sorted(each.name for each in path.iterdir()) == ["x.txt", "y.txt"], "half an upload"
    return bool(found)


def _zip(store: Store) -> None:
    with (store.root / "a.zip").open("wb") as file:
        pack([Run(SHIPPED)], file)


def fresh(root: Path, before: Callable[[Store], Any]) -> Store:
    """A store with three runs, in which what comes before has been done."""
    shutil.rmtree(root, ignore_errors=True)
    store = Store(root)
    for name in NAMES:
        store.create(CONFIG, name)
    before(store)
    return store


def tried(root: Path, name: str, errors: list[str], every: int = 1) -> Tally:
    """An act whose disk fails at each `every`-th place, once and for good, by each of the errors."""
    before, act, done = ACTS[name]
    tally = Tally()
    store = fresh(root, before)
    with failing(root) as disk:
        act(store)
    assert done(store), f"{name} does nothing"
    tally.points = len(disk.asked)
    asked = list(disk.asked)
    for error in errors:
        for at in range(1, tally.points + 1, every):
            for lasting in (False, True):
                tally.tries[error] += 1
                where = f"{name}, {error}{' lasting' * lasting} at {at} ({asked[at - 1]})"
                tally.faults += [f"{where}: {fault}" for fault in
                                 _one(fresh(root, before), act, done, (at, ERRORS[error]), tally, lasting=lasting)]
    return tally


def _one(store: Store, act: Callable[[Store], Any], done: Callable[[Store], bool], fault: tuple[int, int],
         tally: Tally, *, lasting: bool) -> list[str]:
    said, found = "", []
    with failing(store.root, *fault, lasting=lasting):
        try:
            act(store)
        except (StoreError, LabError, ConfigError, OSError) as error:
            said = trouble(error)
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
    try:
        was_done = done(store)
    except AssertionError as error:
        return [str(error)]
    tally.ends["done" if was_done else "not done"] += 1
    takes_back = not lasting or fault[1] in FULL  # what a dead disk holds nobody takes away
    if not was_done and takes_back and state.tickets(store.root):
        found.append("some are queued, and not all")
    if not was_done and not ("disk" in said and "again" in said):
        found.append(f"not done, and says: {said!r}")
    found += broken(store.root)
    if not was_done:
        act(store)
        if not done(store):
            found.append("done again it does nothing")
    if left := [path.name for path in store.root.rglob("*.tmp-*")]:
        found += [f"left behind {left}"] if takes_back else []
    return found


def every_act(root: Path, errors: list[str], names: list[str], every: int = 1) -> dict[str, Tally]:
    """All of them."""
    with mock.patch.object(jobs, "kick", lambda _root: None):
        return {name: tried(root, name, errors, every) for name in names}


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--store", type=Path, required=True)
    options.add_argument("--every", type=int, default=1)
    options.add_argument("--errors", nargs="*", default=list(ERRORS))
    options.add_argument("--acts", nargs="*", default=list(ACTS))
    given = options.parse_args()
    tallies = every_act(given.store.absolute(), given.errors, given.acts, given.every)
    for called, tally in tallies.items():
        print(tally.line(called), *tally.faults, sep="\n")
    print(f"all: faults {sum(len(tally.faults) for tally in tallies.values())}")
    sys.exit(any(tally.faults for tally in tallies.values()))
