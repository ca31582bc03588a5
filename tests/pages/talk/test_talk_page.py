"""The page Talk: a scene is kept from its address, moved, worded and removed; every change can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import warm
from tests.pages import demo
from vaecore import permission, talks
from vaecore.store import Store
from vaecore.talks import Scene, Talk


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.setattr(warm, "up", lambda: None)  # nothing here needs torch
    return Store(tmp_path)


def titles(store: Store, name: str = "mine") -> list[str]:
    return [scene.title for scene in talks.talk(name, store).scenes]


@pytest.fixture
def mine(store: Store) -> AppTest:
    talks.keep(store, "mine", Talk(title="Mine", scenes=tuple(
        Scene(address="/traverse?run=gallery/vae", title=title) for title in ("one", "two", "three"))))
    return demo.open_page("talk", name="mine")


def test_the_shipped_talk_is_shown_and_becomes_ones_own(store: Store) -> None:
    at = demo.open_page("talk")
    assert not at.error
    [missing] = at.warning  # this store has no gallery
    assert "Scene 1, Sixteen directions of a digit: There is no run 'gallery/pca'" in missing.value
    assert len(at.radio(key="talk-scene").options) == 25
    assert at.button(key="talk-save").disabled and at.button(key="talk-scene-remove").disabled
    at.button(key="talk-copy").click().run()
    assert talks.talk("my-lecture", store) == talks.talk() and not at.button(key="talk-save").disabled


def test_a_scene_is_kept_from_an_address(store: Store) -> None:
    at = demo.open_page("talk", keep="/traverse?run=gallery/vae&z=1&talk=1")
    at.text_input(key="talk-new-title").set_value("Drag")
    at.text_input(key="talk-new-equation").set_value("16")
    at.button(key="talk-keep").click().run()
    assert not at.exception
    [kept] = talks.talk("my-talk", store).scenes
    assert kept == Scene(address="/traverse?run=gallery/vae&z=1", title="Drag", equation=16)
    assert "keep" not in at.query_params and at.query_params["name"] in ("my-talk", ["my-talk"])


def test_what_cannot_be_a_scene_is_said(store: Store) -> None:
    at = demo.open_page("talk", keep="/traverse")
    at.text_input(key="talk-new-equation").set_value("99")
    at.button(key="talk-keep").click().run()
    assert "99 is no equation of the lecture" in at.run().error[0].value and talks.names(store) == ["lecture"]


def test_scenes_are_moved_worded_and_removed_and_each_can_be_undone(store: Store, mine: AppTest) -> None:
    mine.radio(key="talk-scene").set_value(1).run()
    mine.button(key="talk-Later").click().run()
    assert titles(store) == ["one", "three", "two"] and mine.radio(key="talk-scene").value == 2
    mine.button(key="talk-undo").click().run()
    assert titles(store) == ["one", "two", "three"]
    mine.radio(key="talk-scene").set_value(0).run()
    next(each for each in mine.text_input if each.key and each.key.endswith("-title")).set_value("first")
    mine.button(key="talk-save").click().run()
    assert titles(store) == ["first", "two", "three"]
    mine.button(key="talk-scene-remove").click().run()
    assert titles(store) == ["two", "three"]
    mine.button(key="talk-undo").click().run()
    assert titles(store) == ["first", "two", "three"] and not mine.exception


def test_a_talk_is_removed_and_comes_back(store: Store, mine: AppTest) -> None:
    mine.button(key="talk-remove").click().run()
    assert talks.names(store) == ["lecture"] and mine.selectbox(key="talk-name").value == "lecture"
    mine.button(key="talk-undo").click().run()
    assert titles(store) == ["one", "two", "three"] and mine.selectbox(key="talk-name").value == "mine"


def test_a_broken_talk_costs_no_other(store: Store, mine: AppTest) -> None:
    (store.root / "talks" / "mine.yaml").write_text("title: [")
    assert "mine: talk: neither JSON nor YAML" in mine.run().error[0].value
    mine.selectbox(key="talk-name").set_value("lecture").run()
    assert not mine.error and not mine.exception


def test_a_talks_file_is_taken_in_and_what_is_none_is_said(store: Store) -> None:
    at = demo.open_page("talk")
    for name, content, says in (
            ("broken.yaml", b"title: [", "neither JSON nor YAML"), ("bytes.yaml", b"\xff\xfe\x00", "is no text"),
            ("other.yaml", b"epochs: 3", "title"), ("large.yaml", b"#" * (talks.LARGEST_TALK + 1), "at most 400,000"),
            ("away.yaml", b"title: t\nscenes: [{address: 'http://other/', title: a}]", "scene 1, address")):
        at.file_uploader(key="talk-upload").upload(name, content).run()
        at.button(key="talk-upload-keep").click().run()
        assert not at.exception and says in at.error[0].value and talks.names(store) == ["lecture"], name
    mine = Talk(title="Ours", scenes=(Scene(address="/traverse?run=gallery/vae", title="Drag"),))
    at.file_uploader(key="talk-upload").upload("Our Talk.yaml", mine.to_yaml().encode()).run()
    at.button(key="talk-upload-keep").click().run()
    assert not at.error and talks.talk("our-talk", store) == mine and at.selectbox(key="talk-name").value == "our-talk"


def test_nothing_is_changed_in_read_only_mode(monkeypatch: pytest.MonkeyPatch, mine: AppTest) -> None:
    monkeypatch.setenv(permission.READ_ONLY, "1")
    mine.run()
    assert all(mine.button(key=key).disabled for key in ("talk-save", "talk-scene-remove", "talk-remove"))
