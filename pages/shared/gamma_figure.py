"""Dai, Wang & Wipf (2020) as figures: what trained VAEs cost against the observation variance gamma, and what they use.

Costs are negative ELBOs in nats per observation, see `vaecore.evaluate.gamma`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from pages.shared.palette import BLUE, GREEN, GREY, ORANGE, PINK
from vaecore.evaluate.gamma import (
    Moments,
    Solution,
    Vector,
    collapsed_cost,
    crossing,
    kept_cost,
    linear_active,
    linear_cost,
)
from vaecore.evaluate.meaning import ACTIVE

if TYPE_CHECKING:
    import plotly.graph_objects as go

POINTS = 240
LINE = 50  # signs of what a mouse over a point says
TRAINED, TRIVIAL, LINEAR, LEARNED = BLUE, ORANGE, GREEN, PINK
FONT = 14
HOVER = "%{fullData.name}<br>γ = %{x:.3g}: %{y:,.4~g} nats<br><br>"


def cost_figure(data: Moments, latent_size: int, fixed: Sequence[Solution], learned: Solution | None, *,
                relative: bool = False) -> go.Figure:
    """Cost against gamma: trained with gamma fixed and learned, the trivial solution, the best linear one.

    `relative`: less the trivial solution's cost, which is then the level line at 0; near it, as the learned solution
    costs at most its rate more.
    """
    grid = _grid(fixed, learned)

    def level(gamma: Vector, cost: Vector) -> Vector:
        return cost - collapsed_cost(gamma, data) if relative else cost

    def point(one: Solution) -> float:
        return float(level(np.array([one.gamma]), np.array([one.cost]))[0])

    curves: list[tuple[str, Vector, str, str, str]] = [
        ("trivial: no code, the mean image", collapsed_cost(grid, data), TRIVIAL, "dash",
         "Every observation is decoded to the mean of the data<br>and q(z|x) is the prior: a collapsed VAE."),
        ("best linear VAE, exact", linear_cost(grid, data, latent_size), LINEAR, "dot",
         f"Probabilistic PCA with {latent_size} dimensions, on the training set:<br>"
         "no linear VAE costs less there. It is trivial from λmax on.")]
    if learned:
        curves.append(("the learned solution at other γ", kept_cost(grid, data, learned.rate, learned.error), LEARNED,
                       "solid", "The VAE that learned its γ, left as it is and<br>scored with another one."))
    traces = [_line(grid, level(grid, cost), name, colour, dash, says) for name, cost, colour, dash, says in curves]
    if fixed:
        traces.append({"x": [one.gamma for one in fixed], "y": [point(one) for one in fixed],
                       "mode": "lines+markers", "name": "trained, γ fixed", "marker": {"size": 10, "color": TRAINED},
                       "line": {"width": 1.5, "color": TRAINED},
                       "hovertemplate": HOVER + "A VAE trained at this γ.<extra></extra>"})
    if learned:
        traces.append(_star(learned, point(learned), HOVER + "A VAE that chose its γ itself.<extra></extra>"))
    costs = [one.cost for one in (*fixed, *([learned] if learned else ()))]
    if relative:
        reach = max(learned.rate if learned else max((one.rate for one in fixed), default=1.0), 1.0)
        bounds = (-2.0 * reach, 1.3 * reach)
    else:
        low = min([*costs, *(float(trace["y"].min()) for trace in traces[:len(curves)])])
        high = max([*costs, float(traces[0]["y"].min()), low + 1.0])  # the valley of the trivial one, at least
        bounds = (low - 0.06 * (high - low), high + 0.08 * (high - low))
    where = crossing(data, learned.rate, learned.error) if learned else math.inf
    if grid[0] < where < grid[-1]:
        traces.append(_upright(where, bounds, "γ′", "From here on the trivial solution costs less<br>than the learned "
                               "one, left as it is."))
    return _figure(traces, "−ELBO above the trivial one, nats" if relative else "−ELBO, nats", bounds, grid, 440,
                   where if grid[0] < where < grid[-1] else None, f"γ′ = {where:.3g}")


def active_figure(data: Moments, latent_size: int, fixed: Sequence[Solution], learned: Solution | None
                  ) -> go.Figure:
    """Dimensions in use against gamma, trained beside the exact count of the best linear VAE."""
    grid = _grid(fixed, learned)
    hover = "%{fullData.name}<br>γ = %{x:.3g}: %{y} dimensions<br><br>"
    edges = np.sort(np.concatenate([grid, data.eigenvalues[:latent_size]]))  # stairs fall exactly at an eigenvalue
    edges = edges[(edges >= grid[0]) & (edges <= grid[-1])]
    traces: list[dict[str, Any]] = [{
        "x": edges, "y": linear_active(edges, data, latent_size), "mode": "lines", "name": "best linear VAE, exact",
        "line": {"width": 2.5, "color": LINEAR, "dash": "dot", "shape": "hv"},
        "hovertemplate": hover + f"Eigenvalues of the data above γ, at most {latent_size}.<extra></extra>"}]
    if fixed:
        traces.append({"x": [one.gamma for one in fixed], "y": [one.active for one in fixed], "mode": "lines+markers",
                       "name": "trained, γ fixed", "marker": {"size": 10, "color": TRAINED},
                       "line": {"width": 1.5, "color": TRAINED},
                       "hovertemplate": hover + "<br>".join(wrap(ACTIVE, LINE)) + "<extra></extra>"})
    if learned:
        traces.append(_star(learned, learned.active, hover + "A VAE that chose its γ itself.<extra></extra>"))
    bounds = (-0.06 * latent_size, 1.15 * latent_size)
    largest = float(data.eigenvalues[0])
    inside = grid[0] < largest < grid[-1]
    if inside:
        traces.append(_upright(largest, bounds, "λmax", "The largest eigenvalue of the data: from here on<br>the best "
                               "linear VAE is trivial."))
    return _figure(traces, "active dimensions", bounds, grid, 340, largest if inside else None,
                   f"λ<sub>max</sub> = {largest:.3g}")


def _grid(fixed: Sequence[Solution], learned: Solution | None) -> Vector:
    gammas = [one.gamma for one in (*fixed, *([learned] if learned else ()))] or [0.01, 10.0]
    return np.geomspace(min(gammas) / 1.6, max(gammas) * 1.6, POINTS)


def _line(x: Vector, y: Vector, name: str, colour: str, dash: str, says: str) -> dict[str, Any]:
    return {"x": x, "y": y, "mode": "lines", "name": name, "line": {"width": 2.5, "color": colour, "dash": dash},
            "hovertemplate": f"{HOVER}{says}<extra></extra>"}


def _star(learned: Solution, y: float, hover: str) -> dict[str, Any]:
    return {"x": [learned.gamma], "y": [y], "mode": "markers", "name": "trained, γ learned", "hovertemplate": hover,
            "marker": {"size": 20, "symbol": "star", "color": LEARNED, "line": {"width": 1.5, "color": "white"}}}


def _upright(x: float, bounds: tuple[float, float], name: str, says: str) -> dict[str, Any]:
    return {"x": [x] * 40, "y": np.linspace(*bounds, 40), "mode": "lines", "name": name, "showlegend": False,
            "line": {"width": 1.5, "color": GREY}, "hovertemplate": f"{name} = {x:.3g}<br>{says}<extra></extra>"}


def _figure(traces: list[dict[str, Any]], y: str, bounds: tuple[float, float], grid: Vector, height: int,
            marked: float | None, words: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure([go.Scatter(**trace) for trace in traces])
    figure.update_layout(
        height=height, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, hovermode="closest",
        font={"size": FONT}, hoverlabel={"font": {"size": FONT}, "align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": FONT}, "title": None},
        xaxis={"type": "log", "title": {"text": "observation variance γ", "font": {"size": FONT}},
               "range": list(np.log10(grid[[0, -1]])), "tickfont": {"size": FONT}, "automargin": True,
               "tickvals": [10.0**k for k in range(-8, 9)], "tickformat": "~g", "fixedrange": True},
        yaxis={"title": {"text": y, "font": {"size": FONT}}, "range": list(bounds), "tickfont": {"size": FONT},
               "automargin": True, "zeroline": False, "fixedrange": True})
    if marked is not None:
        left = math.log10(marked) > 0.75 * math.log10(grid[-1]) + 0.25 * math.log10(grid[0])
        figure.add_annotation(x=math.log10(marked), y=bounds[1], text=words, showarrow=False, yanchor="top",
                              xanchor="right" if left else "left", xshift=-6 if left else 6,
                              font={"size": FONT + 2})
    return figure
