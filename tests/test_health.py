"""What is said of a store: it works, or why it does not."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from vaecore import health
from vaecore.health import store_fault


def test_a_store_that_works_is_left_as_it_is(tmp_path: Path) -> None:
    for written in (True, False):
        assert store_fault(tmp_path, written=written) == ""
    (tmp_path / "runs" / "a").mkdir(parents=True)
    assert store_fault(tmp_path, written=True) == ""
    assert [path.name for path in tmp_path.rglob("*")] == ["runs", "a"]


def test_a_store_that_went_is_no_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    assert store_fault(store, written=True) == ""
    shutil.rmtree(store)
    assert store_fault(store, written=True) == store_fault(store, written=False) == (
        "cannot be read (No such file or directory)")
    store.touch()
    assert store_fault(store, written=True) == "cannot be read (Not a directory)"


def test_a_folder_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)  # by whose path nobody else comes here
    root = os.geteuid() == 0
    if root:  # who may do everything
        os.seteuid(65_534)
    try:
        assert store_fault(Path(), written=False) == ""
        assert store_fault(Path(), written=True) == "cannot be written (Permission denied)"
    finally:
        if root:
            os.seteuid(0)


def test_a_full_disk_takes_an_empty_file_and_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, data: bytes) -> int:
            assert any(True for _ in data)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(health.tempfile, "TemporaryFile", lambda **_: Full())  # type: ignore[attr-defined]
    assert store_fault(tmp_path, written=False) == ""
    assert store_fault(tmp_path, written=True) == "cannot be written (No space left on device)"


def test_many_runs_cost_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        (tmp_path / "runs" / f"run-{number}").mkdir(parents=True)
    seen, scandir = 0, os.scandir

    class Counted:
        def __init__(self, folder: Path) -> None:
            self.inner: Any = scandir(folder)

        def __enter__(self) -> Counted:
            return self

        def __exit__(self, *_: object) -> None:
            self.inner.close()

        def __iter__(self) -> Counted:
            return self

        def __next__(self) -> os.DirEntry[str]:
            nonlocal seen
            seen += 1
            entry: os.DirEntry[str] = next(self.inner)
            return entry

    monkeypatch.setattr(os, "scandir", Counted)
    assert store_fault(tmp_path, written=True) == ""
    assert 0 < seen <= 4
