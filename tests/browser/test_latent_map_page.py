"""The page Latent map with a shipped checkpoint: what is decoded under the pointer, tiles, and the way to Traverse."""

from __future__ import annotations

import math
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import ROOT, App, Visitor
from vaecore.explore import Checkpoint
from vaecore.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.looks]
RUN = "gallery/vae-plane"
ADDRESS = f"latent-map?run={RUN}&split=kept"  # its 64 test images travel with it
VAE = "latent-map?run=gallery/vae&split=kept"
GREYS = """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)
  .filter((_, i) => i % 4 === 0)"""

INKED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length / (data.length / 4);
}"""

# How far the code of a run is from the middle, in the dimension that is the farthest; and whether that comes to be far.
FAR = """async run => {
  const loaded = performance.getEntriesByType("resource").map(each => each.name);
  const { moved } = await import(loaded.find(name => name.includes("/lib/moved.js")));
  return Math.max(...Object.values(moved(run) ?? { z: [0] }).flatMap(z => [...z]).map(Math.abs));
}"""
MOVED = f"""async run => {{
  for (let frame = 0; frame < 1200; frame++) {{
    if (await ({FAR})(run) > 0.5) return true;
    await new Promise(requestAnimationFrame);
  }}
  return false;
}}"""


def entered(visitor: Visitor, address: str = ADDRESS) -> tuple[Locator, float, float]:
    """The map, and a place of its plane where no point lies: px on the page."""
    visitor.open(address)
    sheet = visitor.page.locator(".sheet[data-frames]")
    sheet.wait_for()
    hand = sheet.locator(".hand")
    hand.scroll_into_view_if_needed()
    box = hand.bounding_box()
    assert box is not None
    return sheet, box["x"] + 30, box["y"] + 30


def test_what_is_decoded_where_one_points_is_the_decoders_picture(visitor: Visitor) -> None:
    """And nothing is sent, until a place is clicked and Traverse opened there."""
    sent: list[int] = []
    visitor.page.on("websocket", lambda s: s.on("framesent", lambda frame: sent.append(len(frame))))
    sheet, x, y = entered(visitor)
    before = len(sent)
    visitor.page.mouse.move(x, y)
    expect(sheet).to_have_attribute("data-decoded", re.compile(r"\d"), timeout=60_000)
    expect(sheet.locator(".how")).to_contain_text("exact")
    expect(sheet.locator(".decoded")).to_contain_text("where the model saw no data")  # in the corner of the plane
    visitor.page.mouse.move(x + 300, y + 100, steps=20)
    visitor.page.mouse.move(x, y, steps=5)
    visitor.page.mouse.click(x, y)
    pinned = visitor.page.locator(".pinned")
    link = pinned.get_by_role("link", name="Open in Traverse")
    expect(link).to_be_visible()
    visitor.page.wait_for_timeout(500)
    assert len(sent) == before
    code = [float(part or 0) for part in parse_qs(urlsplit(link.get_attribute("href") or "").query)["z"][0].split(",")]
    checkpoint = Checkpoint.load(Store(ROOT / "trained").find(RUN))
    decoded = checkpoint.decode(checkpoint.place(np.float32([code])))[0]
    shown = np.array(pinned.locator("canvas").evaluate(GREYS)).reshape(decoded.shape[:2])
    assert np.abs(shown - decoded.reshape(shown.shape).astype(float)).max() <= 3, "the link has three decimals"
    visitor.act(link.click)
    expect(visitor.page.get_by_role("heading", name="Traverse", exact=True).first).to_be_visible()
    assert parse_qs(urlsplit(visitor.page.url).query)["run"] == [RUN]
    visitor.no_stack_trace()


@pytest.mark.slow
def test_the_plane_is_tiled_with_pictures_at_the_scale_of_the_zoom(visitor: Visitor) -> None:
    sheet, x, y = entered(visitor)
    visitor.page.get_by_role("button", name="Tiles").click()
    expect(sheet).to_have_attribute("data-tiles", re.compile(r"\d"), timeout=60_000)
    tiles = sheet.locator("canvas.tiles")
    assert tiles.evaluate(INKED) > 0.95, "all of the plane"
    far = tiles.evaluate(GREYS)
    visitor.page.mouse.move(x, y)
    for _ in range(3):
        visitor.page.mouse.wheel(0, -400)
    visitor.page.wait_for_url(re.compile("zoom="))
    visitor.page.wait_for_timeout(1500)
    assert tiles.evaluate(INKED) > 0.95 and tiles.evaluate(GREYS) != far
    visitor.no_stack_trace()


def test_on_principal_components_a_place_is_a_code_too(visitor: Visitor) -> None:
    sheet, x, y = entered(visitor, f"{ADDRESS}&method=pca")
    visitor.page.mouse.move(x, y)
    expect(sheet).to_have_attribute("data-decoded", re.compile(r"\d"), timeout=60_000)
    visitor.no_stack_trace()


# -- lassos, and two checkpoints -------------------------------------------------------------------


def circle(visitor: Visitor) -> None:
    """Draw a lasso around all points."""
    box = visitor.page.locator(".sheet .hand").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    across, up = 0.48 * box["width"], 0.48 * box["height"]
    visitor.page.keyboard.down("Shift")
    visitor.page.mouse.move(x + across, y)
    visitor.page.mouse.down()
    for step in range(1, 41):
        angle = 2 * math.pi * step / 40
        visitor.page.mouse.move(x + across * math.cos(angle), y + up * math.sin(angle))
    visitor.act(visitor.page.mouse.up)
    visitor.page.keyboard.up("Shift")


def test_a_lasso_tells_of_its_observations(visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 1440, "height": 1400})  # all of the map in sight
    visitor.open(VAE)
    visitor.page.locator(".sheet[data-frames]").first.wait_for()
    circle(visitor)
    panel = visitor.page.locator(".st-key-lasso-A")
    expect(panel).to_contain_text(re.compile(r"[4-6]\d of 64 observations"))
    expect(panel.get_by_role("img", name="The mean code of lasso A, decoded")).to_be_visible()
    expect(panel).to_contain_text("KL, nats")
    with visitor.page.expect_download() as saved:
        panel.get_by_role("button", name="CSV").click()
    lines = saved.value.path().read_text().splitlines()
    assert lines[0].startswith("split,row,label,x,y,kl,") and 40 <= len(lines) - 1 <= 64
    visitor.no_stack_trace()


@pytest.mark.slow
def test_a_link_holds_the_axes_and_the_second_checkpoint(visitor: Visitor, browser: Browser, app: App) -> None:
    visitor.open(f"{VAE}&x=z3&y=z7")
    visitor.page.locator(".sheet[data-frames]").first.wait_for()
    note = visitor.page.locator(".sheet .note").first
    expect(note).to_contain_text("z3")
    picker = visitor.page.get_by_role("combobox", name="Beside it")
    picker.fill("gallery/vae-vamp")
    visitor.act(lambda: picker.press("Enter"))
    expect(visitor.page.locator(".sheet")).to_have_count(2)
    pinned = visitor.page.locator(".pinned")
    for number in (0, 1):
        visitor.page.locator(".sheet[data-frames] .hand").nth(number).click(position={"x": 30, "y": 30})
        assert visitor.page.evaluate(MOVED, ("gallery/vae", "gallery/vae-vamp")[number])
    pinned.get_by_role("button", name="Let go").click()
    assert not any(visitor.page.evaluate(FAR, run) > 1e-6 for run in ("gallery/vae", "gallery/vae-vamp")), \
        "both are where they were"
    address = visitor.page.url
    assert "x=" in address and "beside=" in address
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    other = Visitor(context.new_page(), app)
    other.act(lambda: other.page.goto(address))
    expect(other.page.locator(".sheet")).to_have_count(2)
    expect(other.page.locator(".sheet .note").first).to_contain_text("z3")
    other.no_stack_trace()
    context.close()
