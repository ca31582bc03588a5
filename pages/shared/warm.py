"""The heavy imports, once a process, after the first page has painted.

With torch, pandas and plotly imported a full garbage collection takes 120 ms, and every session waits for it.
Freezing what these imports made takes it out of the collector's sight. (Streamlit collects after every run of a page
by itself; `.streamlit/config.toml` turns that off, as what fifty sessions hold cannot be frozen.)
"""

import gc
import threading

import streamlit as st


@st.cache_resource(show_spinner=False)
def up() -> threading.Thread:
    """Import what the other pages need, in the background."""
    thread = threading.Thread(target=_load, name="warm-up", daemon=True)
    thread.start()
    return thread


def settle() -> None:
    """Freeze what has been made so far; call it after anything heavy was imported or loaded."""
    gc.collect()
    gc.freeze()


def _load() -> None:
    from vaecore.library.records import records

    records()  # read once, so that the first table of many runs, and the first picker, need not wait
    import torch

    torch.set_num_threads(1)  # decoding for one visitor: more threads only get in each other's way
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    import vaecore.config
    import vaecore.explore.pictures  # noqa: F401
    from vaecore.explore.export.graph import warm_up

    warm_up()
    settle()
