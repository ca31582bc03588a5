"""Kills of what makes something that is kept, at some of the places of its disk; `make faults` tries all."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.faults.making import every_place, makings, place
from tests.faults.test_kills import tried


def test_what_was_killed_while_it_was_made_is_not_there_and_is_made_again(tmp_path: Path) -> None:
    import sklearn.datasets  # noqa: F401, so that no child has to
    import torch._dynamo

    torch.set_num_threads(1)
    store = place(tmp_path)
    importlib.import_module("vaecore.explore.maps")
    tally = every_place(tmp_path, most=3)
    assert tally.kills.keys() == makings(store).keys() and tally.late < 10
    assert tally.faults == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_what_is_made_killed_at_every_place_and_sixty_times_at_random(tmp_path: Path) -> None:
    said = tried("making", "--kills", "60", "--seed", "4", "--store", str(tmp_path), seconds=3_500)
    assert said.count("faults          0") == 2
