"""In read-only mode no button of any page changes a byte of the store, and none that is offered fails."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.pages import demo
from vaecore import lab, permission
from vaecore.config import preset
from vaecore.store import Store

PAGES = [path.parent.name for path in sorted((demo.ROOT / "pages").glob("*/page.py"))]
MOST_PRESSED = 12  # of a page, of the buttons that are alike one


def content(root: Path) -> dict[str, str]:
    """Every file and its digest, and every folder."""
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in root.rglob("*")}


@pytest.mark.parametrize("page", PAGES)
def test_no_button_changes_anything(page: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(root)
    for name in ("waits", "removed"):
        store.create(preset("vae-mnist"), name)
    lab.remove(root / "runs" / "removed")
    (root / "data").mkdir()
    (root / "data" / "faces-0123456789ab.csv").write_text("a,b\n1,2\n")
    monkeypatch.setenv(permission.READ_ONLY, "1")
    before, pressed = content(root), set[str]()
    at = demo.open_page(page)
    while len(pressed) < MOST_PRESSED:
        button = next((one for one in at.button if not one.disabled and kind(one.key) not in pressed), None)
        if button is None:
            break
        pressed.add(kind(button.key))
        button.click().run()
        assert not at.exception, (button.key, at.exception)
    assert content(root) == before


def kind(key: str | None) -> str:
    """What a button does, by its key, whatever run it is of."""
    return "-".join((key or "").split("-")[:2])
