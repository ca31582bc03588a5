"""What families of several modalities share: who is observed, and a decoder and a likelihood for each modality.

Shapes: B observations, M modalities, S codes of each observation, r latent size. `observed` (M, B) says which
modalities each observation has; it is None where all have all, the usual case, which then costs nothing.

What is given is what a batch holds: `encode` of a batch with some modalities only is q(z | these). What is to be
predicted is `predict=` of `decode`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from vaecore.data import OBSERVED
from vaecore.modalities import MAX_MODALITIES, Image, Label, Modality, Text, Vector
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, ModelConfig, described
from vaecore.models.evidence import Evidence
from vaecore.nets.modal import LikelihoodName, ModalNetworks, check_names, likelihoods
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import Experts, Point, StandardNormal
from vaecore.probability.likelihoods import Observation, counted
from vaecore.probability.posteriors import Posterior, PosteriorMixture
from vaecore.schema import Strict, option, parse, problem

Weight = Annotated[float, Field(ge=0, le=10_000)]


class MultimodalConfig(ModelConfig):
    """Likelihoods and weights of the modalities."""

    multimodal: ClassVar[bool] = True
    approach: ClassVar[Approach] = "variational autoencoder"
    reads: ClassVar[tuple[type[Modality], ...]] = (Image, Vector, Label, Text)

    likelihoods: dict[str, LikelihoodName] = option({}, "p(x|z) of a modality by its name; those not named have the "
                                                    "usual one of their kind: bernoulli for images, gaussian-learned "
                                                    "for vectors, categorical for labels, words for sentences.")
    sigma: float = option(0.1, "Standard deviation of every modality whose likelihood is gaussian.",
                          unit="observed value", ge=0.001, le=100, advanced=True)
    weights: dict[str, Weight] = option({}, "Weight lambda of a modality's reconstruction in training, by its name; 1 "
                                        "where not named. A modality of few numbers needs a large one to be heard.")

    def scored_by(self) -> str:
        chosen = [f"{name} {kind}" + (f" {self.sigma:g}" if kind == "gaussian" else "")
                  for name, kind in self.likelihoods.items()]
        return ", ".join(["usual ones", *chosen])

    def unread(self, modalities: Modalities) -> set[str]:
        return set() if "gaussian" in self.likelihoods.values() else {"sigma"}


class ModalConfig(MultimodalConfig):
    """A family of several modalities with networks of each one's own."""

    networks: ModalNetworks = option(ModalNetworks(), "Networks by kind of modality.")

    def unread(self, modalities: Modalities) -> set[str]:
        read = [self.networks.of(modality) for modality in modalities.values()]
        return super().unread(modalities) | {f"networks.{name}" for name, network in self.networks
                                             if not any(network is each for each in read)}


class PosteriorConfig(Strict):
    """A choice of q(z | any of the modalities), and with it of the model and its objective."""

    @abstractmethod
    def build(self, modalities: Modalities, config: SharedLatentConfig) -> Family:
        """An untrained model whose `config.posterior` this is."""


class SharedLatentConfig(ModalConfig):
    """A VAE with one latent that all modalities share."""

    title: ClassVar[str] = "Multimodal VAE"
    family: str = "multimodal-vae"
    latent_size: int = option(32, "Size r of the latent z.", symbol="z", unit="dimensions", ge=1, le=4096)
    posterior: PosteriorConfig

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return self.posterior.build(modalities, self)


P = TypeVar("P", bound=PosteriorConfig)


def shared_latent(choice: type[P], config: SharedLatentConfig | None, fields: Mapping[str, Any], modalities: Given
                  ) -> tuple[SharedLatentConfig, P, dict[str, Modality]]:
    """The choice and modalities of a model with one latent, however they are given.

    See `described`: `fields` are those of its posterior and of `SharedLatentConfig`.
    """
    if config is None:
        common = SharedLatentConfig.model_fields.keys() - {"posterior"}
        own = {name: value for name, value in fields.items() if name not in common}
        rest = {name: value for name, value in fields.items() if name in common}
        config, fields = parse(SharedLatentConfig, {**rest, "posterior": parse(choice, own)}), {}
    config, found = described(SharedLatentConfig, config, fields, modalities)
    assert isinstance(config.posterior, choice)
    return config, config.posterior, found


class Multimodal(Family):
    """Holds decoders and masks; a subclass has the latents, the encoders, and what is decoded from which latent."""

    subsets: Tensor | None = None  # of modalities (S, M), of a posterior that mixes theirs

    def __init__(self, modalities: Modalities, config: MultimodalConfig, sizes: Mapping[str, int]) -> None:
        """`sizes` are the numbers that each modality is decoded from; empty for a subclass with one decoder for all."""
        super().__init__(modalities)
        check_several(modalities)
        check_names("model.weights", config.weights, modalities)
        self.names = list(modalities)
        self.weights = dict(config.weights)
        chosen = likelihoods(config.likelihoods, config.sigma, modalities)
        self.decoders = nn.ModuleList(config.networks.decoder(m, sizes[name], chosen[name])
                                      for name, m in modalities.items() if isinstance(config, ModalConfig))

    def prior(self, batch: Batch | None = None) -> dict[str, Density]:
        """N(0, I) for every latent: a product of experts is Gaussian only with a Gaussian prior among them."""
        device = next(self.parameters()).device
        return {name: StandardNormal(size, device) for name, size in self.latents.items()}

    def experts(self, batch: Batch) -> dict[str, Experts]:
        """Gaussian factors of a latent that several modalities tell of, by its name: (M, B, r).

        In the order of `names`, those not given with precision 0. Empty where no product is taken.
        """
        return {}

    def codes_for(self, name: str, z: Mapping[str, Tensor]) -> Tensor:
        """What modality `name` is decoded from, (..., size), of codes (..., r) a latent."""
        return z["z"]

    def decode(self, z: Mapping[str, Tensor], predict: Collection[str] | None = None,
               generator: torch.Generator | None = None) -> dict[str, Observation]:
        """p(x|z) of the modalities to `predict`, all where it is None."""
        return {name: decoder(self.codes_for(name, z), generator)
                for name, decoder in zip(self.names, self.decoders, strict=True) if predict is None or name in predict}

    def log_likelihoods(self, batch: Batch, observed: Tensor | None, codes: Mapping[str, Tensor],
                        generator: torch.Generator | None = None, counts: Mapping[str, Tensor] | None = None
                        ) -> dict[str, Tensor]:
        """log p(x_m | code) in nats, (S, B), for codes (S, B, size) a modality; 0 where x_m is not observed.

        Each decoder runs once, whatever S is. `counts` (S, B) a modality say how much each is going to count, where
        some are missing: alike unless given.
        """
        found = {}
        for m, (name, decoder) in enumerate(zip(self.names, self.decoders, strict=True)):
            if name not in codes:
                continue
            z = codes[name]
            x = batch[name]
            repeated = x if len(z) == 1 else x.expand(len(z), *x.shape).flatten(0, 1)
            p = decoder(z.flatten(0, 1), generator)
            if observed is not None:
                weights = observed[m] if counts is None else observed[m] * counts[name]
                p = counted(p, weights.to(z).expand(z.shape[:2]).flatten())
            log_prob = p.log_prob(repeated).view(z.shape[:2])
            found[name] = log_prob if observed is None else log_prob * observed[m]
        return found

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The ELBO of what is observed; of a mixture the mean over its components, which is a lower bound of it."""
        observed = observed_mask(batch, self.names)
        z, weights, kl = {}, torch.ones(1, 1, device=next(iter(batch.values())).device), {}
        for latent, q in posteriors.items():
            assert not isinstance(q, Point)
            parts = q.components if isinstance(q, PosteriorMixture) else [q]
            weights = q.weights if isinstance(q, PosteriorMixture) else weights
            z[latent] = torch.stack([part.rsample(generator)[0] for part in parts])  # (S, B, r)
            each = torch.stack([part.kl_from_standard() for part in parts])
            kl[latent] = (weights.to(each)[..., None] * each).sum(0) if len(parts) > 1 else each[0]
        given = [name for name in self.names if name in batch]
        scores = self.log_likelihoods(batch, observed, {name: self.codes_for(name, z) for name in given}, generator,
                                      dict.fromkeys(given, weights))
        return Evidence({name: (weights.to(s) * s).sum(0) for name, s in scores.items()}, kl)


class MultimodalVAE(Multimodal):
    """A VAE with one latent z that all modalities share: `JMVAE`, `MVAE`, `MMVAE`, `MoPoE`."""

    def __init__(self, modalities: Modalities, config: SharedLatentConfig) -> None:
        super().__init__(modalities, config, dict.fromkeys(modalities, config.latent_size))
        self.latent_size = config.latent_size

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}


class Encoders(nn.Module):
    """An encoder for each modality, run once each: a batch to (M, B, size)."""

    def __init__(self, modalities: Modalities, size: int, networks: ModalNetworks) -> None:
        super().__init__()
        self.modalities = dict(modalities)
        self.encoders = nn.ModuleList(networks.encoder(m, size) for m in modalities.values())

    def forward(self, batch: Batch) -> Tensor:
        return encode_each(self.encoders, self.modalities, batch)


def check_several(modalities: Modalities) -> None:
    """Raise `ConfigError` for fewer than two modalities, or too many."""
    if not 2 <= len(modalities) <= MAX_MODALITIES:
        raise problem("model.family", len(modalities), "a family of several modalities needs 2 to "
                      f"{MAX_MODALITIES}, but this data set has {len(modalities)}.",
                      "Choose a data set of several, as image-label.")


def observed_mask(batch: Batch, names: list[str]) -> Tensor | None:
    """The modalities that each observation has, (M, B) bool; None where all have all. Raises `ValueError` for none."""
    given = [name in batch for name in names]
    if not any(given):
        raise ValueError(f"nothing is given. Give at least one of {', '.join(names)}.")
    if OBSERVED not in batch:
        if all(given):
            return None
        first = batch[names[given.index(True)]]
        return torch.tensor(given, device=first.device)[:, None].expand(-1, len(first))
    observed = batch[OBSERVED].T
    return observed if all(given) else observed & torch.tensor(given, device=observed.device)[:, None]


def encode_each(encoders: nn.ModuleList, modalities: Modalities, batch: Batch) -> Tensor:
    """The outputs of an encoder a modality, each run once, (M, B, size); of one that is not in the batch, zeros."""
    found = {name: encoder(batch[name]) for (name, encoder) in zip(modalities, encoders, strict=True) if name in batch}
    like = next(iter(found.values()))
    return torch.stack([found[name] if name in found else torch.zeros_like(like) for name in modalities])


def zeros_of(modality: Modality, count: int, like: Tensor) -> Tensor:
    """`count` observations of a modality that say nothing: zeros, or for a text padding."""
    return modality.as_read(torch.zeros(count, *modality.shape, device=like.device))


def with_zeros(modalities: Modalities, batch: Batch) -> dict[str, Tensor]:
    """Every modality of a batch, zeros for what it lacks: what JMVAE-zero gives its joint encoder."""
    first = next(batch[name] for name in modalities if name in batch)
    whole = {name: batch[name] if name in batch else zeros_of(m, len(first), first) for name, m in modalities.items()}
    if OBSERVED not in batch:
        return whole
    observed = batch[OBSERVED]
    return {name: x * observed[:, m].to(x).view(-1, *[1] * (x.ndim - 1)) for m, (name, x) in enumerate(whole.items())}
