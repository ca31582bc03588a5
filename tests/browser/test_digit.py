"""The digit of a drawing, made in the browser as Python makes it."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image, ImageDraw

from tests.browser.conftest import Call
from vaecore.explore.drawing import Ink, drawn_as


def test_a_drawing_becomes_the_digit_that_python_makes_of_it(call: Call) -> None:
    """Random strokes on square and other sheets, for data of several sizes on dark and light paper: the same pixels."""
    rng = np.random.default_rng(1)
    for number, size in enumerate([(28, 28), (64, 64), (28, 20), (32, 64)] * 4):
        height, width = (112, 112) if number % 2 else rng.integers(20, 260, 2).tolist()
        sheet = Image.new("L", (width, height))
        for _ in range(rng.integers(1, 4)):
            points = [(float(x) * width, float(y) * height) for x, y in rng.uniform(0, 1, (rng.integers(2, 6), 2))]
            ImageDraw.Draw(sheet).line(points, int(rng.integers(60, 256)), int(rng.integers(1, 14)))
        ink = np.asarray(sheet.rotate(float(rng.uniform(0, 20)), Image.Resampling.BILINEAR))
        kind = Ink(light=number % 3 == 0, box=float(rng.uniform(0.5, 1)))
        made = call("lib/digit.js", "([ink, sheet, size, kind]) => Array.from(m.drawnAs(Uint8Array.from(ink), sheet, "
                    "size, kind) ?? [])", [ink.ravel().tolist(), [height, width], size, dataclasses.asdict(kind)])
        wanted = drawn_as(ink, size, kind)
        assert (made == []) == (wanted is None)
        assert wanted is None or np.abs(np.array(made).reshape(size) - wanted.astype(int)).max() <= 1
    blank = call("lib/digit.js", "() => m.asDigit(new Uint8Array(400).fill(20), [20, 20], [28, 28])")
    dot = call("lib/digit.js", "() => { const s = new Uint8Array(10000); s[500] = 255; return m.asDigit(s, [100, 100],"
               " [28, 28]); }")
    assert blank is None and dot is None
