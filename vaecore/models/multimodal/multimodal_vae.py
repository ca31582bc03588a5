"""VAEs of several modalities that share one latent (equations 17 to 24); how it is inferred is a choice.

Generation: z ~ N(0, I), then each modality from z by its own decoder: p(z) prod_m p(x_m|z) (eq. 22). Inference: any of
`joint_posteriors`, from whatever modalities there are.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

import torch

from vaecore.data import Modality
from vaecore.models.base import Batch, Family, Given, Modalities, Objective, described
from vaecore.models.multimodal.joint_posteriors import PosteriorChoice, Product
from vaecore.models.multimodal.shared import ModalConfig, Multimodal, who
from vaecore.probability.posteriors import Experts, Posterior
from vaecore.schema import option


class MultimodalVAEConfig(ModalConfig):
    """A VAE of several modalities with one latent that all share: JMVAE, MVAE and their relatives."""

    title: ClassVar[str] = "Multimodal VAE"
    family: Literal["multimodal-vae"] = "multimodal-vae"
    latent_size: int = option(32, "Size r of the latent z.", unit="dimensions", ge=1, le=4096)
    posterior: PosteriorChoice = option(Product(), "q(z | any of the modalities): how what is observed is put "
                                        "together.")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return MultimodalVAE(modalities, self)


class MultimodalVAE(Multimodal):
    def __init__(self, modalities: Given, config: MultimodalVAEConfig | None = None, **fields: Any) -> None:
        config, modalities = described(MultimodalVAEConfig, config, fields, modalities)
        super().__init__(modalities, config, dict.fromkeys(modalities, config.latent_size))
        self.latent_size = config.latent_size
        self.encoder = config.posterior.build(modalities, config.latent_size, config.networks)

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {"z": self.encoder(batch, who(batch, self.names))}

    def experts(self, batch: Batch) -> dict[str, Experts]:
        """The Gaussian factors of z, (M, B, r) in the order of `names`, those not given with precision 0; empty where
        one network reads everything."""
        factors = getattr(self.encoder, "experts", None)
        return {} if factors is None else {"z": factors(batch, who(batch, self.names))}

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        observed = who(batch, self.names)
        score = partial(self.score, batch, observed, generator=generator)
        found: Objective = self.encoder.objective(batch, observed, score, generator)
        return Objective(found.elbos, found.penalties, weights=self.weights)


