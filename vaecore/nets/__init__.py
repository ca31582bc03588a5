"""Encoders and decoders. A new kind is a file beside these and a member of the union below."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vaecore.nets.base import NetworkConfig
from vaecore.nets.convolutional import ConvConfig, ResConvConfig
from vaecore.nets.mlp import LinearConfig, MLPConfig

Network = Annotated[ConvConfig | ResConvConfig | MLPConfig | LinearConfig, Field(discriminator="kind")]

__all__ = ["ConvConfig", "LinearConfig", "MLPConfig", "Network", "NetworkConfig", "ResConvConfig"]
