"""Fully connected networks; with no hidden layer, the linear maps of PCA, linear AE and linear VAE."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import nn

from vaecore.data import Modality
from vaecore.nets.base import ACTIVATIONS, ActivationName, NetworkConfig, widened
from vaecore.schema import option

Width = Annotated[int, Field(ge=1, le=8192)]


class LinearConfig(NetworkConfig):
    """One linear map each way: with it a VAE is probabilistic PCA."""

    flat: ClassVar[bool] = True
    kind: Literal["linear"] = "linear"

    def encoder(self, modality: Modality, size: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(modality.size, size))

    def decoder(self, modality: Modality, size: int, channels: int) -> nn.Module:
        shape = widened(modality.shape, channels)
        return nn.Sequential(nn.Linear(size, int(np.prod(shape))), nn.Unflatten(1, shape))


class MLPConfig(NetworkConfig):
    """Fully connected layers."""

    title: ClassVar[str] = "MLP"
    flat: ClassVar[bool] = True
    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Width, ...] = option((400,), "Widths of the hidden layers from the data to the code; the decoder "
                                       "mirrors them.", unit="units", min_length=1, max_length=16)
    activation: ActivationName = option("relu", "Nonlinearity between layers.", advanced=True)

    def encoder(self, modality: Modality, size: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), *self._layers((modality.size, *self.hidden)),
                             nn.Linear(self.hidden[-1], size))

    def decoder(self, modality: Modality, size: int, channels: int) -> nn.Module:
        shape = widened(modality.shape, channels)
        return nn.Sequential(*self._layers((size, *reversed(self.hidden))),
                             nn.Linear(self.hidden[0], int(np.prod(shape))), nn.Unflatten(1, shape))

    def _layers(self, widths: tuple[int, ...]) -> list[nn.Module]:
        return [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), ACTIVATIONS[self.activation]())]
