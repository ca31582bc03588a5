"""A schedule over a whole training, from the pure function of the step that it is, to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaecore.schedules.kl_cost import KLTerm

POINTS = 1201  # enough for the corners of a drop or a ramp to look sharp, and for a hundred cycles


def sampled(schedule: Callable[[int, int], float], total: int, epochs: float, scale: float = 1.0
            ) -> tuple[list[float], list[float]]:
    """The schedule at evenly spaced steps: epochs, and its values times `scale`."""
    total = max(1, total)
    steps = sorted({round(i * (total - 1) / (POINTS - 1)) for i in range(POINTS)})
    return [step * epochs / total for step in steps], [scale * schedule(step, total) for step in steps]


def cost_of_nothing(term: KLTerm, latent_size: int = 1) -> Callable[[int, int], float]:
    """What a KL of 0 in all of `latent_size` dimensions costs at a step, in nats.

    0 for the KL itself, the floor of free bits, the target C of a capacity.
    """
    import torch

    none = {"z": torch.zeros(latent_size, dtype=torch.float64)}
    return lambda step, total: float(term(none, step, total))
