"""A schedule over training as a figure, from the pure function of the step that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from vaecore.schedules.kl_cost import KLTerm

POINTS = 1201  # enough for the corners of a drop or a ramp to look sharp, and for a hundred cycles


def sampled(schedule: Callable[[int, int], float], total: int, epochs: float, scale: float = 1.0
            ) -> tuple[list[float], list[float]]:
    """The schedule at evenly spaced steps: epochs, and its values times `scale`."""
    total = max(1, total)
    steps = sorted({round(i * (total - 1) / (POINTS - 1)) for i in range(POINTS)})
    return [step * epochs / total for step in steps], [scale * schedule(step, total) for step in steps]


def cost_of_nothing(term: KLTerm, latent_size: int = 1) -> Callable[[int, int], float]:
    """What a KL of 0 in all of `latent_size` dimensions costs at a step, in nats: 0 for the KL itself, the floor of
    free bits, the target C of a capacity."""
    import torch

    none = {"z": torch.zeros(latent_size, dtype=torch.float64)}
    return lambda step, total: float(term(none, step, total))


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
