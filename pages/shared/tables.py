"""A table that can be taken along: the button beside it offers CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from vaecore.tables import Column, Table, Value


def said(column: Column) -> Callable[[Value], str]:
    """How numbers of a column are written on a page: as the table says them, with a minus for the hyphen."""
    return lambda value: column.said(value).replace("-", "−")


def offer(table: Table | Callable[[], Table], name: str, *, label: str = "Table") -> None:
    """A button that unfolds `table` as a CSV file called `name`, and as Markdown and LaTeX to copy.

    `name` is also the key of its parts, so it stands once on a page. A table that is given as a function is made only
    while the button is unfolded.
    """
    with st.popover(label, icon=":material/table_view:", type="tertiary", key=f"table-{name}",
                    help="Take this table along: as a CSV file, or as Markdown or LaTeX to copy.",
                    on_change="rerun" if callable(table) else "ignore") as unfolded:
        if not callable(table):
            _forms(table, name)
        elif unfolded.open:
            _forms(table(), name)


def _forms(table: Table, name: str) -> None:
    st.download_button("CSV", lambda: table.csv().encode("utf-8-sig"), f"{name.replace('/', '-')}.csv", "text/csv",
                       key=f"csv-{name}", icon=":material/download:", on_click="ignore",
                       help="Numbers in full; how far one may be off stands in the column after it.")
    for tab, (language, text) in zip(st.tabs(["Markdown", "LaTeX"], key=f"text-{name}"), {
            "markdown": table.markdown(), "latex": table.latex()}.items(), strict=True):
        tab.code(text, language=language, height=240)
