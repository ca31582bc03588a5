"""A run small enough to be trained whenever a test needs one, and ways to read what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vaecore.store import Metrics

TIMES = ("seconds", "samples_per_second", "evaluation_seconds")
SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train_limit": 256},
    "model": {"family": "vae", "latent_size": 4, "network": {"kind": "mlp", "hidden": [16]}},
    "training": {"epochs": 3, "batch_size": 64}}
Start = Callable[..., Path]
Make = Callable[..., Any]


def small(model: dict[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    """Twelve steps of a small VAE, with other choices of model and training."""
    return {**SMALL, "model": {**SMALL["model"], **(model or {})}, "training": {**SMALL["training"], **training}}


def read(folder: Path) -> Metrics:
    metrics = Metrics(folder / "metrics.jsonl")
    metrics.update()
    return metrics


def timeless(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without what a clock wrote."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]
