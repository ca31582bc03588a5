"""Interpolation in the browser: picking by mouse and keyboard, scrubbing and a loop without a message, the address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.conftest import App, Call, Visitor
from vaecore.explore.codes import DRAWN, between
from vaecore.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.looks]
VAE = "traverse?run=gallery%2Fvae"
A, B = [0.5, -1.0, 2.0], [1.5, 0.3, -0.7]


# -- paths of codes, against Python's


@pytest.mark.parametrize("path", DRAWN)
@pytest.mark.parametrize("end", [B, A, [-0.5, 1.0, -2.0]])
def test_codes_on_the_way_are_those_of_python(call: Call, path: Any, end: list[float]) -> None:
    found = call("between/ways.js", f"([a, b]) => [0, 0.25, 0.5, 0.75, 1].map(t => m.{path}(a, b, t))", [A, end])
    wanted = between(np.float32(A), np.float32(end), 5, path)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_path_of_codes_is_followed(call: Call) -> None:
    codes = [0, 0, 1, 2, 3, 2]
    found = call("between/ways.js",
                 "codes => [0, 0.25, 0.5, 0.75, 1].map(t => [...m.along(Float32Array.from(codes), 3, t)])", codes)
    assert found == [[0, 0], [0.5, 1], [1, 2], [2, 2], [3, 2]]


@pytest.mark.parametrize(("path", "words"), [
    ("straight", "length 20.0"), ("shortest", "length 17.6 · 12 % shorter"),
    ("spherical", "length 20.5 · 2.5 % longer")])
def test_lengths_in_words(call: Call, path: str, words: str) -> None:
    lengths = {"straight": 20.0, "shortest": 17.6, "spherical": 20.5}
    assert call("between/ways.js", "([p, l]) => m.told(p, l)", [path, lengths]) == words


def test_an_end_of_the_address(call: Call) -> None:
    end = """text => {
      const facts = { count: 2, codes: Float32Array.from([1, 2, 3, 4]), centre: Float32Array.from([10, 0]),
        unit: Float32Array.from([2, 1]) };
      const found = m.endOf(text, facts);
      return found && [found.text, found.example, [...found.code]];
    }"""
    assert call("between/ways.js", end, "1") == ["1", 1, [3, 4]]
    assert call("between/ways.js", end, "z0.5,-1") == ["z0.5,-1", None, [11, -1]]
    assert call("between/ways.js", end, "z") == ["z", None, [10, 0]]
    for wrong in ("2", "-1", "x", "", None, "z<b>", "1e3"):
        assert call("between/ways.js", end, wrong) is None


# -- on the page


@pytest.fixture(scope="module")
def opened(context: BrowserContext, app: App) -> Iterator[Visitor]:
    """The tab with the paths from example 17 to example 9."""
    visitor = Visitor(context.new_page(), app)
    visitor.page.set_viewport_size({"width": 1440, "height": 1000})
    visitor.open(f"{VAE}&from=17&to=9")
    show(visitor)
    yield visitor
    visitor.page.close()


def show(visitor: Visitor) -> Locator:
    visitor.page.get_by_role("tab", name="Interpolate").click()
    root = visitor.page.locator(".between")
    expect(root).to_have_attribute("data-strips", re.compile("shortest"), timeout=60_000)
    return root


def test_the_rows_begin_and_end_with_both_pictures_and_lengths_are_python_s(opened: Visitor) -> None:
    from vaecore.explore import Checkpoint

    root = opened.page.locator(".between")
    vae = Checkpoint.load(Store(opened.app.store).find("gallery/vae"))
    start, end = vae.encode([17, 9])
    ways = vae.ways(start, end, 9)
    expect(root.locator(".row").nth(2)).to_contain_text(f"length {ways['shortest'].length:.1f}")
    pixels = root.locator("canvas.pictures").evaluate_all("""all => all.map(canvas =>
      [...canvas.getContext('2d').getImageData(0, 0, canvas.width, 28).data].filter((_, i) => i % 4 === 0))""")
    for path, row in zip(("straight", "spherical", "shortest"), pixels, strict=True):
        strip = np.asarray(row).reshape(28, 9 * 29 - 1)
        images = vae.decode(ways[path].codes)  # type: ignore[index]
        for n in (0, 4, 8):
            apart = np.abs(strip[:, 29 * n:29 * n + 28] - images[n].astype(int))
            assert apart.max() <= (2 if path != "shortest" else 12), (path, n)


def test_scrubbing_and_the_loop_send_nothing(opened: Visitor) -> None:
    page, root = opened.page, opened.page.locator(".between")
    slider = root.get_by_label("Where on the way")
    frames: list[Any] = []
    page.evaluate("""() => {
      const plain = WebSocket.prototype.send;
      window.sentMessages = 0;
      WebSocket.prototype.send = function (...what) { window.sentMessages += 1; return plain.apply(this, what); };
    }""")
    requests: list[Any] = []
    page.on("request", lambda request: requests.append(request))
    slider.scroll_into_view_if_needed()
    box: Any = slider.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for part in np.linspace(0, 0.6, 12):
        page.mouse.move(box["x"] + 2 + part * box["width"], box["y"] + box["height"] / 2)
        page.wait_for_timeout(20)
        frames.append(root.get_attribute("data-drawn"))
    page.mouse.up()
    at = float(slider.input_value())
    assert 0.5 < at < 0.7 and len(set(frames)) > 4
    expect(root).to_have_attribute("data-drawn", f"shortest {at:g}")
    slider.press("ArrowRight")
    expect(root.get_by_text("of the way")).to_contain_text(f"Shortest, {round(100 * float(slider.input_value()))} %")
    play = root.get_by_role("button", name="Play")
    play.click()
    shown = {root.get_attribute("data-drawn") for _ in range(8) if page.wait_for_timeout(60) is None}
    assert len(shown) > 3
    root.get_by_role("button", name="Pause").click()
    root.locator(".row").first.click()
    expect(root.get_by_text("of the way")).to_contain_text("Straight")
    page.wait_for_timeout(500)
    assert page.evaluate("window.sentMessages") == 0 and not requests
    assert "path=straight" in page.url and "from=17" in page.url and "at=" in page.url
    opened.no_stack_trace()


def test_two_clicks_pick_both_ends_with_one_question(opened: Visitor) -> None:
    page, root = opened.page, opened.page.locator(".between")
    runs = opened.runs
    root.get_by_role("option").nth(3).click()
    root.get_by_role("option").nth(5).click()
    expect(root).to_have_attribute("data-strips", re.compile(r"^3 5 .*shortest"), timeout=60_000)
    opened.settle()
    assert runs < opened.runs <= runs + 2, "one question, or one more where the second click came late"
    page.wait_for_timeout(300)
    assert "from=3" in page.url and "to=5" in page.url
    expect(root.locator(".cell[data-end=from]")).to_have_attribute("aria-label", re.compile("image 3"))


def test_the_keyboard_picks_too(opened: Visitor) -> None:
    page, root = opened.page, opened.page.locator(".between")
    root.get_by_role("button", name=re.compile("^To")).click()
    root.get_by_role("option").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(root).to_have_attribute("data-strips", re.compile("^3 2 .*shortest"), timeout=60_000)


def test_a_reload_shows_the_same(opened: Visitor) -> None:
    page, root = opened.page, opened.page.locator(".between")
    page.wait_for_timeout(400)
    look = "canvas => canvas.toDataURL()"
    before = root.locator(".large canvas").evaluate(look)
    opened.act(page.reload)
    root = show(opened)
    expect(root).to_have_attribute("data-strips", re.compile("^3 2 .*shortest"), timeout=60_000)
    expect(root.locator(".row").first).to_have_attribute("aria-checked", "true")
    assert root.locator(".large canvas").evaluate(look) == before
    opened.no_stack_trace()


def test_an_end_may_be_the_hand_s_and_the_hand_may_go_on_from_the_way(opened: Visitor) -> None:
    from vaecore.explore import Checkpoint

    page, root = opened.page, opened.page.locator(".between")
    root.get_by_role("button", name=re.compile("^From")).click()
    root.get_by_role("button", name="Use the hand's code").click()
    expect(root).to_have_attribute("data-strips", re.compile("^z 2 .*shortest"), timeout=60_000)
    slider = root.get_by_label("Where on the way")
    slider.fill("0.5")
    root.get_by_role("button", name="Open under the hand").click()
    page.wait_for_function("() => new URLSearchParams(location.search).get('z')")
    vae = Checkpoint.load(Store(opened.app.store).find("gallery/vae"))
    half = vae.units(0.5 * (vae.scale()[0] + vae.encode([2])[0]))  # on the straight path
    words = page.evaluate("new URLSearchParams(location.search).get('z')").split(",")
    found = np.array([float(word or 0) for word in words] + [0.0] * (vae.size - len(words)))
    np.testing.assert_allclose(found, half, atol=2e-3)
    opened.no_stack_trace()
