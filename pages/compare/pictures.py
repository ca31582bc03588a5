"""The same images and the same codes through each of the compared runs, and what those without a code draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import checkpoints, pictures
from pages.shared.words import escaped

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint, Codeless
    from vaecore.explore.pictures import Images

MAX_IMAGES = 20
OWN_IMAGES = 10  # of a model without a code, which may take a pass for each pixel


@st.fragment
def images(loaded: list[Checkpoint]) -> None:
    """The same test images through each run."""
    from vaecore.explore import reconstruct_same

    first = loaded[0]
    st.subheader("The same images", anchor=False, help="Test images, each encoded and decoded again by every run.")
    fitting = [one for one in loaded if one.shape == first.shape]
    most = min(MAX_IMAGES, len(first.examples))
    count = st.slider("Images", 1, most, min(10, most), key="count-images", width=300,
                      help="How many test images to reconstruct.") if most > 1 else 1
    rows = reconstruct_same(fitting, count)
    _rows([("Test images", f"of {first.run.id}"), *[(one.run.id, "") for one in fitting]], rows, "compare-images")
    for one in loaded:
        if one.shape != first.shape:
            st.caption(f"{escaped(one.run.id)} is left out: it takes {_size(one)}, and the test images have "
                       f"{_size(first)}.")


@st.fragment
def codes(loaded: list[Checkpoint]) -> None:
    """The same codes through each decoder."""
    from vaecore.explore import decode_same

    st.subheader("The same codes", anchor=False, help="One bank of noise, turned into codes by each "
                 "run's own prior, and decoded.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.slider("Codes", 2, MAX_IMAGES, 10, key="count-codes", width=300, help="How many codes to decode.")
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="seed-codes", width=150,
                               help="The same seed draws the same noise.")
    rows = decode_same(loaded, count, seed=int(seed))
    _rows([(one.run.id, f"r = {one.size}" + ("" if one.has_prior else ", no prior")) for one in loaded], rows,
          "compare-codes")
    note = ("Each column is one draw of noise, sent through each run's own prior: the same place in a Gaussian, the "
            "same share of a mixture's components, the same test image's label or covariate where a prior has one. "
            "Axes of two latent spaces have nothing to do with each other, so they are paired by rank: the first "
            "number goes to each run's most informative dimension, the second to the next, and so on. A column need "
            "not show the same thing twice.")
    if len({one.size for one in loaded}) > 1:
        note += " A run with a smaller latent leaves the last numbers out."
    if any(one.fitted for one in loaded):
        note += " Without a prior, a code is drawn from a Gaussian fitted to the codes of data."
    st.caption(note)


@st.fragment
def own_samples(models: list[Codeless]) -> None:
    """What models without a code draw."""
    st.subheader("Samples of their own", anchor=False, help="Drawn by each run that has no latent code.")
    names, have = escaped(", ".join(one.run.id for one in models)), "has" if len(models) == 1 else "have"
    st.caption(f"{names} {have} no latent code, so there is nothing to encode the same images into and no code to "
               "decode: here is what is drawn without one.")
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="seed-own", width=150, help="The same seed draws the same.")
    rows = [_drawn(str(one.run.path), checkpoints.stamps(one.run), int(seed), one) for one in models]
    _rows([(one.run.id, "no code") for one in models], rows, "compare-samples")


@st.cache_data(max_entries=64, show_spinner="Drawing, pixel by pixel …")
def _drawn(path: str, stamps: tuple[int, ...], seed: int, _model: Codeless) -> Images:  # noqa: ARG001 (the cache's key)
    return _model.sample(OWN_IMAGES, seed)


def _rows(labels: list[tuple[str, str]], rows: list[Images], name: str) -> None:
    from vaecore.explore.pictures import grid, labelled, legible, on_screen

    strips = [legible(row) for row in rows]
    pictures.rows([pictures.Labelled(label, on_screen(grid(strip, len(strip))), note)
                   for (label, note), strip in zip(labels, strips, strict=True)], name.replace("-", " "), label=12)
    lines = [(label, strip) for (label, _), strip in zip(labels, strips, strict=True)]
    pictures.download(lambda: labelled(lines), name, key=f"png-{name}", label="PNG with labels")


def _size(checkpoint: Checkpoint) -> str:
    [modality] = checkpoint.model.modalities.values()
    return f"{modality.plural} of {modality.described.removesuffix(' each')}"
