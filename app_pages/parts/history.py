"""What a run's metrics.jsonl has to show: the charts of Monitor and Compare, and how far a run is."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import streamlit as st

from app_pages.parts.curves import Panel, Series
from app_pages.parts.queue import duration
from vaecore.lab import Status
from vaecore.store import Metrics, Run

_reading = threading.Lock()


def of(run: Run) -> Metrics:
    """The run's metrics up to now; what is new is read, the rest is kept for all sessions."""
    metrics = _metrics(str(run.path))
    with _reading:
        metrics.update()
    return metrics


@st.cache_resource(max_entries=64, show_spinner=False)
def _metrics(path: str) -> Metrics:
    from pathlib import Path

    return Metrics(Path(path) / "metrics.jsonl")


def evaluated(metrics: Metrics) -> list[dict[str, float]]:
    """The evaluations as plain numbers, those of families without a KL without one; a damaged line costs itself."""
    rows = []
    for row in metrics.evaluations:
        try:
            plain = {"step": float(row["step"]), "neg_elbo": -float(row["elbo"]),
                     "reconstruction": -float(sum(row["reconstruction"].values())),
                     "mse": float(sum(row["mse"].values()) / len(row["mse"]))}
            if row["kl"]:
                plain["kl"] = float(sum(map(sum, row["kl"].values())))
        except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
            continue
        rows.append(plain)
    return rows


def panels(histories: Mapping[str, Metrics], *, more: bool = False) -> list[Panel]:
    """The charts, every run in each: training solid, validation dashed."""
    charts = [
        _panel(histories, "−ELBO", "neg_elbo", "nats",
               "The negative evidence lower bound at β = 1: reconstruction error plus KL. Lower is better; −log p(x) "
               "is at most this."),
        _panel(histories, "Reconstruction error", "reconstruction", "nats",
               "−E log p(x|z): how badly the decoder explains an image from its code, also called distortion.",
               sign=-1),
        _panel(histories, "KL", "kl", "nats",
               "KL of the posterior q(z|x) from the prior: how much the code says about the image, also called rate. "
               "Near 0, the posterior has collapsed."),
        _panel(histories, "β", "beta", "", "The weight of the KL in the loss at each step.", exact=True),
    ]
    if more:
        charts += [
            _panel(histories, "Gradient norm", "grad_norm", "", "Length of the gradient, before clipping."),
            _panel(histories, "Learning rate", "rate", "", "Step size of the optimizer at each step.",
                   exact=True),
        ]
    return charts


def standing(status: Status) -> str:
    """How far a run is and how long it still takes."""
    if status.state == "running" and not status.total:
        return "starting …"
    parts = [f"step {status.step:,} of {status.total:,}"] if status.total else []
    if status.state == "running" and status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    return " · ".join(parts)


def _panel(histories: Mapping[str, Metrics], title: str, column: str, unit: str, text: str, *, sign: int = 1,
           exact: bool = False) -> Panel:
    series = []
    for name, metrics in histories.items():
        steps = np.asarray(metrics.steps.get("step", []))
        series.append(Series(f"{name} training", steps, sign * np.asarray(metrics.steps.get(column, [])), run=name))
        validation = [(row["step"], row[column]) for row in evaluated(metrics) if column in row]
        if validation:
            x, y = np.asarray(validation).T
            series.append(Series(f"{name} validation", x, y, run=name, dashed=True))
    return Panel(title, series, unit=unit, help=text, may_smooth=not exact)
