"""What was brought lies in the store once, is offered again, and stays while a run uses it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from vaecore import shelf
from vaecore.config import preset
from vaecore.library import trash
from vaecore.schema import ConfigError
from vaecore.store import Store, StoreError


def test_the_same_files_are_kept_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path, new = shelf.keep(store, [("My Mice.CSV", b"a,b\n1,2\n")])
    assert new and path.name.startswith("my-mice-") and path.suffix == ".csv" and path.read_bytes() == b"a,b\n1,2\n"
    assert shelf.keep(store, [("My Mice.CSV", b"a,b\n1,2\n")]) == (path, False)
    assert shelf.keep(store, [("mice.csv.gz", b"1")])[0].name.endswith(".csv.gz")
    files = [("b.gif", b"2"), ("a.gif", b"1")]
    both, new = shelf.keep(store, files)
    assert new and {each.name: each.read_bytes() for each in both.iterdir()} == {"a.gif": b"1", "b.gif": b"2"}
    assert shelf.keep(store, files[::-1]) == (both, False)
    assert not list(tmp_path.rglob("*.tmp-*"))


def test_what_is_uploaded_again_is_as_young_as_what_is_new(tmp_path: Path) -> None:
    store, old = Store(tmp_path), time.time() - 2 * shelf.A_DAY
    uploads = [[("mice.csv", b"a,b\n1,2\n")], [("b.gif", b"2"), ("a.gif", b"1")]]
    paths = [shelf.keep(store, files)[0] for files in uploads]
    for path in paths:
        os.utime(path, (old, old))
    (tmp_path / "data" / "brought.json").write_text(json.dumps([{"path": str(paths[0]), "when": old}]))
    assert [kept.when for kept in shelf.brought(store)] == pytest.approx([old, old])
    assert [shelf.keep(store, files) for files in uploads] == [(path, False) for path in paths]
    assert all(time.time() - kept.when < shelf.A_DAY for kept in shelf.brought(store))


def test_a_folder_keeps_its_folders_but_not_its_own_name(tmp_path: Path) -> None:
    path, _ = shelf.keep(Store(tmp_path), [("faces/cats/1.png", b"1"), ("faces/dogs/1.png", b"2")])
    assert path.name.startswith("faces-")
    assert sorted(str(each.relative_to(path)) for each in path.rglob("*.png")) == ["cats/1.png", "dogs/1.png"]


@pytest.mark.parametrize(("files", "words"), [
    ([], "0 files were uploaded"), ([("../../etc/x.csv", b"1")], "cannot be kept"), ([("a/../../b", b"1")], "cannot"),
    ([("a\0.csv", b"1")], "cannot be kept"), ([("x.csv", b"1"), ("x.csv", b"2")], "two of the files are called 'x"),
    ([("", b"1")], "cannot be kept"), ([("big.csv", b"1" * 20)], "'big.csv' has 20 bytes"),
    ([("a", b"1"), ("a/b/c", b"2")], "'a' is a file, and the folder of 'a/b/c'"),
    ([("ä" * 150 + ".csv", b"1")], "has a part of more than 200 bytes"),
    ([("d/" * 13 + "a.png", b"1"), ("b.png", b"2")], "lies more than 12 folders deep"),
    ([(f"{n}.csv", b"12345678") for n in range(5)], "40 bytes together")])
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Any,
                                                          words: str) -> None:
    monkeypatch.setattr(shelf, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(shelf, "MAX_TOTAL_BYTES", 30)
    with pytest.raises(ConfigError, match=words):
        shelf.keep(Store(tmp_path), files)
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_what_was_brought_is_offered_the_last_used_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    path, _ = shelf.keep(store, [("mice.csv", b"a,b\n1,2\n")])
    elsewhere = tmp_path / "faces"
    elsewhere.mkdir()
    assert [(kept.name, kept.here, kept.bytes) for kept in shelf.brought(store)] == [("mice.csv", True, 8)]
    shelf.used(store, str(path), "mice.csv")
    shelf.used(store, str(elsewhere), "faces")
    shelf.used(store, str(elsewhere), "faces")
    assert [(kept.name, kept.here) for kept in shelf.brought(store)] == [("faces", False), ("mice.csv", True)]
    shelf.remove(store, shelf.brought(store)[0])
    assert elsewhere.is_dir() and [kept.name for kept in shelf.brought(store)] == ["mice.csv"]
    (store.root / "data" / "brought.json").write_bytes(b"{not json")
    assert [kept.name for kept in shelf.brought(store)] == ["mice.csv"], "the upload is there still"


def test_what_a_run_uses_stays(tmp_path: Path) -> None:
    from vaecore.data.own.table import Table

    store = Store(tmp_path)
    path, _ = shelf.keep(store, [("mice.csv", b"a,b\n" + b"1,2\n3,4\n" * 20)])
    config = preset("pca-mnist").model_copy(update={"data": Table(path=str(path))})
    run = store.create(config, "mine")
    [kept] = shelf.brought(store)
    assert shelf.users(store, kept) == ["mine"]
    with pytest.raises(StoreError, match="used by mine"):
        shelf.remove(store, kept)
    assert path.is_file()
    (store.root / "sweeps").mkdir()
    (store.root / "sweeps" / "wide.json").write_text(json.dumps({"base": {"data": {"path": str(path)}}}))
    store.discard(run)
    assert shelf.users(store, kept) == ["the sweep wide", "mine in the trash"]
    with pytest.raises(StoreError, match="used by the sweep wide, mine in the trash"):
        shelf.remove(store, kept)
    (store.root / "sweeps" / "wide.json").unlink()
    trash.empty(store)
    assert not shelf.users(store, kept) and not shelf.remembered(store, str(path))
    shelf.used(store, str(path), "mice.csv")
    assert shelf.remembered(store, str(path))
    shelf.remove(store, kept)
    assert not path.exists() and not shelf.brought(store)


def test_what_nothing_names_goes_when_it_is_old_or_room_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                  ) -> None:
    from vaecore.data.own.table import Table

    def kept(name: str, days: float = 0) -> Path:
        path, _ = shelf.keep(store, [(name, f"a,b\n{name},2\n".encode())])
        aged(path, days)
        return path

    def aged(path: Path, days: float) -> None:
        os.utime(path, (time.time() - days * 86_400,) * 2)

    store = Store(tmp_path)
    path, gone = kept("used.csv"), kept("gone.csv")
    for upload, name in ((path, "mine"), (gone, "removed")):
        run = store.create(preset("pca-mnist").model_copy(update={"data": Table(path=str(upload))}), name)
        aged(upload, 90)
    store.discard(run)
    forgotten, old, older, new = kept("forgotten.csv", 31), kept("old.csv", 2), kept("older.csv", 3), kept("new.csv")
    assert not forgotten.exists() and all(each.exists() for each in (path, gone, old, older, new))
    monkeypatch.setattr(shelf, "MOST_BYTES", sum(each.stat().st_size for each in (path, gone, new)) + 16)
    kept("more.csv")
    assert not older.exists() and not old.exists(), "there was no room"
    with pytest.raises(ConfigError, match="all uploads together would have"):
        for number in range(9):
            kept(f"{number}.csv")
    assert path.exists() and gone.exists() and new.exists(), "named, by what may come back, or of today"
