"""Training: one loop for every family."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vaecore.lab.control import Control


def train(folder: Path, control: Control) -> Literal["finished", "stopped"]:
    """Train the run in `folder` from where it stands to its end, or until asked to stop.

    Raises `TrainingFailed`, `ConfigError`, `DataUnavailable` or `OSError`; what was kept stays whole.
    """
    from vaecore.training.loop import train as run  # late: schedules in here are part of the configuration

    return run(folder, control)
