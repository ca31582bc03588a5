"""Experiments: several runs that answer one question, queued together, each experiment with figures of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import changing, history, measure, placing, studies, warm
from pages.shared.checkpoints import MAX_WATCHED, store
from pages.shared.queue import STATES, anything_live, kick
from pages.shared.words import counted, duration, escaped
from vaecore import lab
from vaecore.comparison.history import evaluated
from vaecore.files import trouble
from vaecore.store import StoreError

if TYPE_CHECKING:
    from vaecore.studies import Member, Series, Study
    from vaecore.studies.exhibit import Exhibit

USUAL, SOON = 2.0, 0.5  # seconds between looks at runs that train: SOON at those that are watched as they go


def gather(series: Series) -> list[Member]:
    """The experiment's runs, oldest first."""
    from vaecore.studies import Member, members

    found = []
    for run in members(store(), series):
        try:
            values = run.values()
        except StoreError:
            values = {}
        metrics = history.of(run)
        rows = evaluated(metrics)
        found.append(Member(run, values, lab.status(run.path), rows[-1] if rows else {}, metrics))
    return found


# -- starting --------------------------------------------------------------------------------------


def own_live(series: Series) -> bool:
    """Whether one of its runs trains or waits."""
    from vaecore.studies import members

    return any(lab.status(run.path).state in lab.LIVE for run in members(store(), series))


def start_row(study: Study, series: Series) -> None:
    """What it asks, what it makes, and the button that asks before it starts them all."""
    labels = list(series.runs())
    with st.container(border=True, key=f"experiment-{series.name}", gap="small"):
        st.markdown(f"##### {series.question}", help=escaped(study.source))  # small: what it shows is to be in sight
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            popover = None
            if series.seconds:
                changing.button("Start it", key=f"start-now-{series.name}", type="primary",
                                icon=":material/play_arrow:", on_click=begin, args=(series, lab.Here()),
                                help="At once, in the background; what happens is shown below.")
            else:
                turn = st.session_state.get("experiments:turn", 0)  # a new key closes the popover
                popover = st.popover(f"Start {counted(len(labels), 'training')}", icon=":material/play_arrow:",
                                     type="primary", key=f"start-{series.name}-{turn}", on_change="rerun")
            makes = f"Makes {escaped(', '.join(labels))}."
            if series.seconds:
                makes += f" It has a pace: it lasts {duration(series.seconds)} on any machine that can keep it up."
                if anything_live() and not own_live(series):
                    makes += " Something else is training: it waits for that."
            st.markdown(makes, width="stretch")
        if error := st.session_state.pop("experiments:error", None):
            st.error(escaped(error), icon=":material/error:")
        if popover is not None and popover.open:
            with popover:
                confirm(series, len(labels))


def confirm(series: Series, count: int) -> None:
    """How many trainings and how long, then the button."""
    from vaecore.data import DataUnavailable
    from vaecore.schema import ConfigError

    try:
        with st.spinner("Measuring …"):
            warm.ready()  # its imports would be measured too
            from vaecore.training.estimate import in_all

            least, most = map(duration, in_all(list(series.runs().values()), measure.seconds))
    except (DataUnavailable, ConfigError) as error:
        st.warning(escaped(str(error)), icon=":material/cloud_off:")
        return
    busy = " Something is training already: these wait for it." if anything_live() else ""
    st.markdown(f"**{counted(count, 'training')}**, one after the other, about "
                f"**{most if least == most else f'{least} to {most}'}** in all. They run in the background and go on "
                f"when this page is closed.{busy}")
    where = placing.inline()
    if against := placing.trouble(where):
        st.caption(f":red[:material/error: {escaped(against)}]")
    if changing.button(f"Queue all {count}", key=f"queue-all-{series.name}", type="primary", disabled=bool(against),
                       icon=":material/playlist_add:") and where is not None:
        begin(series, where)
        st.rerun()


def begin(series: Series, where: lab.Here | lab.Slurm) -> None:
    """Create its runs and queue them; on a cluster as an array."""
    from vaecore.studies import create

    if changing.twice("experiments:last"):
        return
    st.session_state["experiments:turn"] = st.session_state.get("experiments:turn", 0) + 1
    try:
        runs = create(store(), series)
        lab.submit_new([run.path for run in runs], where, stack=False)
        st.session_state["experiments:toast"] = ("It starts in some seconds." if series.seconds else
                                                 f"{counted(len(runs), 'training')} in the queue.")
    except (StoreError, lab.LabError, OSError) as error:
        st.session_state["experiments:error"] = trouble(error)


# -- its runs --------------------------------------------------------------------------------------


def states_row(series: Series, runs: Sequence[Member]) -> None:
    """How many are in which state, and where to see them all."""
    counts = Counter(member.status.state for member in runs)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{len(runs)} run{'s' * (len(runs) != 1)}**", width="content")
        for state, look in STATES.items():
            if counts[state]:
                st.badge(f"{counts[state]} {look.word.lower()}", icon=look.icon, color=look.colour)
        for member in runs:
            if member.status.state == "running" and member.status.total and not series.seconds:  # that has a clock
                st.markdown(f"{escaped(member.run.id)}: {escaped(history.standing(member.status))}", width="content")
        newest = [member.run.id for member in runs[-MAX_WATCHED:]]
        section = [("section", "Trajectory")] if series.moves else []
        st.page_link("monitor/page.py", icon=":material/monitoring:",
                     label="Watch the trajectory" if section else "Watch them" if len(newest) == len(runs)
                     else f"Watch the newest {MAX_WATCHED}", query_params=[("runs", name) for name in newest] + section,
                     help="Monitor with these runs, over one another.")
        if counts["queued"] or counts["running"]:
            st.page_link("train/page.py", label="Queue", icon=":material/list:",
                         help="Stop them, or take them out.")


def runs_table(runs: Sequence[Member]) -> None:
    """Every run with its state and newest numbers."""
    import pandas as pd

    from vaecore.studies.exhibit import ELBO, KL
    from vaecore.studies.series import finite

    frame = pd.DataFrame([{
        "Run": member.run.id, "State": STATES[member.status.state].word,
        "Progress": min(1.0, member.status.step / member.status.total) if member.status.total else
        float(member.status.state == "finished"),
        "ELBO": member.bound, "KL": finite(member.last.get("kl")),
        "Active": finite(member.last.get("active")),
        "Note": "" if member.status.state == "finished" else member.status.detail} for member in runs])
    if not frame["Note"].any():
        frame = frame.drop(columns="Note")
    with st.expander("The runs one by one", icon=":material/table_rows:", type="compact", key="experiment-runs"):
        st.dataframe(frame, hide_index=True, height="content", placeholder="–", key="experiment-table", column_config={
            "Run": st.column_config.TextColumn(pinned=True, width="medium"),
            "Progress": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0,
                                                        help="Share of its steps."),
            "ELBO": studies.number("ELBO", ELBO), "KL": studies.number("KL", KL),
            "Active": st.column_config.NumberColumn(format="%d", help="Latent dimensions in use.")})


# -- the page --------------------------------------------------------------------------------------


def shipped(study: Study) -> None:
    """What was kept of the same question, where no run of the user's can be shown; or what to do."""
    from vaecore.studies import kept

    result = kept(store(), study.id) if study.exhibit else None
    if study.exhibit is None or result is None:
        when = "start it above, and what it finds appears here as it trains." if study.series and study.series.seconds \
            else "start the trainings above, and what they find appears here as they end."
        st.info(f"Nothing to see yet: {when}", icon=":material/labs:")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/inventory_2: Until runs of your own can be shown, this is the kept result of claim "
                    f"**{study.id}**, {escaped(result.date)}.", width="content")
        st.page_link("claims/page.py", label=f"Claim {study.id}", icon=":material/fact_check:",
                     query_params={"claim": study.id}, help="What the paper says, the rule and the verdict.")
    if exhibit := study.shown(result):
        with st.container(key="exhibit"):
            studies.show(exhibit, key=study.id)
    else:
        st.info(f"The kept result of {study.id} has nothing to draw. Start the trainings above.",
                icon=":material/labs:")


def watch(study: Study, series: Series, polling: bool) -> None:
    """Its runs and its exhibit; again and again while one of them trains or waits."""
    kick()
    runs = gather(series)
    if polling and not any(member.status.state in lab.LIVE for member in runs):
        st.rerun()  # the page stops looking
    if runs:
        states_row(series, runs)
    if lost := [member.run.id for member in runs if not member.readable]:
        st.warning(f"The configuration of {escaped(', '.join(lost))} cannot be read: left out of what is shown here.",
                   icon=":material/broken_image:")
    if exhibit := exhibit_of(series, [member for member in runs if member.readable]):
        with st.container(key="exhibit"):
            studies.show(exhibit, key=series.name)
    elif polling and series.seconds:
        st.info("It starts in some seconds.", icon=":material/hourglass_top:")
    else:
        shipped(study)
    if runs:
        runs_table(runs)


def exhibit_of(series: Series, runs: Sequence[Member]) -> Exhibit | None:
    """What the user's runs have to show; None where that is nothing, or where it cannot be made."""
    from vaecore.data import DataUnavailable
    from vaecore.schema import ConfigError

    try:
        with st.spinner("Reading the runs …"):
            return series.exhibit(runs)
    except (DataUnavailable, ConfigError) as error:
        st.warning(escaped(str(error)), icon=":material/cloud_off:")
        return None


def choose(names: Mapping[str, str]) -> str:
    """The experiment in the address, or the one that was looked at last; the address keeps it."""
    asked = st.query_params.get("experiment")
    if asked is not None and asked != st.session_state.get("experiment-url"):
        if asked in names:
            st.session_state["experiment"] = asked
        else:
            st.warning(f"There is no experiment '{escaped(asked[:40])}'. Choose one below.",
                       icon=":material/link_off:")
    st.session_state.setdefault("experiment", next(iter(names)))
    chosen = st.segmented_control("Experiment", list(names), key="experiment", required=True,
                                  format_func=names.__getitem__, persist_state="session",
                                  label_visibility="collapsed") or next(iter(names))
    if asked != chosen:
        st.query_params["experiment"] = chosen
    st.session_state["experiment-url"] = chosen
    return chosen


def page() -> None:
    """The choice, what it makes, and what came of it."""
    head = st.container(key="head")
    with head:
        st.title("Experiments", anchor=False,
                 help="Several trainings that differ in one thing, started together and looked at side by side.")
    if toast := st.session_state.pop("experiments:toast", None):
        st.toast(toast, icon=":material/check_circle:")
    with st.spinner("Getting ready …"):
        from vaecore.studies import EXPERIMENTS  # (brings torch, which takes seconds the first time)
    with head:
        study = EXPERIMENTS[choose({name: each.topic for name, each in EXPERIMENTS.items()})]
    series = study.series
    assert series is not None
    start_row(study, series)
    polling = own_live(series)
    every = SOON if series.seconds else USUAL
    st.fragment(watch, run_every=every if polling else None, key=f"experiment-watch-{series.name}")(study, series,
                                                                                                  polling)


page()
