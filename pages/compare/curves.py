"""Curves of the compared runs, one over the other."""

from __future__ import annotations

import streamlit as st

from pages.components.curves import Panel, Series, live_curves
from pages.shared import history
from pages.shared.headline import PERPLEXITY_HELP
from vaecore.store import Run


def curves(runs: list[Run]) -> None:
    """Validation curves, one over the other."""
    import numpy as np

    st.subheader("Curves", anchor=False, help="On the validation set, at each evaluation during training.")
    evaluated = {run.id: history.in_words(run) for run in runs}
    last = max([rows[-1]["step"] for rows in evaluated.values() if rows], default=0.0)
    panels = []
    for title, name, unit, help in (
            ("ELBO", "elbo", "nats", "log p(x|z) less KL, per observation."),
            ("log p(x)", "log_p", "nats", "Per observation, of families that know it themselves."),
            ("log p(x|z)", "log_p_given_z", "nats", "At the code of each observation, of families without a prior: no "
             "bound on log p(x), and not to be set against an ELBO."),
            ("Reconstruction", "reconstruction", "nats", "E log p(x|z), per observation. Higher is better."),
            ("KL", "kl", "nats", "KL of q(z|x) from the prior, per observation."),
            ("MSE", "mse", "", "Mean squared error of the reconstruction."),
            ("Perplexity", "perplexity", "", PERPLEXITY_HELP)):
        series = []
        for run, rows in evaluated.items():
            points = [(row["step"], row[name]) for row in rows if name in row]
            if len(points) == 1 and last > 0:  # solved at once: a level to hold the others against
                points = [(0.0, points[0][1]), (last, points[0][1])]
            if points:
                x, y = np.asarray(points, float).T
                series.append(Series(run, x, y, run=run))
        if series:
            panels.append(Panel(title, series, unit=unit, help=help))
    if not panels:
        st.caption("None of these runs has been evaluated yet.")
        return
    live_curves(panels, key="compare-curves")
    st.caption("A run that was evaluated only once, such as a closed form, is drawn as a level line.")
