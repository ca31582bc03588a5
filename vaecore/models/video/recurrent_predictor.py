"""The deterministic recurrent predictor: SVG's networks without a latent, the baseline that averages futures.

The lecture's auto-regressive model with additive noise: x_t = f(x_0..x_{t-1}) + e. After an event that could go two
ways its best prediction is the mean of both, which is blurred.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from vaecore.data import Modality
from vaecore.models.base import Approach, Family, Modalities
from vaecore.models.video.recurrent_video import RecurrentVideo, RecurrentVideoConfig, State
from vaecore.probability.gaussian import DiagonalGaussian


class RecurrentPredictorConfig(RecurrentVideoConfig):
    """One future: frame encoder, LSTM, frame decoder."""

    title: ClassVar[str] = "Recurrent predictor"
    approach: ClassVar[Approach] = "autoregressive"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    family: Literal["recurrent-predictor"] = "recurrent-predictor"

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return RecurrentPredictor(modalities, self)


class RecurrentPredictor(RecurrentVideo):
    def __init__(self, modalities: Modalities, config: RecurrentPredictorConfig) -> None:
        super().__init__(modalities, config, 0)

    def posterior(self, codes: Tensor) -> DiagonalGaussian:
        raise ValueError("a deterministic predictor has no code.")

    def next_prior(self, codes: Tensor, state: State | None) -> tuple[DiagonalGaussian, State | None]:
        raise ValueError("a deterministic predictor has no code.")
