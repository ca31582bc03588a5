"""Records of runs for all sessions, read again only where their files have changed, and how far a run is."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import streamlit as st

from pages.shared.words import duration, escaped
from vaecore.comparison.columns import metrics_of
from vaecore.comparison.history import History, recorded
from vaecore.lab import Status
from vaecore.memory import held
from vaecore.store import Metrics, Run


class _Reader:
    """One run's file and what was made of it last, for all sessions."""

    def __init__(self, path: str) -> None:
        self.metrics = metrics_of(Path(path) / "metrics.jsonl")
        self.record: History | None = None
        self.lock = threading.Lock()


def of(run: Run) -> Metrics:
    """The run's metrics up to now; what is new is read, the rest is kept for all sessions."""
    return record(run).metrics


def record(run: Run) -> History:
    """The same as arrays: the very same record as long as the file has not changed."""
    reader = _reader(str(run.path))
    with reader.lock:
        if reader.metrics.update() or reader.record is None:
            reader.record = recorded(run, reader.metrics)
        return reader.record


@held(meanwhile=partial(st.spinner, "Reading the metrics …"))
def _reader(path: str) -> _Reader:
    return _Reader(path)  # here it is seen to take its time: a second for a hundred thousand steps


def standing(status: Status) -> str:
    """How far a run is and how long it still takes."""
    if status.state == "running" and (status.doing or not status.total):
        return escaped(status.doing) or "starting …"
    parts = [f"step {status.step:,} of {status.total:,}"] if status.total else []
    if status.state == "running" and status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    return " · ".join(parts)
