"""What a kill in the middle leaves: nothing that is taken for whole, and nothing that stays."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.acts import CONFIG, SWEEP
from vaecore import lab, shelf
from vaecore.errors import StoreError
from vaecore.files import DELETED, OLD, prune
from vaecore.lab.task import Task
from vaecore.library import trash
from vaecore.schema import parse
from vaecore.store import Run, Store
from vaecore.sweeps import keeping
from vaecore.sweeps.declared import Sweep


class Killed(BaseException):
    """In the place of a signal that nothing can catch."""


@pytest.fixture
def killed_while_deleting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something, and end it after it has deleted one file of a folder."""
    def do(act: Callable[[], object]) -> None:
        def once(folder: Path, **_: Any) -> None:
            next(path for path in sorted(folder.rglob("*")) if path.is_file()).unlink()
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", once)
            with pytest.raises(Killed):
                act()

    return do


def age(folder: Path) -> None:
    """Let what lies there be older than anything that is still being written."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - 2 * OLD,) * 2)


def test_a_run_of_which_a_part_was_deleted_is_not_brought_back(
        tmp_path: Path, killed_while_deleting: Callable[[Callable[[], object]], None]) -> None:
    store = Store(tmp_path)
    store.create(CONFIG, "a")
    trash.remove([Run(store.root / "runs" / "a")])
    killed_while_deleting(lambda: trash.empty(store))
    assert trash.trashed(store) == []
    with pytest.raises(StoreError, match="no 'a' in the trash"):
        store.restore("a")
    [left] = (store.root / "trash").iterdir()
    assert left.name.startswith(DELETED)
    assert trash.empty(store) == [] and left.exists()  # somebody may be at it
    age(store.root / "trash")
    trash.empty(store)
    assert list((store.root / "trash").iterdir()) == []


def test_an_upload_of_which_a_part_was_deleted_is_uploaded_anew(
        tmp_path: Path, killed_while_deleting: Callable[[Callable[[], object]], None]) -> None:
    store, files = Store(tmp_path), [("d/x.txt", b"one"), ("d/y.txt", b"two")]
    path, _ = shelf.keep(store, files)
    [kept] = shelf.brought(store)
    killed_while_deleting(lambda: shelf.remove(store, kept))
    assert shelf.brought(store) == []
    assert shelf.keep(store, files) == (path, True)
    assert sorted(each.name for each in path.iterdir()) == ["x.txt", "y.txt"]


def test_half_an_upload_goes_with_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)
    half = shelf.folder(store) / "d-0123456789ab.tmp-0123456789ab"
    half.mkdir(parents=True)
    (half / "x.txt").write_text("one")
    piece = shelf.folder(store) / "x-0123456789ab.csv.tmp-0123456789ab"
    piece.write_bytes(b"a,b\n1")
    age(shelf.folder(store))
    shelf.keep(store, [("x.csv", b"a\n1\n")])
    assert not half.exists() and not piece.exists()


def test_a_piece_of_what_is_kept_in_the_cache_goes_with_the_next(tmp_path: Path) -> None:
    """Its name comes of its content, so that nobody writes it again."""
    piece, new = tmp_path / "a-codes.map.tmp-0123456789ab", tmp_path / "b-codes.map.tmp-0123456789ab"
    for path in (piece, new, tmp_path / "c-codes.map"):
        path.write_bytes(b"x")
    os.utime(piece, (time.time() - 2 * OLD,) * 2)
    prune(tmp_path, "*.map", 100)
    assert sorted(tmp_path.iterdir()) == [new, tmp_path / "c-codes.map"]


def test_a_run_that_was_being_made_is_never_listed_and_its_name_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                        ) -> None:
    store = Store(tmp_path)

    def ended(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("vaecore.store.moved_to", ended)
        patch.setattr(shutil, "rmtree", ended)  # nothing tidies up behind a kill
        with pytest.raises(Killed):
            store.create(CONFIG, "a")
    assert store.runs() == []
    age(store.root / "runs")
    assert store.create(CONFIG, "a").config() == CONFIG.resolve()
    assert [path.name for path in (store.root / "runs").iterdir()] == ["a"]


def test_of_two_sweeps_of_one_name_that_are_kept_at_once_one_is(tmp_path: Path) -> None:
    """Each of eight pages looks whether the name is free before any has written."""
    store, told = Store(tmp_path), list[str]()
    begin = threading.Barrier(8)

    def keep(seeds: int) -> None:
        sweep = parse(Sweep, {**SWEEP, "seeds": seeds})
        begin.wait()
        try:
            keeping.keep(store, sweep)
            told.append(str(seeds))
        except StoreError as error:
            told.append("refused" if "already a sweep called" in str(error) else str(error))

    threads = [threading.Thread(target=keep, args=(seeds,)) for seeds in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told)[1:] == ["refused"] * 7
    assert str(keeping.kept(store, "widths").seeds) == sorted(told)[0]


def test_a_task_whose_number_cannot_be_noted_does_not_go_on(tmp_path: Path) -> None:
    task = Task(tmp_path, "it", "It", ("doctor",))
    (tmp_path / "it.pid").mkdir()  # so that it cannot be written
    with pytest.raises(OSError, match="directory"):
        task.start()
    deadline = time.monotonic() + 60
    while task.progress().running:
        assert time.monotonic() < deadline, "it goes on, and nobody can stop it"
        time.sleep(0.05)


def test_of_runs_that_are_submitted_at_once_none_waits_where_one_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                        ) -> None:
    store = Store(tmp_path)
    folders = [store.create(CONFIG, name).path for name in "abc"]
    monkeypatch.setattr(lab.jobs, "kick", lambda _root: None)
    true, calls = Path.touch, iter(range(10))

    def full(path: Path, *args: Any, **more: Any) -> None:
        if path.parent.name == "queue" and next(calls) == 2:
            raise OSError(28, "No space left on device")
        true(path, *args, **more)

    monkeypatch.setattr(Path, "touch", full)
    with pytest.raises(OSError, match="No space"):
        lab.submit_together(folders, stack=False)
    assert lab.queue(store.root) == []
    lab.submit_together(folders, stack=False)
    assert lab.queue(store.root) == ["a", "b", "c"]
