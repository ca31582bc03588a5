"""What runs cost, by their files; seconds of different devices do not rank."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.comparison.made import made
from vaecore.comparison.cost import cost, table
from vaecore.store import Run, Store

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    return Store(tmp_path)


def timed(store: Store, name: str, **facts: object) -> Run:
    run = made(store, name, None)
    summary = json.loads((run.path / "summary.json").read_text())
    (run.path / "summary.json").write_text(json.dumps({**summary, "threads": 1, **facts}))
    return run


def test_it_is_what_the_files_say() -> None:
    run = Run(GALLERY / "vae")
    found, summary = cost(run), json.loads((GALLERY / "vae" / "summary.json").read_text())
    assert (found.seconds, found.steps) == (summary["seconds"], summary["step"])
    assert found.parameters == summary["parameters"]
    assert found.weights == (GALLERY / "vae" / "weights.safetensors").stat().st_size
    assert found.seconds_a_step == pytest.approx(summary["seconds"] / summary["step"])
    assert found.peak_memory == summary["peak_memory_bytes"] and found.cpu_seconds == summary["cpu_seconds"]


def test_seconds_rank_on_one_device_only(store: Store) -> None:
    a, b = timed(store, "a", seconds=10.0, peak_memory_bytes=300_000_000), timed(store, "b", seconds=20.0)
    alike = table([cost(a), cost(b)])
    assert "**10.0**" in alike.markdown() and not alike.notes
    assert alike.facts()[0]["peak_memory"] == 300 and alike.facts()[1]["peak_memory"] is None
    unlike = table([cost(a), cost(timed(store, "c", seconds=1.0, device="H200"))])
    assert "**" not in unlike.markdown() and "do not compare" in unlike.notes[0]
    stacked = table([cost(a), cost(timed(store, "d", seconds=12.0, stacked=16))])
    assert "**" not in stacked.markdown() and "the process that all models shared" in stacked.notes[1]
    assert not {"processes", "graphs"} & {column.key for column in stacked.columns}


def test_graphs_and_several_processes_are_told_and_do_not_rank(store: Store) -> None:
    plain = cost(timed(store, "plain", seconds=20.0))
    captured = cost(timed(store, "captured", seconds=2.0, graphs="captured"))
    eager = cost(timed(store, "eager", seconds=21.0, graphs="eager: it runs on cpu, and graphs are CUDA's"))
    shared = cost(timed(store, "shared", seconds=9.0, processes=2))
    found = table([plain, captured])
    assert [row["graphs"] for row in found.facts()] == ["no", "yes"] and "**2.0**" not in found.markdown()
    assert found.notes == ["They were trained with different ways to take a step: seconds and memory do not compare."]
    assert "**20.0**" in table([plain, eager]).markdown()  # where graphs were asked for in vain, steps are as always
    found = table([plain, shared])
    assert [row["processes"] for row in found.facts()] == [1, 2] and "**9.0**" not in found.markdown()
    assert found.notes == ["They were trained with different numbers of processes: seconds and memory do not compare.",
                           "The memory of what several processes trained is that of the first."]


def test_what_no_run_tells_has_no_column_and_damage_costs_itself(store: Store) -> None:
    run = timed(store, "a", peak_memory_bytes="much", seconds="x")
    keys = {column.key for column in table([cost(run)]).columns}
    assert not keys & {"infer_ms", "sample_ms", "peak_memory", "seconds", "weights"} and "parameters" in keys
    (run.path / "summary.json").write_text("no")
    assert cost(run).parameters is None
