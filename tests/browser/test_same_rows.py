"""Pictures of Compare in a real browser: one slider over steps, two pictures laid over one another, nothing sent."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.browser.conftest import ROOT, App, Call
from vaecore.explore.along import moment_at
from vaecore.explore.same import Line, cells
from vaecore.store import Run

pytestmark = pytest.mark.browser

PIXELS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, Array.from(data).filter((_, i) => i % 4 === 0)];
}"""
COLUMNS = 3


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped VAE, and as `aged` a copy of it that kept other weights at steps 10 and 30."""
    root = tmp_path_factory.mktemp("aged")
    shutil.copytree(ROOT / "trained" / "gallery" / "vae", root / "gallery" / "vae")
    path = root / "runs" / "aged"
    shutil.copytree(ROOT / "trained" / "gallery" / "vae", path)
    (path / "kept").mkdir()
    with safe_open(path / "weights.safetensors", "pt") as file:
        told = file.metadata()
    for step, scale in ((10, 0.5), (30, 0.9)):
        tensors = {name: x * scale if x.is_floating_point() else x
                   for name, x in load_file(path / "weights.safetensors").items()}
        save_file(tensors, path / "kept" / f"step-{step:08d}.safetensors", told)
    return root


class Rows:
    """Compare in a page of its own; counts what the page sends to the server."""

    def __init__(self, page: Page, app: App) -> None:
        self.page, self.app, self.sent = page, app, 0
        self.errors: list[str] = []
        page.set_default_timeout(60_000)
        page.on("websocket", lambda socket: socket.on("framesent", self._count))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _count(self, _: object) -> None:
        self.sent += 1

    def open(self, query: str = "") -> Rows:
        self.page.goto(f"{self.app.address}/compare?section=Pictures&runs=aged&runs=gallery/vae&n={COLUMNS}{query}")
        self.page.locator(".rows[data-loaded]").wait_for()
        self.page.wait_for_function("() => document.querySelector('[data-testid=stApp]').dataset.testScriptState "
                                    "=== 'notRunning'")
        self.page.wait_for_timeout(500)
        return self

    def pictures(self, line: int) -> np.ndarray:
        """What a line shows, (N, H, W), read at the middle of each pixel."""
        height, width, values = self.page.locator(".rows .line .strip canvas").nth(line).evaluate(PIXELS)
        sheet = np.array(values, np.uint8).reshape(height, width)
        cell = (width + 3) // COLUMNS
        scale = height // 28
        return np.stack([sheet[scale // 2::scale, n * cell + scale // 2:n * cell + cell - 3:scale]
                         for n in range(COLUMNS)])

    def told(self, line: int) -> str:
        return self.page.locator(".rows .line .label").nth(line).inner_text()


@pytest.fixture
def rows(browser: Browser, store: Path) -> Iterator[Rows]:
    app = App(store)
    app.start()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield Rows(context.new_page(), app)
    context.close()
    app.kill()


def another_browser(rows: Rows) -> Rows:
    """The same address for somebody else: a browser that knows nothing of the first."""
    browser = rows.page.context.browser
    assert browser is not None
    return Rows(browser.new_context(viewport={"width": 1200, "height": 800}).new_page(), rows.app)


def drawn(store: Path, recipe: Any, step: int | None) -> np.ndarray:
    run = Run(store / "runs" / "aged")
    images = cells(Line(run, recipe, run), COLUMNS, 0, moment_at(run, step)).images
    assert images is not None
    return images


def test_the_slider_and_the_wipe(rows: Rows, store: Path) -> None:
    """By keys alone; what is drawn is what the server would draw, and not a message is sent."""
    page = rows.open().page
    np.testing.assert_array_equal(rows.pictures(0), drawn(store, "noise", None))
    assert "kept weights" in rows.told(0)
    before = rows.sent
    slider = page.get_by_role("slider", name="Step of the weights")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    np.testing.assert_array_equal(rows.pictures(0), drawn(store, "noise", 30))
    np.testing.assert_array_equal(rows.pictures(3), drawn(store, "data", 30))
    page.keyboard.press("ArrowLeft")
    np.testing.assert_array_equal(rows.pictures(0), drawn(store, "noise", 10))
    np.testing.assert_array_equal(rows.pictures(1), drawn(store, "noise", None))  # it kept none
    assert "step 10" in rows.told(0) and "kept weights" in rows.told(1)
    page.keyboard.press(" ")
    page.locator(".rows[data-step='last']").wait_for()  # it plays, and comes round
    page.locator(".rows[data-step='10']").wait_for()
    page.keyboard.press(" ")
    page.keyboard.press("Home")  # it may have gone on meanwhile
    assert page.get_by_role("button", name="Play").get_attribute("aria-pressed") == "false"
    assert "step 10" in rows.told(0)

    page.get_by_role("grid").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="Wipe").press("Enter")
    divider = page.locator(".divider")
    divider.focus()
    page.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "52"
    page.keyboard.press("Home")
    assert "inset(0px 100% 0px 0px)" in (page.locator(".upper").get_attribute("style") or "")
    page.get_by_label("A: which step").select_option("30")
    page.get_by_role("radio", name="Difference").press("Enter")
    assert "B is brighter" in page.locator(".inspect > .said").inner_text()
    page.wait_for_timeout(500)
    assert rows.sent == before, "nothing is sent while one looks"
    address = page.url
    assert "view=difference" in address and "step=10" in address and "a=noise.0.0.30" in address

    other = another_browser(rows)
    other.page.goto(address)
    other.page.locator(".rows[data-loaded] .inspect[data-drawn]").wait_for()
    assert other.page.locator(".inspect").get_attribute("data-view") == "difference" and "step 10" in other.told(0)
    for line in range(5):
        np.testing.assert_array_equal(other.pictures(line), rows.pictures(line))
    assert rows.errors == other.errors == []
    other.page.context.close()

    rows.page.route(re.compile(r"/same/.*at=10(,|%2C)"), lambda route: route.abort())  # the server is gone meanwhile
    rows.page.get_by_label("Seed").fill("1")
    rows.page.locator(".rows .line .label", has_text="Failed to fetch").first.wait_for()
    assert rows.page.locator(".rows .line .strip canvas").first.is_visible(), "what had come before stays"


def test_functions(call: Call) -> None:
    """The nearest step, a difference against numpy, and sides of an address there and back."""
    assert [call("rows/choose.js", "x => m.nearest([10, 30], x)", step) for step in (9, 10, 29, 30, 99)] == [
        None, 10, 10, 30, 30]
    a, b = np.random.default_rng(0).integers(0, 256, (2, 5, 4))
    found = call("rows/choose.js", "([a, b]) => { const d = m.difference(a, b); "
                 "return [[...d.values], d.largest, d.mean]; }", [a.ravel().tolist(), b.ravel().tolist()])
    wanted = (b[:, :3] - a[:, :3]).mean(1) / 255
    np.testing.assert_allclose(found[0], wanted, atol=1e-6)
    np.testing.assert_allclose(found[1:], (np.abs(wanted).max(), np.abs(wanted).mean()), atol=1e-6)
    painted = call("rows/choose.js", "v => [...m.painted(v, 0.5, [1, 2, 3], [4, 5, 6])]", [0.5, -0.25, 0])
    assert painted == [1, 2, 3, 255, 4, 5, 6, 128, 4, 5, 6, 0]
    for side in ({"table": "cross-a b-c", "line": 2, "column": None, "step": "last"},
                 {"table": "data1", "line": 0, "column": 11, "step": 400}):
        assert call("rows/choose.js", "s => m.heard(m.said(s))", side) == side
    assert call("rows/choose.js", "s => m.heard(s)", "<b>") is None
