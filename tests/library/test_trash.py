"""The trash: listed, brought back and emptied, an answer for each run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.library.made import made
from vaecore import lab
from vaecore.errors import StoreError
from vaecore.library import trash
from vaecore.library.records import records
from vaecore.store import Run, Store


def test_removed_runs_are_listed_with_size_and_date_and_come_back(store: Store) -> None:
    a, b = made(store, "a", about={"title": "A run"}), made(store, "b")
    (a.path / "kept").mkdir()
    (a.path / "kept" / "weights").write_bytes(b"x" * 1_000)
    size = sum(path.stat().st_size for path in a.path.rglob("*") if path.is_file())
    assert [done.name for done in trash.remove([a, b])] == ["a", "b"]
    assert records(store) == []
    found = {each.name: each for each in trash.trashed(store)}
    assert found["a"].title == "A run" and size <= found["a"].bytes <= size + 200  # the lock, which is empty
    assert abs(found["a"].removed.timestamp() - time.time()) < 60
    assert [done.id for done in trash.restore(store, ["a", "b"])] == ["a", "b"]
    assert {each.id for each in records(store)} == {"a", "b"} and trash.trashed(store) == []


def test_what_works_stays_and_the_others_go(store: Store) -> None:
    runs = [made(store, name, elbo=None) for name in ("idle", "waits", "trains")]
    (store.root / "queue").mkdir()
    (store.root / "queue" / "5-1-2-waits").touch()
    (runs[2].path / "launch.json").write_text('{"attempt": 2, "backend": "local", "host": "here", "time": 1}')
    with lab.training_lock(runs[2].path):
        told = trash.remove([*runs, Run(store.root / "runs" / "gone")])
    assert [done.fine for done in told] == [True, False, False, False]
    assert "waits is queued" in told[1].problem and "trains is running" in told[2].problem and "gone" in told[3].problem
    assert sorted(path.name for path in (store.root / "runs").iterdir()) == ["trains", "waits"]


def test_shipped_runs_stay(store: Store) -> None:
    (store.root / "gallery").mkdir(parents=True)
    made(store, "one").path.rename(store.root / "gallery" / "one")
    [done] = trash.remove([store.find("gallery/one")])
    assert "was shipped" in done.problem and store.find("gallery/one").path.is_dir()


def test_the_trash_is_emptied_of_some_or_of_all(store: Store, tmp_path: Path) -> None:
    trash.remove([made(store, name) for name in ("a", "b", "c")])
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (store.root / "trash" / "link").symlink_to(outside)
    (store.root / "trash" / "b" / "link").symlink_to(outside)
    told = trash.empty(store, ["b", "nothing", "../runs", "link"][:2])
    assert [done.fine for done in told] == [True, False] and "no 'nothing'" in told[1].problem
    assert not trash.empty(store, ["../runs"])[0].fine and not trash.empty(store, ["link"])[0].fine
    assert {each.name for each in trash.trashed(store)} == {"a", "c"}
    assert all(done.fine for done in trash.empty(store)) and trash.trashed(store) == []
    assert (outside / "kept").read_text() == "x"


def test_a_run_that_would_take_anothers_place_stays_in_the_trash(store: Store) -> None:
    trash.remove([made(store, "a")])
    made(store, "a")
    [done] = trash.restore(store, ["a"])
    assert "already a run" in done.problem and len(trash.trashed(store)) == 1
    assert not trash.restore(store, ["no"])[0].fine and not trash.restore(store, ["../a"])[0].fine


def test_a_store_that_is_only_read_is_not_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Store(tmp_path / "theirs")
    trash.remove([made(theirs, "a")])
    monkeypatch.setenv("VAECORE_SHARED", f"team={theirs.root}")
    with pytest.raises(StoreError, match="only read"):
        trash.empty(theirs)
    assert len(trash.trashed(theirs)) == 1
