"""Real trainings on a real SLURM: the bits and the curve are those of this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.slurm.conftest import Cluster, until
from tests.lab.test_ranks import apart
from tests.training.runs import read, small, timeless
from vaecore import lab
from vaecore.lab import cluster
from vaecore.lab.node import WORKER
from vaecore.store import Store
from vaecore.training import train

RUN = small(epochs=120, evaluate_every=20, threads=1)


@pytest.mark.slow
def test_queued_again_it_makes_the_bits_of_this_machine_and_two_nodes_its_curve(
        slurm: Cluster, tmp_path: Path, configure: Callable[[dict[str, Any]], Any], watch: Any,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WORKER", WORKER)
    here, there, two = (Store(tmp_path / "trained").create(configure(RUN), name).path
                        for name in ("here", "there", "two"))
    lab.submit(there, lab.Slurm(time=10, memory=1))
    lab.submit(two, lab.Slurm(time=10, memory=1, processes=2, nodes=2))
    until(lambda: (there / "metrics.jsonl").exists() and read(there).steps)
    slurm.inside("scancel", "--signal=USR2", lab.status(there).job)
    train(here, watch())
    assert [lab.wait(folder, 200).state for folder in (there, two)] == ["finished"] * 2
    assert lab.status(there).attempt == 2
    assert (there / "weights.safetensors").read_bytes() == (here / "weights.safetensors").read_bytes()
    assert timeless(there) == timeless(here)
    assert "in each of 2 processes" in (two / "log.txt").read_text()
    assert apart(timeless(here), timeless(two)) < 1e-3


@pytest.mark.slow
def test_two_processes_of_a_node_make_its_curve_though_their_job_is_queued_again(
        slurm: Cluster, tmp_path: Path, configure: Callable[[dict[str, Any]], Any], watch: Any,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WORKER", WORKER)
    here, pair = (Store(tmp_path / "trained").create(configure(RUN), name).path for name in ("here", "pair"))
    lab.submit(pair, lab.Slurm(time=10, memory=1, processes=2))
    until(lambda: (pair / "metrics.jsonl").exists() and read(pair).steps)
    slurm.inside("scancel", "--signal=USR2", lab.status(pair).job)
    train(here, watch())
    ended = lab.wait(pair, 200)
    assert (ended.state, ended.attempt) == ("finished", 2)
    assert apart(timeless(here), timeless(pair)) < 1e-3
