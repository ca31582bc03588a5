"""The tab Draw of Traverse: what the browser is sent, uploads with what was done to them, and what is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore.explore import Checkpoint
from vaecore.explore.drawing import Ink
from vaecore.explore.uploads import STEPS
from vaecore.store import Run


@pytest.fixture(autouse=True)
def inked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits of 8 x 8 pixels are so small that their strokes reach the edge; here they are drawn as ink."""
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))
    monkeypatch.setattr(Checkpoint, "ink", Ink(light=False, box=0.9))


def tab() -> AppTest:
    return demo.open_page("traverse", run="vae", view="Draw")


def sent(at: AppTest) -> tuple[dict[str, Any], bytes] | None:
    """Header and the rest of what the reading was sent."""
    for each in at.get("bidi_component"):
        if each.proto.component_name == "latent_lab.reading":
            data = each.proto.bytes
            length = int.from_bytes(data[:4], "little")
            return json.loads(data[4:4 + length]), data[4 + length:]
    return None


def picture(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_the_pad_is_sent_what_a_drawing_is_read_by() -> None:
    found = sent(tab())
    assert found is not None
    header, rest = found
    checkpoint = Checkpoint.load(Run(demo.store() / "runs" / "vae"))
    assert header["ink"] == {"light": False, "box": 0.9} and not header["given"] and header["search"] is None
    assert header["size"] == [8, 8] and header["priors"] == [{"mean": [0.0] * 8, "std": [1.0] * 8}]
    errors = np.frombuffer(rest[:4 * header["errors"]], "<f4")
    assert (np.diff(errors) >= 0).all() and "test observations" in header["source"]
    codes = np.frombuffer(rest[4 * len(errors):][:4 * header["neighbours"] * 8], "<f4").reshape(-1, 8)
    np.testing.assert_allclose(codes, checkpoint.encode(slice(None)), atol=1e-5)
    pixels = np.frombuffer(rest[4 * (len(errors) + codes.size):], np.uint8).reshape(-1, 1, 8, 8)
    np.testing.assert_allclose(pixels, checkpoint.examples * 255, atol=0.5)


def test_an_upload_is_read_and_each_step_has_a_switch() -> None:
    at = tab()
    at.segmented_control(key="picture-way").set_value("Upload").run()
    assert sent(at) is None
    sheet = np.full((90, 200), 190.0)
    sheet[20:70, 130:140] = 40
    at.file_uploader(key="upload-vae").upload("<b>one</b>.png", picture(sheet)).run()
    assert not at.exception and "What is drawn found, cropped and placed as in the data; inverted" in demo.words(at)
    assert [step for step in STEPS if f"upload-vae-{step}" in [each.key for each in at.toggle]] == ["invert", "find"]
    found = sent(at)
    assert found is not None and found[0]["given"]
    read = np.frombuffer(found[1][-64:], np.uint8).reshape(8, 8)
    assert read.max() > 150 and np.median(read) < 2
    at.toggle(key="upload-vae-invert").set_value(False).run()
    other = sent(at)
    assert other is not None and "nverted" not in demo.words(at)
    np.testing.assert_array_equal(np.frombuffer(other[1][-64:], np.uint8), 255 - read.ravel())
    assert not at.toggle(key="upload-vae-invert").value, "it can be had again"


@pytest.mark.parametrize(("data", "says"), [
    (b"PK\x03\x04" + bytes(60), "a ZIP archive"), (b"<svg onload='alert(1)'/>", "It is an SVG"), (b"", "is empty"),
    (picture(np.full((40, 40), 128)), "blank"),
    (picture(np.random.default_rng(0).integers(0, 256, (40, 40)))[:500], "damaged or cut off")])
def test_what_cannot_be_read_is_said(data: bytes, says: str) -> None:
    at = tab()
    at.segmented_control(key="picture-way").set_value("Upload").run()
    at.file_uploader(key="upload-vae").upload("x.png", data).run()
    assert not at.exception and says in at.warning[-1].value and sent(at) is None


def test_there_is_no_pad_for_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoint, "ink", None)
    at = tab()
    assert "There is no pad for these data" in demo.words(at) and sent(at) is None
    at.file_uploader(key="upload-vae").upload("x.png", picture(np.tile(np.arange(0, 240, 4), (50, 1)))).run()
    found = sent(at)
    assert not at.exception and found is not None and found[0]["ink"] is None


def test_the_nearest_are_looked_for_in_the_training_split() -> None:
    at = tab()
    at.toggle(key="search-training").set_value(True).run()
    found = sent(at)
    assert found is not None and "training observations" in found[0]["search"]["words"]
    assert found[0]["search"]["codes"].startswith("/map/train/codes/vae?v=")
    assert "{page}" in found[0]["search"]["page"] and found[0]["search"]["cell"][0] >= 8
