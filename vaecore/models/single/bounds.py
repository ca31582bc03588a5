"""What training maximises of a VAE: the ELBO of equation (9), or the importance-weighted bound, which lies nearer.

The bound of K codes z_k ~ q(z|x) (Burda, Grosse & Salakhutdinov 2016) is

    L_K = E log 1/K sum_k w_k,    w_k = p(x|z_k) p(z_k) / q(z_k|x).

L_1 is the ELBO, and L_K rises with K to log p(x). It is what the lecture's (13) and (14) look for: the mean stands
inside the logarithm and each code is weighed (errata E1 and E2).

Its gradient. Let v_k = w_k / sum_j w_j. Decoder and prior get sum_k v_k d log w_k. The encoder moves log w_k by its
code z_k, and by log q(z_k|x) as it stands there; the noise of the latter drowns the former as K grows (Rainforth et
al. 2018). In the mean it can be written as a movement of the code as well (DReG, Tucker et al. 2019), which leaves

    sum_k v_k^2  (d log w_k / d z_k)  (d z_k / d phi)

with log q(z_k|x) held still. Where a prior has its components from the encoder, as the VampPrior, phi moves log p(z_k)
besides: that is no movement of a code, and counts by v_k as what decoder and prior get.

While beta is annealed log w_k is log p(x|z_k) + beta (log p(z_k) - log q(z_k|x)): of one code the ELBO whose KL beta
weighs, and at beta = 1 the bound. In the place of v_k^2 stands (1 - beta) v_k + beta v_k^2, by the same steps.
Shapes: B observations, K codes of each, r latent size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from vaecore.probability.densities import Density
from vaecore.probability.divergences import DivergenceConfig
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.priors import PriorConfig
from vaecore.schema import Strict, option, problem


class BoundConfig(Strict):
    """A choice of what is maximised."""

    codes: ClassVar[bool] = False  # whether it weighs codes in the place of charging a KL

    def check(self, prior: PriorConfig, divergence: DivergenceConfig, n_samples: int) -> None:
        """Raise `ConfigError` for what does not go together with it."""


class ELBOConfig(BoundConfig):
    """The ELBO, equation (9): the mean of log p(x|z) less the KL."""

    title: ClassVar[str] = "ELBO"
    kind: Literal["elbo"] = "elbo"


class IWAEConfig(BoundConfig):
    """A bound nearer to log p(x), of several weighed codes for each observation (IWAE, Burda et al. 2016).

    Decoding K codes costs K times as much. The more there are, the less the encoder matters for the bound.
    """

    title: ClassVar[str] = "Importance-weighted (IWAE)"
    codes: ClassVar[bool] = True
    kind: Literal["iwae"] = "iwae"
    samples: int = option(5, "Codes of each observation, K. With 1 it is the ELBO.", symbol="K", unit="codes", ge=1,
                          le=256)
    gradient: Literal["dreg", "plain"] = option(
        "dreg", "The encoder's gradient: doubly reparameterised (Tucker et al. 2019), whose signal grows with K, or as "
        "it falls out of the bound, whose signal fades. Both are the same in the mean.")

    def check(self, prior: PriorConfig, divergence: DivergenceConfig, n_samples: int) -> None:
        if not divergence.is_kl:
            raise problem("model.divergence.kind", divergence.tag, "it stands in the place of the KL, but the "
                          "importance-weighted bound weighs codes and has no KL.", "Use kl, or model.bound.kind=elbo.",
                          "model.divergence.kind=kl", "model.bound.kind=elbo")
        if prior.only_kl:
            raise problem("model.prior.kind", prior.tag, "the implicit optimal prior is the best one for the KL of the "
                          "ELBO, not for importance weights.", "Use another prior, or model.bound.kind=elbo.",
                          "model.prior.kind=standard", "model.bound.kind=elbo")
        if n_samples > 1:
            raise problem("model.n_samples", n_samples, "they average the reconstruction of the ELBO, but the "
                          "importance-weighted bound has codes of its own.",
                          "Use 1, and say with model.bound.samples how many codes there are.", "model.n_samples=1",
                          "model.bound.kind=elbo")

    def path(self) -> Path | None:
        """The way back from codes to encoder, where its gradient is weighed on it; None for the plain gradient."""
        return Path() if self.gradient == "dreg" else None


BoundChoice = Annotated[ELBOConfig | IWAEConfig, Field(discriminator="kind")]


@dataclass(frozen=True)
class ImportanceWeighted:
    """The bound of a batch from its K codes: called with beta it is a scalar in nats, L_K at beta = 1."""

    log_likelihood: Tensor  # log p(x|z_k), (K, B)
    log_ratio: Tensor  # log q(z_k|x) - log p(z_k), (K, B)
    path: Path | None  # of the codes, where the encoder's gradient is weighed on it

    @classmethod
    def of(cls, q: DiagonalGaussian, p: Density, z: Tensor, log_likelihood: Tensor, path: Path | None
           ) -> ImportanceWeighted:
        """The bound of codes z ~ q (K, B, r); with a path log q(z|x) moves by them alone."""
        held = q if path is None else DiagonalGaussian(q.mean.detach(), q.logvar.detach())
        return cls(log_likelihood, held.log_prob(z) - p.log_prob(z), path)

    def __call__(self, beta: float | Tensor = 1.0) -> Tensor:
        """L_K, a mean over the batch, with the gradient that was chosen."""
        log_weights = self.log_likelihood - beta * self.log_ratio  # log w_k, (K, B)
        bound = log_weights.logsumexp(0) - math.log(len(log_weights))  # (B,), whose gradient in log w_k is v_k
        if self.path is not None:
            shares = log_weights.detach().softmax(0)  # v_k, (K, B)
            bound = self.path.weighed(bound, 1 - beta + beta * shares)
        return bound.mean()


# -- the path of a gradient ------------------------------------------------------------------------


class Path:
    """The way from codes to encoder: what comes back on it is multiplied by what the bound says last.

    A gradient reaches the bound first, so its factor is known when the codes are reached. Autograd functions, and no
    hook of a tensor, as several models are computed at once by `vmap`.
    """

    factor: Tensor

    def through(self, z: Tensor) -> Tensor:
        """The codes (K, B, r) as they are."""
        found: Tensor = _Through.apply(z, self)  # type: ignore[no-untyped-call]
        return found

    def weighed(self, bound: Tensor, factor: Tensor) -> Tensor:
        """The bound (B,) as it is; what goes back from it is multiplied at each code by `factor` (K, B)."""
        found: Tensor = _Weighed.apply(bound, factor, self)  # type: ignore[no-untyped-call]
        return found


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(z: Tensor, _path: Path) -> Tensor:
        return z.view_as(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Path], _output: Tensor) -> None:
        ctx.path = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.path.factor[..., None] * gradient, None

    @staticmethod
    def vmap(_info: Any, in_dims: tuple[int | None, ...], z: Tensor, path: Path) -> tuple[Tensor, int]:
        return _Through.apply(_models_first(z, in_dims[0]), path), 0  # type: ignore[no-untyped-call]


class _Weighed(torch.autograd.Function):
    @staticmethod
    def forward(bound: Tensor, _factor: Tensor, _path: Path) -> Tensor:
        return bound.view_as(bound)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Path], _output: Tensor) -> None:
        ctx.factor, ctx.path = inputs[1], inputs[2]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        ctx.path.factor = ctx.factor
        return gradient, None, None

    @staticmethod
    def vmap(_info: Any, in_dims: tuple[int | None, ...], bound: Tensor, factor: Tensor, path: Path
             ) -> tuple[Tensor, int]:
        moved = (_models_first(each, dim) for each, dim in zip((bound, factor), in_dims, strict=False))
        return _Weighed.apply(*moved, path), 0  # type: ignore[no-untyped-call]


def _models_first(x: Tensor, dim: int | None) -> Tensor:
    """With the models that are computed at once in the first axis; what all share stays as it is."""
    return x if dim is None else x.movedim(dim, 0)
