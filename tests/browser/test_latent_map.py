"""The latent map under the hand: hover, lasso, zoom, keys and fingers, and that nothing is sent but a lasso."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from pages.shared.palette import CLASSES as CLASS_COLOURS
from tests.browser.cloud_demo import CLASSES, N, labels, places
from tests.browser.conftest import App, OnePage, Visitor

pytestmark = pytest.mark.browser
ROOM = 1.08  # of the view of all points
PIXELS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, i) => (sum * 31 + value * (1 + (i % 7))) % 1e9, 0);
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    demo = OnePage(tmp_path_factory.mktemp("cloud"), Path(__file__).with_name("cloud_demo.py"))
    demo.start()
    yield demo
    demo.kill()


class Plane:
    """One map on the page, and where its points lie on the screen while all are in view."""

    def __init__(self, page: Page, which: int = 0) -> None:
        self.page = page
        self.sheet = page.locator(".sheet").nth(which)
        self.points = places(which)
        self.canvas = self.sheet.locator(".hand")
        expect(self.sheet).to_have_attribute("data-frames", re.compile(r"\d"))
        box = self.canvas.bounding_box()
        assert box is not None
        self.left, self.top, self.width, self.height = box["x"], box["y"], box["width"], box["height"]

    def pixels(self) -> NDArray[np.float64]:
        """(N, 2) on the page."""
        low, high = self.points.min(0).astype(float), self.points.max(0).astype(float)
        scale = min(self.width, self.height) * min(self.width / (high - low)[0], self.height / (high - low)[1])
        scale /= min(self.width, self.height) * ROOM
        apart = (self.points - (low + high) / 2) * scale
        return apart * [1, -1] + [self.left + self.width / 2, self.top + self.height / 2]

    def lonely(self) -> int:
        """A point with no other near it: the pointer there can mean nothing else."""
        pixels = self.pixels()
        outermost = np.argsort(-np.hypot(*(pixels - pixels.mean(0)).T))[:200]
        apart = [np.sort(np.hypot(*(pixels - pixels[i]).T))[1] for i in outermost]
        return int(outermost[int(np.argmax(apart))])

    def draw(self, corners: list[tuple[float, float]]) -> None:
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        for corner in corners[1:]:
            self.page.mouse.move(*corner, steps=5)
        self.page.mouse.up()

    @property
    def frames(self) -> int:
        return int(self.sheet.get_attribute("data-frames") or 0)


def inside(pixels: NDArray[np.float64], corners: list[tuple[float, float]]) -> NDArray[np.bool_]:
    """By even and odd, one corner after the other: as slow as it is plain."""
    odd = np.zeros(len(pixels), bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        crosses = (ay > pixels[:, 1]) != (by > pixels[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            odd ^= crosses & (pixels[:, 0] < (bx - ax) * (pixels[:, 1] - ay) / (by - ay) + ax)
    return odd


def listen(page: Page) -> list[int]:
    """Lengths of what the page sends from now on."""
    sent: list[int] = []
    page.on("websocket", lambda s: s.on("framesent", lambda frame: sent.append(len(frame))))
    return sent


def view(page: Page) -> Locator:
    return page.locator(".component.cloud")


def test_hover_pan_and_zoom_send_nothing(visitor: Visitor) -> None:
    sent = listen(visitor.page)
    visitor.open()
    plane = Plane(visitor.page)
    i = plane.lonely()
    before, drawn = len(sent), plane.frames
    x, y = plane.pixels()[i]
    visitor.page.mouse.move(x + 6, y + 6)
    expect(view(visitor.page)).to_have_attribute("data-point", str(i))
    card = plane.sheet.locator(".card")
    expect(card).to_contain_text(f"image{i}")
    expect(card).to_contain_text(f"class {i % CLASSES}")
    visitor.page.mouse.move(plane.left + 8, plane.top + 8)  # far from every point
    expect(view(visitor.page)).to_have_attribute("data-point", "")
    expect(card).to_be_hidden()
    visitor.page.mouse.down()
    visitor.page.mouse.move(plane.left + 100, plane.top + 100, steps=30)
    visitor.page.mouse.up()
    visitor.page.mouse.wheel(0, -600)
    visitor.page.wait_for_timeout(600)
    assert plane.frames > drawn + 5 and len(sent) == before, "not one message"
    view(visitor.page).evaluate("root => { root.style.zoom = 0.8; }")  # as talk mode does
    plane.canvas.press("0")
    plane = Plane(visitor.page)
    visitor.page.mouse.move(*plane.pixels()[plane.lonely()])
    expect(view(visitor.page)).to_have_attribute("data-point", str(plane.lonely()))
    visitor.no_stack_trace()


def test_a_lasso_holds_the_points_within_it_and_is_sent_once(visitor: Visitor) -> None:
    sent = listen(visitor.page)
    visitor.open()
    plane = Plane(visitor.page)
    before = len(sent)
    middle = np.array([plane.left + plane.width / 2, plane.top + plane.height / 2])
    corners = [tuple(np.round(middle + offset).tolist()) for offset in ([-20, -220], [230, -90], [40, 10], [200, 160])]
    held = np.flatnonzero(inside(plane.pixels(), corners))
    visitor.page.get_by_role("button", name="Lasso A").click()
    visitor.act(lambda: plane.draw(corners))
    said = visitor.page.get_by_text(re.compile("^A: "))
    numbers = [int(text) for text in re.findall(r"\d+", said.inner_text())]
    assert 1000 < len(held) < N and abs(numbers[0] - len(held)) <= 3, "but for points on the very line"
    if numbers[0] == len(held):
        assert numbers[1] == held.sum()
    assert len(sent) == before + 1
    expect(view(visitor.page)).to_have_attribute("data-lasso-a", str(numbers[0]))
    plane.canvas.press("Escape")
    expect(visitor.page.get_by_text("A: 0 points, their sum 0, of map 0")).to_be_visible()


def test_what_the_legend_hides_no_lasso_holds(visitor: Visitor) -> None:
    visitor.open()
    plane = Plane(visitor.page)
    legend = view(visitor.page).locator(".legend")
    assert [text.split()[-1] for text in legend.locator(".chip").all_inner_texts()] == [f"{N // CLASSES:,}"] * CLASSES
    legend.get_by_role("button", name="class 3").dblclick()
    expect(legend.get_by_role("button", name="class 3")).to_have_attribute("aria-pressed", "true")
    expect(legend.get_by_role("button", name="class 2")).to_have_attribute("aria-pressed", "false")
    visitor.act(visitor.page.get_by_role("button", name="All in sight").click)
    third = np.flatnonzero(labels() == 3)
    expect(visitor.page.get_by_text(f"A: {len(third)} points, their sum {third.sum()}, of map 0")).to_be_visible()
    legend.get_by_role("button", name="Show all").click()
    expect(legend.get_by_role("button", name="class 2")).to_have_attribute("aria-pressed", "true")
    assert plane.frames > 1


def test_reload_keeps_the_view_and_0_shows_all(visitor: Visitor) -> None:
    visitor.open()
    plane = Plane(visitor.page)
    visitor.page.mouse.move(plane.left + 100, plane.top + 120)
    visitor.page.mouse.wheel(0, -900)
    visitor.page.wait_for_url(re.compile("zoom="))
    visitor.page.wait_for_timeout(500)
    address = visitor.page.url
    canvas = plane.sheet.locator("canvas.points")
    seen = canvas.evaluate(PIXELS)
    visitor.act(visitor.page.reload)
    plane = Plane(visitor.page)
    visitor.page.wait_for_timeout(300)
    assert visitor.page.url == address and canvas.evaluate(PIXELS) == seen, "to the pixel"
    plane.canvas.press("0")
    visitor.page.wait_for_function("() => !location.search.includes('zoom')")


def test_what_is_shown_and_its_colour_are_in_the_address(visitor: Visitor) -> None:
    visitor.open("?colour=side&shown=decoding")
    plane = Plane(visitor.page)
    colours = view(visitor.page).get_by_label("Colour")
    points = view(visitor.page).get_by_role("button", name="Points")
    expect(colours).to_have_value("side")
    expect(points).to_have_attribute("aria-pressed", "false")
    canvas = plane.sheet.locator("canvas.points")
    blank = canvas.evaluate(PIXELS)
    assert blank == 0, "no point is drawn"
    points.click()
    visitor.page.wait_for_url(lambda url: "shown=" not in url and "colour=side" in url)
    expect(view(visitor.page).get_by_role("button", name="left")).to_be_visible()
    colours.select_option("class")
    visitor.page.wait_for_url(lambda url: "colour=" not in url)
    assert canvas.evaluate(PIXELS) != blank


def test_a_number_is_found_and_keys_point_with_the_middle(visitor: Visitor) -> None:
    visitor.open()
    plane = Plane(visitor.page)
    search = visitor.page.get_by_label("Find")
    search.fill("12,345")
    search.press("Enter")
    expect(view(visitor.page)).to_have_attribute("data-point", "12345")
    expect(plane.sheet.locator(".card")).to_contain_text("12345")
    plane.canvas.press("+")
    expect(view(visitor.page)).to_have_attribute("data-point", "12345")
    expect(plane.canvas).to_have_attribute("aria-label", re.compile("image 12345, Class class 0"))
    search.fill("99999999")
    search.press("Enter")
    expect(view(visitor.page).locator(".said")).to_have_text("No image 99999999 on this map.")


def test_the_view_is_saved_with_its_points_and_legend(visitor: Visitor) -> None:
    visitor.open()
    Plane(visitor.page)
    for kind in ("PNG", "SVG"):
        view(visitor.page).locator("summary").click()
        with visitor.page.expect_download() as waiting:
            view(visitor.page).get_by_role("button", name=kind, exact=True).click()
        assert waiting.value.suggested_filename == f"run-map.{kind.lower()}"
        saved = Path(waiting.value.path())
        if kind == "SVG":
            assert "class 4" in saved.read_text() and "<image" in saved.read_text()
            continue
        with Image.open(saved) as picture:
            found = set(map(tuple, np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0).tolist()))
        assert {tuple(bytes.fromhex(colour[1:])) for colour in CLASS_COLOURS[:CLASSES]} <= found


def test_two_maps_share_hover_and_lasso_and_points_move_between_them(visitor: Visitor) -> None:
    visitor.minds_no_motion()
    visitor.open("?two=1")
    first, second = Plane(visitor.page), Plane(visitor.page, 1)
    x, y = second.pixels()[second.lonely()]
    visitor.page.mouse.move(x, y)
    expect(view(visitor.page)).to_have_attribute("data-point", str(second.lonely()))
    left, middle = second.left + 2, second.left + second.width / 2
    top, bottom = second.top + 2, second.top + second.height - 2
    box = [(left, top), (middle, top), (middle, bottom), (left, bottom)]
    visitor.page.get_by_role("button", name="Lasso B").click()
    visitor.act(lambda: second.draw(box))
    held = int(inside(second.pixels(), box).sum())
    expect(visitor.page.get_by_text(re.compile(f"^B: {held} points, .* of map 1"))).to_be_visible()
    visitor.act(visitor.page.get_by_role("button", name="All in sight").click)
    expect(visitor.page.get_by_text(re.compile("^B: .* of map 1"))).to_be_visible()  # where the hand was last
    visitor.page.get_by_role("button", name="One, moving").click()
    expect(second.sheet).to_be_hidden()
    drawn = first.frames
    visitor.page.get_by_role("button", name="Play").click()
    expect(visitor.page.get_by_label("From the first map to the second")).to_have_value("1")
    assert first.frames > drawn + 5
    expect(first.sheet.locator(".title")).to_have_text("map 1")
    search = visitor.page.get_by_label("Find")
    search.fill("12345")
    search.press("Enter")
    expect(view(visitor.page)).to_have_attribute("data-point", "12345")
    visitor.page.wait_for_url(re.compile("zoom="))
    assert "NaN" not in visitor.page.url


def test_fingers_pan_and_pinch_and_a_tap_shows_the_point(browser: Browser, app: App) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor = Visitor(context.new_page(), app)
    visitor.open()
    plane = Plane(visitor.page)
    i = plane.lonely()
    x, y = plane.pixels()[i]
    visitor.page.touchscreen.tap(x, y)
    expect(view(visitor.page)).to_have_attribute("data-point", str(i))
    expect(plane.sheet.locator(".card")).to_be_visible()
    touch = context.new_cdp_session(visitor.page)
    x, y = plane.left + plane.width / 2, plane.top + plane.height / 2

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": px, "y": py, "id": n} for n, (px, py) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (x - 30, y), (x + 30, y))
    for step in range(1, 11):
        fingers("touchMove", (x - 30 - 6 * step, y), (x + 30 + 6 * step, y))
    fingers("touchEnd")
    points = plane.points
    low, high = points.min(0), points.max(0)
    scale = min(plane.width / (high - low)[0], plane.height / (high - low)[1]) / ROOM
    whole = min(plane.width, plane.height) / scale
    tripled = """whole => Math.abs(whole / location.search.match(/zoom=[^,]+,[^,]+,([\\d.]+)/)?.[1] - 3) < 0.06"""
    visitor.page.wait_for_function(tripled, arg=float(whole))  # on the way there the address has said less
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
