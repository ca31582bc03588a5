"""A page that stays open over a training: whatever decodes on it takes the new weights, not only the new numbers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.browser.conftest import App, Visitor

pytestmark = pytest.mark.browser
RUN = "goes-on"
BRIGHT = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((_, i) => i % 4 === 0).reduce((a, b) => a + b, 0) / (data.length / 4);
}"""


@pytest.fixture
def run(app: App) -> Path:
    """A run of one's own that is trained further while a page shows it."""
    path = app.store / "runs" / RUN
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(app.store / "gallery" / "vae", path)
    return path


def train_on(run: Path) -> None:
    """Other weights: all that is decoded is nearly white."""
    path = run / "weights.safetensors"
    with safe_open(path, "pt") as file:
        header = file.metadata()
    tensors = load_file(path)
    last = [name for name in tensors if name.startswith("decoder") and name.endswith("bias")][-1]
    tensors[last] += 50
    save_file(tensors, path, header)


def grid(page: Page) -> str:
    expect(page.locator(".component.grid")).to_have_attribute("data-drawn", re.compile("sigmas"), timeout=60_000)
    return ".grid .strip canvas"


def between(page: Page) -> str:
    expect(page.locator(".between")).to_have_attribute("data-strips", re.compile("straight"), timeout=60_000)
    return ".between .row canvas.pictures"


def reading(page: Page) -> str:
    canvas = page.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
    page.mouse.up()
    expect(page.locator(".reading")).to_have_attribute("data-state", "read", timeout=60_000)
    return ".reading figure:nth-of-type(2) canvas"


@pytest.mark.parametrize(("tab", "drawn"), [
    ("All dimensions", grid), pytest.param("Interpolate", between, marks=pytest.mark.slow),
    pytest.param("Draw", reading, marks=pytest.mark.slow)])
def test_other_weights_draw_other_pictures(visitor: Visitor, run: Path, tab: str, drawn: Callable[[Page], str]) -> None:
    visitor.open(f"traverse?run={RUN}&view={tab.replace(' ', '+')}")
    page = visitor.page
    picture = page.locator(drawn(page)).first
    before = picture.evaluate(BRIGHT)
    assert before < 128
    train_on(run)
    visitor.act(lambda: page.keyboard.press("r"))  # as any control of the page would
    for _ in range(300):  # networks are made anew, beside whatever else the machine does
        if (after := picture.evaluate(BRIGHT)) > 200:
            break
        page.wait_for_timeout(200)
    assert after > 200, f"{tab} still draws what the old weights draw"
    visitor.no_stack_trace()
