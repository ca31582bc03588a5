"""Directions in the browser: made once on the server, then sliders of the hand that send nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import App, Visitor
from vaecore.explore import Checkpoint
from vaecore.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.looks]


@pytest.fixture(scope="module")
def opened(context: BrowserContext, app: App) -> Iterator[Visitor]:
    visitor = Visitor(context.new_page(), app)
    visitor.page.set_viewport_size({"width": 1440, "height": 1000})
    visitor.open("traverse?run=gallery%2Fvae&z=1,0.5")
    visitor.act(lambda: visitor.page.get_by_role("tab", name="Directions").click())
    yield visitor
    visitor.page.close()


def test_a_local_direction_becomes_a_slider_that_moves_the_code(opened: Visitor) -> None:
    page = opened.page
    vae = Checkpoint.load(Store(opened.app.store).find("gallery/vae"))
    code = vae.scale()[0].copy()
    code[:2] = 1, 0.5
    wanted = vae.directions(code, 6)
    opened.act(lambda: page.get_by_role("button", name="Make sliders of them").click())
    slider = page.locator(".hand").get_by_role("slider", name=re.compile("local 1"))
    expect(slider).to_be_visible(timeout=30_000)
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => new URLSearchParams(location.search).get('d.local 1')")
    amount = float(page.evaluate("new URLSearchParams(location.search).get('d.local 1')"))
    z = [float(word or 0) for word in page.evaluate("new URLSearchParams(location.search).get('z')").split(",")]
    moved = np.array(z + [0.0] * (vae.size - len(z))) - code
    np.testing.assert_allclose(moved, amount * wanted.moves[0], atol=0.01)
    assert amount > 0 and np.abs(moved).max() > 0.01
    opened.no_stack_trace()


def test_from_class_to_class(opened: Visitor) -> None:
    page = opened.page
    opened.act(lambda: page.get_by_role("button", name="Make a slider of it").click())
    slider = page.locator(".hand").get_by_role("slider", name=re.compile("^to 0"))
    expect(slider).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile(r"farther along it than one of the second in \d+% of pairs"))).to_be_visible()
    opened.no_stack_trace()
