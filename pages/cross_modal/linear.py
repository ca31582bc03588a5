"""Linear methods: scores of the test samples, loadings of the features, and what is explained."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal.state import colours, key, stamp
from pages.shared import address, pictures
from pages.shared.bars import bar, plain, signed
from pages.shared.charts import chart
from pages.shared.palette import BLUE, GREY, ORANGE, see_through
from vaecore.evaluate.results import percent
from vaecore.memory import held
from vaecore.modalities import Image, Label, Modality

if TYPE_CHECKING:
    import numpy as np

    from vaecore.arrays import Numbers
    from vaecore.explore.crossmodal import CrossModal

TOP = 10  # features of a modality
PARTS = {"joint": "What all modalities have in common.", "individual": "What a modality has for itself.",
         "scores": "What the shared scores explain.", "residual": "What is left."}
TINTS = {"joint": BLUE, "individual": ORANGE, "scores": BLUE, "residual": see_through(GREY, 0.28)}
SCORES_HELP = ("The code of each test sample: how much it has of a component. Near each other are samples that the "
               "method finds alike.")
LOADINGS_HELP = ("How much a feature changes with a score of 1: the features with the largest, by modality. The sign "
                 "of a component is arbitrary, but the same in all modalities.")
EXPLAINED_HELP = ("Shares of each modality's variance over the test samples. A share may be below 0: these were not "
                  "seen when the method was fitted.")

IN_SAMPLE_HELP = "Shares of each modality's variance over all samples, on which the method was fitted."


def panel(checkpoint: CrossModal) -> None:
    """Scores beside loadings, and the variance explained."""
    scores = _scores(str(checkpoint.run.path), stamp(checkpoint), checkpoint)
    latents = list(scores)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        latent = latents[0]
        if len(latents) > 1:
            latent = address.kept("latent", st.segmented_control, "Component of", latents, default=latents[0],
                                  required=True, key=key("latent", checkpoint), help="Joint: what all modalities "
                                  "share. Individual: what one has for itself.") or latents[0]
        size = scores[latent].shape[1]
        across = dimension(checkpoint, "Across", latent, size, 0)
        up = dimension(checkpoint, "Up", latent, size, 1) if size > 1 else across
    with st.grid(2, min_column_width=380, gap="medium"):
        with st.container():
            scatter(checkpoint, scores[latent], across, up)
        with st.container():
            loadings(checkpoint, latent, across)
    explained(checkpoint)


def dimension(checkpoint: CrossModal, label: str, latent: str, size: int, first: int) -> int:
    """Which component."""
    return int(address.kept(label.lower(), st.selectbox, label, range(size), min(first, size - 1), of_run=True,
                            key=key(f"{label}-{latent}", checkpoint), width=190,
                            format_func=lambda d: f"component {d + 1}",
                            help="The component on this axis." + (" Its loadings are beside." * (first == 0))))


def scatter(checkpoint: CrossModal, scores: np.ndarray, across: int, up: int) -> None:
    """A point a test sample."""
    import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

    from pages.shared.scores_figure import scores_figure

    st.subheader("Scores", anchor=False, help=SCORES_HELP)
    if across == up:
        st.info("Choose two different components.", icon=":material/info:")
        return
    figure = scores_figure(scores[:, across], scores[:, up], checkpoint.labels, across=f"component {across + 1}",
                           up=f"component {up + 1}", names=checkpoint.known,
                           row="sample" if checkpoint.in_sample else "test sample")
    chart(figure, key=key("scores", checkpoint), alt="Scores of the test samples by class")
    st.caption(f"All {len(scores):,} samples, on which the method was fitted: in-sample." if checkpoint.in_sample else
               f"The {len(scores)} test samples that travel with this run.")


def loadings(checkpoint: CrossModal, latent: str, component: int) -> None:
    """The features that count, by modality; of an image all of them, as a picture."""
    from vaecore.explore.pictures import png

    st.subheader(f"Loadings of component {component + 1}", anchor=False, help=LOADINGS_HELP)
    tints = colours(checkpoint)
    with st.grid(2, min_column_width=200, gap="medium"):
        for name, found in checkpoint.strongest(latent, component, TOP).items():
            with st.container(gap="xsmall"):
                st.html(f'<strong style="font-size:1.1rem">{html.escape(name)}</strong>')
                if isinstance(modality := checkpoint.modalities[name], Image):
                    picture = png(checkpoint.loading_picture(latent, component, name))
                    pictures.show(picture, f"Loadings of {name}", width=200)
                    st.caption("Orange above 0, blue below.")
                    continue
                names = modality.class_names if isinstance(modality, Label) else modality.columns
                longest = max((abs(value) for _, value in found), default=0) or 1.0
                st.html("".join(bar(label := names[d] if names else f"feature {d}", value / longest, signed(value),
                                    tints[name], title=_in_units(label, value, modality, d)) for d, value in found))
                if modality.scale:
                    st.caption("In standard deviations of each column.")


def _in_units(label: str, value: float, modality: Modality, d: int) -> str:
    """A loading in words; of a standardised column in the file's units too."""
    if not modality.scale:
        return f"{label}: {signed(value)}"
    return f"{label}: {signed(value)} standard deviations, {plain(value * modality.scale[d])} in the file's units"


def explained(checkpoint: CrossModal) -> None:
    """A bar a modality: its parts end to end."""
    found = _explained(str(checkpoint.run.path), stamp(checkpoint), checkpoint)
    if not found:
        return
    st.subheader("Variance explained", anchor=False,
                 help=IN_SAMPLE_HELP if checkpoint.in_sample else EXPLAINED_HELP)
    parts = list(dict.fromkeys(part for shares in found.values() for part in shares))
    legend = "".join(
        f'<span style="display:flex;align-items:center;gap:.45rem" title="{html.escape(PARTS.get(part, ""))}">'
        f'<span style="width:1rem;height:1rem;border-radius:3px;background:{TINTS.get(part, GREY)}"></span>'
        f"{html.escape(part)}</span>" for part in parts)
    rows = []
    for name, shares in found.items():
        whole = sum(max(share, 0.0) for share in shares.values()) or 1.0
        cells = "".join(
            f'<span style="width:{100 * max(share, 0.0) / whole:.2f}%;background:{TINTS.get(part, GREY)};'
            f'display:flex;align-items:center;justify-content:center;overflow:hidden;white-space:nowrap" '
            f'title="{html.escape(part)} {percent(share)}">'
            f'<span style="color:{"#fff" if part != "residual" else "inherit"}">{percent(share)}</span></span>'
            for part, share in shares.items())
        rows.append('<div style="display:flex;align-items:center;gap:.9rem;margin-bottom:.35rem">'
                    f'<strong style="width:8rem;overflow-wrap:anywhere">{html.escape(name)}</strong>'
                    '<span style="flex:1;display:flex;height:1.9rem;border-radius:5px;overflow:hidden">'
                    f"{cells}</span></div>")
    st.html('<div style="max-width:1000px"><div style="display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;'
            f'margin-bottom:.6rem">{legend}</div>{"".join(rows)}</div>')


@held
def _scores(path: str, stamp: int, _checkpoint: CrossModal) -> dict[str, Numbers]:  # noqa: ARG001 (the cache's key)
    return _checkpoint.scores()


@held
def _explained(path: str, stamp: int, _checkpoint: CrossModal) -> dict[str, dict[str, float]]:  # noqa: ARG001 (the cache's key)
    return _checkpoint.explained()
