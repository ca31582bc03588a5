"""Talk mode: what it hides and enlarges, how it comes, stays and goes; the keys of every page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.looks]
LEAST = 24  # px of text on a page of 1920 by 1080
SMALL = """least => {
  const found = [];
  const walk = root => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) walk(each.shadowRoot);
      const { width, height } = each.getBoundingClientRect();
      const size = parseFloat(getComputedStyle(each).fontSize) * each.currentCSSZoom;
      const seen = width > 3 && height > 3 && each.checkVisibility({ opacityProperty: true, visibilityProperty: true });
      if (size < least && seen
          && [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
        found.push(`${size} ${each.tagName} ${each.textContent.trim().slice(0, 40)}`);
    }
  };
  walk(document.querySelector("[data-testid=stMain]"));
  return found;
}"""
PAGES = ["traverse?run=gallery/vae", *(pytest.param(page, marks=pytest.mark.slow) for page in (
    "video", "compare?runs=gallery/vae&runs=gallery/pca", "cross-modal"))]


@pytest.mark.parametrize("address", PAGES)
def test_text_is_large_and_heads_are_gone(visitor: Visitor, address: str) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    visitor.open(f"{address}{'&' if '?' in address else '?'}talk=1")
    expect(page.locator("html")).to_have_attribute("data-talk", "")
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_hidden()
    assert page.evaluate(SMALL, LEAST - 0.1) == []
    visitor.no_stack_trace()


def test_a_key_begins_and_ends_it_and_other_pages_and_reloads_keep_it(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("traverse?run=gallery/vae")
    expect(page.get_by_role("button", name="Talk mode")).to_be_visible()
    size = page.evaluate("() => getComputedStyle(document.documentElement).fontSize")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-talk", "")
    assert "talk=1" in page.url and "run=" in page.url
    page.mouse.move(700, 400)
    page.mouse.move(700, 2)
    expect(page.get_by_test_id("stHeader")).to_be_visible()
    expect(page.get_by_role("heading", name="Traverse", level=1)).to_be_visible()
    visitor.choose("Families")
    page.mouse.move(700, 800)
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    assert "/families" in page.url and "talk=1" in page.url
    visitor.act(page.reload)
    expect(page.locator("html")).to_have_attribute("data-talk", "")
    page.keyboard.press("t")
    expect(page.get_by_test_id("stHeader")).to_be_visible()
    assert "talk" not in page.url
    assert page.evaluate("() => getComputedStyle(document.documentElement).fontSize") == size


@pytest.mark.slow
def test_the_theme_is_the_speakers_while_he_talks(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("families?talk=1")
    app, scheme = page.get_by_test_id("stApp"), "() => getComputedStyle(document.querySelector('.stApp')).colorScheme"
    expect(app).to_have_css("color-scheme", "light")
    expect(page.locator("html")).to_have_attribute("data-talk", "")
    page.keyboard.press("d")
    expect(app).to_have_css("color-scheme", "dark")
    page.keyboard.press("t")
    expect(app).to_have_css("color-scheme", "light")
    assert page.evaluate(scheme) == "light"


def test_spot_and_list_of_keys(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("families")
    expect(page.get_by_role("button", name="Talk mode")).to_be_visible()
    page.keyboard.press("l")
    page.mouse.move(300, 200)
    spot = page.locator(".spot").bounding_box()
    assert spot is not None
    assert abs(spot["x"] + spot["width"] / 2 - 300) < 2 and abs(spot["y"] + spot["height"] / 2 - 200) < 2
    page.keyboard.press("l")
    expect(page.locator(".spot")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("laser pointer")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
