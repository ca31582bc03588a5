"""Principal component analysis, equation (1): the best linear autoencoder, in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models.base import Autoencoding, Batch, Family, Given, Modalities, ModelConfig, described, only_modality
from vaecore.models.single.principal import principal
from vaecore.probability.likelihoods import GaussianPixels, Observation
from vaecore.probability.priors import AfterwardsChoice, NoPriorConfig
from vaecore.schema import option, problem


class PCAConfig(ModelConfig):
    """Principal component analysis: no training, the exact optimum (eq. 1)."""

    title: ClassVar[str] = "PCA"
    usual: ClassVar[Literal["", "few", "many"]] = "few"
    equations: ClassVar[str] = "1"
    closed_form: ClassVar[bool] = True
    has_kl: ClassVar[bool] = False
    likelihood_name: ClassVar[str] = "gaussian-learned"
    family: Literal["pca"] = "pca"
    latent_size: int = option(20, "Principal components kept.", symbol="z", unit="dimensions", ge=1, le=4096)
    prior: AfterwardsChoice = option(NoPriorConfig(), "p(z): none, until one is fitted to the codes of a finished run.")

    def unread(self, modalities: Modalities) -> set[str]:
        return {"prior"}  # no training reads one

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return PCA(modalities, self)


class PCA(Autoencoding):
    """x is encoded as W'(x - m) and decoded as W z + m, with W'W = I; the rows of `components` are W'.

    Its likelihood is a Gaussian around the reconstruction with the residual variance per pixel, so that its
    reconstruction is in the same nats as an autoencoder's with a learned sigma.
    """

    centre: Tensor
    components: Tensor
    logvar: Tensor

    def __init__(self, modalities: Given, config: PCAConfig | None = None, **fields: Any) -> None:
        config, modalities = described(PCAConfig, config, fields, modalities)
        size = only_modality(modalities)[1].size
        if config.latent_size > size:
            raise problem("model.latent_size", config.latent_size, f"{config.latent_size} components of {size} "
                          "numbers.", f"Use at most {size}.", f"model.latent_size={size}")
        super().__init__(modalities, config.latent_size, config.prior)
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("components", torch.eye(config.latent_size, size))
        self.register_buffer("logvar", torch.zeros(()))

    def fit(self, train: Batch) -> bool:
        x = train[self.modality].flatten(1)  # (N, D)
        found = principal(x, self.latent_size)
        self.centre.copy_(found.centre)
        self.components.copy_(found.directions.T)
        residual = (found.total - float(found.variances.sum())) / x.shape[1]  # test MSE = sum of the rest
        self.logvar.fill_(math.log(max(residual, 1e-6)))
        return True

    def code(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.centre) @ self.components.T

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        x = (z["z"] @ self.components + self.centre).reshape(-1, *self.shape.shape)
        return {self.modality: GaussianPixels(x, self.logvar)}

    @property
    def parameter_count(self) -> int:
        return self.centre.numel() + self.components.numel() + 1
