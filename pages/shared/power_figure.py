"""Numbers that go as powers of another one: straight lines on logarithmic axes."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from pages.shared.palette import BLUE, GREEN, ORANGE, PINK

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from vaecore.studies.exhibit import Powers

COLOURS = (ORANGE, BLUE, GREEN, PINK)
FONT = 14


def power_figure(powers: Powers) -> go.Figure:
    """A line for each name, with a mark where it was measured."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for (name, points), colour in zip(powers.lines.items(), cycle(COLOURS), strict=False):
        across, up = zip(*points, strict=True)
        figure.add_trace(go.Scatter(
            x=across, y=up, mode="lines+markers", name=name, line={"width": 2, "color": colour}, marker={"size": 10},
            hovertemplate=f"{name}<br>%{{x:,}}: %{{y:.3g}}<extra></extra>"))
    figure.update_layout(
        height=360, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, hovermode="closest", showlegend=True,
        font={"size": FONT}, hoverlabel={"font": {"size": FONT}, "align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": FONT}, "title": None})
    decades = {"type": "log", "tickvals": [10.0**k for k in range(-9, 10)], "tickformat": ",~g", "automargin": True,
               "tickfont": {"size": FONT}, "fixedrange": True}
    figure.update_layout(xaxis={**decades, "title": {"text": powers.across, "font": {"size": FONT}}}, yaxis=decades)
    return figure
