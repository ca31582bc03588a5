"""What a study has to show, drawn: one way for each kind of figure, on Experiments and on Claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.components.water import water
from pages.shared.charts import chart
from pages.shared.words import escaped
from vaecore.evaluate.meaning import ACTIVE

if TYPE_CHECKING:
    from vaecore.studies.exhibit import Column, Costs, Exhibit, Figure, Grid, Powers, Spreads, Table

UNSETTLED = 1.5  # times its best value: a learned gamma that has not arrived
MAX_SHOWN = 8  # runs that Compare shows, and evaluations that are offered


def show(exhibit: Exhibit, *, key: str) -> None:
    """All of its figures, side by side where there are several, its note, and where to go on with its runs."""
    from vaecore.studies.exhibit import Survival

    beside = [figure for figure in exhibit.figures if not isinstance(figure, Survival)]
    for figure in exhibit.figures:
        if len(beside) == 1 or figure not in beside:
            draw(figure, key)
    if len(beside) > 1:
        with st.grid(2, min_column_width=420):
            for figure in beside:
                with st.container():
                    draw(figure, key)
    if exhibit.note:
        st.markdown(exhibit.note)
    if exhibit.compare or exhibit.evaluate:
        links(exhibit)


def show_charts(exhibit: Exhibit, *, key: str) -> None:
    """Its charts alone: beside a table of the same numbers."""
    from vaecore.studies.exhibit import Costs, Powers, Spreads

    for figure in exhibit.figures:
        if isinstance(figure, Costs | Powers | Spreads):
            draw(figure, key)


def draw(figure: Figure, key: str) -> None:
    """One figure, as its kind is drawn."""
    from vaecore.studies.exhibit import Costs, Grid, Powers, Spreads, Survival, Table

    match figure:
        case Table():
            table(figure, key)
        case Grid():
            grid(figure)
        case Spreads():
            spread_chart(figure, key)
        case Costs():
            cost_charts(figure, key)
        case Powers():
            power_chart(figure, key)
        case Survival():
            water(figure, key=f"{key}-water")


def links(exhibit: Exhibit) -> None:
    """Compare its runs, and evaluate those of which that is missing."""
    with st.container(horizontal=True, gap="small"):
        st.page_link("compare/page.py", label="Compare them", icon=":material/compare:",
                     query_params=[("runs", name) for name in exhibit.compare[-MAX_SHOWN:]],
                     help="Compare with these runs side by side.")
        for name in exhibit.evaluate[:MAX_SHOWN]:
            st.page_link("evaluate/page.py", label=f"Evaluate {escaped(name)}", icon=":material/straighten:",
                         query_params={"run": name}, help="Its coherence is not known yet.")


# -- tables ----------------------------------------------------------------------------------------


def table(figure: Table, key: str) -> None:
    """A row for each run."""
    import pandas as pd

    st.subheader(figure.title, anchor=False, help=figure.help)
    st.dataframe(pd.DataFrame(figure.rows), hide_index=True, height="content", placeholder="–", key=f"{key}-table",
                 column_config={name: number(name, column) for name, column in figure.columns.items()})


def number(name: str, column: Column) -> Any:
    """A column of numbers as it is written and explained."""
    return st.column_config.NumberColumn(name, format="percent" if column.percent else f"%.{column.digits}f",
                                         help=column.help)


def grid(figure: Grid) -> None:
    """The mean in each cell, and of how many runs."""
    import pandas as pd

    st.subheader(figure.title, anchor=False, help=figure.help)
    st.table(pd.DataFrame({column: {row: said(figure.found.get((row, column), ())) for row in figure.rows}
                           for column in figure.columns}))


def said(values: Sequence[float]) -> str:
    return f"**{float(np.mean(values)):.2f}** · {len(values)} run{'s' * (len(values) != 1)}" if values else "–"


# -- charts ----------------------------------------------------------------------------------------


def cost_charts(figure: Costs, key: str) -> None:
    """Cost against gamma as it is and beside the trivial solution's, and the dimensions in use."""
    import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

    from pages.shared.gamma_figure import active_figure, cost_figure
    from vaecore.evaluate.gamma import crossing

    data, learned = figure.data, figure.learned
    with st.grid(2, min_column_width=420):
        for relative, title, help in (
                (False, "Cost", "−ELBO per observation of the validation set, in nats. Hover over a curve to "
                                "read what it is."),
                (True, "Cost above the trivial solution", "The same less the cost of the collapsed solution: below 0 "
                                                          "the code pays, above 0 it does not.")):
            with st.container():
                st.subheader(title, anchor=False, help=help)
                drawn = cost_figure(data, figure.latent_size, figure.fixed, learned, relative=relative)
                chart(drawn, key=f"{key}-cost-{relative}", alt=f"{title} against gamma")
    if learned and math.isfinite(where := crossing(data, learned.rate, learned.error)):
        st.markdown(f"**Right of γ′ = {where:.3g} ignoring the code is cheaper** than the solution that learned its γ, "
                    "left as it is. Trained anew with a larger and larger γ, a VAE gives up dimension after "
                    "dimension until none is left.")
    if learned and learned.gamma > UNSETTLED * (best := learned.best_gamma(data.size)):
        st.caption(f"The learned γ = {learned.gamma:.3g} was still falling when its training ended: at its own squared "
                   f"error γ = {best:.3g} would cost least. Train it for longer to see it arrive.")
    st.subheader("Active units", anchor=False, help=ACTIVE)
    chart(active_figure(data, figure.latent_size, figure.fixed, learned), key=f"{key}-active",
          alt="Active units against gamma")


def spread_chart(figure: Spreads, key: str) -> None:
    """Where the means of model and encoder went, from early to the end."""
    import pandas  # noqa: F401  (as above)

    from pages.shared.lagging_figure import spread_figure

    st.subheader("Does the encoder follow?", anchor=False, help="Standard deviation, over the same sentences, of the "
                 "mean of the model's own posterior p(z|x) and of the mean of the encoder's q(z|x).")
    chart(spread_figure(figure.points, early=figure.early), key=f"{key}-spreads",
          alt="Spread of the encoder's means against that of the model posterior's")
    st.caption(f"A line for each training: the open circle is {figure.early}, the full one the end. On the diagonal "
               "the encoder keeps up; on the floor it lags behind the model; at 0 both have collapsed.")


def power_chart(figure: Powers, key: str) -> None:
    """A line for each name, on logarithmic axes."""
    import pandas  # noqa: F401  (as above)

    from pages.shared.power_figure import power_figure

    st.subheader(figure.title, anchor=False, help=figure.help)
    chart(power_figure(figure), key=f"{key}-powers", alt=f"{figure.title} against {figure.across}")
