"""Home's live plane in a real browser: what is under the pointer is what the decoder draws there."""

import numpy as np
import pytest
import torch

from tests.browser.conftest import ROOT, Call, Visitor
from vaecore.explore import Checkpoint
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.store import Run

pytestmark = pytest.mark.looks
DRAWN = """() => {
  const root = [...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('.field')).find(Boolean);
  const canvas = root?.querySelector('.digit canvas');
  if (!root?.dataset.drawn) return null;
  const { width, height } = canvas;
  return { z: root.dataset.drawn.split(',').map(Number), tiled: root.dataset.tiled === 'true', width,
           pixels: [...canvas.getContext('2d').getImageData(0, 0, width, height).data].filter((_, i) => i % 4 === 0),
           code: root.querySelector('dd').textContent, kl: root.querySelectorAll('dd')[1].textContent };
}"""


@pytest.mark.browser
def test_the_digit_follows_pointer_and_keys_without_a_word_to_the_server(visitor: Visitor) -> None:
    page = visitor.page
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    visitor.open("")
    page.wait_for_function(f"() => ({DRAWN})()?.tiled")
    page.wait_for_function(f"() => ({DRAWN})()?.kl !== ''")
    page.get_by_text("is being measured").wait_for(state="hidden")  # how long a minute takes here
    visitor.settle()
    assert sent, "what goes to the server is seen"
    sent.clear()
    hand = page.locator("canvas.hand")
    box = hand.bounding_box()
    assert box is not None
    seen = set()
    for step in range(12):
        page.mouse.move(box["x"] + (0.2 + 0.05 * step) * box["width"], box["y"] + 0.3 * box["height"])
        page.wait_for_timeout(60)
        seen.add(tuple(page.evaluate(DRAWN)["z"]))
    hand.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    drawn = page.evaluate(DRAWN)
    assert len(seen) > 6 and tuple(drawn["z"]) not in seen
    checkpoint = Checkpoint.load(Run(ROOT / "trained" / "gallery" / "vae-plane"))
    expected = checkpoint.decode(np.array([drawn["z"]], np.float32))[0]
    assert np.abs(np.array(drawn["pixels"]).reshape(28, 28) - expected.astype(int)).max() <= 1
    assert not sent, "nothing went to the server"
    visitor.no_stack_trace()


@pytest.mark.slow
@pytest.mark.browser
def test_the_plane_is_saved_with_its_point_and_words(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("")
    page.wait_for_function(f"() => ({DRAWN})()?.tiled")
    field = page.locator(".field")
    field.locator("summary").click()
    with page.expect_download() as waiting:
        field.get_by_role("button", name="SVG", exact=True).click()
    assert waiting.value.suggested_filename == "gallery-vae-plane-plane.svg"
    saved = waiting.value.path().read_text()
    assert page.evaluate(DRAWN)["code"] in saved and saved.count("<image") == 2 and "#fff" in saved
    visitor.no_stack_trace()


@pytest.mark.browser
def test_a_click_opens_the_same_point_in_traverse(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("")
    page.wait_for_function(f"() => ({DRAWN})()?.tiled")
    box = page.locator("canvas.hand").bounding_box()
    assert box is not None
    address = page.url
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.75 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"], steps=3)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert page.url == address, "a drag moves the digit and stays"
    first, second = page.evaluate(DRAWN)["z"]
    visitor.act(lambda: page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"]))
    page.get_by_role("heading", name="Traverse", exact=True).wait_for()
    assert "run=gallery%2Fvae-plane" in page.url or "run=gallery/vae-plane" in page.url
    told = page.url.split("z=")[1].split("&")[0].replace("%2C", ",").split(",")
    assert [float(value) for value in told] == pytest.approx([first, second], abs=6e-4)
    visitor.act(page.go_back)
    page.get_by_role("heading", name="Latent Lab", exact=True).wait_for()


def test_the_kl_is_equation_16_and_the_plane_is_laid_out_from_the_top_left(call: Call) -> None:
    """KL(N(mean, sigma^2) || N(0, I)) in nats: 0 of the prior itself, and 0.5 (m^2 + s^2 - ln s^2 - 1) a dimension."""
    given = {"mean": [0.5, -2.0], "sigma": [0.1, 1.5]}
    expected = DiagonalGaussian(torch.tensor([given["mean"]]), 2 * torch.tensor([given["sigma"]]).log())
    asked = "({ mean, sigma }) => m.nats(Float32Array.from(mean), Float32Array.from(sigma))"
    assert call("field/field.js", asked, given) == pytest.approx(float(expected.kl_from_standard().sum()), rel=1e-5)
    assert call("field/field.js", asked, {"mean": [0, 0], "sigma": [1, 1]}) == 0
    corners = call("field/field.js", "reach => { const z = [...m.places(reach, 0, 21)]; return [...z.slice(0, 2), "
                   "...z.slice(-2)]; }", 21)
    assert corners == pytest.approx([-20, 20, 20, -20]), "to the right and upwards both numbers grow"
    assert call("field/field.js", "m.reach", [0.5, -1]) == 3 and call("field/field.js", "m.reach", [9] * 10) == 9
