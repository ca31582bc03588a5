"""The Train page with clips: an uploaded one, and what is shown of those that a program draws."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pages.shared import measure
from tests.data.own.test_own_clips import gif
from tests.pages.train.test_train_page import brought, good, page, said
from tests.pages.train.test_train_page import store as _store
from vaecore.config import RunConfig
from vaecore.schema import parse
from vaecore.store import Store

store = _store


def test_an_uploaded_clip_is_kept_and_its_frames_are_shown(store: Store) -> None:
    at = brought(page(preset="vae-digits"), ("My clip.GIF", gif(60, step=4)))
    assert "15 frames of 32 × 32 pixels, colour" in said(at)
    [kept] = (store.root / "data").iterdir()
    good(at.button(key="bring:use").click().run())
    assert kept.name.startswith("my-clip-") and kept.suffix == ".gif"
    assert at.text_input(key="train.data.path").value == str(kept)
    assert "15 frames of 32 × 32 pixels, colour" in said(at) and "1 clip, 60 frames" in said(at)


def test_a_clip_that_cannot_be_used_is_refused_in_words() -> None:
    at = brought(page(preset="svg-clips"), ("one.gif", gif(1)))
    assert any("'one.gif' has one frame: a picture" in e.value.replace("\\", "") for e in at.error)
    assert not [button for button in at.button if button.key == "bring:use"]


@pytest.mark.parametrize(("data", "shape", "size"), [
    ({"name": "moving-shape", "test_clips": 9}, "15 frames of 16 × 16 pixels", (7 * 17 - 1, 4 * 17 - 1)),
    ({"name": "moving-states", "test_clips": 9}, "15 frames of 4 numbers each", (15 * 6, 4 * (4 * 6 + 1) - 1))])
def test_drawn_clips_are_shown_a_row_each(data: dict[str, object], shape: str, size: tuple[int, int]) -> None:
    look = measure.look(parse(RunConfig, {"data": data}))
    assert look.shape == shape and look.sizes == {"train": 6_000, "validation": 9, "test": 9}
    picture = Image.open(io.BytesIO(look.picture))
    assert picture.size == (4 * size[0], 4 * size[1])
