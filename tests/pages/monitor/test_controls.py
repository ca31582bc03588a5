"""Monitor says why a run waits, and has the queue's own buttons to stop and to resume it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import demo
from vaecore import lab
from vaecore.lab.state import Status
from vaecore.store import Store


@pytest.mark.parametrize(("status", "label"), [
    (Status("queued", "Waiting, place 2 in the queue.", position=2), "Take out"),
    (Status("stopped", "Stopped."), "Resume")])
def test_a_run_says_why_it_waits_and_can_be_stopped_or_resumed(root: Path, monkeypatch: pytest.MonkeyPatch,
                                                               status: Status, label: str) -> None:
    Store(root).create(Store(root).find("vae").config(), "waiting")
    monkeypatch.setattr(lab, "status", lambda _: status)
    at = demo.open_page("monitor", runs="waiting")
    assert not at.exception
    assert ("Waiting for its first evaluation" in demo.words(at)) == (status.state == "queued")
    assert (status.detail in demo.words(at)) or status.state == "stopped"
    assert label in [button.label for button in at.button]
