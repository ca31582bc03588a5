"""Home's second act: a training of a minute, started by one click and then watched on Monitor."""

from __future__ import annotations

import threading
from typing import NamedTuple

import streamlit as st

from pages.shared import changing, checkpoints, warm
from pages.shared.queue import anything_live
from pages.shared.words import escaped, span
from vaecore.store import StoreError

PRESET = "vae-minute"  # a minute, measured, with the digits that are in the package
TEXT = ("A VAE learns 4,000 handwritten digits while you watch: at first it draws noise, then smudges, then digits. "
        "It goes on when you leave the page.")
LOOK = 1.0  # seconds between two looks at what is measured


class Known(NamedTuple):
    """What is known of how long it takes here."""

    least: float
    most: float
    source: str


class Measuring:
    """The time that the training takes here, found in the background: Home paints before torch is imported."""

    def __init__(self) -> None:
        self.known: Known | None = None
        self.thread = threading.Thread(target=self._run, name="minute", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        warm.ready()  # its imports would be measured too
        from vaecore.comparison.durations import estimate
        from vaecore.config import preset

        found = estimate(preset(PRESET), store=checkpoints.store())
        self.known = Known(found.seconds, found.at_most, found.source)


@st.cache_resource(show_spinner=False)
def measuring() -> Measuring:
    """One for all visitors."""
    return Measuring()


def show() -> None:
    """What it is, how long it takes here, and the button."""
    with st.container(border=True, key="minute", horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(gap=None):
            st.subheader("Train one: a minute", anchor=False)
            st.markdown(TEXT)
            found = measuring()
            st.fragment(_time, run_every=None if found.known else LOOK, key="minute-time")(found, found.known is None)
        with st.container(width="content", gap="small"):
            changing.button("Train one", key="train-minute", type="primary", icon=":material/play_arrow:",
                            help="Starts at once in the background and opens Monitor, where its pictures sharpen.",
                            on_click=_press)
            st.page_link("train/page.py", label="Choose what to train", icon=":material/model_training:",
                         query_params={"preset": PRESET}, help="The same training as a form, to change and start.")
    if st.session_state.get("minute:pressed"):
        start()
    if made := st.session_state.pop("minute:made", None):
        checkpoints.choose_several([made], "monitor")
        st.switch_page("monitor/page.py", query_params={"runs": made})
    if error := st.session_state.get("minute:error"):
        st.error(escaped(error), icon=":material/error:")


def _press() -> None:
    if changing.twice("minute:last"):
        return
    st.session_state["minute:pressed"] = True
    st.session_state.pop("minute:error", None)


def _time(found: Measuring, waiting: bool) -> None:
    """Seconds on this machine, as soon as they are known: the line has its place from the start."""
    if waiting and found.known:
        st.rerun()  # whole, so that nobody looks any more
    if found.known is None:
        st.caption("About a minute; how long on this machine is being measured.")
        return
    busy = " Something is training: it waits for that." if anything_live() else ""
    st.caption(f"**{span(found.known.least, found.known.most)}** on this machine.{busy}",
               help=f"{escaped(found.known.source)} Seconds of computing; what else the machine does adds to it.")


def start() -> None:
    """Make the run and queue it; on Home again with the reason where that fails.

    What a component tells meanwhile begins the page anew, at any of its elements: so the press is forgotten only where
    the run is made, and what came of it stands in the session.
    """
    from vaecore import files, lab
    from vaecore.config import preset
    from vaecore.schema import ConfigError

    with st.spinner("Getting ready …"):
        st.session_state.pop("minute:pressed", None)
        try:
            run = checkpoints.store().create(preset(PRESET))
            lab.submit_new([run.path], lab.Here())
        except (StoreError, lab.LabError, ConfigError, OSError) as error:
            st.session_state["minute:error"] = files.trouble(error)
            return
        st.session_state["minute:made"] = run.id
