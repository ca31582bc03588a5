"""A newcomer's first minutes: what is one click from Home, counted; the minute; the tour by mouse and by keyboard."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from tests.browser.conftest import Visitor

pytestmark = pytest.mark.browser


def address(visitor: Visitor) -> str:
    return unquote(visitor.page.url.removeprefix(visitor.app.address))


CLICKS = {  # what one link on Home leads to
    "Side by side": ("compare", "runs=gallery/pca", "runs=gallery/ae", "section=Pictures"),
    "Traverse": ("traverse", "run=gallery/vae"), "Experiments": ("experiments", "experiment=water-filling"),
    "VampPrior": ("traverse", "run=gallery/vae-vamp", "view=Prior"), "Cross-modal": ("cross-modal", "run=gallery/mvae"),
    "Video": ("video", "run=gallery/svg-lp-mnist", "roll=1")}


def test_one_click_from_home_and_both_acts_on_its_first_screen(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open()
    links = page.get_by_test_id("stPageLink").get_by_role("link")
    for label, (path, *holds) in CLICKS.items():
        href = unquote(links.filter(has_text=label).first.get_attribute("href") or "")
        assert href.partition("?")[0].endswith(path) and all(word in href for word in holds), label
    for width, height in ((1440, 900), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(300)
        plane = page.locator(".plane").first.bounding_box()
        button = page.get_by_role("button", name="Train one", exact=True).bounding_box()
        assert plane is not None and button is not None
        assert plane["y"] < button["y"] and button["y"] + button["height"] <= height
    visitor.act(links.filter(has_text="Video").first.click)
    page.get_by_text("10 futures").first.wait_for()  # they are rolled out on arrival
    visitor.open()
    visitor.act(links.filter(has_text="Experiments").first.click)
    assert page.get_by_role("button", name="Start it").is_enabled(), "the second click is the collapse"
    visitor.no_stack_trace()


def test_the_tour_by_keyboard_and_its_end(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open()
    visitor.act(page.get_by_role("link", name="A tour in 5 steps").click)
    page.get_by_text("1 of 5").wait_for()
    for step, path in enumerate(("/compare", "/experiments", "/cross-modal", "/video"), 2):
        visitor.act(lambda: page.keyboard.press("Shift+N"))
        page.wait_for_url(f"**{path}?**tour={step}**")
        page.get_by_text(f"{step} of 5").wait_for()
    visitor.act(page.get_by_role("button", name="Back Shortcut").first.click)
    page.get_by_text("4 of 5").wait_for()
    visitor.choose("Families")  # a way of one's own
    page.get_by_text("4 of 5").wait_for()
    assert "tour=4" in address(visitor)
    visitor.act(lambda: page.keyboard.press("Escape"))
    page.get_by_text("4 of 5").wait_for(state="detached")
    assert "tour" not in address(visitor)


def test_a_step_that_is_none_is_said(visitor: Visitor) -> None:
    visitor.open("traverse?run=gallery/vae&tour=9x")
    visitor.page.get_by_text("The tour has steps 1 to 5").wait_for()
    visitor.no_stack_trace()


def test_the_minute_begins_by_one_click_and_is_watched(visitor: Visitor) -> None:
    """Last in this file: from here on its store has a run."""
    visitor.open()
    visitor.act(visitor.page.get_by_role("button", name="Train one", exact=True).click)
    visitor.page.wait_for_url("**/monitor?**")
    visitor.settle()
    [run] = [folder for folder in (visitor.app.store / "runs").iterdir() if folder.is_dir()]
    assert f"runs={run.name}" in address(visitor)
    (run / "stop").touch()  # its course is tested elsewhere
    visitor.no_stack_trace()
