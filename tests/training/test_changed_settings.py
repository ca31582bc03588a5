"""Settings that were changed before a run is resumed: they are said, or refused where a checkpoint hangs on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.training.runs import Start, small
from vaecore import lab
from vaecore.lab import worker
from vaecore.lab.control import Control
from vaecore.schema import ConfigError
from vaecore.store import Run
from vaecore.training import train
from vaecore.training.checkpoints import BOUND, BrokenCheckpoint, changed_settings

RATE = "From step 5 on training.learning_rate is 0.002, before it was 0.001."


@pytest.fixture
def folder(start: Start, watch: Any) -> Path:
    """A run that was stopped after five of its twelve steps."""
    return start(small(device="auto"), control=watch(stop_at=5))


def change(folder: Path, **fields: Any) -> None:
    """Write other values into config.json, by dotted names with a double underscore."""
    config = json.loads((folder / "config.json").read_text())
    for name, value in fields.items():
        group, _, field = name.rpartition("__")
        (config[group] if group else config)[field] = value
    (folder / "config.json").write_text(json.dumps(config))


def files(folder: Path) -> dict[str, bytes]:
    """All that a run keeps but its configuration."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "config.json"}


def rewritten(folder: Path, change: Any) -> None:
    """Write the checkpoint again with another header."""
    path = folder / "checkpoint.safetensors"
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["vaecore"])
    change(header)
    save_file(load_file(path), path, {"vaecore": json.dumps(header)})


def test_what_may_be_changed_is_said_and_stays_said(folder: Path, watch: Any, capsys: pytest.CaptureFixture[str]
                                                    ) -> None:
    assert "changes" not in Run(folder).summary()
    change(folder, training__learning_rate=0.002)
    capsys.readouterr()
    assert train(folder, watch(stop_at=8)) == "stopped"
    assert RATE in capsys.readouterr().out.splitlines()
    change(folder, training__clip_norm=1.0)
    assert worker.train_here(folder, Control(folder)) == "finished"
    clipped = "From step 8 on training.clip_norm is 1.0, before it was 0.0."
    assert Run(folder).summary()["changes"] == [RATE, clipped]
    assert lab.status(folder).detail == f"Finished. {RATE} {clipped}"
    assert RATE in (folder / "log.txt").read_text().splitlines()


OTHER = {"seed": 1, "training.batch_size": 32, "training.optimizer": "sgd", "training.keep": "last",
         "training.inference": {"kind": "aggressive"}, "training.beta": {"kind": "constant", "value": 4.0},
         "training.kl": {"kind": "free-bits"}}


def test_what_a_checkpoint_hangs_on_is_refused_with_a_way_out(folder: Path, watch: Any) -> None:
    assert OTHER.keys() == BOUND.keys()
    true = (folder / "config.json").read_text()
    kept = files(folder)
    for field, value in OTHER.items():
        change(folder, **{field.replace(".", "__"): value})
        with pytest.raises(ConfigError, match=rf"{field}.*up to step 5 .*{BOUND[field]}.*Set it back .*or fork it"):
            train(folder, watch())
        (folder / "config.json").write_text(true)
    assert kept == files(folder)
    assert train(folder, watch()) == "finished"


def test_of_an_older_checkpoint_the_weights_say_it(folder: Path) -> None:
    rewritten(folder, lambda header: (header.pop("settings"), header.pop("changes")))
    assert changed_settings(Run(folder)) == []
    change(folder, training__learning_rate=0.002)
    assert changed_settings(Run(folder)) == [RATE]


def test_cpu_seconds_that_were_not_counted_from_the_beginning_are_none(folder: Path, watch: Any) -> None:
    assert Run(folder).summary()["cpu_seconds"] > 0
    rewritten(folder, lambda header: header.update(cpu_seconds="many"))
    with pytest.raises(BrokenCheckpoint, match="does not say where training stood"):
        train(folder, watch())
    rewritten(folder, lambda header: header.pop("cpu_seconds"))
    assert train(folder, watch()) == "finished"
    assert "cpu_seconds" not in Run(folder).summary() and Run(folder).summary()["seconds"] > 0


@pytest.mark.parametrize("settings", [[], 3, {"seed": "x"}, {"seed": 0, "training": {"epochs": -1}}])
def test_a_checkpoint_that_says_nothing_of_its_settings_is_refused_in_words(folder: Path, settings: Any) -> None:
    rewritten(folder, lambda header: header.update(settings=settings or [1], changes={"a": 1}))
    with pytest.raises(BrokenCheckpoint, match=r"checkpoint\.safetensors does not say with which settings"):
        changed_settings(Run(folder))
