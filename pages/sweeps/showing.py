"""A sweep as it stands: what trains, what the fields do to the number, and every point in a table."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.components.sweep import sweep_view
from pages.shared import changing, evaluating, placing, tables
from pages.shared.checkpoints import MAX_WATCHED, explore_link, store
from pages.shared.queue import STATES as LOOKS
from pages.shared.queue import kick
from pages.shared.words import Colour, counted, escaped
from vaecore import lab
from vaecore.files import trouble
from vaecore.lab import LabError
from vaecore.lab.where import in_words
from vaecore.store import StoreError
from vaecore.sweeps import Row, Standing, standing
from vaecore.sweeps.declared import worded
from vaecore.sweeps.keeping import forget
from vaecore.sweeps.objective import heading, objective, told
from vaecore.sweeps.state import STATES, State, titles

EARLY = (":material/content_cut:", "orange")  # how what was stopped early is shown
KEY = "sweeps:"
COMPARED = 12  # seeds that Compare opens at once


def show(name: str) -> None:
    """The sweep of that name; looks again every two seconds while it is at work."""
    try:
        now = standing(store(), name)
    except StoreError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    if not now.along:
        evaluating.queue()
    st.fragment(_panel, run_every=2.0 if now.live else None, key=f"sweep-{name}")(name, now.live)


def _panel(name: str, polling: bool) -> None:
    kick()
    try:
        now = standing(store(), name)
    except (StoreError, OSError) as error:
        st.error(escaped(trouble(error)), icon=":material/error:")
        return
    if now.live != polling:
        st.rerun()  # the page begins or ends the looking
    _states(now)
    _best(now)
    if any(row.newest is not None for row in now.rows):
        sweep_view(now, key=f"sweep-view-{name}")
    elif now.unevaluated:
        _evaluate(now)
    else:
        st.info("Numbers come with the first evaluation of the first training.", icon=":material/hourglass_top:")
    _table(now)


def _states(now: Standing) -> None:
    """How many trainings are in which state, and what can be done."""
    sweep, counts = now.sweep, now.counts
    varied = "; ".join(f"{titles(sweep)[axis.field]} {axis}" for axis in sweep.axes)
    st.markdown(f"**{escaped(sweep.origin or 'A configuration')}** over {escaped(varied)} · {sweep.method.kind}, "
                f"{sweep.seeds} seed{'s' * (sweep.seeds != 1)}"
                + (f" · {escaped(sweep.made)}" if sweep.made else "")
                + (f" · on {escaped(in_words(now.where))}" if now.where != lab.Here() else ""))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="sweep-states"):
        for state, words in STATES.items():
            if counts[state]:
                icon, colour = _look(state)
                st.badge(f"{counts[state]} {words}", icon=icon, color=colour)
        st.space("stretch")
        if now.live:
            changing.button("Stop", key="sweep-stop", icon=":material/stop:", on_click=_act, args=("stop", sweep.name),
                            help="What waits leaves the queue, what trains saves and stops. It can be resumed.")
        unfinished = not now.done or now.counts["failed"]
        if unfinished and not now.tended and not (now.live and not now.left and not now.judged):
            place = f" On {escaped(in_words(now.where))}, as last time." if now.where != lab.Here() else ""
            changing.button("Resume", key="sweep-resume", icon=":material/play_arrow:", on_click=_act,
                            args=("resume", sweep.name), help="Queue what is left. What the sweep itself stopped early "
                            f"stays stopped.{place}")
            if (other := placing.other(now.where)) is not None:
                where, label = other
                changing.button(label, key="sweep-elsewhere", icon=placing.ICONS[where.kind], type="tertiary",
                                on_click=_act, args=("resume", sweep.name, where),
                                help=f"Queue what is left on {in_words(where)}.")
        if not now.live:
            changing.button("Remove", key="sweep-remove", icon=":material/delete:", type="tertiary", on_click=_act,
                            args=("remove", sweep.name), help="Forget the sweep. Its runs stay.")
    ended = sum(counts[state] for state in ("finished", "early", "failed"))
    steps = [trial.status.step / trial.status.total for trial in now.trials
             if trial.state == "running" and trial.status.total]
    if now.live:
        st.progress(min(1.0, (ended + sum(steps)) / max(1, now.total)), text=f"{ended} of {now.total} trainings ended")
    if error := st.session_state.pop(f"{KEY}error", None):
        st.error(escaped(error), icon=":material/error:")
    if now.live and not now.tended and (now.left or now.judged):
        st.warning("Its trainings go on, but nothing queues the next ones or stops the bad: its process is gone. "
                   "Resume brings it back.", icon=":material/help:")
    elif not now.live and not now.done:
        st.caption(escaped(f"{now.sentence} {now.news}".strip()))


def _look(state: State) -> tuple[str, Colour]:
    if state == "early":
        return EARLY[0], "orange"
    return LOOKS[state].icon, LOOKS[state].colour


def _best(now: Standing) -> None:
    """The best point, and what can be done with it."""
    best = now.best
    if best is None or best.interval is None:
        return
    each = objective(now.sweep.objective)
    names = titles(now.sweep)
    point = ", ".join(f"{names[field]} {worded(best.point[field])}" for field in names)
    number = best.interval.words(f".{each.digits if each.digits is not None else 3}f").replace("-", "−")
    unit = f" {each.unit}" if each.unit else ""
    with st.container(border=True, key="sweep-best", gap="small"):
        st.markdown(f":material/trophy: **Best, point {best.number}**: {escaped(point)}. "
                    f"{escaped(heading(now.sweep.objective, now.title))} {number}{unit}{_test(now, best)}.",
                    help="The best mean over all seeds ± the half width of its 95 % interval. The test number chose "
                    "nothing.")
        with st.container(horizontal=True, gap="small"):
            one = best.finished[0].run
            explore_link(one, "Open")
            seeds = [("runs", trial.run.id) for trial in best.trials[:COMPARED]]
            if len(seeds) > 1:
                st.page_link("compare/page.py", label="Compare its seeds", icon=":material/compare:",
                             query_params=seeds, help="The runs of this point side by side.")
            st.page_link("monitor/page.py", label="Curves", icon=":material/monitoring:",
                         query_params=seeds[:MAX_WATCHED], help="Their curves, over one another.")
            st.page_link("train/page.py", label="Train longer", icon=":material/fork_right:",
                         query_params=[("from", one.id), ("weights", "last")],
                         help="Begin a new run from the weights of its first seed.")


def _test(now: Standing, row: Row) -> str:
    return "" if row.test is None else f"; on the test set {told(row.test, now.sweep.objective)}"


def _evaluate(now: Standing) -> None:
    """The button that finds a number which trainings do not."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(escaped(f"{now.title} is found by an evaluation."), width="content")
        changing.button(f"Evaluate {counted(len(now.unevaluated), 'run')}", key="sweep-evaluate",
                        icon=":material/straighten:", on_click=evaluating.submit, args=(now.unevaluated,),
                        help="One after the other, in the queue of evaluations. They go on when this page is closed.")


def _table(now: Standing) -> None:
    """Every point, as text too: what the pictures show can be read here."""
    import pandas as pd

    table = now.table()
    st.markdown("**Points**")
    frame = pd.DataFrame([[table.cell(row, column.key).value for column in table.columns] for row in table.rows],
                         columns=[column.key for column in table.columns])
    column_of = {column.key: column for column in table.columns}
    measured = [key for key in ("value", "newest", "test") if key in column_of]
    frame[measured] = frame[measured].astype(float)
    styled = frame.style.format({key: tables.said(column_of[key]) for key in frame.select_dtypes("float")})
    place = list(column_of).index("value")
    for row, cells in enumerate(table.said()):  # a number that sorts, shown with its interval
        words = cells[place].replace("-", "−")
        if "±" in words:
            styled = styled.format(lambda _, words=words: words, subset=pd.IndexSlice[[row], ["value"]])
    config: dict[str, Any] = {key: (st.column_config.NumberColumn if pd.api.types.is_numeric_dtype(frame[key]) else
                                    st.column_config.TextColumn)(column.heading, help=column.help or None)
                              for key, column in column_of.items()}
    config["best"] = st.column_config.CheckboxColumn("Best", help="The best mean among points with all their seeds.")
    st.dataframe(styled, hide_index=True, height="content" if len(frame) <= 15 else 560, column_config=config,
                 placeholder="–", key=f"sweep-table-{now.sweep.name}")
    tables.offer(table, f"sweep-{now.sweep.name}")
    if early := {row.number: why for row in now.rows if (why := next((t.early for t in row.trials if t.early), ""))}:
        with st.expander(f"{len(early)} points were stopped early" if len(early) > 1 else "One point was stopped early",
                         icon=EARLY[0], type="compact", key="sweep-early"):
            for number, why in early.items():
                st.caption(f"Point {number}: {escaped(why)}")


def _act(what: str, name: str, where: lab.Here | lab.Slurm | None = None) -> None:
    from vaecore.sweeps import tending

    try:
        if what == "stop":
            tending.stop(store(), name)
        elif what == "resume":
            tending.resume(store(), name, where)
        else:
            forget(store(), name)
            st.session_state[f"{KEY}open"] = ""
    except (StoreError, LabError, OSError) as error:
        st.session_state[f"{KEY}error"] = trouble(error)
