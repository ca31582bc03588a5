"""The same clip and the same noise through each of the compared models of clips: one player, one clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.components.player import Track, player
from pages.shared import address, checkpoints
from pages.shared.names import names
from pages.shared.words import escaped
from vaecore.store import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vaecore.explore import VideoCheckpoint
    from vaecore.explore.along import Moment

LAST = "kept weights"


@st.fragment
def clips(runs: list[Run]) -> None:
    """A player for each size of frame: the truth, and one future of each run."""
    from vaecore.explore.along import shared_steps
    from vaecore.explore.clips.checkpoint import MAX_SEED
    from vaecore.explore.same import FAULTS

    loaded: list[VideoCheckpoint] = []
    for run in runs:
        try:
            loaded.append(_opened(run))
        except FAULTS as error:
            st.error(escaped(f"{run.id} cannot be opened. {error}"), icon=":material/broken_image:")
    if not loaded:
        return
    st.subheader("The same clip and the same noise", anchor=False, help="One future of the same test clip by each run, "
                 "drawn with the same random numbers; a smaller code takes the first of them.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        clip = int(address.kept("clip", st.number_input, "Clip", 0, max(0, min(one.count for one in loaded) - 1), 0,
                                key="clip", width=120, help="Which test clip."))
        seed = int(address.kept("future", st.number_input, "Seed of futures", 0, MAX_SEED, 0, key="future", width=150,
                                help="The same seed draws the same noise for every run."))
        step: int | None = None
        if steps := shared_steps(one.run for one in loaded):
            chosen = address.kept("clipstep", st.select_slider, "Step", [*map(str, steps), LAST], LAST, key="clipstep",
                                  width=360, help="Weights along the training: each run shows its own nearest to this "
                                  "step, and not after it.")
            step = None if chosen == LAST else int(chosen)
    called = names(runs)
    groups: dict[tuple[object, ...], list[VideoCheckpoint]] = {}
    for one in loaded:
        groups.setdefault((one.frame, one.pixels), []).append(one)
    for place, group in enumerate(groups.values()):
        if len(groups) > 1:
            st.caption(escaped(f"Frames of one size, a clip of {group[0].run.id}: "
                               f"{', '.join(called[one.run.id] for one in group)}."))
        _play(group, called, clip, seed, step, place)


def _play(group: list[VideoCheckpoint], called: dict[str, str], clip: int, seed: int, step: int | None, place: int
          ) -> None:
    from vaecore.explore.along import moment_at
    from vaecore.explore.same import FAULTS

    first = group[0]
    truth = first.clip(clip)
    context = min(first.context, len(truth) - 1)
    tracks = [Track("truth", first.pictures(truth), "Truth", "truth", help=f"A test clip of {first.run.id}.")]
    for one in group:
        moment = moment_at(one.run, step)
        if moment is None:
            st.caption(escaped(f"{one.run.id} kept no weights up to step {step:,}."))
            continue
        try:
            frames = _future(str(one.run.path), checkpoints.stamps(one.run), str(first.run.path), clip, context, seed,
                             moment, one.run, first)
        except FAULTS as error:
            st.caption(escaped(f"{one.run.id} is left out. {error}"))
            continue
        told = "" if moment.step is None else f" · step {moment.step:,}"
        tracks.append(Track(one.run.id, frames, f"{called[one.run.id]}{told}", "future",
                            help=f"{one.run.id}: one future, after {context} frames that were given."))
    player(tracks, context=context, rate=first.rate, events=first.events_of(clip), event_name="unforeseen move",
           length=len(truth), key=f"{first.run.id} {clip} {seed} {step} {len(tracks)}",
           element=f"compare-player-{place}")


def _opened(run: Run, moment: Moment | None = None) -> VideoCheckpoint:
    """A model of clips with the weights of a moment."""
    from vaecore.explore import VideoCheckpoint
    from vaecore.explore.along import opened_at

    found = opened_at(run, moment)
    assert isinstance(found, VideoCheckpoint)
    return found


@st.cache_data(max_entries=128, show_spinner="Rolling out …")
def _future(path: str, stamps: tuple[int, ...], source: str, clip: int, context: int, seed: int,  # noqa: ARG001
            moment: tuple[Any, ...], _run: Run, _source: VideoCheckpoint) -> NDArray[np.uint8]:
    """The frames that are given and one future of them; what is not read here is the cache's key."""
    from vaecore.explore.along import Moment

    one, truth = _opened(_run, Moment(*moment)), _source.clip(clip)
    past = one.past(truth, context)
    return np.concatenate([one.pictures(past), one.pictures(one.future(past, len(truth) - context, seed))])
