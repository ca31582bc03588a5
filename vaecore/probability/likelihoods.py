"""What a decoder's output means: p(x|z) of pixels, numbers and labels, and the choices of it. In nats.

Shapes: B observations, D observed size, `*event` the shape of one observation; sums run over event axes.

The log-variance of a per-pixel p(x|z) is bounded to [-4.5, 0] as in the released code of Tomczak & Welling (2018): its
likelihood is unbounded otherwise (Mattei & Frellsen, 2018). A single variance has a finite optimum, the mean squared
error, and is bounded only against overflow: it is learned by gradient, or taken to be that optimum at every step.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Protocol, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.modalities import Clip, Image, Label, Modality, Vector, Video
from vaecore.probability.gaussian import LOG_2PI, gaussian_log_prob
from vaecore.probability.whole import whole_mean
from vaecore.schema import Strict, option

PIXEL_LOGVAR = (-4.5, 0.0)
SHARED_LOGVAR = (-14.0, 14.0)
RECENT, REMEMBERED = 0.1, 100  # how far the mean of what training found reaches back: of its steps, and at most
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
        return _of_squares(squares, x.shape[1:].numel(), self.logvar)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device)
        return torch.addcmul(self.mean, (0.5 * self.logvar).exp(), noise)


def _of_squares(squares: Tensor, size: int, logvar: Tensor) -> Tensor:
    """log p of observations of `size` numbers by their squared errors, (B,), under one variance for all."""
    return -0.5 * (squares * (-logvar).exp() + size * (LOG_2PI + logvar))


@dataclass(frozen=True)
class FittedPixels(GaussianPixels):
    """Independent Gaussians while they are trained: of all variances the one that makes x likeliest.

    `logvar` is what training has found so far, and serves all but `log_prob`. There `fit` says the batch's own, from
    the squared error a number of each row and how much each counts: the mean squared error over rows and numbers. It
    makes the negative log-likelihood least, so its own gradient is zero: with the variance held fixed the gradient is
    that of D/2 log MSE (Rybkin et al. 2021).
    """

    fit: Callable[[Tensor, Tensor | None], Tensor]
    counts: Tensor | None = None  # (B,); None where all count alike

    def log_prob(self, x: Tensor) -> Tensor:
        squares, size = _per_observation((x - self.mean).square()), x.shape[1:].numel()
        return _of_squares(squares, size, self.fit(squares.detach() / size, self.counts))


def counted(p: Observation, counts: Tensor) -> Observation:
    """`p` whose row b counts `counts[b]` times in a loss, (B,): only a variance fitted to rows has to know."""
    return replace(p, counts=counts) if isinstance(p, FittedPixels) else p


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
    found: ClassVar[tuple[str, ...]] = ()  # names of buffers that training finds, and that go on in a fork

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
    sigma: float = option(0.1, "Standard deviation of every pixel. A beta-VAE in disguise: half the squared error "
                          "plus beta times the KL is the same as sigma^2 = beta (erratum E25).", unit="pixel value",
                          ge=0.001, le=100)

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


class GaussianOptimalConfig(LikelihoodConfig):
    """A Gaussian a pixel with the one sigma that is best, the root mean squared error: nothing to choose.

    In training that of each batch; elsewhere what the last steps of training found, as a sigma taken from what it
    scores would be no bound.
    """

    describes = (Image, Vector, Clip)
    kind: Literal["gaussian-optimal"] = "gaussian-optimal"

    def build(self) -> Likelihood:
        return GaussianOptimal()


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


LikelihoodChoice = Annotated[BernoulliConfig | GaussianFixedConfig | GaussianLearnedConfig | GaussianOptimalConfig
                             | GaussianPerPixelConfig | DiscretisedLogisticConfig,
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


class GaussianOptimal(Likelihood):
    """sigma^2 is the mean squared error: in training the batch's, elsewhere the mean of the last steps of training.

    Which of both follows `training`, as in a batch normalisation. `variance` reaches back over about the last tenth of
    the steps, and over 100 at most: a variance that is off by a share e costs D e^2 / 4 nats, so that a few steps would
    be too few, and the first ones, in which errors fall fast, have to be forgotten. Before any step it is 1.

    All samples of a row count alike. A bound that weighs them itself, by importance, stays a bound, of a sigma that is
    a little larger than its own best.
    """

    found = ("variance", "steps")
    variance: Tensor
    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, output: Tensor) -> Observation:
        mean, logvar = output.float(), _shared_logvar(self.variance)
        return FittedPixels(mean, logvar, self.fit) if self.training else GaussianPixels(mean, logvar)

    def fit(self, squares: Tensor, counts: Tensor | None = None) -> Tensor:
        """log sigma^2 of a batch from the squared error a number of each row, (B,); `variance` follows it.

        Rows are of all processes that share the batch. Those that count nothing, as of a modality that an observation
        lacks, say nothing; where none counts, nothing is learned.
        """
        if counts is None:
            best, learns = whole_mean(squares), torch.ones_like(self.steps)
        else:
            weight = whole_mean(counts)
            best, learns = whole_mean(squares * counts) / weight.clamp(min=1e-12), (weight > 0).to(self.steps)
        self.steps.add_(learns)
        newest = learns / (RECENT * (self.steps - 1) + 1).clamp(max=REMEMBERED)
        self.variance.mul_(1 - newest).add_(newest * best)
        return _shared_logvar(best)


def _shared_logvar(variance: Tensor) -> Tensor:
    return variance.clamp(min=math.exp(SHARED_LOGVAR[0])).log().clamp(*SHARED_LOGVAR)


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
