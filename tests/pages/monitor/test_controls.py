"""Monitor says why a run waits, shows its log, and has the queue's own buttons to stop and to resume it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import demo, hostile
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
    assert ("no pictures of its training: it has not taken a step yet" in demo.words(at)) == (status.state == "stopped")
    assert ("Waiting for its first evaluation" in demo.words(at)) == (status.state == "queued")
    assert (status.detail in demo.words(at)) or status.state == "stopped"
    assert label in [button.label for button in at.button]


def test_runs_of_nearly_one_name_stand_together_and_an_error_at_its_own(root: Path, monkeypatch: pytest.MonkeyPatch
                                                                       ) -> None:
    for name in ("gallery-shipped", "a", "from-a"):
        shutil.copytree(root / "runs" / "vae", root / "runs" / name)
    Store(root).create(Store(root).find("vae").config(), "other")
    monkeypatch.setattr(lab, "submit", demo.on_a_disk_that_refuses)
    monkeypatch.setattr(lab, "status", lambda _: Status("stopped", "Stopped."))
    at = demo.open_page("monitor", runs=["gallery/shipped", "gallery-shipped", "a", "from-a", "other"], section="Log")
    at.session_state["fork-of-a"] = True
    at.run()
    assert not at.exception
    at.button(key="queue-resume-other").click().run()
    assert len(at.error) == 1 and at.error[0].value.startswith("The disk can only be read"), "at one card, of five"


@pytest.mark.usefixtures("root")
def test_a_disk_that_refuses_is_said_and_costs_no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "kick", demo.on_a_disk_that_refuses)
    at = demo.open_page("monitor", runs="vae")
    assert len(at.error) == 1 and at.error[0].value.startswith(demo.REFUSED)
    drawn = [each.proto.component_name for each in hostile.every(at) if each.type == "bidi_component"]
    assert any("curves" in name for name in drawn), drawn


def test_the_log_is_shown_searched_and_text(root: Path) -> None:
    log = root / "runs" / "vae" / "log.txt"
    log.write_text("".join(f"step {step}\n" for step in range(500)) + "**bold** :smile: <b>\x1b[31m Trouble\n")
    at = demo.open_page("monitor", runs=["vae", "gallery/shipped"], section="Log")
    [shown] = at.code
    assert shown.value.splitlines()[-2:] == ["step 499", "**bold** :smile: <b> Trouble"]
    assert len(shown.value.splitlines()) == 200 and "the last 200 of 501 lines" in demo.words(at)
    assert "Shipped runs come without their log." in demo.words(at)
    at.text_input(key="log").set_value("trouble").run()
    assert [one.value for one in at.code] == ["**bold** :smile: <b> Trouble"]
    at.text_input(key="log").set_value("nowhere").run()
    assert not at.code and "No line holds it." in demo.words(at)
