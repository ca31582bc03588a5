"""What the chosen runs printed: the end of the log, a search in it, and the file to take along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address
from pages.shared.words import escaped
from vaecore import lab
from vaecore.comparison.history import History
from vaecore.lab import logs
from vaecore.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LINES = 200  # of each run that are shown
HEIGHT = 440  # px


def log(records: Mapping[str, History], row: DeltaGenerator) -> None:
    """The log of each run, its newest lines in sight; with a search, the lines that hold it."""
    sought = address.kept("log", row.text_input, "Search the log", key="log", max_chars=80, width=320,
                          icon=":material/search:", placeholder="Search the log", label_visibility="collapsed",
                          help=f"Lines that hold it, in capitals or not: the last {LINES}.").strip()
    with st.grid(min(2, len(records)), min_column_width=420):
        for record in records.values():
            _of(record.run, sought)


def _of(run: Run, sought: str) -> None:
    status, found = lab.status(run.path), lab.log(run.path, LINES, sought)
    with st.container(key=f"log-of-{run.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{escaped(run.title)}**", width="content")
            st.caption(escaped(found.told), width="stretch")
            st.download_button("Log", lambda: logs.taken(run.path), f"{run.id.replace('/', '-')}-log.txt", "text/plain",
                               key=f"log-file-{run.id}", icon=":material/download:", disabled=not found.size,
                               on_click="ignore",
                               help=f"The file; of one above {logs.TAKEN // 2**20} MB its end.")
        if why := lab.why_it_waits(run.path, status):
            st.caption(f":material/schedule: {escaped(why)}")
        if found.lines:
            with st.container(height=HEIGHT, autoscroll=True, border=False, key=f"log-lines-{run.id}"):
                st.code(str(found), language=None, wrap_lines=True)
        elif found.size and sought:
            st.caption("No line holds it.")
        elif not why:
            st.caption("Shipped runs come without their log." if run.shipped else
                       "Nothing written yet." if status.state in lab.LIVE else "It wrote no log.")
