"""What every family of models returns: the same evidence, in nats per observation.

Shapes: B observations, K samples, r latent size, D observed size. A batch maps modality names to tensors
(B, *shape). The ELBO is maximised; a loss is its negative, and no name here says the opposite.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor, nn

from vaecore.data import Kind, Modality
from vaecore.distributions import Observation, Point, Posterior
from vaecore.schema import Strict

Batch = Mapping[str, Tensor]
NUMBERS_AT_ONCE = 20_000_000  # that a decoder gives, 80 MB
Modalities = Mapping[str, Modality]
KLCost = Callable[[Mapping[str, Tensor]], Tensor]  # mean KL by latent (r,) -> a scalar in nats


@dataclass(frozen=True)
class Evidence:
    """The terms of one ELBO by name: `reconstruction[modality]` (B,) is E_q log p(x|z), `kl[latent]` (B, r)."""

    reconstruction: Mapping[str, Tensor]
    kl: Mapping[str, Tensor]

    def total_reconstruction(self) -> Tensor:
        """Summed over modalities, (B,)."""
        return _sum(self.reconstruction.values())

    def total_kl(self) -> Tensor:
        """Summed over latents and their dimensions, (B,); zero for a family without a KL."""
        if not self.kl:
            return torch.zeros_like(next(iter(self.reconstruction.values())))
        return _sum(kl.flatten(1).sum(1) for kl in self.kl.values())

    def elbo(self) -> Tensor:
        """Equation (9), (B,)."""
        return self.total_reconstruction() - self.total_kl()


@dataclass(frozen=True)
class Objective:
    """What a family trains: a weighted list of ELBOs, and named penalties (scalars, nats per observation)."""

    elbos: list[tuple[float, Evidence]]
    penalties: Mapping[str, Tensor] = field(default_factory=dict)

    def terms(self, cost: KLCost | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weighted batch means of reconstruction, KL and what the KL costs, and the sum of penalties: four scalars.

        `cost` charges the mean KL by latent and dimension with something else than its sum, as free bits do.
        """
        reconstruction = _sum(w * e.total_reconstruction().mean() for w, e in self.elbos)
        kl = _sum(w * e.total_kl().mean() for w, e in self.elbos)
        charged = kl
        if cost is not None:
            charged = _sum(w * cost({name: k.mean(0) for name, k in e.kl.items()}) if e.kl else torch.zeros_like(kl)
                           for w, e in self.elbos)
        penalty = _sum(self.penalties.values()) if self.penalties else torch.zeros_like(kl)
        return reconstruction, kl, charged, penalty


def _sum(terms: Iterable[Tensor]) -> Tensor:
    """One after the other: a single term, the usual case, costs nothing."""
    return reduce(torch.add, terms)


class Family(nn.Module):
    """A model of one family. Posteriors are keyed by latent name, observations by modality name."""

    def __init__(self, modalities: Modalities) -> None:
        super().__init__()
        self.modalities = dict(modalities)

    @property
    @abstractmethod
    def latents(self) -> dict[str, int]:
        """Latent names and their sizes r."""

    @abstractmethod
    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """q(z|x) a latent."""

    @abstractmethod
    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        """p(x|z) a modality, from codes (B, r) a latent."""

    @abstractmethod
    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The terms of equation (9) for a batch whose posteriors are known."""

    def elbo(self, batch: Batch, generator: torch.Generator | None = None) -> Evidence:
        """The terms of equation (9) for a batch."""
        return self.evidence(batch, self.encode(batch), generator)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """What training minimises; one ELBO unless a family says otherwise."""
        return Objective([(1.0, self.elbo(batch, generator))])

    def inference_parameters(self) -> list[nn.Parameter]:
        """phi, the parameters of q(z|x); all others are theta, those of p(x|z)."""
        return [p for name, p in self.named_parameters() if name.startswith("encoder.")]

    def at_once(self, most: int) -> int:
        """How many codes to decode together: `most`, or fewer where that would take more than 80 MB of numbers."""
        return max(1, min(most, NUMBERS_AT_ONCE // sum(m.decoded_size for m in self.modalities.values())))

    def fit(self, train: Batch) -> bool:
        """Solve in closed form on the whole training set (N, *shape); False where there is none."""
        return False

    @property
    def parameter_count(self) -> int:
        """Numbers learned, in closed form or by gradient."""
        return sum(p.numel() for p in self.parameters())


class ModelConfig(Strict):
    """A choice of family. A family is one subclass in one file, with `family` as its tag."""

    title: ClassVar[str]  # what a person calls it
    has_kl: ClassVar[bool] = True  # whether there is a KL from a prior, hence a bound on log p(x)
    reads: ClassVar[tuple[Kind, ...]] = ("image", "vector")
    exact: ClassVar[bool] = False  # whether the reconstruction is log p(x) itself
    likelihood_name: ClassVar[str] = ""  # of a family whose likelihood is not a choice

    @abstractmethod
    def build(self, modalities: Modalities) -> Family:
        """An untrained model for these modalities; raises `ConfigError` where they do not fit."""


def single(modalities: Modalities) -> tuple[str, Modality]:
    """The one modality of a single-modality family."""
    [(name, modality)] = modalities.items()
    return name, modality


class Autoencoding(Family):
    """A family with one modality and one deterministic code: no KL, the reconstruction is the objective."""

    def __init__(self, modalities: Modalities, latent_size: int) -> None:
        super().__init__(modalities)
        self.modality, self.shape = single(modalities)
        self.latent_size = latent_size

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}

    @abstractmethod
    def code(self, x: Tensor) -> Tensor:
        """The encoding, (B, *shape) -> (B, r)."""

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {"z": Point(self.code(batch[self.modality]))}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        z = {name: posterior.mean for name, posterior in posteriors.items()}
        return Evidence({name: p.log_prob(batch[name]) for name, p in self.decode(z).items()}, {})
