"""The comparison as one file to take along."""

from __future__ import annotations

import streamlit as st

from pages.shared import colours
from vaecore.store import Run


def document(runs: list[Run]) -> None:
    """A button that makes one HTML file of the whole comparison, which opens without a server and without a network."""
    if len(runs) < 2:
        return
    places = colours.places(run.id for run in runs)

    def made() -> bytes:
        from vaecore.explore.export.comparison import comparison_page

        return comparison_page(runs, places=places)

    st.download_button("HTML file", made, f"comparison-of-{len(runs)}-runs.html", "text/html", key="comparison-file",
                       icon=":material/description:", on_click="ignore", help="The whole comparison as one file: what "
                       "differs, numbers, curves that can be zoomed, codes and pictures. It opens from disk, without a "
                       "server and without a network.")
