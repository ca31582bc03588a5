"""Traverse's tab *Draw*: a picture from outside, drawn or uploaded, as the model reads it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import reading
from pages.shared import address, checkpoints, uploads
from pages.shared.words import escaped
from vaecore.files import trouble
from vaecore.memory import held
from vaecore.store import StoreError

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.maps.at_hand import AtHand
    from vaecore.explore.reading import Yardstick

SECONDS = 20.0  # that a visitor waits for the codes of training observations, if he asks for them
WAYS = ("Draw", "Upload")
PHOTOGRAPHS = ("There is no pad for these data: they are not drawn in one shade on plain paper, so nothing that a pen "
               "draws would look as they do.")


def panel(checkpoint: Checkpoint) -> None:
    """A drawing, or a picture's file."""
    ways = WAYS if checkpoint.ink is not None else WAYS[1:]
    way = ways[0]
    if len(ways) > 1:
        way = address.kept("picture", st.segmented_control, "Picture", ways, default=way, required=True,
                           key="picture-way", label_visibility="collapsed",
                           help="Draw with mouse, pen or finger, or choose a picture's file.") or way
    else:
        st.caption(PHOTOGRAPHS)
    if way == "Draw":
        reading.drawing(checkpoint, yardstick(checkpoint), among(checkpoint), key=f"drawing-{checkpoint.run.id}")
    else:
        uploaded(checkpoint)


def uploaded(checkpoint: Checkpoint) -> None:
    """A picture's file, or several one after the other."""
    _, height, width = checkpoint.shape
    key = f"upload-{checkpoint.run.id}"
    file = uploads.ask("Pictures", key, f"Each is brought to {width} × {height} pixels, the size that this model "
                       "reads. They stay on this machine.", several=True)
    if file is None:
        return
    try:
        found = uploads.read(lambda undone: checkpoint.read(file, undone=undone), key, shown=False)
        if int(found.pixels.max()) == int(found.pixels.min()):
            raise ValueError("The picture is blank once it is read. Undo a step, or choose another.")
    except ValueError as error:
        st.warning(escaped(str(error)), icon=":material/image_not_supported:")
        return
    reading.given(checkpoint, yardstick(checkpoint), found, among(checkpoint),
                  key=f"reading-{checkpoint.run.id}")


def among(checkpoint: Checkpoint) -> AtHand | None:
    """The training observations, if the nearest are to be looked for in all of them; the page says why it cannot."""
    from vaecore.data import DataUnavailable
    from vaecore.explore.maps.at_hand import at_hand
    from vaecore.schema import ConfigError

    if not address.kept("training", st.toggle, "Search the training split", key="search-training", help="Look for the "
                        "nearest among all training observations, with their codes in this page: those that the model "
                        "learned from. Without, among the test observations that travel with the run."):
        return None
    try:
        with st.spinner("Encoding training observations …"):
            return at_hand(checkpoint, "train", SECONDS)
    except (DataUnavailable, ConfigError, StoreError, OSError) as error:
        st.caption(escaped(trouble(error)))
        return None


def yardstick(checkpoint: Checkpoint) -> Yardstick:
    """Test observations where the data are here, else those that travel with the run."""
    return _yardstick(checkpoint, str(checkpoint.run.path), checkpoints.stamps(checkpoint.run))


@held(meanwhile=partial(st.spinner, "Encoding test observations …"))
def _yardstick(_checkpoint: Checkpoint, path: str, stamps: tuple[int, ...]) -> Yardstick:  # noqa: ARG001 (the key)
    from vaecore.explore.observed import observed
    from vaecore.explore.reading import COMPARED, Yardstick

    found = observed(_checkpoint, COMPARED, "test")
    return Yardstick.of(_checkpoint, found.x, found.covariates, found.source)
