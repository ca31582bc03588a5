"""What an encoder and a decoder are: plain maps between one modality and `size` numbers.

An encoder takes (B, *shape) to (B, size); a decoder takes (B, size) to (B, channels * shape[0], *shape[1:]).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

from torch import nn

from vaecore.data import Modality
from vaecore.schema import Strict

ActivationName = Literal["relu", "gelu", "tanh", "elu"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "elu": nn.ELU}


class NetworkConfig(Strict):
    """A choice of encoder and decoder, mirror images of each other."""

    flat: ClassVar[bool] = False  # whether it reads an image as a row of numbers

    def sized(self, modality: Modality, observations: int) -> Self:
        """The choice with as many stages as such observations need, as wide as so many of them can teach."""
        return self

    @abstractmethod
    def encoder(self, modality: Modality, size: int) -> nn.Module:
        """(B, *shape) -> (B, size); raises `ConfigError` for a modality it cannot take."""

    @abstractmethod
    def decoder(self, modality: Modality, size: int, channels: int) -> nn.Module:
        """(B, size) -> (B, channels * shape[0], *shape[1:])."""


def widened(shape: tuple[int, ...], channels: int) -> tuple[int, ...]:
    """The shape of a decoder's output: `channels` numbers for every observed one."""
    return (channels * shape[0], *shape[1:])
