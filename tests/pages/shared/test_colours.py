"""Colours: a run has one on all pages, twelve are told apart, classes have a palette of their own."""

from __future__ import annotations

import json
import re
from itertools import combinations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import palette
from pages.shared.colours import CEILING, HUES, NEUTRAL, assigned
from pages.shared.lagging_figure import spread_figure
from tests.pages import demo
from vaecore.charts.plane import Track, pack_tracks
from vaecore.evaluate.lagging import Spread

SOURCES = [*(demo.ROOT / "pages").rglob("*.py"), *(demo.ROOT / "pages").rglob("*.js"),
           *(demo.ROOT / "pages").rglob("*.css"), demo.ROOT / ".streamlit" / "config.toml",
           demo.ROOT / "vaecore" / "colours.py"]
RUNS = ["vae", "ae", "collapsed", "gallery/pca"]


def places(at: AppTest) -> dict[str, int]:
    """Of every run in every chart of the page."""
    found: dict[str, int] = {}
    for each in at.get("bidi_component"):
        sent = each.proto.bytes
        header = json.loads(sent[4:4 + int.from_bytes(sent[:4], "little")]) if sent else {}
        for run, place in header.get("places", {}).items():
            assert found.setdefault(run, place) == place, run
    return found


@pytest.mark.usefixtures("root")
def test_a_run_has_one_colour_on_all_pages_whatever_is_beside_it() -> None:
    at = demo.open_page("compare", runs=RUNS, section="Curves")
    first = places(at)
    assert set(first) == set(RUNS) and len(set(first.values())) == 4
    demo.go_to(at, "monitor")
    at.multiselect(key="monitor-runs").set_value(["collapsed", "vae"]).run()
    second = places(at)
    assert {run: second[run] for run in ("collapsed", "vae")} == {run: first[run] for run in ("collapsed", "vae")}
    assert set(second) - set(RUNS) <= {CEILING}


def test_basic_and_aggressive_are_painted_alike_on_monitor_and_experiments() -> None:
    for order in (["gallery/lagging-basic", "gallery/lagging-aggressive"],
                  ["gallery/lagging-aggressive", "gallery/lagging-basic"]):
        found = assigned(order, {})
        assert (found["gallery/lagging-basic"], found["gallery/lagging-aggressive"]) == (0, 1)
    points = [Spread("aggressive", "b", (1, 1), (2, 2)), Spread("basic", "a", (1, 1), (2, 2))]
    drawn = {trace.name: trace.line.color for trace in spread_figure(points, early="step 10").data}
    blue, orange = list(palette.RUNS["light"])[:2]
    for kind, wanted in (("basic", blue), ("aggressive", orange)):
        assert min(list(palette.RUNS["light"]), key=lambda one: apart(one, drawn[kind])) == wanted


@pytest.mark.parametrize("shown", [1, 7, 8, 12, 21])
def test_runs_shown_together_differ_and_only_the_eighth_needs_marks(shown: int) -> None:
    names = [f"run-{index}" for index in range(shown)]
    found = assigned(names, {})
    assert len(set(found.values())) == shown and max(found.values()) < HUES * -(-shown // HUES)
    assert sum(place < HUES for place in found.values()) == min(shown, HUES)
    assert assigned(names[::-1], found) == found and assigned(names[:3], found) == {n: found[n] for n in names[:3]}
    assert HUES == len(list(palette.RUNS["light"])) == len(list(palette.RUNS["dark"]))


# Of what is seen with one kind of cone missing, in linear light (Machado, Oliveira & Fernandes 2009, severity 1).
EYES = {
    "usual": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                          [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                         [0.004733, 0.691367, 0.303900]])}


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_twelve_runs_are_told_apart_by_any_eyes(theme: palette.Scheme, eyes: str) -> None:
    """By their colour, or by the rings on the line of the later one; in OKLab 0.02 is just seen side by side."""
    shades, background = palette.RUNS[theme], {"light": "#FFFFFF", "dark": "#11131C"}[theme]
    twelve = assigned([f"run-{index}" for index in range(12)], {}).values()
    look = [(seen_by(shades[place % HUES], EYES[eyes]), place // HUES) for place in twelve]
    for (one, rings), (other, others) in combinations(look, 2):
        assert rings != others or float(np.linalg.norm(one - other)) > 0.08
    for shade in shades:
        dark, light = sorted((luminance(shade), luminance(background)))
        assert (light + 0.05) / (dark + 0.05) >= 3, shade


def test_a_ceiling_is_no_run() -> None:
    assert assigned([CEILING, "vae"], {})[CEILING] == NEUTRAL


def test_classes_have_a_palette_of_their_own() -> None:
    assert len(palette.CLASSES) == 10
    assert min(apart(a, b) for a in palette.CLASSES for b in palette.RUNS["light"] + palette.RUNS["dark"]) > 15
    assert min(apart(a, b) for a, b in combinations(palette.CLASSES, 2)) > 15
    assert min(seen_apart(a, b) for a, b in combinations(palette.CLASSES, 2)) > 25, "small points among each other"
    for colour in palette.CLASSES:
        light = luminance(colour)
        assert 1.05 / (light + 0.05) > 3 and (light + 0.05) / 0.05 > 3, colour
    track = Track("a", "a", np.array([0]), np.zeros((1, 2)), np.zeros((1, 2)), colours=np.array([0, 1]))
    sent = pack_tracks([track], x_label="", y_label="")
    assert json.loads(sent[4:4 + int.from_bytes(sent[:4], "little")])["classes"] == list(palette.CLASSES)
    source = (demo.ROOT / "pages/components/plane/plane.js").read_text()
    assert "this.message.classes[label" in source and "view.paint(track.colours[i])" in source


@pytest.mark.parametrize("colour", sorted({
    *palette.RUNS["light"], *palette.RUNS["dark"], *palette.INK.values(), *palette.CLASSES, palette.BLUE,
    palette.ORANGE, palette.GREEN, palette.PINK, palette.GREY}))
def test_a_colour_is_said_once(colour: str) -> None:
    said = [path.name for path in SOURCES for _ in re.finditer(colour, path.read_text(), re.IGNORECASE)]
    assert said in (["config.toml"], ["palette.py"], ["colours.py"], ["component.css"])


def test_a_colour_can_be_seen_through() -> None:
    assert palette.see_through("#2F86D6", 0.2) == "rgba(47,134,214,0.2)"


def channels(colour: str) -> list[int]:
    return [int(colour[at:at + 2], 16) for at in (1, 3, 5)]


def apart(a: str, b: str) -> float:
    return sum((x - y) ** 2 for x, y in zip(channels(a), channels(b), strict=True)) ** 0.5


def seen_apart(a: str, b: str) -> float:
    """The distance in CIELAB (CIE 1976): about 2 is just seen side by side."""
    def lab(colour: str) -> np.ndarray:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in
                  (v / 255 for v in channels(colour))]
        xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
        x, y, z = np.cbrt(xyz / [0.9505, 1, 1.089])  # none of the colours is so dark that the root is not what is meant
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    return float(np.linalg.norm(lab(a) - lab(b)))


def seen_by(colour: str, eyes: np.ndarray) -> np.ndarray:
    """OKLab (Ottosson 2020) of a colour as these eyes see it."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in
                       (v / 255 for v in channels(colour))])
    cones = np.cbrt(np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                              [0.0883024619, 0.2817188376, 0.6299787005]]) @ np.clip(eyes @ linear, 0, 1))
    return np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.8086757660]]) @ cones


def luminance(colour: str) -> float:
    """Relative luminance, WCAG."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
