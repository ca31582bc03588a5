"""Curves on a page: what is set stands in the address, another browser sees the same, and a zoom outlives live data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import App, Call, OnePage, Visitor

pytestmark = pytest.mark.browser
SCRIPT = """
import time
import numpy as np
import streamlit as st
from pages.components.curves import live_curves
from vaecore.charts.curves import Clock, Panel, Series

born = time.time()

@st.fragment(run_every=0.5)
def live():
    more = int((time.time() - born) * 10)
    x = np.arange(1, 201 + more)
    # later values lie between -110 and -100, the first ones far below, and one in the later half is an outlier
    y = np.where(x <= 8, -5000.0, -105 + 5 * np.sin(x))
    y[150] = -2000
    lines = [Series("training", x, y + run, run=f"run-{run}") for run in range(2)]
    lines += [Series("validation", x[::50], y[::50] + run, run=f"run-{run}", dashed=True) for run in range(2)]
    lines.append(Series("training", x, y, run="twin"))
    lines.append(Series("validation", x[::50], y[::50], run="twin", dashed=True))
    clocks = {"run-0": Clock(10, np.array([0, 100, 1000]), np.array([0.0, 50.0, 500.0])), "run-1": Clock(10)}
    st.text(f"given {len(x)}")
    live_curves([Panel("ELBO", lines, "nats"), Panel("KL", lines, "nats")], key="curves", clocks=clocks,
                names={"twin": "<b>Twin</b>"})

live()
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    store = tmp_path_factory.mktemp("curves")
    (store / "curves.py").write_text(SCRIPT)
    app = OnePage(store, store / "curves.py")
    app.start()
    yield app
    app.kill()


def told(page: Page) -> tuple[str, list[float], list[float]]:
    """What lies across the first chart, from where to where, and what it spans upwards."""
    words = page.locator(".curves canvas").first.get_attribute("aria-label") or ""
    found = re.search(r"Across: (.+), (\S+) to (\S+)\. Up: (\S+) to (\S+)$", words)
    assert found, words
    ends = [float(each.replace(",", "").replace("−", "-")) for each in found.groups()[1:]]
    return found[1], ends[:2], ends[2:]


def test_what_is_set_is_in_the_address_and_another_browser_sees_it(browser: Browser, app: App) -> None:
    one = Visitor(browser.new_page(viewport={"width": 1300, "height": 900}), app)
    one.page.goto(app.address)
    page = one.page
    page.locator(".curves canvas").first.wait_for()
    across, _, up = told(page)
    assert across == "step" and up[0] < -4000
    assert "<b>Twin</b> lies exactly on run-0." in page.locator(".notes").inner_text()
    assert urlsplit(page.url).query == "", "what is as it was at the beginning is left out"
    page.get_by_label("What the vertical axes span").select_option("later")
    page.wait_for_timeout(100)
    assert -2500 < told(page)[2][0] < -1900, "the beginning may leave the chart"
    page.get_by_label("What the vertical axes span").select_option("typical")
    page.get_by_label("What lies on x").select_option("time")
    page.get_by_role("button", name="validation").click()
    page.get_by_role("button", name="run-1", exact=True).click()
    page.get_by_role("button", name="Large").first.click()
    page.locator(".curves canvas").first.focus()
    page.wait_for_timeout(400)
    across, _, up = told(page)
    assert across == "training time (s)" and -125 < up[0] < up[1] < -90
    assert "run-1" not in page.locator(".notes").inner_text().replace("run-1 lies", ""), "it is hidden"
    assert parse_qs(urlsplit(page.url).query) == {
        "y": ["typical"], "x": ["time"], "without": ["validation"], "hide": ["run-1"], "metric": ["elbo"]}
    over = page.locator(".curves .u-over").first.bounding_box()
    assert over is not None
    page.mouse.move(over["x"] + 0.25 * over["width"], over["y"] + 60)
    page.mouse.down()
    page.mouse.move(over["x"] + 0.5 * over["width"], over["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    across, zoom, _ = told(page)
    before = page.get_by_text("given").inner_text()
    page.wait_for_function("was => document.body.innerText.includes('given') && !document.body.innerText.includes(was)",
                           arg=before)
    page.wait_for_timeout(200)
    assert told(page)[1] == zoom, "live data do not move it"
    two = browser.new_page(viewport={"width": 1300, "height": 900})
    two.goto(page.url)
    two.locator(".curves canvas").first.wait_for()
    two.wait_for_timeout(300)
    assert told(two)[:2] == (across, zoom) and two.locator(".curves canvas").count() == 1
    two.keyboard.press("Tab")
    two.locator(".curves canvas").first.press("Escape")
    two.wait_for_timeout(300)
    assert "zoom" not in parse_qs(urlsplit(two.url).query) and told(two)[1][1] > zoom[1]
    assert "run-1" in two.evaluate("() => new URLSearchParams(location.search).get('hide')")
    two.close()
    page.close()


# -- functions ------------------------------------------------------------------------------------


def test_steps_in_other_measures(call: Call) -> None:
    clock = {"perEpoch": 20, "zero": 30, "steps": [0, 100, 300], "seconds": [0, 50, 250]}
    across = "([x, kind, c]) => { const f = m.across(Float32Array.from(x), kind, c); return f && Array.from(f); }"
    steps = [0, 40, 100, 200, 400]
    for kind, expected in (("step", steps), ("epoch", [0, 2, 5, 10, 20]), ("fork", [-30, 10, 70, 170, 370]),
                           ("time", [0, 20, 50, 150, 350])):
        assert call("curves/axes.js", across, [steps, kind, clock]) == pytest.approx(expected), kind
    for kind in ("epoch", "time", "fork"):
        assert call("curves/axes.js", across, [steps, kind, None]) is None
    assert call("curves/axes.js", across, [steps, "time", {**clock, "steps": [5], "seconds": [1]}]) is None
    assert call("curves/axes.js", across, [steps, "epoch", {**clock, "perEpoch": 0}]) is None


def test_what_the_axis_spans(call: Call) -> None:
    y = np.random.default_rng(0).normal(size=1000)
    y[100], y[700] = -50, 40
    line = {"x": list(range(1000)), "y": y.tolist(), "mean": None, "count": None}
    span = "([lines, a, b, kind, log]) => m.spanOf(lines, a, b, kind, log)"
    assert call("curves/axes.js", span, [[line], 0, 999, "all", False]) == [-50, 40]
    later = y[500:]
    assert call("curves/axes.js", span, [[line], 0, 999, "later", False]) == [later.min(), 40]
    assert call("curves/axes.js", span, [[line], 10, 1000, "later", True]) == [-50, 40], "half of a log axis"
    low, high = call("curves/axes.js", span, [[line], 0, 999, "typical", False])
    assert [low, high] == pytest.approx(np.quantile(y, [0.05, 0.95]), abs=0.05)
    thinned = {"x": [1, 2], "y": [-50, 40], "mean": [0, 2], "count": [90, 10]}
    assert call("curves/axes.js", span, [[thinned], 0, 9, "typical", False]) == [0, 2], "a spike is one of many steps"
    assert call("curves/axes.js", span, [[line], 2000, 3000, "later", False]) is None


def test_settings_are_read_from_words_and_written_back(call: Call) -> None:
    read = """([given, smoothing]) => {
      const found = m.settingsOf(name => given[name] ?? null, smoothing);
      return [found.x, found.y, found.smooth, found.zoom, [...found.hide], m.wordsOf(found, smoothing)];
    }"""
    given = {"x": "epoch", "y": "later", "smooth": "0.9", "zoom": "1,250.5", "hide": "a,b", "metric": "kl"}
    x, y, smooth, zoom, hide, words = call("curves/curves.js", read, [given, 0.6])
    assert (x, y, smooth, zoom, hide) == ("epoch", "later", 0.9, [1, 250.5], ["a", "b"])
    assert {name: str(value) for name, value in words.items() if value is not None} == given
    wrong = {"x": "constructor", "y": "<b>", "smooth": "7", "zoom": "5,1", "without": "all"}
    x, y, smooth, zoom, hide, words = call("curves/curves.js", read, [wrong, 0.6])
    assert (x, y, smooth, zoom, hide) == ("step", "all", 0.6, None, [])
    assert not any(words.values())


def test_a_log_axis_of_negative_numbers_has_round_ticks(call: Call) -> None:
    assert call("curves/axes.js", "([a, b]) => m.logTicksBelowZero(a, b)", [-250, -80]) == [-200, -100, -90, -80]
