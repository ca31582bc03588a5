"""Trainings on a cluster with SLURM, by the same worker on the same folder: submitted, followed and cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vaecore.lab.locks import LabError
from vaecore.lab.where import Slurm


def submit(folders: Sequence[Path], where: Slurm) -> None:
    """Submit a training, or several as an array. Raises `LabError` where there is no cluster."""
    raise LabError(f"{folders[0].name} cannot go to {where.title}: sbatch was not found on this machine. Train here, "
                   "or open the dashboard on a login node.")
