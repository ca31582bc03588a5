"""Every page paints, wide and narrow, light and dark, without an error, and for everybody; deep links work at once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import GROUPS, ROOT, App, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.looks]
PAGES = {"": "Latent Lab", "train?preset=vae-minute": "Train", "monitor?runs=gallery/vae": "Monitor",
         "traverse?run=gallery/vae&view=Samples&images=16&draws=3&example=2": "Traverse",
         "compare?runs=gallery/vae&runs=gallery/pca": "Compare",
         "monitor?runs=gallery/lagging-basic&section=Latent use&sorted=true": "Monitor",
         "sentences?run=gallery/lagging-aggressive&view=Samples&temperature=0.3&seed=2": "Sentences",
         "experiments?experiment=gamma": "Experiments", "traverse?run=gallery/vae-vamp": "Traverse",
         "evaluate?run=gallery/rbm&off=samples&off=cost&seed=3": "Evaluate",
         "families?energy-based=gallery/rbm": "Families",
         "runs?open=gallery/pca": "Runs", "claims?claim=C12&verdict=reproduced": "Claims",
         "latent-map?method=pca&split=kept": "Latent map",
         "cross-modal?samples=4&temperature=0.5&redraw=1": "Cross-modal",
         "video?run=gallery/svg-lp-mnist&roll=1&clip=2&futures=2&horizon=8&seed=4&shown=2&frame=9&view=Save": "Video",
         "sweeps?preset=vae-digits&over=model.latent_size=2, 8": "Sweeps", "talk": "Talk",
         "lecture": "Lecture", "lecture?section=variational-autoencoder-loss-function&term=KL": "Lecture"}
LOOKS = [(390, 844, "light"), (1440, 900, "light"), (1920, 1080, "dark")]

SEEN = """() => {
  const found = [];
  const walk = root => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) walk(each.shadowRoot);
      if (each.matches("input, textarea")) found.push(`${each.ariaLabel} ${each.value} ${each.checked}`);
      if (each.matches("[aria-selected=true], [aria-checked=true]")) found.push(each.textContent);
      if (each.matches("img")) found.push(each.src);
      if (each.matches(".tile:not([data-state=none]) canvas")) found.push(each.toDataURL());
    }
  };
  walk(document.querySelector("[data-testid=stMain]"));
  return found;
}"""  # what is set, and the pictures that do not depend on the window's size
STILL = f"""() => {{
  const now = String(({SEEN})());
  window.stood = now === window.seen ? window.stood + 1 : 0;
  window.seen = now;
  return window.stood > 1;
}}"""
UNREAD = """() => [...document.querySelectorAll("button:disabled")].filter(each => each.textContent.trim() &&
  getComputedStyle(each.querySelector("p") ?? each).color ===
  getComputedStyle(document.querySelector(".stApp")).backgroundColor).map(each => each.textContent)"""
ALIKE = f"wanted => (now => wanted.every(each => now.includes(each)))(({SEEN})())"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[App]:
    """A server that nobody has visited, started as at a visitor's."""
    app = App(tmp_path)
    app.begin = subprocess.Popen
    shutil.copytree(ROOT / "trained" / "gallery" / "pca", tmp_path / "gallery" / "pca")
    app.start()
    yield app
    app.kill()


def addressed(title: str) -> str:
    """The address of the page called so."""
    return title.lower().replace(" ", "-")


@pytest.mark.parametrize("title", [pytest.param("Latent Lab", marks=pytest.mark.slow), "Traverse"])  # told what to show
def test_deep_link_first(browser: Browser, fresh: App, title: str) -> None:
    """The first visitor of a server comes by a link: page and navigation are there, and never another page."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    visitor = Visitor(context.new_page(), fresh)
    visitor.open("" if title == "Latent Lab" else f"{addressed(title)}?run=gallery/pca")
    visitor.page.get_by_role("heading", name=title, exact=True, level=1).wait_for()
    visitor.no_stack_trace()
    assert visitor.lost == 0 and visitor.page.get_by_role("dialog").count() == 0, "no word of a page that is not found"
    assert visitor.page.get_by_test_id("stTopNavSection").all_inner_texts() == list(GROUPS)
    assert visitor.page.get_by_test_id("stSidebarNav").count() == 0, "the old page discovery lists files there"
    if title == "Traverse":
        chosen = visitor.page.get_by_test_id("stSelectbox").first.locator("input").input_value()
        assert chosen.startswith("gallery/pca"), "and the run that the link names is chosen"
    context.close()


def test_the_menu_names_every_page(visitor: Visitor) -> None:
    visitor.open()
    for group, titles in GROUPS.items():
        visitor.page.get_by_test_id("stTopNavSection").filter(has_text=group).click()
        entries = visitor.page.get_by_role("menuitem")
        entries.first.wait_for()
        links = [(entry.get_attribute("href") or "").removeprefix(f"{visitor.app.address}/") for entry in entries.all()]
        assert links == list(map(addressed, titles))
        visitor.page.keyboard.press("Escape")


@pytest.mark.timeout(600)
def test_pages_paint(visitor: Visitor) -> None:
    """Each is opened once on a phone in the light theme; then its window is wide, and the theme dark."""
    page, app = visitor.page, visitor.page.get_by_test_id("stApp")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for path, heading in PAGES.items():
        page.set_viewport_size({"width": 390, "height": 844})
        page.emulate_media(color_scheme="light")
        visitor.open(path)
        page.get_by_role("heading", name=heading, exact=True).first.wait_for()
        for width, height, scheme in LOOKS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": height})
            expect(app).to_have_css("color-scheme", scheme)
            visitor.settle()
            assert page.evaluate(UNREAD) == [], "what a button that is off would do can be read"
            overflow = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
            assert overflow <= 0, f"{heading} scrolls sideways at {width}"
            if scheme == "dark" and path:  # all else is as it was in the light
                visitor.no_serious_finding("color-contrast")
            elif width != 1440:
                visitor.no_serious_finding()
        visitor.no_stack_trace()
    page.set_viewport_size({"width": 390, "height": 844})  # the menu lies over the page, until a page is chosen in it
    page.get_by_test_id("stExpandSidebarButton").click()
    visitor.act(page.get_by_test_id("stSidebarNavLink").filter(has_text="Families").click)
    page.get_by_test_id("stExpandSidebarButton").wait_for()
    outside = [url for url in requests if not url.startswith((visitor.app.address, "data:", "blob:"))]
    assert outside == [], "nothing is fetched from elsewhere"


@pytest.mark.slow
def test_a_link_shows_the_same_in_any_browser(browser: Browser, app: App) -> None:
    seen: dict[str, list[str]] = {}  # by address, in the first
    for width in (1440, 390):
        with browser.new_context(viewport={"width": width, "height": 900}) as context:
            visitor = Visitor(context.new_page(), app)
            for path in PAGES:
                visitor.open(path)
                visitor.page.wait_for_function(ALIKE if path in seen else STILL, arg=seen.get(path), polling=100)
                seen.setdefault(path, visitor.page.evaluate(SEEN))
