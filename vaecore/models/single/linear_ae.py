"""The linear autoencoder (Kramer 1991; Plaut 2018): it finds the principal subspace, not the components.

Every global minimum is W2 = U C, W1 = C^-1 U' for any invertible C. With an L2 penalty on both maps the
left singular vectors of W2 are the principal components themselves (Kunin et al. 2019).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch

from vaecore.data import Modality
from vaecore.models.base import Batch, Family, Given, Modalities, ModelConfig, described
from vaecore.models.evidence import Objective
from vaecore.models.single.autoencoder import AE, AEConfig
from vaecore.nets import LinearConfig
from vaecore.probability.likelihoods import GaussianFixedConfig
from vaecore.probability.priors import AfterwardsChoice, NoPriorConfig
from vaecore.schema import option


class LinearAEConfig(ModelConfig):
    """One linear map to the code and one back, trained by gradient on the squared error."""

    title: ClassVar[str] = "Linear autoencoder"
    has_kl: ClassVar[bool] = False
    likelihood_name: ClassVar[str] = "gaussian"
    family: Literal["linear-ae"] = "linear-ae"
    latent_size: int = option(20, "Size of the code.", symbol="z", unit="dimensions", ge=1, le=4096)
    l2: float = option(0.0, "Penalty (l2 / 2) (|W1|^2 + |W2|^2); above 0 the singular vectors of the decoder become "
                       "the principal components.", unit="nats", ge=0, le=1e3)
    prior: AfterwardsChoice = option(NoPriorConfig(), "p(z): none, until one is fitted to the codes of a finished run.")

    def unread(self, modalities: Modalities) -> set[str]:
        return {"prior"}  # no training reads one

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return LinearAE(modalities, self)


class LinearAE(AE):
    """Minimises |x - W2 W1 x|^2 / 2, which is the Gaussian likelihood with sigma 1, plus the penalty."""

    def __init__(self, modalities: Given, config: LinearAEConfig | None = None, **fields: Any) -> None:
        config, modalities = described(LinearAEConfig, config, fields, modalities)
        super().__init__(modalities, AEConfig(latent_size=config.latent_size, network=LinearConfig(),
                                              likelihood=GaussianFixedConfig(sigma=1.0), prior=config.prior))
        self.l2 = config.l2

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """The squared error of x from W2 W1 x, of equation (1) without W2 = W1', and the penalty."""
        squared_error = super().objective(batch, generator)
        if self.l2 == 0:
            return squared_error
        maps = [p for p in self.parameters() if p.ndim == 2]
        penalty = 0.5 * self.l2 * torch.stack([w.square().sum() for w in maps]).sum()
        return Objective(squared_error.elbos, {"l2": penalty})
