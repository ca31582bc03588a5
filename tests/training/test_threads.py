"""On how many threads a training computes: of this machine, of several processes on it, and of a cluster's task."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from vaecore.config import Training
from vaecore.training.device import set_threads


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_NTASKS", "SLURM_NNODES"):
        monkeypatch.delenv(name, raising=False)
    see(monkeypatch, 16)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def see(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """Let this process be bound to so many cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)


@pytest.mark.parametrize(("asked", "processes", "threads"), [(0, 1, 15), (0, 4, 3), (0, 32, 1), (8, 1, 8), (8, 4, 2)])
def test_processes_of_one_machine_share_its_cores(asked: int, processes: int, threads: int) -> None:
    assert set_threads(Training(threads=asked), processes) == torch.get_num_threads() == threads


@pytest.mark.parametrize(("seen", "a_task", "tasks", "nodes", "here", "threads"), [
    (16, 1, 1, 1, 1, 1),  # one core was asked for, and no binding hides the others
    (16, 5, 1, 1, 1, 4),
    (5, 5, 2, 1, 2, 4),  # each task is bound to its own
    (16, 5, 2, 1, 2, 4),  # ... or is not
    (16, 5, 4, 2, 2, 4),
    (9, 9, 2, 2, 4, 2),  # a task a node, whose four processes share its cores
    (9, 9, 1, 1, 4, 2)])
def test_a_task_of_a_cluster_has_the_cores_that_were_asked_for_it(
        monkeypatch: pytest.MonkeyPatch, seen: int, a_task: int, tasks: int, nodes: int, here: int, threads: int
        ) -> None:
    for name, value in {"CPUS_PER_TASK": a_task, "NTASKS": tasks, "NNODES": nodes}.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    see(monkeypatch, seen)
    assert set_threads(Training(), here) == threads
