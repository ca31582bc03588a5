"""The queue: what trains, waits or has ended of late, with what can be done about it.

`queue_panel()` is a fragment that looks once a second while something trains or waits, and is still otherwise.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from pages.shared import changing, forking, placing
from pages.shared.checkpoints import archived, explore_link, store
from pages.shared.moved import ask_where
from pages.shared.words import Colour, duration, escaped
from vaecore import lab
from vaecore.files import trouble
from vaecore.lab.where import elsewhere, in_words, kept
from vaecore.library.headline import names
from vaecore.store import Run, Store, StoreError

RECENT = 4  # ended runs that stay in sight
ERROR = "queue:error"  # in the session: of which run, and what
IMPATIENT = 20.0  # seconds after which a stop that was not obeyed can be forced


@dataclass(frozen=True)
class Look:
    """How a state is shown."""

    word: str
    icon: str
    colour: Colour


STATES: dict[lab.State, Look] = {
    "new": Look("Not started", ":material/radio_button_unchecked:", "gray"),
    "queued": Look("Waiting", ":material/schedule:", "orange"),
    "running": Look("Training", ":material/play_circle:", "blue"),
    "finished": Look("Finished", ":material/check_circle:", "green"),
    "failed": Look("Failed", ":material/error:", "red"),
    "stopped": Look("Stopped", ":material/pause_circle:", "gray"),
    "lost": Look("Lost", ":material/help:", "red"),
    "unknown": Look("Unknown", ":material/cloud_off:", "orange"),
}
STOPPING = Look("Stopping", ":material/hourglass_top:", "orange")


def anything_live() -> bool:
    """Whether something trains or waits."""
    here = store()
    waiting = lab.in_line(here.root)
    return any(lab.status(run.path, waiting).state in lab.LIVE for run in here.runs())


def kick() -> None:
    """Serve the queue, as each look at what trains does; what is in the way is said, and costs no page its curves."""
    try:
        lab.kick(store().root)
    except OSError as error:
        st.error(escaped(f"The queue cannot be served: {trouble(error)}"), icon=":material/error:")


def queue_panel() -> None:
    """The runs that train or wait and the newest that ended. Call it at the top level of a page, in a container."""
    polling = anything_live()
    st.fragment(_panel, run_every=1.0 if polling else None, key="queue")(polling)


# -- the fragment ----------------------------------------------------------------------------------


def _panel(polling: bool) -> None:
    here = store()
    kick()
    waiting = lab.in_line(here.root)
    every = [(run, lab.status(run.path, waiting)) for run in here.runs()]
    live = [run for run, status in every if status.state in lab.LIVE]
    if bool(live) != polling:
        st.rerun()  # the page starts or ends the looking
    ended = [run for run, status in every if status.state not in lab.LIVE and not archived(run)]
    shown = {run.path for run in (*live, *ended[:RECENT])}
    counts = Counter(status.state for _, status in every)
    unknown = f", {counts['unknown']} unknown" if counts["unknown"] else ""
    st.markdown(f"**Queue** · {counts['running']} training, {counts['queued']} waiting{unknown}" if live
                else "**Queue** · nothing is training")
    _notices(here)
    if not every:
        st.caption("Runs appear here as soon as one is started, with their progress.")
    for run, status in every:  # newest first, whatever its state: nothing changes places
        if run.path in shown:
            _card(run, status)
    if len(ended) > RECENT:
        older = len(ended) - RECENT
        st.page_link("runs/page.py", label=f"{older} older run{'s' * (older != 1)}", icon=":material/table_rows:",
                     query_params={"q": "is:own"}, help="All runs in one table.")


def _notices(here: Store) -> None:
    _, error = st.session_state.get(ERROR, ("", ""))
    if error:
        st.error(escaped(error), icon=":material/error:")
    if removed := st.session_state.get("queue:removed"):
        with st.container(horizontal=True, vertical_alignment="center", key="queue-undo-row"):
            st.caption(f":material/delete: {escaped(removed)} is in the trash.", width="stretch")
            changing.button("Undo", key="queue-undo", icon=":material/undo:", type="tertiary", on_click=_undo,
                            args=(here, removed), help="Bring the removed run back.")


def error_of(run: Run) -> None:
    """What went wrong with what was last asked for, where that was about this run."""
    of, error = st.session_state.get(ERROR, ("", ""))
    if of == run.id:
        st.error(escaped(error), icon=":material/error:")


def _card(run: Run, status: lab.Status) -> None:
    look = STOPPING if status.stopping else STATES[status.state]
    with st.container(border=True, key=f"queue-card-{run.path.name}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{escaped(run.title)}**", width="stretch",
                        help=escaped(run.id) if run.title != run.id else None)
            st.badge(look.word, icon=look.icon, color=look.colour, help=_meaning(status))
        st.caption(escaped(" · ".join(filter(None, [_what(run), status.place]))))
        if status.state in lab.LIVE or (status.total and status.state != "finished"):
            share = min(1.0, status.step / status.total) if status.total else 0.0
            st.progress(share, text=_progress(status))
        if status.state in ("failed", "lost"):
            st.error(escaped(status.detail), icon=":material/error:")
        elif status.state != "finished" and status.detail not in ("", status.doing):
            st.caption(escaped(lab.why_it_waits(run.path, status) or status.detail))
        if status.state in ("new", "stopped", "failed", "lost"):
            ask_where(run, f"queue-where-{run.path.name}")
        actions(run, status)
        log = str(lab.log(run.path, 12)) if status.state != "queued" else ""
        with st.expander("Log", icon=":material/notes:", type="compact", key=f"queue-log-{run.path.name}"):
            st.code(log or "Nothing written yet.", language=None, wrap_lines=True, height=180)


def actions(run: Run, status: lab.Status, *, watched: bool = False) -> None:
    """What can be done about a run; where it is `watched` on Monitor, no more than stopping and resuming it."""
    name = run.path.name

    def button(label: str, icon: str, action: Callable[[Run], None], help: str) -> None:
        changing.button(label, key=f"queue-{label.split()[0].lower()}-{name}", icon=icon, on_click=_act,
                        args=(action, run), help=help, wrap=False)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if status.state == "running" and status.stopping and _asked_seconds_ago(run) > IMPATIENT:
            button("Force stop", ":material/dangerous:", lambda r: lab.stop(r.path, now=True),
                   "End the process now. The last checkpoint is kept; what came after it is done again on resume.")
        elif status.state in ("running", "unknown"):
            changing.button("Stop", key=f"queue-stop-{name}", icon=":material/stop:", on_click=_act,
                            args=(lambda r: lab.stop(r.path), run), disabled=status.stopping,
                            help="Finish the step, save a checkpoint and stop. It can be resumed."
                            + (" It does so as soon as it can be reached." * (status.state == "unknown")))
        elif status.state == "queued" and status.job:
            button("Cancel", ":material/stop:", lambda r: lab.stop(r.path),
                   f"Take its job {status.job} out of SLURM's queue. Its folder stays, and it can be resumed.")
        elif status.state == "queued":
            button("Take out", ":material/stop:", lambda r: lab.stop(r.path),
                   "Take the run out of the queue. Its folder stays, and it can be resumed.")
        elif status.state == "new":
            button("Start", ":material/play_arrow:", lambda r: lab.submit(r.path), "Put the run into the queue.")
        elif status.state != "finished":
            last = kept(run.path)
            place = f" On {in_words(last)}, as last time." if last != lab.Here() else ""
            if (there := elsewhere(run.path)) is not None:
                place = f" Here; where it came from it was asked to run on {in_words(there)}."
            button("Resume", ":material/play_arrow:", lambda r: lab.submit(r.path),
                   f"Go on from the last checkpoint, or from the beginning where there is none.{place}")
            if (other := placing.other(last)) is not None:
                where, label = other
                changing.button(label, key=f"queue-elsewhere-{name}", icon=placing.ICONS[where.kind], type="tertiary",
                                on_click=_act, args=(lambda r: lab.submit(r.path, where), run), wrap=False,
                                help=f"Go on from the last checkpoint, on {in_words(where)}.")
        if watched:
            return
        forking.offer(run, status)
        if status.state != "queued":
            st.page_link("monitor/page.py", label="Monitor", icon=":material/monitoring:",
                         query_params={"runs": run.id}, help="Its curves, live.")
        if run.weights.is_file():
            explore_link(run)
        if status.state not in lab.LIVE:
            changing.button("Remove", key=f"queue-remove-{name}", icon=":material/delete:", type="tertiary",
                            on_click=_act, args=(_remove, run),
                            help="Move the run's folder to the trash. It can be brought back.")


# -- words -----------------------------------------------------------------------------------------


def _what(run: Run) -> str:
    try:
        family, data = names(run)
    except StoreError as error:
        return str(error)
    return f"{family} · {data}"


def _progress(status: lab.Status) -> str:
    if status.doing:
        return escaped(status.doing)
    if not status.total:
        return {"queued": "Waiting for its turn", "unknown": "Not known now"}.get(status.state, "Preparing")
    parts = [f"Epoch {status.epoch:.1f}", f"step {status.step:,} of {status.total:,}"]
    if status.state == "running":
        if status.seconds_left is not None and not status.stopping:
            parts.append(f"{duration(status.seconds_left)} left")
        if status.rate:
            parts.append(f"{status.rate:,.0f} steps/s" if status.rate >= 10 else f"{status.rate:.1f} steps/s")
    return " · ".join(parts)


def _meaning(status: lab.Status) -> str:
    return escaped(status.detail) or "The training is under way."


def _asked_seconds_ago(run: Run) -> float:
    try:
        return time.time() - (run.path / "stop").stat().st_mtime
    except OSError:
        return 0.0


# -- what the buttons do ---------------------------------------------------------------------------


def _act(action: Callable[[Run], None], run: Run) -> None:
    st.session_state.pop("queue:removed", None)
    _guarded(lambda: action(run), run.id)


def _remove(run: Run) -> None:
    st.session_state["queue:removed"] = lab.remove(run.path)


def _undo(here: Store, name: str) -> None:
    st.session_state.pop("queue:removed", None)
    _guarded(lambda: here.restore(name), name)


def _guarded(action: Callable[[], object], of: str) -> None:
    """Do it; what goes wrong is said on the panel, and on the card of the run it is `of`, until the next thing is done.
    """
    st.session_state.pop(ERROR, None)
    try:
        action()
    except (lab.LabError, StoreError, OSError) as error:
        st.session_state[ERROR] = of, trouble(error)
