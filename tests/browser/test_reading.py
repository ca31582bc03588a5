"""A picture from outside in a real browser: drawn, it is read as the pen moves; uploaded, what was done is undone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Call, Visitor
from vaecore.explore import Checkpoint
from vaecore.explore.maps.at_hand import at_hand
from vaecore.explore.observed import observed
from vaecore.explore.reading import Yardstick
from vaecore.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.looks]
SEVEN = [(0.25, 0.2), (0.75, 0.2), (0.6, 0.5), (0.45, 0.85)]
# What a canvas shows, as grey levels.
PIXELS = """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)
  .filter((_, i) => i % 4 === 0)"""


def opened(visitor: Visitor, run: str) -> Page:
    visitor.open(f"traverse?run=gallery/{run}")
    visitor.act(lambda: visitor.page.get_by_role("tab", name="Draw").click())
    return visitor.page


def press(page: Page, points: Sequence[tuple[float, float]]) -> None:
    """The pen goes down at the first point and moves to the last; it stays down."""
    canvas = page.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box: Any = canvas.bounding_box()
    first, *others = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=8)


def read(page: Page) -> dict[str, Any]:
    """What the page says of a picture, once it has read it."""
    expect(page.locator(".reading")).to_have_attribute("data-state", "read", timeout=60_000)  # networks are made once
    said: dict[str, str] = page.locator(".reading").evaluate("element => ({...element.dataset})")
    return {"code": np.array(said["code"].split(","), float), "error": float(said["error"]),
            "percentile": float(said["percentile"]),
            "pixels": np.array(page.locator(".reading figure canvas").first.evaluate(PIXELS), np.uint8),
            "made": np.array(page.locator(".reading figure canvas").nth(1).evaluate(PIXELS), np.uint8)}


def test_a_drawing_is_read_while_the_pen_is_down_and_nothing_is_sent(visitor: Visitor, monkeypatch: pytest.MonkeyPatch
                                                                     ) -> None:
    sent: list[object] = []
    visitor.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page = opened(visitor, "vae")
    expect(page.locator(".reading")).to_have_attribute("data-state", "blank")
    before, runs = len(sent), visitor.runs
    press(page, SEVEN[:2])
    first = read(page)
    press(page, SEVEN[1:])
    page.wait_for_timeout(300)
    whole = read(page)
    page.mouse.up()
    page.wait_for_timeout(500)
    assert len(sent) == before and visitor.runs == runs
    assert np.abs(first["code"] - whole["code"]).max() > 0.1, "it was read before the pen was lifted"
    checkpoint = Checkpoint.load(Store(visitor.app.store).find("gallery/vae"))
    monkeypatch.delenv("VAECORE_DATA", raising=False)  # as the server sees it
    beside = observed(checkpoint, 2_000, "test")
    there = checkpoint.encode_picture(whole["pixels"].reshape(1, 28, 28), yardstick=Yardstick.of(
        checkpoint, beside.x, beside.covariates, beside.source))
    np.testing.assert_allclose(whole["code"], there.code, atol=5e-3)
    assert np.abs(whole["made"] - (255 * there.reconstruction.numpy().ravel())).max() < 3
    assert whole["error"] == pytest.approx(there.error, rel=0.05)
    assert whole["percentile"] == pytest.approx(there.percentile, abs=1)
    expect(page.locator(".reading .said")).to_contain_text(f"% of {beside.source} are reconstructed better")
    nearest = page.locator(".reading .card").evaluate_all("cards => cards.map(card => Number(card.dataset.number))")
    near = checkpoint.yardstick.nearest(there.code, checkpoint.scale()[1])
    assert nearest[:3] == [each.number for each in near[:3]]
    assert there.kl is not None
    expect(page.locator(".reading .told .title")).to_contain_text(f"Code and KL: {there.kl.sum():.1f} nats, and")
    page.get_by_role("button", name="Send to the sliders").click()
    page.wait_for_function("new URLSearchParams(location.search).has('z')")
    units = np.array(page.evaluate("new URLSearchParams(location.search).get('z')").split(","), float)
    np.testing.assert_allclose(units, whole["code"], atol=2e-3)  # the prior is N(0, I): its unit is 1
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".reading")).to_have_attribute("data-state", "blank")
    assert len(sent) == before
    visitor.no_stack_trace()


def test_the_class_that_a_model_reads_is_chosen_in_the_page(visitor: Visitor) -> None:
    page = opened(visitor, "vae-conditional")
    press(page, SEVEN)
    page.mouse.up()
    page.wait_for_timeout(300)
    zero = read(page)
    page.get_by_label("The class that the model reads beside it").select_option("7")
    expect(page.locator(".reading")).not_to_have_attribute("data-error", str(zero["error"]))
    seven = read(page)
    there = Checkpoint.load(Store(visitor.app.store).find("gallery/vae-conditional")).encode_picture(
        seven["pixels"].reshape(1, 28, 28), 7)
    np.testing.assert_allclose(seven["code"], there.code, atol=2e-2)
    assert there.kl is not None
    expect(page.locator(".reading .told .title")).to_contain_text(f"{there.kl.sum():.1f} nats")


def test_a_photograph_is_read_and_what_was_done_is_undone(visitor: Visitor, tmp_path: Path) -> None:
    page = opened(visitor, "vae")
    visitor.act(lambda: page.get_by_role("radio", name="Upload").click())
    ink = np.zeros((120, 240))
    ink[30:90, 150:160] = ink[30:38, 120:160] = 1
    sheet = (200 - 150 * ink).astype(np.uint8)
    names = ["<img src=x onerror=alert(1)>.png", "packed.png", "tall.webp"]
    Image.fromarray(sheet).save(tmp_path / names[0])
    (tmp_path / names[1]).write_bytes(b"PK\x03\x04 nothing")
    Image.fromarray(sheet.T.copy()).convert("RGB").save(tmp_path / names[2])
    field = page.locator("input[type=file]")
    visitor.act(lambda: field.set_input_files([tmp_path / name for name in names]))
    expect(page.get_by_text("What is drawn found, cropped and placed as in the data; inverted")).to_be_visible()
    found = read(page)["pixels"]
    assert found.reshape(28, 28)[0].max() == 0 and found.max() > 200
    visitor.act(lambda: page.get_by_text("Find what is drawn").click())
    expect(page.get_by_text("Cut to the model's shape around its middle")).to_be_visible()
    expect(page.get_by_text("Invert it")).to_be_visible()
    page.wait_for_timeout(300)
    assert (read(page)["pixels"] != found).any()
    visitor.act(lambda: page.get_by_text("Find what is drawn").click())
    visitor.act(lambda: page.get_by_role("radio", name="2. packed.png").click())
    expect(page.get_by_text("a ZIP archive, whatever its name says")).to_be_visible()
    visitor.act(lambda: page.get_by_role("radio", name="3. tall.webp").click())
    read(page)
    assert page.locator("img[src=x]").count() == 0, "a file's name is a text"
    visitor.no_stack_trace()


def test_the_nearest_are_found_among_all_training_observations(visitor: Visitor, monkeypatch: pytest.MonkeyPatch
                                                               ) -> None:
    page = opened(visitor, "pca")
    press(page, SEVEN)
    page.mouse.up()
    page.wait_for_timeout(300)
    read(page)
    visitor.act(lambda: page.get_by_text("Search the training split").click())
    expect(page.locator(".reading .nearest .title")).to_contain_text("training observations", timeout=60_000)
    drawn = read(page)
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    checkpoint = Checkpoint.load(Store(visitor.app.store).find("gallery/pca"))
    codes = at_hand(checkpoint, "train", 60).encoded.means
    there = checkpoint.encode_picture(drawn["pixels"].reshape(1, 28, 28))
    far = np.linalg.norm((codes - there.code) / checkpoint.scale()[1], axis=1)
    found = page.locator(".reading .card").evaluate_all("cards => cards.map(card => Number(card.dataset.number))")
    assert found[:3] == np.argsort(far)[:3].tolist(), "by their codes in half precision"
    page.wait_for_function("""() => { const all = root => [...root.querySelectorAll("*")].flatMap(
        e => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
        return all(document).filter(e => e.matches(".card canvas")).every(c => c.width === 28); }""")
    visitor.no_stack_trace()


def test_what_the_page_computes(call: Call) -> None:
    module = "reading/reading.js"
    assert call(module, "([a, v]) => v.map(x => m.percentile(a, x))", [[0, 0.1, 1, 2], [0, 0.1, 0.5, 3]]) == [
        0, 25, 50, 100]
    assert call(module, "() => m.squared([0, 1, 0.5], [0.5, 1, 0])") == pytest.approx(0.5 / 3)
    rng = np.random.default_rng(0)
    mean, sigma, to, std = rng.normal(size=5), *rng.uniform(0.3, 2, (3, 5))
    kl = call(module, "([mean, sigma, prior]) => Array.from(m.klOf(mean, sigma, prior))",
              [mean.tolist(), sigma.tolist(), {"mean": to.tolist(), "std": std.tolist()}])
    normal = torch.distributions.Normal
    by_torch = torch.distributions.kl_divergence(normal(torch.tensor(mean), torch.tensor(sigma)),
                                                 normal(torch.tensor(to), torch.tensor(std)))
    np.testing.assert_allclose(kl, by_torch.numpy(), rtol=1e-9)
    codes, code, unit = rng.normal(size=(300, 5)), rng.normal(size=5), rng.uniform(0.5, 2, 5)
    found = call(module, "([codes, code, unit]) => m.nearest(codes, code, unit, 8)",
                 [codes.ravel().tolist(), code.tolist(), unit.tolist()])
    far = np.linalg.norm((codes - code) / unit, axis=1)
    assert [number for number, _ in found] == np.argsort(far)[:8].tolist()
    np.testing.assert_allclose([distance for _, distance in found], np.sort(far)[:8], rtol=1e-9)
    assert len(call(module, "() => m.nearest([1, 2], [0], [1], 8)")) == 2


def test_vectors_are_not_drawn(visitor: Visitor) -> None:
    visitor.open("traverse?run=gallery/ivae")
    expect(visitor.page.get_by_role("tab", name="Prior")).to_be_visible()
    expect(visitor.page.get_by_role("tab", name="Draw")).to_have_count(0)
