"""What may be changed, and by whom."""

from pathlib import Path

import pytest

from vaecore import permission
from vaecore.config import preset
from vaecore.errors import NotAllowed
from vaecore.store import Store


def test_nothing_is_changed_in_read_only_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    run = store.create(preset("vae-mnist"), "mine")
    monkeypatch.setenv(permission.READ_ONLY, "1")
    for act in (lambda: store.create(preset("vae-mnist"), "other"), lambda: store.discard(run),
                lambda: store.restore("mine"), lambda: run.relocate("elsewhere")):
        with pytest.raises(NotAllowed, match="read-only"):
            act()
    assert [one.id for one in store.runs()] == ["mine"]


def test_a_visitor_who_only_looks_changes_nothing_and_is_told_why(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with permission.looking_only("Ask for the role member."), pytest.raises(NotAllowed, match="role member"):
        store.create(preset("vae-mnist"), "mine")
    store.create(preset("vae-mnist"), "mine")
    assert permission.refusal() == ""
