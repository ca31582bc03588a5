"""Data of one's own, brought in a real browser: pictures, several clips, a broken file, two tabs, Back."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.conftest import App, Visitor

pytestmark = pytest.mark.browser


def pictures() -> bytes:
    """A zip of drawn pictures of two classes, with a file in it that is none."""
    rng, file = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for place in range(40):
            png = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (20 + place % 5, 28, 3), dtype=np.uint8)).save(png, "PNG")
            archive.writestr(f"{'cat' if place % 2 else 'dog'}/{place}.png", png.getvalue())
        archive.writestr("notes.doc", b"1")
    return file.getvalue()


def clip(shade: int) -> bytes:
    frames = [Image.new("RGB", (24, 16), (9 * t, shade, 9 * t)) for t in range(24)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def upload(visitor: Visitor, *files: tuple[str, bytes]) -> None:
    if not visitor.page.get_by_test_id("stDialog").count():
        visitor.act(visitor.page.get_by_role("button", name="Bring your own data").click)
    chosen = visitor.page.get_by_test_id("stDialog").locator("input[type=file]")
    visitor.act(lambda: chosen.set_input_files([{"name": name, "mimeType": "application/octet-stream", "buffer": data}
                                                for name, data in files]))


def words(visitor: Visitor) -> str:
    visitor.settle()
    return visitor.page.get_by_test_id("stDialog").inner_text()


def field(visitor: Visitor, name: str) -> Locator:
    """The input of a field of the form."""
    return visitor.page.locator(f".st-key-train-{name} input").first


def kept(app: App, ending: str = "") -> list[Path]:
    folder = app.store / "data"
    return [path for path in folder.iterdir() if path.suffix == ending] if folder.is_dir() else []


def test_pictures_are_uploaded_understood_and_used(visitor: Visitor, app: App) -> None:
    visitor.open("train?preset=vae-digits")
    upload(visitor, ("faces.zip", pictures()))
    dialog = visitor.page.get_by_test_id("stDialog")
    dialog.get_by_role("button", name="Use these data").wait_for()
    told = words(visitor)
    assert "Pictures of your own" in told and "2 classes: cat 20 · dog 20" in told and "1 left out" in told
    assert dialog.locator("img").count() == 1
    visitor.act(dialog.get_by_text("Show what each does").click)
    dialog.get_by_text("as they are").last.wait_for()
    visitor.page.wait_for_function("() => document.querySelectorAll('[data-testid=stDialog] img').length >= 4")
    visitor.act(dialog.get_by_role("button", name="Use these data").click)
    dialog.wait_for(state="detached")
    [path] = kept(app, ".zip")
    expect(field(visitor, "data-path")).to_have_value(str(path))
    visitor.no_stack_trace()


@pytest.mark.slow
def test_several_clips_are_one_folder_and_are_offered_again_in_another_tab(visitor: Visitor, app: App) -> None:
    visitor.open("train?preset=vae-digits")
    upload(visitor, *((f"{shade}.gif", clip(shade)) for shade in (0, 90, 180)))
    dialog = visitor.page.get_by_test_id("stDialog")
    dialog.get_by_role("button", name="Use these data").wait_for()
    assert "Clips of your own" in words(visitor)
    visitor.act(dialog.get_by_role("button", name="Use these data").click)
    dialog.wait_for(state="detached")
    [folder] = [path for path in kept(app) if path.is_dir()]
    assert sorted(path.name for path in folder.iterdir()) == ["0.gif", "180.gif", "90.gif"]

    other = Visitor(visitor.page.context.new_page(), app)
    other.open("train?preset=vae-digits")
    other.act(other.page.get_by_role("button", name="Bring your own data").click)
    other.act(other.page.get_by_role("radio", name="Brought before").click)
    other.act(lambda: (other.page.get_by_test_id("stDialog").get_by_test_id("stSelectbox").locator("input").click(),
                       other.page.get_by_role("option").filter(has_text="3 files").first.click()))
    other.page.get_by_test_id("stDialog").get_by_role("button", name="Use these data").wait_for()
    assert "Clips of your own" in words(other)
    other.no_stack_trace()


@pytest.mark.slow
def test_a_broken_file_is_said_and_nothing_is_lost(visitor: Visitor, app: App) -> None:
    visitor.open("train?preset=vae-digits")
    epochs = field(visitor, "training-epochs")
    epochs.fill("7")
    visitor.act(lambda: epochs.press("Enter"))
    before = kept(app, ".npz")
    upload(visitor, ("broken.npz", b"PK\x03\x04 and no more"))
    alert = visitor.page.get_by_test_id("stDialog").get_by_test_id("stAlert").first
    alert.wait_for()
    assert "broken.npz" in alert.inner_text() and str(app.store) not in words(visitor)
    assert not visitor.page.get_by_role("button", name="Use these data").count()
    visitor.act(lambda: visitor.page.keyboard.press("Escape"))
    visitor.page.get_by_test_id("stDialog").wait_for(state="detached")
    assert kept(app, ".npz") == before, "what nothing can read is not kept"
    assert field(visitor, "training-epochs").input_value() == "7"
    visitor.choose("Monitor")
    visitor.act(lambda: visitor.page.evaluate("() => window.history.back()"))
    visitor.page.get_by_role("button", name="Bring your own data").wait_for()
    visitor.no_stack_trace()
