"""Kills of a sweep, of the queue of evaluations and of what they start, by `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.test_kills import tried


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_sixty_kills_of_sweeps_and_evaluations(tmp_path: Path) -> None:
    said = tried("tasks", "--kills", "60", "--seed", "2", "--store", str(tmp_path), seconds=7_000)
    assert "faults          0" in said
