"""Small models of clips with random weights, as runs of a store: nothing is trained, so they are there at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vaecore.config import RunConfig
from vaecore.data import EVENTS, Modality
from vaecore.models.video.shared import VideoFamily
from vaecore.schema import parse
from vaecore.store import Run, Store
from vaecore.training.checkpoints import WEIGHTS, save_weights

PIXELS = {"name": "moving-mnist", "source": "embedded", "size": 16, "frames": 6, "test_frames": 9, "test_clips": 4,
          "clips": 100}
STATES = {"name": "moving-states", "frames": 6, "test_frames": 9, "test_clips": 40, "clips": 100}
NETWORK = {"kind": "dcgan", "channels": 4}
SMALL = {"code_size": 8, "hidden": 8, "layers": 1, "context": 3}
MODELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lp": (PIXELS, {"family": "svg-lp", "latent_size": 3, "network": NETWORK, **SMALL}),
    "fp": (PIXELS, {"family": "svg-fp", "latent_size": 5, "network": NETWORK, **SMALL}),
    "one": (PIXELS, {"family": "recurrent-predictor", "network": NETWORK, **SMALL}),
    "states": (STATES, {"family": "svg-lp", "latent_size": 2, "network": {"kind": "mlp", "hidden": [8]}, **SMALL}),
    "sv2p": (PIXELS, {"family": "sv2p", "latent": "invariant", "channels": 4, "context": 3}),
    "pixels": (PIXELS, {"family": "video-pixel-network", "context": 3, "channels": 2, "hidden": 4, "layers": 1,
                        "dilations": [1]})}
BOUNCE = 5  # the frame of each clip that could not be foreseen


def model(name: str) -> tuple[RunConfig, VideoFamily]:
    data, values = MODELS[name]
    config = parse(RunConfig, {"data": data, "model": values})
    pixels = data is PIXELS
    modality = Modality("video", (6, 1, 16, 16)) if pixels else Modality("trajectory", (6, 4))
    torch.manual_seed(0)
    built = config.model.build({"frames": modality})
    assert isinstance(built, VideoFamily)
    return config, built.eval()


def clips(name: str, count: int = 3, frames: int = 9) -> torch.Tensor:
    """A bright square that moves, uint8 (count, frames, 1, 16, 16), or states between -1 and 1."""
    if MODELS[name][0] is STATES:
        return torch.rand(count, frames, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = torch.zeros(count, frames, 1, 16, 16, dtype=torch.uint8)
    for t in range(frames):
        found[:, t, :, 2:8, t % 10:t % 10 + 6] = 200
    return found


def make(root: Path, name: str) -> Run:
    """The run `name` in the store at `root`."""
    config, built = model(name)
    run = Store(root).create(config, name)
    save_weights(run.path / WEIGHTS, built, config, 0)
    stored = clips(name)
    events = torch.zeros(stored.shape[:2], dtype=torch.bool)
    events[:, BOUNCE] = True
    save_file({"frames": stored, EVENTS: events}, run.path / "examples.safetensors")
    return run
