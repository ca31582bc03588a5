"""Video in a real browser: futures come, play and branch, and a second visitor is not disturbed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import App, Visitor
from tests.pages import clip_demo

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    app = App(clip_demo.make(tmp_path_factory.mktemp("clips"), ["lp", "fp"]))
    app.start()
    yield app
    app.kill()


def tile(root: Locator, caption: str) -> Locator:
    # Letter by letter: the best future is called "Best of 10 · future 1" where it is the first.
    return root.locator(".tile").filter(has_text=re.compile(rf"{caption}(?!\d)"))


def roll_out(visitor: Visitor) -> Locator:
    visitor.open("video?run=lp")
    root = visitor.page.locator(".player").first
    root.wait_for()
    expect(tile(root, "Future 1").locator("canvas")).to_have_attribute("aria-label", "Future 1, clip of 0 frames")
    visitor.page.get_by_role("button", name="Roll out").click()
    expect(tile(root, "Future 1").locator("canvas")).to_have_attribute("aria-label", "Future 1, clip of 10 frames")
    expect(visitor.page.get_by_text("10 futures of 8 frames after the 2 given, seed 0.")).to_be_visible()
    visitor.settle()
    return root


def test_futures_come_and_part_and_one_is_followed(visitor: Visitor, browser: Browser) -> None:
    visitor.minds_no_motion()
    root = roll_out(visitor)
    page = visitor.page
    expect(root).to_have_attribute("data-playing", "true")  # it began to play by itself
    for playing in ("false", "true"):  # the button was pressed last, and the space bar is the player's all the same
        page.keyboard.press(" ")
        expect(root).to_have_attribute("data-playing", playing)
    root.locator("button.play").click()
    root.hover()
    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    tile(root, "Future 2").click()
    visitor.act(lambda: root.get_by_role("button", name="Branch here").click())
    expect(page.get_by_text("Branched at frame 6 from future 2")).to_be_visible()
    visitor.settle()
    expect(tile(root, "Future 1").locator(".strip")).to_have_text("given")
    expect(tile(root, "Truth").locator(".strip")).to_have_text("true")
    other = browser.new_context(viewport={"width": 390, "height": 844})
    second = Visitor(other.new_page(), visitor.app)
    assert roll_out(second).locator(".tile").count() == 9
    assert second.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
    second.no_stack_trace()
    other.close()
    visitor.act(lambda: page.get_by_role("button", name="Undo").click())
    visitor.settle()
    expect(page.get_by_text("Branched at frame 6")).to_have_count(0)
    expect(root.locator(".counter")).to_have_text("frame 6 / 10 \u00b7 predicted")
    with page.expect_download() as saved:
        visitor.act(lambda: page.get_by_role("tab", name="Save").click())
        page.get_by_role("button", name="GIF").click()
    assert saved.value.suggested_filename == "lp-futures.gif"
    visitor.no_stack_trace()
