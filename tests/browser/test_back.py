"""The browser's Back and reload: one entry of its history a page, with the page's own choice in it."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import unquote

import pytest
from playwright.sync_api import TimeoutError

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.looks]


def go(visitor: Visitor, page: str) -> None:
    """By the menu."""
    visitor.choose(page)
    visitor.page.get_by_role("heading", name=page, exact=True).first.wait_for()
    visitor.settle()


def back(visitor: Visitor) -> str:
    """Press Back once; where that leads."""
    visitor.act(lambda: visitor.page.evaluate("() => window.history.back()"))
    visitor.page.wait_for_timeout(1000)  # a busy machine writes the parameters of the page late
    visitor.settle()
    return unquote(visitor.page.url.removeprefix(visitor.app.address))  # a browser may write / as %2F


def chosen(visitor: Visitor) -> list[str]:
    """The runs of the multiselect, once it is drawn; none where it stays empty."""
    tags = visitor.page.get_by_test_id("stMultiSelect").first.locator(".react-aria-ComboBox [data-tag]")
    with suppress(TimeoutError):
        tags.first.wait_for(timeout=10_000)
    return [str(tag.get_attribute("aria-label")).split(" · ")[0] for tag in tags.all()]


@pytest.mark.slow
def test_compare_and_monitor_are_never_empty_on_first_sight(visitor: Visitor) -> None:
    visitor.open()
    for page in ("Compare", "Monitor", "Compare"):
        go(visitor, page)
        assert chosen(visitor), page


def test_each_press_of_back_leads_to_the_page_before_with_its_own_choice(visitor: Visitor) -> None:
    visitor.open("compare?runs=gallery/vae&runs=gallery/pca")
    go(visitor, "Monitor")
    assert chosen(visitor) == ["gallery/vae", "gallery/pca"]
    go(visitor, "Evaluate")
    go(visitor, "Families")
    assert back(visitor).startswith("/evaluate")
    assert back(visitor).startswith("/monitor")
    assert chosen(visitor) == ["gallery/vae", "gallery/pca"]
    assert back(visitor).startswith("/compare?runs=gallery/vae&runs=gallery/pca")
    visitor.act(visitor.page.reload)
    assert chosen(visitor) == ["gallery/vae", "gallery/pca"]


def test_back_brings_the_checkpoint_that_was_looked_at(visitor: Visitor) -> None:
    visitor.open("traverse?run=gallery/vae")
    go(visitor, "Evaluate")
    box = visitor.page.get_by_test_id("stSelectbox").first.locator("input")
    box.fill("gallery/rbm")
    visitor.act(lambda: box.press("Enter"))
    assert "run=gallery/rbm" in unquote(visitor.page.url)
    assert back(visitor) == "/traverse?run=gallery/vae", "in one press, and no other checkpoint"


@pytest.mark.slow
@pytest.mark.parametrize("first", ["compare", "evaluate"])
def test_the_first_page_of_a_visit_takes_one_entry(visitor: Visitor, first: str) -> None:
    """It writes what it shows into its address, before anything of the page has loaded that could prevent an entry.

    Nothing is mended meanwhile: a run of the page that nobody asked for could overtake the drawing of the first.
    """
    visitor.open(first)
    visitor.page.wait_for_url("**/*run*")
    visitor.page.wait_for_timeout(1500)
    assert visitor.runs == 1
    go(visitor, "Families")
    assert back(visitor).startswith(f"/{first}?run")
    visitor.page.go_back()
    visitor.page.wait_for_url("about:blank")
