"""A comparison as one HTML file, opened from disk in a browser whose network is off."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.pages import demo
from vaecore.comparison.planes import uses
from vaecore.explore.export.comparison import comparison_page
from vaecore.schema import ConfigError
from vaecore.store import Run, Store

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=window.hacked=1>"
SHADOW = "[...document.querySelectorAll('main section div')].map(each => each.shadowRoot).filter(Boolean)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A VAE, a collapsed one, an autoencoder and a copy of the first, whose name is markup."""
    root = tmp_path_factory.mktemp("compared")
    found = [Store(demo.store()).find(name) for name in ("runs/vae", "collapsed", "ae")]
    shutil.copytree(found[0].path, root / HOSTILE)
    return [*found, Run(root / HOSTILE)]


def test_all_of_it_is_there_without_a_network_and_names_are_words(browser: Browser, runs: list[Run], tmp_path: Path
                                                                  ) -> None:
    path = tmp_path / "comparison.html"
    path.write_bytes(comparison_page(runs, count=4))
    context = browser.new_context(viewport={"width": 1300, "height": 900}, offline=True)
    page = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"file://{path}")
    page.locator("h2").last.wait_for()
    page.wait_for_timeout(600)  # until all is drawn: the page's policy forbids `wait_for_function`
    assert [title.text_content() for title in page.locator("h2").all()] == [
        "What differs", "Numbers", f"Differences from {runs[0].id}", "Cost", "Curves", "Rate and distortion",
        "KL by dimension", "Use of the code", "Not in these pictures", "The same noise", "The same images"]
    labels = page.evaluate(f"() => {SHADOW}.flatMap(root => [...root.querySelectorAll('canvas')])"
                           ".map(each => each.getAttribute('aria-label'))")
    [use, *_], _ = uses(runs[:1])
    assert any(words.startswith("ELBO. Last values: vae training") for words in labels)
    assert any(f"vae ends at step 0, rate {use.rate:.2f}, distortion {use.distortion:.2f}" in words for words in labels)
    assert any(f"vae: {use.rate:.2f} nats in all, {use.active()} of 8 active" in words for words in labels)
    notes = page.evaluate(f"() => {SHADOW}.map(root => root.querySelector('.notes')?.textContent).find(Boolean)")
    assert notes == f"{HOSTILE} lies exactly on vae."
    # Curves are live: another measure lies across at once.
    across = page.evaluate(f"""() => {{
      const root = {SHADOW}.find(each => each.querySelector('.curves'));
      const select = root.querySelector('.controls select');
      select.value = 'epoch';
      select.dispatchEvent(new Event('change'));
      return new Promise(resolve => setTimeout(() => resolve(
        root.querySelector('canvas').getAttribute('aria-label').match(/Across: (.*?), (.*?)\\./)[1]), 200));
    }}""")
    assert across == "epoch"
    assert page.locator(".pictures img").count() == 4 + 5, "noise through four, and data with the originals"
    assert page.evaluate("() => window.hacked === undefined && [...document.images].every(each => each.naturalWidth)")
    assert page.locator("table").first.locator("th", has_text=HOSTILE).count() == 1
    assert all(address.startswith(("file:", "blob:", "data:")) for address in asked), asked
    assert wrong == []
    refused = page.evaluate("""() => new Promise(resolve => {
      document.addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective), { once: true });
      fetch("https://example.org/").catch(() => {});
    })""")
    assert refused == "connect-src"
    context.close()


def test_a_comparison_is_of_two_to_twelve(runs: list[Run]) -> None:
    for wrong in (runs[:1], [runs[0], runs[0]], [Run(Path(f"/tmp/{i}")) for i in range(13)]):
        with pytest.raises(ConfigError, match="two to 12"):
            comparison_page(wrong)


def test_without_the_dashboard_it_says_so(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dashboard's files"):
        comparison_page(runs[:2], components=tmp_path)


def test_what_cannot_be_shown_says_why_in_its_place(runs: list[Run], tmp_path: Path) -> None:
    broken = tmp_path / "runs" / "broken"
    shutil.copytree(runs[0].path, broken)
    (broken / "weights.safetensors").write_bytes(b"no weights")
    page = comparison_page([runs[0], Run(broken)], count=2).decode()
    assert "broken" in page and "Without pictures" in page
