"""A schedule over training as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go


def schedule_figure(epochs: list[float], values: list[float], *, title: str, colour: str, height: int = 150
                    ) -> go.Figure:
    """A small still line chart with zero in sight."""
    import plotly.graph_objects as go

    top = max([*values, 0.0]) or 1.0
    figure = go.Figure(go.Scatter(x=epochs, y=values, mode="lines", line={"color": colour, "width": 2.5},
                                  hovertemplate="epoch %{x:.1f}: %{y:.4g}<extra></extra>"))
    figure.update_layout(
        height=height, margin={"l": 8, "r": 12, "t": 30, "b": 8}, showlegend=False, dragmode=False,
        title={"text": title, "font": {"size": 14}, "x": 0, "y": 0.97, "yanchor": "top"},
        xaxis={"title": {"text": "epoch", "standoff": 4}, "range": [0, 1.02 * max([*epochs, 0.5])], "fixedrange": True,
               "automargin": True, "nticks": 5, "zeroline": False},
        yaxis={"range": [-0.04 * top, 1.12 * top], "fixedrange": True, "nticks": 4, "automargin": True,
               "tickformat": "~g", "zeroline": False},
    )
    return figure
