"""The curves of a run as event files that TensorBoard reads, by tensorboardX, which is installed where it is asked for.

Steps of training, means over the validation set, KL by dimension as a histogram, and the run's picture. TensorBoard
keeps scalars as float32. No torch.
"""

from __future__ import annotations

import importlib.util
import io
import math
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vaecore.errors import StoreError
from vaecore.files import opened
from vaecore.store import MAX_PREVIEW_BYTES, STEP_COLUMNS, Metrics, Run

NEEDED = "tensorboardX, which writes these files, is not installed. `pip install \"vaecore[tensorboard]\"` installs it."
MOST_MODALITIES = 100  # and latents, of one evaluation


class NotWritten(StoreError):
    """Event files that cannot be written; the message says why."""


def zipped_events(run: Run) -> bytes:
    """A run's curves as event files in a zip, to unpack into TensorBoard's `--logdir`; raises `NotWritten`."""
    with tempfile.TemporaryDirectory() as folder:
        target, file = event_files(run, Path(folder)), io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(target.rglob("*")):
                archive.write(path, path.relative_to(folder))
    return file.getvalue()


def event_files(run: Run, folder: Path) -> Path:
    """Write a run's curves into a folder of its own below `folder`, which is TensorBoard's `--logdir`; that folder.

    Raises `NotWritten` where tensorboardX is not installed, where the folder has files of an earlier time, or where
    the run has no curve yet.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise NotWritten(NEEDED)
    from tensorboardX import SummaryWriter

    metrics = Metrics(run.path / "metrics.jsonl")
    metrics.update()
    if not metrics.steps and not metrics.evaluations:
        raise NotWritten(f"{run.id} has no curves yet. Train it first.")
    target = folder / run.id.replace("/", "-")
    if target.exists() and any(target.iterdir()):
        raise NotWritten(f"{target} is not empty: TensorBoard would show both curves as one. Name another folder.")
    when = _clock(run, metrics)
    with SummaryWriter(str(target)) as writer:
        for column in STEP_COLUMNS[1:]:
            for step, value in zip(metrics.steps.get("step", []), metrics.steps.get(column, []), strict=True):
                if _whole(step):
                    writer.add_scalar(f"train/{column}", value, int(step), walltime=when(step))
        for line in metrics.evaluations:
            if not _whole(line.get("step")):
                continue
            at, time = int(line["step"]), when(line["step"])
            for name, mean in _means(line):
                writer.add_scalar(f"validation/{name}", mean, at, walltime=time)
            for name, values in _by_dimension(line):
                writer.add_histogram(f"validation/KL by dimension/{name}", values, at, walltime=time)
        if (picture := _picture(run)) is not None:
            writer.add_image("samples", picture, 0, walltime=when(0), dataformats="HWC")
    return target


def _clock(run: Run, metrics: Metrics) -> Callable[[float], float]:
    """When a step was, in seconds: evaluations tell how long the run had trained, and between them time is even."""
    began = (run.path / "config.json").stat().st_mtime
    known = [(float(line["step"]), float(line["seconds"])) for line in metrics.evaluations
             if _finite(line.get("step")) and _finite(line.get("seconds"))] or [(0.0, 0.0)]
    steps, seconds = (np.array(column) for column in zip(*known, strict=True))
    return lambda step: began + float(np.interp(step, steps, seconds))


def _means(line: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of an evaluation by their tags; KL of each latent is the sum of its dimensions."""
    for name in ("elbo", "active", "epoch"):
        if _finite(line.get(name)):
            yield name, line[name]
    for name in ("reconstruction", "mse"):
        yield from ((f"{name}/{part}", value) for part, value in _group(line, name) if _finite(value))
    yield from ((f"kl/{name}", float(values.sum())) for name, values in _by_dimension(line))


def _by_dimension(line: dict[str, Any]) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[np.float64]]]]:
    for name, values in _group(line, "kl"):
        if isinstance(values, list) and values and all(map(_finite, values)):
            yield name, np.asarray(values, np.float64)


def _group(line: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    found = line.get(name)
    return [(str(key)[:40], value) for key, value in found.items()][:MOST_MODALITIES] if isinstance(found, dict) else []


def _picture(run: Run) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with opened(run.preview) as file:
            data = file.read(MAX_PREVIEW_BYTES + 1)
        if len(data) > MAX_PREVIEW_BYTES:
            return None
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError):
        return None


def _whole(step: Any) -> bool:
    return _finite(step) and abs(step) < 2**63  # which is what TensorBoard holds


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
