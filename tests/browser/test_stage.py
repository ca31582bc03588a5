"""The stage of a talk: walked by a clicker's keys with no network but this machine's, the next scene drawn ahead.

How long a step takes is measured by `benchmarks/interface.py talk`.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.conftest import App, Call
from vaecore import talks

pytestmark = [pytest.mark.browser, pytest.mark.looks]
SCENES = talks.talk().scenes
FEW = (6, 8)  # the scenes that are walked where all would take minutes: their first and last
LONG = 5_000  # ms: a step that was prepared takes some; this one would have been loaded anew
PAINTED = """number => new Promise(done => {
  const frame = document.querySelector(`[data-number="${number}"] iframe`);
  frame.contentWindow.requestAnimationFrame(() => frame.contentWindow.requestAnimationFrame(() => {
    const app = frame.contentDocument.querySelector("[data-testid=stApp]");
    const drawn = app.querySelector("[data-testid=stMain] [data-testid=stElementContainer]"); // perhaps without text
    frame.contentWindow.painted = drawn !== null && frame.clientHeight > 500;
    done(frame.contentWindow.painted);
  }));
})"""


# Whether the parts that a scene's address names are there, and nothing besides.
ALONE = """frame => {
  const parts = (new URLSearchParams(frame.src.split("?")[1]).get("show") ?? "").split(",").filter(Boolean)
    .map(key => `[class*="st-key-${key.replace("*", "")}"]`);
  const { contentDocument: page } = frame;
  const seen = [...page.querySelectorAll("[data-testid=stMain] [data-testid=stElementContainer]")]
    .filter(each => each.checkVisibility() && each.getBoundingClientRect().height > 1);
  return parts.length === 0 || (parts.every(part => seen.some(each => each.closest(part)))
    && seen.every(each => parts.some(part => each.closest(part))));
}"""

# From the key to the second frame that the browser paints after it.
STEPPED = """() => {
  const stepped = () => {
    const begun = performance.now();
    window.stepped = new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
      done(performance.now() - begun))));
  };
  for (const there of [window, document.querySelector("[data-now] iframe").contentWindow])
    there.addEventListener("keydown", stepped, { capture: true, once: true });
}"""


@pytest.fixture
def outside() -> list[str]:
    """What was asked of another machine."""
    return []


@pytest.fixture
def page(browser: Browser, outside: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    page.set_default_timeout(60_000)

    def within(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", within)
    page.on("pageerror", lambda error: outside.append(str(error)))
    yield page
    context.close()


def walk(page: Page, app: App, first: int, last: int) -> None:
    """From one scene to another by PageDown: each was there, drawn, before the key was pressed, and is not reloaded."""
    page.goto(f"{app.address}/stage?scene={first}")
    for number in range(first, last + 1):
        page.wait_for_selector(f'[data-now][data-number="{number}"][data-state=ready]')
        assert page.locator("[data-now] iframe").evaluate(ALONE), f"scene {number} does not show its parts, or more"
        assert page.locator("[data-now] h1").inner_text() == SCENES[number - 1].title
        assert (page.locator("[data-now] math").count() > 0) is bool(SCENES[number - 1].latex)
        assert page.locator("[data-now] merror").count() == 0
        if number == last:
            return
        page.wait_for_selector(f'[data-number="{number + 1}"][data-state=ready]')
        assert page.evaluate(PAINTED, number + 1), f"scene {number + 1} is not drawn ahead"
        page.evaluate(STEPPED)
        page.keyboard.press("PageDown")
        assert page.evaluate("() => window.stepped") < LONG
        assert page.evaluate("document.body.dataset.waited") == "no"
        assert page.evaluate('document.querySelector("[data-now] iframe").contentWindow.painted'), "it was reloaded"


def test_the_next_scene_is_there_before_the_key(app: App, page: Page, outside: list[str]) -> None:
    first, last = FEW
    walk(page, app, first, last)
    assert page.evaluate("[...document.querySelectorAll('.scene')].map(one => Number(one.dataset.number)).sort()") in (
        [last - 1, last], [last - 1, last, last + 1])
    page.mouse.click(1900, 500)
    page.keyboard.press("PageUp")  # the frame has the focus
    assert page.locator("[data-now]").get_attribute("data-number") == str(last - 1)
    assert page.url.endswith(f"scene={last - 1}") and outside == []


def test_the_speakers_window_follows_and_steps(app: App, page: Page) -> None:
    page.goto(f"{app.address}/stage?scene=2")
    page.wait_for_selector("[data-now]")
    page.keyboard.press("o")
    assert SCENES[1].line in page.locator(".over").inner_text()
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    notes = opened.value
    notes.get_by_text(SCENES[1].line).wait_for()
    assert f"Next: {SCENES[2].title}" in notes.locator(".notes").inner_text()
    notes.keyboard.press("PageDown")
    page.wait_for_selector('[data-now][data-number="3"]')
    notes.get_by_text(SCENES[2].line).wait_for()


def test_what_is_no_talk_is_said(app: App, page: Page) -> None:
    page.goto(f"{app.address}/stage?name=none")
    assert "There is no talk 'none'" in page.get_by_role("alert").inner_text()


def test_time_is_told_as_a_clock(call: Call) -> None:
    assert [call("stage/clock.js", "m.clock", seconds) for seconds in (0, 65.9, 3600)] == ["0:00", "1:05", "60:00"]
    assert call("stage/clock.js", "scenes => m.planned(scenes, 1)", [{"seconds": 30}, {}, {"seconds": 5}]) == 30
    assert [call("stage/keys.js", "m.stepOf", key) for key in ("PageDown", "n", "PageUp", "p", "ArrowRight", " ")] == [
        1, 1, -1, -1, 0, 0]


@pytest.mark.slow
def test_the_shipped_talk_is_walked_whole(app: App, page: Page, outside: list[str]) -> None:
    walk(page, app, 1, len(SCENES))
    assert outside == []
