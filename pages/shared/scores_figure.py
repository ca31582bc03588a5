"""Scores of two dimensions as a figure: a point an observation, a colour a class."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pages.shared.palette import CLASSES

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = 15


def scores_figure(x: NDArray[np.floating], y: NDArray[np.floating], labels: NDArray[np.int64] | None, *, across: str,
                  up: str, names: Sequence[str] = (), row: str = "test sample") -> go.Figure:
    """`x` and `y` (N,) with `labels` (N,), -1 or None where there are none; `across` and `up` name the axes, `names`
    the classes, where they are not numbers from 0, and `row` one observation."""
    import plotly.graph_objects as go

    known = np.full(len(x), -1) if labels is None else labels
    figure = go.Figure()
    for label in np.unique(known):
        chosen = np.flatnonzero(known == label)
        figure.add_trace(go.Scatter(
            x=x[chosen], y=y[chosen], mode="markers", name=_called(int(label), names),
            customdata=chosen, marker={"size": 12, "color": CLASSES[int(label) % len(CLASSES)], "opacity": 0.9},
            hovertemplate=f"{row} %{{customdata}}<br>" f"{across} %{{x:.2f}}, {up} %{{y:.2f}}<extra></extra>"))
    figure.update_layout(
        height=440, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, hovermode="closest",
        font={"size": FONT}, hoverlabel={"font": {"size": FONT}, "align": "left"}, showlegend=labels is not None,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": FONT}, "title": None})
    for axis, words in (("xaxis", across), ("yaxis", up)):
        figure.update_layout({axis: {"title": {"text": words, "font": {"size": FONT}}, "tickfont": {"size": FONT},
                                     "automargin": True, "fixedrange": True, "zeroline": True}})
    return figure


def _called(label: int, names: Sequence[str]) -> str:
    if label < 0:
        return "no class"
    return html.escape(names[label]) if label < len(names) else f"class {label}"  # Plotly reads names as HTML
