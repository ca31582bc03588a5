"""Every function that changes something is called in read-only mode: each refuses, and no byte of the store changes."""

from __future__ import annotations

import ast
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import vaecore
from vaecore import lab, permission, shelf, talks
from vaecore.cli import fitting
from vaecore.cli.evaluating import _evaluated
from vaecore.config import preset
from vaecore.data import cache, fetching
from vaecore.data.own import given
from vaecore.errors import NotAllowed
from vaecore.evaluate import kept
from vaecore.evaluate.settings import Settings
from vaecore.explore import judged
from vaecore.lab import evaluations, jobs, worker
from vaecore.lab.control import Control
from vaecore.lab.task import Task
from vaecore.library import marks as marking
from vaecore.library import trash, views
from vaecore.sharing.unpacking import unpack
from vaecore.store import Run, Store
from vaecore.studies import STUDIES, run_study
from vaecore.sweeps import keeping, tending
from vaecore.sweeps.declared import Sweep, Values
from vaecore.training import fitted

ROOT = Path(vaecore.__file__).parent
SWEEP = Sweep(name="sizes", base=preset("vae-mnist").model_dump(mode="json"),
              axes=(Values(field="model.latent_size", values=(2, 4)),))


class Lab:
    """A store with a trained run, one that waits to be started, one in the trash, and an upload."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        shutil.copytree(ROOT.parent / "trained" / "gallery" / "vae-plane", root / "runs" / "mine")
        self.run = Run(root / "runs" / "mine")
        self.new = self.store.create(preset("vae-mnist"), "waits")
        self.store.create(preset("vae-mnist"), "gone")
        lab.remove(root / "runs" / "gone")
        keeping.keep(self.store, SWEEP)
        path, _ = shelf.keep(self.store, [("faces.csv", b"a,b\n1,2\n")])
        self.upload = next(one for one in shelf.brought(self.store) if one.path == path)

    def task(self) -> Task:
        return Task(self.store.root / "tasks", "one", "A task", ("version",))


ACTS: dict[str, Callable[[Lab], Any]] = {
    "cli.evaluating._evaluated": lambda at: _evaluated(at.run, Settings(), "", as_json=False),
    "data.cache.forget": lambda _: cache.forget(cache.Held("x", 0, ())),
    "data.fetching.fetch": lambda _: fetching.fetch("omniglot"),
    "data.own.given.written": lambda at: given.written(["a b"], at.store.root / "data"),
    "evaluate.kept.keep": lambda at: kept.keep(at.run, {}),
    "explore.judged.made": lambda at: judged.made(at.new.config().data, "x", None),  # type: ignore[arg-type]
    "lab.evaluations.submit": lambda at: evaluations.submit([at.run], store=at.store),
    "lab.evaluations.cancel": lambda at: evaluations.cancel([], store=at.store),
    "lab.evaluations.forget_ended": lambda at: evaluations.forget_ended(store=at.store),
    "lab.evaluations.work": lambda at: evaluations.work(at.store),
    "talks.keep": lambda at: talks.keep(at.store, "mine", talks.talk()),
    "talks.remove": lambda at: talks.remove(at.store, "mine"),
    "lab.jobs.submit": lambda at: jobs.submit(at.new.path),
    "lab.jobs.submit_new": lambda at: jobs.submit_new([at.new.path]),
    "lab.jobs.submit_together": lambda at: jobs.submit_together([at.new.path]),
    "lab.jobs.stop": lambda at: jobs.stop(at.new.path),
    "lab.jobs.remove": lambda at: jobs.remove(at.new.path),
    "lab.task.Task.start": lambda at: at.task().start(),
    "lab.task.Task.stop": lambda at: at.task().stop(),
    "lab.worker.train_here": lambda at: worker.train_here(at.new.path, Control(at.new.path)),
    "library.marks.rename": lambda at: marking.rename(at.run, "Other"),
    "library.marks.tag": lambda at: marking.tag([at.run], add=["a"]),
    "library.marks.note": lambda at: marking.note([at.run], "a"),
    "library.marks.pin": lambda at: marking.pin([at.run]),
    "library.marks.archive": lambda at: marking.archive([at.run]),
    "library.trash.remove": lambda at: trash.remove([at.new]),
    "library.trash.restore": lambda at: trash.restore(at.store, ["gone"]),
    "library.trash.empty": lambda at: trash.empty(at.store),
    "library.views.keep": lambda at: views.keep(at.store, views.TableView(name="mine")),
    "library.views.forget": lambda at: views.forget(at.store, "mine"),
    "sharing.unpacking.unpack": lambda at: unpack(at.store.root / "run.zip", at.store),
    "shelf.keep": lambda at: shelf.keep(at.store, [("b.csv", b"a\n1\n")]),
    "shelf.remove": lambda at: shelf.remove(at.store, at.upload),
    "store.Run.relocate": lambda at: at.run.relocate("elsewhere"),
    "store.Store.create": lambda at: at.store.create(preset("vae-mnist"), "other"),
    "store.Store.discard": lambda at: at.store.discard(at.new),
    "store.Store.restore": lambda at: at.store.restore("gone"),
    "studies.base.run_study": lambda at: run_study(STUDIES[0], at.store),
    "sweeps.keeping.keep": lambda at: keeping.keep(at.store, keeping.kept(at.store, "sizes")),
    "sweeps.keeping.go_on": lambda at: keeping.go_on(at.store, "sizes", lab.Slurm()),
    "sweeps.keeping.forget": lambda at: keeping.forget(at.store, "sizes"),
    "sweeps.tending.start": lambda at: tending.start(at.store, None),  # type: ignore[arg-type]
    "sweeps.tending.resume": lambda at: tending.resume(at.store, "sizes"),
    "sweeps.tending.stop": lambda at: tending.stop(at.store, "sizes"),
    "training.fitted.fit_prior": lambda at: fitted.fit_prior(at.store, at.run),
    "cli.fitting.fit_prior": lambda _: fitting.fit_prior("mine"),
    "sweeps.tending.tend": lambda at: tending.tend(at.store, "sizes"),
}

# What writes to disk is guarded by `permission.require`, or has a reason to be here.
ASKED_FOR = "the file that somebody asked for at the command line or in a notebook"
CACHED = "the cache: made from what is read, and made again where it is missing"
TRAINS = "whoever trains: `lab.jobs.submit`, `lab.worker.train_here` or `studies.run_study` has asked"
UNGUARDED = {
    **dict.fromkeys(["cli.bringing", "cli.comparing", "cli.crossmodal", "cli.encoding", "cli.exporting", "cli.looking",
                     "cli.video", "explore.export.split_codes", "explore.maps.latent_map", "sharing.packing"],
                    ASKED_FOR),
    **dict.fromkeys(["comparison.columns", "data.base", "data.converted", "data.own.pictures.folder",
                     "evaluate.classifier", "explore.export.kept", "explore.maps.kept", "named"], CACHED),
    **dict.fromkeys(["lab.attempts", "lab.control", "lab.node", "lab.owners", "lab.previews", "lab.ranks", "provenance",
                     "training.checkpoints", "training.session"], TRAINS),
    **dict.fromkeys(["data.spoken_digits", "explore.clips.films"], "a file in memory"),
    "data.download": "`data.fetching.fetch` has asked",
    "doctor": "makes the folder that is asked for, before it says what is wrong with it",
    "evaluate.points": "`evaluate.kept.keep` has asked",
    "files": "what all others write with",
    **dict.fromkeys(["lab.cluster", "lab.where"], "`lab.jobs.submit` has asked"),
    "locks": "files of no bytes, whose locks exclude others; also who only looks may take one",
}
WRITERS = {"write_json_atomic", "write_bytes_atomic", "write_text", "write_bytes", "mkdir", "makedirs", "touch",
           "rename", "unlink", "rmdir", "rmtree", "copytree", "copyfile", "copy2", "symlink_to", "hardlink_to", "utime",
           "truncate", "remove_leftovers", "prune", "save_file"}


def writers() -> Iterator[tuple[str, set[str]]]:
    """Every module of the package that writes to disk, with what it calls for it, and whether it asks first."""
    for path in sorted(ROOT.rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        if found := {ast.unparse(call.func) for call in calls if _writes(call)}:
            yield (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"),
                   found | {"permission.require" for call in calls if ast.unparse(call.func) == "permission.require"})


def _writes(call: ast.Call) -> bool:
    *owner, name = ast.unparse(call.func).rpartition(".")
    if name == "replace":  # of a path; a text's takes two
        return owner[0] == "os" or (len(call.args) == 1 and not call.keywords)
    if name == "open":
        told = [each.value for each in (*call.args, *(word.value for word in call.keywords))
                if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        return any(len(mode) <= 3 and set(mode) & set("wax+") for mode in told) or "O_CREAT" in ast.unparse(call)
    return (owner[0] == "shutil" and name in ("copy", "move")) or (
        name in WRITERS and not (owner[0] == "marks" and name == "rename"))  # `library.marks.rename`, which asks


def guarded() -> Iterator[str]:
    """Every function of the package that calls `permission.require`, by its dotted name."""
    def inside(node: ast.AST, name: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and ast.unparse(child.func) == "permission.require":
                yield name
            named = isinstance(child, ast.FunctionDef | ast.ClassDef)
            yield from inside(child, f"{name}.{child.name}" if named else name)  # type: ignore[attr-defined]

    for path in sorted(ROOT.rglob("*.py")):
        yield from inside(ast.parse(path.read_text(encoding="utf-8")),
                          ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in root.rglob("*")}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """With none of the data here that could be fetched."""
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    return Lab(tmp_path / "store")


def test_every_guarded_function_is_tried_here() -> None:
    assert set(guarded()) == set(ACTS)


def test_what_writes_to_disk_asks_first_or_says_why_not() -> None:
    unguarded = {name for name, calls in writers() if "permission.require" not in calls}
    assert unguarded - set(UNGUARDED) == set(), "these write to disk and ask nobody: call permission.require first"
    assert set(UNGUARDED) - unguarded == set(), "these ask by now, or write nothing: take them off the list"


@pytest.mark.parametrize(("code", "writes"), [
    ("path.write_text('x')", True), ("write_json_atomic(path, {})", True), ("shutil.rmtree(path)", True),
    ("path.replace(other)", True), ("os.replace(a, b)", True), ("text.replace('a', 'b')", False),
    ("path.open('wb')", True), ("open(path, 'a', encoding='utf-8')", True), ("path.open('rb')", False),
    ("os.open(path, os.O_RDWR | os.O_CREAT)", True), ("zip.open(name)", False), ("shutil.move(a, b)", True)])
def test_what_counts_as_writing(code: str, writes: bool) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert _writes(call) is writes


@pytest.mark.parametrize("act", sorted(ACTS))
def test_nothing_is_changed_in_read_only_mode(act: str, at: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(at.store.root)
    monkeypatch.setenv(permission.READ_ONLY, "1")
    with pytest.raises(NotAllowed, match="read-only"):
        ACTS[act](at)
    assert content(at.store.root) == before


def test_who_looks_at_the_queue_starts_nothing_in_read_only_mode(at: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (at.store.root / "queue" / "5-1-1-waits").touch()
    before = content(at.store.root)
    monkeypatch.setenv(permission.READ_ONLY, "1")
    lab.kick(at.store.root)
    evaluations.kick(at.store)
    assert content(at.store.root) == before


def test_a_visitor_who_may_only_look_starts_no_training(at: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (at.store.root / "queue" / "5-1-1-waits").touch()
    before = content(at.store.root)
    monkeypatch.setattr(permission, "_asked", [lambda: "You are signed in to look."])
    lab.kick(at.store.root)
    evaluations.kick(at.store)
    assert content(at.store.root) == before
