"""How the browser shows what was decoded, held to how Python shows it: pixel by pixel, number by number."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pages.shared.bars import plain
from tests.browser.conftest import Call
from vaecore.explore.panes import described
from vaecore.explore.pictures import as_images, legible, sheet
from vaecore.modalities import Modality

FLOATS = "new Float32Array(Uint8Array.from(atob(e.values), c => c.charCodeAt(0)).buffer)"


def sent(x: torch.Tensor) -> str:
    return base64.b64encode(x.float().numpy().astype("<f4").tobytes()).decode()


def painted(call: Call, expression: str, value: dict[str, Any]) -> NDArray[np.uint8]:
    """The pixels (H, W, 4) of a canvas `c` after an expression over it, the values `v` and the message `e`."""
    width, height, data = call("lib/picture.js", f"""e => {{
      const c = document.createElement("canvas");
      const v = {FLOATS};
      {expression};
      const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
      let text = "";
      for (const byte of d) text += String.fromCharCode(byte);
      return [c.width, c.height, btoa(text)];
    }}""", value)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def observations(count: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Numbers between and beyond black and white, and exactly between two grey levels."""
    generator = torch.Generator().manual_seed(len(shape) * 100 + shape[0])
    x = torch.rand(count, *shape, generator=generator) * 1.2 - 0.1
    x.view(-1)[:8] = torch.tensor([0.0, 1.0, 0.5, 127.5 / 255, 0.5 / 255, 1.5 / 255, 2.5 / 255, -3.0])
    return x


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 20), (2, 9, 14), (4, 21, 16), (5, 8, 8), (7, 6, 10),
                                   (16, 10, 12), (1, 1, 40), (3, 1, 11), (6, 1, 9), (1, 1, 700)])
def test_an_image_has_the_pixels_that_python_gives_it(call: Call, shape: tuple[int, ...]) -> None:
    x = observations(2, shape)
    for at, expected in enumerate(legible(as_images(x))):
        drawn = painted(call, "m.paint(c, v, e.shape, { at: e.at })", {"values": sent(x), "shape": shape, "at": at})
        grey = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, -1)
        assert (drawn[..., :3] == grey).all() and (drawn[..., 3] == 255).all()


@pytest.mark.parametrize("size", [1, 2, 9, 40, 512, 513, 784, 1300])
def test_a_vector_has_the_stripes_that_python_gives_it(call: Call, size: int) -> None:
    x = torch.randn(1, size, generator=torch.Generator().manual_seed(size)) * 2
    x[0, 0] = 1.5 * 3 / 128  # brightness 129.5: to the even neighbour
    drawn = painted(call, "m.paint(c, v, [e.size])", {"values": sent(x), "size": size})
    assert (drawn[..., :3] == legible(as_images(x))[0][..., None]).all()


@pytest.mark.parametrize(("shape", "columns"), [((1, 7, 5), 3), ((3, 6, 6), 4), ((12,), 1)])
def test_a_sheet_has_its_rows_and_gaps(call: Call, shape: tuple[int, ...], columns: int) -> None:
    x = observations(7, shape)
    expected = sheet(as_images(x), columns)
    drawn = painted(call, "const s = m.sizeOf(e.shape); m.put(c, m.grid(Array.from({ length: 7 }, (_, n) => m.picture("
                    f"v.subarray(n * s, (n + 1) * s), e.shape)), {columns}))", {"values": sent(x), "shape": shape})
    assert drawn.shape[:2] == expected.shape[:2]
    opaque = expected[..., -1] == 255
    assert ((drawn[..., 3] == 255) == opaque).all() and opaque.any() and not opaque.all()
    colours = expected[..., :3] if expected.shape[-1] == 4 else np.repeat(expected[..., :1], 3, -1)
    assert (drawn[opaque][:, :3] == colours[opaque]).all()


def test_amounts_are_painted_from_black_to_bright(call: Call) -> None:
    x = torch.tensor([[[[0.0, 0.25], [0.5, 0.9]]]])
    drawn = painted(call, "m.paint(c, v, [1, 2, 2], { top: 0.5 })", {"values": sent(x)})
    assert drawn[0, 0].tolist() == [0, 0, 4, 255] and drawn[1, 0].tolist() == [252, 255, 164, 255]
    assert (drawn[1, 1] == drawn[1, 0]).all() and drawn[0, 0].sum() < drawn[0, 1].sum() < drawn[1, 0].sum()


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 12.3456, 99_999.0, 100_000.0, 1234.4, 0.0001234567, 0.00001, -3e-7,
                                   9999.6, 0.00009999, 1e6, 123456789.0, 0.5, 1e-12])
def test_a_number_is_written_as_on_the_server(call: Call, value: float) -> None:
    assert call("lib/panes.js", "e => m.plain(e)", value) == plain(value)
    assert call("lib/panes.js", "e => m.plain(e, 2)", value) == plain(value, 2)


def test_the_largest_keep_their_order(call: Call) -> None:
    assert call("lib/panes.js", "() => m.largest([1, 5, 5, 0, 7], 3)") == [1, 2, 4]
    assert call("lib/panes.js", "() => m.largest([1, 1, 1], 2)") == [0, 1]
    assert call("lib/panes.js", "() => m.largest([3, 2], 5)") == [0, 1]


SHOWN = """async e => {
  const pane = m.paneOf(e.modality);
  document.body.append(pane.element);
  for (const mean of e.means) pane.show({ mean: Float32Array.from(mean) }, e.options ?? {});
  const read = () => [...pane.element.querySelectorAll(".pane-row")].map(row => [
    row.querySelector(".pane-name").textContent, row.querySelector(".pane-said").textContent,
    row.querySelector(".pane-bar > span").style.width, row.querySelector(".pane-below") !== null]);
  const first = read();
  await new Promise(done => setTimeout(done, 500));
  const found = [first, read(), pane.element.querySelector(".pane-best")?.textContent,
    pane.element.querySelectorAll("script, img").length];
  pane.destroy();
  return found;
}"""


def test_numbers_have_their_names_units_and_signs(call: Call) -> None:
    vector = Modality("vector", (3,), columns=("height [cm]", "<img src=x onerror=alert(1)>", "n"),
                      centre=(170.0, 0.0, 5.0), scale=(10.0, 2.0, 0.5))
    rows, _, _, markup = call("lib/panes.js", SHOWN, {"modality": described("body", vector),
                                                      "means": [[1.5, -3.0, 0.0]]})
    assert rows == [["height [cm]", "185", "25%", False], ["<img src=x onerror=alert(1)>", "−6", "50%", True],
                    ["n", "5", "0.5%", False]]
    assert markup == 0
    rows, *_ = call("lib/panes.js", SHOWN, {"modality": described("body", vector), "means": [[1.5, -3.0, 0.0]],
                                            "options": {"beside": [1.0, 0.0, 0.0]}})
    assert [said for _, said, *_ in rows] == ["185 / 180", "−6 / 0", "5 / 5"]


def test_of_many_numbers_those_farthest_from_their_means_come_into_sight_at_rest(call: Call) -> None:
    vector = Modality("vector", (30,))
    still, moved = np.zeros(30), np.zeros(30)
    still[:24], moved[6:] = 1, 2
    first, later, *_ = call("lib/panes.js", SHOWN, {"modality": described("x", vector),
                                                    "means": [still.tolist(), moved.tolist()]})
    assert [name for name, *_ in first] == [f"number {n}" for n in range(1, 25)], "no row jumps while all moves"
    assert [name for name, *_ in later] == [f"number {n}" for n in range(7, 31)]
    note = call("lib/panes.js", """e => {
      const pane = m.paneOf(e);
      pane.show({ mean: new Float32Array(30), sigma: new Float32Array(30) }, { what: "sigma" });
      return pane.element.querySelector(".pane-note").textContent;
    }""", described("x", vector))
    assert note.startswith("The 24 of 30 columns whose σ is largest."), "of σ it is not the means"


def test_a_label_says_its_likeliest_class(call: Call) -> None:
    label = Modality("label", (3,), classes=("setosa", "<b>versicolor</b>", "virginica"))
    rows, _, best, _ = call("lib/panes.js", SHOWN, {"modality": described("species", label),
                                                    "means": [[0.25, 0.7, 0.05]]})
    assert best == "<b>versicolor</b>"
    assert [row[:3] for row in rows] == [["setosa", "25 %", "25%"], ["<b>versicolor</b>", "70 %", "70%"],
                                         ["virginica", "5 %", "5%"]]


ANSWERED = """e => {
  const verdict = m.verdictIn(document.body, { name: "<i>conv</i>", accuracy: 0.981, classes: e.classes });
  const read = () => [".verdict-class", ".verdict-share", ".verdict-next", ".verdict-place"].map(part =>
    verdict.element.querySelector(part).textContent);
  const texts = e.shown.map(([logits, place]) => {
    verdict.show(logits && Float32Array.from(logits), place);
    const { classList } = verdict.element;
    return [...read(), classList.contains("verdict-outside"), verdict.element.getAttribute("aria-label")];
  });
  const found = [texts, verdict.element.title, verdict.element.querySelectorAll("i").length];
  verdict.destroy();
  return found;
}"""


def test_the_judge_says_its_class_how_sure_it_is_and_the_next(call: Call) -> None:
    logits = np.log([0.05, 0.25, 0.7]).tolist()
    outside = {"words": "outside what the model saw", "outside": True}
    texts, hover, markup = call("lib/verdict.js", ANSWERED, {
        "classes": ["<i>a</i>", "b", "c"], "shown": [[logits, None], [logits, outside], [None, None],
                                                     [[100, 0, 0], None]]})
    assert texts[0] == ["c", "70 %", "then b, 25 %", "", False, "The judge says c · 70 %"]
    assert texts[1] == ["c", "70 %", "then b, 25 %", "outside what the model saw", True,
                        "The judge says c · 70 %, outside what the model saw"]
    assert texts[2][:5] == ["", "", "", "", False]
    assert texts[3][:3] == ["<i>a</i>", "100 %", ""] and markup == 0
    assert "98 %" in hover and "<i>conv</i>" in hover


@pytest.mark.parametrize(("share", "expected"), [(0.934, "93 %"), (0.9951, "99.5 %"), (0.9999, "100 %"), (0.0, "0 %")])
def test_nearly_sure_is_not_sure(call: Call, share: float, expected: str) -> None:
    assert call("lib/verdict.js", "e => m.percent(e)", share) == expected


def test_probabilities_are_those_of_torch(call: Call) -> None:
    logits = torch.randn(10, generator=torch.Generator().manual_seed(1)) * 30
    found = call("lib/verdict.js", "e => Array.from(m.softmax(Float32Array.from(e)))", logits.tolist())
    assert found == pytest.approx(logits.double().softmax(0).tolist(), abs=1e-9)
