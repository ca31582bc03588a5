"""The lecture's picture in a browser: it plays, obeys the arrow keys, and a remedy opens Train with its change made."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.looks]
PAIR = "monitor?runs=gallery/lagging-basic&runs=gallery/lagging-aggressive&section=Trajectory"


def test_the_trajectory_plays_and_obeys_the_keys(visitor: Visitor) -> None:
    visitor.minds_no_motion()
    visitor.open(PAIR)
    planes = visitor.page.locator(".planes").first
    expect(planes.locator("canvas")).to_have_count(2)

    planes.hover()
    visitor.page.keyboard.press("End")
    expect(planes).to_have_attribute("data-step", "2000")
    visitor.page.keyboard.press("Home")
    expect(planes).to_have_attribute("data-step", "0")
    visitor.page.keyboard.press("ArrowRight")
    expect(planes).to_have_attribute("data-step", "100")
    visitor.page.keyboard.press("ArrowLeft")
    expect(planes).to_have_attribute("data-step", "0")
    visitor.page.keyboard.press("Space")
    expect(planes).to_have_attribute("data-playing", "true")
    expect(planes).not_to_have_attribute("data-step", re.compile("^(0|100)$"))
    visitor.page.keyboard.press("Space")
    expect(planes).to_have_attribute("data-playing", "false")
    visitor.no_stack_trace()


def test_the_plane_says_which_colour_is_which_class(visitor: Visitor) -> None:
    visitor.open("monitor?runs=gallery/vae-binary&section=Trajectory")
    planes = visitor.page.locator(".planes").first
    entries = planes.get_by_role("list", name="Classes").get_by_role("listitem")
    planes.hover()
    expect(entries).to_have_text([str(digit) for digit in range(10)])
    visitor.no_stack_trace()


def test_a_remedy_opens_train_with_its_change_made(visitor: Visitor) -> None:
    visitor.open("monitor?runs=gallery/lagging-basic")
    visitor.page.get_by_text("Collapsed", exact=False).first.wait_for()
    visitor.act(lambda: visitor.page.get_by_role("button", name="Train the encoder aggressively").click())
    visitor.page.get_by_role("heading", name="Train", exact=True).wait_for()
    visitor.page.get_by_text("training.inference.kind").first.wait_for()
    visitor.settle()
    visitor.no_stack_trace()
