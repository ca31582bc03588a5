"""The page Runs in a browser: the three best of sixty found, compared and taken along; ticks, keys, and one deep link
that two browsers open alike."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator

from tests.browser.conftest import ROOT, App, Visitor
from vaecore.library import records
from vaecore.store import Store

pytestmark = pytest.mark.browser
RUNS = 60
LIKE = ("vae", "ae", "vae-fashion", "vae-vamp")  # what they are copies of, in turn
BEST = "family=vae data=mnist model.prior=standard"
AT_MOST = 10  # clicks


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A dashboard over sixty runs, of four kinds, whose ELBOs differ."""
    store = tmp_path_factory.mktemp("library")
    for index in range(RUNS):
        origin = ROOT / "trained" / "gallery" / LIKE[index % len(LIKE)]
        folder = store / "runs" / f"{origin.name}-{index:02}"
        folder.mkdir(parents=True)
        for file in origin.iterdir():
            shutil.copyfile(file, folder / file.name)
        summary = json.loads((folder / "summary.json").read_text())
        summary["test"]["elbo"] -= 7 * index % RUNS
        (folder / "summary.json").write_text(json.dumps(summary))
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"seed": index}))
        os.utime(folder / "config.json", (1e9 + index, 1e9 + index))
    app = App(store)
    app.start()
    yield app
    app.kill()


def listed(visitor: Visitor) -> list[str]:
    """The names in sight, from the top."""
    rows = visitor.page.locator(".table .row")
    rows.first.wait_for()
    found = [(float(row.evaluate("e => parseFloat(e.style.top)")), row.locator("button").inner_text())
             for row in rows.all()]
    return [name for _, name in sorted(found)]


def test_the_three_best_of_sixty_in_ten_clicks(visitor: Visitor) -> None:
    page, clicks = visitor.page, 0

    def click(one: Locator, then: Callable[[], object] | None = None) -> None:
        nonlocal clicks
        clicks += 1
        visitor.act(lambda: (one.click(), then and then()))

    visitor.open("runs")
    assert len(listed(visitor)) < RUNS, "only what is in sight is drawn"
    box = page.get_by_placeholder("Search: words")
    click(box, lambda: (page.keyboard.type(BEST), page.keyboard.press("Enter")))
    page.get_by_text("15 of", exact=False).first.wait_for()
    click(page.get_by_role("button", name="ELBO (nats)"))
    own = [each for each in records(Store(visitor.app.store)) if each.id.startswith("vae-") and each.preset
           and each.data == "MNIST" and each.settings["model.prior"] == "standard" and each.place == "own"]
    best = [each.id for each in sorted(own, key=lambda each: -each.numbers["elbo"].value)][:3]
    assert listed(visitor)[:3] == best
    for name in best:
        click(page.get_by_role("checkbox", name=f"Tick {name}", exact=True))
    click(page.get_by_role("button", name="Compare"))
    page.get_by_role("heading", name="Compare", exact=True, level=1).wait_for()
    visitor.settle()
    assert [one for one in page.url.partition("?")[2].split("&") if one.startswith("runs=")] == [
        f"runs={name}" for name in best]
    visitor.no_stack_trace()
    with page.expect_download() as told:
        clicks += 1
        page.get_by_role("button", name="HTML file").click()
    written = Path(told.value.path()).read_text(encoding="utf-8")
    assert all(name in written for name in best) and "<html" in written
    assert clicks <= AT_MOST


def test_ticks_survive_a_search_another_page_and_the_keyboard_reaches_all(visitor: Visitor) -> None:
    visitor.open("runs?sort=seed&q=is:own")
    page, grid = visitor.page, visitor.page.get_by_role("grid")
    first = listed(visitor)[:3]
    grid.focus()
    visitor.act(lambda: page.keyboard.press("Space"))
    page.keyboard.press("ArrowDown")
    visitor.act(lambda: page.keyboard.press("Shift+ArrowDown"))
    page.get_by_text("3 ticked").wait_for()
    for _ in range(RUNS):
        page.keyboard.press("ArrowDown")
    assert page.locator(".row.active").get_attribute("aria-rowindex") == str(RUNS + 1), "to the very last"
    box = page.get_by_placeholder("Search: words")
    visitor.act(lambda: (box.fill("family=ae"), box.press("Enter")))
    page.get_by_text("of them not in this table").wait_for()
    visitor.choose("Families")
    visitor.choose("Runs")
    page.get_by_text("3 ticked").wait_for()
    visitor.open("runs?sort=seed&q=is:own")
    grid.focus()
    visitor.act(lambda: page.keyboard.press("Enter"))
    page.get_by_role("heading", name=first[0]).wait_for()
    assert f"open={first[0]}" in page.url
    visitor.no_stack_trace()


@pytest.mark.slow
@pytest.mark.parametrize("path", [
    "runs?q=family=vae&sort=-elbo&columns=title&columns=preview&columns=elbo&open=vae-00",
    "compare?runs=vae-00&runs=ae-01&section=Pictures"])
def test_one_link_in_two_browsers_gives_equal_pictures(browser: Browser, app: App, path: str) -> None:
    seen = []
    for _ in range(2):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        visitor = Visitor(context.new_page(), app)
        visitor.open(path)
        visitor.page.wait_for_load_state("networkidle")
        visitor.settle()
        visitor.no_stack_trace()
        seen.append(still(visitor))
        context.close()
    first, second = seen
    assert first.std() > 5, "something is drawn"
    assert unlike(first, second) < 1e-5, "but for edges of letters, which are not rounded alike"


def unlike(a: np.ndarray, b: np.ndarray) -> float:
    """The share of pixels that differ by more than 2 of 255."""
    return 1.0 if a.shape != b.shape else float((np.abs(a - b).max(-1) > 2).mean())


def still(visitor: Visitor) -> np.ndarray:
    """The page once four looks at it are alike: (H, W, 3)."""
    before, stood = np.zeros(0), 0
    for _ in range(40):
        png = visitor.page.screenshot(animations="disabled", caret="hide")
        now = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        stood = stood + 1 if unlike(now, before) == 0 else 0
        if stood == 3:
            return now
        before = now
        visitor.page.wait_for_timeout(250)
    raise AssertionError("the page does not come to rest")


def test_a_preview_is_fetched_only_for_rows_in_sight(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url) if "/previews/" in request.url else None)
    visitor.open("runs?q=is:own")
    listed(visitor)
    visitor.page.wait_for_load_state("networkidle")
    assert 0 < len(asked) < 30
