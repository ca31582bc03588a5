"""The restricted Boltzmann machine: an energy, one layer of hidden units, and a normaliser that is not at hand.

p(v, h) = exp(b'v + c'h + v'W h) / Z with binary v and h. Hidden units summed out, p(v) = exp(-F(v)) / Z with the free
energy F(v) = -b'v - sum_j softplus(c_j + (W'v)_j). The gradient of log p(v) is that of F at samples of the model less
that at the data: contrastive divergence takes for samples what k Gibbs steps make of the data (Hinton 2002), persistent
contrastive divergence chains that are never started anew (Tieleman 2008). Hidden units being summed out, the last
hidden update enters by its probabilities.

log Z is exact by enumeration where one side has at most 20 units, else estimated by annealed importance sampling
(Salakhutdinov & Murray 2008), which tends to find it too small, and so log p(v) too large, where its chains mix badly.
Shapes: B observations, D visible and H hidden units, C chains. Grey levels stand for probabilities: as -F is convex,
what they are given is a lower bound on the mean log p of their black and white draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.modalities import Image, Modality
from vaecore.models.base import Approach, Batch, Family, Given, Modalities, ModelConfig, described, only_modality
from vaecore.models.evidence import Evidence, Objective
from vaecore.probability.gaussian import Point
from vaecore.probability.likelihoods import BernoulliPixels, Observation
from vaecore.probability.posteriors import Posterior
from vaecore.schema import option

ENUMERATED = 20  # units of the smaller side, up to which all its states are summed over
STATES_AT_ONCE = 4_096  # 26 MB of doubles for 784 visible units
CALIBRATION_SEED = 9_876  # the same weights give the same log Z
RATES_FROM = 10_000  # training observations
SMALLEST_RATE = 0.01  # of a pixel that is never, or always, on
SAMPLED_AT_ONCE = 1_000  # chains


class RBMConfig(ModelConfig):
    """A restricted Boltzmann machine: learning and sampling by Markov chains."""

    title: ClassVar[str] = "Restricted Boltzmann machine"
    approach: ClassVar[Approach] = "energy-based"
    has_kl: ClassVar[bool] = False
    exact: ClassVar[bool] = True
    reads: ClassVar[tuple[type[Modality], ...]] = (Image,)
    likelihood_name: ClassVar[str] = "bernoulli"
    family: Literal["rbm"] = "rbm"
    hidden: int = option(200, "Hidden units. Up to 20 the likelihood is exact, beyond it is estimated.", unit="units",
                         ge=1, le=8192)
    chain: Literal["cd", "pcd"] = option("pcd", "Where the model's samples come from: chains started at the data "
                                         "(contrastive divergence), or chains that go on (persistent).")
    steps: int = option(1, "Gibbs steps k of the chains an update.", unit="steps", ge=1, le=10_000)
    chains: int = option(100, "Chains that go on. With contrastive divergence they only serve the training's "
                         "curve.", unit="chains", ge=1, le=10_000)
    sampling_sweeps: int = option(1000, "Gibbs steps from independent pixels to a sample.", unit="sweeps", ge=1,
                                  le=1_000_000)
    temperatures: int = option(1000, "Intermediate distributions of annealed importance sampling. Too few make log "
                               "Z too small, and log p too large, beyond what its standard error tells.", ge=2,
                               le=100_000, advanced=True)
    ais_chains: int = option(100, "Chains of annealed importance sampling.", unit="chains", ge=2, le=10_000,
                             advanced=True)

    def unread(self, modalities: Modalities) -> set[str]:
        enumerated = min(self.hidden, only_modality(modalities)[1].size) <= ENUMERATED
        return {"temperatures", "ais_chains"} if enumerated else set()

    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        return RBM(modalities, self)


class RBM(Family):
    log_z: Tensor  # at the last `calibrate`
    log_z_error: Tensor  # its standard error; 0 where it is exact
    base: Tensor  # log odds of independent pixels (D,), where annealing and sampling begin
    chains: Tensor  # visible states (C, D) of those that go on
    entropy: Tensor  # log Z + mean F(chains) at the last `calibrate`

    def __init__(self, modalities: Given, config: RBMConfig | None = None, **fields: Any) -> None:
        config, modalities = described(RBMConfig, config, fields, modalities)
        super().__init__(modalities)
        self.modality, self.shape = only_modality(modalities)
        self.config = config
        size = self.shape.size
        self.weight = nn.Parameter(0.01 * torch.randn(size, config.hidden))
        self.visible_bias = nn.Parameter(torch.zeros(size))
        self.hidden_bias = nn.Parameter(torch.zeros(config.hidden))
        for name in ("log_z", "log_z_error", "entropy"):
            self.register_buffer(name, torch.zeros(()))
        self.register_buffer("base", torch.zeros(size))
        self.register_buffer("chains", torch.zeros(config.chains, size))

    @property
    def latents(self) -> dict[str, int]:
        return {"h": self.config.hidden}

    @property
    def sampling_passes(self) -> int:
        return self.config.sampling_sweeps

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """The probabilities p(h = 1|v), as a code that is not drawn."""
        return {"h": Point(self._hidden(batch[self.modality].flatten(1)).sigmoid())}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        """p(v|h); of probabilities, one step of the mean field."""
        return {self.modality: BernoulliPixels(self._visible(z["h"]).view(-1, *self.shape.shape))}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """log p(v) = -F(v) - log Z, with log Z as `calibrate` left it."""
        return Evidence({self.modality: -self.free_energy(batch[self.modality].flatten(1)) - self.log_z}, {})

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """What training minimises: an estimate of mean -log p(v).

        Its gradient is that of mean F(data) - mean F(samples of the model).

        The two are no function and its derivative. As the entropy of the model is log Z + mean F over its samples,
        -log p(v) is F(v) - mean F(chains) + entropy, and the entropy is held as the last `calibrate` found it: from
        step to step log Z moves by many nats more. The log p(v) to quote is that of `evidence`.
        """
        v = batch[self.modality].flatten(1)
        with torch.autocast(v.device.type, enabled=False):  # energies are sums of hundreds of terms
            self.chains.copy_(self.gibbs(self.chains, self.config.steps, generator))
            persistent = self.free_energy(self.chains).mean()
            data, model = self.free_energy(v), persistent
            if self.config.chain == "cd":
                model = self.free_energy(self.gibbs(torch.bernoulli(v, generator=generator), self.config.steps,
                                                    generator)).mean()
        gap = data.mean() - model
        evidence = Evidence({self.modality: persistent.detach() - data.detach() - self.entropy}, {})
        return Objective([(1.0, evidence)], {"contrastive divergence": gap - gap.detach()})

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) of states (B, D), (B,)."""
        return -(v @ self.visible_bias) - F.softplus(self._hidden(v)).sum(1)

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
        """States (C, D) after `steps` times h ~ p(h|v), v ~ p(v|h)."""
        for _ in range(steps):
            h = torch.bernoulli(self._hidden(v).sigmoid(), generator=generator)
            v = torch.bernoulli(self._visible(h).sigmoid(), generator=generator)
        return v

    def sample(self, count: int, generator: torch.Generator | None = None, covariate: Tensor | None = None
               ) -> dict[str, Tensor]:
        """p(v|h) at the end of chains of `sampling_sweeps` steps, each begun at independent pixels."""
        parts = []
        with torch.no_grad():
            for rows in torch.split(torch.arange(count), SAMPLED_AT_ONCE):
                start = torch.bernoulli(self.base.sigmoid().expand(len(rows), -1), generator=generator)
                v = self.gibbs(start, self.config.sampling_sweeps - 1, generator)
                h = torch.bernoulli(self._hidden(v).sigmoid(), generator=generator)
                parts.append(self._visible(h).sigmoid())
        return {self.modality: torch.cat(parts).view(-1, *self.shape.shape)}

    @torch.no_grad()
    def begin(self, train: Callable[[int], Batch]) -> None:
        """Visible biases begin at the log odds of the pixels, chains at draws from them: nearly the model's own."""
        rates = train(RATES_FROM)[self.modality].flatten(1).mean(0).clamp(SMALLEST_RATE, 1 - SMALLEST_RATE)
        self.base.copy_(rates.logit())
        self.visible_bias.copy_(self.base)
        generator = torch.Generator(rates.device).manual_seed(CALIBRATION_SEED)
        self.chains.copy_(torch.bernoulli(rates.expand(self.config.chains, -1), generator=generator))

    @torch.no_grad()
    def calibrate(self) -> None:
        if min(self.weight.shape) <= ENUMERATED:
            log_z, error = enumerated(self.weight, self.visible_bias, self.hidden_bias), torch.zeros(())
        else:
            log_z, error = self.annealed()
        self.log_z.copy_(log_z)
        self.log_z_error.copy_(error)
        self.entropy.copy_(log_z + self.free_energy(self.chains).mean())

    def normaliser(self) -> tuple[float, float]:
        return float(self.log_z), float(self.log_z_error)

    @torch.no_grad()
    def annealed(self) -> tuple[Tensor, Tensor]:
        """log Z by annealed importance sampling from independent pixels, and its standard error: two scalars.

        Between base (temperature 0) and model (1) lies b_t = (1 - t) base + t b, with W and c scaled by t; a
        transition is one Gibbs step. The error sees how the weights of the chains vary, not what none of them found.
        """
        device = self.weight.device
        generator = torch.Generator(device).manual_seed(CALIBRATION_SEED)
        count, hidden = self.config.ais_chains, self.config.hidden
        v = torch.bernoulli(self.base.sigmoid().expand(count, -1), generator=generator)
        log_weights = torch.zeros(count, dtype=torch.float64 if device.type != "mps" else torch.float32, device=device)
        schedule = torch.linspace(0, 1, self.config.temperatures + 1).tolist()
        tilt = self.visible_bias - self.base
        for before, now in pairwise(schedule):
            activation = self._hidden(v)
            log_weights += (F.softplus(now * activation) - F.softplus(before * activation)).sum(1)
            log_weights += (now - before) * (v @ tilt)
            h = torch.bernoulli((now * activation).sigmoid(), generator=generator)
            bias = torch.lerp(self.base, self.visible_bias, now)
            v = torch.bernoulli(torch.addmm(bias, h, self.weight.T, alpha=now).sigmoid(), generator=generator)
        mean = log_weights.logsumexp(0) - math.log(count)
        relative = (log_weights - mean).exp().std() / math.sqrt(count)  # of Z, which log Z has in nats
        return mean + F.softplus(self.base).sum() + hidden * math.log(2), relative

    def _hidden(self, v: Tensor) -> Tensor:
        """Log odds of the hidden units (B, H) given visible ones (B, D)."""
        return torch.addmm(self.hidden_bias, v, self.weight)

    def _visible(self, h: Tensor) -> Tensor:
        """Log odds of the visible units (B, D) given hidden ones (B, H)."""
        return torch.addmm(self.visible_bias, h, self.weight.T)


def enumerated(weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """log Z as a sum over all states of the smaller side, a scalar; `weight` is (D, H)."""
    if weight.shape[0] < weight.shape[1]:
        weight, visible_bias, hidden_bias = weight.T, hidden_bias, visible_bias
    weight, visible_bias, hidden_bias = (t.detach().cpu().double() for t in (weight, visible_bias, hidden_bias))
    units = weight.shape[1]
    total = torch.tensor(-math.inf, dtype=torch.double)
    for states in torch.split(torch.arange(2**units), STATES_AT_ONCE):
        h = (states[:, None] >> torch.arange(units) & 1).double()  # (states, units)
        terms = h @ hidden_bias + F.softplus(torch.addmm(visible_bias, h, weight.T)).sum(1)
        total = torch.logaddexp(total, terms.logsumexp(0))
    return total
