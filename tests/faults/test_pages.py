"""A disk that can only be read: every page opens, and every button answers in words."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from tests.faults.disk import failing
from tests.pages import demo
from tests.pages.test_read_only import MOST_PRESSED, PAGES, kind
from vaecore import lab
from vaecore.config import preset
from vaecore.store import Store


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_button_on_a_read_only_disk_answers(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    shutil.copytree(demo.store(), store.root)
    for name in ("waits", "removed"):
        store.create(preset("vae-mnist"), name)
    lab.remove(store.root / "runs" / "removed")
    monkeypatch.setenv("VAECORE_STORE", str(store.root))
    before = sorted(str(path) for path in store.root.rglob("*"))
    pressed = set[str]()
    with failing(store.root, 1, errno.EROFS, lasting=True):
        at = demo.open_page(page)
        assert not at.exception, at.exception
        while len(pressed) < MOST_PRESSED:
            button = next((one for one in at.button if not one.disabled and kind(one.key) not in pressed), None)
            if button is None:
                break
            pressed.add(kind(button.key))
            button.click().run()
            assert not at.exception, (button.key, at.exception)
    assert sorted(str(path) for path in store.root.rglob("*")) == before
