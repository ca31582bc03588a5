"""The judge in the browser, over what the decoder draws there: held to the judge called directly."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch

from tests.browser.conftest import Call
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
