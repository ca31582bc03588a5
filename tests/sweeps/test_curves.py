"""The evaluations of runs as they are read while runs train: of each line the newest, and of another run nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vaecore import store
from vaecore.store import Run
from vaecore.sweeps.objective import Curves, curve


def log(elbo: float, epochs: int, *, steps: int = 0) -> bytes:
    lines = [{"kind": "step", "step": step} for step in range(steps)]
    lines += [{"kind": "evaluation", "epoch": float(epoch), "elbo": elbo, "reconstruction": {"image": elbo},
               "kl": {"z": [0.0]}} for epoch in range(1, epochs + 1)]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def test_a_run_made_anew_under_a_name_shows_nothing_of_the_old_one(tmp_path: Path) -> None:
    """Its log was longer than the old one when it was looked at first: five numbers were those of the removed run."""
    curves, run, path = Curves(), Run(tmp_path), tmp_path / "metrics.jsonl"
    path.write_bytes(log(-100.0, 5))
    assert curve(before := curves.of(run), "elbo") == [(float(epoch), -100.0) for epoch in range(1, 6)]
    path.write_bytes(log(-50.0, 6))
    assert curve(curves.of(run), "elbo") == [(float(epoch), -50.0) for epoch in range(1, 7)]
    path.write_bytes(log(-50.0, 2))
    assert [epoch for epoch, _ in curve(curves.of(run), "elbo")] == [1.0, 2.0]
    path.unlink()
    assert curves.of(run) == {} and len(before) == 5


def test_a_long_log_is_read_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOG_BYTES_AT_ONCE", 64)
    whole = log(-1.0, 9, steps=40)
    taken: list[int] = []
    take = store.Growing._read

    def seen(self: store.Growing, file: object, size: int) -> bool:
        taken.append(size)
        return take(self, file, size)  # type: ignore[arg-type]

    monkeypatch.setattr(store.Growing, "_read", seen)
    curves = Curves()
    for end in (10, 500, len(whole) - 1, len(whole)):
        (tmp_path / "metrics.jsonl").write_bytes(whole[:end])
        found = curves.of(Run(tmp_path))
    assert len(found) == 9 and taken == [10, 500, len(whole) - 1, len(whole)]
