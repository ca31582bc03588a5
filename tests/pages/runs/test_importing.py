"""A zip that is uploaded on Runs: its run comes in under a name, or the reason is said."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.runs import importing
from vaecore import permission
from vaecore.sharing import export_run
from vaecore.store import Store

GALLERY = Path(__file__).parents[3] / "trained"


@pytest.fixture(autouse=True)
def in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(st, "page_link", lambda *_, **__: None)  # there is no navigation here


def box() -> None:
    from pages.runs import importing

    importing.box()


def imported(content: bytes, name: str = "") -> AppTest:
    at = AppTest.from_function(box, default_timeout=60).run()
    at.file_uploader[0].set_value(("run.zip", content, "application/zip")).run()
    at.text_input[0].set_value(name)  # no drawing before the click
    at.button[0].click().run()
    assert not at.exception, at.exception
    return at


def test_a_run_comes_in_and_a_taken_name_is_another(tmp_path: Path) -> None:
    whole = export_run("pca", tmp_path / "p.zip", store=GALLERY).read_bytes()
    at = imported(whole, "mine")
    assert at.success[0].value == "Imported: mine."
    assert Store.default().find("mine").weights.is_file()
    assert "this one is 'mine-2'" in imported(whole, "mine").success[0].value


def test_a_double_click_imports_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO(export_run("pca", tmp_path / "p.zip", store=GALLERY).read_bytes())
    monkeypatch.setattr(st, "session_state", {"importing-turn": 0, "importing-name-0": "", "importing-name-1": ""})
    for given, turn in ((file, 0), (file, 0), (None, 1)):  # the second half as the page was drawn before, or after
        importing._take(given, turn)
    assert [run.id for run in Store.default().runs()] == ["pca"]


def test_what_is_refused_is_said(tmp_path: Path) -> None:
    assert "It is no zip" in imported(b"hello").error[0].value
    whole = export_run("pca", tmp_path / "p.zip", store=GALLERY).read_bytes()
    assert "cannot be a run" in imported(whole, "../x").error[0].value
    assert Store.default().runs() == []


def test_who_only_looks_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(permission.READ_ONLY, "1")
    at = AppTest.from_function(box, default_timeout=60).run()
    assert at.button[0].disabled and at.text_input[0].disabled
