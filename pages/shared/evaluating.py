"""The queue of evaluations on a page: how far all of them are, how those that have ended did, and how to cancel."""

from __future__ import annotations

import streamlit as st

from pages.shared import changing, checkpoints
from pages.shared.words import escaped
from vaecore.evaluate.parts import title
from vaecore.evaluate.settings import Settings
from vaecore.files import trouble
from vaecore.lab import LabError, evaluations
from vaecore.lab.evaluations import ENDED, Item
from vaecore.schema import ConfigError
from vaecore.store import Run, StoreError

EVERY = 1.5  # seconds
ICONS = {"waiting": "schedule", "running": "play_circle", "done": "check_circle", "partial": "contrast",
         "failed": "error", "cancelled": "cancel"}
ERROR = "evaluating-error"


def submit(runs: list[Run], settings: Settings | None = None) -> None:
    """Queue an evaluation of each; what could not be is told where the queue is shown."""
    try:
        left_out = evaluations.submit(runs, settings, store=checkpoints.store())
        st.session_state[ERROR] = " ".join(f"{run} is left out: {why}" for run, why in left_out.items())
    except (LabError, StoreError, ConfigError, OSError) as error:
        st.session_state[ERROR] = trouble(error)


def queue() -> None:
    """How far the queue is, looked at anew while it is at work; nothing where it is empty."""
    _tell()
    there = evaluations.items(checkpoints.store())
    if there:
        busy = any(item.state not in ENDED for item in there)
        st.fragment(_panel, run_every=EVERY if busy else None, key="evaluating")(busy)


def _tell() -> None:
    """What could not be done, once."""
    if said := st.session_state.pop(ERROR, ""):
        st.warning(escaped(said), icon=":material/error:")


def _panel(busy: bool) -> None:
    try:
        evaluations.kick(checkpoints.store())
    except OSError as error:
        st.error(escaped(f"Evaluations cannot be begun: {trouble(error)}"), icon=":material/error:")
    there = evaluations.items(checkpoints.store())
    ended = [item for item in there if item.state in ENDED]
    if not there or (busy and len(ended) == len(there)):
        st.rerun()  # what was found is shown, and nothing looked at any more
    _tell()  # of a button in here, after which nothing else is drawn
    now = next((item for item in there if item.state == "running"), None)
    share = (len(ended) + sum(item.share for item in there if item.state == "running")) / max(1, len(there))
    words = f"Evaluations: {len(ended)} of {len(there)} have ended"
    if now is not None:
        words += f"; now {escaped(now.run)}" + (f", {title(now.part).lower()} {now.share:.0%}" if now.part else "")
    bad = [item for item in ended if item.state == "failed"]
    with st.container(border=True, gap="small", key="evaluation-queue"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.progress(min(1.0, share), text=words)
            if busy:
                changing.button("Cancel all", key="cancel-evaluations", icon=":material/stop:", on_click=_cancel,
                                args=([item.id for item in there if item.state not in ENDED],),
                                help="Those that wait are not begun; of the one that is running is kept what it has "
                                "found by then.")
            else:
                changing.button("Clear", key="clear-evaluations", icon=":material/clear_all:", on_click=_clear,
                                args=([item.id for item in there],),
                                help="Take these off the list. What they found stays with their runs.")
        for item in bad:
            st.caption(f":material/error: {escaped(item.run)}: {escaped(item.detail)}")
        with st.expander(f"All {len(there)}", key="evaluations-listed"):
            for item in there:
                _line(item)


def _line(item: Item) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/{ICONS[item.state]}: {escaped(item.run)}", width="content")
        st.caption(f"{item.state}{f', {title(item.part).lower()} {item.share:.0%}' if item.part else ''}")
        if item.state not in ENDED:
            changing.button("Cancel", key=f"cancel-{item.id}", type="tertiary", icon=":material/close:",
                            on_click=_cancel, args=([item.id],), help=f"Take {escaped(item.run)} out of the queue.")


def _clear(ids: list[str]) -> None:
    try:
        evaluations.forget_ended(ids, store=checkpoints.store())
    except (LabError, StoreError, OSError) as error:
        st.session_state[ERROR] = trouble(error)


def _cancel(ids: list[str]) -> None:
    try:
        evaluations.cancel(ids, store=checkpoints.store())
    except (LabError, StoreError, OSError) as error:
        st.session_state[ERROR] = trouble(error)
