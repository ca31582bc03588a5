"""Models of clips for the tests of the page Video, of 16-pixel frames, with two steps of training each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.pages.demo import Unwatched

CONTEXT, LENGTH = 2, 10  # frames given, and of a test clip
SHAPE = {"name": "moving-shape", "size": 16, "clips": 16, "test_clips": 4, "frames": 6, "test_frames": LENGTH,
         "turns": "bounce", "start": "anywhere"}
STATES = {"name": "moving-states", "clips": 16, "test_clips": 4, "frames": 6, "test_frames": LENGTH}
RECURRENT = {"network": {"kind": "dcgan", "channels": 2}, "code_size": 8, "hidden": 8, "context": CONTEXT}
MODELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lp": (SHAPE, {"family": "svg-lp", "latent_size": 3, **RECURRENT}),
    "fp": (SHAPE, {"family": "svg-fp", "latent_size": 2, **RECURRENT}),
    "det": (SHAPE, {"family": "recurrent-predictor", **RECURRENT}),
    "sv2p": (SHAPE, {"family": "sv2p", "latent": "invariant", "channels": 1, "kernels": 2, "context": CONTEXT}),
    "states": (STATES, {"family": "svg-lp", **RECURRENT, "network": {"kind": "mlp"}}),
}


def make(root: Path, names: Sequence[str] = tuple(MODELS)) -> Path:
    """A store under `root` with these runs."""
    from vaecore.config import RunConfig, parse
    from vaecore.store import Store
    from vaecore.training import train

    for name in names:
        data, model = MODELS[name]
        config = parse(RunConfig, {"data": data, "model": model, "training": {
            "epochs": 1, "batch_size": 8, "snapshots": 0, "checkpoints": 0, "threads": 1}})
        train(Store(root).create(config, name).path, Unwatched())
    return root
