"""Cross-modal in a real browser: sliders for all latents, every modality decoded as they move, and nothing sent."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator

from tests.browser.conftest import Visitor
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.latents import latents
from vaecore.explore.pictures import as_images, legible
from vaecore.store import Store

pytestmark = pytest.mark.looks
PICTURES = """() => {
  const hand = [...document.querySelectorAll("*")].map(e => e.shadowRoot?.querySelector(".hand")).find(Boolean);
  return [...hand.querySelectorAll(".panes figure")].map(figure => {
    const canvas = figure.querySelector("canvas"), rows = [...figure.querySelectorAll(".pane-said")];
    let text = "";
    if (canvas) {
      for (const byte of canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data) {
        text += String.fromCharCode(byte);
      }
    }
    return { size: canvas && [canvas.height, canvas.width], pixels: btoa(text), said: rows.map(r => r.textContent) };
  });
}"""


def hand(visitor: Visitor, run: str) -> Locator:
    """The hand of a run, once it has drawn."""
    visitor.open(f"cross-modal?run={run}")
    visitor.page.get_by_role("tab", name="Latents under the hand").click()
    found = visitor.page.locator(".hand")
    visitor.page.wait_for_function("() => [...document.querySelectorAll('*')].some(e => "
                                   "Number(e.shadowRoot?.querySelector('.hand')?.dataset.drawn) > 0)")
    visitor.page.wait_for_timeout(800)
    visitor.settle()
    return found


def codes(checkpoint: CrossModal, address: str) -> dict[str, torch.Tensor]:
    """The codes that an address means."""
    from urllib.parse import parse_qs, urlparse

    query = parse_qs(urlparse(address).query)
    found = {}
    several = len(checkpoint.model.latents) > 1
    for facts in latents(checkpoint):
        [text] = query.get(f"z.{facts.name}" if several else "z", [""])
        units = np.zeros(facts.size, np.float32)
        for place, word in enumerate(text.split(",")):
            units[place] = float(word or 0)
        found[facts.name] = torch.from_numpy(facts.place(units)[None])
    return found


@pytest.mark.parametrize("run", [
    "gallery/mvae", *(pytest.param(run, marks=pytest.mark.slow) for run in ("gallery/dmvae", "gallery/jive"))])
def test_a_drag_moves_what_is_drawn_of_every_modality_and_sends_nothing(visitor: Visitor, run: str) -> None:
    frames: list[Any] = []
    visitor.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame) or None))
    bench = hand(visitor, run)
    checkpoint = CrossModal.load(Store.default().find(run))
    bench.get_by_role("button", name="Reset").click()  # where no class is sure
    visitor.page.wait_for_timeout(500)
    before = visitor.page.evaluate(PICTURES)
    assert len(before) == len(checkpoint.modalities)
    slider = bench.locator(".track").first
    slider.scroll_into_view_if_needed()
    track = slider.bounding_box()
    assert track is not None
    sent = len(frames)
    mouse, y = visitor.page.mouse, track["y"] + track["height"] / 2
    mouse.move(track["x"] + track["width"] / 2, y)
    mouse.down()
    for step in range(20):
        mouse.move(track["x"] + track["width"] * (0.5 + 0.02 * step), y)
        visitor.page.wait_for_timeout(16)
    moving = visitor.page.evaluate(PICTURES)
    assert len(frames) == sent, "no message while dragging"
    mouse.up()
    visitor.page.wait_for_timeout(800)
    assert len(frames) <= sent + 1
    assert all(one != other for one, other in zip(before, moving, strict=True)), "every modality moves while dragging"

    found, address = visitor.page.evaluate(PICTURES), visitor.page.evaluate("location.href")
    with torch.inference_mode():
        decoded = checkpoint.model.decode(codes(checkpoint, address))
    for (name, modality), seen in zip(checkpoint.modalities.items(), found, strict=True):
        mean = decoded[name].mean
        if modality.kind == "label":
            assert seen["said"] == [f"{100 * chance:.0f} %" for chance in mean[0].tolist()]
            continue
        wanted = legible(as_images(mean))[0]
        pixels = np.frombuffer(base64.b64decode(seen["pixels"]), np.uint8).reshape(*seen["size"], 4)
        off = np.abs(pixels[..., 0].astype(int) - (wanted if wanted.ndim == 2 else wanted[..., 0]))
        assert off.max() <= 3, "as the server decodes it, but for three decimals and half precision"


@pytest.mark.slow
def test_the_sliders_begin_at_the_code_of_what_is_given_and_follow_it(visitor: Visitor) -> None:
    hand(visitor, "gallery/mvae")
    checkpoint = CrossModal.load(Store.default().find("gallery/mvae"))

    def close(label: int) -> bool:
        mean = checkpoint.means({"label": checkpoint.label("label", label)})
        found = codes(checkpoint, visitor.page.evaluate("location.href"))
        return all(np.abs(found[name][0].numpy() - mean[name]).max() < 2e-3 for name in mean)

    assert close(3)
    visitor.act(lambda: visitor.page.locator(".st-key-class-gallery-mvae-label").get_by_text("7", exact=True).click())
    visitor.page.wait_for_timeout(1000)
    assert close(7)
    address = visitor.page.evaluate("location.href")
    visitor.act(lambda: visitor.page.goto(address))
    visitor.page.wait_for_timeout(1500)
    assert visitor.page.get_by_role("tab", name="Latents under the hand").get_attribute("aria-selected") == "true"
    assert close(7), "what the address says counts more than what is given"
    visitor.no_stack_trace()
