"""Between: from one picture to another through a latent, along three paths under one scrubber.

Both ends are picked in a contact sheet of the kept examples, or taken from under the hand. The straight and the
spherical path are computed and all pictures are decoded in the browser (`between.js`); only the shortest path in the
decoder's metric is asked for, once for each pair of ends. What comes back is that question: no message is sent while
the scrubber moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.components.serve import component
from vaecore import packing

if TYPE_CHECKING:
    from vaecore.explore.codes import Codes
    from vaecore.explore.geodesics import Ways

ENDS = ("0", "1")  # examples at first
LONGEST_END = 20_000  # characters of an end


def between(hand: Mapping[str, Any], codes: Codes, sheet: bytes, cell: tuple[int, int], labels: Sequence[str], *,
            noun: str, ends: tuple[str, str], ways: Ways | None, key: str, reason: str = "",
            note: str = "") -> None:
    """Show the component for a run that `hand` describes; `asked` tells what it wants to know.

    `codes` (N, r) are those of the kept examples, `sheet` their pictures as one PNG in a row of N cells of `cell`
    (height, width) pixels, `labels` what they are, or none. `ways` are the paths between `ends`, once they are known,
    or `reason` says why there are none; `note` says what lengths are measured in.
    """
    component("between")(key=key, on_ends_change=lambda: None, data=pack(
        hand, codes, sheet, cell, labels, noun=noun, ends=ends, ways=ways, reason=reason, note=note))


def asked(key: str) -> tuple[str, str] | None:
    """The ends between which the shortest path is wanted: numbers of examples, or "z" with a code in units.

    It is a visitor's word: None for anything but two texts of a length that can be.
    """
    kept = st.session_state.get(key)
    told = kept.get("ends") if isinstance(kept, Mapping) else None
    if not isinstance(told, Mapping):
        return None
    start, end = told.get("from"), told.get("to")
    if not isinstance(start, str) or not isinstance(end, str) or max(len(start), len(end)) > LONGEST_END:
        return None
    return start, end


def pack(hand: Mapping[str, Any], codes: Codes, sheet: bytes, cell: tuple[int, int], labels: Sequence[str], *,
         noun: str, ends: tuple[str, str], ways: Ways | None, reason: str = "", note: str = "") -> bytes:
    """u32 header length | JSON | float32 columns | PNG: codes (N, r), the shortest path (S, r), three speeds (M,)."""
    from vaecore.explore.codes import ROUTES

    columns: list[np.ndarray] = [codes]
    header: dict[str, Any] = {"hand": hand, "count": len(codes), "cell": list(cell), "labels": list(labels),
                              "noun": noun, "from": ends[0], "to": ends[1], "ways": None, "reason": reason,
                              "note": note, "png": len(sheet)}
    if ways is not None:
        columns += [ways["shortest"].codes, *(ways[path].speed for path in ROUTES)]
        header["ways"] = {"steps": len(ways["shortest"].codes), "speeds": len(ways["shortest"].speed),
                          "lengths": {path: ways[path].length for path in ROUTES}, "chord": ways.chord,
                          "settled": ways.settled}
    return packing.packed(header, *map(np.asarray, columns), sheet)
