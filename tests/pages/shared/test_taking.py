"""Take it with you: each button makes the file that it says, by the choices beside it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.shared import taking
from tests.pages import demo


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


@pytest.fixture
def buttons(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Callable[[], bytes], str]]:
    """What each button would make, and the name of its file, by its title, as the page was drawn last."""
    found: dict[str, tuple[Callable[[], bytes], str]] = {}

    def button(title: str, made: Callable[[], bytes], name: str, *_: Any, **__: Any) -> None:
        found[title] = made, name

    monkeypatch.setattr(st, "download_button", button)
    return found


def opened(name: str) -> AppTest:
    def script(name: str) -> None:
        from pages.shared import taking
        from vaecore.explore import Checkpoint
        from vaecore.store import Store

        taking.panel(Checkpoint.load(Store.default().find(name)))

    at = AppTest.from_function(script, args=(name,), default_timeout=60).run()
    assert not at.exception, at.exception
    return at


def test_every_button_makes_its_file(buttons: dict[str, tuple[Callable[[], bytes], str]]) -> None:
    at = opened("vae")
    assert set(buttons) >= {"HTML", "Codes", "Film", "Script", "Notebook"}
    page, name = buttons["HTML"]
    assert name == "vae.html" and page().startswith(b"<!DOCTYPE html>")
    codes, name = buttons["Codes"]
    assert name == "vae-codes-test.csv" and codes().startswith(b"row,label,z.mean.0,")
    film, name = buttons["Film"]
    with Image.open(io.BytesIO(film())) as shown:
        assert name == "vae-traversal.gif" and shown.n_frames == 60
    curves, name = buttons["TensorBoard"]
    with zipfile.ZipFile(io.BytesIO(curves())) as files:
        assert name == "vae-tensorboard.zip" and any("events.out.tfevents" in each for each in files.namelist())
    assert json.loads(buttons["Notebook"][0]())["nbformat"] == 4 and b"checkpoint.decode" in buttons["Script"][0]()
    assert all(widget.help for widget in [*at.number_input, *at.selectbox, *at.toggle])


def test_files_follow_the_choices(buttons: dict[str, tuple[Callable[[], bytes], str]]) -> None:
    at = opened("vae")
    at.session_state["taking-motion"] = "walk"
    at.session_state["taking-codes"] = ".npz"
    at.session_state["taking-split"] = "validation"
    at.session_state["taking-kl"] = True
    at.session_state["taking-program"] = "the film"
    at.session_state["taking-frames"] = 8
    at.run()
    assert not at.exception, at.exception
    codes, name = buttons["Codes"]
    with np.load(io.BytesIO(codes())) as found:
        assert name == "vae-codes-validation.npz" and {"row", "label", "z.mean", "z.sigma", "z.kl"} <= set(found)
    assert buttons["Film"][1] == "vae-walk.gif" and b"Motion('walk', frames=8)" in buttons["Script"][0]()


def test_what_cannot_be_made_is_said(buttons: dict[str, tuple[Callable[[], bytes], str]],
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "_installed", lambda _: False)
    monkeypatch.setattr(taking, "MAX_NUMBERS", 10)
    at = opened("ae")
    assert {"Decoder", "Encoder", "Codes"} & set(buttons) == set()
    words = " ".join(caption.value for caption in at.caption)
    assert "vaecore[onnx]" in words and "use the command line" in words
