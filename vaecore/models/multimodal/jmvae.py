"""The joint multimodal VAE (JMVAE, Suzuki et al. 2016), equations (17) to (21).

Generation: z ~ N(0, I), then each modality from z by its own decoder (17). Inference: one encoder that reads all
modalities (18). Training maximises the joint ELBO (19), less alpha times a KL that teaches an encoder of each modality
alone to stand in for the joint one where modalities are missing (20).

Shapes: B observations, M modalities, r latent size; `observed` (M, B) is None where all have all.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from vaecore.models.base import Batch, Family, Given, Modalities
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.multimodal.shared import (
    MultimodalVAE,
    PosteriorConfig,
    SharedLatentConfig,
    encode_each,
    observed_mask,
    shared_latent,
    with_zeros,
)
from vaecore.nets.modal import ModalNetworks
from vaecore.probability.gaussian import DiagonalGaussian, Experts, gaussian_kl
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option


class JMVAEConfig(PosteriorConfig):
    """JMVAE: one network reads all modalities; with alpha, an encoder each learns to stand in for it."""

    title: ClassVar[str] = "Joint encoder (JMVAE)"
    kind: Literal["joint"] = "joint"
    alpha: float = option(0.1, "Weight of KL(q(z|all) || q(z|one)), summed over modalities (eq. 20): JMVAE-kl. At 0 "
                          "there are no encoders of one modality, and what is missing is read as zeros: JMVAE-zero.",
                          ge=0, le=1000)
    stop_gradient: bool = option(False, "Whether only the encoders of one modality learn from that term. The paper "
                                 "lets it move the joint encoder too, and so a large alpha costs joint likelihood.")
    joint_hidden: int = option(256, "Width of each modality's features, and of the layer that reads them together.",
                               unit="units", ge=1, le=8192, advanced=True)

    def build(self, modalities: Modalities, config: SharedLatentConfig) -> Family:
        return JMVAE(modalities, config)


class JMVAE(MultimodalVAE):
    """One encoder of everything, and one of each modality to stand in for it."""

    choice = JMVAEConfig
    encoder: JointEncoder

    def __init__(self, modalities: Given, config: SharedLatentConfig | None = None, **fields: Any) -> None:
        config, choice, modalities = shared_latent(self.choice, config, fields, modalities)
        super().__init__(modalities, config)
        self.alpha, self.stop_gradient = choice.alpha, choice.stop_gradient
        self.encoder = JointEncoder(modalities, config.latent_size, choice, config.networks)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """The joint ELBO (19), and as a penalty alpha times the KL of (20)."""
        observed = observed_mask(batch, self.names)
        teacher = q = self.encoder(batch)  # q(z|x_1..x_M) of (18)
        penalties = {}
        if self.alpha:
            singles = self.encoder.singles(batch)  # q(z|x_m) of each modality alone, (M, B, r)
            if observed is not None:
                q = instead_of_joint(q, singles, observed)
            if self.stop_gradient:
                teacher = DiagonalGaussian(teacher.mean.detach(), teacher.logvar.detach())
            if observed is not None:
                # Of a part of the modalities the joint encoder knows nothing to teach: the product of theirs does, and
                # is not itself pulled, so that the exact posteriors stay where they are whatever alpha is.
                whole = (observed.sum(0) == len(observed))[:, None]
                teacher = DiagonalGaussian(torch.where(whole, teacher.mean, q.mean.detach()),
                                           torch.where(whole, teacher.logvar, q.logvar.detach()))
            gap = gaussian_kl(teacher, singles).sum(2)  # (M, B): the joint comes first (erratum E9)
            if observed is not None:
                gap = gap * (observed & (observed.sum(0) > 1))
            penalties["stand-in"] = self.alpha * gap.sum(0).mean()  # (20)
        z = q.rsample(generator)  # (1, B, r)
        # log p(x_m|z), (1, B) a modality
        log_prob = self.log_likelihoods(batch, observed, dict.fromkeys(self.names, z), generator)
        elbo = Evidence({name: s[0] for name, s in log_prob.items()}, {"z": q.kl_from_standard()})  # (19)
        return Objective([(1.0, elbo)], penalties, weights=self.weights)

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        observed, q = observed_mask(batch, self.names), self.encoder(batch)
        if observed is None or not self.alpha:
            return {"z": q}
        return {"z": instead_of_joint(q, self.encoder.singles(batch), observed)}


class JointEncoder(nn.Module):
    """Features of each modality, read together; and encoders of one modality where alpha asks for them."""

    def __init__(self, modalities: Modalities, size: int, choice: JMVAEConfig, networks: ModalNetworks) -> None:
        super().__init__()
        self.modalities = dict(modalities)
        width = choice.joint_hidden
        self.features = nn.ModuleList(networks.encoder(m, width) for m in modalities.values())
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(width * len(modalities), width), nn.ReLU(),
                                  nn.Linear(width, 2 * size))
        self.single = nn.ModuleList(networks.encoder(m, 2 * size) for m in modalities.values() if choice.alpha)

    def forward(self, batch: Batch) -> DiagonalGaussian:
        """q(z|x_1..x_M), (B, r); what is missing is read as zeros."""
        whole = with_zeros(self.modalities, batch)
        features = [encoder(x) for encoder, x in zip(self.features, whole.values(), strict=True)]
        return DiagonalGaussian.bounded(self.head(torch.cat(features, 1)))

    def singles(self, batch: Batch) -> DiagonalGaussian:
        """q(z|x_m) of each modality alone, (M, B, r)."""
        return DiagonalGaussian.bounded(encode_each(self.single, self.modalities, batch))


def instead_of_joint(joint: DiagonalGaussian, singles: DiagonalGaussian, observed: Tensor) -> DiagonalGaussian:
    """Where only one modality is observed, its own encoder speaks; where some are, the product of theirs.

    The joint encoder has only ever seen everything: with zeros for what is missing it says less than one of them.
    """
    count = observed.sum(0)[:, None]  # (B, 1)
    which = observed.to(singles.mean)[..., None]  # (M, B, 1)
    precision = (-singles.logvar).exp()
    narrow = precision > 1  # only such a posterior leaves a factor when it is divided by the prior (erratum E10)
    some = Experts((precision - 1) * narrow, precision * singles.mean * narrow).where(observed).product(
        torch.ones(1, len(observed), device=observed.device))
    mean = torch.where(count == 1, (which * singles.mean).sum(0), some.mean[0])
    logvar = torch.where(count == 1, (which * singles.logvar).sum(0), some.logvar[0])
    whole = count == len(observed)
    return DiagonalGaussian(torch.where(whole, joint.mean, mean), torch.where(whole, joint.logvar, logvar))
