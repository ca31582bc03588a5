"""The deterministic recurrent predictor: SVG's networks without a latent, the baseline that averages futures.

The lecture's auto-regressive model with additive noise: x_t = f(x_0..x_{t-1}) + e. After an event that could go two
ways its best prediction is the mean of both, which is blurred.
Shapes: B clips, T frames, N futures, g size of a frame's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.video.feeding import FED_ANEW, TeacherForcing
from vaecore.models.video.shared import Predicted, RollOut, State, VideoFamily, step_by_step
from vaecore.models.video.svg import LSTM, RecurrentVideoConfig
from vaecore.nets.frames import FrameMLPConfig, decode_clips, encode_clips, grouped
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior


class RecurrentPredictorConfig(RecurrentVideoConfig):
    """One future: frame encoder, LSTM, frame decoder."""

    title: ClassVar[str] = "Recurrent predictor"
    approach: ClassVar[Approach] = "autoregressive"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    family: Literal["recurrent-predictor"] = "recurrent-predictor"

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return RecurrentPredictor(modalities, self)


class RecurrentPredictor(VideoFamily):
    """One future of a clip: x_t = Dec(LSTM(Enc(x_{t-1})), skips of the last frame given)."""

    def __init__(self, modalities: Given, config: RecurrentPredictorConfig | None = None, **fields: Any) -> None:
        config, modalities = described(RecurrentPredictorConfig, config, fields, modalities)
        super().__init__(modalities, config)
        self.feeding, self.true_share = config.feeding, config.feeding.true_share(0)
        self.encoder = config.network.encoder(self.frame, config.code_size)
        self.decoder = config.network.decoder(self.frame, config.code_size, self.likelihood.channels)
        self.predictor = LSTM(config.code_size, config.hidden, config.code_size, config.layers)
        self.bounded = not isinstance(config.network, FrameMLPConfig)  # whether codes of frames lie in (-1, 1)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """log p(x_1..x_{T-1} | x_0), exact: there is no code to bound it by."""
        x = batch[self.modality]
        frames = self.next_frames(x, generator)  # p(x_t | x_0..x_{t-1})
        log_prob = frames.log_prob(x[:, 1:].flatten(0, 1)).view(len(x), -1)  # (B, T-1)
        return Objective([(1.0, Evidence({self.modality: log_prob.sum(1)}, {}))])

    def next_frames(self, x: Tensor, generator: torch.Generator | None = None) -> Observation:
        """p(x_t | x_0..x_{t-1}) for t = 1..T-1, of (B * (T-1), *frame), clip by clip.

        From true frames unless `feeding` says otherwise in training.
        """
        h, skips = encode_clips(self.encoder, x, self.context)
        if self.training and self.true_share < 1:
            true = torch.rand(h.shape[:2], generator=generator, device=h.device) < self.true_share
            return self.likelihood.observed(self.fed_back(h, skips, true))
        g, _ = self.predict(h[:, :-1])
        return self.likelihood.observed(decode_clips(self.decoder, g, skips, self.context))

    def predict(self, h: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """What the decoder reads (B, S, g), bounded like the encoder's codes (B, S, g)."""
        g, state = self.predictor(h, state)
        return (g.tanh() if self.bounded else g), state

    def fed_back(self, h: Tensor, skips: list[Tensor], true: Tensor) -> Tensor:
        """What the decoder gives, (B * (T-1), ...), where it reads frames that it predicted.

        A frame after the context is read as it was if `true` (B, T) says so, and else as it was predicted.
        """
        return step_by_step(h, skips, true, self.context, self.decoder,
                            lambda read, _, state: self.predict(read[:, None], state),
                            lambda output: self.encoder(self.likelihood.observed(output).mean)[0])

    def roll_out(self, past: Tensor, horizon: int, noise: Tensor, generator: torch.Generator | None = None) -> RollOut:
        """The one future there is, N times over: each frame that was predicted is read as if it were true."""
        h, skips = encode_clips(self.encoder, past, past.shape[1])
        state = self.predict(h[:, :-1])[1] if past.shape[1] > 1 else None
        prepared = self.decoder.prepare([grouped(skip, len(past))[:, -1] for skip in skips])
        read, frames = h[:, -1], []
        for t in range(horizon):
            g, state = self.predict(read[:, None], state)
            x = self.likelihood.observed(self.decoder(g, prepared)).mean
            frames.append(x)
            if t + 1 < horizon:
                read, _ = self.encoder(x)
        return RollOut(torch.stack(frames, 1)[:, None].expand(-1, len(noise), *[-1] * (past.ndim - 1)))

    @property
    def latents(self) -> dict[str, int]:
        return {}

    def at_step(self, step: int, total: int) -> None:
        self.true_share = self.feeding.true_share(step)

    def varies(self, total: int) -> str:
        return "" if isinstance(self.feeding, TeacherForcing) else FED_ANEW

    def predictions(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None,
                    *, mean: bool = False) -> Predicted:
        x = batch[self.modality]
        return Predicted(self.next_frames(x, generator), len(x))
