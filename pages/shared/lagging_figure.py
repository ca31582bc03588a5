"""He et al. (2019) as a figure: how far the means of model posterior and encoder are spread, early and late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pages.shared.palette import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from vaecore.evaluate.lagging import Spread

COLOURS = {"basic": BLUE, "aggressive": ORANGE}  # as runs of that name have on Monitor
FONT = 14


def spread_figure(points: Sequence[Spread], *, early: str) -> go.Figure:
    """A line for each training, from `early` (an open circle) to its end (a full one); on the diagonal the encoder
    keeps up, on the floor it lags behind."""
    import plotly.graph_objects as go

    reach = 1.12 * max([0.1, *(value for one in points for value in (*one.early, *one.late))])
    figure = go.Figure(go.Scatter(x=[0, reach], y=[0, reach], mode="lines", name="encoder keeps up", hoverinfo="skip",
                                  line={"width": 1.5, "dash": "dot", "color": GREY}))
    for kind in dict.fromkeys(one.training for one in points):
        for place, one in enumerate(each for each in points if each.training == kind):
            (x0, y0), (x1, y1) = one.early, one.late
            figure.add_trace(go.Scatter(
                x=[x0, x1], y=[y0, y1], mode="lines+markers", name=kind, legendgroup=kind, showlegend=place == 0,
                line={"width": 2, "color": COLOURS.get(kind, GREY)}, text=[early, "the end"],
                marker={"size": 11, "symbol": ["circle-open", "circle"], "line": {"width": 2}},
                customdata=[one.name] * 2, hovertemplate=f"{kind}, %{{customdata}}, %{{text}}<br>model %{{x:.3f}}, "
                                                         "encoder %{y:.3f}<extra></extra>"))
    figure.update_layout(
        height=420, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, hovermode="closest",
        font={"size": FONT}, hoverlabel={"font": {"size": FONT}, "align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": FONT}, "title": None})
    for axis, words in (("xaxis", "spread of the model posterior's means"), ("yaxis", "spread of the encoder's means")):
        figure.update_layout({axis: {"title": {"text": words, "font": {"size": FONT}}, "rangemode": "nonnegative",
                                     "range": [-0.03 * reach, reach], "tickfont": {"size": FONT}, "zeroline": False,
                                     "automargin": True, "fixedrange": True}})
    return figure
