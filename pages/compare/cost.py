"""What the compared runs cost."""

from __future__ import annotations

import streamlit as st

from pages.shared.names import names
from pages.shared.tables import offer
from pages.shared.words import escaped
from vaecore.store import Run


def cost(runs: list[Run]) -> None:
    """Seconds, parameters and memory, a row a run."""
    import pandas as pd

    from vaecore.comparison.cost import cost as measured
    from vaecore.comparison.cost import table

    st.subheader("Cost", anchor=False, help="Seconds of training as it went, numbers learned, memory, and what an "
                 "evaluation has measured of inference and sampling.")
    found, called = table([measured(run) for run in runs]), names(runs)
    frame = pd.DataFrame([{column.heading: found.cell(row, column.key).value for column in found.columns}
                          | {"Run": called[run.id]} for run, row in zip(runs, found.rows, strict=True)])
    number = st.column_config.NumberColumn
    st.dataframe(frame, hide_index=True, height="content", placeholder="–", key="compare-cost", column_config={
        column.heading: st.column_config.TextColumn(pinned=column.key == "run", help=column.help or None)
        if column.key in ("run", "device", "graphs", "processor") else
        number(format=f"%.{column.digits}f" if column.digits is not None else "localized", help=column.help)
        for column in found.columns})
    with st.container(horizontal=True, vertical_alignment="center"):
        offer(found, "compare-cost")
        for note in found.notes:
            st.caption(escaped(note), width="content")
