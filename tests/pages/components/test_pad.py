"""The drawing pad: what the browser may send, and what becomes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from pages.components import pad
from pages.components.pad import SIDE, drawing_pad, ink
from vaecore.explore.drawing import Ink

BLANK = np.zeros((SIDE, SIDE), np.uint8)


def drawn() -> NDArray[np.uint8]:
    """A slanted stroke, (112, 112)."""
    sheet = BLANK.copy()
    for row in range(20, 90):
        sheet[row, row // 2 + 10 : row // 2 + 19] = 255
    return sheet


def base64_of(sheet: NDArray[np.uint8]) -> str:
    return base64.b64encode(sheet.tobytes()).decode()


def test_a_picture_arrives_as_it_was_sent() -> None:
    got = ink(base64_of(drawn()))
    np.testing.assert_array_equal(got, drawn())
    assert got.dtype == np.uint8 and got.flags.writeable


GOOD = base64_of(drawn())


@pytest.mark.parametrize(
    "sent",
    [None, "", 7, True, float("nan"), [], {}, [GOOD], {"ink": GOOD}, GOOD.encode(), GOOD[:-4], GOOD + "AAAA",
     GOOD * 1000, "!" * len(GOOD), "é" * len(GOOD), GOOD[:-1] + "\n", "=" * len(GOOD), GOOD[:-8] + "====" + "AAAA"],
    ids=lambda sent: f"{type(sent).__name__}-{str(sent)[:12]}",
)
def test_anything_else_is_blank(sent: object) -> None:
    np.testing.assert_array_equal(ink(sent), BLANK)


@pytest.fixture
def sends(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """State of the mounted component, and, as `data`, what it was given."""
    state: dict[str, object] = {}

    def mount(**given: object) -> SimpleNamespace:
        assert set(given) == {"key", "data", "on_ink_change"}
        state["data"] = given["data"]
        return SimpleNamespace(get=state.get)

    monkeypatch.setattr(pad.serve, "component", {"pad": mount}.__getitem__)
    yield state


def test_a_drawing_becomes_a_digit_of_the_size_asked_for(sends: dict[str, object]) -> None:
    sends["ink"] = GOOD
    digit = drawing_pad("pad", size=(32, 24), height=200, label="Draw a 1")
    assert digit is not None and digit.shape == (32, 24) and digit.dtype == np.uint8 and digit.max() > 200
    assert sends["data"] == {"key": "pad", "label": "Draw a 1", "height": 200, "side": SIDE, "aspect": 0.75,
                             "held": False}


def test_on_light_paper_a_drawing_is_dark(sends: dict[str, object]) -> None:
    sends["ink"] = GOOD
    dark, light = (drawing_pad("pad", like=Ink(light=light, box=0.9)) for light in (False, True))
    assert dark is not None and light is not None
    np.testing.assert_array_equal(light, 255 - dark)
    assert np.ptp(np.flatnonzero((dark > 60).any(1))) + 1 == pytest.approx(0.9 * 28, abs=1)


@pytest.mark.parametrize("sent", [None, "", "nonsense", 3, base64_of(BLANK)])
def test_without_a_drawing_there_is_no_digit(sends: dict[str, object], sent: object) -> None:
    sends["ink"] = sent
    assert drawing_pad("pad") is None


def test_a_page_mounts_it() -> None:
    def page() -> None:
        import streamlit as st

        from pages.components.pad import drawing_pad

        st.write("blank" if drawing_pad("pad", label="Draw a 3") is None else "drawn")

    app = AppTest.from_function(page).run()
    assert not app.exception and app.markdown[0].value == "blank"
    [mounted] = app.get("bidi_component")
    assert json.loads(mounted.proto.json)["label"] == "Draw a 3"
    assert not app.run().exception
