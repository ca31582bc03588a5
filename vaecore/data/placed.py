"""What a training step reads that is neither data nor learned: a table, a stamp, on the device where it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Placed:
    """A tensor on every device it was asked for. A copy at each step would wait for the device, and for its graph."""

    def __init__(self, tensor: Tensor) -> None:
        self._first, self._on = tensor, {tensor.device: tensor}

    def on(self, device: torch.device) -> Tensor:
        if device not in self._on:
            self._on[device] = self._first.to(device)
        return self._on[device]
