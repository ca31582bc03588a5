"""The player in a real browser: keys, the clock's rate, what survives an update, and what reaches Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import App, OnePage, Visitor

pytestmark = pytest.mark.browser
PLAY = """async (root, seconds) => {
  const frame = () => new Promise(requestAnimationFrame);
  const read = () => ["shown", "dropped"].map(name => Number(root.dataset[name]));
  root.querySelector("button.play").click();
  const [shown, dropped] = read();
  const begun = await frame();
  let now = begun;
  while (now - begun < 1000 * seconds) now = await frame();
  root.querySelector("button.play").click();
  return {shown: read()[0] - shown, dropped: read()[1] - dropped, seconds: (now - begun) / 1000};
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    demo = OnePage(tmp_path_factory.mktemp("player"), Path(__file__).with_name("player_demo.py"))
    demo.start()
    yield demo
    demo.kill()


def state(root: Locator, caption: str) -> Any:
    tile = root.locator(".tile").filter(has=root.page.get_by_text(caption, exact=True))
    return tile.get_attribute("data-state"), tile.locator(".strip").inner_text()


def test_keys_and_clock(visitor: Visitor) -> None:
    visitor.open()
    page, root = visitor.page, visitor.page.locator(".player")
    expect(root).to_have_attribute("data-frame", "0")
    runs = visitor.runs
    assert state(root, "Truth") == ("given", "given")
    assert state(root, "Reconstruction") == ("none", "no frame")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(root).to_have_attribute("data-frame", "5")
    expect(root.locator(".counter")).to_have_text("frame 6 / 20 · predicted")
    assert state(root, "Truth") == ("true", "true")
    assert state(root, "Future 1") == ("predicted", "predicted")
    root.hover()
    page.keyboard.press("End")
    expect(root).to_have_attribute("data-frame", "19")
    assert state(root, "Future 1") == ("none", "not yet")
    page.keyboard.press("Home")
    plays = []
    for _ in range(3):  # another program may hold the processor for a while: the best of three tells of ours
        plays.append(root.evaluate(PLAY, 1.0))
        if plays[-1]["dropped"] == 0:
            break
    assert plays[-1]["dropped"] == 0, plays
    for play in plays:  # frames 0.2 s long: the clock keeps the time whatever it had to drop
        assert abs(play["shown"] + play["dropped"] - 5 * play["seconds"]) < 1.2
    plot = root.locator(".plot .cursor").first
    box: Any = plot.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + 60)  # the end of its axis
    expect(root).to_have_attribute("data-frame", "19")
    root.locator("summary").focus()
    page.keyboard.press(" ")  # the menu's key, and not the player's
    expect(root.locator("details")).to_have_attribute("open", "")
    root.get_by_label("Scale").press("ArrowLeft")
    expect(root).to_have_attribute("data-frame", "19")
    expect(root).to_have_attribute("data-playing", "false")
    with page.expect_download():
        root.get_by_role("button", name="PNG").click()
    assert visitor.runs == runs, "nothing of this reaches the server"
    visitor.no_stack_trace()


def test_an_update_keeps_the_clock_and_a_branch_reaches_python(visitor: Visitor) -> None:
    visitor.open()
    page, root = visitor.page, visitor.page.locator(".player")
    branch = root.get_by_role("button", name="Branch here")
    expect(branch).to_have_attribute("aria-disabled", "true")
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    expect(branch).to_have_attribute("aria-disabled", "true")  # the future has not grown so far
    root.locator(".tile canvas").evaluate_all("all => all.forEach(canvas => canvas.same = true)")
    visitor.act(lambda: page.get_by_role("button", name="Grow").click())
    expect(root).to_have_attribute("data-frame", "14")
    assert state(root, "Future 1") == ("predicted", "predicted")
    assert root.locator(".tile canvas").evaluate_all("all => all.every(canvas => canvas.same)")
    page.locator(".tile").filter(has_text="Future 2").click()
    visitor.act(lambda: branch.click())
    expect(page.get_by_text("asked: Moved(track='future-2', frame=14)")).to_be_visible()
    page.keyboard.press(" ")
    visitor.act(lambda: page.get_by_role("button", name="Grow").click())
    expect(root).to_have_attribute("data-playing", "true")
    visitor.no_stack_trace()


def test_two_players_have_one_clock(visitor: Visitor) -> None:
    """Who comes second joins; whichever is moved, played or stopped, the other does the same."""
    visitor.open()
    page = visitor.page
    first, second = page.locator(".player").nth(0), page.locator(".player").nth(1)
    expect(first).to_have_attribute("data-frame", "0")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    visitor.act(page.get_by_text("Second", exact=True).click)
    expect(second).to_have_attribute("data-frame", "3")
    expect(second).to_have_attribute("data-playing", "false")
    second.locator("input[type=range]").press("ArrowRight")
    expect(first).to_have_attribute("data-frame", "4")
    second.get_by_role("button", name="Play (space)").click()
    expect(first).to_have_attribute("data-playing", "true")
    expect(first).not_to_have_attribute("data-frame", "4")  # it moves
    first.get_by_role("button", name="Pause (space)").click()
    expect(second).to_have_attribute("data-playing", "false")
    assert first.get_attribute("data-frame") == second.get_attribute("data-frame")
    first.locator("input[type=range]").press("End")
    expect(second).to_have_attribute("data-frame", "19")
    first.get_by_role("button", name="Play (space)").click()
    visitor.act(page.get_by_text("Second", exact=True).click)  # it goes, and the first plays on
    expect(first).to_have_attribute("data-playing", "true")
    visitor.no_stack_trace()
