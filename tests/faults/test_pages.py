"""A disk that can only be read: every page opens, and every button answers in words."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from tests.faults.disk import failing
from tests.pages import demo
from vaecore import lab
from vaecore.config import preset
from vaecore.store import Store


@pytest.mark.slow
@pytest.mark.parametrize("page", demo.PAGES)
def test_every_button_on_a_read_only_disk_answers(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    shutil.copytree(demo.store(), store.root)
    for name in ("waits", "removed"):
        store.create(preset("vae-mnist"), name)
    lab.remove(store.root / "runs" / "removed")
    monkeypatch.setenv("VAECORE_STORE", str(store.root))
    before = sorted(str(path) for path in store.root.rglob("*"))
    with failing(store.root, 1, errno.EROFS, lasting=True):
        demo.press_every_button(page)
    assert sorted(str(path) for path in store.root.rglob("*")) == before
