"""What components of the browser are told of a run that was opened, and the code under the visitor's hand.

The code lives in the browser: in the page's address, `?z=` in units of each dimension (`vaecore.explore.latents`), of a
run of several latents `?z.<latent>=`. No message comes here while a hand moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared.checkpoints import stamps
from vaecore.memory import held

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pages.components.hand import Direction
    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.told import Travelling

FARTHEST = 1e4  # units; an address may say anything


def described(opened: Checkpoint | CrossModal) -> dict[str, Any]:
    """A run for components, as JSON: its networks' addresses, its latents, what it models, and its classes' names.

    Raises `NoGraph` where its weights went meanwhile.
    """
    from pages.components.networks import network_address
    from pages.components.seen import seen_address
    from pages.shared import judging
    from vaecore.explore.single import Checkpoint

    return _described(str(opened.run.path), stamps(opened.run), opened) | {
        "networks": {what: network_address(opened.run, what) for what in ("decoder", "encoder")},
        "judges": judging.judges(opened),  # by modality; asked anew each time: one may have been made meanwhile
        "seen": seen_address(opened.run) if isinstance(opened, Checkpoint) else None}  # where it saw data


def show(opened: Checkpoint | CrossModal, directions: Sequence[Direction] = ()) -> None:
    """The sliders of a run with what they decode to, in the browser; `directions` are further sliders."""
    from pages.components.hand import hand

    hand(described(opened), _travelling(str(opened.run.path), stamps(opened.run), opened),
         key=f"the-hand-{opened.run.id}", directions=directions)


@held
def _described(path: str, stamps: tuple[int, ...], _opened: Checkpoint | CrossModal  # noqa: ARG001 (the cache's key)
               ) -> dict[str, Any]:
    """What does not change while the weights do not, found once for all sessions."""
    from vaecore.explore.told import described

    return described(_opened)


@held
def _travelling(path: str, stamps: tuple[int, ...], _opened: Checkpoint | CrossModal  # noqa: ARG001 (the cache's key)
                ) -> Travelling:
    """What the browser has of a run at hand, made once for all sessions."""
    from vaecore.explore.told import travelling

    return travelling(_opened)


def positions(opened: Checkpoint | CrossModal, place: str) -> dict[str, Codes]:
    """The code under the hand, in units, (r,) a latent; the fragment that asks runs again whenever it has come to rest.

    `place` is a name for whoever asks. Where nobody asks, nothing is sent. Before the hand has told anything it is what
    the address said when the page was entered: Streamlit does not see what is written there meanwhile.
    """
    from pages.components.heard import heard
    from vaecore.explore.latents import latents
    from vaecore.explore.told import names_in_address

    found, key = latents(opened), f"hand-{opened.run.id}-{place}"
    names = names_in_address(found)
    kept = st.session_state.get(key)
    told = kept.get("code") if isinstance(kept, Mapping) else None
    read = told if isinstance(told, Mapping) else {name: st.query_params.get(name) for name in names.values()}
    known = {name: str(read.get(name) or "") for name in names.values()}
    heard(opened.run.id, names, known, key=key)
    return {facts.name: numbers(known[names[facts.name]], facts.size) for facts in found}


def numbers(text: object, size: int) -> Codes:
    """Numbers (size,) as an address has them, joined by commas; 0 for what is missing, empty or no number."""
    import numpy as np

    values: np.ndarray = np.zeros(size, np.float32)
    for place, word in enumerate(str(text or "").split(",", size)[:size]):
        try:
            value = float(word or 0)
        except ValueError:
            continue
        values[place] = min(FARTHEST, max(-FARTHEST, value)) if math.isfinite(value) else 0
    return values
