"""Monitor: the curves of one or several runs, live while they train."""

from __future__ import annotations

import contextlib

import streamlit as st

from app_pages.parts import bars, history
from app_pages.parts.checkpoints import gallery, pick_several, store
from app_pages.parts.curves import live_curves
from app_pages.parts.headline import comparable, headline
from app_pages.parts.queue import LIVE, STATES, STOPPING
from vaecore import lab
from vaecore.store import Run, StoreError

MOST = 8  # runs at once

st.title("Monitor")
every = [*store().runs(), *gallery()]
live = [run.id for run in every if lab.status(run.path).state in LIVE]
selected = pick_several("Runs", among=every, first=(live or [run.id for run in every])[:1], most=MOST,
                        help=f"Up to {MOST}. The selection is part of the page's address, so it can be shared.")
if not selected:
    if every:
        st.info("Choose one or several runs above.", icon=":material/info:")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    smoothing = st.slider("Smoothing", 0.0, 0.99, 0.6, 0.01, key="smoothing", bind="query-params", width=260,
                          help="Weight of the running average drawn over the raw training curve. Validation, already "
                               "a mean over the whole set, stays as it is.")
    log_y = st.toggle("Log y", key="logy", bind="query-params", help="Logarithmic vertical axes.")
    log_x = st.toggle("Log x", key="logx", bind="query-params", help="Logarithmic step axis.")
    more = st.toggle("Gradient and learning rate", key="more", bind="query-params",
                     help="Two more charts: the length of the gradient, and the learning rate.")


def comparability() -> None:
    """Say where the curves of these runs do not belong on one axis."""
    facts = []
    for run in selected:
        with contextlib.suppress(StoreError):  # a run without a configuration is told of elsewhere
            facts.append(headline(run))
    if reasons := comparable(facts):
        st.caption(f":material/balance: Nats of these runs do not compare: they differ in {', in '.join(reasons)}.")


def training() -> bool:
    """Whether any of the chosen runs can still change."""
    return any(lab.status(run.path).state in LIVE for run in selected)


comparability()
polling = training()


@st.fragment(run_every=1.0 if polling else None)
def watch() -> None:
    lab.kick(store().root)
    for run in selected:
        state_line(run)
    histories = {run.id: history.of(run) for run in selected}
    live_curves(history.panels(histories, more=more), key="curves", smoothing=smoothing, log_x=log_x, log_y=log_y,
                height=300)
    st.subheader("KL by dimension", help="KL of q(z|x) from the prior, by latent dimension: the mean over the "
                                         "validation set at the last evaluation. Near 0, a dimension says nothing.")
    columns = st.columns(min(2, len(selected)))
    for index, run in enumerate(selected):
        with columns[index % len(columns)]:
            bars.kl_bars(run.id, histories[run.id].evaluations)
    if polling and not training():
        st.rerun()  # all is still: draw once more without the timer


def state_line(run: Run) -> None:
    """One line a run: what it does, how far it is, what it reached."""
    status = lab.status(run.path)
    with st.container(horizontal=True, vertical_alignment="center", key=f"state-{run.id.replace('/', '-')}"):
        look = STOPPING if status.stopping else STATES[status.state]
        st.badge(look.word, icon=look.icon, color=look.colour, help=status.detail or None)
        st.markdown(f"**{run.id}**", width="content")
        st.progress(min(1.0, status.step / status.total) if status.total else float(status.state == "finished"),
                    width="stretch")
        st.markdown(history.standing(status), width="content")
        if run.weights.is_file():
            st.page_link("app_pages/traverse.py", label="Traverse", icon=":material/tune:",
                         query_params={"run": run.id}, help="Move through its latent space.")
    if status.state in ("failed", "lost"):
        st.error(status.detail, icon=":material/error:")
        st.page_link("app_pages/train.py", label="Resume it on Train", icon=":material/play_arrow:")


watch()
