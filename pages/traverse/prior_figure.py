"""A prior beside the aggregated posterior as figures, in two dimensions and in one.

The aggregated posterior is a blue area, the prior orange lines: told apart by form as well as by colour, on white and
on black.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pages.shared.palette import BLUE, ORANGE, see_through
from vaecore.explore.prior import Curve, Plane

if TYPE_CHECKING:
    import plotly.graph_objects as go

AGGREGATED, PRIOR = BLUE, ORANGE
FONT = 15
SHOWN = 0.99  # of the aggregated posterior's mass is coloured
HALF_MASS, MOST_MASS = 0.5, 0.9  # of the prior's, within its lines
MAX_CENTRES = 1_000
NAMES = "aggregated posterior q(z)", "prior p(z)"


def plane_figure(plane: Plane) -> go.Figure:
    """Area and lines in two dimensions, the means of the prior's components as points."""
    import plotly.graph_objects as go

    i, j = plane.dimensions
    colours = [[at, see_through(AGGREGATED, share)] for at, share in ((0, 0), (1 - SHOWN, 0.12), (1, 1))]
    figure = go.Figure([
        go.Heatmap(x=plane.x, y=plane.y, z=1 - plane.aggregated, zmin=0, zmax=1, colorscale=colours, showscale=False,
                   zsmooth="best", hovertemplate=f"z{i} = %{{x:.2f}}, z{j} = %{{y:.2f}}<extra></extra>"),
        go.Contour(x=plane.x, y=plane.y, z=plane.prior, showscale=False, hoverinfo="skip", line={"width": 3},
                   colorscale=[[0, PRIOR], [1, PRIOR]],
                   contours={"start": HALF_MASS, "end": MOST_MASS, "size": MOST_MASS - HALF_MASS, "coloring": "lines"}),
        _key(NAMES[0], mode="markers", marker={"size": 16, "symbol": "square", "color": AGGREGATED}),
        _key(f"{NAMES[1]}: half of it, nine tenths", mode="lines", line={"width": 3, "color": PRIOR})])
    shown = plane.centres[:MAX_CENTRES]
    if len(shown):
        figure.add_trace(_points(shown, "means of its components", i, j, range(len(shown)),
                                 {"size": 7, "symbol": "x-thin", "line": {"width": 2, "color": PRIOR}}))
    _laid_out(figure, f"z{i}", f"z{j}")
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(range=plane.x[[0, -1]].tolist())
    figure.update_yaxes(range=plane.y[[0, -1]].tolist())
    return figure


def curve_figure(curve: Curve) -> go.Figure:
    """Both densities of one dimension."""
    import plotly.graph_objects as go

    name = f"z{curve.dimension}"
    filled = {"fill": "tozeroy", "fillcolor": see_through(AGGREGATED, 0.35), "line": {"width": 2, "color": AGGREGATED}}
    lines: list[tuple[str, Any, dict[str, Any]]] = [
        (NAMES[0], curve.aggregated, filled), (NAMES[1], curve.prior, {"line": {"width": 3, "color": PRIOR}})]
    figure = go.Figure([go.Scatter(x=curve.z, y=y, mode="lines", name=label, **style,
                                   hovertemplate=f"{name} = %{{x:.2f}}: %{{y:.3f}}<extra>{label}</extra>")
                        for label, y, style in lines])
    _laid_out(figure, name, "density")
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(range=curve.z[[0, -1]].tolist())
    figure.update_yaxes(range=[0, 1.06 * float(np.max([curve.prior, curve.aggregated]))])
    return figure


def _key(name: str, **style: Any) -> go.Scatter:
    """An entry of the legend for what has none of its own."""
    import plotly.graph_objects as go

    return go.Scatter(x=[None], y=[None], name=name, hoverinfo="skip", **style)


def _points(centres: Any, name: str, i: int, j: int, numbers: Any, marker: dict[str, Any]) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(x=centres[:, 0], y=centres[:, 1], mode="markers", name=name, marker=marker,
                      customdata=list(numbers), hovertemplate="component %{customdata}<br>"
                      f"z{i} = %{{x:.2f}}, z{j} = %{{y:.2f}}<extra></extra>")


def _laid_out(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(
        height=460, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False,
        font={"size": FONT}, hoverlabel={"font": {"size": FONT}, "align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": FONT}, "title": None,
                "itemclick": False, "itemdoubleclick": False})
    for axis, words in (("xaxis", x), ("yaxis", y)):
        figure.update_layout({axis: {"title": {"text": words, "font": {"size": FONT}}, "tickfont": {"size": FONT},
                                     "zeroline": False, "automargin": True, "fixedrange": True}})
