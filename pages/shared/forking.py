"""What would have helped a training that failed: a fork with it, one press away on whichever page shows the failure."""

from __future__ import annotations

import streamlit as st

from pages.shared.words import escaped
from vaecore.lab import Status
from vaecore.store import Run


def offer(run: Run, status: Status) -> None:
    """The way to a fork of `run` with the settings that its last word suggests; nothing where it suggests none.

    A link, as the form's beginning is an address: it works from the keyboard, in another tab and on Train itself.
    """
    if not status.suggested or not run.weights.is_file():
        return
    words = ", ".join(f"{name.rpartition('.')[2].replace('_', ' ')} {value}" for name, _, value in (
        setting.partition("=") for setting in status.suggested))
    st.page_link("train/page.py", label=escaped(f"Fork with {words}"), icon=":material/call_split:",
                 query_params={"from": run.id, "weights": "last", "set": [*status.suggested]},
                 help="Open Train filled in: a new run that goes on from this one's last weights, and fits. This "
                      "one stays as it is.")
