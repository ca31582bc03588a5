"""`vaecore judge`: the same judge as from Python, made once, and in words where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import refused, said
from tests.pages import demo
from vaecore.evaluate import classifier as classifiers
from vaecore.explore import judged
from vaecore.explore.opening import opened
from vaecore.explore.single import Checkpoint
from vaecore.store import Store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and judges that learn for a moment."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    monkeypatch.setattr(classifiers, "UPDATES", 60)


def test_it_is_made_once_and_is_the_one_that_python_gives(capsys: pytest.CaptureFixture[str],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = opened(Store(demo.store()).find("vae"))
    assert isinstance(checkpoint, Checkpoint) and checkpoint.judge() is None
    facts: dict[str, Any] = said(capsys, "judge", "vae", "--store", str(demo.store()))
    judge = checkpoint.judge()
    assert judge is not None and judge.accuracy > 0.5
    assert facts == {"image": {"name": judge.name, "accuracy": judge.accuracy, "tested": 250,
                               "classes": list("0123456789")}}
    monkeypatch.setattr(judged, "judge", lambda *_, **__: pytest.fail("it is there"))
    assert said(capsys, "judge", "ae", "--store", str(demo.store())) == facts, "another run of the same data"


def test_data_without_labels_are_answered_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "judge", "vectors", "--store", str(demo.store()))
    assert "There is no judge of its data" in message and "Choose a run of labelled images or vectors" in message
