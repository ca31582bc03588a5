"""A run as a card. Reads small files and draws; no torch."""

from __future__ import annotations

import html

import streamlit as st

from app_pages.parts import pictures
from app_pages.parts.headline import (
    ACTIVE_HELP,
    MSE_HELP,
    PARAMETERS_HELP,
    Headline,
    duration,
    headline,
    short,
    shown,
)
from vaecore.lab import State, Status, status
from vaecore.store import Run, StoreError

LARGEST_PREVIEW = 4_000_000  # bytes
COLOURS: dict[State, str] = {"new": "gray", "queued": "violet", "running": "blue", "finished": "green",
                             "failed": "red", "stopped": "orange", "lost": "red"}
MEANINGS: dict[State, str] = {
    "new": "Not started yet.", "queued": "Waits for its turn.", "running": "Is training now.",
    "finished": "Trained to the end.", "failed": "Ended with an error.", "stopped": "Stopped before its end; it can "
    "be resumed.", "lost": "Its process is gone without a word; it can be resumed."}


def gallery_card(run: Run) -> None:
    """A shipped checkpoint: what it draws, what it is, its numbers, and what to do with it."""
    with st.container(border=True, height="stretch"):
        facts = _facts(run)
        if facts is None:
            return
        _preview(run)
        st.subheader(run.path.name, anchor=False)
        st.markdown(f"**{facts.family}** · {facts.latent_size or '?'} latent dimensions  \n{facts.data}")
        if facts.problem:
            st.warning(facts.problem, icon=":material/broken_image:")
        _numbers(facts)
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center"):
            _traverse_link(run)
            _train_like(run)


def run_card(run: Run) -> None:
    """One of the user's own runs: what it is and where it stands."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        facts = _facts(run)
        if facts is None:
            return
        now = status(run.path)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{run.id}**", width="content")
            st.badge(now.state, color=COLOURS[now.state], help=f"{MEANINGS[now.state]} {_plain(now.detail)}")
        st.markdown(f"{facts.family} · {facts.latent_size or '?'} latent dimensions · {facts.data}")
        if now.state == "running" and now.total:
            st.progress(min(1.0, now.step / now.total), _progress(now))
        elif facts.problem:
            st.warning(facts.problem, icon=":material/broken_image:")
        elif now.state in ("failed", "lost") and now.detail:
            st.caption(_plain(now.detail))
        elif facts.bound is not None:
            st.markdown(f"{facts.bound_name} **{shown(facts.bound)}** nats · {_active(facts)} active · trained in "
                        f"{duration(facts.seconds)}", help=f"{facts.bound_help} {ACTIVE_HELP}")
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center"):
            if run.weights.is_file():
                _traverse_link(run)
            st.page_link("app_pages/monitor.py", label="Monitor", icon=":material/monitoring:",
                         query_params={"runs": run.id}, help="The curves of this run.")
            _train_like(run)


def _facts(run: Run) -> Headline | None:
    try:
        return headline(run)
    except StoreError as error:
        st.markdown(f"**{run.id}**")
        st.error(str(error), icon=":material/broken_image:")
        return None


def _preview(run: Run) -> None:
    try:
        with run.preview.open("rb") as file:
            png = file.read(LARGEST_PREVIEW)
    except OSError:
        png = b""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        st.html('<div style="display:grid;place-items:center;aspect-ratio:5/1;opacity:.6;border:1px dashed;'
                'border-radius:4px">no preview.png that can be shown</div>')
        return
    pictures.show(png, f"Samples that {run.path.name} draws", width=640)


def _numbers(facts: Headline) -> None:
    unit = f" nats/{facts.one}"
    entries = [
        (facts.bound_name.removeprefix("Test "), shown(facts.bound), facts.bound_help + f" Unit:{unit}."),
        ("MSE", shown(facts.mse, 3), MSE_HELP),
        ("Active", _active(facts), ACTIVE_HELP),
        ("Parameters", short(facts.parameters),
         PARAMETERS_HELP.format(exact="unknown" if facts.parameters is None else f"{facts.parameters:,}")),
    ]
    with st.grid(2, min_column_width=110, gap="xsmall"):
        for label, value, help in entries:
            st.metric(label, value, help=help)


def _active(facts: Headline) -> str:
    return "–" if facts.active is None else f"{facts.active} of {facts.latent_size or '?'}"


def _progress(now: Status) -> str:
    left = "" if now.seconds_left is None else f" · {duration(now.seconds_left)} left"
    return f"step {now.step:,} of {now.total:,}{left}"


def _plain(text: str) -> str:
    """Text from a log, so that Markdown and HTML in it stay text."""
    return html.escape(text[:300]).replace("`", "'").replace("[", "(").replace("]", ")").replace("$", "USD ")


def _traverse_link(run: Run) -> None:
    st.page_link("app_pages/traverse.py", label="Traverse", icon=":material/tune:", query_params={"run": run.id},
                 help="Move through its latent space and see what it draws.")


def _train_like(run: Run) -> None:
    if st.button("Train one like it", key=f"like-{run.id}", icon=":material/content_copy:", type="tertiary",
                 help="Open Train with this run's data, model and settings filled in, to change and start."):
        st.session_state["train_from"] = run.id
        st.switch_page("app_pages/train.py")
