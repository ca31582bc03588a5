"""Monitor, the cockpit: what one or several runs do, what became of their latent code, and what to try next."""

from __future__ import annotations

import contextlib

import streamlit as st

from pages.monitor import cockpit, film
from pages.monitor.lineage import lineage
from pages.shared import history, queue
from pages.shared.checkpoints import MAX_WATCHED, gallery, pick_several, store, tell_unreadable
from pages.shared.words import escaped
from vaecore import lab
from vaecore.library.headline import comparable, headline
from vaecore.store import StoreError

# While a run trains, its verdict grows and shrinks: room for the longest that is usual, so that nothing below jumps.
ROOM = "<style>[class*='st-key-told-'] { min-height: 6.4rem; }</style>"

every = [*(run for run in store().everything() if not run.shipped), *gallery()]
live = [run.id for run in every if lab.status(run.path).state in lab.LIVE]
with st.container(key="head"):
    st.title("Monitor")
    selected = pick_several("Runs", page="monitor", among=every, first=(live or [run.id for run in every])[:1],
                            most=MAX_WATCHED, help=f"Up to {MAX_WATCHED}. The selection is part of the page's address, "
                            "so it can be shared.")
if not selected:
    if every:
        st.info("Choose one or several runs above.", icon=":material/info:")
    st.stop()


def comparability() -> None:
    """Say where the curves of these runs do not belong on one axis."""
    facts = []
    for run in selected:
        with contextlib.suppress(StoreError):  # a run without a configuration is told of above
            facts.append(headline(run))
    if reasons := comparable(facts):
        st.caption(":material/balance: Nats of these runs do not compare: they differ in "
                   f"{escaped(', '.join(reasons))}.")


def training() -> bool:
    """Whether any of the chosen runs can still change."""
    return any(lab.status(run.path).state in lab.LIVE for run in selected)


tell_unreadable(selected)
comparability()
polling = training()
if polling:
    st.html(ROOM)


@st.fragment(run_every=1.0 if polling else None)
def watch() -> None:
    queue.kick()
    records = {run.id: history.record(run) for run in selected}
    if shown := film.pictured(records):
        if len(records) == 1:  # beside its card, so that the curves are in sight
            pictures, rest = st.columns([6, 5])
            with pictures:
                film.show(shown)
        else:
            rest = st.container()
            film.show(shown)
    else:
        rest = st.container()
    with rest, st.grid(min(2, len(selected)), min_column_width=420):
        for record in records.values():
            cockpit.run_card(record, open=len(selected) <= cockpit.FEW)
    film.missing(records, shown)
    cockpit.sections(records)
    if polling and not training():
        st.rerun()  # all is still: draw once more without the timer


watch()
lineage(selected, every)
