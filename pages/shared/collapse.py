"""The two pictures that Claims and Experiments share: cost and active units against gamma, and the lagging encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

if TYPE_CHECKING:
    from vaecore.claims import Result
    from vaecore.evaluate.gamma import Moments, Solution
    from vaecore.evaluate.lagging import Spread

STILL = {"displayModeBar": False, "responsive": True}
UNSETTLED = 1.5  # times its best value: a learned gamma that has not arrived
MOST = 100_000  # observed numbers, and so eigenvalues


def gamma_charts(data: Moments, latent_size: int, fixed: Sequence[Solution], learned: Solution | None, *, key: str
                 ) -> None:
    """Cost against gamma as it is and beside the trivial solution's, and the dimensions in use."""
    import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

    from pages.shared.gamma_figure import active_figure, cost_figure
    from vaecore.evaluate.gamma import crossing

    with st.grid(2, min_column_width=420):
        for relative, title, help in (
                (False, "Cost", "Negative ELBO per observation of the validation set, in nats. Hover over a curve to "
                                "read what it is."),
                (True, "Cost above the trivial solution", "The same less the cost of the collapsed solution: below 0 "
                                                          "the code pays, above 0 it does not.")):
            with st.container():
                st.subheader(title, anchor=False, help=help)
                figure = cost_figure(data, latent_size, fixed, learned, relative=relative)
                st.plotly_chart(figure, key=f"{key}-cost-{relative}", config=STILL, alt=f"{title} against gamma")
    if learned and math.isfinite(where := crossing(data, learned.rate, learned.error)):
        st.markdown(f"**Right of γ′ = {where:.3g} ignoring the code is cheaper** than the solution that learned its γ, "
                    "left as it is. Trained anew with a larger and larger γ, a VAE gives up dimension after "
                    "dimension until none is left.")
    if learned and learned.gamma > UNSETTLED * (best := learned.best_gamma(data.size)):
        st.caption(f"The learned γ = {learned.gamma:.3g} was still falling when its training ended: at its own squared "
                   f"error γ = {best:.3g} would cost least. Train it for longer to see it arrive.")
    st.subheader("Active units", anchor=False, help="Latent dimensions in use: those whose posterior mean varies by "
                 "more than 0.01 (in variance) from one observation to the next.")
    st.plotly_chart(active_figure(data, latent_size, fixed, learned), key=f"{key}-active", config=STILL,
                    alt="Active units against gamma")


def gamma_of(result: Result, latent_size: int) -> tuple[Moments, list[Solution], Solution] | None:
    """What claim C14 has kept of its curves; None where that is not whole."""
    from vaecore.evaluate.gamma import Moments, Solution

    curves = result.curves
    try:
        columns = [np.asarray(curves[name], float) for name in ("gamma", "cost", "active", "eigenvalues", "learned")]
        [scatter] = curves["scatter"]
        gammas, _, _, eigenvalues, learned = columns
        whole = (all(np.isfinite(column).all() for column in columns) and 0 < scatter < math.inf
                 and gammas.min() > 0 and learned[0] > 0 and latent_size <= len(eigenvalues) <= MOST)
        fixed = [Solution(gamma, cost, math.nan, math.nan, active)
                 for gamma, cost, active in zip(*(column.tolist() for column in columns[:3]), strict=True)]
        return (Moments(eigenvalues, scatter), fixed, Solution(*learned.tolist())) if whole else None
    except (KeyError, TypeError, ValueError):
        return None


def spread_chart(points: Sequence[Spread], *, early: str, key: str) -> None:
    """Where the means of model and encoder went, from early to the end."""
    import pandas  # noqa: F401  (as above)

    from pages.shared.lagging_figure import spread_figure

    st.subheader("Does the encoder follow?", anchor=False, help="Standard deviation, over the same sentences, of the "
                 "mean of the model's own posterior p(z|x) and of the mean of the encoder's q(z|x).")
    st.plotly_chart(spread_figure(points, early=early), key=key, config=STILL,
                    alt="Spread of the encoder's means against that of the model posterior's")
    st.caption(f"A line for each training: the open circle is {early}, the full one the end. On the diagonal the "
               "encoder keeps up; on the floor it lags behind the model; at 0 both have collapsed.")


def spreads_of(result: Result) -> list[Spread]:
    """What claim C13 has kept of its means; a damaged row costs itself."""
    from vaecore.evaluate.lagging import Spread

    points = []
    for row in result.table:
        try:
            early, late = ((float(row[f"sd model, {when}"]), float(row[f"sd inference, {when}"]))
                           for when in ("step 200", "end"))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if all(map(math.isfinite, (*early, *late))):
            points.append(Spread(str(row.get("training")), f"seed {row.get('seed')}", early, late))
    return points
