"""What the codes of the compared runs cost and what they are used for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from pages.components.plane import paths_plane, spectra_plane
from pages.shared import address, history, tables
from pages.shared.names import names
from pages.shared.words import escaped
from vaecore.charts.plane import DISTORTION, RATE, Path, Spectrum
from vaecore.comparison.history import way
from vaecore.comparison.planes import ACTIVE, Use, alike, table, title, uses
from vaecore.store import Run


@st.fragment
def planes(runs: list[Run]) -> None:
    """Rate against distortion, a plane for each kind of data; the spectrum of the KL; active units."""
    found, left = uses(runs)
    st.subheader("Rate and distortion", anchor=False, help="On the test set, with the weights that were kept. Thin "
                 "lines have equal −ELBO: along them a model trades reconstruction for a code that says less. At rate "
                 "0, on the left, is collapse.")
    for each in left:
        st.caption(escaped(each.why))
    if not found:
        return
    with_paths = address.kept("paths", st.toggle, "Path over training", key="paths", help="A point for each evaluation "
                              "during training, on the validation set, in place of the one of the test set.")
    groups = alike(found)
    if len(groups) > 1:
        st.caption(f"{len(groups)} planes: nats of unlike data, pixels or likelihoods have no place in one.")
    every, called = {run.id: run for run in runs}, names(runs)
    for place, group in enumerate(groups):
        if len(groups) > 1:
            st.markdown(f"**{escaped(title(group))}**")
        paths = [replace(way(use.run, history.record(every[use.run])) if with_paths else _point(use),
                         label=called[use.run]) for use in group]
        paths_plane(paths, key=f"compare-plane-{place}", x_label=RATE, y_label=DISTORTION)
    st.subheader("KL by dimension", anchor=False, help="KL of q(z|x) from the prior by latent dimension, the largest "
                 "first, on the test set. Dimensions near 0 say nothing.")
    if spectra := [Spectrum(called[use.run], use.run, use.names, use.kl, use.active()) for use in found if use.kl]:
        spectra_plane(spectra, key="compare-spectra")
    for use in found:
        if not use.kl:
            st.caption(escaped(f"{called[use.run]} is not drawn: its KL has no closed form by dimension."))
    _active(found, called)


def _active(found: list[Use], called: dict[str, str]) -> None:
    import pandas as pd

    threshold = address.kept("active", st.number_input, "Active from a variance of", 0.0001, 10.0, ACTIVE, format="%g",
                             key="active", width=260, help="A dimension is active where its code varies by more than "
                             f"this, in variance, from one observation to the next; {ACTIVE:g} after Burda et al. "
                             "(2016).")
    shown = table(found, threshold)
    frame = pd.DataFrame([{**row, "run": called[str(row["run"])]} for row in shown.rows],
                         columns=[column.key for column in shown.columns]).set_index("run")
    words = {column.key: tables.said(column) for column in shown.columns[1:] if column.digits is not None}
    st.dataframe(frame.style.format(words), height="content", placeholder="–", column_config={
        "run": st.column_config.TextColumn("Run", pinned=True),
        **{column.key: st.column_config.NumberColumn(column.heading, help=column.help)
           for column in shown.columns[1:]}})
    tables.offer(shown, "rate-distortion")


def _point(use: Use) -> Path:
    return Path(use.run, use.run, np.zeros(1), np.array([use.rate]), np.array([use.distortion]))
