"""What is in which latent: linear probes of the shared and the private ones, and what a swap changes.

Shapes: N observations, r latent size.

The swap takes a pair of observations i and j of different classes. Latents that all modalities are decoded from come
from i, those that are private to one modality from j; then the styled modality is decoded. Where content and style are
told apart, the class becomes that of i and the style stays that of j. A model with one latent has nothing private, so
its code is that of i, style and all. The fair alternative for it is the mixed pair: the styled modality of j is given
together with the other modalities of i, and the styled one is decoded from what the model makes of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.arrays import Labels, Numbers
from vaecore.evaluate.coherence import decoded, draw
from vaecore.evaluate.judges import Judge, StyleJudge, r2
from vaecore.evaluate.parts.sharing import Sharing, Told
from vaecore.evaluate.parts.style import Style, Swapped
from vaecore.evaluate.quality import Codes, linear_probe
from vaecore.models import Family
from vaecore.training.feed import Feed
from vaecore.training.validation import EVALUATED_AT_ONCE

# -- probes ----------------------------------------------------------------------------------------


def sharing(train: Mapping[str, Codes], train_labels: Labels | None, train_factors: Mapping[str, Numbers],
            test: Mapping[str, Codes], test_labels: Labels | None, test_factors: Mapping[str, Numbers], *,
            progress: Callable[[int, int], object] | None = None) -> Sharing:
    """Probes of codes by latent, trained on the training split: of the label, and of each continuous factor by name.

    Raises `ValueError` where there is neither.
    """
    if train_labels is None and not train_factors:
        raise ValueError("this data set has no labels, and no continuous factor is known, so there is nothing to read.")
    found: dict[str, Told] = {}
    chance: float | None = None
    classes = 0
    for place, (name, codes) in enumerate(train.items()):
        if progress:
            progress(place, len(train))
        accuracy: float | None = None
        if train_labels is not None and test_labels is not None:
            probe = linear_probe(codes.mean, train_labels[:len(codes.mean)], test[name].mean,
                                 test_labels[:len(test[name].mean)])
            accuracy, chance, classes = probe.accuracy, probe.chance, probe.classes
        found[name] = Told(size=codes.mean.shape[1], accuracy=accuracy, r2={
            factor: linear_r2(codes.mean, values[:len(codes.mean)], test[name].mean,
                              test_factors[factor][:len(test[name].mean)]) for factor, values in train_factors.items()})
    first = next(iter(train))
    return Sharing(latents=found, chance=chance, classes=classes, train=len(train[first].mean),
                   test=len(test[first].mean))


def linear_r2(train: Numbers, values: Numbers, test: Numbers, test_values: Numbers) -> float:
    """R2 on the test codes (N, r) of the linear regression of values (N,) learned from the training ones."""
    from sklearn.linear_model import LinearRegression

    return r2(test_values, LinearRegression().fit(train, values).predict(test))


def private_to(latent: str, model: Family) -> str | None:
    """The modality that a latent belongs to alone, as its name ends with it; None for one that all share."""
    return next((name for name in model.modalities if latent.endswith(f" {name}")), None)


# -- the swap --------------------------------------------------------------------------------------


@torch.inference_mode()
def style_under_swap(model: Family, feed: Feed, labels: Labels, style: Numbers, modality: str, factor: str,
                     judge: Judge, regression: StyleJudge, *, seed: int = 0, limit: int = 10_000,
                     progress: Callable[[int, int], object] | None = None) -> Style:
    """Over the first `limit` observations as j, each with a random one of another class as i.

    `labels` (N,) and `style` (N,) are those of the split of `feed`. Raises `ValueError` for a model of one modality and
    for observations of one class.
    """
    if len(model.modalities) < 2:
        raise ValueError("a swap is between modalities, and this model has one.")
    total = min(limit, len(feed))
    rows = np.arange(total)
    partners = others(labels[:total], seed)
    own = [latent for latent in model.latents if private_to(latent, model)]
    generator = torch.Generator().manual_seed(seed)
    swapped: list[Tensor] = []
    mixed: list[Tensor] = []
    for start in range(0, total, EVALUATED_AT_ONCE):
        if progress:
            progress(start, total)
        j = feed.at(torch.from_numpy(rows[start:start + EVALUATED_AT_ONCE]))
        i = feed.at(torch.from_numpy(partners[start:start + EVALUATED_AT_ONCE]))
        of_i, of_j = model.encode(i), model.encode(j)
        z = {latent: draw((of_j if latent in own else of_i)[latent], generator) for latent in model.latents}
        swapped.append(decoded(model, z, [modality])[modality].mean)
        both = {name: (j if name == modality else i)[name] for name in model.modalities}
        z = {latent: draw(q, generator) for latent, q in model.encode(both).items()}
        mixed.append(decoded(model, z, [modality])[modality].mean)

    def judged(parts: list[Tensor]) -> Swapped:
        images = torch.cat(parts)
        classes = judge.predict(images)
        return Swapped(r2=r2(style[:total], regression.predict(images)),
                       changed=float((classes == labels[partners]).mean()),
                       stayed=float((classes == labels[:total]).mean()))

    return Style(swap=judged(swapped), mixed=judged(mixed), private=own, ceiling=regression.r2,
                 regression=regression.name, judge=judge.name, judge_accuracy=judge.accuracy, factor=factor,
                 modality=modality, pairs=total, seed=seed)


def others(labels: Labels, seed: int) -> NDArray[np.int64]:
    """For each observation a random one of another class, (N,); raises `ValueError` where all are of one."""
    if len(np.unique(labels)) < 2:
        raise ValueError("a swap needs observations of at least two classes.")
    generator = np.random.default_rng(seed)
    partners = generator.integers(len(labels), size=len(labels))
    while len(same := np.flatnonzero(labels[partners] == labels)):
        partners[same] = generator.integers(len(labels), size=len(same))
    return partners
