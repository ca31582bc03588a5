"""Every page paints, wide and narrow, light and dark, without an error; deep links work on a server just started."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import App, Visitor

pytestmark = pytest.mark.browser
PAGES = {"": "Latent Lab", "train": "Train", "monitor?runs=gallery/vae": "Monitor",
         "traverse?run=gallery/vae": "Traverse", "compare?runs=gallery/vae&runs=gallery/pca": "Compare",
         "monitor?runs=gallery/lagging-basic&section=Latent use": "Monitor",
         "sentences?run=gallery/lagging-aggressive": "Sentences", "experiments?experiment=gamma": "Experiments",
         "traverse?run=gallery/vae-vamp": "Traverse", "evaluate?run=gallery/rbm": "Evaluate", "families": "Families",
         "claims": "Claims", "cross-modal": "Cross-modal", "video": "Video"}


def test_deep_link_first(visitor: Visitor) -> None:
    """The first visitor of a server comes by a link: navigation and page are there all the same."""
    visitor.open("traverse?run=gallery/pca")
    visitor.page.get_by_role("heading", name="Traverse").wait_for()
    visitor.page.get_by_role("link", name="Monitor").first.wait_for()
    chosen = visitor.page.get_by_test_id("stSelectbox").first.locator("input").input_value()
    assert chosen.startswith("gallery/pca"), "and the run that the link names is chosen"


@pytest.mark.parametrize(("width", "height", "scheme"),
                         [(1440, 900, "light"), (1920, 1080, "dark"), (390, 844, "light")])
def test_pages_paint(browser: Browser, app: App, width: int, height: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    visitor = Visitor(context.new_page(), app)
    requests: list[str] = []
    visitor.page.on("request", lambda request: requests.append(request.url))
    for path, heading in PAGES.items():
        visitor.open(path)
        visitor.page.get_by_role("heading", name=heading, exact=True).first.wait_for()
        visitor.settle()
        visitor.no_stack_trace()
        overflow = visitor.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{heading} scrolls sideways at {width}"
    outside = [url for url in requests if not url.startswith((app.address, "data:", "blob:"))]
    assert outside == [], "nothing is fetched from elsewhere"
    context.close()
