"""TensorBoard's event files, read back record by record: the same numbers as in metrics.jsonl."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os
import struct
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.test_cli import call, refused
from vaecore.sharing.tensorboard import event_files, zipped_events
from vaecore.store import STEP_COLUMNS, Metrics, Run

pytest.importorskip("tensorboardX")
GALLERY = Path(__file__).parents[2] / "trained"


def read(folder: Path) -> dict[str, list[tuple[int, float, Any]]]:
    """What an event file says by tag: (step, time, value), its records unpacked by hand."""
    from tensorboardX.proto.event_pb2 import Event

    [path] = folder.glob("events.out.tfevents.*")
    data, place, found = path.read_bytes(), 0, defaultdict(list)
    while place < len(data):
        [length] = struct.unpack_from("<Q", data, place)
        event = Event.FromString(data[place + 12:place + 12 + length])
        place += 16 + length
        for value in event.summary.value:
            kind = value.WhichOneof("value")
            found[value.tag].append((event.step, event.wall_time, getattr(value, kind)))
    return found


def test_the_numbers_are_those_of_the_run(tmp_path: Path) -> None:
    assert call(["export", "vae-binary", "lagging-basic", "--tensorboard", str(tmp_path), "--store", str(GALLERY)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery-lagging-basic", "gallery-vae-binary"]
    found, run = read(tmp_path / "gallery-vae-binary"), Run(GALLERY / "gallery" / "vae-binary")
    metrics = Metrics(run.path / "metrics.jsonl")
    metrics.update()
    for column in ("loss", "kl", "beta", "grad_norm"):
        told = found[f"train/{column}"]
        assert [step for step, _, _ in told] == metrics.steps["step"]
        assert np.array_equal(np.float32([value for _, _, value in told]), np.float32(metrics.steps[column]))
    with zipfile.ZipFile(io.BytesIO(zipped_events(run))) as archive:  # what the page's button gives
        [name] = archive.namelist()
        assert name.startswith("gallery-vae-binary/events.out.tfevents.")
        archive.extractall(tmp_path / "page")
    assert read(tmp_path / "page" / "gallery-vae-binary").keys() == found.keys()
    evaluations = metrics.evaluations
    assert [step for step, _, _ in found["validation/elbo"]] == [line["step"] for line in evaluations]
    assert np.array_equal(np.float32([value for _, _, value in found["validation/elbo"]]),
                          np.float32([line["elbo"] for line in evaluations]))
    assert np.allclose([value for _, _, value in found["validation/kl/z"]],
                       [sum(line["kl"]["z"]) for line in evaluations], rtol=1e-6)
    times = np.array([time for _, time, _ in found["validation/elbo"]])
    assert np.allclose(np.diff(times), np.diff([line["seconds"] for line in evaluations]), atol=1e-4)
    histogram = found["validation/KL_by_dimension/z"][-1][2]
    assert histogram.num == 50 and histogram.sum == pytest.approx(sum(evaluations[-1]["kl"]["z"]))
    assert found["samples"][0][2].width > 100


def test_odd_files_cost_themselves(tmp_path: Path) -> None:
    run = Run(tmp_path / "runs" / "odd")
    run.path.mkdir(parents=True)
    (run.path / "config.json").write_text("{}")
    os.mkfifo(run.preview)  # for which `open` would wait
    step = dict.fromkeys(STEP_COLUMNS, 1.0) | {"kind": "step"}
    lines = [step | {"step": at} for at in (math.nan, math.inf, 1e30, 7)] + [
        {"kind": "evaluation", "step": 10**at, "elbo": -9.0} for at in (30, 1)]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read(event_files(run, tmp_path))
    assert [step for step, _, _ in found["train/loss"]] == [7]
    assert [step for step, _, _ in found["validation/elbo"]] == [10] and "samples" not in found


def test_what_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    ask = ["export", "pca", "--tensorboard", str(tmp_path), "--store", str(GALLERY)]
    assert call(ask) == 0
    assert "is not empty" in refused(capsys, *ask)
    assert "names its folder itself" in refused(capsys, *ask, "-o", str(tmp_path / "x"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "vaecore[tensorboard]" in refused(capsys, *ask)
