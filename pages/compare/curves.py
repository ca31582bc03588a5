"""Curves of the compared runs, one over the other."""

from __future__ import annotations

import streamlit as st

from pages.components.curves import live_curves
from pages.shared import address, history
from pages.shared.checkpoints import store
from pages.shared.names import names
from pages.shared.words import escaped
from vaecore import lab
from vaecore.charts.curves import SMOOTHING
from vaecore.comparison.history import History, clocks, curves_table, error_panels, forked, panels, with_parents
from vaecore.library.headline import comparable, headline
from vaecore.store import Run, StoreError


def curves(runs: list[Run]) -> None:
    """Training and validation over steps, epochs or time, all runs in each chart, as far as they are."""
    st.subheader("Curves", anchor=False, help="Training is solid, in means of batches; validation is dashed, of the "
                 "whole validation set at each evaluation during training.")
    if reasons := comparable([headline(run) for run in runs]):
        st.caption(":material/balance: Nats of these runs do not compare: they differ in "
                   f"{escaped(', in '.join(reasons))}.")
    more = address.kept("more", st.toggle, "Gradient and learning rate", key="more",
                        help="Two more charts: the length of the gradient, and the learning rate.")
    polling = _training(runs)
    st.fragment(_charts, run_every=1.0 if polling else None, key="compared-charts")(runs, more, polling)


def _charts(runs: list[Run], more: bool, polling: bool) -> None:
    records = {run.id: history.record(run) for run in runs}
    charts = [*panels(records), *error_panels(records), *(panels(records, more=True)[-2:] if more else [])]
    charts = with_parents(charts, records, _parents(records))
    if any(len(series.x) for chart in charts for series in chart.series):
        live_curves(charts, key="compare-curves", clocks=clocks(records), names=names(runs), smoothing=SMOOTHING)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("A run that was solved at once, as a closed form is, is a level line.", width="stretch")
            st.download_button("CSV of curves", lambda: curves_table(records).csv(), "curves.csv", "text/csv",
                               icon=":material/download:", on_click="ignore", help="Every step and every evaluation "
                               "of these runs, none left out: a line each, with its epoch and its seconds of training.")
    else:
        st.caption("None of these runs has been evaluated yet.")
    if polling and not _training(runs):
        st.rerun()  # all is still: draw once more without the timer


def _training(runs: list[Run]) -> bool:
    """Whether any of the runs can still change."""
    return any(lab.status(run.path).state in lab.LIVE for run in runs)


def _parents(records: dict[str, History]) -> dict[str, History]:
    """Of each fork, the record of the run that it was forked from, where that is still here."""
    found = {}
    for name, record in records.items():
        if (told := forked(record.run)) is not None:
            try:
                found[name] = history.record(store().find(told[0]))
            except StoreError:
                continue
    return found
