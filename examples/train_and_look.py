"""Train a VAE in this process, then look at it: its numbers, and test images, reconstructions and samples as a PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import vaecore
from vaecore.explore.pictures import grid, png


def main(preset: str = "vae-mnist", output: str = "look.png", **settings: Any) -> float:
    """Train `preset` with `settings` changed; returns the test ELBO in nats."""
    checkpoint = vaecore.fit(preset, **settings)
    test = checkpoint.summary["test"]
    print(f"test ELBO {test['elbo']:.2f} nats; {checkpoint.active.sum()} of {checkpoint.size} dimensions in use")

    sixteen = slice(16)
    rows = [checkpoint.originals(sixteen), checkpoint.reconstruct(sixteen), checkpoint.sample(16, seed=1)]
    Path(output).write_bytes(png(grid(np.concatenate(rows), columns=16), scale=4))
    return float(test["elbo"])


if __name__ == "__main__":
    main(epochs=2)
