"""What some families can and others cannot, and what some leave to choose: `isinstance(model, HasLoadings)` tells.

What every family has, if only to say no, stands in `Family` and `ModelConfig` themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

from vaecore.probability.divergences import DivergenceConfig
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.likelihoods import LikelihoodConfig
from vaecore.probability.posteriors import Posterior
from vaecore.probability.priors import PriorConfig

if TYPE_CHECKING:
    from vaecore.models.single.bounds import BoundConfig
    from vaecore.models.video.sv2p import Stages

# -- of models -------------------------------------------------------------------------------------


@runtime_checkable
class HasLoadings(Protocol):
    """A linear family: how much each observed number changes with each code, and what that explains."""

    def loadings(self) -> dict[str, dict[str, Tensor]]:
        """Loadings (D_m, r) of each latent and modality: how much x changes with a code of 1."""
        ...

    def explained(self, batch: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        """Shares of each modality's variance that the parts of the model explain, and the residual."""
        ...


@runtime_checkable
class HasLearnedPrior(Protocol):
    """A family of clips whose prior of a code may read the frames before; `prior_moves` says whether it does."""

    @property
    def prior_moves(self) -> bool: ...

    def priors(self, batch: Mapping[str, Tensor], posteriors: Mapping[str, Posterior]) -> DiagonalGaussian:
        """p(z_t | x_0..x_{t-1}) for t = 1..T-1, (B, T-1, r)."""
        ...


# -- of their configurations -----------------------------------------------------------------------


@runtime_checkable
class ChoosesLikelihood(Protocol):
    """A family whose p(x|z) is one choice."""

    @property
    def likelihood(self) -> LikelihoodConfig: ...


@runtime_checkable
class ChoosesPrior(Protocol):
    """A family whose p(z) is a choice."""

    @property
    def prior(self) -> PriorConfig: ...


@runtime_checkable
class ChoosesDivergence(Protocol):
    """Where something may stand in the place of the KL."""

    @property
    def divergence(self) -> DivergenceConfig: ...


@runtime_checkable
class ChoosesBound(Protocol):
    """Where something else than the ELBO may be maximised."""

    @property
    def bound(self) -> BoundConfig: ...


@runtime_checkable
class ChoosesLatentSize(Protocol):
    """A family with one latent, of a size that is a choice."""

    @property
    def latent_size(self) -> int: ...


@runtime_checkable
class ChoosesStages(Protocol):
    """A family whose parts are trained one after another."""

    @property
    def stages(self) -> Stages: ...
