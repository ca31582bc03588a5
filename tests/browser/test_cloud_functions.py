"""The pure functions of the latent map, called in a browser: what is near, what a lasso holds, colours, tiles."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from pages.components import cloud
from tests.browser.conftest import Call
from tests.pages.lasso import as_sent

BYTES = "Uint8Array.from(atob(e), c => c.charCodeAt(0))"
POINTS = "Float32Array.from"
SIZE = {"width": 600, "height": 400}


# -- what Python packs, JavaScript reads; and back ---------------------------------------------------


def test_a_map_is_read_as_it_was_packed(call: Call) -> None:
    x, y = np.float32([0.5, -1.5, 2.0]), np.float32([3.0, 4.0, -5.0])
    one = cloud.Map("run", "VAE", "dims", x, y, cloud.Axis("z 1"), cloud.Axis("z 2"), 2)
    kind = cloud.Category("class", "Class", ["a", "b"], np.uint16([1, cloud.NONE, 0]))
    message = cloud.pack([one], np.uint32([7, 8, 70_000]), key="k", split="test", noun="image", categories=[kind])
    read = call("cloud/message.js", f"e => {{ const d = m.decode({BYTES}); return [d.maps[0].title, "
                "...['x.0', 'y.0', 'row', 'category.class'].map(n => Array.from(d.columns[n]))]; }",
                base64.b64encode(message).decode())
    assert read == ["VAE", x.tolist(), y.tolist(), [7, 8, 70_000], [1, cloud.NONE, 0]]


@pytest.mark.parametrize("places", [[], [0], [3, 999], list(range(0, 1000, 3))])
def test_a_lasso_is_read_as_it_was_sent(call: Call, places: list[int]) -> None:
    """In both forms, by Python and by the page after a reload."""
    text = call("cloud/message.js", "points => m.sent(1, points, 1000)", places)
    read = cloud.chosen(text, 1000, maps=2)
    assert read.places.tolist() == places and (not places or read.map == 1)
    assert call("cloud/message.js", "t => m.received(t).points", text) == places
    if places:
        assert text == as_sent(read, 1000), "the same words from both sides"


# -- what is near ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_points_are_those_of_a_search_through_all(call: Call, seed: int) -> None:
    """Of clusters, with one point far outside and some without a place; from within, and from far away."""
    random = np.random.default_rng(seed)
    points = (random.normal(size=(4, 2))[random.integers(0, 4, 3000)] * 3 + random.normal(size=(3000, 2)) * 0.2)
    points = points.astype(np.float32)
    points[0] = 1e5
    points[1:4] = np.nan
    asked = np.concatenate([random.normal(size=(20, 2)) * 4, [[50, 50], [1e5, 9e4], [-1e4, 0]]])
    found = call("cloud/near.js", f"""([xs, ys, asked]) => {{
      const near = new m.Near({POINTS}(xs), {POINTS}(ys));
      return asked.map(([x, y]) => near.find(x, y, 5).map(p => p.i));
    }}""", [points[:, 0].tolist(), points[:, 1].tolist(), asked.tolist()])
    for place, each in zip(asked, found, strict=True):
        square = ((points.astype(float) - place) ** 2).sum(1)  # nan comes last
        assert square[each].tolist() == pytest.approx(np.sort(square)[:5].tolist(), rel=1e-9)


def test_only_points_that_count_and_lie_within_the_radius_are_found(call: Call) -> None:
    found = call("cloud/near.js", f"""() => {{
      const near = new m.Near({POINTS}([0, 1, 2, NaN, 4]), {POINTS}([0, 0, 0, 0, 0]));
      return [near.find(0.1, 0, 9, 2.5), near.find(0.1, 0, 1, 2.5, i => i !== 0), near.find(9, 9, 1, 2)];
    }}""")
    assert [p["i"] for p in found[0]] == [0, 1, 2] and [p["i"] for p in found[1]] == [1] and found[2] == []
    assert found[0][1]["distance"] == pytest.approx(0.9)


def test_all_points_in_one_place_are_found(call: Call) -> None:
    assert call("cloud/near.js", f"() => new m.Near({POINTS}([2, 2]), {POINTS}([3, 3])).find(2, 3, 5).length") == 2
    assert call("cloud/near.js", f"() => new m.Near({POINTS}([]), {POINTS}([])).find(0, 0, 5)") == []


def test_a_code_between_neighbours_counts_by_inverse_square_distance(call: Call) -> None:
    codes, near = [[1.0, 0.0], [0.0, 4.0], [9.0, 9.0]], [{"i": 0, "distance": 1.0}, {"i": 1, "distance": 2.0}]
    expression = f"([c, n]) => Array.from(m.weightedCode({POINTS}(c.flat()), 2, n))"
    assert call("cloud/near.js", expression, [codes, near]) == pytest.approx([0.8, 0.8])
    near[0]["distance"] = 0.0
    assert call("cloud/near.js", expression, [codes, near]) == [1.0, 0.0], "at a point it is the point's own"


# -- lassos ------------------------------------------------------------------------------------------


def test_a_lasso_that_crosses_itself_is_read_by_even_and_odd(call: Call) -> None:
    """A pentagram: its five points are inside, its middle lies twice within the line and so outside."""
    turn = np.pi / 2 + 4 * np.pi / 5 * np.arange(5)
    star = np.stack([np.cos(turn), np.sin(turn)], 1)
    tips = star * 0.8
    places = np.concatenate([tips, [[0, 0], [0.1, 0.1], [2, 0]]])
    inside = call("cloud/lasso.js", "([line, places]) => places.map(([x, y]) => m.inside(line, x, y))",
                  [star.ravel().tolist(), places.tolist()])
    assert inside == [True] * 5 + [False] * 3


def test_a_lasso_holds_the_winding_angle_says(call: Call) -> None:
    """Of a line that does not cross itself, which is turned around once from within and not at all from outside."""
    random = np.random.default_rng(0)
    turn = np.sort(random.uniform(0, 2 * np.pi, 60))
    line = np.stack([np.cos(turn), np.sin(turn)], 1) * random.uniform(0.4, 1, (60, 1))
    points = random.uniform(-1, 1, (2000, 2)).astype(np.float32)
    held = call("cloud/lasso.js", f"([line, xs, ys]) => m.within(line, {POINTS}(xs), {POINTS}(ys), i => i % 2 === 0)",
                [line.ravel().tolist(), points[:, 0].tolist(), points[:, 1].tolist()])
    corners = (line[None] - points[:, None]) @ [1, 1j]
    winding = np.angle(np.roll(corners, -1, axis=1) / corners).sum(1) / (2 * np.pi)
    assert held == [i for i in np.flatnonzero(np.abs(winding) > 0.5).tolist() if i % 2 == 0] and len(held) > 100
    assert call("cloud/lasso.js", "() => m.within([0, 0, 1, 1], [0.5], [0.5])") == [], "two corners hold nothing"


# -- the camera --------------------------------------------------------------------------------------


def test_a_camera_places_and_finds_back(call: Call) -> None:
    camera = {"x": 1.0, "y": -2.0, "span": 4.0}  # 100 px a unit
    assert call("cloud/camera.js", "([c, s]) => m.placed(c, s, 2, -1)", [camera, SIZE]) == [400, 100]
    assert call("cloud/camera.js", "([c, s]) => m.unplaced(c, s, [400, 100])", [camera, SIZE]) == [2, -1]


def test_zooming_keeps_what_is_under_the_pointer(call: Call) -> None:
    camera, whole = {"x": 1.0, "y": -2.0, "span": 4.0}, {"x": 0.0, "y": 0.0, "span": 10.0}
    near, before, after = call("cloud/camera.js", """([c, s, w]) => {
      const near = m.zoomed(c, s, 2.5, [130, 350], w);
      return [near, m.unplaced(c, s, [130, 350]), m.unplaced(near, s, [130, 350])];
    }""", [camera, SIZE, whole])
    assert near["span"] == pytest.approx(1.6) and after == pytest.approx(before)
    assert call("cloud/camera.js", "([c, s, w]) => [1e9, 1e-9].map(f => m.zoomed(c, s, f, [0, 0], w).span)",
                [camera, SIZE, whole]) == pytest.approx([10 / 20_000, 80])


def test_all_points_are_in_view_and_a_drag_moves_by_as_many_pixels(call: Call) -> None:
    fitted, corners = call("cloud/camera.js", """s => {
      const c = m.fitted({ x: [-3, 3], y: [0, 2] }, s);
      return [c, [m.placed(c, s, -3, 0), m.placed(c, s, 3, 2)]];
    }""", SIZE)
    assert (fitted["x"], fitted["y"]) == (0, 1)
    (left, bottom), (right, top) = corners
    assert 0 < left < right < 600 and 0 < top < bottom < 400 and right - left == pytest.approx(600 / 1.08)
    moved = call("cloud/camera.js", "s => m.placed(m.panned({ x: 0, y: 0, span: 4 }, s, 30, -20), s, 0, 0)", SIZE)
    assert moved == pytest.approx([330, 180])


@pytest.mark.parametrize(("text", "expected"), [
    ("1.5,-2,0.25", {"x": 1.5, "y": -2, "span": 0.25}), ("1,2,0", None), ("1,2,-3", None), ("1,2", None),
    ("1,2,3,4", None), ("a,2,3", None), (None, None), ("", None), ("1,2,Infinity", None), ("<script>", None)])
def test_a_zoom_is_read_from_the_address_or_is_none(call: Call, text: str | None, expected: object) -> None:
    assert call("cloud/camera.js", "t => m.read(t)", text) == expected


def test_a_zoom_is_written_with_three_decimals(call: Call) -> None:
    assert call("cloud/camera.js", "() => m.written({ x: 1.23456, y: -0.00001, span: 2 })") == "1.235,0,2"
    deep = call("cloud/camera.js", "() => m.read(m.written({ x: 1.23456789, y: -2, span: 0.0012345 }))")
    assert deep == pytest.approx({"x": 1.23456789, "y": -2, "span": 0.0012345}, abs=1e-6), "and with more from nearby"


# -- colours and points ------------------------------------------------------------------------------


def test_a_number_has_the_colour_of_its_place_on_the_scale(call: Call) -> None:
    shades = call("cloud/paint.js", "() => [-5, 0, 5, 10, 99, NaN].map(v => m.shade(v, [0, 10]))")
    ramp = call("lib/colourmap.js", "() => [...m.ramp(m.VIRIDIS)]")
    unknown = call("cloud/paint.js", "() => m.UNKNOWN")
    assert shades == [ramp[0], ramp[0], ramp[128], ramp[255], ramp[255], unknown]


def test_classes_have_their_colours_and_hidden_ones_none(call: Call) -> None:
    painted = call("cloud/paint.js", "() => [...m.painted({ values: [0, 1, 2, 3, m.NONE], range: null }, [11, 12, 13], "
                   "new Set([1]))]")
    assert painted == [11, 0, 13, 11, call("cloud/paint.js", "() => m.UNKNOWN")], "the palette begins again"
    counts = call("cloud/paint.js", "() => [...m.counted({ values: [2, 0, 2, m.NONE], range: null })]")
    assert sorted(counts) == [[-1, 1], [0, 1], [2, 2]]


def test_a_point_is_a_disc_about_its_place_and_the_edge_of_the_canvas_cuts_it(call: Call) -> None:
    drawn, pixels = call("cloud/paint.js", """() => {
      const pixels = new Uint32Array(20 * 12), points = { xs: [0, 9, NaN, 99, 1], ys: [0, 0, 0, 0, 0] };
      const n = m.splat(pixels, 20, 12, { ...points, ink: [0xff0000ff, 0xff0000ff, 1, 1, 0] },
                        { x: 0, y: 0, scale: 1, radius: 2.5 });
      return [n, [...pixels]];
    }""")
    assert drawn == 2, "neither what has no place, nor what is far away, nor what is hidden"
    alpha = np.array(pixels, np.uint32).reshape(12, 20) >> 24
    disc = alpha[3:10, 7:14]  # 7 x 7 about the middle of the canvas
    assert disc[3, 3] == disc[3, 1] == 255 and disc[0, 3] == 0 and 0 < disc[1, 1] < disc[1, 2] < 255, "a soft edge"
    assert (disc == disc.T).all() and (disc == disc[::-1]).all()
    assert alpha[6, 19] == alpha[6, 18] == 255 and (alpha[:, :7] == 0).all(), "nothing comes in on the other side"


def test_a_small_point_has_no_soft_edge(call: Call) -> None:
    cells = call("cloud/paint.js", "() => m.disc(1.6).cells")
    assert sorted(map(tuple, cells)) == [(x, y, 255) for x in (-1, 0, 1) for y in (-1, 0, 1)]


def test_only_chosen_points_are_drawn(call: Call) -> None:
    drawn = call("cloud/paint.js", """() => m.splat(new Uint32Array(400), 20, 20,
      { xs: [0, 1, 2], ys: [0, 1, 2], ink: [9, 9, 9], only: [0, 1, 1] }, { x: 0, y: 0, scale: 1, radius: 2 })""")
    assert drawn == 2


def test_points_outside_of_all_lassos_keep_their_colour_faintly(call: Call) -> None:
    faint, alpha = call("cloud/paint.js", """() => {
      const inks = m.faint(Uint32Array.from([0xff102030, 0])), pixels = new Uint32Array(20 * 12);
      m.splat(pixels, 20, 12, { xs: [0], ys: [0], ink: inks }, { x: 0, y: 0, scale: 1, radius: 2.5 });
      return [[...inks], [...pixels].map(p => p >>> 24)];
    }""")
    assert faint == [0x2A102030, 0], "hidden points stay hidden"
    assert max(alpha) == 0x2A and 0 < min(a for a in alpha if a) < 0x2A, "soft edges are fainter still"


# -- tiles -------------------------------------------------------------------------------------------


def test_tiles_cover_the_view_from_the_middle_outwards(call: Call) -> None:
    camera = {"x": 0.3, "y": -0.2, "span": 4.0}  # 100 px a unit, so tiles of half a unit are 50 px wide
    laid = call("cloud/tiles.js", "([c, s]) => m.layout(c, s, 40)", [camera, SIZE])
    assert (laid["step"], laid["level"]) == (0.5, -1)
    centres = np.array([[tile["x"], tile["y"]] for tile in laid["tiles"]])
    left, right, bottom, top = -2.7, 3.3, -2.2, 1.8
    assert centres[:, 0].min() - 0.25 <= left and centres[:, 0].max() + 0.25 >= right
    assert centres[:, 1].min() - 0.25 <= bottom and centres[:, 1].max() + 0.25 >= top
    assert len(centres) == len(np.unique(centres, axis=0)) == 13 * 9
    far = np.hypot(*(centres - [0.3, -0.2]).T)
    assert (np.diff(far) >= -1e-9).all()


@pytest.mark.parametrize("span", [0.011, 0.5, 3.0, 4.0, 900.0])
def test_a_tile_is_at_least_so_wide_and_less_than_twice(call: Call, span: float) -> None:
    laid = call("cloud/tiles.js", "([c, s]) => m.layout(c, s, 40)", [{"x": 0, "y": 0, "span": span}, SIZE])
    assert 40 <= laid["step"] * 400 / span < 80


@pytest.mark.parametrize(("meanwhile", "kept"), [("", 9), ("tiling.stop();", 9), ("tiling.clear();", 0)])
def test_what_is_decoded_of_a_plane_that_is_gone_is_not_kept(call: Call, meanwhile: str, kept: int) -> None:
    """Where the map has only moved it is: the plane is the same."""
    found = call("cloud/tiling.js", f"""async () => {{
      let answer;
      const pictures = codes => new Promise(done => {{ answer = () => done(new Float32Array(2 * codes.length)); }});
      const pointing = {{ modality: {{ kind: "image" }}, shape: [1, 2, 2], map: {{ size: 2 }}, codeAt: () => [0, 0],
        density: () => null, pictures }};
      const tiling = new m.Tiling({{ cloud: {{ tiles: true }}, camera: {{ x: 0.5, y: 0.5, span: 1 }}, stretch: 1,
        pointing, size: {{ width: 110, height: 110 }}, root: {{ dataset: {{}} }}, redraw() {{}} }});
      const work = tiling.refine();
      {meanwhile}
      answer();
      await work;
      return tiling.kept.tiles.size;
    }}""")
    assert found == kept


def test_tiles_stay_where_they_are_while_the_map_is_panned(call: Call) -> None:
    before, after = (call("cloud/tiles.js", "([c, s]) => m.layout(c, s, 40).tiles.map(t => [t.i, t.j, t.x, t.y])",
                          [{"x": x, "y": 0, "span": 4}, SIZE]) for x in (0.0, 0.37))
    shared = {tuple(t) for t in before} & {tuple(t) for t in after}
    assert len(shared) >= 0.8 * len(before)


def test_what_was_asked_for_last_is_kept_longest(call: Call) -> None:
    kept = call("cloud/tiles.js", """() => {
      const kept = new m.Kept(2);
      kept.set("a", 1); kept.set("b", 2); kept.get("a"); kept.set("c", 3);
      return ["a", "b", "c"].map(key => kept.get(key) ?? null);
    }""")
    assert kept == [1, None, 3]


@pytest.mark.parametrize(("value", "expected"), [
    (0, "0"), (-1.23456, "−1.235"), (123456, "1.23e+5"), (0.00012345, "1.23e−4"), (None, "no value")])
def test_a_number_is_written_short(call: Call, value: float | None, expected: str) -> None:
    assert call("cloud/words.js", "v => m.short(v ?? NaN)", value) == expected


# -- codes of places ---------------------------------------------------------------------------------

MODEL: dict[str, Any] = {
    "run": "r", "latents": [{"name": "z", "parameter": "z", "size": 3, "centre": [0, 1, 2], "unit": [1, 2, 4]}],
    "modalities": [{"name": "x", "kind": "label", "shape": [4]},
                   {"name": "image", "kind": "image", "shape": [1, 2, 2]}]}
PLANE: dict[str, Any] = {"run": "r", "method": "dims", "size": 3, "traverse": "/traverse?run=r", "hand": MODEL,
                         "plane": {"origin": [0, 1, 2], "across": [1, 0, 0], "up": [0, 0, 1]}}


def test_the_code_at_a_place_of_a_plane_is_exact(call: Call) -> None:
    """Of two dimensions as they are: the others at the prior's mean, or as the code in hand; of PCA, on its plane."""
    code, words, held, now = call("cloud/pointing.js", """async map => {
      const { move } = await import("/lib/moved.js");
      const pointing = new m.Pointing({ ...map, run: "exact", hand: { ...map.hand, run: "exact" } }, () => []);
      const at = () => Array.from(pointing.codeAt(0.5, -1));
      const before = [at(), pointing.words];
      move("exact", { z: [7, -2, 7] }, null);
      return [...before, at(), pointing.words];
    }""", PLANE)
    assert code == [0.5, 1, 1] and "mean" in words
    assert held == [0.5, 1 - 2 * 2, 1] and "in hand" in now, "the free dimensions are the place's"
    tilted = PLANE | {"method": "pca", "plane": {"origin": [1, 1, 1], "across": [0.6, 0.8, 0], "up": [0, 0, 1]}}
    assert call("cloud/pointing.js", "map => Array.from(new m.Pointing(map, () => []).codeAt(5, 2))",
                tilted) == pytest.approx([4, 5, 3])


def test_the_code_in_hand_has_a_place_on_the_plane(call: Call) -> None:
    place, none = call("cloud/pointing.js", """async map => {
      const { move } = await import("/lib/moved.js");
      const pointing = run => new m.Pointing({ ...map, run, hand: { ...map.hand, run },
        plane: { origin: [1, 1, 1], across: [0.6, 0.8, 0], up: [0, 0, 2] } }, () => []);
      move("placed", { z: [3, 1.5, 1] }, null); // 3, 4, 6
      return [pointing("placed").placeOfHand(), pointing("elsewhere").placeOfHand()];
    }""", PLANE)
    assert place == pytest.approx([0.6 * 2 + 0.8 * 3, 5 / 2]) and none is None


def test_elsewhere_it_is_the_weighted_code_of_neighbours_or_none(call: Call) -> None:
    code, none, words = call("cloud/pointing.js", """map => {
      const near = [{ i: 1, distance: 1 }, { i: 0, distance: 2 }];
      const pointing = new m.Pointing({ ...map, plane: null, method: "umap" }, () => near);
      pointing.codes = Float32Array.from([0, 0, 5, 5, 10, 0]);
      return [Array.from(pointing.codeAt(0, 0)), pointing.codeAt(0, 0, 0.5), pointing.words];
    }""", PLANE)
    assert code == pytest.approx([4, 8, 1]) and none is None and "nearest" in words


def test_a_code_goes_to_traverse_in_units_of_each_dimension(call: Call) -> None:
    link = call("cloud/pointing.js", "map => new m.Pointing(map, () => []).link([0.5, 2, 2])", PLANE)
    assert link == "/traverse?run=r&z=0.5,0.5", "zeros at the end are cut"


def test_the_network_is_given_the_latent_of_the_map_and_the_others_at_their_means(call: Call) -> None:
    both = [MODEL["latents"][0], {"name": "w", "parameter": "z.w", "size": 2, "centre": [8, 9], "unit": [1, 1]}]
    several = PLANE | {"hand": MODEL | {"latents": both}}
    expression = """([map, codes]) => Object.fromEntries(Object.entries(new m.Pointing(map, () => []).inputs(
      Float32Array.from(codes))).map(([name, values]) => [name, Array.from(values)]))"""
    assert call("cloud/pointing.js", expression, [several, [1, 2, 3, 4, 5, 6]]) == {
        "z": [1, 2, 3, 4, 5, 6], "w": [8, 9, 8, 9]}
    assert call("cloud/pointing.js", expression, [several | {"size": 5}, [1, 2, 3, 4, 5]]) == {
        "z": [1, 2, 3], "w": [4, 5]}
    assert call("cloud/pointing.js", expression, [several | {"size": 2, "latent": "w"}, [4, 5]]) == {
        "z": [0, 1, 2], "w": [4, 5]}
