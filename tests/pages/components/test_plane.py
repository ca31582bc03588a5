"""Packing of the planes: what the browser gets, the limits of the axes, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from vaecore.charts.plane import (
    EVALUATIONS,
    MAX_PLANES,
    POINTS,
    SNAPSHOTS,
    Path,
    Track,
    pack_paths,
    pack_tracks,
    spread,
)

LABELS = {"x_label": "model", "y_label": "inference"}


def unpack(data: bytes) -> dict[str, Any]:
    """The browser's reading of a packed value (plane.js, decode)."""
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    at = 4 + length
    assert at % 4 == 0, "float32 columns must be aligned"

    def column(*shape: int) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(data, "<f4", int(np.prod(shape)), at).reshape(shape)
        at += values.nbytes
        return values

    for track in header.get("tracks", []):
        track["steps"] = column(track["snapshots"])
        track["x"], track["y"] = (column(track["snapshots"], track["points"]) for _ in range(2))
    for path in header.get("paths", []):
        path["steps"], path["x"], path["y"] = (column(path["points"]) for _ in range(3))
    assert at == len(data), "nothing may be left over"
    return header


def one_track(steps: Any, x: Any, y: Any, colours: Any = None) -> dict[str, Any]:
    """The packed track, with the limit of its plane."""
    header = unpack(pack_tracks([Track("basic", "r1", steps, x, y, colours)], **LABELS))
    return {**header["tracks"][0], "limit": header["limit"]}


def ranges(*paths: tuple[Any, Any]) -> tuple[list[float], list[float]]:
    """Limits of both axes for paths of (x, y)."""
    given = [Path("p", "r", np.arange(len(x)), np.array(x), np.array(y)) for x, y in paths]
    header = unpack(pack_paths(given, **LABELS))
    return header["xRange"], header["yRange"]


@pytest.mark.parametrize("label", ["a", "ab", "abc", "abcd", "aggressive · étape"])
def test_tracks_round_trip(label: str) -> None:
    x = np.arange(6.0).reshape(2, 3)
    first = Track(label, "r1", np.array([0, 100]), x, -x, np.array([0, 2, 1]))
    second = Track("basic", "r2", np.array([50]), x[:1, :2], x[:1, :2])
    header = unpack(pack_tracks([first, second], x_label="model", y_label="inference", height=300))
    assert (header["kind"], header["height"]) == ("tracks", 300)
    assert (header["xLabel"], header["yLabel"]) == ("model", "inference")
    a, b = header["tracks"]
    assert (a["label"], a["run"], a["colours"], a["every"]) == (label, "r1", [0, 2, 1], 1)
    assert (b["label"], b["run"], b["colours"]) == ("basic", "r2", [])
    np.testing.assert_array_equal(a["steps"], [0, 100])
    np.testing.assert_array_equal(a["x"], x)
    np.testing.assert_array_equal(a["y"], -x)
    np.testing.assert_array_equal(b["x"], [[0, 1]])


def test_classes_that_occur_are_named_and_one_without_a_name_has_its_number() -> None:
    x = np.zeros((1, 4))
    named = Track("a", "r1", np.array([0]), x, x, np.array([2, 0, 2, 3]), ("shirt", "bag", "boot"))
    header = unpack(pack_tracks([named, Track("b", "r2", np.array([0]), x, x)], **LABELS))
    assert [track["names"] for track in header["tracks"]] == [{"0": "shirt", "2": "boot", "3": "3"}, {}]


def test_paths_round_trip() -> None:
    path = Path("basic", "r1", np.array([0, 10, 20]), np.array([1.0, 2.0, 3.0]), np.array([9.0, 8.0, 7.0]))
    header = unpack(pack_paths([path], x_label="rate", y_label="distortion"))
    assert (header["kind"], header["xLabel"], header["yLabel"]) == ("paths", "rate", "distortion")
    np.testing.assert_array_equal(header["paths"][0]["steps"], [0, 10, 20])
    np.testing.assert_array_equal(header["paths"][0]["x"], [1, 2, 3])
    np.testing.assert_array_equal(header["paths"][0]["y"], [9, 8, 7])


def test_nothing_yet() -> None:
    assert unpack(pack_tracks([], **LABELS))["limit"] == 1.0
    header = unpack(pack_paths([], **LABELS))
    assert (header["xRange"], header["yRange"]) == ([0.0, 1.0], [0.0, 1.0])
    for shape in [(0,), (0, 5), (0, 0)]:
        track = one_track(np.zeros(0), np.zeros(shape), np.zeros(shape))
        assert (track["snapshots"], track["points"], track["limit"]) == (0, 0, 1.0)
    assert ranges(([], [])) == ([0.0, 1.0], [0.0, 1.0])


def test_what_is_not_finite_in_one_coordinate_is_left_out_in_both() -> None:
    x = np.array([[1.0, np.nan, 3.0, 1e300]])
    y = np.array([[1.0, 2.0, -np.inf, 4.0]])
    track = one_track(np.array([0]), x, y)
    np.testing.assert_array_equal(track["x"], [[1, np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(track["y"], [[1, np.nan, np.nan, np.nan]])
    nothing = one_track(np.array([0]), np.full((1, 2), np.nan), np.zeros((1, 2)))
    assert nothing["limit"] == 1.0


def test_a_resumed_run_overwrites_the_steps_it_repeats() -> None:
    steps = np.array([1, 2, 3, 2, np.nan])
    values = np.array([[10.0], [20.0], [30.0], [21.0], [99.0]])
    track = one_track(steps, values, values)
    np.testing.assert_array_equal(track["steps"], [1, 2, 3])
    np.testing.assert_array_equal(track["x"], [[10], [21], [30]])


@pytest.mark.parametrize(("spread_of_points", "limit"), [(0.2, 1.0), (1.3, 1.5), (1.9, 3.0), (4.0, 5.0), (70.0, 80.0)])
def test_limit_is_round_and_the_same_for_all_tracks(spread_of_points: float, limit: float) -> None:
    wide = np.linspace(-spread_of_points, spread_of_points, 400)[None]
    narrow = wide / 10
    tracks = [Track("a", "a", np.array([0]), narrow, narrow), Track("b", "b", np.array([0]), narrow, wide)]
    assert unpack(pack_tracks(tracks, **LABELS))["limit"] == limit


def test_limit_covers_every_snapshot_but_not_a_stray_point() -> None:
    x = np.zeros((3, 400))
    x[1] = 2.0
    x[2, 7] = 1000.0
    assert one_track(np.arange(3), x, np.zeros_like(x))["limit"] == 3.0


def test_many_snapshots_and_points_are_thinned_alike() -> None:
    n_steps, n_points = 3 * SNAPSHOTS, 2 * POINTS + 1
    x = np.arange(n_steps)[:, None] + np.arange(n_points) / n_points
    track = one_track(np.arange(n_steps), x, x, np.arange(n_points))
    assert track["snapshots"] <= SNAPSHOTS and track["points"] <= POINTS
    assert (track["steps"][0], track["steps"][-1]) == (0, n_steps - 1)
    kept = np.arange(track["points"]) * track["every"]
    assert track["colours"] == kept.tolist()
    np.testing.assert_array_equal(track["x"], x[track["steps"].astype(int)][:, kept].astype(np.float32))


def test_long_paths_are_thinned() -> None:
    x = np.arange(10_000.0)
    path = unpack(pack_paths([Path("p", "r", x, x, x)], **LABELS))["paths"][0]
    assert path["points"] <= EVALUATIONS
    assert (path["x"][0], path["x"][-1]) == (0, 9_999)


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 65, 127, 128, 129, 1000, 4096])
def test_spread_keeps_both_ends_within_the_limit(n: int) -> None:
    kept = spread(n, 64)
    assert len(kept) == n if n <= 64 else 32 <= len(kept) <= 64
    assert np.all(np.diff(kept) > 0)
    if n:
        assert (kept[0], kept[-1]) == (0, n - 1)


def test_spread_keeps_what_it_kept_while_a_run_grows() -> None:
    assert set(spread(70, 64)[:-1]) <= set(spread(100, 64))


def test_a_far_off_beginning_does_not_widen_the_axes() -> None:
    x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    y = [500.0, 50.0, 44.0, 42.0, 41.0, 40.0]
    (x_low, x_high), (y_low, y_high) = ranges((x, y))
    assert x_low < 0 and x_high > 5, "near its end a path is shown whole"
    assert y_low < 40 and 44 < y_high < 50, "the later half spans 4 nats, the view at most as many above it"


def test_axes_hold_the_later_half_of_every_path() -> None:
    (x_low, x_high), _ = ranges(([0, 1, 2], [5, 5, 5]), ([90, 100, 110], [5, 5, 5]))
    assert x_low < 1 and x_high > 110


def test_a_run_that_stands_still_is_seen_with_a_nat_around_it() -> None:
    (x_low, x_high), (y_low, y_high) = ranges(([0.0, 0.001, 0.0], [40.0, 40.0, np.nan]))
    assert x_high - x_low >= 1 and y_high - y_low >= 1
    assert x_low < 0 < x_high and y_low < 40 < y_high


FLAT = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("track", "says"),
    [
        (Track("basic", "r", np.arange(2), FLAT, FLAT[:, :2]), r"'basic': x has shape \(2, 3\) but y \(2, 2\)"),
        (Track("basic", "r", np.arange(3), FLAT, FLAT), r"'basic': .* not \(2, 3\) with steps \(3,\)"),
        (Track("basic", "r", np.arange(3), FLAT[0], FLAT[0]), r"'basic': .* must be \(S, N\), not \(3,\)"),
        (Track("basic", "r", np.arange(2), FLAT, np.full((2, 3), "a")), "'basic': .* arrays of numbers"),
        (Track("basic", "r", np.arange(2), FLAT, FLAT, np.arange(2)), r"'basic': 3 points but colours of shape \(2,\)"),
        (Track("basic", "r", np.arange(2), FLAT, FLAT, -np.arange(3)), "'basic': colours must be whole numbers"),
        (Track("basic", "r", np.arange(2), FLAT, FLAT, np.arange(3.0)), "'basic': colours must be whole numbers"),
    ],
)
def test_a_track_that_does_not_fit_is_named(track: Track, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pack_tracks([Track("fine", "f", np.arange(2), FLAT, FLAT), track], **LABELS)


def test_a_path_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"path 'vae': x has shape \(2,\) but y \(3,\)"):
        pack_paths([Path("vae", "r", np.arange(2), np.arange(2), np.arange(3))], **LABELS)
    with pytest.raises(ValueError, match=r"path 'vae': .* must be \(S,\), not \(2, 3\)"):
        pack_paths([Path("vae", "r", np.arange(2), FLAT, FLAT)], **LABELS)


def test_too_many_tracks() -> None:
    track = Track("t", "r", np.arange(2), FLAT, FLAT)
    with pytest.raises(ValueError, match="9 tracks: show at most 8"):
        pack_tracks([track] * (MAX_PLANES + 1), **LABELS)
