"""Traverse's tab *Interpolate*: from one picture to another through the latent, along three paths side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components.between import ENDS, asked, between
from pages.shared import checkpoints, hand

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes
    from vaecore.explore.geodesics import Ways

STEPS = 65  # codes on the shortest path that the browser goes through
MEAN = ("Lengths are in the decoder's metric: how far the decoded picture moves in all along a path, in pixel values. "
        "A shortest path is one among those nearby.")
SIGMA = " The decoder gives each pixel a sigma as well, so sigma counts beside the mean."
UNITS = "how far the decoded numbers move in all along a path"


def panel(checkpoint: Checkpoint) -> None:
    """Two ends, three paths between them, one scrubber."""
    from vaecore.explore.surface import says_sigma

    if len(checkpoint.examples) < 2:
        st.info("Only one test image travels with this run, so there is nothing to interpolate to.")
        return
    key = f"between-{checkpoint.run.id}"
    told = asked(key)
    ends, ways, reason = (ENDS, None, "") if told is None else (told, *found(checkpoint, told))
    note = MEAN if checkpoint.vector is None else MEAN.replace("how far the decoded picture moves in all along a path, "
                                                               "in pixel values", UNITS)
    pictures, cell = _sheet(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), checkpoint)
    between(hand.described(checkpoint), checkpoint.encode(slice(None)), pictures, cell, _labels(checkpoint),
            noun="image" if checkpoint.vector is None else "row", ends=ends, ways=ways, key=key, reason=reason,
            note=note + SIGMA * says_sigma(checkpoint.model, checkpoint.model.latents))


def found(checkpoint: Checkpoint, ends: tuple[str, str]) -> tuple[Ways | None, str]:
    """The paths between two ends as they were asked for, or why there are none."""
    start, end = (_code(checkpoint, each) for each in ends)
    if start is None or end is None:
        return None, "One of both ends is no longer there. Pick it anew."
    try:
        return _ways(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), start.tobytes(), end.tobytes(),
                     checkpoint), ""
    except RuntimeError:  # of torch: what this decoder does cannot be differentiated
        return None, "This decoder cannot be differentiated, so it has no metric to be short in."


def _code(checkpoint: Checkpoint, end: str) -> Codes | None:
    """A code (r,): of an example by its number, or as the address has one, "z" and units joined by commas."""
    if end.startswith("z"):
        return checkpoint.place(hand.numbers(end[1:], checkpoint.size))
    if not (end.isascii() and end.isdecimal() and len(end) < 7 and int(end) < len(checkpoint.examples)):
        return None
    code: Codes = checkpoint.encode([int(end)])[0]
    return code


@st.cache_data(max_entries=256, show_spinner=False)
def _ways(path: str, stamps: tuple[int, ...], start: bytes, end: bytes,  # noqa: ARG001 (the cache's key)
          _checkpoint: Checkpoint) -> Ways:
    """Found once for each pair of codes, for all sessions."""
    import numpy as np

    return _checkpoint.ways(np.frombuffer(start, np.float32), np.frombuffer(end, np.float32), STEPS)


@st.cache_data(max_entries=32, show_spinner=False)
def _sheet(path: str, stamps: tuple[int, ...], _checkpoint: Checkpoint  # noqa: ARG001 (the cache's key)
           ) -> tuple[bytes, tuple[int, int]]:
    """The kept examples as one row of a PNG, and the height and width of one."""
    from vaecore.explore.pictures import grid, legible, png

    images = legible(_checkpoint.originals(slice(None)))
    return png(grid(images, len(images), gap=0)), (int(images.shape[1]), int(images.shape[2]))


def _labels(checkpoint: Checkpoint) -> list[str]:
    """What the examples are, where that is known."""
    from vaecore.explore.exported import names_of

    if checkpoint.labels is None:
        return []
    return names_of(checkpoint.labels, checkpoint.known)
