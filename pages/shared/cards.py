"""A run as a card. Reads small files and draws; no torch."""

from __future__ import annotations

import streamlit as st

from pages.shared import lines, pictures
from pages.shared.checkpoints import explore_link, page_of
from pages.shared.headline import ACTIVE_HELP, PERPLEXITY_HELP, Figure, active, bound_help, bound_name
from pages.shared.words import Colour, duration, escaped
from vaecore.evaluate.results import shown
from vaecore.files import BrokenFile, opened
from vaecore.lab import State, Status, status
from vaecore.library.headline import Headline, headline
from vaecore.store import MAX_PREVIEW_BYTES, Run, StoreError
from vaecore.views import SENTENCE, view_of

MAX_TEXT_BYTES = 100_000
SENTENCES, MAX_CHARACTERS = 3, 300  # of a text model's preview; characters of each
COLOURS: dict[State, Colour] = {"new": "gray", "queued": "violet", "running": "blue", "finished": "green",
                             "failed": "red", "stopped": "orange", "lost": "red", "unknown": "orange"}
MEANINGS: dict[State, str] = {
    "new": "Not started yet.", "queued": "Waits for its turn.", "running": "Is training now.",
    "finished": "Trained to the end.", "failed": "Ended with an error.", "stopped": "Stopped before its end; it can "
    "be resumed.", "lost": "Its process is gone without a word; it can be resumed.",
    "unknown": "The cluster that has it does not answer."}


def gallery_card(run: Run, figure: Figure | None, *, large: bool, purpose: str = "") -> None:
    """A shipped checkpoint: what it draws, what it is, the number that counts for it, and the way in.

    `purpose` says what it is for. The number is set in `large` type where it compares with those of its neighbours.
    """
    with st.container(border=True, height="stretch"):
        facts = _facts(run)
        if facts is None:
            return
        _sentences(run) if _is_written(run) else _preview(run)
        st.subheader(escaped(run.path.name), anchor=False)
        if purpose:
            st.markdown(escaped(purpose))
        st.markdown(f"**{escaped(facts.family)}**{_latents(facts)}  \n{escaped(facts.data)}")
        if facts.problem:
            st.warning(escaped(facts.problem), icon=":material/broken_image:")
        if figure is not None and large:
            st.metric(figure.label, figure.value, help=figure.help)
        elif figure is not None:
            st.markdown(f"{figure.label}: {figure.value}", help=figure.help)
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center"):
            _open(run)
            _train_like(run)


def run_card(run: Run) -> None:
    """One of the user's own runs: what it is and where it stands."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        facts = _facts(run)
        if facts is None:
            return
        now = status(run.path)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{escaped(run.title)}**", width="content", help=escaped(run.id))
            place = f" {now.place}." if now.place and now.place not in now.detail else ""
            st.badge(now.state, color=COLOURS[now.state],
                     help=f"{MEANINGS[now.state]} {escaped(f'{now.detail[:300]}{place}')}")
        if (png := preview(run)) is not None:
            pictures.show(png, f"Samples that {run.path.name} draws", width=640)
        elif told := written(run):
            lines.brief(told)
        st.markdown(f"{escaped(facts.family)}{_latents(facts)} · {escaped(facts.data)}")
        if now.state == "running" and (now.total or now.doing):
            st.progress(min(1.0, now.step / max(1, now.total)), _progress(now))
        elif facts.problem:
            st.warning(escaped(facts.problem), icon=":material/broken_image:")
        elif now.state in ("failed", "lost") and now.detail:
            st.caption(escaped(now.detail[:300]))
        elif facts.bound is not None:
            parts, help = [f"{bound_name(facts)} **{shown(facts.bound)}** nats"], bound_help(facts)
            if facts.perplexity is not None:
                parts, help = [*parts, f"perplexity {shown(facts.perplexity, 3)}"], f"{help} {PERPLEXITY_HELP}"
            if facts.has_code:
                parts, help = [*parts, f"{active(facts)} active"], f"{help} {ACTIVE_HELP}"
            st.markdown(" · ".join([*parts, f"trained in {duration(facts.seconds)}"]), help=help)
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center"):
            if run.weights.is_file():
                explore_link(run)
            st.page_link("monitor/page.py", label="Monitor", icon=":material/monitoring:",
                         query_params={"runs": run.id}, help="The curves of this run.")
            _train_like(run)


def _facts(run: Run) -> Headline | None:
    try:
        return headline(run)
    except StoreError as error:
        st.markdown(f"**{escaped(run.id)}**")
        st.error(escaped(str(error)), icon=":material/broken_image:")
        return None


def preview(run: Run) -> bytes | None:
    """Its `preview.png`; None where there is none that can be shown."""
    try:
        with opened(run.preview) as file:
            png = file.read(MAX_PREVIEW_BYTES)
    except (OSError, BrokenFile):
        return None
    return png if png[:8] == b"\x89PNG\r\n\x1a\n" and len(png) >= 24 else None


def _is_written(run: Run) -> bool:
    """Whether sentences stand for what it does: a model of text, or of several texts."""
    return view_of(run) is SENTENCE or ((run.path / "preview.txt").is_file() and not run.preview.is_file())


def _preview(run: Run) -> None:
    if (png := preview(run)) is None:
        st.html('<div style="display:grid;place-items:center;aspect-ratio:5/1;opacity:.6;border:1px dashed;'
                'border-radius:4px">no preview.png that can be shown</div>')
        return
    pictures.show(png, f"Samples that {run.path.name} draws", width=640)


def _sentences(run: Run) -> None:
    """What a text model wrote of itself, where a model of images has its picture."""
    lines.brief(written(run) or ["no preview.txt to be shown"])


def written(run: Run) -> list[str]:
    """The first lines of its `preview.txt`, shortened; none where there is none."""
    try:
        with opened(run.path / "preview.txt") as file:
            told = file.read(MAX_TEXT_BYTES).decode(errors="replace").splitlines()
    except (OSError, BrokenFile):
        return []
    return [line[:MAX_CHARACTERS] for line in told if line.strip()][:SENTENCES]


def _latents(facts: Headline) -> str:
    plural = "s" * (facts.latent_size != 1)
    return f" · {facts.latent_size or '?'} latent dimension{plural}" if facts.has_code else ""


def _progress(now: Status) -> str:
    if now.doing:
        return escaped(now.doing)
    left = "" if now.seconds_left is None else f" · {duration(now.seconds_left)} left"
    return f"step {now.step:,} of {now.total:,}{left}"


def _open(run: Run) -> None:
    """The main act of a shipped checkpoint: the page that shows what it does, or those of its kind side by side."""
    page = page_of(run)
    if st.button("Open", key=f"open-{run.id}", type="primary", icon=":material/open_in_new:", help=page.of_run):
        st.switch_page(page.path, query_params={"run": run.id})


def _train_like(run: Run) -> None:
    if st.button("Train one like it", key=f"like-{run.id}", icon=":material/content_copy:", type="tertiary",
                 help="Open Train with this run's data, model and settings filled in, to change and start."):
        st.session_state["train_from"] = run.id
        st.switch_page("train/page.py")
