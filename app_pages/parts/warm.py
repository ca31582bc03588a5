"""The heavy imports, once a process, after the first page has painted.

Streamlit collects garbage after every run of a page; with torch, pandas and plotly imported each collection
costs 120 ms for every session. Freezing what these imports made takes it out of the collector's sight.
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
    import torch

    torch.set_num_threads(1)  # decoding for one visitor: more threads only get in each other's way
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    import vaecore.config
    import vaecore.explore.pictures  # noqa: F401

    settle()
