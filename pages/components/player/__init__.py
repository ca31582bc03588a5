"""A player: clips side by side on one clock, and curves over the same frames.

A page calls `player(tracks, charts, ...)`, best in a fragment. Every frame travels once, as raw bytes in one value, and
is drawn by `player.js`: playing, stepping and scrubbing cause no rerun. Call again with the same
`element` and more frames, as futures are rolled out, to refresh in place: while number and size of the frames stay
the same, so do the clock, the speed and whether it plays.

Only one thing is ever sent back: which track a visitor branches from, and at which frame.

T is the number of frames on the clock, counted from 0; what the player shows to people counts from 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pages.components import serve
from vaecore import packing

Kind = Literal["truth", "given", "reconstruction", "future", "best", "mean", "spread"]
BRANCHES = ("truth", "given", "future", "best")  # a mean or a spread is no clip that could go on
MAX_TRACKS = 32  # tracks on one clock
MAX_FRAMES = 1000  # frames
BYTES = 32 * 2**20  # of all frames together
RATE = 10.0  # frames a second where the data set has none


@dataclass(frozen=True)
class Track:
    """One clip. It may end early, while it is still growing, or be empty; its place in the grid is then kept.

    `kind` says what its frames are: "truth" is given up to the context and true after it; "given" is given throughout;
    "reconstruction" has seen the frame that it shows; the others are given up to the context and predicted after it.
    A grey "spread" is drawn in colours, black where all futures agree.
    """

    name: str  # unique; `Moved` repeats it
    frames: NDArray[np.uint8]  # (n, C, H, W), C 1 or 3; frames start .. start + n - 1 of the clock
    caption: str = ""  # above the picture; without it, the name
    kind: Kind = "future"
    start: int = 0  # frames of the clock before the first of these: 1 for predictions of x_1, x_2, ...
    given: int | None = None  # frames of this clip that the model was given, where they are not those of the context
    help: str = ""  # shown while the pointer rests on the caption


@dataclass(frozen=True)
class Line:
    """One value a frame. Lines of the same name share a colour in every chart."""

    name: str
    values: ArrayLike  # (n,) n <= T, for frames 0 .. n - 1; nan and infinity leave a gap
    low: ArrayLike | None = None  # (n,) with `high` a band: of the samples, say
    high: ArrayLike | None = None


@dataclass(frozen=True)
class Chart:
    """A small line chart over the frames."""

    title: str
    lines: Sequence[Line]
    unit: str = ""
    help: str = ""  # what the title means, in a sentence or two; shown at the title


@dataclass(frozen=True)
class Moved:
    """"Branch here": keep `track` up to and including `frame`, and draw the frames after it anew.

    `context - 1 <= frame < T - 1`, so there is at least one frame to draw, and the track has all frames that are kept.
    """

    track: str
    frame: int


def player(
    tracks: Sequence[Track],
    charts: Sequence[Chart] = (),
    *,
    context: int,
    rate: float = RATE,
    events: Sequence[int] = (),
    branch: bool = False,
    key: str,
    element: str = "player",
    playing: bool = False,
    length: int | None = None,
    event_name: str = "bounce",
) -> Moved | None:
    """Show the tracks in a grid under one clock, the charts below; what a visitor asked for in this run, mostly None.

    Args:
        tracks: at most `MAX_TRACKS`, of one height and width. Name all that will come, their frames empty, shape
            (0, C, H, W), rather than adding tracks one by one: then nothing moves on the page.
        charts: at most `MAX_TRACKS`.
        context: the first frames, which the model was given: shaded, and marked on the tiles.
        rate: frames a second at speed 1x; 0 or less, or not finite, stands for `RATE`.
        events: frames that could not be foreseen from those before; ticks on the clock, marks in the charts.
        branch: offer "Branch here" on the tracks of `BRANCHES`.
        key: names the content, say the clip and the checkpoint: where it changes, no frame is carried over, and a
            visitor's request that came too late is dropped.
        element: Streamlit's key of the component; must stay the same from run to run.
        playing: begin to play at once, unless the visitor prefers reduced motion; heeded at the first call and when
            the number or the size of the frames changes.
        length: T; without it, that of the longest track.
        event_name: what an event is called in the legend.

    Raises ValueError naming the track or the chart that does not fit.
    """
    data = pack(tracks, charts, context=context, rate=rate, events=events, branch=branch, key=key, playing=playing,
                length=length, event_name=event_name)
    sent = serve.component("player")(key=element, data=data, on_branch_change=lambda: None).get("branch")
    return moved(sent, tracks, context=context, length=_length(tracks, length), key=key) if branch else None


def pack(
    tracks: Sequence[Track],
    charts: Sequence[Chart] = (),
    *,
    context: int,
    rate: float = RATE,
    events: Sequence[int] = (),
    branch: bool = False,
    key: str,
    playing: bool = False,
    length: int | None = None,
    event_name: str = "bounce",
) -> bytes:
    """`u32 header length | JSON header | uint8 frames`: little-endian; each track's `count` frames are (H, W, C)."""
    if len(tracks) > MAX_TRACKS or len(charts) > MAX_TRACKS:
        raise ValueError(f"{len(tracks)} tracks and {len(charts)} charts: show at most {MAX_TRACKS} of each")
    frames = [_checked(track) for track in tracks]
    if len({track.name for track in tracks}) < len(tracks):
        raise ValueError("two tracks have the same name")
    sizes = {each.shape[2:] for each in frames}
    if len(sizes) > 1:
        raise ValueError(f"frames must have one size, not {' and '.join(f'{h} x {w}' for h, w in sorted(sizes))}")
    if sum(each.size for each in frames) > BYTES:
        raise ValueError(f"{sum(each.size for each in frames) / 2**20:.0f} MiB of frames: "
                         f"show at most {BYTES // 2**20}; fewer futures or fewer frames")
    total = _length(tracks, length)
    if total > MAX_FRAMES:
        raise ValueError(f"{total} frames: show at most {MAX_FRAMES}")
    height, width = sizes.pop() if sizes else (1, 1)
    pixels = [np.moveaxis(each, 1, 3).tobytes() for each in frames]
    header = {
        "key": key,
        "frames": total,
        "context": min(max(int(context), 0), total),
        "height": height,
        "width": width,
        "rate": float(rate) if math.isfinite(rate) and rate > 0 else RATE,
        "tracks": [
            {
                "name": track.name,
                "caption": track.caption or track.name,
                "kind": track.kind,
                "help": track.help,
                "start": track.start,
                "given": context if track.given is None else track.given,
                "count": len(each),
                "channels": each.shape[1],
                "branch": branch and track.kind in BRANCHES,
                "digest": blake2b(raw, digest_size=8).hexdigest(),
            }
            for track, each, raw in zip(tracks, frames, pixels, strict=True)
        ],
        "events": sorted({int(event) for event in events if 0 <= event < total}),
        "eventName": event_name,
        "charts": [
            {"title": chart.title, "help": chart.help, "unit": chart.unit,
             "lines": [_line(chart, line, total) for line in chart.lines]}
            for chart in charts
        ],
        "branch": branch,
        "playing": playing,
    }
    return packing.packed(header, *pixels)


def moved(sent: object, tracks: Sequence[Track], *, context: int, length: int, key: str) -> Moved | None:
    """What the browser sent, if it is a branch that these tracks have; else None.

    It is a visitor's word: whoever speaks the protocol can send any value.
    """
    if not isinstance(sent, Mapping) or sent.get("key") != key:
        return None
    name, frame = sent.get("track"), sent.get("frame")
    if not isinstance(frame, int) or isinstance(frame, bool) or not context - 1 <= frame < length - 1:
        return None
    return next((Moved(track.name, frame) for track in tracks if track.name == name and track.kind in BRANCHES
                 and 0 <= frame < track.start + len(track.frames)), None)


def _length(tracks: Sequence[Track], length: int | None) -> int:
    """T: what was asked for, and at least 1 and what the tracks fill."""
    return max([1, length or 0, *(track.start + len(track.frames) for track in tracks)])


def _checked(track: Track) -> NDArray[np.uint8]:
    """The frames of a track that fits, (n, C, H, W)."""
    frames = np.asarray(track.frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1] not in (1, 3) or 0 in frames.shape[2:]:
        raise ValueError(f"track {track.name!r}: frames must be uint8 (n, C, H, W) with C 1 or 3, "
                         f"not {frames.dtype} {frames.shape}")
    if track.kind not in get_args(Kind):
        raise ValueError(f"track {track.name!r}: no kind {track.kind!r}; one of {', '.join(get_args(Kind))}")
    if track.start < 0:
        raise ValueError(f"track {track.name!r} starts at frame {track.start}, before the clock")
    return frames


def _line(chart: Chart, line: Line, total: int) -> dict[str, Any]:
    """A line of T values, null where there is none."""

    def column(what: str, values: ArrayLike | None) -> list[float | None]:
        try:
            numbers = np.asarray([] if values is None else values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"chart {chart.title!r}, line {line.name!r}: {what} must be numbers") from error
        if numbers.ndim != 1 or len(numbers) > total:
            raise ValueError(f"chart {chart.title!r}, line {line.name!r}: {what} has shape {numbers.shape}, "
                             f"with {total} frames on the clock")
        known = [float(f"{value:.6g}") if math.isfinite(value) else None for value in numbers]
        return known + [None] * (total - len(known))

    if (line.low is None) != (line.high is None):
        raise ValueError(f"chart {chart.title!r}, line {line.name!r}: a band needs low and high")
    band = {} if line.low is None else {"low": column("low", line.low), "high": column("high", line.high)}
    return {"name": line.name, "values": column("values", line.values), **band}
