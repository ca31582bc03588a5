"""Charts by Plotly on a page: one way for all, which talk mode enlarges, text, strokes and room alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

STILL = {"displayModeBar": False, "responsive": True}
TEXT = 14  # px, of axes that say nothing of it
TALK = "talk"  # the key of the component that says how large talk mode is
USUAL = 1.75  # how much talk mode enlarges in a window of 1920 by 1080: until the browser has told
# What is in pixels, by the name of what it is in: "size" alone may be the step of contours.
PIXELS = {"font": ("size",), "tickfont": ("size",), "marker": ("size",), "line": ("width",),
          "margin": ("l", "r", "t", "b"), "layout": ("height",), "annotations": ("xshift", "yshift"),
          "title": ("standoff",)}


def chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Show a figure; `alt` says in words what it shows."""
    enlarged_by = zoom()
    st.plotly_chart(figure if enlarged_by == 1 else enlarged(figure, enlarged_by), key=key, config=STILL, alt=alt)


def zoom() -> float:
    """How much talk mode enlarges for this visitor; 1 outside of it."""
    told = st.session_state.get(TALK)
    found = told.get("zoom") if isinstance(told, Mapping) else None
    if isinstance(found, int | float) and 0 < found < 10:
        return float(found)
    return USUAL if st.query_params.get("talk") == "1" else 1.0


def enlarged(figure: go.Figure, by: float) -> dict[str, Any]:
    """The figure with all that is in pixels multiplied."""
    figure.update_layout(font={"size": TEXT})
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(tickfont={"size": TEXT}, title={"font": {"size": TEXT}})

    def grown(value: Any, name: str, within: str) -> Any:
        if isinstance(value, dict):
            return {key: grown(each, key, name) for key, each in value.items()}
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            return [grown(each, name, within) for each in value]
        scales = name in PIXELS.get(within, ()) and isinstance(value, int | float)
        return value * by if scales else value

    told: dict[str, Any] = grown(figure.to_dict(), "", "")
    return told
