"""A run whose own data file was moved away: the pages ask where it lies now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pages import demo
from vaecore.config import changed, preset
from vaecore.lab import attempts
from vaecore.store import Run, Store
from vaecore.training import train


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Run:
    """A run on a table that lies at `moved.csv` now."""
    table = tmp_path / "own.csv"
    table.write_text("a,b\n" + "".join(f"{n},{n * n % 7}\n" for n in range(60)))
    config = changed(preset("linear-vae-gaussian"), ["data.name=table", f"data.path={table}", "training.epochs=1",
                                                     "training.batch_size=8", "model.latent_size=1"])
    run = Store(root).create(config, "own")
    train(run.path, demo.Unwatched())
    table.rename(tmp_path / "moved.csv")
    (tmp_path / "other.csv").write_text("a,b\n" + "".join(f"{n},0\n" for n in range(60)))
    return run


def place(run: Run) -> str:
    return str(json.loads((run.path / "config.json").read_text())["data"]["path"])


def test_evaluate_asks_where_a_moved_file_lies(own: Run, tmp_path: Path) -> None:
    at = demo.open_page("evaluate", run="own")
    assert any("is not there" in warning.value for warning in at.warning)
    at.text_input(key="evaluate-where").set_value(str(tmp_path / "other.csv")).run()
    assert any("is not what this run was made with" in error.value for error in at.error)
    at.text_input(key="evaluate-where").set_value(str(tmp_path / "moved.csv")).run()
    assert not at.exception and not at.error
    assert not any("is not there" in warning.value for warning in at.warning)
    assert place(own) == str(tmp_path / "moved.csv")


def test_the_queue_asks_where_a_moved_file_lies(own: Run, tmp_path: Path) -> None:
    attempts.write_exit(own.path, 0, "failed", "The file is not there.")
    at = demo.open_page("train")
    at.text_input(key="queue-where-own").set_value(str(tmp_path / "moved.csv")).run()
    assert not at.exception and place(own) == str(tmp_path / "moved.csv")
    assert not [field for field in at.text_input if field.key == "queue-where-own"]


@pytest.mark.parametrize("weights", ["", "best"])
def test_train_asks_where_a_moved_file_lies(own: Run, tmp_path: Path, weights: str) -> None:
    at = demo.open_page("train", **{"from": "own"}, **({"weights": weights} if weights else {}))
    at.number_input(key="train.training.epochs").set_value(77).run()
    at.text_input(key="train-where").set_value(str(tmp_path / "moved.csv")).run()
    assert not at.exception and place(own) == str(tmp_path / "moved.csv")
    assert not at.button(key="train-start").disabled
    assert at.number_input(key="train.training.epochs").value == 77, "what was entered before stays"
    assert weights or at.text_input(key="train.data.path").value == str(tmp_path / "moved.csv")


def test_another_file_in_the_form_has_not_changed(own: Run, tmp_path: Path) -> None:
    at = demo.open_page("train", **{"from": own.id})
    at.text_input(key="train.data.path").set_value(str(tmp_path / "other.csv")).run()
    assert not at.exception and "has changed since" not in demo.words(at)
    assert not at.button(key="train-start").disabled
