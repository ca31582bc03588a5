"""What differs between the compared runs: a row a field, grouped, the odd one out marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared.names import names
from pages.shared.tables import offer
from pages.shared.words import escaped
from vaecore.store import Run

if TYPE_CHECKING:
    from vaecore.comparison.differs import Differences

FILES = ("config.json", "about.json", "summary.json", "weights.safetensors")
ODD = "background-color: rgba(255, 170, 0, 0.22)"


def fields(runs: list[Run]) -> None:
    """What differs, a row a field and a column a run."""
    import pandas as pd

    from vaecore.comparison.differs import TITLES

    st.subheader("What differs", anchor=False, help="Fields of the configurations that are not alike, with defaults "
                 "filled in and without those that make no difference, or follow from another choice; and what the "
                 "runs were made with.")
    if len(runs) < 2:
        st.caption("Choose another run to see what differs.")
        return
    found = _differs(tuple(str(run.path) for run in runs), tuple(map(_stamps, runs)), runs)
    if found.unresolved:
        st.caption(escaped(found.unresolved))
    if found.equal:
        st.caption("Nothing differs: these runs have equal configurations." + (
            " They were made with other things, though." if found.fields else ""))
    if not found.fields:
        return
    called = names(runs)
    frame = pd.DataFrame([[TITLES[each.section], each.title, *each.values, each.name] for each in found.fields],
                         columns=["Part", "Field", *(called[name] for name in found.runs), "Name"])
    styled = frame.style.apply(lambda row: _marked(found, row), axis=1)
    st.dataframe(styled, hide_index=True, height="content", key="differs", column_config={
        "Part": st.column_config.TextColumn(width="small", pinned=True),
        "Field": st.column_config.TextColumn(pinned=True, help="What the form calls it; its name for `--set` stands "
                                             "in the last column."),
        "Name": st.column_config.TextColumn(help="The name to use with `--set`.")})
    odd = [each for each in found.fields if each.odd is not None]
    with st.container(horizontal=True, vertical_alignment="center"):
        offer(found.table(), "compare-differs")
        if odd:
            st.caption("Marked: the one run that differs where all others agree.", width="content")


def _marked(found: Differences, row: object) -> list[str]:
    place = found.fields[row.name].odd  # type: ignore[attr-defined]
    return ["", "", *(ODD if run == place else "" for run in range(len(found.runs))), ""]


def _stamps(run: Run) -> tuple[int, ...]:
    """When what is compared was last written."""
    paths = [run.path / name for name in FILES]
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


@st.cache_data(max_entries=64, show_spinner=False)
def _differs(paths: tuple[str, ...], stamps: tuple[tuple[int, ...], ...], _runs: list[Run]  # noqa: ARG001 (the key)
             ) -> Differences:
    from vaecore.comparison.differs import differs

    return differs(_runs)
