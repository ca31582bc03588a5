"""The page Talk: a scene is kept from its address, moved, worded and removed; every change can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import changing, warm
from pages.shared.words import escaped
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


def into(at: AppTest, name: str) -> None:
    """Choose the talk into which a scene is kept, or type a new name."""
    chosen = at.selectbox(key="talk-into")
    chosen.options.append(name)
    chosen.set_value(name)


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


def test_a_double_click_keeps_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "DOUBLE_CLICK", float("inf"))
    at = demo.open_page("talk")
    for _ in range(2):  # as where the second half comes before the page is drawn anew
        at.query_params["keep"] = "/traverse?run=gallery/vae"
        at.run().button(key="talk-keep").click().run()
    assert titles(store, "my-talk") == ["New scene"]
    for _ in range(2):
        at.selectbox(key="talk-name").set_value("lecture").run()
        at.button(key="talk-copy").click().run()
    assert not at.exception and talks.names(store) == ["lecture", "my-lecture", "my-talk"]


def test_what_cannot_be_a_scene_is_said(store: Store) -> None:
    at = demo.open_page("talk", keep="/traverse")
    at.text_input(key="talk-new-equation").set_value("99")
    at.button(key="talk-keep").click().run()
    assert "99 is no equation of the lecture" in at.run().error[0].value and talks.names(store) == ["lecture"]


def test_each_fault_of_what_is_typed_is_a_sentence(store: Store) -> None:
    scene = Scene(address="/", title="a")
    talks.keep(store, "full", Talk(title="Full", scenes=(scene,) * talks.MOST_SCENES))
    (store.root / "talks" / "broken.yaml").write_text("title: [")
    at = demo.open_page("talk", keep="http://[x")
    for field, value, says in (
            ("new-address", "http://[x", ("address: 'http://[x' cannot be read", "/traverse?run=gallery/vae")),
            ("new-address", "/Traverse?run=x", ("address: '/Traverse?run=x' is no address", "/traverse?run=gallery")),
            ("new-address", "/traverse?x=" + "é" * 900, ("address:", "4,000")),
            ("new-equation", "9" * 5_000, ("equation: LaTeX of 5,000 characters", "1 to 1,000")),
            ("new-title", "", ("title:", "at least 1")),
            ("into", "a" * 121, ("cannot be a talk's name", "1 to 64")),
            ("into", "broken", ("broken: talk: neither JSON nor YAML", "line 1")),
            ("into", "full", ("full: scenes: 'full' has 200 already", "keep it in another talk"))):
        for key, usual in (("new-address", "/traverse"), ("new-equation", ""), ("new-title", "a")):
            at.text_input(key=f"talk-{key}").set_value(value if key == field else usual)
        into(at, value if field == "into" else "mine")
        at.button(key="talk-keep").click().run()
        assert not at.exception and len(at.error) == 1, (field, value[:20])
        said = at.session_state["talk-trouble"]  # on the page its signs are escaped
        assert at.error[0].value == escaped(said) and [word for word in says if word not in said] == [], said
        assert "mine" not in talks.names(store)
    into(at, "mine")
    at.text_input(key="talk-new-equation").set_value("²")  # a digit, and no number
    at.button(key="talk-keep").click().run()
    assert not at.error and talks.talk("mine", store).scenes[0].equation == "²"


def test_an_address_that_is_none_stands_in_the_form_to_be_mended(store: Store) -> None:
    for address in ("/Traverse?run=x", "http://[x", "/traverse?x=" + "é" * 3_000):
        at = demo.open_page("talk", keep=address)
        assert at.text_input(key="talk-new-address").value
    assert talks.names(store) == ["lecture"]


def test_what_another_tab_did_meanwhile_is_kept(store: Store, mine: AppTest) -> None:
    def elsewhere(*order: str) -> None:
        scenes = {scene.title: scene for scene in talks.talk("mine", store).scenes}
        talks.keep(store, "mine", Talk(title="Mine", scenes=tuple(
            scenes.get(title) or Scene(address="/", title=title) for title in order)))

    mine.radio(key="talk-scene").set_value(1).run()
    elsewhere("one", "two", "three", "four")
    mine.button(key="talk-Later").click().run()
    assert titles(store) == ["one", "three", "two", "four"] and not mine.error
    mine.button(key="talk-undo").click().run()
    assert titles(store) == ["one", "two", "three", "four"]
    mine.button(key="talk-Earlier").click().run()
    elsewhere("two", "one", "three", "four", "five")
    mine.button(key="talk-undo").click().run()
    assert "changed meanwhile" in mine.error[0].value and titles(store) == ["two", "one", "three", "four", "five"]
    for key in ("talk-Later", "talk-scene-remove", "talk-save"):
        chosen = talks.talk("mine", store).scenes[mine.radio(key="talk-scene").value].title
        there = sorted(titles(store), key=lambda title: title == chosen)
        if key == "talk-save":
            next(each for each in mine.text_input if str(each.key).endswith("-title")).set_value("typed")
        elsewhere(*there)
        mine.button(key=key).click().run()
        assert f"'{chosen}' is no longer scene" in mine.error[0].value and titles(store) == there, key
    mine.selectbox(key="talk-name").set_value("lecture").run()
    talks.keep(store, "my-lecture", Talk(title="Of another tab"))
    mine.button(key="talk-copy").click().run()
    assert talks.talk("my-lecture", store).title == "Of another tab" and "my-lecture-2" in talks.names(store)


def test_scenes_are_moved_worded_and_removed_and_each_can_be_undone(store: Store, mine: AppTest) -> None:
    mine.radio(key="talk-scene").set_value(1).run()
    next(each for each in mine.text_input if each.key and each.key.endswith("-title")).set_value("typed")
    mine.button(key="talk-Later").click().run()
    assert titles(store) == ["one", "three", "typed"] and mine.radio(key="talk-scene").value == 2
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
