"""Independent component analysis by FastICA (Hyvarinen 1999): linear, no noise, and the sources are independent.

x = m + A s with independent s of variance 1, so that p(x) = |det W| prod_j p(s_j), s = W (x - m), W = A^-1: the lecture
prints the matrix on the wrong side of its delta (erratum E23). FastICA finds W by how far its sources are from normal
and says nothing of their density, which log p(x) needs: it is a choice here. Normal sources cannot be told apart.

With r < D sources they live in the space of the first r principal components, and what is left is Gaussian with one
variance s2, as in probabilistic PCA: log p(x) = log |det W| + sum_j log p(s_j) + log N(rest; 0, s2 I) with D - r
dimensions. Both are densities of x: on pixels they are nats of another kind than those of black and white.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models.base import (
    Approach,
    Autoencoding,
    Batch,
    Family,
    Given,
    Modalities,
    ModelConfig,
    described,
    only_modality,
)
from vaecore.models.evidence import Evidence
from vaecore.models.single.principal import ROWS_AT_ONCE, principal
from vaecore.probability.gaussian import LOG_2PI
from vaecore.probability.likelihoods import GaussianPixels, Observation
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option, problem

FLAT = 1e-7  # of the largest variance; a direction with less has no source in it
LOGISTIC_SCALE = math.sqrt(3) / math.pi  # of variance 1
SMALLEST_REST = 1e-6  # variance of what the sources leave


class ICAConfig(ModelConfig):
    """Independent component analysis: no training by gradient, a fixed point."""

    title: ClassVar[str] = "FastICA"
    approach: ClassVar[Approach] = "independent components"
    has_kl: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    likelihood_name: ClassVar[str] = "independent sources"
    family: Literal["ica"] = "ica"
    latent_size: int = option(5, "Sources r; all directions of the data, or its first r principal components.",
                              symbol="z", unit="dimensions", ge=1, le=4096)
    source: Literal["laplace", "logistic"] = option("laplace", "Density of a source, of variance 1: what log p(x) and "
                                                    "samples take for granted. FastICA does not use it.")
    contrast: Literal["logcosh", "exp", "cube"] = option("logcosh", "How far from normal is measured.", advanced=True)
    iterations: int = option(500, "Iterations at most.", ge=1, le=100_000, advanced=True)
    rotation_seed: int = option(0, "Seed of the rotation to begin with.", ge=0, le=2**31 - 1, advanced=True)

    def enough(self, modalities: Modalities, rows: int) -> None:
        if self.latent_size > rows - 1:
            raise problem("model.latent_size", self.latent_size, f"{self.latent_size} sources of {rows} training "
                          "observations.", f"Use at most {rows - 1}.", f"model.latent_size={max(1, rows - 1)}")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return ICA(modalities, self)


class ICA(Autoencoding):
    """s = `unmixing` (x - `centre`), x = `centre` + `mixing` s; sources in order of their kurtosis, largest first."""

    centre: Tensor  # (D,)
    unmixing: Tensor  # W (r, D)
    mixing: Tensor  # A (D, r), with W A = I
    log_det: Tensor  # log |det W| within the space of the sources
    logvar: Tensor  # of what is left, a dimension

    def __init__(self, modalities: Given, config: ICAConfig | None = None, **fields: Any) -> None:
        config, modalities = described(ICAConfig, config, fields, modalities)
        size = only_modality(modalities)[1].size
        if config.latent_size > size:
            raise problem("model.latent_size", config.latent_size, f"{config.latent_size} sources of {size} numbers.",
                          f"Use at most {size}.", f"model.latent_size={size}")
        super().__init__(modalities, config.latent_size)
        self.config = config
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("unmixing", torch.eye(config.latent_size, size))
        self.register_buffer("mixing", torch.eye(size, config.latent_size))
        self.register_buffer("log_det", torch.zeros(()))
        self.register_buffer("logvar", torch.zeros(()))

    def fit(self, train: Batch) -> bool:
        """Whiten by principal components, then rotate; scikit-learn warns where the fixed point was not reached.

        Raises `ConfigError` where the data has fewer directions than there are sources.
        """
        from sklearn.decomposition import FastICA

        r, x = self.latent_size, train[self.modality].flatten(1)  # (N, D)
        found = principal(x, r)
        variances, directions, rank = found.variances, found.directions, found.rank(FLAT)
        if not rank:
            raise problem("data", "", "the training data does not vary, so there are no directions to find.",
                          "Choose data whose observations differ.")
        if r > rank:
            raise problem("model.latent_size", r, f"the training data varies in {rank:,} directions only, in which "
                          f"{r:,} sources have no place.", f"Use at most {rank:,}.", f"model.latent_size={rank}")
        whitening = directions / variances.sqrt()  # (D, r)
        y = torch.cat([(rows.double() - found.centre) @ whitening for rows in torch.split(x, ROWS_AT_ONCE)])
        ica = FastICA(whiten=False, fun=self.config.contrast, max_iter=self.config.iterations, tol=1e-4,
                      random_state=self.config.rotation_seed)
        rotation = torch.as_tensor(ica.fit(y.cpu().numpy()).components_, dtype=torch.double, device=y.device)  # (r, r)
        sources = y @ rotation.T
        order = sources.pow(4).mean(0).argsort(descending=True)
        rotation = rotation[order] * sources[:, order].pow(3).mean(0).sign()[:, None]  # skewed to the right
        self.centre.copy_(found.centre)
        self.unmixing.copy_(rotation @ whitening.T)
        self.mixing.copy_((directions * variances.sqrt()) @ rotation.T)
        self.log_det.copy_(-0.5 * variances.log().sum())  # a rotation has none
        rest = (found.total - float(variances.sum())) / (x.shape[1] - r) if r < x.shape[1] else 0.0
        self.logvar.fill_(math.log(max(rest, SMALLEST_REST)))
        return True

    def code(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.centre) @ self.unmixing.T

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        return {self.modality: GaussianPixels(self._mixed(z["z"]), self.logvar)}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """log p(x) in nats of a density, under the chosen density of the sources."""
        x, s = batch[self.modality], posteriors["z"].mean
        log_prob = self.log_det + source_log_prob(s, self.config.source).sum(1)
        if (left := self.shape.size - self.latent_size) > 0:
            rest = (x - self._mixed(s)).flatten(1).square().sum(1)
            log_prob = log_prob - 0.5 * (left * (LOG_2PI + self.logvar) + rest * (-self.logvar).exp())
        return Evidence({self.modality: log_prob}, {})

    def sample(self, count: int, generator: torch.Generator | None = None, covariate: Tensor | None = None
               ) -> dict[str, Tensor]:
        """Sources from their density, mixed; without what they leave, as other families give their means."""
        return {self.modality: self._mixed(self.codes(count, generator))}

    def codes(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Sources from their density, of mean 0 and variance 1."""
        uniform = torch.rand(count, self.latent_size, generator=generator, device=self.centre.device)
        return source_quantile(uniform.clamp(1e-6, 1 - 1e-6), self.config.source)

    @property
    def parameter_count(self) -> int:
        """The mean, the unmixing matrix and the variance of what is left; the mixing matrix follows from them."""
        return self.centre.numel() + self.unmixing.numel() + 1

    def _mixed(self, s: Tensor) -> Tensor:
        return (s @ self.mixing.T + self.centre).view(-1, *self.shape.shape)


def source_log_prob(s: Tensor, source: Literal["laplace", "logistic"]) -> Tensor:
    """log p(s) elementwise, of variance 1."""
    if source == "laplace":
        return -math.sqrt(2) * s.abs() - 0.5 * math.log(2)
    scaled = s.abs() / LOGISTIC_SCALE
    return -scaled - 2 * torch.log1p((-scaled).exp()) - math.log(LOGISTIC_SCALE)


def source_quantile(u: Tensor, source: Literal["laplace", "logistic"]) -> Tensor:
    """The sources below which a share `u` of them lies, elementwise."""
    if source == "laplace":
        return -(u - 0.5).sign() * torch.log1p(-2 * (u - 0.5).abs()) / math.sqrt(2)
    return LOGISTIC_SCALE * u.logit()
