"""The drawing pad in a real browser: a digit drawn with the mouse or a finger arrives in Python, centred."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import App, OnePage, Visitor

pytestmark = pytest.mark.browser
SCRIPT = """
import numpy as np
import streamlit as st
from pages.components.pad import drawing_pad

shown = st.checkbox("Show", value=True)
digit = drawing_pad("digit") if shown else None
if digit is None:
    st.write("Python has nothing")
else:
    np.save(r"{file}", digit)
    st.write(f"Python has {{digit.shape}} of {{int(digit.sum())}}")
st.button("Run again")
"""
SEVEN = [(0.1, 0.1), (0.3, 0.1), (0.5, 0.1), (0.4, 0.35), (0.3, 0.6)]  # in the upper left, in sides of the pad
BAR = [(0.2, 0.4), (0.5, 0.35)]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page that shows the pad and nothing else of the dashboard."""
    store = tmp_path_factory.mktemp("pad")
    (store / "pad.py").write_text(SCRIPT.format(file=store / "digit.npy"))
    app = OnePage(store, store / "pad.py")
    app.start()
    yield app
    app.kill()


@pytest.fixture
def phone(browser: Browser, app: App) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True)
    yield Visitor(context.new_page(), app)
    context.close()


def placed(page: Page, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points in sides of the pad as pixels of the window."""
    canvas = page.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box: Any = canvas.bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def draw(page: Page, points: Sequence[tuple[float, float]]) -> None:
    first, *others = placed(page, points)
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def received(app: App) -> np.ndarray:
    digit: np.ndarray = np.load(app.store / "digit.npy")
    return digit


def centred(digit: np.ndarray) -> bool:
    y, x = np.indices(digit.shape) + 0.5
    middle = [np.average(axis, weights=digit) for axis in (y, x)]
    return bool(np.abs(np.subtract(middle, 14)).max() < 0.5)


def test_a_digit_drawn_with_the_mouse_arrives_centred(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.page
    expect(page.get_by_text("Draw here")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    visitor.act(lambda: draw(page, SEVEN))
    expect(page.get_by_text("Python has (28, 28)")).to_be_visible()
    expect(page.get_by_text("Draw here")).to_be_hidden()
    seven = received(visitor.app)
    assert seven.shape == (28, 28) and seven.dtype == np.uint8
    assert centred(seven) and seven.max() > 240
    rows = np.flatnonzero((seven > 60).any(1))
    assert len(rows) == pytest.approx(20, abs=1)
    assert (seven[rows[0] + 1] > 128).sum() > (seven[rows[-1] - 1] > 128).sum(), "the stroke of a 7 is at its top"
    visitor.no_stack_trace()


def test_undo_and_clear(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.page
    visitor.act(lambda: draw(page, SEVEN))
    seven = received(visitor.app)
    visitor.act(lambda: draw(page, BAR))
    assert (received(visitor.app) != seven).any()
    visitor.act(lambda: page.get_by_role("button", name="Undo").click())
    np.testing.assert_array_equal(received(visitor.app), seven)
    visitor.act(lambda: page.get_by_role("button", name="Clear").click())
    expect(page.get_by_text("Python has nothing")).to_be_visible()
    expect(page.get_by_text("Draw here")).to_be_visible()
    visitor.no_stack_trace()


def test_a_small_drawing_becomes_nearly_the_same_digit_as_a_large_one(visitor: Visitor) -> None:
    visitor.open()
    visitor.act(lambda: draw(visitor.page, [(1.4 * x, 1.4 * y) for x, y in SEVEN]))
    large = received(visitor.app)
    visitor.act(lambda: visitor.page.get_by_role("button", name="Clear").click())
    visitor.act(lambda: draw(visitor.page, [(0.5 + 0.5 * x, 0.6 + 0.5 * y) for x, y in SEVEN]))
    small = received(visitor.app)
    # The pad's own pen, enlarged with the small one, would make it more than twice as heavy.
    assert small.sum() == pytest.approx(large.sum(), rel=0.15)
    assert np.abs(small.astype(int) - large).mean() < 6


def test_the_keyboard_keeps_its_place_when_the_pad_becomes_blank(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.page
    visitor.act(lambda: draw(page, SEVEN))
    undo = page.get_by_role("button", name="Undo")
    undo.focus()
    visitor.act(lambda: page.keyboard.press("Enter"))
    expect(undo).to_be_disabled()
    expect(undo).to_be_focused()
    before = visitor.runs
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    assert visitor.runs == before, "nothing to undo, nothing to send"


def test_two_quick_strokes_are_sent_once(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.page
    before = visitor.runs
    page.locator(".pad canvas").evaluate("""canvas => {
        const box = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {}; // these pointers are not the browser's own
        const at = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {pointerId: 9, button: 0, bubbles: true,
          clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
        for (const y of [0.2, 0.5, 0.8]) {
          at("pointerdown", 0.2, y);
          at("pointermove", 0.8, y);
          at("pointerup", 0.8, y);
        }
    }""")
    expect(page.get_by_text("Python has (28, 28)")).to_be_visible()
    page.wait_for_timeout(500)
    expect(page.locator(".pad")).to_have_attribute("data-strokes", "3")
    assert visitor.runs == before + 1


def test_strokes_survive_reruns_a_theme_and_a_while_out_of_sight(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.page
    visitor.act(lambda: draw(page, SEVEN))
    text = page.get_by_text("Python has (28, 28)").inner_text()
    visitor.act(lambda: page.get_by_role("button", name="Run again").click())
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    expect(page.locator(".pad")).to_have_attribute("data-strokes", "1")
    expect(page.get_by_text(text)).to_be_visible()
    visitor.act(lambda: page.get_by_text("Show", exact=True).click())
    expect(page.locator(".pad")).to_have_count(0)
    visitor.act(lambda: page.get_by_text("Show", exact=True).click())
    expect(page.locator(".pad")).to_have_attribute("data-strokes", "1")
    expect(page.get_by_text(text)).to_be_visible()
    visitor.no_stack_trace()


def test_a_finger_draws_on_a_phone_and_does_not_scroll(phone: Visitor) -> None:
    phone.open()
    page = phone.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    widths = page.locator(".pad canvas").evaluate("canvas => [canvas.width, canvas.clientWidth]")
    assert widths[0] == 2 * widths[1] <= 2 * 390, "crisp at two pixels a pixel"
    first, *others = placed(page, SEVEN)
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touched = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    def swipe() -> None:
        touch("touchStart", first)
        for (x0, y0), (x1, y1) in zip([first, *others], others, strict=False):
            for part in (0.25, 0.5, 0.75, 1):
                touch("touchMove", (x0 + part * (x1 - x0), y0 + part * (y1 - y0)))
        touch("touchEnd")

    phone.act(swipe)
    expect(page.get_by_text(re.compile("Python has"))).to_contain_text("(28, 28)")
    assert centred(received(phone.app))
    assert placed(page, SEVEN)[0] == pytest.approx(first), "the page has not moved"
    phone.no_stack_trace()
