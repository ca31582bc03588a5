"""A run has one colour on all pages of a session, whatever else is shown beside it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from itertools import count

import streamlit as st

from pages.shared.palette import RUNS

HUES = len(RUNS["light"])  # the eighth run has the hue of an earlier one, and marks on its line
ARMS = {"basic": 0, "aggressive": 1}  # places of runs named after a training, as `lagging_figure.py` paints these
CEILING = "ceiling"  # what stands in a chart as if a run, and is none
NEUTRAL = -1  # its place: the colour of text


def settle(runs: Iterable[str]) -> None:
    """Give `runs`, all that a page shows, their places: before any of its charts shows some of them."""
    kept = _kept()
    kept.update(assigned(runs, {name: place for name, place in kept.items() if place < HUES}))


def places(runs: Iterable[str]) -> dict[str, int]:
    """The place in the palette of each of `runs`, the same on every page; those shown together differ."""
    kept = _kept()
    found = assigned(runs, kept)
    kept.update(found)
    return found


def assigned(runs: Iterable[str], kept: Mapping[str, int]) -> dict[str, int]:
    """Where each had a place and none beside it has the same, it stays; else by its name, or the next that is free.

    Places from `HUES` on are only given where those before are taken.
    """
    names = list(dict.fromkeys(runs))
    found: dict[str, int] = {}
    for name in names:
        if name == CEILING:
            found[name] = NEUTRAL
        elif name in kept and kept[name] not in found.values():
            found[name] = kept[name]
    for name in names:
        if name not in found:
            wish, taken = _wish(name), set(found.values())
            lap = next(lap for lap in count() if not taken.issuperset(range(lap * HUES, (lap + 1) * HUES)))
            found[name] = next(place for place in (lap * HUES + (wish + i) % HUES for i in range(HUES))
                               if place not in taken)
    return {name: found[name] for name in names}


def _kept() -> dict[str, int]:
    kept: dict[str, int] = st.session_state.setdefault("run-places", {})
    return kept


def _wish(name: str) -> int:
    words = re.split(r"[-_/.]", name)
    return next((ARMS[word] for word in words if word in ARMS), zlib.crc32(name.encode()) % HUES)
