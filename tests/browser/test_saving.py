"""Views as files: what is saved looks as what was drawn, and names hold neither markup nor paths."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pages.components import cloud, heat, player
from tests.browser.conftest import Call
from vaecore.charts import curves, plane

# What our views draw: frames, dashed and rotated lines, arcs of all sorts, clips, words at angles, pictures.
SCENE = """c => {
  c.save();
  Object.assign(c, { lineWidth: 3, strokeStyle: "#c03", lineJoin: "round", lineCap: "round" });
  c.setLineDash([9, 6]);
  c.beginPath();
  for (const [x, y] of [[20, 20], [180, 40], [60, 120]]) c.lineTo(x, y);
  c.stroke();
  c.restore();
  c.save();
  c.translate(150, 90);
  c.rotate(0.4);
  c.scale(2, 2);
  Object.assign(c, { fillStyle: "color-mix(in srgb, rgb(20 90 200) 80%, white)", globalAlpha: 0.5 });
  c.fillRect(-10, -8, 30, 12);
  c.beginPath();
  c.arc(20, 10, 8, 0.5, 4.5);
  c.stroke();
  c.restore();
  c.save();
  c.beginPath();
  c.rect(10, 60, 50, 60);
  c.clip();
  c.beginPath();
  c.arc(60, 90, 30, 0, 7);
  c.clip();
  c.fillStyle = "rgba(0, 128, 0, 0.8)";
  c.fillRect(0, 0, 200, 200);
  c.restore();
  c.beginPath();
  c.arc(170, 130, 12, 5, 2, true);
  c.closePath();
  c.fillStyle = "#333";
  c.fill();
  c.beginPath();
  c.roundRect(70, 128, 50, 16, 5);
  c.moveTo(80, 40);
  c.bezierCurveTo(90, 90, 120, 20, 130, 70);
  c.stroke();
  c.font = "16px sans-serif";
  Object.assign(c, { textAlign: "right", textBaseline: "middle" });
  c.fillText("<b>&amp; words", 190, 20);
  c.save();
  c.translate(12, 80);
  c.rotate(-Math.PI / 2);
  Object.assign(c, { textAlign: "center", textBaseline: "top" });
  c.fillText("a long label of an axis", 0, 0, 90);
  c.restore();
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [2, 2];
  const d = picture.getContext("2d");
  d.fillStyle = "red";
  d.fillRect(0, 0, 1, 1);
  d.fillRect(1, 1, 1, 1);
  c.imageSmoothingEnabled = false;
  c.drawImage(picture, 100, 90, 24, 24);
  c.drawImage(picture, 0, 0, 1, 2, 130, 90, 8, 16);
}"""
VIEW = f"{{ name: 'scene', width: 200, height: 150, background: 'white', draw: {SCENE} }}"
BASE64 = ("blob => blob.arrayBuffer().then(b => btoa(Array.from(new Uint8Array(b), c => String.fromCharCode(c))"
          ".join('')))")


def picture(encoded: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


def test_an_svg_looks_as_the_canvas_that_drew_the_same(call: Call) -> None:
    drawn = picture(call("lib/save.js", f"() => m.pngOf({VIEW}, 4).then({BASE64})"))
    written = picture(call("lib/save.js", f"""async () => {{
      const image = new Image();
      image.src = URL.createObjectURL(new Blob([m.svgOf({VIEW})], {{ type: "image/svg+xml" }}));
      await image.decode();
      return m.pngOf({{ width: 200, height: 150, draw: c => c.drawImage(image, 0, 0, 200, 150) }}, 4).then({BASE64});
    }}"""))
    assert drawn.shape == written.shape == (600, 800, 3)
    differs = np.abs(drawn - written).max(-1) > 64
    assert differs.mean() < 0.004, "but for the edges of letters and lines nothing differs"
    blank = np.abs(drawn - 255).max(-1) > 64
    assert blank.mean() > 0.05, "there is something to see"


def test_an_svg_is_lines_and_words_and_nothing_in_it_is_markup(call: Call) -> None:
    svg = call("lib/save.js", f"() => m.svgOf({VIEW})")
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{space}text")]
    assert texts == ["<b>&amp; words", "a long label of an axis"]
    kinds = {element.tag.removeprefix(space) for element in root.iter()}
    assert kinds == {"svg", "g", "path", "text", "image", "clipPath"}
    assert all(element.get("href", "").startswith("data:image/png;base64,") for element in root.iter(f"{space}image"))
    colours = {element.get(name, "none") for element in root.iter() for name in ("fill", "stroke")} - {"none"}
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours), "no reader knows more"
    assert {"#437bd3", "#008000"} <= colours and 'fill-opacity="0.8"' in svg
    assert (root.get("width"), root.get("viewBox")) == ("200", "0 0 200 150")
    hostile = "{ width: 9, height: 9, draw: c => c.fillText('a\\u0000\\u0008<script>\\ud800', 1, 1) }"
    [text] = ElementTree.fromstring(call("lib/save.js", f"() => m.svgOf({hostile})")).iter(f"{space}text")
    assert text.text == "a\ufffd\ufffd<script>\ufffd"


def test_a_picture_is_enlarged_by_whole_pixels(call: Call) -> None:
    canvas = """(() => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2, 1];
      canvas.getContext("2d").fillRect(1, 0, 1, 1);
      return { name: "n", canvas, background: "white" };
    })()"""
    saved = picture(call("lib/save.js", f"() => m.pngOf({canvas}, 8).then({BASE64})"))
    assert saved.shape == (8, 16, 3) and (saved[:, :8] == 255).all() and (saved[:, 8:] == 0).all()
    assert "image-rendering: pixelated" in call("lib/save.js", f"() => m.svgOf({canvas})")


def test_no_file_is_larger_than_memory_allows(call: Call) -> None:
    assert call("lib/save.js", "() => m.fitting({ width: 200, height: 100 }, 4)") == 4
    assert call("lib/save.js", "() => m.fitting({ width: 4096, height: 100 }, 8)") == 2
    assert call("lib/save.js", "() => m.fitting({ width: 8000, height: 8000 }, 8)") == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("text", "expected"), [
    ("vae-map", "vae-map"), ("../../etc/passwd", "etc-passwd"), ("ß é 数", "ß-é-数"), ("C:\\a\\b", "C-a-b"),
    ("<img src=x onerror=alert(1)>", "img-src-x-onerror-alert-1"), ("gallery/vae: z0, 3", "gallery-vae-z0-3"),
    ("", "view"), ("...", "view"),
    ("a" * 200, "a" * 80), ("a\u202egnp.exe", "a-gnp.exe"), ("\u0000\n", "view")])
def test_names_of_files(call: Call, text: str, expected: str) -> None:
    assert call("lib/save.js", "text => m.fileName(text)", text) == expected


def test_words_of_figures_of_one_width_keep_their_font(call: Call) -> None:
    svg, enlarged = call("lib/save.js", """() => {
      const words = document.body.appendChild(document.createElement("b"));
      words.style = "display: block; width: 60px; font: italic 700 21px/30px serif; font-variant-numeric: tabular-nums";
      words.textContent = "0.25";
      const told = () => m.svgOf(m.together({ name: "words", background: "#fff", parts: [{ words }] }));
      const plain = told();
      words.style.zoom = 2;
      const both = [plain, told()];
      words.remove();
      return both;
    }""")
    assert "italic 700 21px serif" in svg
    assert enlarged == svg, "in talk mode the file is the same"


def test_the_button_unfolds_and_saves(call: Call) -> None:
    """By the keyboard: the menu opens, gives a file of the scale that was chosen, and closes; Escape closes it too."""
    told = call("lib/save.js", f"""async () => {{
      const given = [];
      const click = HTMLAnchorElement.prototype.click;
      HTMLAnchorElement.prototype.click = function () {{ given.push(this.download); }};
      const box = m.saveButton(document.body, () => ({VIEW}));
      box.open = true;
      const [png, svg] = box.querySelectorAll("button");
      svg.click();
      const closed = !box.open;
      box.open = true;
      png.click();
      await new Promise(resolve => setTimeout(resolve, 300));
      box.open = true;
      box.dispatchEvent(new KeyboardEvent("keydown", {{ key: "Escape" }}));
      HTMLAnchorElement.prototype.click = click;
      return [given, closed, box.open];
    }}""")
    assert told == [["scene.svg", "scene.png"], True, False]


# -- components ------------------------------------------------------------------------------------

# Mounts a component, with its style, presses SVG and PNG in its menu, and gives what is saved and under which names.
SAVED = """async ([style, data]) => {
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: style });
  await new Promise(resolve => { link.onload = resolve; document.head.append(link); });
  const [parentElement, theme] = [document.createElement("div"), document.documentElement.style];
  const colours = { "text-color": "#111111", "background-color": "#ffffff", "border-color": "#cccccc",
    "chart-categorical-colors": "#0072b2,#d55e00", font: "sans-serif" };
  for (const [name, value] of Object.entries(colours)) theme.setProperty(`--st-${name}`, value);
  parentElement.style.width = "900px";
  document.body.append(parentElement);
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const unmount = m.default({ parentElement, data: bytes, setStateValue() {}, setTriggerValue() {} });
  await new Promise(resolve => setTimeout(resolve, 400));
  const given = [];
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function () { given.push([this.download, this.href]); };
  for (const title of ["SVG", "PNG"]) {
    [...parentElement.querySelectorAll(".save button")].find(button => button.textContent === title).click();
    await new Promise(resolve => setTimeout(resolve, 300));
  }
  HTMLAnchorElement.prototype.click = click;
  const [[svgName, svg], [pngName, png]] = given;
  const text = await (await fetch(svg)).text();
  const picture = await (await fetch(png)).blob().then(BASE64);
  unmount();
  parentElement.remove();
  link.remove();
  return [svgName, text, pngName, picture];
}""".replace("BASE64", BASE64)
RUN = "a<b onclick=x>"


def saved(call: Call, name: str, message: bytes) -> tuple[str, ElementTree.Element, str, np.ndarray]:
    svg_name, svg, png_name, png = call(f"{name}/{name}.js", SAVED, [f"/{name}/{name}.css",
                                                                     base64.b64encode(message).decode()])
    return svg_name, ElementTree.fromstring(svg), png_name, picture(png)


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("{http://www.w3.org/2000/svg}text")]


def count(svg: ElementTree.Element, kind: str) -> int:
    return len(list(svg.iter(f"{{http://www.w3.org/2000/svg}}{kind}")))


def alike(svg: ElementTree.Element, png: np.ndarray) -> None:
    assert png.shape[1] == pytest.approx(2 * float(svg.get("width", "0")), abs=2), "at twice the size of the screen"
    assert (np.abs(png - 255).max(-1) > 40).mean() > 0.01, "there is something to see"


def test_curves_are_saved_as_lines_and_words(call: Call) -> None:
    x = np.arange(200)
    y = np.sin(x / 20)
    y[50] = np.nan
    message = curves.pack([
        curves.Panel("KL", [curves.Series("training", x, y, run=RUN),
                            curves.Series("validation", x[::50], y[::50], run=RUN, dashed=True)], "nats"),
        curves.Panel("Beta", [curves.Series("beta", x, x / 200, run=RUN, step=True)])])
    name, svg, png_name, png = saved(call, "curves", message)
    assert (name, png_name) == ("a-b-onclick-x-curves.svg", "a-b-onclick-x-curves.png")
    words = texts(svg)
    assert {"KL", "(nats)", "Beta", RUN, "step", "100", "0.5"} <= set(words)
    lines = [element.get("d", "") for element in svg.iter("{http://www.w3.org/2000/svg}path")
             if element.get("stroke") == "#0072b2"]
    assert any(line.count("M") == 2 and line.count("L") == 197 for line in lines), "a gap breaks the line"
    assert any(line.count("L") > 380 for line in lines), "stairs have two pieces a step"
    assert count(svg, "image") == 0
    alike(svg, png)


def test_a_heat_map_is_saved_with_its_scale_and_axes(call: Call) -> None:
    values = np.abs(np.random.default_rng(0).normal(size=(30, 6)))
    name, svg, _, png = saved(call, "heat", heat.pack([heat.Heat(RUN, RUN, np.arange(30) * 10, values)]))
    assert name == "a-b-onclick-x-kl.svg"
    assert {RUN, "step", "latent dimension", "0", "5"} <= set(texts(svg)) and count(svg, "image") == 2
    alike(svg, png)


def test_planes_are_saved_as_they_stand(call: Call) -> None:
    steps = np.array([0, 10, 20])
    path = plane.Path(RUN, RUN, steps, np.array([1.0, 2, 3]), np.array([9.0, 8, 7]))
    paths = plane.pack_paths([path], x_label="rate", y_label="distortion")
    name, svg, _, png = saved(call, "plane", paths)
    assert name == "rate-distortion.svg" and {RUN, "rate", "distortion"} <= set(texts(svg))
    assert count(svg, "path") > 10 and count(svg, "image") == 0
    alike(svg, png)


def test_the_frame_of_a_player_is_saved(call: Call) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 1, 8, 8), dtype=np.uint8)
    name, svg, _, png = saved(call, "player", player.pack([player.Track("truth", frames, caption=RUN)], context=1,
                                                          key="k"))
    assert name.startswith("frame-") and RUN in texts(svg) and count(svg, "image") >= 1
    words = {element.text: element.get("fill") for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    beneath = [element.get("fill") for element in svg.iter("{http://www.w3.org/2000/svg}path")]
    assert words["given"] == beneath[0] and words["given"] != beneath[-1], "of the page's colour, on its own ground"
    alike(svg, png)


def test_a_map_is_saved_with_its_legend(call: Call) -> None:
    points = np.random.default_rng(0).normal(size=(2, 500)).astype(np.float32)
    category = cloud.Category("label", "Class", [RUN, "b"], (np.arange(500) % 2).astype(np.uint16))
    shown = cloud.Map(RUN, RUN, "pca", points[0], points[1], cloud.Axis("PC1"), cloud.Axis("PC2"), size=2)
    message = cloud.pack([shown], np.arange(500, dtype=np.uint32), key="k", split="test", noun="image",
                         categories=[category], colour="label")
    name, svg, _, png = saved(call, "cloud", message)
    assert name == "a-b-onclick-x-map.svg" and {RUN, "b", "250", "Class"} <= set(texts(svg))
    assert count(svg, "image") == 1
    alike(svg, png)
