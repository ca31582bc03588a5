"""Priors: p(z), or p(z|u) given a covariate u, as choices of a model with a Gaussian latent.

A prior is a module that holds what is learned; for a batch it gives a `Density` with `log_prob`, `sample` and
`kl(q, z)`. What the lecture's slide calls the VampPrior is three things (erratum E21), and all three are here:
`Aggregated` is equation (41), `Vamp` the paper's, `ImplicitPrior` never writes q(z) down.
Shapes: B observations, K samples, C components, r latent size, m size of the covariate.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.data import Modality
from vaecore.probability.auxiliary import Auxiliary, Codes
from vaecore.probability.densities import Density
from vaecore.probability.full_covariance import FullMixture
from vaecore.probability.gaussian import (
    LOG_2PI,
    MAX_COMPONENTS,
    DiagonalGaussian,
    GaussianMixture,
    StandardNormal,
    choose,
    chosen_by,
    gaussian_log_prob,
    log_square,
    sampled_kl,
    scott_logvar,
)
from vaecore.probability.importance import effective
from vaecore.schema import Strict, option, problem

Encode = Callable[[Tensor], DiagonalGaussian]
Width = Annotated[int, Field(ge=1, le=8192)]
CONDITIONAL_LOGVAR = (-6.0, 4.0)  # of p(z|u), whose scale is free
NORMALISER_DRAWS = 20_000  # of the implicit prior's log Z
CODES_AT_ONCE = 4_000  # codes through the network of the implicit prior
PROPOSALS = 32  # codes drawn for one that is kept, when sampling from the implicit prior


@dataclass(frozen=True)
class Inputs:
    """What an encoder reads, for priors that have inputs of their own."""

    shape: tuple[int, ...]  # of numbers that can be learned
    bounded: bool  # whether these lie in [0, 1]
    observed: tuple[int, ...]  # of an observation as the data set has it
    dtype: torch.dtype = torch.float32


class ComponentInputs(NamedTuple):
    """Inputs of the encoder whose posteriors a prior is the mean of."""

    inputs: Tensor  # (C, *shape)
    learned: bool  # pseudo-inputs; else observations of the training set


class Prior(nn.Module):
    """What is learned of a prior."""

    @abstractmethod
    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        """The density, for covariates u (B, m) where there are any; `encode` is the family's q(z|x), on `device`."""

    def begin(self, observed: Tensor, read: Tensor) -> None:
        """Take over observations (n, *shape) as the data set has them, and as the encoder reads them."""

    def calibrate(self) -> None:
        """Bring up to date what steps do not keep."""

    def normaliser(self) -> tuple[float, float] | None:
        """log Z in nats and its standard error, as of the last `calibrate`; None where the density has none."""
        return None

    def component_inputs(self) -> ComponentInputs | None:
        """What the prior gives to the encoder to have its components; None where they do not come from there."""
        return None

    def auxiliaries(self, codes: Codes) -> dict[str, Auxiliary]:
        """Networks in it that learn by a loss of their own, by name, from codes of a batch."""
        return {}


class PriorConfig(Strict):
    """A choice of prior."""

    conditional: ClassVar[bool] = False  # whether it needs a covariate
    only_kl: ClassVar[bool] = False  # whether nothing else than the KL from it can be charged

    @property
    def count(self) -> int:
        """Components of the prior, of which there cannot be more than training observations; 0 for none."""
        return 0

    @property
    def by_dimension(self) -> bool:
        """Whether the KL from it has a closed form, and with it one by dimension."""
        return False

    @property
    def informs_encoder(self) -> bool:
        """Whether the encoder reads the covariate too, q(z|x, u)."""
        return False

    @property
    def observations(self) -> int:
        """Training observations with which it begins."""
        return 0

    @abstractmethod
    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        """An untrained prior of r = `size` dimensions; raises `ConfigError` where it lacks a covariate."""


# -- p(z) = N(0, I) --------------------------------------------------------------------------------


class StandardConfig(PriorConfig):
    """N(0, I), the usual choice: nothing to learn, the KL in closed form (eq. 16)."""

    kind: Literal["standard"] = "standard"

    @property
    def by_dimension(self) -> bool:
        return True

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        return Standard(size)


class Standard(Prior):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        return StandardNormal(self.size, device)


# -- mixtures --------------------------------------------------------------------------------------


class MixtureConfig(PriorConfig):
    """A mixture of Gaussians with learned means, variances and weights."""

    title: ClassVar[str] = "Gaussian mixture"
    kind: Literal["mixture"] = "mixture"
    components: int = option(10, "Gaussians in the mixture.", ge=1, le=10_000)
    spread: float = option(1.0, "Standard deviation of the means at the start.", gt=0, le=100, advanced=True)

    @property
    def count(self) -> int:
        return self.components

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        return Mixture(self.components, size, self.spread)


class Mixture(Prior):
    def __init__(self, components: int, size: int, spread: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(spread * torch.randn(components, size))
        self.logvar = nn.Parameter(torch.zeros(components, size))
        self.logits = nn.Parameter(torch.zeros(components))

    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        return GaussianMixture(self.mean, F.hardtanh(self.logvar, *CONDITIONAL_LOGVAR), self.logits.log_softmax(0))


class VampConfig(PriorConfig):
    """VampPrior: the mean of q(z|u) over learned pseudo-inputs u in data space (Tomczak & Welling 2018)."""

    title: ClassVar[str] = "VampPrior"
    kind: Literal["vamp"] = "vamp"
    components: int = option(500, "Pseudo-inputs.", ge=1, le=10_000)
    start: Literal["random", "data"] = option("random", "Pseudo-inputs begin as noise, or as training observations "
                                              "with a little noise.")

    @property
    def count(self) -> int:
        return self.components

    @property
    def observations(self) -> int:
        return self.components if self.start == "data" else 0

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        return Vamp(self.components, inputs)


class Vamp(Prior):
    def __init__(self, components: int, inputs: Inputs) -> None:
        super().__init__()
        self.bounded = inputs.bounded
        noise = torch.randn(components, *inputs.shape)
        self.inputs = nn.Parameter(0.05 + 0.01 * noise if inputs.bounded else noise)  # as the released code

    @property
    def pseudo_inputs(self) -> Tensor:
        """The pseudo-inputs as the encoder reads them, (C, *shape)."""
        return F.hardtanh(self.inputs, 0.0, 1.0) if self.bounded else self.inputs

    def component_inputs(self) -> ComponentInputs:
        return ComponentInputs(self.pseudo_inputs, learned=True)

    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        return GaussianMixture.equal(encode(self.pseudo_inputs))

    def begin(self, observed: Tensor, read: Tensor) -> None:
        with torch.no_grad():
            generator = torch.Generator().manual_seed(0)
            noise = torch.randn(self.inputs.shape, generator=generator).to(read)
            self.inputs.copy_(read + 0.01 * noise)


class AggregatedConfig(PriorConfig):
    """The aggregated posterior of some training observations (eq. 41): the optimal prior, if it did not overfit."""

    title: ClassVar[str] = "Aggregated posterior"
    kind: Literal["aggregated"] = "aggregated"
    components: int = option(500, "Training observations whose posteriors are averaged. All of them is the lecture's "
                             "(41), at the cost of encoding all of them at each step.", unit="observations", ge=1,
                             le=10_000)

    @property
    def count(self) -> int:
        return self.components

    @property
    def observations(self) -> int:
        return self.components

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        return Aggregated(self.components, inputs)


class Aggregated(Prior):
    observed: Tensor

    def __init__(self, components: int, inputs: Inputs) -> None:
        super().__init__()
        self.register_buffer("observed", torch.zeros(components, *inputs.observed, dtype=inputs.dtype))

    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        return GaussianMixture.equal(encode(self.observed))

    def component_inputs(self) -> ComponentInputs:
        return ComponentInputs(self.observed, learned=False)

    def begin(self, observed: Tensor, read: Tensor) -> None:
        self.observed = observed.to(self.observed.device, copy=True)


# -- the implicit optimal prior --------------------------------------------------------------------


class ImplicitConfig(PriorConfig):
    """N(0, I) times a learned density ratio e^T(z), which tends to the aggregated posterior (Takahashi et al. 2019).

    T is a classifier of codes against N(0, I), with dropout against over-estimation and an optimizer of its own.
    """

    title: ClassVar[str] = "Implicit optimal prior"
    only_kl: ClassVar[bool] = True
    kind: Literal["implicit"] = "implicit"
    hidden: tuple[Width, ...] = option((500, 500, 500), "Widths of the ratio network.", unit="units", min_length=1,
                                       max_length=8)
    dropout: float = option(0.5, "Share of its hidden units left out while it learns.", unit="of units", ge=0, lt=1)
    updates: int = option(10, "Updates of the ratio before each of the model.", unit="updates", ge=1, le=1000)
    learning_rate: float = option(1e-3, "Step size of the ratio's Adam.", gt=0, le=1, advanced=True)

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        return ImplicitPrior(size, self)


class ImplicitPrior(Prior):
    """Holds the ratio T and `log_z` = log E_N[e^T] with its standard error, as of the last `calibrate`."""

    log_z: Tensor
    log_z_error: Tensor

    def __init__(self, size: int, config: ImplicitConfig) -> None:
        super().__init__()
        self.size, self.config = size, config
        self.ratio = Ratio(size, config.hidden, config.dropout)
        self.register_buffer("log_z", torch.zeros(()))
        self.register_buffer("log_z_error", torch.zeros(()))

    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        return Tilted(self.ratio, self.size, self.log_z)

    def auxiliaries(self, codes: Codes) -> dict[str, Auxiliary]:
        return {"density ratio": Auxiliary(
            list(self.parameters()), lambda batch, generator: self.loss(codes(batch, generator), generator),
            self.config.learning_rate, self.config.updates)}

    def loss(self, codes: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Logistic loss of telling codes (B, r) from as many draws of N(0, I); its optimum is T = log q(z) - log N."""
        noise = torch.randn(codes.shape, generator=generator, device=codes.device)
        return (F.softplus(-self.ratio(codes, generator, dropped=True)).mean()
                + F.softplus(self.ratio(noise, generator, dropped=True)).mean())

    @torch.no_grad()
    def calibrate(self) -> None:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(NORMALISER_DRAWS, self.size, generator=generator).to(self.log_z.device)
        t = torch.cat([self.ratio(part) for part in torch.split(noise, CODES_AT_ONCE)]).double()
        self.log_z.fill_(t.logsumexp(0) - math.log(len(t)))
        weights = (t - t.max()).exp()
        # Of a logarithm, by the delta method.
        self.log_z_error.fill_(weights.std() / weights.mean() / math.sqrt(len(t)))

    def normaliser(self) -> tuple[float, float]:
        return float(self.log_z), float(self.log_z_error)


class Ratio(nn.Module):
    """T(z) = log q(z) - log N(z; 0, I), (..., r) -> (...)."""

    def __init__(self, size: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        widths = (size, *hidden)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, hidden, strict=False))
        self.out = nn.Linear(hidden[-1], 1)
        self.dropout = dropout

    def forward(self, z: Tensor, generator: torch.Generator | None = None, *, dropped: bool = False) -> Tensor:
        """Hidden units are left out only where the ratio itself learns: inside the KL it is as good as it can be."""
        h = z.to(self.out.weight.dtype)
        for layer in self.layers:
            h = layer(h).tanh()
            if dropped and self.dropout:  # nn.Dropout draws from the global generator, whose state no checkpoint holds
                h = h * (torch.rand(h.shape, generator=generator, device=h.device) >= self.dropout) / (1 - self.dropout)
        t: Tensor = self.out(h)[..., 0]
        return t


@dataclass(frozen=True)
class Tilted:
    """N(z; 0, I) e^T(z) / Z. Without log Z this is no density, and likelihoods under it are too large."""

    ratio: Ratio
    size: int
    log_z: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        t: Tensor = self.ratio(z)
        return -0.5 * (z.square() + LOG_2PI).sum(-1) + t - self.log_z

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw by sampling-importance-resampling from N(0, I): exact only as the number of proposals grows."""
        proposals = torch.randn(PROPOSALS * count, self.size, generator=generator, device=self.log_z.device)
        weights = torch.cat([self.ratio(part) for part in torch.split(proposals, CODES_AT_ONCE)]).softmax(0)
        return proposals[torch.multinomial(weights, count, replacement=True, generator=generator)]

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        """KL(q || N) in closed form less the mean of T over codes (K, B, r), plus log Z: (B, 1)."""
        t: Tensor = self.ratio(z)
        return (q.kl_from_standard().sum(1) - t.mean(0) + self.log_z)[:, None]

    @property
    def gaussian(self) -> bool:
        return False

    def tempered(self, temperature: float) -> Tilted:
        return self

    @torch.inference_mode()
    def as_mixture(self) -> GaussianMixture:
        """Weighted draws smoothed for pictures of two dimensions, by Scott's rule with the effective number."""
        z, log_weights = self._weighted_draws()
        weights = log_weights.exp()
        centred = z - weights @ z
        logvar = scott_logvar(weights @ centred.square(), effective(log_weights), 2)
        return GaussianMixture(z, logvar.expand_as(z), log_weights)

    @torch.inference_mode()
    def from_noise(self, uniform: Tensor, normal: Tensor) -> Tensor:
        z, log_weights = self._weighted_draws()
        return z[chosen_by(log_weights.double().exp().expand(len(uniform), -1), uniform)]

    def _weighted_draws(self) -> tuple[Tensor, Tensor]:
        """Draws of N(0, I), (C, r), always the same, and logarithms of the weights that the ratio gives them, (C,)."""
        z = torch.randn(MAX_COMPONENTS, self.size, generator=torch.Generator().manual_seed(0))
        return z, torch.cat([self.ratio(part) for part in torch.split(z, CODES_AT_ONCE)]).log_softmax(0)


# -- fitted once a model is trained ----------------------------------------------------------------


class FittedConfig(PriorConfig):
    """A mixture fitted to the codes of a trained model (Ghosh et al. 2020), by `vaecore fit-prior RUN` alone."""

    title: ClassVar[str] = "Mixture, fitted afterwards"
    kind: Literal["fitted"] = "fitted"
    components: int = option(10, "Gaussians in the mixture.", ge=1, le=200)
    covariance: Literal["full", "diagonal"] = option("full", "Whether the dimensions of a Gaussian may vary together.")

    @property
    def count(self) -> int:
        return self.components

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        return Fitted(size, self)


class NoPriorConfig(PriorConfig):
    """None: nothing says where codes lie, until a prior is fitted to them."""

    title: ClassVar[str] = "None"
    kind: Literal["none"] = "none"

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        raise TypeError("no prior is nothing to build")


class Fitted(Prior):
    """Holds the mixture; no step of a training changes it."""

    def __init__(self, size: int, config: FittedConfig) -> None:
        super().__init__()
        shape = (config.components, size, size) if config.covariance == "full" else (config.components, size)
        self.mean = nn.Parameter(torch.zeros(config.components, size), requires_grad=False)
        self.spread = nn.Parameter(torch.zeros(shape), requires_grad=False)  # Cholesky factors, or log-variances
        self.log_weights = nn.Parameter(torch.zeros(config.components), requires_grad=False)

    def hold(self, density: FullMixture | GaussianMixture) -> None:
        """Take over a mixture that was fitted."""
        spread = density.factor if isinstance(density, FullMixture) else density.logvar
        for own, given in ((self.mean, density.mean), (self.spread, spread), (self.log_weights, density.log_weights)):
            own.copy_(given)

    @property
    def density(self) -> FullMixture | GaussianMixture:
        """The mixture that it holds, as a density."""
        kind = FullMixture if self.spread.ndim == 3 else GaussianMixture
        return kind(self.mean, self.spread, self.log_weights)

    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        return self.density


# -- p(z|u) ----------------------------------------------------------------------------------------


class ConditionalConfig(PriorConfig):
    """p(z|u): a Gaussian, or a mixture, given the label or covariate u of each observation.

    With it the VAE is a conditional VAE, and with vectors and a fixed likelihood an iVAE (Khemakhem et al. 2020).
    """

    title: ClassVar[str] = "Conditional"
    conditional: ClassVar[bool] = True
    kind: Literal["conditional"] = "conditional"
    hidden: tuple[Width, ...] = option((64,), "Widths of the network from u to the prior.", unit="units",
                                       min_length=1, max_length=8)
    components: int = option(1, "Gaussians in p(z|u).", ge=1, le=1000)
    mean: bool = option(True, "Learn the means too; the iVAE's are 0 and only its variances depend on u.")
    encoder: bool = option(True, "The encoder reads u as well: q(z|x, u).")

    @property
    def by_dimension(self) -> bool:
        return self.components == 1

    @property
    def informs_encoder(self) -> bool:
        return self.encoder

    def build(self, size: int, inputs: Inputs, covariate: Modality | None) -> Prior:
        if covariate is None:
            raise problem("model.prior.kind", "conditional", "this data set has no labels and no covariate to "
                          "condition on.", "Choose another prior, or data with labels.", "model.prior.kind=standard")
        return Conditional(size, covariate.size, self)


class Conditional(Prior):
    def __init__(self, size: int, covariate: int, config: ConditionalConfig) -> None:
        super().__init__()
        self.size, self.components, self.with_mean = size, config.components, config.mean
        widths = (covariate, *config.hidden)
        layers = [part for a, b in zip(widths, config.hidden, strict=False)
                  for part in (nn.Linear(a, b), nn.LeakyReLU(0.1))]
        heads = config.components * (2 * size + 1)
        self.network = nn.Sequential(*layers, nn.Linear(config.hidden[-1], heads))

    def forward(self, encode: Encode, u: Tensor | None, device: torch.device) -> Density:
        if u is None:
            raise ValueError("this prior is conditional: say for which covariate.")
        heads = self.network(u).float().view(len(u), self.components, -1)  # (B, C, 2r + 1)
        mean, logvar = heads[..., : self.size], F.hardtanh(heads[..., self.size : -1], *CONDITIONAL_LOGVAR)
        if not self.with_mean:
            mean = torch.zeros_like(mean)
        if self.components == 1:
            return DiagonalGaussian(mean[:, 0], logvar[:, 0])
        return ConditionalMixture(mean, logvar, heads[..., -1].log_softmax(1))


@dataclass(frozen=True)
class ConditionalMixture:
    """p(z|u) of B observations: `mean` and `logvar` (B, C, r), `log_weights` (B, C)."""

    mean: Tensor
    logvar: Tensor
    log_weights: Tensor

    @property
    def expected(self) -> Tensor:
        """The mixture's mean for each observation, (B, r)."""
        return (self.log_weights.exp()[..., None] * self.mean).sum(1)

    def log_prob(self, z: Tensor) -> Tensor:
        parts = gaussian_log_prob(z[..., None, :], self.mean, self.logvar).sum(-1)  # (..., B, C)
        return (parts + self.log_weights).logsumexp(-1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        if count != len(self.mean):
            raise ValueError(f"{count} codes of a density of {len(self.mean)} observations: give a covariate for each.")
        chosen = choose(self.log_weights, generator)[:, None]  # (B, 1, C)
        noise = torch.randn(count, self.mean.shape[2], generator=generator, device=self.mean.device)
        return torch.addcmul((chosen @ self.mean)[:, 0], (chosen @ (0.5 * self.logvar).exp())[:, 0], noise)

    def kl(self, q: DiagonalGaussian, z: Tensor) -> Tensor:
        return sampled_kl(self, q, z)

    @property
    def gaussian(self) -> bool:
        return True

    def tempered(self, temperature: float) -> ConditionalMixture:
        return self if temperature == 1 else replace(self, logvar=self.logvar + log_square(temperature))

    @torch.inference_mode()
    def as_mixture(self) -> GaussianMixture:
        rows = slice(max(1, MAX_COMPONENTS // self.mean.shape[1]))
        mean, logvar, weights = self.mean[rows], self.logvar[rows], self.log_weights[rows]
        return GaussianMixture(mean.flatten(0, 1), logvar.flatten(0, 1), weights.flatten() - math.log(len(mean)))

    @torch.inference_mode()
    def from_noise(self, uniform: Tensor, normal: Tensor) -> Tensor:
        rows, chosen = torch.arange(len(uniform)), chosen_by(self.log_weights.double().exp(), uniform)
        return self.mean[rows, chosen] + (0.5 * self.logvar[rows, chosen]).exp() * normal


PriorChoice = Annotated[StandardConfig | MixtureConfig | VampConfig | AggregatedConfig | ImplicitConfig
                        | ConditionalConfig | FittedConfig, Field(discriminator="kind")]
# Of a family whose code is a point: no KL from a prior can be charged, so one can only be fitted afterwards.
AfterwardsChoice = Annotated[NoPriorConfig | FittedConfig, Field(discriminator="kind")]
