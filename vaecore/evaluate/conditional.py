"""log p(x_m | the other modalities): of labels from the decoder itself, else the difference of two likelihoods.

Of a label, and of a few numbers that are 0 or 1, p(x_m | others) is the decoder's probability averaged over
q(z | others): a probability whatever the encoder is like, so its logarithm is never above 0.
Elsewhere log p(x_m | others) = log p(all) - log p(others), each by importance sampling from its own posterior, as
Suzuki et al. (2016) do: of everything from q(z | all), of the others from q(z | others). Both are estimates from
below, so their difference is no bound: where the posterior without modality m fits badly, log p(others) is too low and
the difference too high. The effective share of the samples says so, below `FEW` of them in words; and a value above
the largest that any code could give is refused.

Shapes: B observations, K importance samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from vaecore.data import OBSERVED
from vaecore.evaluate.likelihood import DECODED_AT_ONCE, Cancelled, importance_log_weights
from vaecore.evaluate.parts.conditionals import Conditional, Conditionals
from vaecore.evaluate.parts.likelihood import FEW
from vaecore.models import Batch, Family
from vaecore.nets.text import Sentences
from vaecore.probability.importance import effective
from vaecore.probability.likelihoods import (
    PIXEL_LOGVAR,
    BernoulliPixels,
    CategoricalLabel,
    DiscretisedLogisticPixels,
    GaussianPixels,
    LaplacePixels,
    Observation,
)

TOLERANCE = 1e-6  # nats of rounding
SMALL = 16  # numbers that are 0 or 1, up to which averaging over codes meets what is there


@torch.inference_mode()
def conditional_likelihoods(model: Family, batches: Iterable[Batch], samples: int, *, seed: int = 0,
                            progress: Callable[[int], object] | None = None,
                            cancelled: Callable[[], bool] = lambda: False,
                            each: Callable[[str, Tensor], object] | None = None) -> Conditionals:
    """Estimate conditional likelihoods with K = `samples`, over observations of `batches` that have all modalities.

    `progress` is told how many are done, `each` conditional.NAME of these observations, (N,). Raises `ValueError` for a
    model of one modality or without a prior, for K below 1 and where no observation has everything, and `Cancelled`.
    """
    names = list(model.modalities)
    if len(names) < 2:
        raise ValueError("one modality has no others to be conditioned on.")
    generator = torch.Generator().manual_seed(seed)
    whole: list[Tensor] = []
    shares: dict[str, list[Tensor]] = {name: [] for name in ["", *names]}
    rest: dict[str, list[Tensor]] = {name: [] for name in names}  # log p(others); of what is small log p(it | others)
    ceilings: dict[str, list[Tensor | None]] = {name: [] for name in names}
    small: set[str] = set()
    done = 0
    for batch in batches:
        done += len(next(iter(batch.values())))
        if OBSERVED in batch:
            there = batch[OBSERVED].all(1)
            batch = {name: x[there] for name, x in batch.items() if name != OBSERVED}
        if not len(next(iter(batch.values()))):
            continue
        kinds = _decoded(model, batch)
        for name in names:
            ceilings[name].append(_ceiling(kinds[name], batch[name]))
        if not whole:  # of all batches alike
            small = {name for name in names if _small(kinds[name], batch[name])}
        for without in ["", *names]:
            part = {name: x for name, x in batch.items() if name != without}
            if without in small:
                rest[without].append(predictive_log_prob(model, part, without, batch[without], samples, generator,
                                                         cancelled=cancelled))
                continue
            weights = importance_log_weights(model, part, samples, generator, cancelled=cancelled).cpu()
            (rest[without] if without else whole).append(weights.logsumexp(0) - math.log(samples))
            shares[without].append(effective(weights) / samples)
        if progress:
            progress(done)
    if not whole:
        raise ValueError("no observation has all modalities.")
    joint = torch.cat(whole)
    share = {name: float(torch.cat(parts).mean()) for name, parts in shares.items() if parts}
    found = {}
    for name in names:
        others = [other for other in names if other != name]
        averaged = name in small
        values = torch.cat(rest[name]) if averaged else joint - torch.cat(rest[name])
        known = [part for part in ceilings[name] if part is not None]
        ceiling = float(torch.cat(known).mean()) if len(known) == len(ceilings[name]) else None
        if each is not None:
            each(f"conditional.{name}", values)
        mean, error = float(values.mean()), float(values.std() / math.sqrt(len(values))) if len(values) > 1 else None
        if averaged:
            found[name] = Conditional(given=others, log_likelihood=mean, standard_error=error, method="averaged",
                                      ceiling=ceiling)
        elif ceiling is not None and mean > ceiling + TOLERANCE:
            found[name] = Conditional(given=others, effective=share[name], ceiling=ceiling, warning=(
                f"refused: the difference is {mean:.2f} nats, and no code gives more than {ceiling:.2f}. "
                f"log p({', '.join(others)}) is far too low; use a larger K, or a model whose encoder saw it alone."))
        else:
            found[name] = Conditional(
                given=others, log_likelihood=mean, standard_error=error, effective=share[name], ceiling=ceiling,
                warning=_worth(share[name] * samples, share[""] * samples, samples, others))
    return Conditionals(modalities=found, joint=float(joint.mean()), effective=share[""], samples=samples,
                        observations=len(joint))


@torch.inference_mode()
def predictive_log_prob(model: Family, given: Batch, name: str, x: Tensor, samples: int,
                        generator: torch.Generator | None = None, *,
                        cancelled: Callable[[], bool] = lambda: False) -> Tensor:
    """log of the mean of p(x|z) over K = `samples` codes of q(z | given), (B,) in double precision.

    `x` (B, *shape) is what modality `name` was. Raises `Cancelled`, asked for before each few thousand codes.
    """
    posteriors, size = model.encode(given), len(x)
    at_once = max(1, model.at_once(DECODED_AT_ONCE) // size)
    total = torch.full((size,), -math.inf, dtype=torch.double)
    for start in range(0, samples, at_once):
        if cancelled():
            raise Cancelled
        count = min(at_once, samples - start)
        codes = {latent: q.rsample(generator, count).flatten(0, 1)  # type: ignore[union-attr]
                 for latent, q in posteriors.items()}
        repeated = x.expand(count, *x.shape).flatten(0, 1)
        found = model.decode(codes)[name].log_prob(repeated).double().view(count, size).cpu()
        total = torch.logaddexp(total, found.logsumexp(0))
    return total - math.log(samples)


def _decoded(model: Family, batch: Batch) -> dict[str, Observation]:
    """What the posterior means decode to, for the kinds of distributions they are."""
    return dict(model.decode({name: q.mean for name, q in model.encode(batch).items()}))


def _small(p: Observation, x: Tensor) -> bool:
    """Whether codes drawn blindly meet what is there: a label, or a few numbers that are all 0 or 1."""
    if isinstance(p, CategoricalLabel):
        return True
    return isinstance(p, BernoulliPixels) and x[0].numel() <= SMALL and bool(((x == 0) | (x == 1)).all())


def _ceiling(p: Observation, x: Tensor) -> Tensor | None:
    """The largest log p(x|z) that any code could give, (B,); None where it is not known."""
    flat = x.flatten(1).double().cpu()
    if isinstance(p, CategoricalLabel | DiscretisedLogisticPixels | Sentences):
        return torch.zeros(len(flat), dtype=torch.double)
    if isinstance(p, BernoulliPixels):  # at p = x; of black and white pixels 0
        return (torch.xlogy(flat, flat) + torch.xlogy(1 - flat, 1 - flat)).sum(1)
    if isinstance(p, GaussianPixels):
        least = float(p.logvar) if p.logvar.numel() == 1 else PIXEL_LOGVAR[0]
        return torch.full((len(flat),), -0.5 * flat.shape[1] * (math.log(2 * math.pi) + least), dtype=torch.double)
    if isinstance(p, LaplacePixels) and p.scale.numel() == 1:
        return torch.full((len(flat),), -flat.shape[1] * math.log(2 * float(p.scale)), dtype=torch.double)
    return None


def _worth(given: float, everything: float, samples: int, names: list[str]) -> str:
    """A warning where the samples of q(z | given), or of q(z | all), are worth only a few."""
    told = []
    if given < FEW:
        told.append(f"the {samples:,} samples of q(z | {', '.join(names)}) are worth {given:.1f}, so log p of these is "
                    "too low and this too high")
    if everything < FEW:
        told.append(f"those of q(z | all) are worth {everything:.1f}, which makes this too low")
    return "; ".join(told)
