"""The switchboard of Cross-modal: a card a modality, with a switch, a way to give it, and what was generated."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal.giving import give
from pages.cross_modal.showing import show
from pages.cross_modal.state import (
    STATES,
    Board,
    State,
    across,
    colours,
    first_states,
    key,
    presets,
    put,
    redraw,
    stamp,
)
from pages.shared import address
from pages.shared.words import escaped
from vaecore.memory import held

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.evaluate.parts.coherence import Judged
    from vaecore.explore.beliefs import Beliefs
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.generated import Generated

STATE_HELP = ("Given: the model is told it. Generate: the model makes it up from what is given. Absent: neither, as if "
              "it did not exist.")
SAMPLES = (1, 4, 8, 16, 32)
TEMPERATURE_HELP = ("The spread of the codes is multiplied by it: at 0 each code is the mean, so that all samples are "
                    "alike; at 1 codes follow q(z | given); above 1 they are more daring.")


def toolbar(checkpoint: CrossModal) -> tuple[int, float, int]:
    """Ready-made positions of the switches; how many samples, at which temperature, with which seed. The code of a
    linear method is a point: there is nothing to draw."""
    if not checkpoint.draws:
        with st.container(horizontal=True, gap="small"):
            ready_made(checkpoint)
        return 1, 0.0, 0
    with st.container(horizontal=True, vertical_alignment="bottom", key="toolbar"):
        count = address.kept("samples", st.segmented_control, "Samples", SAMPLES, default=16, required=True,
                             key="count-cross", wrap=False, width="content",
                             help="How many are generated of each modality, each from a code of its own.")
        temperature = address.kept("temperature", st.slider, "Temperature", 0.0, 1.5, 1.0, 0.05,
                                   key="temperature-cross", width=240, format="%.2f", help=TEMPERATURE_HELP)
        st.button("Draw again", icon=":material/casino:", key="redraw", type="primary", on_click=redraw,
                  args=(checkpoint,), help="New random numbers. The same switches and the same draw give the same.")
        st.space("stretch")
        with st.container(horizontal=True, width="content", gap="small", key="presets"):
            ready_made(checkpoint)
    return int(count or 16), float(temperature), address.counted("redraw", key("seed", checkpoint))


def ready_made(checkpoint: CrossModal) -> None:
    """Buttons that set all switches."""
    for label, states in presets(checkpoint).items():
        st.button(label, key=key("preset", checkpoint, label), on_click=put, args=(checkpoint, states),
                  help="Set all switches to this at once.")


def board(checkpoint: CrossModal, count: int, temperature: float, seed: int, kept: Judged | None) -> Board:
    """All cards, and what they say. What is given is read first, wherever its card is."""
    names = list(checkpoint.modalities)
    wide = across(checkpoint) == 2
    with st.grid(across(checkpoint), min_column_width=360 if wide else 330, gap="small"):
        cards = {name: st.container(border=True, height="stretch", gap="small") for name in names}
    tints = colours(checkpoint)
    states = {name: switch(checkpoint, name, cards[name], tints[name]) for name in names}
    found = Board({}, {}, [name for name in names if states[name] == "generate"], [])
    for name in names:
        with cards[name]:
            if states[name] == "given":
                give(checkpoint, name, found)
            elif states[name] == "absent":
                st.caption("Neither told to the model nor asked of it.")
    made = generated(checkpoint, found, count, temperature, seed)
    for name in found.predict:
        with cards[name]:
            show(checkpoint, name, made, found, kept)
    return found


def switch(checkpoint: CrossModal, name: str, card: st.delta_generator.DeltaGenerator, tint: str) -> State:
    """The head of a card: the modality and its switch."""
    place = key("switch", checkpoint, name)
    beside = across(checkpoint) == 2  # else all of them beneath, as some names are too long
    with card, st.container(horizontal=beside, vertical_alignment="center" if beside else "top", gap="small",
                            horizontal_alignment="distribute" if beside else "left",
                            key=f"switch-{name}"):
        st.html(f'<div title="{html.escape(STATE_HELP)}" style="display:flex;align-items:center;gap:.55rem">'
                f'<span style="width:.95rem;height:.95rem;border-radius:50%;background:{tint}"></span>'
                '<strong style="font-size:1.35rem;overflow-wrap:anywhere">'
                f"{html.escape(name)}</strong></div>", width="content")
        chosen = address.kept(f"switch.{name}", st.segmented_control, f"What about {escaped(name)}",
                              list(STATES.values()), default=STATES[first_states(checkpoint)[name]], key=place,
                              of_run=True, required=True, label_visibility="collapsed",
                              width="content", wrap=False, said=str.lower)
    return next((state for state, label in STATES.items() if label == chosen), "absent")


def generated(checkpoint: CrossModal, board: Board, count: int, temperature: float, seed: int
              ) -> dict[str, Generated]:
    """What is to be generated from what is given; nothing while something is waited for."""
    if not board.predict or board.waiting or not (board.given or checkpoint.has_prior):
        return {}
    from vaecore.explore.given import digest

    return _generated(str(checkpoint.run.path), stamp(checkpoint), digest(board.given), tuple(board.predict), count,
                      temperature, seed, checkpoint, board.given)


def believed(checkpoint: CrossModal, given: dict[str, Tensor]) -> Beliefs | None:
    """What each given modality knows of the latent."""
    from vaecore.explore.given import digest

    return _believed(str(checkpoint.run.path), stamp(checkpoint), digest(given), checkpoint, given)


@held
def _generated(path: str, stamp: int, given: str, predict: tuple[str, ...], count: int, temperature: float,  # noqa: ARG001 (the cache's key)
               seed: int, _checkpoint: CrossModal, _given: dict[str, Tensor]) -> dict[str, Generated]:
    return _checkpoint.generate(_given, predict, count, temperature, seed)


@held
def _believed(path: str, stamp: int, given: str, _checkpoint: CrossModal, _given: dict[str, Tensor]  # noqa: ARG001 (the cache's key)
              ) -> Beliefs | None:
    return _checkpoint.experts(_given)
