"""A checkpoint as one HTML file, opened from disk in a browser whose network is off."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from safetensors import safe_open
from safetensors.torch import save_file

from tests.browser.conftest import ROOT
from vaecore.explore import Checkpoint
from vaecore.explore.export.html import curves_message, html_page
from vaecore.store import Run, Store

HOSTILE = "<img src=x onerror=window.hacked=1>"
CLOSING = "</script><script>window.hacked=2</script><!--"
HAND = "document.querySelector('main section div')?.shadowRoot?.querySelector('.hand')"
Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """`opened(page, script)`: a page's bytes as a file, in a browser without a network; `asked` are its requests."""
    contexts = []

    def at(page: bytes, script: str = "") -> Page:
        path = tmp_path / "alone.html"
        path.write_bytes(page)
        context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        contexts.append(context)
        if script:
            context.add_init_script(script)
        there = context.new_page()
        there.asked, there.wrong = [], []  # type: ignore[attr-defined]
        there.on("request", lambda request: there.asked.append(request.url))  # type: ignore[attr-defined]
        there.on("pageerror", lambda error: there.wrong.append(str(error)))  # type: ignore[attr-defined]
        there.goto(f"file://{path}")
        drawn(there)
        return there

    yield at
    for context in contexts:
        context.close()


def drawn(page: Page, more_than: int = 0) -> int:
    """Wait until the hand has drawn once more; how often it has. The page's policy forbids Playwright's own waiting."""
    for _ in range(600):
        count = page.evaluate(f"() => Number({HAND}?.dataset.drawn ?? 0)")
        if count > more_than:
            return int(count)
        page.wait_for_timeout(50)
    raise AssertionError(f"nothing was drawn: {page.wrong}")  # type: ignore[attr-defined]


def pixels(page: Page) -> np.ndarray:
    """The grey levels of the picture."""
    width, height, values = page.evaluate(f"""() => {{
      const canvas = {HAND}.querySelector(".panes canvas");
      const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return [image.width, image.height, Array.from(image.data)];
    }}""")
    return np.array(values).reshape(height, width, 4)[..., 0]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of 8 x 8 digits whose every name is markup."""
    from vaecore.config import changed, preset
    from vaecore.training import train

    class Unwatched:
        def stop_requested(self) -> bool:
            return False

        def progress(self, step: int, total: int, epoch: float) -> None:
            pass

    store = Store(tmp_path_factory.mktemp("alone"))
    run = store.create(changed(preset("vae-digits"), ["training.epochs=2"]), "run")
    train(run.path, Unwatched())
    path = run.path / "examples.safetensors"
    with safe_open(path, "pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    save_file(kept, path, {"classes": json.dumps([HOSTILE, CLOSING, *map(str, range(2, 10))])})
    about = json.loads((run.path / "about.json").read_text())
    (run.path / "about.json").write_text(json.dumps({**about, "family": HOSTILE, "data": CLOSING}))
    named = run.path.with_name(f"x\"'{HOSTILE}")
    shutil.move(run.path, named)
    return Run(named)


def test_sliders_move_the_picture_and_nothing_is_asked_for(small: Run, opened: Open) -> None:
    page = opened(html_page(small))
    slider = page.locator(".lists [role=slider]").first
    for key in ("ArrowRight", "ArrowRight", "PageUp", "ArrowRight"):
        before = drawn(page)
        slider.press(key)
        drawn(page, before)
    page.wait_for_timeout(600)  # until the address is written
    [text] = parse_qs(urlsplit(page.url).query)["z"]
    checkpoint = Checkpoint.load(small)
    units = np.zeros(checkpoint.size, np.float32)
    for place, word in enumerate(text.split(",")):
        units[place] = float(word or 0)
    assert np.abs(units).max() > 0.1
    expected = checkpoint.decode(checkpoint.place(units)[None])[0].astype(int)
    assert np.abs(pixels(page) - expected).max() <= 1
    asked: list[str] = page.asked  # type: ignore[attr-defined]
    assert all(address.startswith(("file:", "blob:", "data:")) for address in asked), asked
    assert page.wrong == []  # type: ignore[attr-defined]


def test_names_are_words_and_the_network_is_forbidden(small: Run, opened: Open) -> None:
    page = opened(html_page(small))
    assert page.evaluate("() => window.hacked === undefined && document.querySelector('img') === null")
    title = page.locator("h1").text_content()
    assert title == small.id and HOSTILE in title
    words = page.locator("h1 + p").text_content() or ""
    assert HOSTILE in words and CLOSING in words
    refused = page.evaluate("""() => new Promise(resolve => {
      document.addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective), { once: true });
      fetch("https://example.org/").catch(() => {});
    })""")
    assert refused == "connect-src"
    page.evaluate(f"() => {{ document.querySelector('h1').innerHTML = {HOSTILE!r}; }}")
    page.wait_for_timeout(200)
    assert page.evaluate("() => window.hacked === undefined"), "even where markup came in, its handlers do not run"


def test_curves_and_map_are_there_with_the_names_of_classes(small: Run, opened: Open) -> None:
    page = opened(html_page(small))
    shown = page.evaluate("""() => [...document.querySelectorAll("main section")].map(section => {
      const root = section.querySelector("div").shadowRoot;
      return [section.querySelector("h2")?.textContent ?? "", root.textContent, root.querySelectorAll("canvas").length];
    })""")
    assert [title for title, _, _ in shown] == ["", "Training", "Latent map"]
    assert all(canvases > 0 for _, _, canvases in shown)
    assert all(name in shown[1][1] for name in ("ELBO", "Reconstruction", "KL"))
    assert page.evaluate("() => window.hacked === undefined")


def test_it_works_where_the_browser_starts_no_worker(small: Run, opened: Open) -> None:
    page = opened(html_page(small), "delete window.Worker;")
    assert page.evaluate("() => typeof Worker") == "undefined"
    before = drawn(page)
    page.locator(".lists [role=slider]").first.press("ArrowRight")
    drawn(page, before)


def test_the_page_of_the_shipped_vae_is_small(opened: Open) -> None:
    run = Run(ROOT / "trained" / "gallery" / "vae")
    page = html_page(run)
    assert len(page) < 5_000_000
    checkpoint = Checkpoint.load(run)
    expected = checkpoint.decode(checkpoint.scale()[0][None])[0].astype(int)
    assert np.abs(pixels(opened(page)) - expected).max() <= 1


def test_what_a_file_of_metrics_says_wrongly_costs_itself(tmp_path: Path) -> None:
    fit: dict[str, Any] = {"reconstruction": {"x": -80.0}, "kl": {"z": []}}
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps({"kind": "evaluation", **line}) + "\n" for line in (
        {"step": 1, "elbo": -100.0, **fit}, {"step": 2, "elbo": "<b>", **fit}, {"step": "x", "elbo": 1, **fit},
        {"step": 3, "elbo": [1], **fit}, {"step": 4, "elbo": -90.0, **fit}, {"step": 5, "elbo": -1.0, "kl": 3})))
    sent = curves_message(Run(tmp_path))
    assert sent is not None
    length = int.from_bytes(sent[:4], "little")
    [panel] = json.loads(sent[4:4 + length])["panels"]
    [series] = [each for each in panel["series"] if each["points"]]
    numbers = np.frombuffer(sent, "<f4", 2 * series["points"], 4 + length).reshape(2, -1)
    assert numbers.tolist() == [[1, 4], [-100, -90]]
