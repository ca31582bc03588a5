"""PredNet (Lotter et al. 2016): a stack of layers in which each predicts what the layer below got wrong.

At each frame states R_l are updated from the top down, each from its own state, its last errors and the state above;
then, from the bottom up, each layer predicts its input, A^_l = relu(conv(R_l)), and hands on the errors
E_l = [relu(A^_l - A_l), relu(A_l - A^_l)], A_{l+1} = pool(relu(conv(E_l))). The prediction of a frame is A^_0, cut off
at 1, from the frames before it alone.

The lecture says that it minimises a squared error. Its loss is the mean of the rectified errors, and since
relu(d) + relu(-d) = |d| that is an absolute one (erratum E15): p(x_t | x_0..x_{t-1}) is a Laplace distribution, exact,
without a latent. Errors of higher layers are penalties on the published scale: a loss sum_l lambda_l mean(E_l) a
frame, multiplied by 2 D / b, is the negative log-likelihood up to a constant (D pixels, b the scale).
Ours: the pixel layer's state has as many channels as the layer above, since one of a grey frame would carry little;
and where A^_0 is cut off at 0 or 1 its gradient is not, or a network of mostly black frames would soon predict black
and learn nothing more.
Shapes: B clips, T frames, N futures of a clip, C_l channels of layer l, (H, W) halved by each layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.modalities import Modality, Video
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.video.feeding import FED_ANEW, FeedingChoice, TeacherForcing
from vaecore.models.video.shared import Predicted, RollOut, VideoConfig, VideoFamily
from vaecore.nets.convolutional import channels_last
from vaecore.nets.recurrent import ConvLSTMCell, State
from vaecore.probability.likelihoods import LaplaceConfig, Observation
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option, problem

Channels = Annotated[int, Field(ge=1, le=1024)]
WEIGHTS = {"l0": 0.0, "all": 0.1}  # lambda of each layer above the pixels, whose own is 1


class PredNetConfig(VideoConfig):
    """Layers that predict each other's errors."""

    title: ClassVar[str] = "PredNet"
    approach: ClassVar[Approach] = "autoregressive"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    reads: ClassVar[tuple[type[Modality], ...]] = (Video,)
    family: Literal["prednet"] = "prednet"
    likelihood: LaplaceConfig = option(LaplaceConfig(), "p(x) of each frame: an absolute error (erratum E15).")
    channels: tuple[Channels, ...] = option((16, 32), "Channels of the layers above the pixels; each halves the frame.",
                                            min_length=1, max_length=6)
    layer_weights: Literal["l0", "all"] = option("l0", "Whether errors of the pixels alone are minimised, or with a "
                                                 "weight of 0.1 those of every layer above.")
    feeding: FeedingChoice = option(TeacherForcing(), "Which frames are read in training; the published network is "
                                    "tuned on its own predictions before it predicts several.")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return PredNet(modalities, self)


class Layer(NamedTuple):
    """What a layer holds between frames: the recurrent state, none before the first, and errors (B, 2 C_l, H, W)."""

    state: State | None
    errors: Tensor

    @property
    def output(self) -> Tensor:
        """The layer's output R_l."""
        assert self.state is not None
        return self.state[0]


class PredNet(VideoFamily):
    """Layers that predict each other's errors: log p of a clip, exact."""

    def __init__(self, modalities: Given, config: PredNetConfig | None = None, **fields: Any) -> None:
        config, modalities = described(PredNetConfig, config, fields, modalities)
        super().__init__(modalities, config)
        colours, *sides = self.frame
        for side in sides:
            if side % 2 ** len(config.channels):
                raise problem("model.channels", list(config.channels), f"{len(config.channels)} layers halve frames of "
                              f"{side} pixels so often that an odd side is left.",
                              ("Use fewer layers, or" if len(config.channels) > 1 else "Use")
                              + f" a data.size that {2 ** len(config.channels)} divides.",
                              *([f"model.channels={list(config.channels[:-1])}"] if len(config.channels) > 1 else []),
                              "data.size=32")
        self.feeding, self.true_share = config.feeding, config.feeding.true_share(0)
        self.weight, self.scale = WEIGHTS[config.layer_weights], config.likelihood.scale
        inputs = [colours, *config.channels]  # C_l of A_l and of its prediction
        states = [config.channels[0], *config.channels]
        self.states = nn.ModuleList(ConvLSTMCell(2 * c + above, r, gate="hard")
                                    for c, r, above in zip(inputs, states, [*states[1:], 0], strict=True))
        self.heads = nn.ModuleList(channels_last(nn.Conv2d(r, c, 3, padding=1))
                                   for c, r in zip(inputs, states, strict=True))
        self.lifts = nn.ModuleList(channels_last(nn.Conv2d(2 * a, b, 3, padding=1)) for a, b in pairwise(inputs))
        self.inputs = inputs

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """log p(x_1..x_{T-1} | x_0), exact, and the mean errors of each layer above the pixels in the same unit."""
        x = batch[self.modality]
        frames, errors = self._run(x, generator, higher=self.weight > 0)  # p(x_t | x_0..x_{t-1})
        log_prob = frames.log_prob(x[:, 1:].flatten(0, 1)).view(len(x), -1)  # (B, T-1)
        # A loss of 1 a frame, averaged over 2 D rectified errors, is 2 D / b nats.
        scale = 2 * x[0, 0].numel() * self.weight / self.scale
        penalties = {f"errors of layer {layer}": scale * error for layer, error in enumerate(errors, 1)}
        return Objective([(1.0, Evidence({self.modality: log_prob.sum(1)}, {}))], penalties)

    def _run(self, x: Tensor, generator: torch.Generator | None, *, higher: bool = False
             ) -> tuple[Observation, list[Tensor]]:
        """p(x_t | x_0..x_{t-1}) for t = 1..T-1, of (B * (T-1), *frame), clip by clip; with `higher` the mean errors of
        each layer above the pixels, summed over those frames."""
        clips, frames = x.shape[:2]
        fed_back = self.training and self.true_share < 1
        true = torch.rand(clips, frames, generator=generator, device=x.device) < self.true_share if fed_back else None
        layers, found = self._start(x[:, 0]), []
        errors = [x.new_zeros(()) for _ in self.inputs[1:]] if higher else []
        for t in range(frames):
            layers, predicted = self._down(layers)
            found.append(predicted)
            if t + 1 == frames and not higher:
                break
            read = x[:, t]
            if true is not None and t >= self.context:
                read = torch.where(true[:, t, None, None, None], read, predicted)
            layers = self._up(layers, read, predicted)
            if t and higher:
                errors = [total + layer.errors.mean() for total, layer in zip(errors, layers[1:], strict=True)]
        return self.likelihood(torch.stack(found[1:], 1).flatten(0, 1)), errors

    def _start(self, x: Tensor) -> list[Layer]:
        """Before the first frame (B, C, H, W): all is zero."""
        height, width = x.shape[2:]
        return [Layer(None, x.new_zeros(len(x), 2 * channels, height >> level, width >> level))
                for level, channels in enumerate(self.inputs)]

    def _down(self, layers: list[Layer]) -> tuple[list[Layer], Tensor]:
        """States from the top down, and the prediction of the next frame (B, C, H, W)."""
        updated: list[Layer] = []
        for cell, layer in zip(reversed(list(self.states)), reversed(layers), strict=True):
            read = [layer.errors]
            if updated:
                read.append(F.interpolate(updated[-1].output, scale_factor=2))
            updated.append(layer._replace(state=cell(torch.cat(read, 1), layer.state)))
        updated.reverse()
        return updated, cut(self.heads[0](updated[0].output))

    def _up(self, layers: list[Layer], x: Tensor, predicted: Tensor) -> list[Layer]:
        """Errors from the bottom up, of a frame and its prediction (B, C, H, W)."""
        updated = []
        for level, layer in enumerate(layers):
            if level:
                predicted = self.heads[level](layer.output).relu()
            errors = rectified(predicted, x)
            updated.append(layer._replace(errors=errors))
            if level < len(self.lifts):
                x = F.max_pool2d(self.lifts[level](errors).relu(), 2)
        return updated

    def roll_out(self, past: Tensor, horizon: int, noise: Tensor, generator: torch.Generator | None = None) -> RollOut:
        """The one future there is, N times over: every prediction is read as if it were the frame."""
        layers = self._start(past[:, 0])
        frames: list[Tensor] = []
        for t in range(past.shape[1] + horizon):
            layers, predicted = self._down(layers)
            if t >= past.shape[1]:
                frames.append(predicted)
            layers = self._up(layers, past[:, t] if t < past.shape[1] else predicted, predicted)
        return RollOut(torch.stack(frames, 1)[:, None].expand(-1, len(noise), *[-1] * (past.ndim - 1)))

    # -- what is asked of every family of clips

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
        return Predicted(self._run(x, generator)[0], len(x))


def cut(x: Tensor) -> Tensor:
    """x cut off at 0 and 1, with the gradient of x.

    That of an absolute error is 0 where the value cut off is right, and points inside where it is not.
    """
    return x + (x.clamp(0, 1) - x).detach()


def rectified(predicted: Tensor, x: Tensor) -> Tensor:
    """What was too much and what was too little, both positive, (B, 2 C, H, W); their sum is the absolute error."""
    return torch.cat([(predicted - x).relu(), (x - predicted).relu()], 1)
