"""What differs between the configurations of the compared runs."""

from __future__ import annotations

import streamlit as st

from vaecore.store import Run

UNSET = "–"  # a field that a run does not have
SECTIONS = ("data", "model", "training", "seed")


def fields(runs: list[Run]) -> None:
    """The configuration's fields that differ, a row a field."""
    import pandas as pd

    from vaecore.config import complete, differences

    st.subheader("What differs", anchor=False, help="Only the fields of the configurations that are not alike.")
    found = differences(complete(run.values()) for run in runs)
    if not found:
        st.caption("Nothing: these runs have the same configuration." if len(runs) > 1 else
                   "Choose another run to see what differs.")
        return
    rows = {name: [_said(value) for value in values] for name, values in sorted(found.items(), key=_section)}
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=[run.id for run in runs]).rename_axis("field")
    st.dataframe(frame, height="content", column_config={
        "field": st.column_config.TextColumn("Field", pinned=True, help="The name to use with `--set`, too.")})
    if any(UNSET in values for values in rows.values()):
        st.caption(f"{UNSET} where a run has no such field.")


def _section(field: tuple[str, object]) -> int:
    section = field[0].partition(".")[0]
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _said(value: object) -> str:
    return UNSET if value is None else f"{value:g}" if isinstance(value, float) else str(value)
