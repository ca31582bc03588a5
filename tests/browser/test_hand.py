"""Traverse under the hand, in a real browser: what is drawn, what is kept in the address, and that nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.browser.conftest import ROOT, App, Visitor
from vaecore.explore import Checkpoint
from vaecore.store import Run

pytestmark = [pytest.mark.browser, pytest.mark.looks]

RUN = "gallery/vae"
SHOWN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, Array.from(data).filter((_, i) => i % 4 === 0)];
}"""


# Another component moves every dimension to 1; the first two as all components have them then.
ANOTHER = """async ([run, first, second]) => {
  const loaded = performance.getEntriesByType("resource").map(each => each.name);
  const { move, moved } = await import(loaded.find(name => name.includes("/lib/moved.js")));
  move(run, { z: moved(run).z.map(() => 1) }, "another");
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  return [first, second].map(name => moved(run).z[Number(name.slice(1))]);
}"""


class Hand:
    """Traverse in a page of its own; counts what the page sends to the server."""

    def __init__(self, page: Page, app: App) -> None:
        self.page, self.app, self.sent = page, app, 0
        self.errors: list[str] = []
        page.set_default_timeout(60_000)
        page.on("websocket", lambda socket: socket.on("framesent", self._count))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _count(self, _: object) -> None:
        self.sent += 1

    def open(self, query: str = f"run={RUN}") -> Hand:
        self.page.goto(f"{self.app.address}/traverse?{query}")
        return self.ready()

    def ready(self) -> Hand:
        self.page.locator(".hand[data-drawn]").wait_for()
        self.page.wait_for_function("() => document.querySelector('[data-testid=stApp]').dataset.testScriptState "
                                    "=== 'notRunning'")
        self.rest()
        return self

    def rest(self) -> None:
        """Until the picture is drawn and the address is written."""
        self.page.wait_for_timeout(700)

    @property
    def query(self) -> dict[str, str]:
        found: dict[str, str] = self.page.evaluate("() => Object.fromEntries(new URLSearchParams(location.search))")
        return found

    def track(self, name: str) -> Locator:
        return self.page.locator(f".track[aria-label^='{name},']")

    def value(self, name: str) -> float:
        return float(self.track(name).get_attribute("aria-valuenow") or "nan")

    def values(self) -> dict[str, float]:
        told = self.page.locator(".track").evaluate_all(
            "all => all.map(one => [one.getAttribute('aria-label').split(',')[0], one.getAttribute('aria-valuenow')])")
        return {name: float(value) for name, value in told}

    def pixels(self) -> np.ndarray:
        height, width, values = self.page.locator(".panes canvas").first.evaluate(SHOWN)
        return np.array(values, np.uint8).reshape(height, width)

    def frames(self) -> int:
        return int(self.page.locator(".hand").get_attribute("data-drawn") or 0)

    def at(self, name: str, share: float) -> tuple[float, float]:
        """Where on the screen a slider has this value, as a share of its way."""
        track = self.track(name)
        track.scroll_into_view_if_needed()
        box = track.bounding_box()
        assert box
        edge = box["width"] / 22
        return box["x"] + edge + share * (box["width"] - 2 * edge), box["y"] + box["height"] / 2

    def drag(self, name: str, start: float, end: float, steps: int = 40) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(name, start))
        mouse.down()
        for step in range(1, steps + 1):
            mouse.move(*self.at(name, start + (end - start) * step / steps))
        mouse.up()

    def press(self, title: str) -> None:
        self.page.locator(".hand").get_by_role("button", name=title, exact=True).click()


@cache
def checkpoint(name: str = RUN) -> Checkpoint:
    return Checkpoint.load(Run(ROOT / "trained" / name))


def decoded(values: dict[str, float], name: str = RUN) -> np.ndarray:
    model = checkpoint(name)
    code = np.zeros(model.size, np.float32)
    for each, value in values.items():
        code[int(each[1:])] = value
    return model.decode(model.place(code)[None])[0]


def alike(seen: np.ndarray, wanted: np.ndarray) -> bool:
    """Within one grey level."""
    return seen.shape == wanted.shape and int(np.abs(seen.astype(int) - wanted).max()) <= 1


@pytest.fixture
def hand(visitor: Visitor) -> Hand:
    return Hand(visitor.page, visitor.app).open()


@pytest.fixture
def enter(browser: Browser, app: App) -> Iterator[Callable[..., Hand]]:
    """`enter(**options)`: a page in a browser context of its own."""
    contexts = []

    def new(**options: Any) -> Hand:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        return Hand(context.new_page(), app)

    yield new
    for context in contexts:
        context.close()


FIRST, SECOND, THIRD = (f"z{d}" for d in checkpoint().order[:3])


# -- moving ------------------------------------------------------------------------------------------


def test_a_drag_redraws_as_it_goes_and_sends_nothing(hand: Hand) -> None:
    assert alike(hand.pixels(), decoded({}))
    sent, frames = hand.sent, hand.frames()
    hand.drag(FIRST, 0.5, 0.9)
    hand.rest()
    assert hand.value(FIRST) == pytest.approx(2.4, abs=0.02)
    assert hand.sent == sent, "not a message"
    assert hand.frames() - frames >= 20
    assert alike(hand.pixels(), decoded({FIRST: hand.value(FIRST)}))
    assert not hand.errors


def test_the_keyboard_moves_a_slider(hand: Hand) -> None:
    track, keys = hand.track(FIRST), hand.page.keyboard
    track.focus()
    for key, wanted in [("ArrowRight", 0.05), ("ArrowUp", 0.1), ("PageUp", 0.6), ("ArrowLeft", 0.55), ("Home", -3),
                        ("PageDown", -3), ("End", 3), ("Escape", 0), ("PageDown", -0.5), ("0", 0)]:
        keys.press(key)
        hand.page.wait_for_timeout(60)
        assert hand.value(FIRST) == pytest.approx(wanted), key
    keys.press("End")
    hand.rest()
    assert alike(hand.pixels(), decoded({FIRST: 3}))
    assert track.get_attribute("role") == "slider" and track.get_attribute("aria-valuetext") == "3.00"


@pytest.mark.slow
def test_a_double_press_puts_a_slider_back(hand: Hand) -> None:
    hand.page.mouse.click(*hand.at(FIRST, 0.8))
    hand.rest()
    assert hand.value(FIRST) == pytest.approx(1.8, abs=0.02), "one press goes there"
    hand.page.mouse.dblclick(*hand.at(FIRST, 0.2))
    hand.rest()
    assert hand.value(FIRST) == 0 and "z" not in hand.query


def test_a_finger_drags_across_and_scrolls_down(enter: Callable[..., Hand]) -> None:
    hand = enter(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).open()
    touch = hand.page.context.new_cdp_session(hand.page)

    def swipe(start: tuple[float, float], end: tuple[float, float]) -> None:
        points = np.linspace(start, end, 12)
        for kind, (x, y) in zip(["touchStart", *["touchMove"] * 11], points, strict=True):
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        hand.rest()

    hand.track(FIRST).scroll_into_view_if_needed()
    place = "() => document.querySelector('[data-testid=stMain]').scrollTop"
    before = hand.page.evaluate(place)
    start, end = hand.at(FIRST, 0.5), hand.at(FIRST, 0.8)
    swipe(start, (end[0], end[1] + 25))
    assert hand.page.evaluate(place) == before, "the page stands still meanwhile"
    assert hand.value(FIRST) == pytest.approx(1.8, abs=0.1)
    assert alike(hand.pixels(), decoded({FIRST: hand.value(FIRST)}))
    for target in (hand.track(FIRST), hand.page.get_by_role("button", name=f"Lock {FIRST}", exact=True)):
        box = target.bounding_box()
        assert box and box["height"] >= 44 and box["width"] >= 44
    picture = hand.page.locator(".panes canvas").first.bounding_box()
    first = hand.track(FIRST).bounding_box()
    assert picture and first and picture["y"] + picture["height"] <= first["y"], "the picture stands above the sliders"
    down = hand.at(FIRST, 0.3)
    value = hand.value(FIRST)
    swipe(down, (down[0] + 2, down[1] - 200))
    assert hand.value(FIRST) == value and hand.page.evaluate(place) > before + 100


def test_a_locked_dimension_stays(hand: Hand) -> None:
    hand.drag(FIRST, 0.5, 0.7)
    hand.press(f"Lock {FIRST}")
    kept = hand.value(FIRST)
    for button in ("Draw from the prior", "Start from it", "Reset"):
        hand.press(button)
        hand.rest()
        assert hand.value(FIRST) == kept, button
    moved = hand.page.evaluate(ANOTHER, [RUN, FIRST, SECOND])  # as *Send to the sliders* does
    assert hand.value(FIRST) == kept and hand.value(SECOND) == 1
    assert moved == pytest.approx([kept, 1], abs=1e-6), "all others are told what stayed"
    hand.press("Reset")
    hand.rest()
    assert hand.query["lock"] == FIRST[1:] and hand.value(SECOND) == 0
    hand.press(f"Lock {FIRST}")
    hand.press("Reset")
    hand.rest()
    assert hand.value(FIRST) == 0 and "lock" not in hand.query


@pytest.mark.slow
def test_linked_dimensions_move_together_or_against(hand: Hand) -> None:
    hand.press(f"Link {FIRST}")
    hand.press(f"Link {SECOND}")
    hand.press(f"Link {THIRD}")
    hand.press(f"Link {THIRD}")
    hand.drag(FIRST, 0.5, 0.7)
    hand.rest()
    moved = hand.value(FIRST)
    assert moved == pytest.approx(1.2, abs=0.02)
    assert hand.value(SECOND) == pytest.approx(moved) and hand.value(THIRD) == pytest.approx(-moved)
    assert set(hand.query["link"].split(",")) == {FIRST[1:], SECOND[1:], f"-{THIRD[1:]}"}
    hand.press(f"Link {SECOND}")
    hand.press(f"Link {SECOND}")
    hand.drag(FIRST, 0.7, 0.5)
    hand.rest()
    assert hand.value(SECOND) == pytest.approx(moved) and hand.value(THIRD) == pytest.approx(0, abs=0.02)


# -- starting from somewhere -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_seed_draws_the_same_code_in_every_browser(hand: Hand, enter: Callable[..., Hand]) -> None:
    codes = []
    for one in (hand, enter().open()):
        one.page.get_by_label("Seed").fill("41")
        one.press("Draw from the prior")
        one.rest()
        codes.append(one.values())
        first = one.pixels()
        one.press("Draw from the prior")
        one.rest()
        assert one.query["seed"] == "42" and (one.pixels() != first).any(), "pressed again, the next one"
    assert codes[0] == codes[1] and len(codes[0]) == 12
    assert 0.5 < np.std(list(codes[0].values())) < 1.6, "of N(0, I)"


@pytest.mark.slow
def test_temperature_scales_the_draw_around_the_centre(hand: Hand) -> None:
    hand.press("Draw from the prior")
    hand.rest()
    whole = hand.values()
    warmth = hand.page.get_by_label("Temperature")
    warmth.fill("0.5")
    hand.rest()
    assert hand.values() == pytest.approx({name: value / 2 for name, value in whole.items()}, abs=1e-3)
    warmth.fill("0")
    hand.rest()
    assert alike(hand.pixels(), decoded({}))


def test_a_test_image_is_encoded_with_the_original_beside_it(hand: Hand) -> None:
    hand.page.get_by_label("Test image").fill("7")
    hand.press("Start from it")
    hand.rest()
    model = checkpoint()
    assert np.abs(hand.pixels().astype(int) - model.reconstruct([7])[0]).max() <= 2, "its code has three decimals"
    height, width, values = hand.page.locator(".own canvas").evaluate(SHOWN)
    np.testing.assert_array_equal(np.reshape(values, (height, width)), model.originals([7])[0])
    assert hand.query["example"] == "7"
    assert hand.page.locator(".origin").inner_text() == "Test image 7, encoded and decoded"
    hand.drag(FIRST, 0.5, 0.6)
    hand.rest()
    assert hand.page.locator(".origin").inner_text() == "Test image 7, then moved"


@pytest.mark.slow
def test_a_link_may_name_a_test_image_alone(visitor: Visitor) -> None:
    hand = Hand(visitor.page, visitor.app).open(f"run={RUN}&example=7")
    assert np.abs(hand.pixels().astype(int) - checkpoint().reconstruct([7])[0]).max() <= 2
    assert hand.page.locator(".origin").inner_text() == "Test image 7, encoded and decoded"
    assert hand.page.get_by_label("Test image").input_value() == "7"


@pytest.mark.parametrize("name", ["gallery/vae-conv-mixture", pytest.param("gallery/ica", marks=pytest.mark.slow)])
def test_of_another_prior_the_server_has_drawn_codes(visitor: Visitor, name: str) -> None:
    hand = Hand(visitor.page, visitor.app).open(f"run={name}")
    model = checkpoint(name)
    hand.page.get_by_label("Seed").fill("3")
    hand.page.locator(".hand").get_by_role("button", name="Draw").first.click()
    hand.rest()
    wanted = model.units(model.sample_codes(256))[3]
    for each, value in hand.values().items():
        assert value == pytest.approx(float(wanted[int(each[1:])]), abs=1e-3)
    assert hand.page.locator(".track").count() == 12, "of many dimensions only those in sight are there"
    hand.page.locator(".fold summary").first.click()
    hand.rest()
    assert hand.page.locator(".track").count() > 12 if model.size > 12 else True


# -- the address -------------------------------------------------------------------------------------


def test_every_state_comes_back(hand: Hand, enter: Callable[..., Hand]) -> None:
    """After a reload, by Back, and in another browser, where each pixel is the same."""
    hand.page.get_by_label("Seed").fill("5")
    hand.press("Draw from the prior")
    hand.press(f"Lock {SECOND}")
    hand.press(f"Link {THIRD}")
    hand.page.locator(".hand").get_by_role("radio", name="Draw").click()
    hand.drag(FIRST, 0.5, 0.23)
    hand.rest()
    values, seen, link, query = hand.values(), hand.pixels(), hand.page.url, hand.query
    assert set(query) == {"run", "z", "seed", "lock", "link", "draw"} and set(np.unique(seen)) == {0, 255}

    hand.page.reload()
    hand.ready()
    assert hand.values() == values and hand.query == query
    np.testing.assert_array_equal(hand.pixels(), seen)

    other = enter().open(link.split("?")[1])
    assert other.values() == values
    np.testing.assert_array_equal(other.pixels(), seen)
    assert other.page.get_by_role("button", name=f"Lock {SECOND}", exact=True).get_attribute("aria-pressed") == "true"
    assert other.page.get_by_label("Seed").input_value() == "5"

    hand.page.get_by_test_id("stTopNavLink").filter(has_text="Home").click()
    hand.page.wait_for_url(lambda url: "traverse" not in url)
    hand.page.wait_for_timeout(1500)
    hand.page.go_back()
    hand.ready()
    assert hand.values() == values and hand.query == query
    np.testing.assert_array_equal(hand.pixels(), seen)


@pytest.mark.slow
def test_another_run_has_a_code_of_its_own(hand: Hand) -> None:
    hand.drag(FIRST, 0.5, 0.8)
    hand.rest()
    kept = hand.values()
    for name in ("gallery/vae-cyclical", RUN):
        box = hand.page.get_by_test_id("stSelectbox").first.locator("input")
        box.fill(f"{name} ")
        box.press("Enter")
        hand.page.wait_for_url(lambda url, name=name: name.replace("/", "%2F") + "&" in f"{url}&")
        hand.rest()
        hand.ready()
        assert ("z" in hand.query) == (name == RUN)
    assert hand.values() == kept


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[App]:
    """A dashboard of its own over a run of 2,000 dimensions, after a few steps."""
    from tests.pages.demo import Unwatched
    from vaecore.config import changed, preset
    from vaecore.store import Store
    from vaecore.training import train

    config = changed(preset("vae-digits"), ["model.latent_size=2000", "training.epochs=1"])
    train(Store(tmp_path).create(config, "wide").path, Unwatched())
    app = App(tmp_path)
    app.start()
    yield app
    app.kill()


@pytest.mark.slow
def test_a_code_of_thousands_has_few_sliders_and_a_short_address(browser: Browser, wide: App) -> None:
    hand = Hand(browser.new_page(), wide).open("run=wide")
    assert hand.page.locator(".track").count() <= 12
    hand.press("Draw from the prior")
    hand.rest()
    seen = hand.pixels()
    assert hand.query["z"] == "seed" and len(hand.page.url) < 200
    hand.page.reload()
    hand.ready()
    np.testing.assert_array_equal(hand.pixels(), seen)
    hand.page.locator(".fold button").last.click()  # none of its dimensions is in use: the fold is open
    hand.rest()
    assert 12 < hand.page.locator(".track").count() <= 64
    hand.page.locator(".track").first.focus()
    hand.page.keyboard.press("End")
    hand.rest()
    assert "too long for an address" in hand.page.locator(".origin").inner_text() and "z" not in hand.query
    hand.page.close()


def test_the_link_and_the_code_are_copied(enter: Callable[..., Hand]) -> None:
    hand = enter(permissions=["clipboard-read", "clipboard-write"]).open()
    hand.drag(FIRST, 0.5, 0.8)
    copied = {}
    for title in ("Copy link", "JSON", "Python"):
        hand.page.get_by_role("button", name=title, exact=True).click()  # the first is in the head of every page
        hand.page.wait_for_timeout(200)
        copied[title] = str(hand.page.evaluate("() => navigator.clipboard.readText()"))
    assert copied["Copy link"] == hand.page.url and "z=" in hand.page.url
    told = json.loads(copied["JSON"])
    assert told["run"] == RUN and told["code"]["z"][int(FIRST[1:])] == pytest.approx(hand.value(FIRST))
    found: dict[str, Any] = {}
    exec(copied["Python"].replace("print(", "shown = ("), found)
    seen = (found["shown"].clamp(0, 1) * 255).round().numpy()[0, 0]
    assert alike(hand.pixels(), seen)


def test_a_direction_is_a_slider_along_which_the_code_moves(hand: Hand) -> None:
    hand.drag(FIRST, 0.5, 0.6)
    hand.rest()
    before, tracks = hand.values(), hand.page.locator(".track").count()
    hand.page.get_by_role("tab", name="Directions").click()
    hand.page.get_by_role("button", name="Make a slider of it").first.click()
    hand.page.wait_for_function("n => [...document.querySelectorAll('*')].some(e => "
                                "e.shadowRoot?.querySelectorAll('.track').length > n)", arg=tracks)
    hand.rest()
    assert {name: value for name, value in hand.values().items() if name in before} == before, "the code stays"
    direction = hand.page.locator(".track").last
    direction.focus()
    for _ in range(4):
        hand.page.keyboard.press("PageUp")
    hand.rest()
    moved = {name: value for name, value in hand.values().items() if name in before}
    assert sum(abs(moved[name] - before[name]) > 0.01 for name in before) > 3, "along all of its dimensions"
    [amount] = [float(value) for name, value in hand.query.items() if name.startswith("d.")]
    assert amount == 2 and alike(hand.pixels(), decoded(moved | _folded(hand)))
    hand.page.keyboard.press("Escape")
    hand.rest()
    assert {name: value for name, value in hand.values().items() if name in before} == pytest.approx(before, abs=0.003)


# -- the strip, the walk, and who listens -------------------------------------------------------------


def test_a_strip_shows_what_a_slider_would_do_and_nothing_jumps(hand: Hand) -> None:
    boxes = "() => document.querySelector('[data-testid=stMain]').scrollHeight"
    before, values = hand.page.evaluate(boxes), hand.values()
    tops = hand.page.locator(".track").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    hand.track(SECOND).hover()
    strip = hand.page.locator(".track .strip")
    strip.wait_for()
    height, width, pixels = strip.evaluate(SHOWN)
    image = np.reshape(pixels, (height, width))
    cells = [image[:, int(width * k / 11):int(width * (k + 1) / 11)] for k in range(11)]
    assert all((cell > 100).any() for cell in cells), "eleven pictures"
    assert (cells[0] != cells[10][:, :cells[0].shape[1]]).any()
    assert hand.values() == values and hand.page.evaluate(boxes) == before
    assert hand.page.locator(".track").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)") == tops
    hand.track(THIRD).focus()
    hand.page.mouse.move(5, 5)
    hand.page.wait_for_timeout(400)
    assert hand.track(THIRD).locator(".strip").count() == 1, "of the slider that has the focus, too"


def test_a_walk_is_smooth_the_same_for_a_seed_and_sends_nothing(hand: Hand, visitor: Visitor) -> None:
    visitor.minds_no_motion()
    hand.press(f"Lock {SECOND}")
    sent, frames = hand.sent, hand.frames()
    hand.page.keyboard.press("Escape")
    hand.page.locator(".origin").click()
    hand.page.keyboard.press(" ")
    taken = []
    for _ in range(20):
        hand.page.wait_for_timeout(50)
        taken.append(hand.value(FIRST))
    hand.page.keyboard.press(" ")
    hand.rest()
    assert hand.frames() - frames > 10 and hand.sent == sent
    assert np.ptp(taken) > 0.05 and np.abs(np.diff(taken)).max() < 0.5
    assert hand.value(SECOND) == 0 and alike(hand.pixels(), decoded(hand.values() | _folded(hand)))
    still = hand.frames()
    hand.page.wait_for_timeout(300)
    assert hand.frames() == still, "it stands"


def _folded(hand: Hand) -> dict[str, float]:
    """The values of the sliders that are folded away, as the address has them."""
    values = [float(word or 0) for word in hand.query["z"].split(",")]
    return {f"z{d}": value for d, value in enumerate(values)}


def test_a_tab_that_the_server_draws_hears_once_after_the_release(visitor: Visitor) -> None:
    hand = Hand(visitor.page, visitor.app).open("run=gallery/ivae&z=,,,0.5")
    hand.page.get_by_role("tab", name="Columns").click()
    bars = hand.page.get_by_role("tabpanel").filter(has_text="number 5").first
    bars.wait_for()
    hand.page.wait_for_timeout(1500)
    before, sent, [first, *_] = bars.inner_text(), hand.sent, hand.values()
    hand.page.mouse.move(*hand.at(first, 0.5))
    hand.page.mouse.down()
    hand.page.mouse.move(*hand.at(first, 0.95))
    hand.page.wait_for_timeout(800)
    assert hand.sent == sent and bars.inner_text() == before, "not while it is held"
    hand.page.mouse.up()
    for _ in range(100):
        if bars.inner_text() != before:
            break
        hand.page.wait_for_timeout(50)
    assert bars.inner_text() != before
    hand.page.wait_for_timeout(700)
    assert hand.sent == sent + 1


def test_where_the_browser_has_no_decoder_the_server_computes_and_the_page_says_so(visitor: Visitor) -> None:
    hand = Hand(visitor.page, visitor.app)

    def refuse(route: Any) -> None:
        if route.request.method == "GET":
            route.fulfill(status=409, json={"reason": "It is too large for a browser.", "inputs": [["z", [16]]],
                                            "outputs": [["image.mean", [1, 28, 28]]]})
        else:
            route.continue_()

    hand.page.route("**/networks/decoder/**", refuse)
    hand.open()
    assert hand.page.locator(".hand").get_attribute("data-where") == "server"
    assert "Decoded by the server. It is too large for a browser." in hand.page.locator(".hand .note").inner_text()
    sent = hand.sent
    hand.drag(FIRST, 0.5, 0.9, steps=10)
    hand.page.wait_for_timeout(1000)
    assert alike(hand.pixels(), decoded({FIRST: hand.value(FIRST)})) and hand.sent == sent
