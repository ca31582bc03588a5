"""What Video shows under its player: the code of a clip, several checkpoints on the same clip, and files to keep."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitAPIException

from pages.components.player import Track, player
from pages.shared import address, checkpoints
from pages.shared.words import escaped
from pages.video import futures, screen
from pages.video.futures import Plan, Roll
from vaecore.views import CLIP

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pages.video.clip_choice import Chosen
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.store import Run

STEPS = 7  # futures in a traversal
REACH = 3.0  # sd of the prior, on both sides
MAX_BESIDE = 6  # checkpoints beside the one that is open
MAX_SAVED = 16  # tracks in a file


def rerun() -> NoReturn:
    """Draw the fragment again, or the page where it was drawn as a whole."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # a full run; it has no name to ask for
        st.rerun()


# -- one code for the whole clip -------------------------------------------------------------------------


@st.fragment
def traversal(checkpoint: VideoCheckpoint, clip: Chosen, plan: Plan) -> None:
    """Futures along one dimension of the code that serves the whole clip."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        dimension = int(address.kept(
            "dimension", st.number_input, "Dimension", 0, checkpoint.size - 1, 0, width=140,
            key=f"dimension-{checkpoint.run.id}",
            help=f"Which of the {checkpoint.size} numbers of the code moves, from −3 to 3 standard deviations of its "
            "prior; all others are 0."))
        st.caption("This model draws one code z for a whole clip: each track is the same past with another z.")
    values = np.linspace(-REACH, REACH, STEPS)
    pictures = _traversed(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), plan.digest, dimension,
                          checkpoint, plan)
    past = checkpoint.pictures(plan.past)
    shown = [Track(f"{value:+.0f}", np.concatenate([past, frames]),
                   f"z{dimension} = {value:+.0f}".replace("-", "−") if value else f"z{dimension} = 0")
             for value, frames in zip(values, pictures, strict=True)]
    player(shown, context=plan.context, rate=clip.rate, events=clip.events, event_name=screen.EVENT, playing=True,
           element="code-player", key=f"{checkpoint.run.id} {plan.digest} {dimension}")


@st.cache_data(max_entries=32, show_spinner="Rolling out …")
def _traversed(path: str, stamps: tuple[int, ...], digest: str, dimension: int,  # noqa: ARG001 (the cache's key)
               _checkpoint: VideoCheckpoint, _plan: Plan) -> NDArray[np.uint8]:
    values = np.linspace(-REACH, REACH, STEPS).tolist()
    return _checkpoint.pictures(_checkpoint.traverse(_plan.past, _plan.horizon, dimension, values))


# -- several checkpoints -----------------------------------------------------------------------------------


@st.fragment
def several(checkpoint: VideoCheckpoint, clip: Chosen, plan: Plan, roll: Roll | None, *, busy: bool) -> None:
    """The same frames and the same random numbers, given to other checkpoints too."""
    others = {run.id: run for run in checkpoints.with_weights(CLIP) if run.id != checkpoint.run.id}
    if not others:
        st.info("There is no other model of clips to set this one against. Train one on the same clips, say without a "
                "code, or with a fixed prior.", icon=":material/info:")
        st.page_link("train/page.py", label="Train one like it", icon=":material/model_training:",
                     query_params={"from": checkpoint.run.id}, help="Opens Train with this run's settings filled in.")
        return
    key = f"others-{checkpoint.run.id}"
    if kept := st.session_state.get(key):  # one may have been removed meanwhile
        st.session_state[key] = [name for name in kept if name in others]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = address.kept("beside", st.multiselect, "Other runs", list(others), key=key,
                              max_selections=MAX_BESIDE, width=620,
                              placeholder="Choose one or more", help="They are given the same frames and the same "
                              "random numbers: future i comes of the same noise in each, in a smaller code of the "
                              "first of its numbers.")
        best = address.kept("which", st.segmented_control, "Shown", ["Best", "First"], default="Best", required=True,
                            key="several-shown", wrap=False, width="content",
                            help="Of each run the future nearest to the truth, or the first one.")
    if roll is None:
        st.caption("Press **Roll out** above first.")
        return
    if not chosen:
        return
    rolls = [roll, *_fitting(checkpoint, plan, [others[name] for name in chosen])]
    waiting = [each for each in rolls if not each.done]
    if waiting and not busy:
        waiting[0].advance()
    shown, charts = screen.side_by_side(clip, rolls, best=best == "Best")
    if waiting := [each for each in rolls if not each.done]:
        done, total = sum(each.count for each in rolls), sum(each.total for each in rolls)
        st.progress(done / total, f"{done:,} of {total:,} futures, now {escaped(waiting[0].checkpoint.run.id)}")
    player(shown, charts, context=plan.context, rate=clip.rate, events=clip.events, event_name=screen.EVENT,
           playing=True, length=plan.total, key=f"{plan.digest} {chosen} {best}", element="several-player")
    if waiting and not busy:
        rerun()


def _fitting(checkpoint: VideoCheckpoint, plan: Plan, runs: list[Run]) -> list[Roll]:
    """The roll-outs of those that read frames of the same kind; says which do not."""
    from vaecore.schema import ConfigError

    found = []
    for run in runs:
        one = checkpoints.opened(run, CLIP)
        if one is None:
            continue
        if (one.frame, one.pixels) != (checkpoint.frame, checkpoint.pixels):
            st.caption(f"{escaped(run.id)} is left out: it reads {_size(one)}, and this clip has {_size(checkpoint)}.")
            continue
        try:
            found.append(futures.roll(one, plan))
        except ConfigError as error:
            st.caption(escaped(f"{run.id} is left out: {error.problems[0].message}"))
    return found


def _size(checkpoint: VideoCheckpoint) -> str:
    if not checkpoint.pixels:
        return f"states of {checkpoint.frame[0]} numbers"
    channels, height, width = checkpoint.frame
    return f"{'colour' if channels == 3 else 'grey'} frames of {width} × {height} pixels"


# -- files -------------------------------------------------------------------------------------------------


@st.fragment
def save(checkpoint: VideoCheckpoint, clip: Chosen, plan: Plan, roll: Roll | None) -> None:
    """What is shown, as a GIF, an MP4 or a sheet. A file is made only when it is asked for."""
    if roll is None or not roll.count:
        st.caption("Press **Roll out** above first.")
        return
    seen = screen.known(checkpoint, clip)
    there = {track.caption: track for track in screen.tracks(checkpoint, clip, seen, plan, roll, futures.KEEP)
             if len(track.frames)}
    first = [caption for caption, track in there.items() if track.kind != "reconstruction"][:6]
    key = "saved-tracks"
    if key in st.session_state:  # names of tracks change with the number of futures
        st.session_state[key] = [name for name in st.session_state[key] if name in there] or first
    chosen = st.multiselect("Clips in the file", list(there), default=None if key in st.session_state else first,
                            key=key, max_selections=MAX_SAVED, help="They run side by side; in the sheet each has a "
                            "row. Frames that were given have an orange edge.")
    if not chosen:
        st.caption("Choose at least one clip.")
        return
    name = f"{checkpoint.run.id}-futures".replace("/", "-")
    film = find_spec("av") is not None
    with st.container(horizontal=True):
        for label, ending, mime, help, ready in (
                ("GIF", "gif", "image/gif", "Plays anywhere, slides included; 256 colours.", True),
                ("MP4", "mp4", "video/mp4", "Small and sharp." if film else
                 'Needs PyAV: pip install "vaecore[video]".', film),
                ("Contact sheet", "png", "image/png", "All frames beside each other, for print.", True)):
            st.download_button(label, written(ending, [there[each] for each in chosen], plan, clip), f"{name}.{ending}",
                               mime, key=f"save-{ending}", icon=":material/download:", on_click="ignore", help=help,
                               disabled=not ready)
    st.caption("A file is made when you press its button, which takes a few seconds for many clips.")


def written(ending: str, shown: list[Track], plan: Plan, clip: Chosen) -> Callable[[], bytes]:
    """What makes the file: called when somebody asks for it."""
    def write() -> bytes:
        from vaecore.explore.clips.films import Strip, contact_sheet, gif, mp4

        strips = [Strip(track.caption, track.frames, track.start) for track in shown]
        if ending == "png":
            return contact_sheet(strips, context=plan.context)
        return (gif if ending == "gif" else mp4)(strips, rate=clip.rate, context=plan.context)

    return write
