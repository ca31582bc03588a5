"""Frames by a recurrent network in the space of codes: what the deterministic predictor and SVG share.

All frames of all clips are encoded in one batched call, and each LSTM runs over whole clips where its inputs are known
in advance. Published code encodes each frame twice and unrolls step by step, which takes about twice as long.
Shapes: B clips, T frames, N futures, r latent size, g size of a frame's code.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaecore.models.base import Batch, Modalities
from vaecore.models.video.shared import (
    FeedingChoice,
    Predicted,
    RollOut,
    TeacherForcing,
    VideoConfig,
    VideoFamily,
    code,
)
from vaecore.nets.frames import DCGANConfig, FrameMLPConfig, FrameNetwork, grouped
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option

State = tuple[Tensor, Tensor]  # of an LSTM: (layers, B, hidden) twice


class RecurrentVideoConfig(VideoConfig):
    """Fields of a recurrent predictor with frame encoder and decoder."""

    network: FrameNetwork = option(DCGANConfig(), "Encoder and decoder of frames.")
    code_size: int = option(128, "Size g of a frame's code.", unit="units", ge=1, le=4096)
    hidden: int = option(256, "Size of the LSTMs' states.", unit="units", ge=1, le=4096)
    layers: int = option(2, "Layers of the predictor's LSTM.", unit="layers", ge=1, le=8)
    feeding: FeedingChoice = option(TeacherForcing(), "Which frames the predictor reads in training.")


class Memory(NamedTuple):
    """What a future needs of its past: states of the LSTMs, and prepared skips."""

    predictor: State | None
    prior: State | None
    skips: list[Tensor]


class RecurrentVideo(VideoFamily):
    """x_t = Dec(LSTM(Enc(x_{t-1}), z_t), skips of the last frame given); `latent_size` 0 has no z."""

    def __init__(self, modalities: Modalities, config: RecurrentVideoConfig, latent_size: int) -> None:
        super().__init__(modalities, config)
        self.latent_size, self.feeding, self.step = latent_size, config.feeding, 0
        self.encoder = config.network.encoder(self.frame, config.code_size)
        self.decoder = config.network.decoder(self.frame, config.code_size, self.likelihood.channels)
        self.predictor = LSTM(config.code_size + latent_size, config.hidden, config.code_size, config.layers)
        self.bounded = not isinstance(config.network, FrameMLPConfig)

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size} if self.latent_size else {}

    @property
    def noise_size(self) -> int:
        return self.latent_size

    def at_step(self, step: int, total: int) -> None:
        self.step = step

    @abstractmethod
    def posterior(self, codes: Tensor) -> DiagonalGaussian:
        """q(z_t | x_0..x_t) for t = 1..T-1, from codes of all frames (B, T, g): (B, T-1, r)."""

    @abstractmethod
    def next_prior(self, codes: Tensor, state: State | None) -> tuple[DiagonalGaussian, State | None]:
        """p(z_t | x_0..x_{t-1}) from codes (B, S, g) of the frames before: (B, S, r), and the LSTM's state."""

    def coded(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Of frames (B, T, *frame): codes (B, T, g), and skips of all B * T frames."""
        h, skips = self.encoder(x.flatten(0, 1))
        return grouped(h, len(x)), skips

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        if not self.latent_size:
            return {}
        h, skips = self.coded(batch[self.modality])
        q = self.posterior(h)
        return {"z": Encoded(q.mean, q.logvar, h, skips)}

    def predictions(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None,
                    *, mean: bool = False) -> Predicted:
        x = batch[self.modality]
        h, skips = self._read(batch, posteriors)
        z = code(posteriors["z"], generator, mean=mean) if self.latent_size else None
        true = self.feeding.true_share(self.step) if self.training else 1.0
        if true < 1:
            return self._fed_back(x, h, skips, z, true, generator)
        inputs = h[:, :-1] if z is None else torch.cat([h[:, :-1], z], 2)
        g, _ = self._predict(inputs, None)
        return Predicted(self.observed(self._decode(g, skips, x.shape[1])), len(x))

    def roll_out(self, past: Tensor, horizon: int, noise: Tensor, generator: torch.Generator | None = None) -> RollOut:
        clips, futures = len(past), len(noise)
        memory, h = self._remember(past)
        # The futures of a clip go on from one past: its states are repeated, its skips are not.
        memory = Memory(_repeated(memory.predictor, futures), _repeated(memory.prior, futures), memory.skips)
        h = h[:, None].expand(-1, futures, -1).flatten(0, 1)  # (B N, g)
        frames, codes, spreads = [], [], []
        for t in range(horizon):
            z = None
            if self.latent_size:
                p, state = self.next_prior(h[:, None], memory.prior)
                memory = memory._replace(prior=state)
                drawn = noise[:, t].to(h).expand(clips, futures, -1).flatten(0, 1)
                spread = (0.5 * p.logvar[:, 0]).exp()
                z = torch.addcmul(p.mean[:, 0], spread, drawn)
                codes.append(grouped(z, clips))
                spreads.append(grouped(spread, clips))
            inputs = h if z is None else torch.cat([h, z], 1)
            g, state = self._predict(inputs[:, None], memory.predictor)
            memory = memory._replace(predictor=state)
            x = self.observed(self.decoder(grouped(g[:, 0], clips), memory.skips)).mean
            frames.append(grouped(x, clips))
            if t + 1 < horizon:
                h, _ = self.encoder(x)
        stacked = torch.stack(frames, 2)
        return RollOut(stacked, torch.stack(codes, 2), torch.stack(spreads, 2)) if codes else RollOut(stacked)

    def _read(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> tuple[Tensor, list[Tensor]]:
        """Codes and skips of a batch, as the posterior was made from them."""
        q = posteriors.get("z")
        return (q.codes, q.skips) if isinstance(q, Encoded) else self.coded(batch[self.modality])

    def _predict(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        """What the decoder reads (B, S, g), bounded like the encoder's codes."""
        g, state = self.predictor(inputs, state)
        return (g.tanh() if self.bounded else g), state

    def _decode(self, g: Tensor, skips: list[Tensor], frames: int) -> Tensor:
        """(B, T-1, g) -> (B * (T-1), ...): frames of the context see the skips of the frame before them, later ones
        those of the last frame given."""
        clips, given = len(g), min(self.context, frames - 1)
        maps = [grouped(skip, clips) for skip in skips]
        later: Tensor = self.decoder(g[:, given - 1:], self.decoder.prepare([skip[:, given - 1] for skip in maps]))
        if given == 1:
            return later
        first = self.decoder(g[:, :given - 1].flatten(0, 1)[:, None],
                             self.decoder.prepare([skip[:, :given - 1].flatten(0, 1) for skip in maps]))
        return torch.cat([grouped(part, clips) for part in (first, later)], 1).flatten(0, 1)

    def _fed_back(self, x: Tensor, h: Tensor, skips: list[Tensor], z: Tensor | None, true: float,
                  generator: torch.Generator | None) -> Predicted:
        """Predictions where a frame after the context is read as it was with probability `true`, else as predicted."""
        clips, frames = x.shape[:2]
        maps = [grouped(skip, clips) for skip in skips]
        kept = torch.rand(clips, frames, generator=generator, device=x.device) < true
        outputs: list[Tensor] = []
        state: State | None = None
        read, prepared = h[:, 0], self.decoder.prepare([skip[:, 0] for skip in maps])
        for t in range(1, frames):
            inputs = read if z is None else torch.cat([read, z[:, t - 1]], 1)
            g, state = self._predict(inputs[:, None], state)
            outputs.append(self.decoder(g, prepared))
            read = h[:, t]
            if t < self.context:
                prepared = self.decoder.prepare([skip[:, t] for skip in maps])
            elif t + 1 < frames:
                own, _ = self.encoder(self.observed(outputs[-1]).mean)
                read = torch.where(kept[:, t, None], read, own)
        return Predicted(self.observed(torch.stack(outputs, 1).flatten(0, 1)), clips)

    def _remember(self, past: Tensor) -> tuple[Memory, Tensor]:
        """What B futures need of frames (B, c, *frame), and the code of the last one (B, g)."""
        h, skips = self.coded(past)
        predictor = prior = None
        if past.shape[1] > 1:
            inputs = h[:, :-1]
            if self.latent_size:
                inputs = torch.cat([inputs, self.posterior(h).mean], 2)
                _, prior = self.next_prior(h[:, :-1], None)
            _, predictor = self._predict(inputs, None)
        last = [grouped(skip, len(past))[:, -1] for skip in skips]
        return Memory(predictor, prior, self.decoder.prepare(last)), h[:, -1]


@dataclass(frozen=True)
class Encoded(DiagonalGaussian):
    """Posteriors with the codes (B, T, g) and skips of the frames they were made from, which predictions need too."""

    codes: Tensor
    skips: list[Tensor]


class LSTM(nn.Module):
    """Linear, LSTM, linear, as in SVG: (B, S, inputs) -> (B, S, outputs), and the state to go on from."""

    def __init__(self, inputs: int, hidden: int, outputs: int, layers: int = 1) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, hidden)
        self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        h, state = self.lstm(self.embed(x), state)
        return self.head(h), state


def _repeated(state: State | None, times: int) -> State | None:
    """The state of each clip for so many futures, clip by clip."""
    if state is None or times == 1:
        return state
    h, c = (part.repeat_interleave(times, 1) for part in state)
    return h, c
