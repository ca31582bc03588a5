"""Cross-modal, a switchboard: give some modalities, generate others, and see why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal import experts, moving, swap, switchboard
from pages.cross_modal.state import Board, key
from pages.shared import address, checkpoints, evaluation, taking
from pages.shared.words import escaped
from vaecore.evaluate.evaluation import Evaluation
from vaecore.evaluate.kept import newest
from vaecore.evaluate.parts.coherence import Judged
from vaecore.views import CROSSMODAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from vaecore.explore.crossmodal import CrossModal

PRESET = "mvae-image-label"
# Samples stand in two rows where a card is wide, so that the curves beneath are in sight; on a phone in fours.
LAYOUT = """<style>
.st-key-presets { justify-content: flex-end; }
.cross-cells { display: grid; gap: 4px; grid-template-columns: repeat(var(--across), minmax(0, 112px)); }
@media (max-width: 640px) {
  .st-key-presets { justify-content: flex-start; }
  .cross-cells { grid-template-columns: repeat(4, minmax(0, 112px)); }
}
</style>"""


@st.fragment
def bench(checkpoint: CrossModal) -> None:
    """The switches and what comes of them."""
    count, temperature, seed = switchboard.toolbar(checkpoint)
    facts = newest(checkpoint.run, Judged)
    with st.container(key="board"):
        board = switchboard.board(checkpoint, count, temperature, seed, facts.of(Judged) if facts else None)
    said(checkpoint, board, temperature)
    views(checkpoint, board.given, facts)


def said(checkpoint: CrossModal, board: Board, temperature: float) -> None:
    """What was done, in a sentence; or what to do, where nothing is asked for."""
    listed = escaped(", ".join(board.given))
    private = [name for name in board.predict if name in checkpoint.private]
    if board.waiting:
        return
    if not board.predict and not board.given:
        st.info("All modalities are absent: nothing is given and nothing is asked for. Set one to Generate to see what "
                "the model draws by itself.", icon=":material/toggle_off:")
    elif not board.predict:
        st.info("Nothing is to be generated. Set a modality to Generate.", icon=":material/toggle_off:")
    elif not board.given:
        st.caption("Nothing is given: codes are drawn from the prior p(z). What belongs together was decoded from the "
                   "same code: the first of each, the second of each, and so on.")
    elif not checkpoint.draws:
        st.caption(f"Decoded from the one code that this method gives to {listed}; it draws no others.")
    else:
        spread = "at its mean" if temperature == 0 else f"at temperature {temperature:g}"
        own = f" What is private to {escaped(', '.join(private))} is drawn from its prior." if private else ""
        st.caption(f"Codes are drawn from q(z | {listed}), {spread}; shown are the means of p(x | z).{own}")


@st.fragment
def views(checkpoint: CrossModal, given: dict[str, Tensor], facts: Evaluation | None) -> None:
    """What stands behind it. Only the open tab runs."""
    tabs: dict[str, Callable[[], None]] = {"Certainty": lambda: experts.panel(checkpoint, given)}
    if checkpoint.linear:
        from pages.cross_modal import linear

        tabs = {"Scores and loadings": lambda: linear.panel(checkpoint)}
    tabs[moving.TAB] = lambda: moving.panel(checkpoint, given)
    if swap.drawable(checkpoint):
        tabs |= {"Swap": lambda: swap.exchange(checkpoint), "Private and shared": lambda: swap.moves(checkpoint)}
    tabs["Coherence"] = lambda: coherence(checkpoint, facts)
    tabs["Take it with you"] = lambda: taking.panel(checkpoint)
    opened = address.kept("view", st.tabs, list(tabs), key=key("view", checkpoint), on_change="rerun",
                          default=moving.TAB if moving.linked() else None)
    for tab, draw in zip(opened, tabs.values(), strict=True):
        if tab.open:
            with tab, st.container(key="opened"):
                draw()


def coherence(checkpoint: CrossModal, facts: Evaluation | None) -> None:
    """All subsets of what may be given, or how to get them."""
    if facts is None or (found := facts.of(Judged)) is None:
        st.info("Coherence is not measured for this run yet: how often what is generated is of the class of what was "
                "given, for every subset of modalities. Evaluate it on the page Evaluate, or on the command line.",
                icon=":material/info:")
        st.page_link("evaluate/page.py", label="Evaluate it", icon=":material/straighten:",
                     query_params={"run": checkpoint.run.id}, help="Choose Coherence there; it takes a minute or two.")
        st.code(f"vaecore evaluate {checkpoint.run.id} --parts coherence", language="bash")
        return
    if facts.partial:
        st.warning("This evaluation was cancelled; its numbers hold for what was done.",
                   icon=":material/hourglass_bottom:")
    evaluation.coherence(found, facts)


def nothing_yet() -> None:
    """What to do where there is no model of several modalities."""
    st.info("No model of several modalities is here yet. Train one on images with their labels: it takes a few "
            "minutes.", icon=":material/info:")
    st.page_link("train/page.py", label="Train a multimodal VAE", icon=":material/model_training:",
                 query_params={"preset": PRESET}, help="Opens Train with images and their labels filled in.")


title, choice = st.container(key="head").columns([1, 2], vertical_alignment="bottom")
title.title("Cross-modal", anchor=False)
with choice:
    among = sorted(checkpoints.with_weights(CROSSMODAL), key=lambda run: not run.shipped)
    run = checkpoints.pick("Run", page="cross-modal", among=among, empty=nothing_yet, key="cross-run",
                           help="Models of several modalities: the gallery first, then your own runs, newest first.")
if run is not None and (loaded := checkpoints.opened(run, CROSSMODAL)) is not None:
    st.html(LAYOUT)
    bench(loaded)
    checkpoints.terms_link(loaded)
