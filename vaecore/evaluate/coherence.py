"""Coherence: whether what is generated belongs to the same class as what was given.

A modality that is generated from others is coherent where its judge finds the class of the observation that was given.
Codes are drawn from q(z | given), not their means: a posterior that knows nothing has to show it. Of each code the mean
of p(x|z) is judged. A latent that is private to a modality which is not given is drawn from its prior.

Shapes: N observations, M modalities.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from vaecore.arrays import Labels
from vaecore.data import OBSERVED
from vaecore.evaluate.judges import Judge
from vaecore.evaluate.parts.coherence import Coherence, Subset
from vaecore.models import Batch, Family
from vaecore.models.multimodal.shared import Multimodal
from vaecore.probability.gaussian import Point
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior
from vaecore.training.feed import Feed
from vaecore.training.validation import EVALUATED_AT_ONCE

MAX_SUBSETS = 63  # all of them up to six modalities

Progress = Callable[[int, int], object]


@torch.inference_mode()
def coherence(model: Family, feed: Feed, labels: Labels, judged: Mapping[str, Judge], *, seed: int = 0,
              limit: int = 10_000, progress: Progress | None = None) -> Coherence:
    """Judge whether generated modalities show the class of what was given, with one code for each observation.

    Of the first `limit` observations, whose `labels` (N,) are -1 where unknown.

    Only observations that have all of what is given count. Raises `ValueError` for a model of one modality or without
    a code, for no labelled observation, and where nothing that is judged could be generated.
    """
    if len(model.modalities) < 2 or not model.latents:
        raise ValueError("coherence is of several modalities generated from one code, and this model has "
                         + ("one modality." if len(model.modalities) < 2 else "no code."))
    total = min(limit, len(feed))
    known = np.flatnonzero(labels[:total] >= 0)
    if not len(known):
        raise ValueError("no observation of this split has a label to be coherent with.")
    names = [name for name in model.modalities if name in judged]
    if not names:
        raise ValueError("none of the modalities has a judge that says which class is seen.")
    step = model.at_once(EVALUATED_AT_ONCE)
    batches = [torch.from_numpy(rows) for rows in np.split(known, range(step, len(known), step))]
    subsets = subsets_of(list(model.modalities))
    found: list[Subset] = []
    for place, given in enumerate(subsets):
        right, count = dict.fromkeys(names, 0), 0
        generator = torch.Generator().manual_seed(seed)
        for done, rows in enumerate(batches):
            if progress:
                progress(place * len(batches) + done, (len(subsets) + 1) * len(batches))
            part, classes = having(feed.at(rows), labels[rows.numpy()], model, given)
            if not len(classes):
                continue
            made = generate(model, model.encode(part), names, generator)
            count += len(classes)
            for name in names:
                right[name] += int((judged[name].predict(made[name].mean) == classes).sum())
        if count:
            shares = {name: number / count for name, number in right.items()}
            found.append(Subset(given=list(given), observations=count,
                                coherence={name: s for name, s in shares.items() if name not in given},
                                own={name: s for name, s in shares.items() if name in given}))
    joint, commonest = _joint(model, names, judged, len(known), step, seed)
    if progress:
        progress(1, 1)
    return Coherence(
        subsets=found, joint=joint, joint_commonest=commonest,
        joint_ceiling=_agreement(map(feed.at, batches), names, judged, model),
        ceiling={name: judged[name].accuracy for name in names}, judges={name: judged[name].name for name in names},
        chance=float(np.bincount(labels[known]).max() / len(known)), observations=len(known), seed=seed)


def subsets_of(names: list[str]) -> list[tuple[str, ...]]:
    """What may be given: every subset but none, small ones first; of many modalities singles, all, and all but one."""
    count = len(names)
    if 2**count - 1 <= MAX_SUBSETS:
        return [subset for size in range(1, count + 1) for subset in combinations(names, size)]
    return [*combinations(names, 1), *combinations(names, count - 1), tuple(names)]


def having(batch: Batch, labels: Labels, model: Family, given: Collection[str]) -> tuple[dict[str, Tensor], Labels]:
    """The observations of a batch that have all of `given`, with nothing else of them, and their labels."""
    part = {name: x for name, x in batch.items() if name in given or name not in model.modalities}
    if OBSERVED not in batch:
        return part, labels
    places = [place for place, name in enumerate(model.modalities) if name in given]
    there = batch[OBSERVED][:, places].all(1)
    return {name: x[there] for name, x in part.items()}, labels[there.cpu().numpy()]


def generate(model: Family, posteriors: Mapping[str, Posterior], wanted: Collection[str],
             generator: torch.Generator | None = None) -> dict[str, Observation]:
    """p(x|z) of the modalities `wanted`, at a code drawn from each posterior; a point is its own code."""
    return decoded(model, {name: draw(q, generator) for name, q in posteriors.items()}, wanted)


def draw(q: Posterior, generator: torch.Generator | None = None) -> Tensor:
    """A code of each observation, (B, r)."""
    return q.mean if isinstance(q, Point) else q.rsample(generator)[0]


def decoded(model: Family, z: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Observation]:
    """p(x|z) of the modalities `wanted`."""
    return model.decode(z, predict=wanted) if isinstance(model, Multimodal) else model.decode(z)


def _joint(model: Family, names: list[str], judged: Mapping[str, Judge], count: int, step: int,
           seed: int) -> tuple[float | None, float | None]:
    """Share of `count` samples of the prior in which all judges name one class, and that of the class named most."""
    prior = model.prior()
    if not prior or len(names) < 2:
        return None, None
    generator = torch.Generator().manual_seed(seed)
    agreed, first = 0, []
    for size in map(len, torch.split(torch.arange(count), step)):
        made = decoded(model, {name: p.sample(size, generator) for name, p in prior.items()}, names)
        named = np.stack([judged[name].predict(made[name].mean) for name in names])
        agreed += int((named == named[0]).all(0).sum())
        first.append(named[0])
    return agreed / count, float(np.bincount(np.concatenate(first)).max() / count)


def _agreement(batches: Iterable[Batch], names: list[str], judged: Mapping[str, Judge], model: Family) -> float | None:
    """Share of real observations that have everything whose judges all name one class."""
    agreed = count = 0
    for batch in batches:
        whole, _ = having(batch, np.zeros(len(next(iter(batch.values()))), np.int64), model, list(model.modalities))
        named = np.stack([judged[name].predict(whole[name]) for name in names])
        agreed, count = agreed + int((named == named[0]).all(0).sum()), count + named.shape[1]
    return agreed / count if count else None
