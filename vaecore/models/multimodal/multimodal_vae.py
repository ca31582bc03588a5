"""VAEs of several modalities that share one latent (equations 17 to 24): which of them, is a choice.

- `JMVAE`: one network reads everything (Suzuki et al. 2016).
- `MVAE`: the prior times a factor from each modality (Wu & Goodman 2018).
- `MMVAE`: one modality at a time, mixed (Shi et al. 2019).
- `MoPoE`: the products of all subsets, mixed (Sutter et al. 2021).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vaecore.models.multimodal.jmvae import JMVAEConfig
from vaecore.models.multimodal.mmvae import MMVAEConfig, MoPoEConfig
from vaecore.models.multimodal.mvae import MVAEConfig
from vaecore.models.multimodal.shared import SharedLatentConfig
from vaecore.schema import option

PosteriorChoice = Annotated[MVAEConfig | JMVAEConfig | MMVAEConfig | MoPoEConfig, Field(discriminator="kind")]


class MultimodalVAEConfig(SharedLatentConfig):
    """A VAE of several modalities with one latent that all share: JMVAE, MVAE and their relatives."""

    title: ClassVar[str] = "Multimodal VAE"
    usual: ClassVar[Literal["", "few", "many"]] = "many"
    equations: ClassVar[str] = "17–24"
    family: Literal["multimodal-vae"] = "multimodal-vae"
    posterior: PosteriorChoice = option(MVAEConfig(), "q(z | any of the modalities): how what is observed is put "
                                        "together.")
