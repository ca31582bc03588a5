"""Stochastic video generation with a fixed or a learned prior (SVG-FP and SVG-LP, Denton & Fergus 2018).

Equations (32) to (35): q(z_t | x_0..x_t) by one LSTM, p(z_t) = N(0, I) or p(z_t | x_0..x_{t-1}) by another, and frames
by a third that reads the code of the frame before and z_t. The KL needs no expectation over z, because prior and
posterior read frames only (erratum E16). At t = 1 the prior has seen one frame.

All frames of all clips are encoded in two batched calls, those of the context and the others, and each LSTM runs over
whole clips where its inputs are known in advance. Published code encodes each frame twice and unrolls step by step,
which takes about twice as long.
Shapes: B clips, T frames, N futures, r latent size, g size of a frame's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from vaecore.data import Modality
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.video.feeding import FED_ANEW, FeedingChoice, TeacherForcing
from vaecore.models.video.shared import (
    Predicted,
    RollOut,
    State,
    VideoConfig,
    VideoFamily,
    code,
    step_by_step,
)
from vaecore.nets.frames import DCGANConfig, FrameMLPConfig, FrameNetwork, decode_clips, encode_clips, grouped
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option


class RecurrentVideoConfig(VideoConfig):
    """Fields of SVG, and of the same networks without a latent."""

    network: FrameNetwork = option(DCGANConfig(), "Encoder and decoder of frames.")
    code_size: int = option(128, "Size g of a frame's code.", unit="units", ge=1, le=4096)
    hidden: int = option(256, "Size of the LSTMs' states.", unit="units", ge=1, le=4096)
    layers: int = option(2, "Layers of the predictor's LSTM.", unit="layers", ge=1, le=8)
    feeding: FeedingChoice = option(TeacherForcing(), "Which frames the predictor reads in training.")


class SVGConfig(RecurrentVideoConfig):
    """Fields of both priors."""

    approach: ClassVar[Approach] = "variational autoencoder"
    learned: ClassVar[bool] = True  # whether the prior reads the frames before
    latent_size: int = option(10, "Size r of the latent z of each frame.", symbol="z", unit="dimensions", ge=1, le=1024)


class SVGFixedPriorConfig(SVGConfig):
    """A code of N(0, I) for each frame: equations (32) and (33)."""

    title: ClassVar[str] = "SVG-FP (fixed prior)"
    equations: ClassVar[str] = "32–33"
    learned: ClassVar[bool] = False
    family: Literal["svg-fp"] = "svg-fp"

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return SVG(modalities, self)


class SVGLearnedPriorConfig(SVGConfig):
    """A code whose prior has read the frames before, so that it knows when something may happen: (34) and (35)."""

    title: ClassVar[str] = "SVG-LP (learned prior)"
    usual: ClassVar[Literal["", "few", "many"]] = "many"
    equations: ClassVar[str] = "34–35"
    family: Literal["svg-lp"] = "svg-lp"

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return SVG(modalities, self)


class SVG(VideoFamily):
    """SVG: x_t = Dec(LSTM(Enc(x_{t-1}), z_t), skips of the last frame given), z_t from a fixed or a learned prior."""

    def __init__(self, modalities: Given, config: SVGConfig | None = None, *, learned: bool = True, **fields: Any
                 ) -> None:
        """`learned` says which prior, where no configuration does."""
        config, modalities = described(SVGLearnedPriorConfig if learned else SVGFixedPriorConfig, config, fields,
                                       modalities)
        super().__init__(modalities, config)
        g, r, hidden = config.code_size, config.latent_size, config.hidden
        self.latent_size, self.feeding, self.true_share = r, config.feeding, config.feeding.true_share(0)
        self.encoder = config.network.encoder(self.frame, g)
        self.decoder = config.network.decoder(self.frame, g, self.likelihood.channels)
        self.predictor = LSTM(g + r, hidden, g, config.layers)
        self.inference = LSTM(g, hidden, 2 * r)
        self.learned_prior = LSTM(g, hidden, 2 * r) if config.learned else None
        self.bounded = not isinstance(config.network, FrameMLPConfig)  # whether codes of frames lie in (-1, 1)

    # -- the bound

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """Less the loss (35), or with the fixed prior (33)."""
        return Objective([(1.0, self.evidence(batch, self.encode(batch), generator))])

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """q(z_t | x_0..x_t) for t = 1..T-1, (B, T-1, r)."""
        h, skips = encode_clips(self.encoder, batch[self.modality], self.context)
        q = self.posterior(h)
        return {"z": Encoded(q.mean, q.logvar, h, skips)}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The terms of (33) or (35), of x_1..x_{T-1} given x_0: reconstruction (B,), KL (B, T-1, r)."""
        x, q = batch[self.modality], posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        h, skips = self.read(x, q)
        z = q.rsample(generator)[0]  # z_t ~ q(z_t | x_0..x_t)
        frames = self.next_frames(x, h, skips, z, generator)  # p(x_t | z_1..z_t, x_0..x_{t-1})
        log_prob = frames.log_prob(x[:, 1:].flatten(0, 1)).view(len(x), -1)  # (B, T-1)
        p = None if self.learned_prior is None else self.next_prior(h[:, :-1])[0]  # p(z_t | x_0..x_{t-1}), or N(0, I)
        kl = q.kl_from_standard() if p is None else gaussian_kl(q, p)  # KL(q(z_t | x_0..x_t) || p), (B, T-1, r)
        return Evidence({self.modality: log_prob.sum(1)}, {"z": kl})

    def posterior(self, h: Tensor) -> DiagonalGaussian:
        """q(z_t | x_0..x_t) for t = 1..T-1, from codes of all frames (B, T, g): (B, T-1, r)."""
        # The LSTM reads x_0 too: a move is seen from two frames.
        return DiagonalGaussian.bounded(self.inference(h)[0][:, 1:])

    def next_prior(self, h: Tensor, state: State | None = None) -> tuple[DiagonalGaussian, State | None]:
        """p(z_t | x_0..x_{t-1}) of (34) from codes (B, S, g) of the frames before: (B, S, r), and the LSTM's state."""
        if self.learned_prior is None:
            zeros = h.new_zeros(*h.shape[:2], self.latent_size)
            return DiagonalGaussian(zeros, zeros), None
        parameters, state = self.learned_prior(h, state)
        return DiagonalGaussian.bounded(parameters), state

    def next_frames(self, x: Tensor, h: Tensor, skips: list[Tensor], z: Tensor, generator: torch.Generator | None = None
                    ) -> Observation:
        """p(x_t | z_1..z_t, x_0..x_{t-1}) for t = 1..T-1, of (B * (T-1), *frame), clip by clip.

        From true frames unless `feeding` says otherwise in training.
        """
        if self.training and self.true_share < 1:
            true = torch.rand(h.shape[:2], generator=generator, device=h.device) < self.true_share
            return self.likelihood.observed(self.fed_back(h, skips, z, true))
        g, _ = self.predict(torch.cat([h[:, :-1], z], 2))
        return self.likelihood.observed(decode_clips(self.decoder, g, skips, self.context))

    def predict(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """What the decoder reads (B, S, g), bounded like the encoder's codes, from codes of frames and z together."""
        g, state = self.predictor(inputs, state)
        return (g.tanh() if self.bounded else g), state

    def fed_back(self, h: Tensor, skips: list[Tensor], z: Tensor, true: Tensor) -> Tensor:
        """What the decoder gives, (B * (T-1), ...), where it reads frames that it predicted.

        A frame after the context is read as it was if `true` (B, T) says so, and else as it was predicted.
        """
        return step_by_step(
            h, skips, true, self.context, self.decoder,
            lambda read, t, state: self.predict(torch.cat([read, z[:, t - 1]], 1)[:, None], state),
            lambda output: self.encoder(self.likelihood.observed(output).mean)[0])

    # -- futures

    def roll_out(self, past: Tensor, horizon: int, noise: Tensor, generator: torch.Generator | None = None) -> RollOut:
        """Futures of clips: z_t from the prior, and each frame that was predicted is read as if it were true."""
        clips, futures = len(past), len(noise)
        h, skips = encode_clips(self.encoder, past, past.shape[1])
        predictor: State | None = None
        prior: State | None = None
        if past.shape[1] > 1:
            _, prior = self.next_prior(h[:, :-1])
            _, predictor = self.predict(torch.cat([h[:, :-1], self.posterior(h).mean], 2))
        prepared = self.decoder.prepare([grouped(skip, clips)[:, -1] for skip in skips])
        # The futures of a clip go on from one past: its states are repeated, its skips are not.
        predictor, prior = _repeated(predictor, futures), _repeated(prior, futures)
        h = h[:, -1:].expand(-1, futures, -1).flatten(0, 1)  # (B N, g)
        frames, codes, spreads = [], [], []
        for t in range(horizon):
            p, prior = self.next_prior(h[:, None], prior)
            spread = (0.5 * p.logvar[:, 0]).exp()
            z = torch.addcmul(p.mean[:, 0], spread, noise[:, t].to(h).expand(clips, futures, -1).flatten(0, 1))
            g, predictor = self.predict(torch.cat([h, z], 1)[:, None], predictor)
            x = self.likelihood.observed(self.decoder(grouped(g[:, 0], clips), prepared)).mean
            if t + 1 < horizon:
                h, _ = self.encoder(x)
            frames.append(grouped(x, clips))
            codes.append(grouped(z, clips))
            spreads.append(grouped(spread, clips))
        return RollOut(torch.stack(frames, 2), torch.stack(codes, 2), torch.stack(spreads, 2))

    # -- what is asked of every family of clips

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}

    @property
    def prior_moves(self) -> bool:
        return self.learned_prior is not None

    def at_step(self, step: int, total: int) -> None:
        self.true_share = self.feeding.true_share(step)

    def varies(self, total: int) -> str:
        return "" if isinstance(self.feeding, TeacherForcing) else FED_ANEW

    def predictions(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None,
                    *, mean: bool = False) -> Predicted:
        x, q = batch[self.modality], posteriors["z"]
        h, skips = self.read(x, q)
        return Predicted(self.next_frames(x, h, skips, code(q, generator, mean=mean), generator), len(x))

    def priors(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> DiagonalGaussian:
        """p(z_t | x_0..x_{t-1}) for t = 1..T-1, (B, T-1, r)."""
        h, _ = self.read(batch[self.modality], posteriors["z"])
        return self.next_prior(h[:, :-1])[0]

    def divergences(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        q = posteriors["z"]
        assert isinstance(q, DiagonalGaussian)
        return {"z": gaussian_kl(q, self.priors(batch, posteriors)) if self.prior_moves else q.kl_from_standard()}

    def read(self, x: Tensor, q: Posterior) -> tuple[Tensor, list[Tensor]]:
        """Codes (B, T, g) and skips of clips, as the posterior was made from them."""
        return (q.codes, q.skips) if isinstance(q, Encoded) else encode_clips(self.encoder, x, self.context)

    def inference_parameters(self) -> list[nn.Parameter]:
        return list(self.inference.parameters())


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


@dataclass(frozen=True)
class Encoded(DiagonalGaussian):
    """Posteriors with what predictions need too: codes (B, T, g) of the frames they were made from, and skips."""

    codes: Tensor
    skips: list[Tensor]


def _repeated(state: State | None, times: int) -> State | None:
    """The state of each clip for so many futures, clip by clip."""
    if state is None or times == 1:
        return state
    h, c = (part.repeat_interleave(times, 1) for part in state)
    return h, c
