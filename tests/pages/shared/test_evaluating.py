"""The queue of evaluations on a page: what could not be cancelled or cleared is said where it was pressed."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vaecore.lab import evaluations
from vaecore.lab.evaluations import Item


def panel() -> None:
    from pages.shared import evaluating

    evaluating._panel(busy=False)  # as its fragment is drawn alone


def test_an_error_of_a_button_is_said_in_the_panel_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.setattr(evaluations, "kick", lambda _: None)
    monkeypatch.setattr(evaluations, "items", lambda _: [Item("a", "vae", {}, "done")])
    monkeypatch.setattr(evaluations, "forget_ended", full)
    at = AppTest.from_function(panel).run()
    assert not at.warning
    at.button(key="clear-evaluations").click().run()
    assert "The disk is full" in at.warning[0].value and not at.exception
    assert not at.run().warning, "once"
