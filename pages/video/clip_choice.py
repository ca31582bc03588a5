"""The clip that is looked at on Video: one of the test clips that travel with a checkpoint, or a visitor's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import address, changing
from pages.shared.words import escaped
from vaecore.data.own.clip_file import ENDINGS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vaecore.data.own.clip_file import Fit
    from vaecore.explore.clips.checkpoint import VideoCheckpoint

FILES = [ending.removeprefix(".") for ending in ENDINGS]
FITS = {"crop": "cut around the centre", "pad": "shown whole on black", "stretch": "stretched"}
MAX_CLIP_MB = 50  # MB
FRAMES = 200  # of a visitor's clip
TEST, OWN = "Test clip", "Your own"


@dataclass(frozen=True)
class Chosen:
    """A clip as the model reads it."""

    frames: Tensor  # (T, *frame)
    key: str  # of this clip, short
    rate: float  # frames a second
    events: Sequence[int] = ()  # frames that could not be foreseen
    note: str = ""  # what was done to it


def choose(checkpoint: VideoCheckpoint) -> Chosen | None:
    """What to look at; None while a visitor's own clip is missing or cannot be used, which is then said."""
    own = False
    if checkpoint.pixels:
        source = st.segmented_control("Clip", [TEST, OWN], default=TEST, required=True, key="clip-source", wrap=False,
                                      width="content", persist_state="session",
                                      help="A clip that the model did not learn from, or a file of your own.")
        own = source == OWN
    return uploaded(checkpoint) if own else from_tests(checkpoint)


def from_tests(checkpoint: VideoCheckpoint) -> Chosen:
    """One of the test clips."""
    index = address.kept("clip", st.selectbox, TEST, range(checkpoint.count), key=f"clip-{checkpoint.run.id}",
                         width=292, format_func=checkpoint.title,
                         help=f"The {checkpoint.count} test clips that travel with this run. An unforeseen move "
                         "is one that no model could know from the frames before, such as a bounce into a new "
                         "direction.") or 0
    return Chosen(checkpoint.clip(index), f"test {index}", checkpoint.rate, checkpoint.events_of(index))


def uploaded(checkpoint: VideoCheckpoint) -> Chosen | None:
    """A file of the visitor's."""
    from vaecore.data.base import DataUnavailable
    from vaecore.schema import ConfigError

    file = changing.file_uploader("Your clip", type=FILES, key="clip-file", max_upload_size=MAX_CLIP_MB, width=300,
                                  help=f"A film, a GIF, or an .npz with frames (T, H, W, C). Its first {FRAMES} "
                                       f"frames are {FITS[checkpoint.fit]} and resized to what this model reads. It "
                                       "stays on this machine.")
    if file is None:
        st.info("Give a clip of a few seconds. What moves like the clips that the model learned from works best.",
                icon=":material/upload_file:", width=420)
        return None
    if file.size > MAX_CLIP_MB * 2**20:  # the browser's own check can be got around
        st.warning(f"This file has more than {MAX_CLIP_MB} MB. Give a part of it.", icon=":material/movie:", width=420)
        return None
    channels, height, width = checkpoint.frame
    data = file.getvalue()
    try:
        with st.spinner("Reading the clip …", show_time=True):
            frames, rate, more, done = _read(file.name, blake2b(data).hexdigest(), (height, width), checkpoint.fit,
                                           channels == 1, data)
        clip = checkpoint.given(frames)
    except (ConfigError, DataUnavailable) as error:
        said = error.problems[0] if isinstance(error, ConfigError) else None
        st.warning(escaped(f"{said.message} {said.remedy}" if said else str(error)), icon=":material/movie:", width=420)
        return None
    cut = f" Its first {FRAMES} frames are used." if more else ""
    cut += "".join(f" {each[:1].upper()}{each[1:]}." for each in done)
    colour = "grey" if channels == 1 else "colour"
    digest = blake2b(np.ascontiguousarray(frames).tobytes(), digest_size=8).hexdigest()
    return Chosen(clip, digest, rate or checkpoint.rate, note=(
        f"Your clip: {len(frames)} frames, {FITS[checkpoint.fit]} and resized to {width} × {height} pixels in "
        f"{colour}, as this model reads it.{cut}"))


@st.cache_data(max_entries=8, show_spinner=False)
def _read(name: str, digest: str, size: tuple[int, int], fit: Fit, grey: bool,  # noqa: ARG001 (the cache's key)
          _data: bytes) -> tuple[NDArray[np.uint8], float, bool, list[str]]:
    """Frames (T, C, H, W), frames a second, whether there were more, and what was done to them."""
    from vaecore.data.own.clip_file import read_clip

    done: list[str] = []
    frames, rate = read_clip((name, _data), size=size, fit=fit, most_frames=FRAMES + 1, grey=grey, tell=done.append)
    return frames[:FRAMES], rate, len(frames) > FRAMES, done
