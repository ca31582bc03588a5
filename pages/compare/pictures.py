"""The same noise and the same data through each of the compared runs, at any step whose weights were kept."""

from __future__ import annotations

import streamlit as st

from pages.components import rows
from pages.shared import checkpoints, colours
from pages.shared.names import names
from pages.shared.words import escaped
from vaecore.store import Run
from vaecore.views import CLIP, view_of


def pictures(runs: list[Run]) -> None:
    """Tables of what can be set beside what, and in words what cannot."""
    from vaecore.explore.along import moments, shared_steps
    from vaecore.explore.same import tables_of

    planned = tables_of(runs)
    # Clips are played: `clips.py` has them.
    tables = [table for table in planned.tables if all(view_of(line.run) is not CLIP for line in table.lines)]
    if tables:
        st.subheader("Pictures", anchor=False, help="The same noise through each run's own prior, and the same data "
                     "through each: a row a run, a column a code. Click a picture to see it large, or to lay two over "
                     "one another.")
        shown = list(dict.fromkeys(line.run for table in tables for line in table.lines))
        rows.rows(tables, shared_steps(shown), names=names(runs), places=colours.places(run.id for run in runs),
                  name="compared-pictures", kept={run.id: len(moments(run)) > 1 for run in shown},
                  versions={run.id: "-".join(map(str, checkpoints.stamps(run))) for run in shown}, key="compare-rows")
    for sentence in planned.faults:
        st.error(escaped(sentence), icon=":material/broken_image:")
    for sentence in planned.left_out:
        st.caption(escaped(sentence))
