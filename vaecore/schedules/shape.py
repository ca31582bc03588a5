"""A schedule over a whole training, from the pure function of the step that it is, to be drawn."""

from __future__ import annotations

from collections.abc import Callable

POINTS = 1201  # enough for the corners of a drop or a ramp to look sharp, and for a hundred cycles


def sampled(schedule: Callable[[int, int], float], total: int, epochs: float, scale: float = 1.0
            ) -> tuple[list[float], list[float]]:
    """The schedule at evenly spaced steps: epochs, and its values times `scale`."""
    total = max(1, total)
    steps = sorted({round(i * (total - 1) / (POINTS - 1)) for i in range(POINTS)})
    return [step * epochs / total for step in steps], [scale * schedule(step, total) for step in steps]
