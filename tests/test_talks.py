"""Talks: what is read, what is refused in which words, what is kept, and that every scene of the shipped one opens."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import vaecore
from tests.cli.test_cli import call, refused, said
from vaecore import talks
from vaecore.cli import talking
from vaecore.errors import StoreError
from vaecore.schema import ConfigError
from vaecore.store import Store
from vaecore.talks import Scene, Talk

ROOT = Path(__file__).parents[1]
GALLERY = Store(ROOT / "trained")
SMALL = """
title: Two
scenes:
- {address: '/traverse?run=gallery/vae&z=1', title: Drag, line: "Slowly: it turns", equation: 16, seconds: 30}
- {address: /, title: Home, equation: 'x^2'}
"""


def test_a_talk_is_its_file() -> None:
    read = talks.from_text(SMALL)
    assert read.title == "Two" and read.seconds == 30 and [scene.page for scene in read.scenes] == ["traverse", ""]
    assert read.scenes[0].parameters == [("run", "gallery/vae"), ("z", "1")]
    assert read.scenes[0].latex == vaecore.lecture.equation(16).latex and read.scenes[1].latex == "x^2"
    assert talks.from_text(read.to_yaml()) == read


@pytest.mark.parametrize(("text", "words"), [
    ("title: a\nscenes:\n- {address: /a, title: b}\n- {address: 'http://elsewhere/', title: c}",
     ("scene 2, address", "'http://elsewhere/'", "/traverse?run=gallery/vae")),
    ("title: a\nscenes: [{address: //elsewhere/x, title: b}]", ("scene 1, address",)),
    ("title: a\nscenes: [{address: 'javascript:alert(1)', title: b}]", ("scene 1, address",)),
    ("title: a\nscenes: [{address: /, titel: b}]", ("scene 1, titel", "Did you mean 'title'?", "scene 1, title")),
    ("title: a\nscenes: [{address: /, title: b, equation: 42}]", ("scene 1, equation", "1 to 41")),
    ("title: a\nscenes: [{address: /, title: b, seconds: soon}]", ("scene 1, seconds", "'soon'", "whole number")),
    ("scenes: [{address: /, title: b}]", ("title: is missing",)),
    ("title: a\nscenes: here", ("no list of scenes",)),
    ("- a", ("no list of scenes", "scenes:")),
    ("a: &x [b]\nc: *x", ("aliases",)),
    ("a: [", ("line",)),
    ("[" * 5000, ("nested too deeply",)),
    ("x" * 400_001, ("400,001", "400,000")),
    (f"title: a\nscenes: [{'{address: /, title: b}, ' * 201}]", ("201", "200"))])
def test_what_is_wrong_is_said_of_scene_field_and_value(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as error:
        talks.from_text(text)
    assert [word for word in words if word not in str(error.value)] == []


def test_an_address_is_recorded_without_host_and_talk_mode() -> None:
    address = "http://127.0.0.1:8501/lab/traverse?run=gallery%2Fvae&talk=1&z=1,,2&view=All+dimensions"
    assert talks.recorded(address) == "/traverse?run=gallery/vae&z=1,,2&view=All+dimensions"
    assert talks.recorded("http://x/") == "/" == talks.recorded("") == talks.recorded("https://x/lab/")
    assert talks.recorded("/lab/?z=1") == "/?z=1", "Home of a dashboard below a path"
    assert talks.recorded("/traverse/") == "/traverse" == talks.recorded("/lab/traverse")
    Scene(address=talks.recorded(address), title="a")


def test_talks_are_kept_under_a_name_and_removed(tmp_path: Path) -> None:
    store, mine = Store(tmp_path), talks.from_text(SMALL)
    talks.keep(store, "mine", mine)
    assert talks.names(store) == ["lecture", "mine"] and talks.talk("mine", store) == mine
    talks.remove(store, "mine")
    assert talks.names(store) == ["lecture"]
    for name in ("lecture", "file", "../up", ""):
        with pytest.raises(StoreError):
            talks.keep(store, name, mine)
    with pytest.raises(StoreError, match=r"no talk 'mine'.*lecture"):
        talks.talk("mine", store)


def test_every_scene_of_the_shipped_talk_opens_with_what_is_shipped() -> None:
    shipped = vaecore.talk()
    assert isinstance(shipped, Talk) and len(shipped.scenes) == 25
    assert list(talks.faults(shipped, GALLERY)) == []
    assert all(scene.line and scene.seconds for scene in shipped.scenes)
    assert len({scene.title for scene in shipped.scenes}) == 25


def test_what_cannot_be_opened_is_said_by_scene() -> None:
    asked = Talk(title="a", scenes=(
        Scene(address="/travers?run=gallery/vae", title="Here"), Scene(address="/", title="b"),
        Scene(address="/compare?runs=gallery/vae&runs=gallery/none", title="There")))
    first, second = talks.faults(asked, GALLERY)
    assert str(first).startswith("Scene 1, Here: there is no page /travers. Pages are /, /train")
    assert str(second).startswith("Scene 3, There: There is no run 'gallery/none'")


def test_pages_of_scenes_are_those_of_the_dashboard() -> None:
    found = set()
    for call_ in ast.walk(ast.parse((ROOT / "pages" / "index.py").read_text())):
        for each in getattr(call_, "keywords", []):
            if each.arg == "url_path" and isinstance(each.value, ast.Constant):
                found.add(each.value.value)
    listed = re.findall(r'page\.py", "([a-z-]+)",', (ROOT / "pages" / "shared" / "checkpoints.py").read_text())
    assert {*found, *listed, ""} == set(talks.PAGES)


def test_the_command_checks_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--store", str(GALLERY.root))
    assert said(capsys, "talk", "--check", *store) == {
        "title": "From PCA to SVG-LP", "scenes": 25, "seconds": talks.talk().seconds, "faults": []}
    (tmp_path / "a.yaml").write_text("title: a\nscenes: [{address: /nowhere, title: b}]")
    capsys.readouterr()
    assert call(["talk", str(tmp_path / "a.yaml"), "--check", "--json", *store]) == 1
    assert json.loads(capsys.readouterr().out)["faults"][0]["number"] == 1
    assert "no talk 'none'" in refused(capsys, "talk", "none", "--check", *store)
    assert "cannot be read" in refused(capsys, "talk", str(tmp_path / "none.yaml"), *store)


def test_the_command_says_where_no_dashboard_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(talking, "DASHBOARD", tmp_path / "app.py")
    assert "app.py" in refused(capsys, "talk")
