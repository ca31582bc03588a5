"""Interpolate on Traverse: what the browser is given of both ends, and the shortest path once it is asked for."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.traverse.interpolation import STEPS
from tests.pages import demo
from tests.pages.traverse.test_traverse import checkpoint


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


def shown(run: str, ends: Any = None) -> AppTest:
    at = demo.open_page("traverse", run=run)
    at.session_state["view"] = "Interpolate"
    if ends is not None:
        at.session_state[f"between-{run}"] = {"ends": ends}
    return at.run()


def message(at: AppTest) -> tuple[dict[str, Any], np.ndarray, bytes]:
    """Header, numbers and picture of the component."""
    assert not at.exception
    [data] = [each.proto.bytes for each in at.get("bidi_component") if b'"from"' in each.proto.bytes]
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4:4 + length])
    end = len(data) - header["png"]
    return header, np.frombuffer(data[4 + length:end], "<f4"), data[end:]


@pytest.mark.parametrize("run", ["vae", "ae", "vectors", "collapsed"])
def test_the_browser_has_codes_and_pictures_of_the_examples(run: str) -> None:
    header, numbers, png = message(shown(run))
    model = checkpoint(f"runs/{run}")
    np.testing.assert_allclose(numbers.reshape(-1, model.size), model.encode(slice(None)), atol=1e-6)
    height, width = header["cell"]
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    assert sheet.shape[:2] == (height, width * len(model.examples)) and header["ways"] is None
    if run == "vae":
        np.testing.assert_array_equal(sheet[:, 3 * width:4 * width], model.originals([3])[0])
    assert f"/networks/decoder/{model.run.id}?" in header["hand"]["networks"]["decoder"]


def test_the_shortest_path_is_that_of_the_checkpoint() -> None:
    header, numbers, _ = message(shown("vae", {"from": "2", "to": "5"}))
    model = checkpoint("runs/vae")
    start, end = model.encode([2, 5])
    wanted = model.ways(start, end, STEPS)
    assert (header["from"], header["to"], header["reason"]) == ("2", "5", "")
    lengths = {path: way.length for path, way in wanted.ways.items()}
    assert header["ways"]["lengths"] == pytest.approx(lengths, rel=1e-4)  # ends of the page are encoded with others
    first = len(model.examples) * model.size
    np.testing.assert_allclose(numbers[first:first + STEPS * model.size].reshape(STEPS, -1), wanted["shortest"].codes,
                               atol=5e-3)


def test_an_end_may_be_the_code_under_the_hand() -> None:
    header, numbers, _ = message(shown("vae", {"from": "z1,,-0.5", "to": "1"}))
    model = checkpoint("runs/vae")
    code = numbers[len(model.examples) * model.size:][:model.size]
    np.testing.assert_allclose(code, [1, 0, -0.5, *[0] * (model.size - 3)], atol=1e-5)
    assert header["ways"]["lengths"]["shortest"] <= header["ways"]["lengths"]["straight"]


@pytest.mark.parametrize("wrong", ["64", "-1", "", "x", "<b>", "9" * 30])
def test_an_end_that_is_not_there_is_told(wrong: str) -> None:
    header, _, _ = message(shown("vae", {"from": wrong, "to": "1"}))
    assert header["ways"] is None and "no longer there" in header["reason"]
