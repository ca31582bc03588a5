"""The grid of all dimensions in the browser: what is decoded, what a click sets, and that it follows the hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect
from scipy.stats import norm

from tests.browser.conftest import App, Call, Visitor
from vaecore.explore import Checkpoint
from vaecore.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.looks]
WAIT = 60_000  # ms
PIXELS = """(canvas, size) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, size).data]
  .filter((_, i) => i % 4 === 0)"""


def test_heads_are_shares_of_a_standard_normal(call: Call) -> None:
    x = [-3.0, -1.2, 0.0, 0.6, 3.0]
    np.testing.assert_allclose(call("grid/grid.js", "x => x.map(m.below)", x), norm.cdf(x), atol=1e-6)
    assert call("grid/grid.js", "x => m.headsOf(x, 'sigmas')", x) == ["−3.0", "−1.2", "0", "+0.6", "+3.0"]
    assert call("grid/grid.js", "x => m.headsOf(x, 'prior')", x) == ["0.1 %", "12 %", "50 %", "73 %", "99.9 %"]


def test_a_row_moves_one_dimension(call: Call) -> None:
    row = call("grid/grid.js", "b => [...m.rowOf(Float32Array.from(b), 1, [-3, 0.5])]", [1, 2, 3])
    assert row == [1, -3, 3, 1, 0.5, 3]


@pytest.fixture(scope="module")
def opened(context: BrowserContext, app: App) -> Iterator[Visitor]:
    visitor = Visitor(context.new_page(), app)
    visitor.page.set_viewport_size({"width": 1440, "height": 1000})
    visitor.open("traverse?run=gallery%2Fvae")
    drawn(visitor, "sigmas")
    yield visitor
    visitor.page.close()


@pytest.fixture(scope="module")
def vae(app: App) -> Checkpoint:
    return Checkpoint.load(Store(app.store).find("gallery/vae"))


def drawn(visitor: Visitor, words: str) -> None:
    root = visitor.page.locator(".component.grid")
    expect(root).to_have_attribute("data-drawn", re.compile(words), timeout=WAIT)


def strip(visitor: Visitor, row: int) -> np.ndarray:
    pixels = visitor.page.locator(".grid .strip canvas").nth(row).evaluate(PIXELS, 28)
    return np.asarray(pixels).reshape(28, -1)


def units(visitor: Visitor, size: int) -> np.ndarray:
    """The code in the address."""
    words = (visitor.page.evaluate("new URLSearchParams(location.search).get('z')") or "").split(",")
    return np.array([float(word or 0) for word in words] + [0.0] * (size - len(words)))


def test_a_row_is_the_traversal_of_python(opened: Visitor, vae: Checkpoint) -> None:
    found = strip(opened, 2)
    wanted = vae.traverse(vae.scale()[0], [vae.order[2]], np.linspace(-3, 3, 11).tolist())[0]
    for column in (0, 5, 10):
        assert np.abs(found[:, 29 * column:29 * column + 28] - wanted[column].astype(int)).max() <= 2
    assert opened.page.locator(".grid .words strong").nth(2).inner_text() == f"z{vae.order[2]}"


def test_a_click_sets_the_hand_and_the_grid_follows_without_a_message(opened: Visitor, vae: Checkpoint) -> None:
    page, runs, before = opened.page, opened.runs, strip(opened, 3)
    page.get_by_role("radio", name="the hand's code").click()
    drawn(opened, "hand sigmas")
    cell = page.locator(".grid .strip").nth(1)
    box: Any = cell.bounding_box()
    cell.click(position={"x": 0.5 * box["width"] / 11, "y": 8})
    page.wait_for_function("() => new URLSearchParams(location.search).get('z')")
    found = units(opened, vae.size)
    assert found[vae.order[1]] == -3 and np.abs(found).sum() == 3
    code = vae.scale()[0].copy()
    code[vae.order[1]] = -3
    wanted = vae.traverse(code, [vae.order[3]], [-3.0])[0, 0].astype(int)
    for _ in range(100):
        if np.abs(strip(opened, 3)[:, :28] - wanted).max() <= 2:
            break
        page.wait_for_timeout(100)
    assert np.abs(strip(opened, 3)[:, :28] - wanted).max() <= 2
    assert np.abs(before[:, :28] - wanted).max() > 50
    assert opened.runs == runs
    opened.no_stack_trace()


def test_arrow_keys_and_space_set_it_too_and_begin_no_walk(opened: Visitor, vae: Checkpoint) -> None:
    page = opened.page
    page.mouse.move(5, 5)
    page.locator(".grid .table").focus()
    for key in (" ", "ArrowRight", "ArrowRight", " "):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Walk")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".grid .said")).to_contain_text(f"z{vae.order[0]} at +0.6 units")
    page.wait_for_timeout(500)
    assert units(opened, vae.size)[vae.order[0]] == pytest.approx(0.6)


def test_quantiles_of_the_data_are_asked_for_once(opened: Visitor) -> None:
    page = opened.page
    opened.act(lambda: page.get_by_role("radio", name="Quantiles of the data").click())
    drawn(opened, "aggregated")
    runs = opened.runs
    page.get_by_role("radio", name="−3 … 3").click()
    page.get_by_role("radio", name="Quantiles of the data").click()
    page.wait_for_timeout(800)
    assert opened.runs == runs
    expect(page.locator(".grid .cells")).to_contain_text("99.9 %")
    opened.no_stack_trace()
