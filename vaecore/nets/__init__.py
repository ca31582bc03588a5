"""Encoders and decoders. A new kind is a file beside these and a member of the union below."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vaecore.nets.base import NetworkConfig
from vaecore.nets.convolutional import Conv, ResConv
from vaecore.nets.mlp import MLP, Linear

Network = Annotated[Conv | ResConv | MLP | Linear, Field(discriminator="kind")]

__all__ = ["MLP", "Conv", "Linear", "Network", "NetworkConfig", "ResConv"]
