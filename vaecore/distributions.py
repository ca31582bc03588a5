"""Gaussian posteriors, products and mixtures of them, and likelihoods. Everything is in nats; sums run over event axes.

Shapes: B observations, K samples, r latent size, D observed size, M experts, S subsets of them, `*event` the shape of
one observation.

Log-variances are bounded as in the released code of Tomczak & Welling (2018): by a hard tanh, to [-6, 2]
for q(z|x) and to [-4.5, 0] for a per-pixel p(x|z), whose likelihood is unbounded otherwise (Mattei &
Frellsen, 2018). A single learned variance has a finite optimum, the mean squared error, and is bounded
only against overflow.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.schema import Strict, option

POSTERIOR_LOGVAR = (-6.0, 2.0)
EXPERT_LOGVAR = (-14.0, 14.0)  # of a factor of a product: one that knows nothing is as wide as it likes
PIXEL_LOGVAR = (-4.5, 0.0)
SHARED_LOGVAR = (-14.0, 14.0)
LOG_2PI = math.log(2 * math.pi)


# -- posteriors ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z|x) = N(mean, diag(exp(logvar))), both (B, r); as a `Density`, p(z|u) of B observations."""

    mean: Tensor
    logvar: Tensor

    @classmethod
    def bounded(cls, parameters: Tensor) -> DiagonalGaussian:
        """From an encoder head (B, 2r): means, then log-variances to be bounded."""
        mean, logvar = parameters.float().chunk(2, dim=-1)
        return cls(mean, F.hardtanh(logvar, *POSTERIOR_LOGVAR))

    def rsample(self, generator: torch.Generator | None = None, n_samples: int = 1) -> Tensor:
        """Reparameterised samples (K, B, r): z = mean + sigma * eps, differentiable in both."""
        shape = (n_samples, *self.mean.shape)
        noise = torch.randn(shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return torch.addcmul(self.mean, (0.5 * self.logvar).exp(), noise)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) of samples (..., B, r): (..., B)."""
        return gaussian_log_prob(z, self.mean, self.logvar).sum(-1)

    def kl_from_standard(self) -> Tensor:
        """KL(q || N(0, I)) a latent dimension, (B, r): equation (16) with r, not p (erratum E3)."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - self.logvar - 1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """One code for each of the B observations, (B, r); `count` has to be B."""
        if count != len(self.mean):
            raise ValueError(f"{count} codes of a density of {len(self.mean)} observations: give a covariate for each.")
        return self.rsample(generator)[0]

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        """KL(q || self) a latent dimension, (B, r), in closed form. `z` is not needed."""
        return gaussian_kl(q, self)


@dataclass(frozen=True)
class Point:
    """A deterministic code (B, r), as an autoencoder's: it has a mean and no KL."""

    mean: Tensor


@dataclass(frozen=True)
class PosteriorMixture:
    """q(z|x) as a mixture of C Gaussians for each observation: `mean`s and `logvar`s (C, B, r), weights (C, B).

    The weights of an observation sum to one; a component may weigh nothing.
    """

    means: Tensor
    logvars: Tensor
    weights: Tensor

    @property
    def mean(self) -> Tensor:
        """(B, r)."""
        return (self.weights[..., None] * self.means).sum(0)

    @property
    def components(self) -> list[DiagonalGaussian]:
        """The C Gaussians, (B, r) each."""
        return [DiagonalGaussian(mean, logvar) for mean, logvar in zip(self.means, self.logvars, strict=True)]

    def rsample(self, generator: torch.Generator | None = None, n_samples: int = 1) -> Tensor:
        """Samples (K, B, r), each from a component drawn by weight; differentiable in means and variances only."""
        chosen = torch.multinomial(self.weights.T, n_samples, replacement=True, generator=generator).T  # (K, B)
        index = chosen[:, None, :, None].expand(-1, -1, -1, self.means.shape[2])  # (K, 1, B, r)
        mean, logvar = (x.expand(n_samples, *x.shape).gather(1, index)[:, 0] for x in (self.means, self.logvars))
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return torch.addcmul(mean, (0.5 * logvar).exp(), noise)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) of samples (..., B, r): (..., B)."""
        each = gaussian_log_prob(z[..., None, :, :], self.means, self.logvars).sum(-1)  # (..., C, B)
        return (each + self.weights.log()).logsumexp(-2)


Posterior = DiagonalGaussian | PosteriorMixture | Point


def together(parts: Sequence[DiagonalGaussian | PosteriorMixture]) -> DiagonalGaussian | PosteriorMixture:
    """The posteriors of several batches, one kind, as those of one: its observations in a row."""
    mixtures = [q for q in parts if isinstance(q, PosteriorMixture)]
    if mixtures:
        return PosteriorMixture(*(torch.cat([getattr(q, part) for q in mixtures], 1)
                                  for part in ("means", "logvars", "weights")))
    plain = [q for q in parts if isinstance(q, DiagonalGaussian)]
    return DiagonalGaussian(torch.cat([q.mean for q in plain]), torch.cat([q.logvar for q in plain]))


# -- products of experts ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Experts:
    """Gaussian factors of a posterior, one a modality: precision T_m and T_m mu_m, both (M, B, r).

    A factor is q(z|x_m) / p(z) of equation (23), not a density: it becomes a posterior only with the prior N(0, I),
    alone or with others (erratum E10). One that is missing has precision 0.
    """

    precision: Tensor
    shift: Tensor

    @classmethod
    def bounded(cls, parameters: Tensor) -> Experts:
        """From the heads (M, B, 2r) of encoders that give the factors themselves: means, then log-variances."""
        mean, logvar = parameters.float().chunk(2, dim=-1)
        precision = (-F.hardtanh(logvar, *EXPERT_LOGVAR)).exp()
        return cls(precision, precision * mean)

    @classmethod
    def quotients(cls, parameters: Tensor) -> Experts:
        """From heads (M, B, 2r) that give posteriors q(z|x_m), each divided by the prior.

        A quotient is a factor only where the posterior is narrower than the prior, so variances are kept below 1.
        """
        mean, raw = parameters.float().chunk(2, dim=-1)
        logvar = -F.softplus(-raw).clamp(max=-EXPERT_LOGVAR[0])
        return cls(torch.expm1(-logvar), (-logvar).exp() * mean)

    def where(self, observed: Tensor) -> Experts:
        """Only those that `observed` (M, B) says are there."""
        there = observed.to(self.precision)[..., None]
        return Experts(self.precision * there, self.shift * there)

    def product(self, subsets: Tensor) -> DiagonalGaussian:
        """The prior N(0, I) times the experts of each subset, `subsets` (S, M) of 0 and 1: S posteriors, (S, B, r).

        T = 1 + sum T_m and T mu = sum T_m mu_m (Wu & Goodman 2018): sums of positive numbers, in which nothing cancels.
        """
        shape = self.precision.shape
        chosen = subsets.to(self.precision)
        precision = 1 + (chosen @ self.precision.flatten(1)).view(-1, *shape[1:])
        shift = (chosen @ self.shift.flatten(1)).view(-1, *shape[1:])
        return DiagonalGaussian(shift / precision, -precision.log())


def gaussian_kl(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """KL(q || p) a latent dimension: equation (15)."""
    return 0.5 * (p.logvar - q.logvar - 1 + (q.logvar.exp() + (q.mean - p.mean).square()) * (-p.logvar).exp())


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; mean, exp(logvar)) elementwise: the summand of equation (12)."""
    return -0.5 * (LOG_2PI + logvar + (x - mean).square() * (-logvar).exp())


# -- priors ----------------------------------------------------------------------------------------


class Density(Protocol):
    """p(z), or p(z|u) of B observations at once, of codes (..., B, r)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z), (..., B)."""
        ...

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """`count` codes (count, r), differentiable in what the prior has learned where that is possible.

        Of p(z|u) one for each of the B observations, so `count` has to be B.
        """
        ...

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        """KL(q || p) for posteriors (B, r): a dimension (B, r) where it has a closed form, else in all (B, 1).

        What has none is estimated from codes z ~ q (K, B, r).
        """
        ...


@dataclass(frozen=True)
class StandardNormal:
    """N(0, I) in r dimensions: equation (5)."""

    size: int
    device: torch.device | None = None  # of samples

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z.square() + LOG_2PI).sum(-1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(count, self.size, generator=generator, device=self.device)

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        return q.kl_from_standard()


@dataclass(frozen=True)
class GaussianMixture:
    """sum_k w_k N(mean_k, diag(exp(logvar_k))): `mean` and `logvar` (C, r), `log_weights` (C,) or () for equal ones."""

    mean: Tensor
    logvar: Tensor
    log_weights: Tensor

    @classmethod
    def equal(cls, q: DiagonalGaussian) -> GaussianMixture:
        """The components weighed alike: an aggregated posterior."""
        return cls(q.mean, q.logvar, q.mean.new_tensor(-math.log(len(q.mean))))

    def log_prob(self, z: Tensor) -> Tensor:
        """A quadratic form in (z^2, z), so that all pairs of code and component are one matrix product.

        In it large squares cancel: in single precision narrow components a hundred apart were off by 56 nats. So it is
        taken in double precision and centred first; the result has the precision of `z`.
        """
        centre = self.mean.detach().double().mean(0)
        mean, logvar, rows = self.mean.double() - centre, self.logvar.double(), z.double().flatten(0, -2) - centre
        precision = (-logvar).exp()
        weights = torch.cat([-0.5 * precision, mean * precision], 1).T  # (2r, C)
        constant = self.log_weights.double() - 0.5 * (mean.square() * precision + logvar + LOG_2PI).sum(1)  # (C,)
        pairs = torch.addmm(constant, torch.cat([rows.square(), rows], 1), weights)  # (..., C)
        return pairs.logsumexp(1).to(z.dtype).view(z.shape[:-1])

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Components are drawn at random, each code from its own."""
        chosen = choose(self.log_weights.expand(count, len(self.mean)), generator)  # (count, C)
        noise = torch.randn(count, self.mean.shape[1], generator=generator, device=self.mean.device)
        return torch.addcmul(chosen @ self.mean, chosen @ (0.5 * self.logvar).exp(), noise)

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        return sampled_kl(self, q, z)


def sampled_kl(p: Density, q: DiagonalGaussian, z: Tensor) -> Tensor:
    """KL(q || p) in all, (B, 1), as the mean of log q(z|x) - log p(z) over codes z ~ q (K, B, r)."""
    return (q.log_prob(z) - p.log_prob(z)).mean(0)[:, None]


def choose(logits: Tensor, generator: torch.Generator | None = None, temperature: float = 0.1) -> Tensor:
    """One-hot draws (B, C) with probabilities softmax(logits), logits (B, C).

    Their gradient is that of the relaxed draw at `temperature`, straight through (Jang et al. 2017): without one the
    weights of a mixture could not learn from its samples.
    """
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device).clamp(1e-20, 1 - 1e-7)
    noisy = logits - (-uniform.log()).log()
    hard = F.one_hot(noisy.argmax(1), logits.shape[1]).to(logits)
    if not logits.requires_grad:
        return hard
    soft = (noisy / temperature).softmax(1)
    return hard + soft - soft.detach()


# -- what a decoder returns ------------------------------------------------------------------------


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
        return -_per_observation(F.binary_cross_entropy_with_logits(self.logits, x, reduction="none"))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean, generator=generator)


@dataclass(frozen=True)
class GaussianPixels:
    """Independent Gaussians; `logvar` broadcasts against `mean`: equation (12)."""

    mean: Tensor
    logvar: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        return _per_observation(gaussian_log_prob(x, self.mean, self.logvar))

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
        """Probabilities."""
        return self.logits.softmax(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        return (x * self.logits.log_softmax(-1)).sum(-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        drawn = torch.multinomial(self.mean, 1, generator=generator)[:, 0]
        return F.one_hot(drawn, self.logits.shape[-1]).to(self.logits)


# -- likelihoods as choices ------------------------------------------------------------------------


class Likelihood(nn.Module):
    """Turns a decoder's output (B, channels * C, ...) into p(x|z); owns what is shared by all pixels."""

    channels = 1  # numbers the decoder gives per observed number

    @abstractmethod
    def forward(self, output: Tensor) -> Observation: ...


class LikelihoodConfig(Strict):
    """A choice of p(x|z)."""

    @abstractmethod
    def build(self) -> Likelihood: ...


class Bernoulli(LikelihoodConfig):
    """Black or white with a probability a pixel; the usual choice for digits."""

    kind: Literal["bernoulli"] = "bernoulli"

    def build(self) -> Likelihood:
        return _Bernoulli()


class GaussianFixed(LikelihoodConfig):
    """A Gaussian a pixel with one given sigma. A small sigma weighs the reconstruction more."""

    kind: Literal["gaussian"] = "gaussian"
    sigma: float = option(0.1, "Standard deviation of every pixel; beta-VAE in disguise, since scaling sigma "
                          "squared scales beta.", unit="pixel value", ge=0.001, le=100)

    def build(self) -> Likelihood:
        return _GaussianShared(self.sigma, learned=False)


class GaussianLearned(LikelihoodConfig):
    """A Gaussian a pixel with one sigma, learned: its optimum is the root mean squared error."""

    kind: Literal["gaussian-learned"] = "gaussian-learned"
    initial_sigma: float = option(0.5, "Standard deviation at the start.", unit="pixel value", ge=0.001, le=100)

    def build(self) -> Likelihood:
        return _GaussianShared(self.initial_sigma, learned=True)


class GaussianPerPixel(LikelihoodConfig):
    """A Gaussian a pixel whose sigma the decoder gives too, bounded to [0.105, 1]: equation (12)."""

    kind: Literal["gaussian-per-pixel"] = "gaussian-per-pixel"

    def build(self) -> Likelihood:
        return _GaussianPerPixel()


class Laplace(LikelihoodConfig):
    """A Laplace distribution a pixel with one given scale: the absolute error, as PredNet has it (erratum E15)."""

    kind: Literal["laplace"] = "laplace"
    scale: float = option(0.1, "Scale b of every pixel; a standard deviation is 1.41 b.", unit="pixel value", ge=0.001,
                          le=100)

    def build(self) -> Likelihood:
        return _Laplace(self.scale)


class DiscretisedLogistic(LikelihoodConfig):
    """The probability of each 8-bit grey level under a logistic with one learned scale."""

    kind: Literal["discretised-logistic"] = "discretised-logistic"
    initial_scale: float = option(0.1, "Scale at the start.", unit="pixel value", ge=0.001, le=10)

    def build(self) -> Likelihood:
        return _DiscretisedLogistic(self.initial_scale)


LikelihoodChoice = Annotated[Bernoulli | GaussianFixed | GaussianLearned | GaussianPerPixel | DiscretisedLogistic,
                             Field(discriminator="kind")]


class Categorical(LikelihoodConfig):
    """One of D classes; what a label is."""

    kind: Literal["categorical"] = "categorical"

    def build(self) -> Likelihood:
        return _Categorical()


class _Categorical(Likelihood):
    def forward(self, output: Tensor) -> Observation:
        return CategoricalLabel(output.float())


class _Bernoulli(Likelihood):
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


class _Laplace(Likelihood):
    scale: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, output: Tensor) -> Observation:
        return LaplacePixels(output.float(), self.scale)


class _GaussianPerPixel(Likelihood):
    channels = 2

    def forward(self, output: Tensor) -> Observation:
        mean, logvar = output.float().chunk(2, dim=1)
        return GaussianPixels(mean, F.hardtanh(logvar, *PIXEL_LOGVAR))


class _DiscretisedLogistic(Likelihood):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, output: Tensor) -> Observation:
        return DiscretisedLogisticPixels(output.float(), self.log_scale.clamp(-7, 3))
