"""The private-shared VAE of several modalities (Lee & Pavlovic 2021), equations (25) to (27).

Generation: one shared code and a private one for each modality, all from N(0, I); modality m is decoded from both.
Inference: the private code by the modality's own encoder, the shared one by a product of experts.

Shapes: B observations, M modalities, r size of the shared latent, r_m of a private one.

Training sums the joint ELBO (27) and one ELBO for each modality n, in which the shared code comes from n alone and
reconstructs every modality: own and cross reconstructions (erratum E12). The lecture's second term has only the own
ones. A shared code from one modality is the prior times its expert, as in the product (errata E10 and E14; the
authors' code uses the bare expert there).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vaecore.modalities import Label, Modality
from vaecore.models.base import Batch, Family, Given, Modalities, described
from vaecore.models.evidence import Evidence, Objective
from vaecore.models.multimodal.shared import ModalConfig, Multimodal, observed_mask
from vaecore.nets.modal import check_names
from vaecore.probability.gaussian import DiagonalGaussian, Experts
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option

SHARED = "shared"


def private(name: str) -> str:
    """The private latent of modality `name`."""
    return f"private {name}"


class DMVAEConfig(ModalConfig):
    """A VAE that tells apart what modalities share and what each has for itself."""

    title: ClassVar[str] = "DMVAE, private and shared"
    equations: ClassVar[str] = "25–27"
    family: Literal["dmvae"] = "dmvae"
    shared_size: int = option(10, "Size of the shared latent.", unit="dimensions", ge=1, le=4096)
    private_size: int = option(4, "Size of the private latent of each modality; a label has none unless it is named "
                               "below.", unit="dimensions", ge=0, le=4096)
    private_sizes: dict[str, Annotated[int, Field(ge=0, le=4096)]] = option(
        {}, "Size of the private latent of a modality by its name, where it differs.", unit="dimensions")
    cross: bool = option(True, "Whether each modality's shared code also reconstructs the others in training. Without "
                         "it, generating one from another is much weaker.")

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return DMVAE(modalities, self)


class DMVAE(Multimodal):
    def __init__(self, modalities: Given, config: DMVAEConfig | None = None, **fields: Any) -> None:
        config, modalities = described(DMVAEConfig, config, fields, modalities)
        check_names("model.private_sizes", config.private_sizes, modalities)
        self.shared_size = config.shared_size
        self.private_sizes = {
            name: config.private_sizes.get(name, 0 if isinstance(m, Label) else config.private_size)
            for name, m in modalities.items()}
        super().__init__(modalities, config, {name: config.shared_size + size
                                              for name, size in self.private_sizes.items()})
        self.cross = config.cross
        networks = config.networks
        self.encoder = nn.ModuleDict({
            "experts": nn.ModuleList(networks.encoder(m, 2 * (config.shared_size + self.private_sizes[name]))
                                     for name, m in modalities.items())})

    @property
    def latents(self) -> dict[str, int]:
        return {SHARED: self.shared_size} | {private(name): size for name, size in self.private_sizes.items() if size}

    def codes_for(self, name: str, z: Mapping[str, Tensor]) -> Tensor:
        own = z.get(private(name))
        if own is None:
            return z[SHARED]
        return torch.cat([z[SHARED], own.expand(*z[SHARED].shape[:-1], -1)], -1)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """The joint ELBO (27), and one for each modality n, whose shared code comes from n alone (erratum E12)."""
        observed = observed_mask(batch, self.names)
        experts, private_q = self.encode_each(batch, observed)
        count, device = len(self.names), experts.shift.device
        sources = torch.cat([torch.ones(1, count, device=device), torch.eye(count, device=device)])
        shared_q = experts.product(sources)  # (26): q(j|x), of all and then of each alone, (1 + M, B, r)
        j = shared_q.rsample(generator)[0]
        z = {SHARED: j} | {name: q.rsample(generator)[0] for name, q in private_q.items()}
        # The joint ELBO is all there is where nothing else is observed.
        counts = None if observed is None else torch.cat([
            torch.ones_like(observed[:1]), observed & (observed.sum(0) > 1)]).float()  # of each source, (1 + M, B)
        # log p(x_m|j, i_m) for j of each source, (1 + M, B) a modality
        scores = self.log_likelihoods(batch, observed, {
            name: self.codes_for(name, z | {SHARED: self.sources_of(m, j)}) for m, name in enumerate(self.names)},
            generator, None if counts is None else {name: self.sources_of(m, counts)
                                                    for m, name in enumerate(self.names)})
        kl, private_kl = shared_q.kl_from_standard(), {name: q.kl_from_standard() for name, q in private_q.items()}
        elbos = [(1.0, Evidence({name: s[0] for name, s in scores.items()}, {SHARED: kl[0]} | private_kl))]  # (27)
        for n, source in enumerate(self.names):
            here = 1.0 if counts is None else counts[1 + n]
            reconstruction = {name: (s[1 + n] if self.cross else s[1]) * here for name, s in scores.items()
                              if self.cross or name == source}
            cost = {SHARED: kl[1 + n]} | {name: k for name, k in private_kl.items()
                                          if self.cross or name == private(source)}
            if isinstance(here, Tensor):
                cost = {name: k * here[:, None] for name, k in cost.items()}
            elbos.append((1.0, Evidence(reconstruction, cost)))
        return Objective(elbos, weights=self.weights)

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """The private posterior of what is not observed is its prior."""
        experts, private_q = self.encode_each(batch, observed_mask(batch, self.names))
        q = experts.product(torch.ones(1, len(self.names), device=experts.shift.device))
        return {SHARED: DiagonalGaussian(q.mean[0], q.logvar[0]), **private_q}

    def experts(self, batch: Batch) -> dict[str, Experts]:
        return {SHARED: self.encode_each(batch, observed_mask(batch, self.names))[0]}

    def sources_of(self, m: int, shared: Tensor) -> Tensor:
        """What there is of each source for modality m, as codes: of every one, or of all together and its own."""
        return shared if self.cross else shared[[0, 1 + m]]

    def encode_each(self, batch: Batch, observed: Tensor | None) -> tuple[Experts, dict[str, DiagonalGaussian]]:
        """The experts of the shared latent (M, B, r), and the private posteriors (B, r_m)."""
        heads: dict[str, Tensor] = {}
        like: Tensor | None = None
        for name, encoder in zip(self.names, self.encoder["experts"], strict=True):  # type: ignore[call-overload]
            if name in batch:
                like = heads[name] = encoder(batch[name])
        assert like is not None
        shared = 2 * self.shared_size
        experts = Experts.bounded(torch.stack([
            heads[name][:, :shared] if name in heads else like.new_zeros(len(like), shared) for name in self.names]))
        private_q = {}
        for m, (name, size) in enumerate(self.private_sizes.items()):
            if not size:
                continue
            head = heads[name][:, shared:] if name in heads else like.new_zeros(len(like), 2 * size)
            if observed is not None:  # a mean of 0 and a log-variance of 0 are the prior
                head = head * observed[m][:, None]
            private_q[private(name)] = DiagonalGaussian.bounded(head)
        return experts if observed is None else experts.where(observed), private_q
