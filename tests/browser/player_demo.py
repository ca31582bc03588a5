"""A page with nothing but the player, on clips of a square that moves; `test_playback.py` serves it."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.player import Chart, Line, Track, player

T, CONTEXT, SIDE = 20, 5, 32


def clip(step: int) -> NDArray[np.uint8]:
    """A square that moves `step` pixels a frame once the context is over, (T, 1, 32, 32)."""
    frames = np.zeros((T, 1, SIDE, SIDE), np.uint8)
    for t in range(T):
        left = (min(t, CONTEXT - 1) + step * max(0, t - CONTEXT + 1)) % (SIDE - 6)
        frames[t, :, 12:18, left : left + 6] = 255
    return frames


def show() -> None:
    state = st.session_state
    state.setdefault("grown", 12)
    state.setdefault("runs", 0)
    state.runs += 1
    if st.button("Grow"):
        state.grown = T
    tracks = [
        Track("truth", clip(1), "Truth", "truth"),
        Track("reconstruction", clip(1)[1:], "Reconstruction", "reconstruction", start=1),
        *(Track(f"future-{i}", clip(i + 1)[: state.grown], f"Future {i}") for i in (1, 2)),
        Track("spread", np.std([clip(2), clip(3)], 0).astype(np.uint8), "Spread", "spread"),
    ]
    time = np.arange(T)
    psnr = np.where(time < CONTEXT, np.nan, 30.0 - time)
    charts = [
        Chart("Prior sd", [Line("learned", 0.2 + 0.6 * (time == 9)), Line("fixed", np.ones(T))],
              help="How unsure the model is of the next frame before it sees it."),
        Chart("PSNR", [Line("learned", psnr, psnr - 2, psnr + 2)], "dB"),
    ]
    asked = player(tracks, charts, context=CONTEXT, rate=5, events=[9], branch=True, key="demo")
    if asked:
        state.asked = asked
    if st.toggle("Second"):
        player(tracks[:1], context=CONTEXT, rate=5, key="second", element="second", length=T, playing=True)
    st.write(f"Run {state.runs}; asked: {state.get('asked')}")


st.set_page_config(layout="wide")
show()
