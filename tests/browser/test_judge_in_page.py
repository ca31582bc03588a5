"""The judge in the browser, over what the decoder draws there: held to the judge called directly."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.browser.conftest import App, Call, Visitor
from tests.pages import demo
from vaecore.data.base import cache_folder
from vaecore.evaluate import classifier as classifiers
from vaecore.explore.export.graph import NoGraph
from vaecore.explore.export.kept import kept
from vaecore.explore.opening import opened
from vaecore.explore.single import Checkpoint
from vaecore.store import Store

CODES = 200
ANSWERED = """async e => {
  const { answers } = await import("/lib/verdict.js");
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const [decoder, judge] = [m.parse(bytes(e.decoder)), m.parse(bytes(e.judge))];
  const z = new Float32Array(bytes(e.codes).buffer);
  const pictures = m.run(decoder, { z }, e.count)["image.mean"];
  const { logits } = m.run(judge, { image: pictures }, e.count);
  const classes = e.classes, said = [], size = logits.length / e.count;
  for (let i = 0; i < e.count; i++) {
    const [first] = answers(logits.subarray(i * size, (i + 1) * size), classes);
    said.push([first.name, first.chance]);
  }
  let text = "";
  for (const byte of new Uint8Array(pictures.buffer, pictures.byteOffset, pictures.byteLength)) {
    text += String.fromCharCode(byte);
  }
  return [said, btoa(text)];
}"""


def test_the_page_says_what_the_judge_says(call: Call, monkeypatch: pytest.MonkeyPatch,
                                           tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same class and the same probability, within a thousandth, for 200 decoded codes."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(classifiers, "UPDATES", 150)
    checkpoint = opened(Store.default().find("gallery/vae"))
    assert isinstance(checkpoint, Checkpoint)
    with pytest.raises(NoGraph, match="has not been made yet"):
        kept(checkpoint.run, "judge")
    judge = checkpoint.judge(make=True)
    assert judge is not None and judge.accuracy > 0.6
    codes = np.random.default_rng(0).standard_normal((CODES, checkpoint.size)).astype("<f4")

    said, pixels = call("lib/graph.js", ANSWERED, {
        "decoder": base64.b64encode(kept(checkpoint.run, "decoder").bytes).decode(),
        "judge": base64.b64encode(kept(checkpoint.run, "judge").bytes).decode(),
        "codes": base64.b64encode(codes.tobytes()).decode(), "count": CODES, "classes": list(judge.classes)})
    pictures = np.frombuffer(base64.b64decode(pixels), "<f4").reshape(CODES, *checkpoint.shape)
    with torch.inference_mode():
        decoded = checkpoint.model.decode({"z": torch.from_numpy(codes)})["image"].mean
    assert np.abs(pictures - decoded.numpy()).max() < 5e-3
    wanted = judge.probabilities(torch.from_numpy(pictures.copy()))
    assert [name for name, _ in said] == [judge.classes[c] for c in wanted.argmax(1)]
    assert len({name for name, _ in said}) > 5
    np.testing.assert_allclose([chance for _, chance in said], wanted.max(1), atol=1e-3)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A dashboard over a few runs on 8 x 8 digits, with an empty cache: no judge has been made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAECORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        store = tmp_path_factory.mktemp("judged")
        shutil.copytree(demo.store(), store, dirs_exist_ok=True)
        app = App(store)
        app.start()
        yield app
        app.kill()


@pytest.mark.slow
def test_a_judge_is_made_when_it_is_asked_for_and_answers_while_the_hand_moves(visitor: Visitor) -> None:
    judges = cache_folder() / "judges"
    visitor.open("traverse?run=vae")
    hand = visitor.page.locator(".hand")
    drawn = ("() => [...document.querySelectorAll('*')].some(e => "
             "Number(e.shadowRoot?.querySelector('.hand')?.dataset.drawn) > 0)")
    visitor.page.wait_for_function(drawn)
    assert hand.locator(".verdict").count() == 0 and not judges.exists(), "nothing is trained because a page is opened"
    visitor.page.get_by_role("button", name="Make the judge").click()
    hand.locator(".verdict-class").wait_for(timeout=120_000)
    visitor.settle()
    assert visitor.page.get_by_role("button", name="Make the judge").count() == 0

    frames: list[object] = []
    checkpoint = opened(Store(visitor.app.store).find("vae"))
    assert isinstance(checkpoint, Checkpoint)
    judge = checkpoint.judge()
    assert judge is not None and judge.accuracy > 0.95
    title = hand.locator(".verdict").get_attribute("title")
    assert title is not None and f"The judge: {judge.name}. It is right on 9" in title
    visitor.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame) or None))
    visitor.open("traverse?run=vae&z=1.5,-1,0.5,1")
    visitor.page.wait_for_function(drawn)
    visitor.page.wait_for_timeout(1_000)
    shown = hand.locator(".verdict-class").inner_text(), hand.locator(".verdict-share").inner_text()
    units = np.zeros((1, checkpoint.size), np.float32)
    units[0, :4] = 1.5, -1, 0.5, 1
    with torch.inference_mode():
        picture = checkpoint.model.decode({"z": torch.from_numpy(checkpoint.place(units))})["image"].mean
    chances = judge.probabilities(picture)[0]
    assert shown[0] == judge.classes[chances.argmax()]
    assert abs(float(shown[1].removesuffix(" %")) - 100 * chances.max()) < 1.1

    slider = hand.locator(".track").first
    slider.scroll_into_view_if_needed()
    track = slider.bounding_box()
    assert track is not None
    sent, seen = len(frames), set()
    visitor.page.mouse.move(track["x"] + track["width"] / 2, track["y"] + 20)
    visitor.page.mouse.down()
    for step in range(30):
        visitor.page.mouse.move(track["x"] + track["width"] * (0.9 - 0.027 * step), track["y"] + 20)
        visitor.page.wait_for_timeout(20)
        seen.add(hand.locator(".verdict").get_attribute("aria-label"))
    assert len(seen) > 3, "it answers while the hand moves"
    assert len(frames) == sent
    visitor.page.mouse.up()

    visitor.page.get_by_role("tab", name="Interpolate").click()
    names = visitor.page.locator(".between .answers").first.locator("span")
    names.last.wait_for()
    assert all(name in judge.classes for name in names.all_inner_texts()) and names.count() == 9
    assert visitor.page.locator(".between .verdict-class").inner_text() in judge.classes
    visitor.no_stack_trace()
