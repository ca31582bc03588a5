"""A table that can be taken along: the button beside it offers CSV, Markdown and LaTeX."""

from __future__ import annotations

import streamlit as st

from vaecore.tables import Table


def offer(table: Table, name: str, *, label: str = "Table") -> None:
    """A button that unfolds `table` as a CSV file called `name`, and as Markdown and LaTeX to copy.

    `name` is also the key of its parts, so it stands once on a page.
    """
    with st.popover(label, icon=":material/table_view:", type="tertiary", key=f"table-{name}",
                    help="Take this table along: as a CSV file, or as Markdown or LaTeX to copy."):
        st.download_button("CSV", lambda: table.csv().encode("utf-8-sig"), f"{name.replace('/', '-')}.csv", "text/csv",
                           key=f"csv-{name}", icon=":material/download:", on_click="ignore",
                           help="Numbers in full; how far one may be off stands in the column after it.")
        for tab, (language, text) in zip(st.tabs(["Markdown", "LaTeX"], key=f"text-{name}"), {
                "markdown": table.markdown(), "latex": table.latex()}.items(), strict=True):
            tab.code(text, language=language, height=240)
