"""What may be changed, and by whom: `permission.require` before anything is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vaecore import permission
from vaecore.config import preset
from vaecore.errors import NotAllowed
from vaecore.store import Store


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a server answers that is asked why its visitor may change nothing."""
    answer = [""]
    monkeypatch.setattr(permission, "_asked", [])
    permission.told_by(lambda: answer[0])
    return answer


def test_who_only_looks_changes_nothing_and_is_told_why(tmp_path: Path, asked: list[str]) -> None:
    store = Store(tmp_path)
    asked[0] = "Ask for the role member."
    with pytest.raises(NotAllowed, match=r"You cannot make a run here\. Ask for the role member\."):
        store.create(preset("vae-mnist"), "mine")
    asked[0] = ""
    store.create(preset("vae-mnist"), "mine")
    assert permission.refusal() == "" and [run.id for run in store.runs()] == ["mine"]


@pytest.mark.parametrize(("value", "only"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_flag_of_read_only_mode(value: str, only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(permission.READ_ONLY, value)
    assert permission.read_only() is only
    assert bool(permission.refusal()) is only
