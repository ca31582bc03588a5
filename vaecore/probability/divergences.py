"""What pulls codes towards the prior: the KL, or in its place a distance of the aggregated posterior from the prior.

Equation (40) writes a Wasserstein distance of q(z|x) from the prior for each x; its minimum is collapse (erratum E20).
Wasserstein autoencoders measure the aggregate q(z) = E_x q(z|x) instead, from one code for each observation of a batch.
Shapes: B observations, r latent size, m size of the covariate, P projections.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.data import Modality
from vaecore.probability.auxiliary import Auxiliary, CodesAndDraws
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal
from vaecore.probability.whole import whole_rows
from vaecore.schema import Strict, option

Width = Annotated[int, Field(ge=1, le=8192)]
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of the kernel, as the released code of Tolstikhin et al. sums them
LOG_4 = 1.3862943611198906


class Divergence(nn.Module):
    """A distance of codes from the prior, unweighted."""

    @abstractmethod
    def forward(self, q: DiagonalGaussian, z: Tensor, prior: Density, u: Tensor | None,
                generator: torch.Generator | None) -> Tensor:
        """A scalar, from posteriors (B, r), one code of each (B, r), and the covariate (B, m) where there is one."""

    def auxiliaries(self, drawn: CodesAndDraws) -> dict[str, Auxiliary]:
        """Networks in it that learn by a loss of their own, by name, from codes beside draws of the prior."""
        return {}


class DivergenceConfig(Strict):
    """A choice of divergence."""

    is_kl: ClassVar[bool] = False
    gaussian: ClassVar[bool] = False  # whether the prior has to be Gaussian

    @abstractmethod
    def build(self, size: int, covariate: Modality | None) -> Divergence | None:
        """For r = `size` dimensions, and the covariate that the prior reads; None for the KL, a term of the ELBO."""


class Weighted(DivergenceConfig):
    """A divergence that stands in the place of the KL, with a factor."""

    weight: float = option(10.0, "Factor on the distance, in nats; beta multiplies it too.", unit="nats", gt=0, le=1e6)


class KLConfig(DivergenceConfig):
    """The KL of each posterior from the prior: the ELBO."""

    title: ClassVar[str] = "KL"
    is_kl: ClassVar[bool] = True
    kind: Literal["kl"] = "kl"

    def build(self, size: int, covariate: Modality | None) -> None:
        return None


# -- maximum mean discrepancy ----------------------------------------------------------------------


class MMDConfig(Weighted):
    """WAE-MMD: maximum mean discrepancy of codes and prior draws (Tolstikhin et al. 2018)."""

    title: ClassVar[str] = "MMD (WAE-MMD)"
    kind: Literal["mmd"] = "mmd"
    kernel: Literal["imq", "rbf"] = option("imq", "Inverse multiquadratic, which also pulls at outliers, or Gaussian, "
                                           "which does not. Both are summed over seven scales.")

    def build(self, size: int, covariate: Modality | None) -> Divergence:
        return MMD(self.kernel)


class MMD(Divergence):
    def __init__(self, kernel: Literal["imq", "rbf"]) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, q: DiagonalGaussian, z: Tensor, prior: Density, u: Tensor | None,
                generator: torch.Generator | None) -> Tensor:
        ours, theirs = whole_rows(z, prior.sample(len(z), generator))
        return mmd(ours, theirs, self.kernel, paired=u is not None)  # each draw is under the covariate of its code


def mmd(x: Tensor, y: Tensor, kernel: Literal["imq", "rbf"] = "imq", *, paired: bool = False) -> Tensor:
    """Squared maximum mean discrepancy of samples x (B, r) and y (B', r), a scalar, at least two of each.

    The U-statistic: pairs of a sample with itself are left out, so its mean is 0 where both have one distribution, and
    single values may be negative. Where x_b and y_b share something, they are `paired`, and left out as well. The
    kernel's width is that of a standard normal, C = 2 r, times `SCALES`.
    """
    def within(k: Tensor) -> Tensor:
        n = len(k)
        return (k.sum() - k.diagonal().sum()) / (n * (n - 1))

    between = _kernel(x, y, kernel)
    return (within(_kernel(x, x, kernel)) + within(_kernel(y, y, kernel))
            - 2 * (within(between) if paired else between.mean()))


def _kernel(x: Tensor, y: Tensor, kernel: Literal["imq", "rbf"]) -> Tensor:
    """k(x, y) of all pairs, summed over scales, (B, B')."""
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    widths = [2 * x.shape[1] * scale for scale in SCALES]
    if kernel == "imq":
        return torch.stack([c / (c + squares) for c in widths]).sum(0)
    return torch.stack([(-squares / c).exp() for c in widths]).sum(0)


# -- sliced Wasserstein ----------------------------------------------------------------------------


class SlicedConfig(Weighted):
    """Sliced Wasserstein: squared W2 along random directions, averaged (Kolouri et al. 2019)."""

    title: ClassVar[str] = "Sliced Wasserstein"
    kind: Literal["sliced"] = "sliced"
    projections: int = option(50, "Random directions a step.", unit="directions", ge=1, le=10_000)

    def build(self, size: int, covariate: Modality | None) -> Divergence:
        return Sliced(self.projections)


class Sliced(Divergence):
    def __init__(self, projections: int) -> None:
        super().__init__()
        self.projections = projections

    def forward(self, q: DiagonalGaussian, z: Tensor, prior: Density, u: Tensor | None,
                generator: torch.Generator | None) -> Tensor:
        directions = torch.randn(z.shape[1], self.projections, generator=generator, device=z.device)
        ours, theirs = whole_rows(z, prior.sample(len(z), generator))
        return sliced_wasserstein(ours, theirs, directions / directions.norm(dim=0))


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Mean squared W2 of samples x and y (B, r) along unit `directions` (r, P): in one dimension, of sorted values."""
    return ((x @ directions).sort(0).values - (y @ directions).sort(0).values).square().mean()


# -- an adversarial critic -------------------------------------------------------------------------


class CriticConfig(Weighted):
    """An adversarial critic of codes: WAE-GAN, or with a gradient penalty as in DialogWAE.

    Where the prior is conditional the critic reads the covariate too, D(z, u), and compares q(z|x, u) with p(z|u) as
    DialogWAE does (Gu et al. 2019).
    """

    title: ClassVar[str] = "Critic (WAE-GAN)"
    kind: Literal["critic"] = "critic"
    loss: Literal["wasserstein", "gan"] = option("wasserstein", "Wasserstein with a gradient penalty, or the logistic "
                                                 "loss of WAE-GAN.")
    hidden: tuple[Width, ...] = option((256, 256), "Widths of the critic.", unit="units", min_length=1, max_length=8)
    updates: int = option(5, "Updates of the critic before each of the model.", unit="updates", ge=1, le=1000)
    gradient_penalty: float = option(10.0, "Weight of the penalty on the gradient's distance from 1, for each code by "
                                     "itself; only for wasserstein.", ge=0, le=1e4, advanced=True)
    learning_rate: float = option(1e-3, "Step size of the critic's Adam.", gt=0, le=1, advanced=True)

    def build(self, size: int, covariate: Modality | None) -> Divergence:
        return Critic(size + (covariate.size if covariate else 0), self)


class Critic(Divergence):
    """D(z), or D(z, u): it learns to give codes high values and prior draws low ones, the encoder works against it."""

    def __init__(self, size: int, config: CriticConfig) -> None:
        super().__init__()
        self.config = config
        widths = (size, *config.hidden)
        layers = [part for a, b in zip(widths, config.hidden, strict=False)
                  for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
        self.network = nn.Sequential(*layers, nn.Linear(config.hidden[-1], 1))

    def forward(self, q: DiagonalGaussian, z: Tensor, prior: Density, u: Tensor | None,
                generator: torch.Generator | None) -> Tensor:
        """The critic's estimate of W1, or how surely it tells codes from prior draws: both are 0 where it cannot."""
        ours, theirs = self.score(z, u), self.score(prior.sample(len(z), generator), u)
        if self.config.loss == "wasserstein":
            return ours.mean() - theirs.mean()
        # Both are made to be mistaken for the other: the second has a gradient only where the prior is learned.
        return F.softplus(ours).mean() + F.softplus(-theirs).mean() - LOG_4

    def auxiliaries(self, drawn: CodesAndDraws) -> dict[str, Auxiliary]:
        return {"critic": Auxiliary(
            list(self.parameters()), lambda batch, generator: self.learn(*drawn(batch, generator), generator),
            self.config.learning_rate, self.config.updates, betas=(0.5, 0.9))}

    def score(self, z: Tensor, u: Tensor | None) -> Tensor:
        """D of codes (B, r), (B,)."""
        d: Tensor = self.network(z if u is None else torch.cat([z, u], 1))[:, 0].float()
        return d

    def learn(self, z: Tensor, drawn: Tensor, u: Tensor | None, generator: torch.Generator | None = None) -> Tensor:
        """The critic's own loss on codes and prior draws, (B, r) each, a scalar."""
        ours, theirs = self.score(z, u), self.score(drawn, u)
        if self.config.loss == "gan":
            return F.softplus(-ours).mean() + F.softplus(theirs).mean()
        share = torch.rand(len(z), 1, generator=generator, device=z.device)
        return theirs.mean() - ours.mean() + self.config.gradient_penalty * self.penalty(torch.lerp(drawn, z, share), u)

    def penalty(self, z: Tensor, u: Tensor | None) -> Tensor:
        """Mean of (|gradient of D at z_b| - 1)^2 over b.

        D is summed over the batch before it is differentiated, which leaves each code its own gradient. DialogWAE's
        released code takes the mean, which divides them by B and so drives the norm to B instead of 1.
        """
        z = z.detach().requires_grad_()
        [gradient] = torch.autograd.grad(self.score(z, u).sum(), z, create_graph=True)
        distance: Tensor = (gradient.norm(dim=1) - 1).square().mean()
        return distance


# -- for each x ------------------------------------------------------------------------------------


class PerObservationConfig(Weighted):
    """W2 of each posterior from the prior, equation (40) as printed: each code is pulled to the prior."""

    title: ClassVar[str] = "Wasserstein of each x"
    gaussian: ClassVar[bool] = True
    kind: Literal["per-x"] = "per-x"
    weight: float = option(1.0, "Factor on the distance, in nats; beta multiplies it too.", unit="nats", gt=0, le=1e6)

    def build(self, size: int, covariate: Modality | None) -> Divergence:
        return PerObservation()


class PerObservation(Divergence):
    def forward(self, q: DiagonalGaussian, z: Tensor, prior: Density, u: Tensor | None,
                generator: torch.Generator | None) -> Tensor:
        return squared_w2(q, prior).mean()


def squared_w2(q: DiagonalGaussian, p: Density) -> Tensor:
    """Squared W2 of Gaussians with diagonal covariances, (B,): |mu - mu'|^2 + sum_j (sigma_j - sigma'_j)^2.

    Raises `TypeError` for a prior that is not one Gaussian.
    """
    if isinstance(p, StandardNormal):
        p = DiagonalGaussian(torch.zeros_like(q.mean), torch.zeros_like(q.logvar))
    if not isinstance(p, DiagonalGaussian):
        raise TypeError("W2 of two Gaussians needs a Gaussian prior.")
    spread = (0.5 * q.logvar).exp() - (0.5 * p.logvar).exp()
    return ((q.mean - p.mean).square() + spread.square()).sum(1)


DivergenceChoice = Annotated[KLConfig | MMDConfig | SlicedConfig | CriticConfig | PerObservationConfig,
                             Field(discriminator="kind")]
