"""In read-only mode no button of any page changes a byte of the store, and none that is offered fails."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.pages import demo
from vaecore import lab, permission
from vaecore.config import preset
from vaecore.store import Store


def content(root: Path) -> dict[str, str]:
    """Every file and its digest, and every folder."""
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in root.rglob("*")}


@pytest.mark.parametrize("page", demo.PAGES)
def test_no_button_changes_anything(page: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(root)
    for name in ("waits", "removed"):
        store.create(preset("vae-mnist"), name)
    lab.remove(root / "runs" / "removed")
    (root / "data").mkdir()
    (root / "data" / "faces-0123456789ab.csv").write_text("a,b\n1,2\n")
    monkeypatch.setenv(permission.READ_ONLY, "1")
    before = content(root)
    demo.press_every_button(page)
    assert content(root) == before
