"""The joint posterior q(z | any of the modalities) as a choice, each with the objective that trains it.

Shapes: B observations, M modalities, S subsets of them, r latent size; `observed` (M, B) is None where all have all.

- `JointEncoder`: one network reads everything (JMVAE, Suzuki et al. 2016, equations 18 to 20).
- `Product`: the prior times a factor from each modality (MVAE, Wu & Goodman 2018, equations 22 to 24).
- `ExpertMixture`: one modality at a time (MMVAE, Shi et al. 2019).
- `ProductMixture`: the products of all subsets, mixed (MoPoE, Sutter et al. 2021).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from itertools import product as every
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vaecore.models.base import Batch, Evidence, Modalities, Objective
from vaecore.models.multimodal.shared import filled, read
from vaecore.nets.modal import ModalNetworks
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl
from vaecore.probability.posteriors import Experts, PosteriorMixture
from vaecore.schema import Strict, option, problem

# log p(x_m | z) in nats (S, B) by modality, of codes (S, B, r) by modality; 0 where a modality is not observed.
Score = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
MOST_MIXED = 8  # modalities whose 255 subsets are all decoded


class JointPosterior(nn.Module):
    """q(z | what is observed), and the terms of its objective."""

    def __init__(self, modalities: Modalities) -> None:
        super().__init__()
        self.modalities = dict(modalities)

    @abstractmethod
    def forward(self, batch: Batch, observed: Tensor | None) -> DiagonalGaussian | PosteriorMixture:
        """The posterior of each observation, (B, r)."""

    @abstractmethod
    def objective(self, batch: Batch, observed: Tensor | None, score: Score, generator: torch.Generator | None
                  ) -> Objective:
        """ELBOs, the joint one first, and penalties."""


class PosteriorConfig(Strict):
    """A choice of joint posterior."""

    @abstractmethod
    def build(self, modalities: Modalities, size: int, networks: ModalNetworks) -> JointPosterior: ...


# -- one encoder for all ---------------------------------------------------------------------------


class JointEncoder(PosteriorConfig):
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

    def build(self, modalities: Modalities, size: int, networks: ModalNetworks) -> JointPosterior:
        return _Joint(modalities, self, size, networks)


class _Joint(JointPosterior):
    def __init__(self, modalities: Modalities, config: JointEncoder, size: int, networks: ModalNetworks) -> None:
        super().__init__(modalities)
        self.alpha, self.stop_gradient = config.alpha, config.stop_gradient
        width = config.joint_hidden
        self.features = nn.ModuleList(networks.encoder(m, width) for m in modalities.values())
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(width * len(modalities), width), nn.ReLU(),
                                  nn.Linear(width, 2 * size))
        self.single = nn.ModuleList(networks.encoder(m, 2 * size) for m in modalities.values() if config.alpha)

    def forward(self, batch: Batch, observed: Tensor | None) -> DiagonalGaussian:
        q = self._joint(batch)
        if observed is None or not self.single:
            return q
        return self._instead(q, self._singles(batch), observed)

    def objective(self, batch: Batch, observed: Tensor | None, score: Score, generator: torch.Generator | None
                  ) -> Objective:
        joint = q = self._joint(batch)
        penalties = {}
        if self.single:
            singles = self._singles(batch)
            if observed is not None:
                q = self._instead(q, singles, observed)
            if self.stop_gradient:
                joint = DiagonalGaussian(joint.mean.detach(), joint.logvar.detach())
            if observed is not None:
                # Of a part of the modalities the joint encoder knows nothing to teach: the product of theirs does, and
                # is not itself pulled, so that the exact posteriors stay where they are whatever alpha is.
                whole = (observed.sum(0) == len(observed))[:, None]
                joint = DiagonalGaussian(torch.where(whole, joint.mean, q.mean.detach()),
                                         torch.where(whole, joint.logvar, q.logvar.detach()))
            gap = gaussian_kl(joint, singles).sum(2)  # (M, B): the joint comes first (erratum E9)
            if observed is not None:
                gap = gap * (observed & (observed.sum(0) > 1))
            penalties["stand-in"] = self.alpha * gap.sum(0).mean()
        z = q.rsample(generator)  # (1, B, r)
        scores = score(dict.fromkeys(self.modalities, z))
        return Objective([(1.0, Evidence({name: s[0] for name, s in scores.items()}, {"z": q.kl_from_standard()}))],
                         penalties)

    def _joint(self, batch: Batch) -> DiagonalGaussian:
        whole = filled(self.modalities, batch)
        features = [encoder(x) for encoder, x in zip(self.features, whole.values(), strict=True)]
        return DiagonalGaussian.bounded(self.head(torch.cat(features, 1)))

    def _singles(self, batch: Batch) -> DiagonalGaussian:
        """q(z|x_m) of each modality alone, (M, B, r)."""
        return DiagonalGaussian.bounded(read(self.single, self.modalities, batch))

    @staticmethod
    def _instead(joint: DiagonalGaussian, singles: DiagonalGaussian, observed: Tensor) -> DiagonalGaussian:
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


# -- an expert for each ----------------------------------------------------------------------------


class Product(PosteriorConfig):
    """MVAE: the prior times one Gaussian factor a modality; what is missing is left out of the product."""

    title: ClassVar[str] = "Product of experts (MVAE)"
    kind: Literal["product"] = "product"
    marginals: bool = option(True, "Whether each modality's own ELBO is trained besides the joint one. Without these "
                             "terms no expert learns to stand alone.")
    random_subsets: int = option(1, "Random subsets whose ELBO is trained besides, new ones at each step; their size "
                                 "is drawn first, from 2 to M - 1. Two modalities have none.", unit="subsets", ge=0,
                                 le=64)
    quotient: Literal["factor", "posterior"] = option(
        "factor", "What an encoder gives: a factor of the product itself, or a posterior q(z|x) that is divided by the "
        "prior (MVAE-Q).", advanced=True)

    def build(self, modalities: Modalities, size: int, networks: ModalNetworks) -> JointPosterior:
        return _Product(modalities, self, size, networks)


class _Expert(JointPosterior):
    """An encoder a modality, each run once for all subsets."""

    def __init__(self, modalities: Modalities, size: int, networks: ModalNetworks, *, quotients: bool = False) -> None:
        super().__init__(modalities)
        self.encoders = nn.ModuleList(networks.encoder(m, 2 * size) for m in modalities.values())
        self.quotients = quotients

    def experts(self, batch: Batch, observed: Tensor | None) -> Experts:
        """The factors of what is observed, (M, B, r)."""
        heads = read(self.encoders, self.modalities, batch)
        found = Experts.quotients(heads) if self.quotients else Experts.bounded(heads)
        return found if observed is None else found.where(observed)


class _Product(_Expert):
    def __init__(self, modalities: Modalities, config: Product, size: int, networks: ModalNetworks) -> None:
        super().__init__(modalities, size, networks, quotients=config.quotient == "posterior")
        self.marginals, self.random_subsets = config.marginals, config.random_subsets if len(modalities) > 2 else 0

    def forward(self, batch: Batch, observed: Tensor | None) -> DiagonalGaussian:
        q = self.experts(batch, observed).product(torch.ones(1, len(self.modalities), device=_device(self)))
        return DiagonalGaussian(q.mean[0], q.logvar[0])

    def objective(self, batch: Batch, observed: Tensor | None, score: Score, generator: torch.Generator | None
                  ) -> Objective:
        """One ELBO of everything, one of each modality, and of random subsets; each reconstructs only its own subset
        (erratum E11)."""
        subsets = self.subsets(generator)  # (S, M) on the CPU: which code goes where is decided there
        q = self.experts(batch, observed).product(subsets.to(_device(self)))  # (S, B, r)
        z = q.rsample(generator)[0]
        scores = score({name: z[subsets[:, m]] for m, name in enumerate(self.modalities)})
        places = subsets.cumsum(0) - 1  # of subset s among those that have modality m
        kl = q.kl_from_standard()
        counts = None if observed is None else self._counts(subsets, observed)
        elbos = []
        for s, subset in enumerate(subsets):
            there = 1.0 if counts is None else counts[s]  # an observation that has nothing of the subset says nothing
            terms = {name: scores[name][places[s, m]] * there for m, name in enumerate(self.modalities) if subset[m]}
            elbos.append((1.0, Evidence(terms, {"z": kl[s] if counts is None else kl[s] * counts[s][:, None]})))
        return Objective(elbos)

    def subsets(self, generator: torch.Generator | None = None) -> Tensor:
        """Those of one step, (S, M): all, each alone, and random ones."""
        count = len(self.modalities)
        rows = [torch.ones(1, count, dtype=torch.bool)]
        if self.marginals:
            rows.append(torch.eye(count, dtype=torch.bool))
        if self.random_subsets:
            drawn = torch.rand(self.random_subsets, count + 1, generator=generator,
                               device=generator.device if generator else None).cpu()
            sizes = 2 + (drawn[:, :1] * (count - 2)).long()  # size first, then a subset of that size
            rows.append(drawn[:, 1:].argsort(1).argsort(1) < sizes)
        return torch.cat(rows)

    @staticmethod
    def _counts(subsets: Tensor, observed: Tensor) -> Tensor:
        """Whether the ELBO of a subset counts for an observation, (S, B) of 0 and 1.

        Where one modality is all there is, its own ELBO is the joint one and counts once.
        """
        shown = (subsets.to(observed.device)[..., None] & observed).sum(1)  # (S, B): how many of the subset it has
        counts = shown > 0
        counts[1:] &= observed.sum(0) > 1
        drawn = (subsets.sum(1) > 1).to(observed.device)
        drawn[0] = False  # of a random subset with one of them there, or all there is, the ELBO counts already
        return (counts & (~drawn[:, None] | ((shown > 1) & (shown < observed.sum(0))))).float()


class Mixture(_Expert):
    """Posteriors of some subsets, mixed with equal weights: those that an observation has in full."""

    def __init__(self, modalities: Modalities, size: int, networks: ModalNetworks, subsets: Tensor) -> None:
        super().__init__(modalities, size, networks)
        self.subsets = subsets  # (S, M), bool

    def forward(self, batch: Batch, observed: Tensor | None) -> PosteriorMixture:
        q = self.experts(batch, observed).product(self.subsets.to(_device(self)))
        return PosteriorMixture(q.mean, q.logvar, self._weights(observed, q.mean))

    def objective(self, batch: Batch, observed: Tensor | None, score: Score, generator: torch.Generator | None
                  ) -> Objective:
        """The mean ELBO of the components, a lower bound of the mixture's own: every component reconstructs all."""
        q = self(batch, observed)
        z = DiagonalGaussian(q.means, q.logvars).rsample(generator)[0]  # (S, B, r)
        scores = score(dict.fromkeys(self.modalities, z))
        kl = (q.weights[..., None] * DiagonalGaussian(q.means, q.logvars).kl_from_standard()).sum(0)
        return Objective([(1.0, Evidence({name: (q.weights * s).sum(0) for name, s in scores.items()}, {"z": kl}))])

    def _weights(self, observed: Tensor | None, like: Tensor) -> Tensor:
        if observed is None:
            return like.new_full(like.shape[:2], 1 / len(self.subsets))
        inside = ~(self.subsets.to(observed.device)[..., None] & ~observed).any(1)  # (S, B)
        inside |= ~inside.any(0)  # of an observation without anything every component is the prior
        return inside.to(like) / inside.sum(0)


class ExpertMixture(PosteriorConfig):
    """MMVAE: the posteriors of single modalities, mixed; each has to account for everything."""

    title: ClassVar[str] = "Mixture of experts (MMVAE)"
    kind: Literal["mixture"] = "mixture"

    def build(self, modalities: Modalities, size: int, networks: ModalNetworks) -> JointPosterior:
        return Mixture(modalities, size, networks, torch.eye(len(modalities), dtype=torch.bool, device="cpu"))


class ProductMixture(PosteriorConfig):
    """MoPoE: the products of all 2^M - 1 subsets, mixed."""

    title: ClassVar[str] = "Mixture of products (MoPoE)"
    kind: Literal["mixture-of-products"] = "mixture-of-products"

    def build(self, modalities: Modalities, size: int, networks: ModalNetworks) -> JointPosterior:
        if len(modalities) > MOST_MIXED:
            raise problem("model.posterior.kind", "mixture-of-products", f"{len(modalities)} modalities have "
                          f"{2 ** len(modalities) - 1:,} subsets, all of which it decodes.",
                          f"Use product, or at most {MOST_MIXED} modalities.")
        return Mixture(modalities, size, networks, all_subsets(len(modalities)))


def all_subsets(count: int) -> Tensor:
    """The 2^M - 1 that are not empty, (S, M) bool, on the CPU."""
    rows = [row for row in every([False, True], repeat=count) if any(row)]
    return torch.tensor(rows, device="cpu")


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


PosteriorChoice = Annotated[Product | JointEncoder | ExpertMixture | ProductMixture, Field(discriminator="kind")]
