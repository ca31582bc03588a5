"""The estimate of log p(x) against the number K of importance samples, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pages.shared.palette import BLUE, GREY, see_through

if TYPE_CHECKING:
    import plotly.graph_objects as go

BAND = see_through(BLUE, 0.2)
FONT = 14


def k_curve_figure(curve: Sequence[tuple[int, float]], interval: tuple[float, float]) -> go.Figure:
    """`curve` has (K, nats) with K ascending: it begins at the ELBO and cannot fall. `interval` is that of the last."""
    import plotly.graph_objects as go

    samples, values = [k for k, _ in curve], [value for _, value in curve]
    low, high = min([interval[0], *values]), max([interval[1], *values])
    room = 0.08 * (high - low) or 0.5
    figure = go.Figure([
        go.Scatter(x=[samples[0], samples[-1]], y=[values[0]] * 2, mode="lines", name="ELBO, K = 1", hoverinfo="skip",
                   line={"width": 1.5, "dash": "dot", "color": GREY}),
        go.Scatter(x=samples, y=values, mode="lines+markers", name="estimate", line={"width": 2.5, "color": BLUE},
                   marker={"size": 9}, hovertemplate="K = %{x:,}: %{y:.3f} nats<extra></extra>")])
    figure.add_hrect(y0=interval[0], y1=interval[1], fillcolor=BAND, line_width=0, layer="below")
    figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=f"95 % at K = {samples[-1]:,}",
                                marker={"size": 14, "symbol": "square", "color": BAND}))
    figure.update_layout(
        height=320, margin={"l": 8, "r": 12, "t": 8, "b": 8}, dragmode=False, hovermode="closest",
        font={"size": FONT}, hoverlabel={"font": {"size": FONT}},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": FONT}, "title": None},
        xaxis={"title": {"text": "importance samples K", "font": {"size": FONT}}, "type": "log", "tickmode": "array",
               "tickvals": samples, "ticktext": [f"{k:,}" for k in samples], "tickfont": {"size": FONT},
               "fixedrange": True, "automargin": True, "zeroline": False},
        yaxis={"title": {"text": "log p(x), nats", "font": {"size": FONT}}, "range": [low - room, high + room],
               "tickfont": {"size": FONT}, "fixedrange": True, "automargin": True, "zeroline": False, "nticks": 6})
    return figure
