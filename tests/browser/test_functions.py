"""The pure functions of the browser components, called in a browser: their results, not what a page looks like."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest

from pages.components import heat, player, serve, water
from tests.browser.conftest import Call
from vaecore.charts import curves, plane
from vaecore.studies.exhibit import Survival

SCRIPTS = sorted(name for name in serve.FILES if name.endswith(".js") and not name.startswith("alone/")
                 and name != "stage/stage.js")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_read(call: Call, name: str) -> None:
    """With all that it imports; the page of a single file and the stage need what lies in their documents."""
    assert call(name, "() => typeof m") == "object"


@pytest.mark.parametrize(("order", "told"), [(["old", "new"], ["old", "new"]), (["new", "old"], ["new", "old", "new"])])
def test_a_call_that_is_out_of_date_does_not_end_the_view(call: Call, order: list[str], told: list[str]) -> None:
    """A refresh while the script still loads: Streamlit makes both calls in either order, and then ends the old one."""
    assert call("lib/mount.js", """order => {
      const ended = [], told = [];
      const mount = m.mounted(() => ({ destroy: () => ended.push("ended") }), (view, { data }) => told.push(data));
      const parentElement = document.body.appendChild(document.createElement("div"));
      const end = Object.fromEntries(order.map(data => [data, mount({ parentElement, data })]));
      end.old();
      const before = [...ended];
      parentElement.remove();
      end.new(), end.new();
      return [told, before, ended];
    }""", order) == [told, [], ["ended"]]


def test_a_view_is_ended_by_any_call_once_its_element_is_gone(call: Call) -> None:
    """Refreshes that came in their order are never ended one by one: at the end Streamlit ends the last alone."""
    assert call("lib/mount.js", """() => {
      const ended = [];
      const mount = m.mounted(() => ({ destroy: () => ended.push("ended") }), () => {});
      const parentElement = document.body.appendChild(document.createElement("div"));
      mount({ parentElement }), mount({ parentElement });
      const end = mount({ parentElement });
      parentElement.remove();
      end();
      mount({ parentElement });
      return ended;
    }""") == ["ended"]


BYTES = "Uint8Array.from(atob(e), c => c.charCodeAt(0))"


def sent(message: bytes) -> str:
    return base64.b64encode(message).decode()


# -- numbers and ticks -----------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "count", "expected"), [
    (0, 10, 5, [0, 2, 4, 6, 8, 10]), (0, 1, 4, [0, 0.5, 1]), (-3, 3, 6, [-3, -2, -1, 0, 1, 2, 3]),
    (0.13, 0.29, 3, [0.2]), (95, 205, 3, [100, 150, 200])])
def test_ticks_of_a_plane_are_round_and_within(call: Call, low: float, high: float, count: int,
                                               expected: list[float]) -> None:
    assert call("lib/plot.js", "([a, b, n]) => m.ticks(a, b, n)", [low, high, count]) == pytest.approx(expected)


@pytest.mark.parametrize(("first", "last", "most", "expected"), [
    (0, 10, 5, [0, 2, 4, 6, 8, 10]), (0, 3, 10, [0, 1, 2, 3]), (950, 3100, 3, [1000, 2000, 3000])])
def test_ticks_of_steps_are_whole(call: Call, first: int, last: int, most: int, expected: list[int]) -> None:
    assert call("heat/heat.js", "([a, b, n]) => m.stepTicks([a, b], n)", [first, last, most]) == expected


@pytest.mark.parametrize(("log", "values", "step", "expected"), [
    (False, [0.1, 0.2, 0.30000000000000004], 0.1, ["0.1", "0.2", "0.3"]),
    (False, [-5e-17, 10_000, 2_500_000], 10_000, ["0", "10k", "2.5M"]), (False, [-200, 0], 200, ["−200", "0"]),
    (True, [1e-5, 0.01, 100, None], 1, ["1e−5", "0.01", "100", ""])])
def test_labels_of_the_axes(call: Call, log: bool, values: list[float | None], step: float,
                            expected: list[str]) -> None:
    labels = call("curves/curves.js", "([l, v, s]) => m.ticks(l)(null, v, null, null, s)", [log, values, step])
    assert labels == expected


@pytest.mark.parametrize(("module", "name", "value", "expected"), [
    ("curves/curves.js", "number", 98.76543, "98.77"), ("curves/curves.js", "number", 12_345.67, "12,345.7"),
    ("curves/curves.js", "number", 0.00042, "4.200e−4"), ("curves/curves.js", "number", 0, "0"),
    ("curves/curves.js", "number", None, "no value"), ("curves/curves.js", "number", -86.3, "−86.30"),
    ("heat/heat.js", "nats", -1e-5, "0.0000"), ("heat/heat.js", "nats", 0.01234, "0.0123"),
    ("heat/heat.js", "nats", 2.3456, "2.35"), ("heat/heat.js", "short", 12_500, "12.5k"),
    ("player/player.js", "short", None, "–"), ("player/player.js", "short", 0.5, "0.500"),
    ("player/player.js", "short", 2_000_000, "2.0e+6")])
def test_a_value_is_written_with_its_digits(call: Call, module: str, name: str, value: float | None,
                                            expected: str) -> None:
    assert call(module, f"e => m.{name}(e)", value) == expected


def test_half_precision_is_read_as_numpy_has_it(call: Call) -> None:
    values = np.float16([0, -0.5, 1, 65504, 6e-8, 6e-5, -6e-5, -3.14159, 2.0009765625, -2.5, 0.1])
    read = call("lib/numbers.js", "h => Array.from(m.singles(Uint16Array.from(h)))", values.view(np.uint16).tolist())
    assert read == values.astype(np.float32).tolist()


@pytest.mark.parametrize(("value", "digits", "expected"), [
    (-1.255, 2, "−1.25"), (3, 1, "3.0"), (-0.004, 2, "0.00"), (-0.2, 0, "0"), (-0.006, 2, "−0.01"), (-10, 0, "−10")])
def test_a_number_below_0_has_a_minus_and_0_none(call: Call, value: float, digits: int, expected: str) -> None:
    assert call("lib/numbers.js", "([v, d]) => m.fixed(v, d)", [value, digits]) == expected


@pytest.mark.parametrize(("value", "expected"), [(-1234.5, "−1,234.5"), (-0.0, "0"), (0.25, "0.25")])
def test_ticks_are_written_in_groups(call: Call, value: float, expected: str) -> None:
    assert call("lib/plot.js", "v => m.grouped(v)", value) == expected


# -- curves ----------------------------------------------------------------------------------------


def test_smoothing_is_the_debiased_average(call: Call) -> None:
    y, weight = [4.0, 2.0, 8.0, 8.0], 0.6
    total = mass = 0.0
    expected = []
    for value in y:
        total, mass = weight * total + (1 - weight) * value, weight * mass + (1 - weight)
        expected.append(total / mass)
    smoothed = call("curves/curves.js", "([y, w]) => m.smooth({ y: Float32Array.from(y) }, w)", [y, weight])
    assert smoothed == pytest.approx(expected, rel=1e-6) and smoothed[0] == 4
    assert call("curves/curves.js", "y => m.smooth({ y: Float32Array.from(y) }, 0)", y) == y


def test_thinning_leaves_the_smoothed_curve_where_it_was(call: Call) -> None:
    """The mean and the count of what each kept point stands for are as good as the points, for a constant stretch."""
    whole = call("curves/curves.js", "y => m.smooth({ y: Float32Array.from(y) }, 0.9)", [1.0] + [5.0] * 10)
    thinned = call("curves/curves.js", "() => m.smooth({ y: [1, 5], mean: [1, 5], count: [1, 10] }, 0.9)")
    assert thinned[-1] == pytest.approx(whole[-1], rel=1e-6)


def test_a_gap_breaks_the_line_and_not_the_average(call: Call) -> None:
    assert call("curves/curves.js", "() => m.smooth({ y: [2, NaN, 2] }, 0.5)") == [2, None, 2]
    assert call("curves/curves.js", "() => m.withGaps([1, NaN, 3])") == [1, None, 3]


@pytest.mark.parametrize(("values", "expected"), [
    ([], [0, 1]), ([1, 9], [0, 9.72]), ([10, 12], [9.84, 12.16]), ([5, 5], [2.1, 7.9]), ([-1, 1], [-1.16, 1.16])])
def test_the_reach_of_an_axis(call: Call, values: list[float], expected: list[float]) -> None:
    assert call("player/player.js", "e => m.reach(e)", values) == pytest.approx(expected)


def test_stretches_without_a_gap_in_any_column(call: Call) -> None:
    assert call("player/player.js", "() => m.runs([1, 2, null, 4, 5], [1, 2, 3, 4, null])") == [[0, 1], [3]]


# -- colours ---------------------------------------------------------------------------------------


def test_a_run_keeps_its_place_and_the_eighth_gets_marks(call: Call) -> None:
    assert call("lib/palette.js", "() => { const s = new Map(); return ['a', 'b', 'a', 'c'].map("
                "n => m.placeOf(n, { c: 5 }, s)); }") == [0, 1, 0, 5]
    assert call("lib/palette.js", "() => [0, 6, 7, 14, -1].map(p => m.lapOf(p, Array(7)))") == [0, 0, 1, 2, 0]
    assert call("lib/palette.js", "() => [1, 4, -1].map(p => m.paintOf(p, ['r', 'g', 'b'], 'grey'))") == ["g", "g",
                                                                                                       "grey"]


@pytest.mark.parametrize(("name", "first", "last"), [("VIRIDIS", "440154", "fde725"), ("INFERNO", "000004", "fcffa4")])
def test_a_colour_map_goes_through_its_stops_and_grows_lighter(call: Call, name: str, first: str, last: str) -> None:
    pixels = np.array(call("lib/colourmap.js", f"() => [...m.ramp(m.{name})]"), np.uint32)
    channels = pixels.view(np.uint8).reshape(-1, 4)  # red, green, blue, alpha, as ImageData holds them
    assert len(pixels) == 256 and (channels[:, 3] == 255).all()
    assert bytes(channels[0, :3]) == bytes.fromhex(first) and bytes(channels[-1, :3]) == bytes.fromhex(last)
    lightness = channels[:, :3].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= -0.5).all() and np.ptp(lightness) > 190
    assert np.abs(np.diff(channels[:, :3].astype(int), axis=0)).max() <= 8, "no jump between neighbours"


def test_a_colour_between_two_stops_is_their_mean(call: Call) -> None:
    pixels = call("lib/colourmap.js", "() => [...m.ramp(['#000000', '#ff8000'])]")
    assert [pixels[0], pixels[51], pixels[255]] == [0xFF000000, 0xFF001A33, 0xFF0080FF]


def test_a_tip_stands_beside_its_point_on_the_side_that_has_room(call: Call) -> None:
    placed = """([x, y]) => {
      const box = { clientWidth: 300, clientHeight: 200 }, tip = { offsetWidth: 80, offsetHeight: 40, style: {} };
      m.placeTip(tip, box, [x, y]);
      return [parseFloat(tip.style.left), parseFloat(tip.style.top)];
    }"""
    assert call("lib/tip.js", placed, [10, 20]) == [24, 34]
    assert call("lib/tip.js", placed, [290, 190]) == [196, 136]
    assert call("lib/tip.js", placed, [40, 10]) == [54, 24]
    assert call("lib/tip.js", placed, [-60, 20]) == [0, 34], "never out of its box"


# -- what Python packs, JavaScript reads -----------------------------------------------------------


def test_curves_are_read_as_they_were_packed(call: Call) -> None:
    x, y = np.arange(5), np.array([1.0, 2.0, math.nan, 4.0, 5.0])
    message = curves.pack([curves.Panel("KL", [curves.Series("vae", x, y, run="vae"),
                                               curves.Series("β", x, 10 * x, right=True)], "nats")])
    read = call("curves/curves.js", f"e => {{ const d = m.decode({BYTES}); return d.panels.map(p => [p.title, p.unit, "
                "p.series.map(s => [s.label, Array.from(s.x), m.withGaps(s.y)])]); }", sent(message))
    assert read == [["KL", "nats", [["vae", [0, 1, 2, 3, 4], [1, 2, None, 4, 5]],
                                    ["β", [0, 1, 2, 3, 4], [0, 10, 20, 30, 40]]]]]


def test_a_heat_map_is_read_as_it_was_packed(call: Call) -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # steps x dimensions
    message = heat.pack([heat.Heat("vae", "vae", np.array([0, 10, 20]), values)])
    read = call("heat/heat.js", f"e => m.decode({BYTES}).maps.map(h => [h.label, Array.from(h.steps), "
                "Array.from(h.values), h.dimensions])", sent(message))
    assert read == [["vae", [0, 10, 20], [1, 2, 3, 4, 5, 6], [0, 1]]]


def test_the_legend_of_a_plane_has_a_line_for_each_colour(call: Call) -> None:
    """In the order of the colours; classes that share one, and other names of the same class, stand together."""
    tracks = [{"names": {"11": "l", "0": "a", "1": "b"}}, {"names": {"1": "B", "0": "a"}}, {"names": {}}]
    assert call("plane/plane.js", "tracks => m.legendOf(tracks, 10)", tracks) == [[0, "a"], [1, "b, l, B"]]
    assert call("plane/plane.js", "tracks => m.legendOf(tracks, 10)", []) == []


def test_paths_are_read_as_they_were_packed(call: Call) -> None:
    steps, x, y = np.array([0, 1, 2]), np.array([0.5, 1.5, 2.5]), np.array([9.0, 8.0, 7.0])
    message = plane.pack_paths([plane.Path("vae", "vae", steps, x, y)], x_label="rate", y_label="distortion")
    read = call("plane/plane.js", f"e => {{ const d = m.decode({BYTES}); return [d.xLabel, d.yLabel, d.paths.map(p => "
                "[p.label, Array.from(p.steps), Array.from(p.x), Array.from(p.y)])]; }", sent(message))
    assert read == ["rate", "distortion", [["vae", [0, 1, 2], [0.5, 1.5, 2.5], [9, 8, 7]]]]


def test_frames_are_read_as_they_were_packed(call: Call) -> None:
    """Two clips, one in grey, one in colour: pixel by pixel, the colours of a pixel together."""
    grey = np.arange(2 * 1 * 2 * 3, dtype=np.uint8).reshape(2, 1, 2, 3)  # frames, channels, height, width
    colour = np.arange(1 * 3 * 2 * 3, dtype=np.uint8).reshape(1, 3, 2, 3)
    message = player.pack([player.Track("truth", grey), player.Track("future-1", colour)], context=1, key="k")
    read = call("player/player.js", f"e => {{ const d = m.decode({BYTES}); return [d.width, d.height, d.frames, "
                "d.tracks.map(t => [t.name, t.count, t.channels, Array.from(t.pixels)])]; }", sent(message))
    assert read == [3, 2, 2, [["truth", 2, 1, grey.ravel().tolist()],
                              ["future-1", 1, 3, np.moveaxis(colour, 1, 3).ravel().tolist()]]]


def test_a_drawing_is_sent_as_grey_values(call: Call) -> None:
    """A vertical stroke in the middle: ink where it runs, alike from left and right, nothing at the edges."""
    side = 28
    said = call("pad/pad.js", f"() => m.encode([[0.5, 0.2, 0.5, 0.8]], {side})")
    pixels = np.frombuffer(base64.b64decode(said), np.uint8).reshape(side, side)
    assert pixels[14, 13] == pixels[14, 14] == 255 and pixels[:4].max() == 0 and pixels[:, :8].max() == 0
    assert (pixels == pixels[:, ::-1]).all() and (pixels == pixels[::-1]).all()
    assert call("pad/pad.js", "() => m.reach([[0.25, 0.5, 0.75, 0.5], [0.5, 0.4, 0.5, 0.6]])") == pytest.approx(0.5)


# -- the address, and a code that moves ------------------------------------------------------------


def test_numbers_go_into_an_address_and_back(call: Call) -> None:
    assert call("lib/address.js", "v => m.joined(v)", [1.23456, 0, -0.0001, -2, 0, 0]) == "1.235,,,-2"
    assert call("lib/address.js", "t => Array.from(m.split(t, 5))", "1.5,,-2,x") == [1.5, 0, -2, 0, 0]
    assert call("lib/address.js", "() => Array.from(m.split(null, 2))") == [0, 0]
    assert call("lib/address.js", "() => Array.from(m.split('1e999,-1e9', 2))") == [0, -1e4]


def test_what_is_written_stands_in_the_address_and_is_not_overwritten(call: Call) -> None:
    """As Streamlit does: it puts back the parameters that it knew, and adds its own."""
    found = call("lib/address.js", """async () => {
      const was = location.pathname + location.search;
      history.replaceState({}, "", "?run=a&z=1");
      m.write({ z: "2,3", lock: "1" });
      const first = [m.read("z"), location.search];
      await new Promise(done => setTimeout(done, 300));
      const second = location.search;
      history.replaceState({}, "", "?run=a&z=1&from=3");
      const third = location.search;
      m.write({ lock: null });
      m.asked();
      const fourth = location.search;
      history.replaceState({}, "", "?run=b&z=1");
      const fifth = [m.read("z"), m.read("lock"), location.search];
      history.replaceState({}, "", was);
      return [first, second, third, fourth, fifth];
    }""")
    assert found == [["2,3", "?run=a&z=1"], "?run=a&z=2,3&lock=1", "?run=a&z=2,3&from=3&lock=1",
                     "?run=a&z=2,3&from=3", ["1", None, "?run=b&z=1"]]


def test_whoever_follows_a_code_hears_of_every_move(call: Call) -> None:
    found = call("lib/moved.js", """() => {
      const heard = [];
      const none = m.moved("r");
      const end = m.onMove("r", (code, origin) => heard.push([code.z ? [...code.z] : null, [...code.w], origin]));
      m.move("r", { w: [1, 2] }, "map");
      m.move("r", { z: [3] }, "hand");
      m.move("other", { z: [4] }, "hand");
      end();
      m.move("r", { z: [5] }, "hand");
      return [none, heard, [...m.moved("r").z]];
    }""")
    assert found == [None, [[None, [1, 2], "map"], [[3], [1, 2], "hand"]], [5]]


# -- a collapse that is watched --------------------------------------------------------------------


def test_a_collapse_moves_evenly_between_its_evaluations(call: Call) -> None:
    found = Survival("r", True, 8.0, 4, [4.0, 0.5], np.array([0.0, 2.0]), np.array([[2.0, 1.0], [1.0, 0.0]]),
                     np.array([2.0, 1.0]), np.arange(5.0), np.array([0.25, 0.5, 1.0, 0.5, 0.25]),
                     np.array([[2.0, 1], [1.5, 0.5], [1.25, 0], [1.5, 0.5], [2, 1]]))
    shown = call("water/water.js", f"""([e, steps]) => {{
      const message = m.decode({BYTES});
      return steps.map(step => [m.moment(message, step), m.planned(message, step)]);
    }}""", [sent(water.pack(found)), [0, 0.5, 2, 3.5, 9]])
    assert [each["active"] for each, _ in shown] == [2, 2, 1, 1, 1], "the count is that of the last evaluation"
    assert [each["kl"] for each, _ in shown] == [[2, 1], [1.75, 0.75], [1, 0], [1, 0], [1, 0]]
    assert [each["level"] for _, each in shown] == [0.25, 0.375, 1, 0.375, 0.25]
    assert [each["kl"] for _, each in shown] == [[2, 1], [1.75, 0.75], [1.25, 0], [1.75, 0.75], [2, 1]]


@pytest.mark.parametrize(("value", "said"), [(4.0, "4"), (0.0512, "0.051"), (0.01, "0.01"), (123.4, "123")])
def test_a_variance_is_written_with_two_digits(call: Call, value: float, said: str) -> None:
    assert call("water/water.js", "e => m.short(e)", value) == said
