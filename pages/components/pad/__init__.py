"""A pad on which a visitor draws a digit with mouse, pen or finger: white ink on black.

The drawing lives in the browser, in `pad.js`. When the pen has been lifted for a moment the whole picture
comes here once, 112 x 112 grey values as base64, and is made into a digit as MNIST's were.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components import serve
from vaecore.explore.drawing import Ink, as_digit, drawn_as

SIDE = 112  # pixels of what the browser sends: four times MNIST's


def drawing_pad(key: str, *, size: tuple[int, int] = (28, 28), height: int = 280, label: str = "Draw a digit",
                like: Ink | None = None) -> NDArray[np.uint8] | None:
    """Show a pad; what is drawn on it as a digit, uint8 (H, W), or None while blank.

    It becomes `like` the data are drawn, dark on light too; without that, as MNIST's digits are.

    Its longer side has at most `height` pixels, and its sides are to each other as those of `size` (H, W). The strokes
    belong to the `key` for as long as the browser's page lives, wherever the pad is shown meanwhile.
    """
    kept = st.session_state.get(key)
    held = isinstance(kept, Mapping) and bool(kept.get("ink"))
    data = {"key": key, "label": label, "height": height, "side": SIDE, "aspect": size[1] / size[0],
            "held": held}
    drawn = serve.component("pad")(key=key, data=data, on_ink_change=lambda: None)
    sheet = ink(drawn.get("ink"))
    return as_digit(sheet, size) if like is None else drawn_as(sheet, size, like)


def ink(sent: object) -> NDArray[np.uint8]:
    """What the browser sent, uint8 (112, 112); all black if it is anything but such a picture.

    It is a visitor's word: whoever speaks the protocol can send any value.
    """
    pixels = b""
    if isinstance(sent, str) and len(sent) == 4 * -(-SIDE * SIDE // 3):
        with suppress(ValueError):  # binascii.Error is one, and so is a character beyond ASCII
            pixels = base64.b64decode(sent, validate=True)
    values = np.frombuffer(pixels, np.uint8)
    return values.reshape(SIDE, SIDE).copy() if values.size == SIDE * SIDE else np.zeros((SIDE, SIDE), np.uint8)

