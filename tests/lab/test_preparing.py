"""Data that have to be converted first: a run says how far they are, stops, and goes on from there."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.training.runs import Start, small
from vaecore import lab
from vaecore.data import Array, Dataset, converted
from vaecore.data.digits import Digits
from vaecore.lab.control import Control
from vaecore.lab.progress import preparing
from vaecore.lab.worker import train_here


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The digits have to be converted first, by the function in the list."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(converted, "NOTE_SECONDS", -1.0)
    load, chosen = Digits.load, list[Any]()

    def loaded(config: Digits) -> Dataset:
        made = converted.converted("digits", (100, 4), np.uint8, chosen[0], "the digits of a test")
        assert (made == 7).all()
        return load(config)

    monkeypatch.setattr(Digits, "load", loaded)
    return chosen


def block() -> Array:
    return np.full((10, 4), 7, np.uint8)


def test_a_run_says_how_far_its_data_are_and_stops_and_goes_on(start: Start, digits: list[Any]) -> None:
    folder, begun, seen = start(small(), train=False), list[int](), list[lab.Status]()

    def blocks(row: int) -> Iterator[Array]:
        begun.append(row)
        for place in range(row, 100, 10):
            if len(begun) == 1 and place == 40:
                deadline = time.monotonic() + 60
                while not lab.status(folder).doing and time.monotonic() < deadline:
                    time.sleep(0.05)  # until the heart beats
                seen.append(lab.status(folder))
                (folder / "stop").touch()
            if len(begun) == 1 and place == 60:
                time.sleep(0.1)  # whether a stop was asked for is looked at every 0.05 s
            yield block()

    digits.append(blocks)
    assert train_here(folder, Control(folder)) == "stopped"
    assert seen[0].state == "running" and seen[0].doing == "Preparing the digits of a test, 40 %." == seen[0].detail
    status = lab.status(folder)
    assert (status.state, status.doing) == ("stopped", "")
    assert status.detail.startswith("Preparing the digits of a test, ") and "resume continues there" in status.detail
    (folder / "stop").unlink()
    assert train_here(folder, Control(folder)) == "finished"
    assert begun[0] == 0 and begun[1] >= 50 and len(begun) == 2
    assert lab.status(folder).detail == "Finished."


def test_a_bar_shows_how_far_data_are_and_goes_away(digits: list[Any]) -> None:
    written = io.StringIO()
    drawn = Console(file=written, force_terminal=True, width=100)

    def blocks(row: int) -> Iterator[Array]:
        for _ in range(row, 100, 10):
            time.sleep(0.15)
            yield block()

    digits.append(blocks)
    with preparing(drawn):
        Digits().load()
        assert "preparing the digits of a test, " in written.getvalue()
    shown = written.getvalue()
    with preparing(drawn):
        Digits().load()
    assert written.getvalue() == shown, "nothing is drawn where nothing is converted"


def test_an_error_takes_the_bar_away(digits: list[Any]) -> None:
    written = io.StringIO()

    def blocks(_: int) -> Iterator[Array]:
        yield block()
        raise ValueError("broken")

    digits.append(blocks)
    with pytest.raises(ValueError, match="broken"), preparing(Console(file=written, force_terminal=True, width=100)):
        Digits().load()
    assert written.getvalue().endswith("\x1b[2K") or "\x1b[?25h" in written.getvalue(), "the cursor is back"
