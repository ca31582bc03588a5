"""What a decoder's output means: p(x|z) of pixels, numbers and labels, and the choices of it. In nats.

Shapes: B observations, D observed size, `*event` the shape of one observation; sums run over event axes.

The log-variance of a per-pixel p(x|z) is bounded to [-4.5, 0] as in the released code of Tomczak & Welling (2018): its
likelihood is unbounded otherwise (Mattei & Frellsen, 2018). A single learned variance has a finite optimum, the mean
squared error, and is bounded only against overflow.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Protocol, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.modalities import Clip, Image, Label, Modality, Vector, Video
from vaecore.probability.gaussian import LOG_2PI, gaussian_log_prob
from vaecore.schema import Strict, option

PIXEL_LOGVAR = (-4.5, 0.0)
SHARED_LOGVAR = (-14.0, 14.0)
FACTORS = 112  # sigmoids of at least 1/2 whose product is a normal number in single precision, which ends at 2^-126


class Observation(Protocol):
    """p(x|z) for a batch of z; `mean` is (B, *event)."""

    @property
    def mean(self) -> Tensor: ...

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x|z) in nats an observation, (B,)."""
        ...

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A draw, (B, *event)."""
        ...


def _per_observation(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)


@dataclass(frozen=True)
class BernoulliPixels:
    """Independent pixels in [0, 1]; on grey levels the expected log-likelihood of their binarisation."""

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    def log_prob(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return -_per_observation(F.binary_cross_entropy_with_logits(self.logits, x, reduction="none"))
        return _bernoulli(self.logits.flatten(1), x.flatten(1))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean, generator=generator)


def _bernoulli(logits: Tensor, x: Tensor) -> Tensor:
    """log p of pixels x given logits l, both (B, D), in half the time of the cross entropy: (B,).

    x l - log(1 + e^l) = (x - 1/2) l - |l| / 2 + log s(|l|), with s the sigmoid. Its values there lie in [1/2, 1], so
    many of them are multiplied before a logarithm is taken.
    """
    size = logits.abs()
    linear = (logits * (x - 0.5)).sub_(size, alpha=0.5).sum(1)
    sigmoids, groups = size.sigmoid_(), size.shape[1] // FACTORS
    whole = sigmoids[:, :groups * FACTORS].view(len(sigmoids), groups, FACTORS).prod(2)
    rest = sigmoids[:, groups * FACTORS:].prod(1)
    return linear + whole.log_().sum(1) + rest.log_()


@dataclass(frozen=True)
class GaussianPixels:
    """Independent Gaussians; `logvar` broadcasts against `mean`: equation (12)."""

    mean: Tensor
    logvar: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        if self.logvar.ndim:
            return _per_observation(gaussian_log_prob(x, self.mean, self.logvar))
        squares = _per_observation((x - self.mean).square())  # one variance for all: scaled once they are summed
        return -0.5 * (squares * (-self.logvar).exp() + x.shape[1:].numel() * (LOG_2PI + self.logvar))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device)
        return torch.addcmul(self.mean, (0.5 * self.logvar).exp(), noise)


@dataclass(frozen=True)
class LaplacePixels:
    """Independent Laplace distributions with one scale b, which broadcasts against `mean`: an absolute error."""

    mean: Tensor
    scale: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        return -_per_observation((x - self.mean).abs() / self.scale + (2 * self.scale).log())

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        u = torch.rand(self.mean.shape, generator=generator, device=self.mean.device) - 0.5
        return self.mean - self.scale * u.sign() * (-2 * u.abs()).clamp(min=-1 + 1e-6).log1p()


@dataclass(frozen=True)
class DiscretisedLogisticPixels:
    """8-bit pixels: the mass a logistic puts on each of 256 bins, the outer ones open (Kingma et al., 2016)."""

    mean: Tensor
    log_scale: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        inverse = (-self.log_scale).exp()
        centre = (x - self.mean) * inverse
        half = inverse / 510  # half of a bin of width 1/255
        below = F.logsigmoid(centre + half)  # log of the mass under the bin's upper edge
        above = F.logsigmoid(half - centre)  # log of the mass over its lower edge
        # s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)): no difference of nearly equal numbers
        inside = below + above + torch.log(-torch.expm1(-2 * half))
        open_below = torch.where(x <= 0.5 / 255, below, inside)
        return _per_observation(torch.where(x >= 254.5 / 255, above, open_below))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        u = torch.rand(self.mean.shape, generator=generator, device=self.mean.device).clamp(1e-6, 1 - 1e-6)
        x = self.mean + self.log_scale.exp() * (u.log() - (-u).log1p())
        return (x * 255).round().clamp(0, 255) / 255


@dataclass(frozen=True)
class CategoricalLabel:
    """One of D classes, as a one-hot row."""

    logits: Tensor  # (B, D)

    @property
    def mean(self) -> Tensor:
        """Probabilities of the classes, (B, D)."""
        return self.logits.softmax(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        return (x * self.logits.log_softmax(-1)).sum(-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        drawn = torch.multinomial(self.mean, 1, generator=generator)[:, 0]
        return F.one_hot(drawn, self.logits.shape[-1]).to(self.logits)


class Likelihood(nn.Module):
    """Turns a decoder's output (B, channels * C, ...) into p(x|z); owns what is shared by all pixels."""

    channels = 1  # numbers the decoder gives per observed number
    squashed = False  # whether `observed` brings what the decoder gives into (0, 1) first, where a mean of pixels lies

    @abstractmethod
    def forward(self, output: Tensor) -> Observation: ...

    def observed(self, output: Tensor) -> Observation:
        """p(x|z) from the output of a decoder that ends in numbers without bounds, as those of frames do."""
        found: Observation = self(output.sigmoid() if self.squashed else output)
        return found


class LikelihoodConfig(Strict):
    """A choice of p(x|z)."""

    describes: ClassVar[tuple[type[Modality], ...]]  # the kinds of modality that it is a density or mass of

    @classmethod
    def with_sigma(cls, sigma: float) -> Self:  # noqa: ARG003 (for those that have a sigma)
        """The choice for one of several modalities, which share one `sigma`."""
        return cls()

    @abstractmethod
    def build(self) -> Likelihood: ...


class BernoulliConfig(LikelihoodConfig):
    """Black or white with a probability a pixel; the usual choice for digits."""

    describes = (Image, Video)
    kind: Literal["bernoulli"] = "bernoulli"

    def build(self) -> Likelihood:
        return Bernoulli()


class GaussianFixedConfig(LikelihoodConfig):
    """A Gaussian a pixel with one given sigma. A small sigma weighs the reconstruction more."""

    describes = (Image, Vector, Clip)
    kind: Literal["gaussian"] = "gaussian"
    sigma: float = option(0.1, "Standard deviation of every pixel; beta-VAE in disguise, since scaling sigma "
                          "squared scales beta.", unit="pixel value", ge=0.001, le=100)

    @classmethod
    def with_sigma(cls, sigma: float) -> Self:
        return cls(sigma=sigma)

    def build(self) -> Likelihood:
        return _GaussianShared(self.sigma, learned=False)


class GaussianLearnedConfig(LikelihoodConfig):
    """A Gaussian a pixel with one sigma, learned: its optimum is the root mean squared error."""

    describes = (Image, Vector, Clip)
    kind: Literal["gaussian-learned"] = "gaussian-learned"
    initial_sigma: float = option(0.5, "Standard deviation at the start.", unit="pixel value", ge=0.001, le=100)

    def build(self) -> Likelihood:
        return _GaussianShared(self.initial_sigma, learned=True)


class GaussianPerPixelConfig(LikelihoodConfig):
    """A Gaussian a pixel whose sigma the decoder gives too, bounded to [0.105, 1]: equation (12)."""

    describes = (Image, Vector)
    kind: Literal["gaussian-per-pixel"] = "gaussian-per-pixel"

    def build(self) -> Likelihood:
        return GaussianPerPixel()


class LaplaceConfig(LikelihoodConfig):
    """A Laplace distribution a pixel with one given scale: the absolute error, as PredNet has it (erratum E15)."""

    describes = (Clip,)
    kind: Literal["laplace"] = "laplace"
    scale: float = option(0.1, "Scale b of every pixel; a standard deviation is 1.41 b.", unit="pixel value", ge=0.001,
                          le=100)

    def build(self) -> Likelihood:
        return Laplace(self.scale)


class DiscretisedLogisticConfig(LikelihoodConfig):
    """The probability of each 8-bit grey level under a logistic with one learned scale."""

    describes = (Image,)
    kind: Literal["discretised-logistic"] = "discretised-logistic"
    initial_scale: float = option(0.1, "Scale at the start.", unit="pixel value", ge=0.001, le=10)

    def build(self) -> Likelihood:
        return DiscretisedLogistic(self.initial_scale)


LikelihoodChoice = Annotated[BernoulliConfig | GaussianFixedConfig | GaussianLearnedConfig | GaussianPerPixelConfig
                             | DiscretisedLogisticConfig,
                             Field(discriminator="kind")]


class CategoricalConfig(LikelihoodConfig):
    """One of D classes; what a label is."""

    describes = (Label,)
    kind: Literal["categorical"] = "categorical"

    def build(self) -> Likelihood:
        return Categorical()


class Categorical(Likelihood):
    def forward(self, output: Tensor) -> Observation:
        return CategoricalLabel(output.float())


class Bernoulli(Likelihood):
    def forward(self, output: Tensor) -> Observation:
        return BernoulliPixels(output.float())


class _GaussianShared(Likelihood):
    logvar: Tensor

    def __init__(self, sigma: float, *, learned: bool) -> None:
        super().__init__()
        logvar = torch.tensor(2 * math.log(sigma))
        if learned:
            self.logvar = nn.Parameter(logvar)
        else:
            self.register_buffer("logvar", logvar)

    def forward(self, output: Tensor) -> Observation:
        return GaussianPixels(output.float(), self.logvar.clamp(*SHARED_LOGVAR))


class Laplace(Likelihood):
    scale: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, output: Tensor) -> Observation:
        return LaplacePixels(output.float(), self.scale)


class GaussianPerPixel(Likelihood):
    channels = 2

    def forward(self, output: Tensor) -> Observation:
        mean, logvar = output.float().chunk(2, dim=1)
        return GaussianPixels(mean, F.hardtanh(logvar, *PIXEL_LOGVAR))


class DiscretisedLogistic(Likelihood):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, output: Tensor) -> Observation:
        return DiscretisedLogisticPixels(output.float(), self.log_scale.clamp(-7, 3))
