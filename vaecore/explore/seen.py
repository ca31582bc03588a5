"""Where a model saw data: the aggregated posterior q(z) as a mixture, and how usual a code is under it.

A decoder draws something at every code, also where no observation was ever encoded, and a classifier is sure of what it
sees there. So each place is said to be usual or not. Half of some observations make up the mixture,
q(z) = 1/N sum_n q(z|x_n); the codes of the other half tell what densities are usual. That is a fair scale in any number
of dimensions: one in a hundred codes of data lies, on average, where only one in a hundred does.

Shapes: N observations in the mixture, B codes, r latent size, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.arrays import Labels, Numbers
from vaecore.explore.codes import Codes
from vaecore.explore.observed import OBSERVATIONS, observed
from vaecore.explore.single import Checkpoint
from vaecore.packing import packed
from vaecore.probability.aggregate import aggregate_log_prob
from vaecore.probability.gaussian import DiagonalGaussian, Point, scott_logvar

MOST_NUMBERS = 60_000  # means and log-variances that a browser is sent
LEVELS = 200  # quantiles of the densities of codes of data
# How unusual a code is, as the share of codes of data that lie at a higher density, in words.
WORDS = ((0.5, "where codes of data are dense"), (0.9, "among the codes of data"), (0.99, "at the edge of the codes of "
         "data"), (1.0, "where the model saw no data"))


@dataclass(frozen=True)
class Seen:
    """The aggregated posterior of some observations, with the densities that codes of others have under it.

    `levels` (L,) ascend: log q(z) in nats at evenly spaced quantiles of codes of data that are not in the mixture.
    `labels` (N,) are the classes of those that are, -1 where one is missing, or None.
    """

    mixture: DiagonalGaussian  # (N, r) each
    levels: Numbers
    labels: Labels | None
    class_names: tuple[str, ...]
    source: str  # of the observations, in words

    def log_density(self, codes: Codes) -> Numbers:
        """log q(z) in nats of codes (B, r): (B,)."""
        density: Numbers = aggregate_log_prob(self.mixture, torch.as_tensor(np.asarray(codes, np.float32))).numpy()
        return density

    def unusual(self, codes: Codes) -> Numbers:
        """The share of codes of data that lie at a higher density than each of these codes (B, r): (B,), in [0, 1]."""
        below = np.searchsorted(self.levels, self.log_density(codes))
        share: Numbers = 1 - below / len(self.levels)
        return share

    def classes(self, codes: Codes) -> Numbers:
        """The share that each class has of q(z) at codes (B, r): (B, C), rows that sum to 1; C = 0 without labels."""
        z = torch.as_tensor(np.asarray(codes, np.float32))[:, None]  # (B, 1, r)
        count = len(self.class_names)
        if self.labels is None or not count:
            return np.zeros((len(z), 0))
        weight = torch.softmax(self.mixture.log_prob(z.double()), 1)  # (B, N)
        known = torch.from_numpy(self.labels >= 0)
        of_class = torch.nn.functional.one_hot(torch.from_numpy(self.labels.clip(0)), count)[known].double()
        shares = weight[:, known] @ of_class
        found: Numbers = (shares / shares.sum(1, keepdim=True).clamp(min=1e-300)).numpy()
        return found

    def packed(self) -> bytes:
        """All of it for `lib/density.js`: u32 header length | JSON | float32 means, log-variances, levels; labels."""
        header = {"n": len(self.mixture.mean), "r": self.mixture.mean.shape[1], "levels": len(self.levels),
                  "labelled": self.labels is not None, "classes": self.class_names, "source": self.source,
                  "words": WORDS}
        labels = () if self.labels is None else (self.labels.astype(np.float32),)
        return packed(header, self.mixture.mean.numpy(), self.mixture.logvar.numpy(), self.levels, *labels)


def word(unusual: float) -> str:
    """How usual a place is, in words."""
    return next((words for most, words in WORDS if unusual <= most), WORDS[-1][1])


def seen(checkpoint: Checkpoint, observations: int = OBSERVATIONS) -> Seen:
    """Where a checkpoint saw data, both halves together at most so many `observations`.

    The same checkpoint and data give the same.
    """
    most = max(4, min(observations, MOST_NUMBERS // max(1, checkpoint.size)))
    found = observed(checkpoint, most)
    return of_posteriors(checkpoint.posteriors(found.x, found.covariates), found.labels,
                         _names(checkpoint, found.labels), found.source)


def of_posteriors(q: DiagonalGaussian | Point, labels: NDArray[np.int64] | None, class_names: tuple[str, ...],
                  source: str) -> Seen:
    """Where data lie, from posteriors (2N, r): every second one is in the mixture, the others say what is usual.

    Codes that are points get the width of a kernel, by Scott's rule, so that there is a density between them.
    """
    if isinstance(q, Point):
        n, r = q.mean.shape
        q = DiagonalGaussian(q.mean, scott_logvar(q.mean.var(0), n / 2, r).expand_as(q.mean).contiguous())
        others = q.mean[1::2]
    else:
        others = _drawn(DiagonalGaussian(q.mean[1::2], q.logvar[1::2]))
    mixture = DiagonalGaussian(q.mean[::2].contiguous(), q.logvar[::2].contiguous())
    densities = aggregate_log_prob(mixture, others if len(others) else mixture.mean).numpy()
    levels = np.quantile(densities, (np.arange(LEVELS) + 0.5) / LEVELS)
    return Seen(mixture, levels, None if labels is None else labels[::2], class_names, source)


def _drawn(q: DiagonalGaussian) -> Tensor:
    return q.sample(len(q.mean), torch.Generator().manual_seed(0))


def _names(checkpoint: Checkpoint, labels: NDArray[np.int64] | None) -> tuple[str, ...]:
    if labels is None or not (labels >= 0).any():
        return ()
    count = int(labels.max()) + 1
    return checkpoint.known if len(checkpoint.known) >= count else tuple(map(str, range(count)))
