"""What a latent dimension carries, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint


def information(checkpoint: Checkpoint, dimension: int) -> str:
    """What a dimension carries, in words."""
    kl = checkpoint.kl
    return f"{kl[dimension]:.2f} nats" if kl is not None else f"spread {checkpoint.spread[1][dimension]:.2f}"
