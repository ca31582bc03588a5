"""Training: one loop for every family."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

ACTIVE = 0.01  # a dimension is active when its posterior mean varies more than this (Burda et al. 2016)
DIAGNOSED = 2_000  # observations, at most, among which an evaluation estimates mutual information
FITTING = {"encoding": "Data are encoded", "prior": "A mixture is fitted to the codes",
           "scoring": "The new run's numbers are found"}  # what a prior's fit consists of, and how far it tells


class Control(Protocol):
    """Whoever watches a training: the lab, a test, a notebook."""

    def stop_requested(self) -> bool:
        """Asked before every step; True ends the training after saving."""
        ...

    def progress(self, step: int, total: int, epoch: float) -> None:
        """Told after every step."""
        ...


def train(folder: Path, control: Control) -> Literal["finished", "stopped"]:
    """Train the run in `folder` from where it stands to its end, or until asked to stop.

    Raises `TrainingFailed`, `ConfigError`, `DataUnavailable` or `OSError`; what was kept stays whole.
    """
    from vaecore.training.session import train as run  # late: schedules in here are part of the configuration

    return run(folder, control)
