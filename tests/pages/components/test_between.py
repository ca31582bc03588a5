"""Between: what is packed for the browser, and what it may ask."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import streamlit as st

from pages.components import between as module
from pages.components.between import asked, pack
from vaecore.explore.geodesics import ways

HAND = {"run": "a", "latents": [{"name": "z", "size": 2}]}
CODES = np.array([[0, 1], [2, 3], [-1, 0.5]], np.float32)


def opened(message: bytes) -> tuple[dict[str, object], np.ndarray, bytes]:
    """Header, numbers and picture."""
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4:4 + length])
    end = len(message) - header["png"]
    return header, np.frombuffer(message[4 + length:end], "<f4"), message[end:]


def test_a_message_without_and_with_ways() -> None:
    header, numbers, png = opened(pack(HAND, CODES, b"PNG!", (8, 6), ["a", "b", "c"], noun="image", ends=("0", "2"),
                                       ways=None, reason="why"))
    assert header["ways"] is None and header["reason"] == "why" and header["cell"] == [8, 6] and png == b"PNG!"
    np.testing.assert_array_equal(numbers.reshape(3, 2), CODES)
    found = ways(lambda z: z * 2, CODES[0], CODES[2], 5)
    header, numbers, png = opened(pack(HAND, CODES, b"PNG", (8, 6), [], noun="row", ends=("0", "2"), ways=found))
    told = header["ways"]
    assert isinstance(told, dict) and told["lengths"]["straight"] == pytest.approx(2 * np.hypot(1, 0.5), rel=1e-5)
    assert (told["steps"], told["settled"], png) == (5, True, b"PNG")
    np.testing.assert_array_equal(numbers[6:16].reshape(5, 2), found["shortest"].codes)
    assert len(numbers) == 16 + 3 * told["speeds"]


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    kept: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", kept)
    monkeypatch.setattr(module.st, "session_state", kept)
    yield kept


def test_two_texts_are_asked(state: dict[str, object]) -> None:
    assert asked("k") is None
    state["k"] = {"ends": {"from": "3", "to": "z0.5,,1"}}
    assert asked("k") == ("3", "z0.5,,1")


@pytest.mark.parametrize("said", [None, 3, "0", {}, {"from": "0"}, {"from": 0, "to": 1}, {"from": "1", "to": None},
                                  {"from": "1" * 30_000, "to": "1"}])
def test_anything_else_is_nothing(state: dict[str, object], said: object) -> None:
    state["k"] = {"ends": said}
    assert asked("k") is None
