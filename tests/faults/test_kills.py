"""A few of the kills of `make faults`, with a fixed seed; and that what is tried is all there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.families import TRAININGS
from vaecore.models import FAMILIES

ROOT = Path(__file__).parents[2]


def tried(module: str, *words: str, seconds: float = 280) -> str:
    """What a campaign says, in a process of its own; it has to find no fault."""
    done = subprocess.run([sys.executable, "-m", f"tests.faults.{module}", *words], cwd=ROOT, text=True,
                          capture_output=True, timeout=seconds,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_every_family_is_tried() -> None:
    assert {values["model"]["family"] for values in TRAININGS.values()} == set(FAMILIES)


def test_no_kill_leaves_a_false_state_or_other_bits(tmp_path: Path) -> None:
    said = tried("kills", "--kills", "2", "--seed", "5", "--store", str(tmp_path), "--kinds", "vae")
    assert "faults          0" in said


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_two_hundred_kills(tmp_path: Path) -> None:
    said = tried("kills", "--kills", "200", "--seed", "18", "--store", str(tmp_path), seconds=7_000)
    assert "faults          0" in said


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_twenty_kills_of_processes_that_start_anew(tmp_path: Path) -> None:
    said = tried("kills", "--kills", "20", "--seed", "3", "--anew", "--store", str(tmp_path), seconds=3_500)
    assert "faults          0" in said
