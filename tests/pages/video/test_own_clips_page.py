"""The Train page with clips: an uploaded one, and what is shown of those that a program draws."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.shared import measure
from tests.data.own.test_own_clips import gif
from tests.pages.train.test_train_page import good, page, said
from tests.pages.train.test_train_page import store as _store
from vaecore.config import RunConfig
from vaecore.schema import parse
from vaecore.store import Store

store = _store


def own_clip(data: bytes, name: str) -> AppTest:
    at = page(preset="vae-digits")
    good(at.selectbox(key="train.data.name").set_value("clips").run())
    return good(at.file_uploader(key="train:clips").upload(name, data).run())


def test_an_uploaded_clip_is_kept_and_its_frames_are_shown(store: Store) -> None:
    at = own_clip(gif(60, step=4), "My clip.GIF")
    [kept] = (store.root / "clips").iterdir()
    assert kept.name.startswith("my-clip-") and kept.suffix == ".gif"
    assert at.text_input(key="train.data.path").value == str(kept)
    assert "15 frames of 32 × 32 pixels, colour" in said(at) and "1 clip, 60 frames" in said(at)


def test_a_clip_that_cannot_be_used_is_refused_in_words(store: Store) -> None:
    at = own_clip(gif(1), "one.gif")
    assert any("'one.gif' has one frame: a picture" in c.value.replace("\\", "") and ":red[" in c.value
               for c in at.caption)
    assert not (store.root / "clips").exists() and at.button(key="train-start").disabled


@pytest.mark.parametrize(("data", "shape", "size"), [
    ({"name": "moving-shape", "test_clips": 9}, "15 frames of 16 × 16 pixels", (7 * 17 - 1, 4 * 17 - 1)),
    ({"name": "moving-states", "test_clips": 9}, "15 frames of 4 numbers each", (15 * 6, 4 * (4 * 6 + 1) - 1))])
def test_drawn_clips_are_shown_a_row_each(data: dict[str, object], shape: str, size: tuple[int, int]) -> None:
    look = measure.look(parse(RunConfig, {"data": data}))
    assert look.shape == shape and look.sizes == {"train": 6_000, "validation": 9, "test": 9}
    picture = Image.open(io.BytesIO(look.picture))
    assert picture.size == (4 * size[0], 4 * size[1])
