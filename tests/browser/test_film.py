"""Pictures while it learns, on Monitor in a real browser: they come while a run trains, and nothing else moves."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import App, Visitor
from tests.training.runs import small
from vaecore import album, lab
from vaecore.config import RunConfig
from vaecore.schema import parse
from vaecore.store import Store

# Counts the elements of the pictures that are taken away or replaced; words may change.
WATCH = """film => { window.removed = 0;
  new MutationObserver(all => all.forEach(one => one.removedNodes.forEach(node => {
    window.removed += node.nodeType === 1; }))).observe(film, { childList: true, subtree: true }); }"""


def test_pictures_come_while_a_run_trains_and_are_stepped_through(visitor: Visitor, app: App) -> None:
    page = visitor.page
    values = small(epochs=60, batch_size=32, pace=60, evaluate_every=5)  # 480 steps, 8 s
    run = Store(app.store).create(parse(RunConfig, values), "drawing")
    lab.submit(run.path)
    page.goto(f"{app.address}/monitor?runs={run.id}")
    film = page.locator(".film")
    slider = film.get_by_label("Step of the pictures")
    expect(film.locator(".row canvas")).to_have_count(4, timeout=60_000)  # given, reconstructions, samples, walk
    film.evaluate(WATCH)
    top = page.get_by_text("Curves", exact=True).bounding_box()
    seen = set()
    while lab.status(run.path).state in lab.LIVE:
        seen.add(slider.input_value())
        page.wait_for_timeout(300)
    assert len(seen) >= 5, "it follows, picture by picture"
    steps = [each.step for each in album.read(run.path).pages]
    assert len(steps) >= 15
    expect(film.locator(".field .said")).to_have_text(str(steps[-1]), timeout=20_000)
    assert page.evaluate("window.removed") == 0
    assert page.get_by_text("Curves", exact=True).bounding_box()["y"] == top["y"]
    film.locator("canvas").first.hover()  # the keys are the player's while the pointer is over it
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(400)
    expect(film.locator(".field .said")).to_have_text(str(steps[-2]))
    assert f"step={steps[-2]}" in page.url
    page.reload()
    expect(page.locator(".film .field .said")).to_have_text(str(steps[-2]), timeout=60_000)
    with page.expect_download() as saved:
        page.locator(".film").get_by_role("link", name="Film").click()
    assert Path(saved.value.path()).read_bytes()[:6] == b"GIF89a"
