"""The evidence over a whole split, as exact sums: what an evaluation line and a summary hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from vaecore.data import OBSERVED
from vaecore.modalities import PAD, Text
from vaecore.models import Family, KLCost
from vaecore.probability.aggregate import Information, information
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.posteriors import together
from vaecore.probability.priors import ConditionalMixture
from vaecore.training import ACTIVE, DIAGNOSED
from vaecore.training.feed import Feed

EVALUATED_AT_ONCE = 500  # observations


@dataclass(frozen=True)
class Evaluation:
    """Means over a split, in nats per observation unless said otherwise."""

    elbo: float
    reconstruction: Mapping[str, float]  # E_q log p(x|z) by modality
    kl: Mapping[str, list[float]]  # by latent and dimension
    mse: Mapping[str, float]  # of the decoded posterior mean, per observed number
    code_mean: Mapping[str, list[float]]  # of the posterior means, by latent and dimension
    code_variance: Mapping[str, list[float]]
    observations: int
    tokens: Mapping[str, float]  # of a text, the end symbol included: the denominator of perplexity
    information: Mapping[str, Information]  # by latent, on the first `DIAGNOSED` observations
    divergence: float | None = None  # what stands in the place of the KL, a mean over batches; None where that does
    activity: Mapping[str, list[float]] = field(default_factory=dict)  # by latent and dimension: see `activity`
    bound: float | None = None  # the importance-weighted one, where training maximises that in the place of the ELBO
    joint_information: float | None = None  # I(x; all latents): those of each do not add; None for a single latent

    @property
    def active(self) -> int:
        """Active dimensions: those whose activity is above 0.01."""
        return sum(v > ACTIVE for values in self.activity.values() for v in values)

    @property
    def mutual_information(self) -> float:
        """I(x; code) in nats, of all latents together; 0 where none was estimated."""
        if self.joint_information is not None:
            return self.joint_information
        return max((part.mutual_information for part in self.information.values()), default=0.0)

    def objective(self, beta: float, cost: KLCost) -> float:
        """Reconstruction less beta times what the KL costs: what training maximises once beta is at its end.

        It is the bound itself where importance weights are trained on, whose beta ends at 1.
        """
        if self.bound is not None:
            return self.bound
        kl = {name: torch.tensor(values, dtype=torch.double) for name, values in self.kl.items()}
        if self.divergence is not None:
            return sum(self.reconstruction.values()) - beta * self.divergence
        return sum(self.reconstruction.values()) - beta * (float(cost(kl)) if kl else 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {**asdict(self), "active": self.active}


def across(mean: Tensor) -> list[float]:
    """The variance from one observation to the next of (N, r) numbers, (r,): of those there are, in double precision.

    What `evaluate` sums up batch by batch, of means that are all there.
    """
    found: list[float] = mean.double().var(0, correction=0).tolist()
    return found


def activity(kl: list[float] | None, variance: list[float], moved: list[float] | None) -> list[float]:
    """What is to exceed 0.01 for a dimension to be active, (r,).

    Under a prior that is the same for all, the `variance` of the posterior mean (Burda et al. 2016). Where each
    observation has its own, mean and prior may vary alike and nothing be told: then the `kl` by dimension, or where
    that has no closed form the variance `moved` of the mean less the prior's mean.
    """
    if moved is None:
        return variance
    return kl if kl is not None and len(kl) == len(variance) else moved


@torch.inference_mode()
def evaluate(model: Family, feed: Feed, seed: int, *, each: Callable[[str, Tensor], object] | None = None
             ) -> Evaluation:
    """Exact sums over every observation of `feed`, with the same noise whenever the seed is the same.

    `each` is told the terms of every observation by name, (N,): elbo, reconstruction, kl, and of each modality
    mse.NAME, NaN of an observation without it; where there are several, reconstruction.NAME too.
    """
    generator = torch.Generator(feed.device).manual_seed(seed)
    codes: dict[str, list[DiagonalGaussian]] = {}
    sums: dict[tuple[str, str], Tensor] = {}
    single: dict[str, list[Tensor]] = {}  # what `each` is told

    def add(term: str, name: str, values: Tensor) -> None:
        total = values.double().sum(0)
        sums[term, name] = sums[term, name] + total if (term, name) in sums else total

    judged = 0  # observations behind the divergence
    training = model.training
    model.eval()
    for batch in feed.in_order(max(1, model.at_once(EVALUATED_AT_ONCE) // max(1, model.importance_samples))):
        posteriors = model.encode(batch)
        size = len(next(iter(batch.values())))
        if model.importance_samples and (weighted := model.objective(batch, generator)).bound is not None:
            evidence = weighted.elbos[0][1]  # at the same codes
            add("bound", "", weighted.bound(1.0).expand(size))
        else:
            evidence = model.evidence(batch, posteriors, generator)
        # One code has no distance from a distribution: a last batch of one is left out.
        if size > 1 and (divergence := model.divergence(batch, posteriors, generator)) is not None:
            add("divergence", "", divergence.expand(size))
            judged += size
        if each is not None:
            terms = {"elbo": evidence.elbo(), "reconstruction": evidence.total_reconstruction()}
            terms |= {"kl": evidence.total_kl()} if evidence.kl else {}
            terms |= {f"reconstruction.{name}": values for name, values in evidence.reconstruction.items()
                      if len(evidence.reconstruction) > 1}
            for name, values in terms.items():
                single.setdefault(name, []).append(values.double().cpu())
        for name, values in evidence.reconstruction.items():
            add("reconstruction", name, values)
        for name, values in evidence.kl.items():  # (B, r), or of clips (B, T-1, r): summed over frames
            add("kl", name, values.flatten(1, -2).sum(1) if values.ndim > 2 else values)
        for name, posterior in posteriors.items():
            if isinstance(posterior, DiagonalGaussian) and sum(len(q.mean) for q in codes.get(name, [])) < DIAGNOSED:
                # What else a posterior carries, as the maps of a clip's frames, is not kept.
                codes.setdefault(name, []).append(DiagonalGaussian(posterior.mean, posterior.logvar))
            # Of a clip the codes of all its frames count, each as much as the others.
            places = posterior.mean.flatten(1, -2) if posterior.mean.ndim > 2 else posterior.mean[:, None]
            add("code", name, places.mean(1))
            add("code2", name, places.double().square().mean(1))
            if model.prior_moves and isinstance(prior := model.prior(batch).get(name), ConditionalMixture):
                apart = (posterior.mean - prior.expected).double()
                add("apart", name, apart)
                add("apart2", name, apart.square())
        for name, modality in model.modalities.items():
            if isinstance(modality, Text):
                add("tokens", name, (batch[name] != PAD).sum(1))
        for name, error in model.errors(batch, posteriors).items():
            if OBSERVED in batch:
                observed = batch[OBSERVED][:, list(model.modalities).index(name)]
                error = error * observed
                add("seen", name, observed)
            add("mse", name, error)
            if each is not None:
                there = error.double() if OBSERVED not in batch else error.double().masked_fill(
                    ~batch[OBSERVED][:, list(model.modalities).index(name)], torch.nan)
                single.setdefault(f"mse.{name}", []).append(there.cpu())
    model.train(training)
    for name, parts in single.items():
        each(name, torch.cat(parts))  # type: ignore[misc]

    n = feed.kept
    mean = {key: (total / n).cpu() for key, total in sums.items()}

    def scalars(term: str) -> dict[str, float]:
        return {name: float(value) for (t, name), value in mean.items() if t == term}

    def errors() -> dict[str, float]:
        """Means over the observations that have the modality; nothing of one that none has."""
        return {name: value / share for name, value in scalars("mse").items() if (share := seen.get(name, 1.0))}

    def vectors(term: str) -> dict[str, list[float]]:
        return {name: value.tolist() for (t, name), value in mean.items() if t == term}

    def variances(term: str) -> dict[str, list[float]]:
        return {name: (mean[f"{term}2", name] - mean[term, name].square()).clamp(min=0).tolist()
                for found, name in mean if found == term}

    variance, away = variances("code"), variances("apart")
    seen = scalars("seen")
    reconstruction, kl = scalars("reconstruction"), vectors("kl")
    active = {name: activity(kl.get(name), values, away.get(name, values) if model.prior_moves else None)
              for name, values in variance.items()}
    elbo = sum(reconstruction.values()) - sum(sum(values) for values in kl.values())
    diagnosed = model.prior(feed.first(DIAGNOSED))
    return Evaluation(elbo, reconstruction, kl, errors(), vectors("code"), variance, n, scalars("tokens"),
                      {name: _information(parts, diagnosed[name], generator) for name, parts in codes.items()
                       if name in diagnosed},
                      scalars("divergence")[""] * n / judged if judged else None, active,
                      scalars("bound").get(""), _joint(codes, diagnosed, generator))


def _joint(codes: Mapping[str, list[DiagonalGaussian]], prior: Mapping[str, Density], generator: torch.Generator
           ) -> float | None:
    """I(x; all latents) of the observations in `codes`; None for one latent. q(z|x) is a product over latents."""
    coded = [together(parts) for name, parts in codes.items() if name in prior]
    if len(coded) < 2:
        return None
    q = DiagonalGaussian(*(torch.cat([getattr(part, term)[:DIAGNOSED] for part in coded], 1)
                           for term in ("mean", "logvar")))
    return information(q, generator).mutual_information


def _information(parts: list[DiagonalGaussian], prior: Density, generator: torch.Generator) -> Information:
    q = DiagonalGaussian(torch.cat([q.mean for q in parts])[:DIAGNOSED],
                         torch.cat([q.logvar for q in parts])[:DIAGNOSED])
    return information(q, generator, prior=prior)
