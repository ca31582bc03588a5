"""How good reconstructions, samples and codes are: numbers that mean something only with the settings beside them.

Shapes: N observations, F features, r latent size. Pixels are in [0, 1], so that the data range is 1. Every result holds
what it was computed with; two of them compare only where that agrees. At most 10,000 observations are taken, and
distances are computed in blocks, so memory is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.data import OBSERVED
from vaecore.evaluate.parts.probe import LinearProbe
from vaecore.evaluate.parts.reconstruction import Reconstruction
from vaecore.evaluate.parts.samples import GROUPS, SampleQuality
from vaecore.evaluate.picture_metrics import DATA_RANGE, psnr, ssim, ssim_window
from vaecore.modalities import Image, Label, Text
from vaecore.models import Family
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.intervals import two_sided
from vaecore.training.feed import Feed
from vaecore.training.validation import EVALUATED_AT_ONCE

MAX_OBSERVATIONS = 10_000  # that a distance, a score or a probe looks at
NEIGHBOURS = 3  # within which a point spans the manifold, as in the paper
BLOCK = 1_000  # rows of distances at once: 80 MB against 10,000 others

Progress = Callable[[int, int], object]  # observations done, of how many


# -- reconstructions -------------------------------------------------------------------------------


@torch.inference_mode()
def reconstruction(model: Family, feed: Feed, *, limit: int = MAX_OBSERVATIONS, progress: Progress | None = None,
                   each: Callable[[str, Tensor], object] | None = None) -> dict[str, Reconstruction]:
    """Reconstruction errors of the first `limit` observations, by modality.

    Texts are left out, and so are observations without a modality. `each` is told psnr.NAME and ssim.NAME of the
    observations, (N,), where all have that modality.

    Raises `ValueError` for a limit below 1.
    """
    total = _bounded(limit, len(feed))
    names = [name for name, modality in model.modalities.items() if not isinstance(modality, Text)]
    errors: dict[str, list[Tensor]] = {name: [] for name in names}
    ratios: dict[str, list[Tensor]] = {name: [] for name in names}
    similar: dict[str, list[Tensor]] = {name: [] for name in names}
    step = model.at_once(EVALUATED_AT_ONCE)
    for start in range(0, total, step):
        batch = feed.at(torch.arange(start, min(start + step, total)))
        with _evaluating(model):
            decoded = model.decode({name: q.mean for name, q in model.encode(batch).items()})
        for name in names:
            x, mean = batch[name], decoded[name].mean
            if OBSERVED in batch:
                there = batch[OBSERVED][:, list(model.modalities).index(name)]
                x, mean = x[there], mean[there]
                if not len(x):
                    continue
            errors[name].append((mean - x).square().flatten(1).mean(1))
            if isinstance(model.modalities[name], Image):
                picture = mean.clamp(0, 1)
                ratios[name].append(psnr(picture, x))
                if (values := ssim(picture, x)) is not None:
                    similar[name].append(values)
        if progress:
            progress(min(start + step, total), total)
    for name in names if each else ():
        for what, parts in (("psnr", ratios[name]), ("ssim", similar[name])):
            if sum(map(len, parts)) == total:
                each(f"{what}.{name}", torch.cat(parts))  # type: ignore[misc]
    windows = {name: ssim_window(model.modalities[name].shape) for name in names if similar[name]}
    found = {}
    for name in names:
        if errors[name]:
            window, sigma = windows.get(name, (None, None))
            found[name] = Reconstruction(
                mse=_mean(errors[name]), psnr=_mean(ratios[name]) if ratios[name] else None,
                ssim=_mean(similar[name]) if similar[name] else None, window=window, sigma=sigma,
                data_range=DATA_RANGE, observations=sum(map(len, errors[name])))
    return found


# -- samples ---------------------------------------------------------------------------------------


def frechet_distance(a: Numbers, b: Numbers) -> float:
    """|m_a - m_b|² + tr(C_a + C_b - 2 (C_a C_b)^½) of features (N, F) and (M, F).

    The squared Wasserstein distance of two Gaussians (Dowson & Landau 1982). Covariances divide by N - 1. It is biased
    upwards by few observations, so only equal N compare. Raises `ValueError` for different F, fewer than 2 rows
    or more than 10,000.
    """
    a, b = _features(a, b)
    (mean_a, cov_a), (mean_b, cov_b) = ((x.mean(0), np.atleast_2d(np.cov(x, rowvar=False))) for x in (a, b))
    # tr (C_a C_b)^½ is the sum of the singular values of C_a^½ C_b^½, which stays real where a covariance is singular.
    cross = np.linalg.svd(_root(cov_a) @ _root(cov_b), compute_uv=False).sum()
    distance = np.square(mean_a - mean_b).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return max(float(distance), 0.0)


def frechet_interval(a: Numbers, b: Numbers) -> tuple[float, float] | None:
    """The 95 % interval of `frechet_distance` over other draws of as many observations, (N, F) and (M, F).

    By the jackknife over ten groups of both (Student's t with 9 degrees of freedom). It says how far another seed would
    come out, not how far the distance of the distributions is: that lies below, as few observations are biased upwards.
    None where a group is no two observations. Raises as `frechet_distance` does.
    """
    a, b = _features(a, b)
    if min(len(a), len(b)) < 2 * GROUPS:
        return None
    folds = [[np.arange(len(x)) % GROUPS != group for x in (a, b)] for group in range(GROUPS)]
    left = np.array([frechet_distance(a[of_a], b[of_b]) for of_a, of_b in folds])
    error = np.sqrt((GROUPS - 1) / GROUPS * np.square(left - left.mean()).sum())
    centre, half = frechet_distance(a, b), two_sided(GROUPS - 1) * float(error)
    return max(centre - half, 0.0), centre + half


def precision_recall(real: Numbers, generated: Numbers, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019) of features (N, F) and (M, F).

    A manifold is the union of balls around its points, each as wide as the distance to its k-th neighbour, itself not
    counted. Precision is the share of generated points within the real manifold, recall the reverse. Raises
    `ValueError` for k below 1 or not below N and M, and for different F.
    """
    real, generated = _features(real, generated)
    if not 1 <= k < min(len(real), len(generated)):
        raise ValueError(f"k = {k} neighbours of {min(len(real), len(generated))} points. "
                         "Use at least 1 and fewer than there are points.")
    a, b = torch.from_numpy(real), torch.from_numpy(generated)
    radius_a, radius_b = _radii(a, k), _radii(b, k)
    within_real = torch.cat([(_distances(part, a) <= radius_a).any(1) for part in torch.split(b, BLOCK)])
    within_generated = torch.cat([(_distances(part, b) <= radius_b).any(1) for part in torch.split(a, BLOCK)])
    return float(within_real.double().mean()), float(within_generated.double().mean())


def sample_quality(features: str, accuracy: float, real: Numbers, generated: Numbers) -> SampleQuality:
    """All measures of samples for features (N, F) of real and (M, F) of generated observations.

    `features` and `accuracy` are the `name` and the test accuracy of the classifier that gave them. At most the first
    10,000 of each are taken. As a floor, give a second set of real observations as the generated ones.
    """
    real, generated = real[:MAX_OBSERVATIONS], generated[:MAX_OBSERVATIONS]
    precision, recall = precision_recall(real, generated)
    return SampleQuality(
        frechet=frechet_distance(real, generated), frechet_interval=frechet_interval(real, generated),
        precision=precision, recall=recall, k=NEIGHBOURS, real=len(real), generated=len(generated), features=features,
        classifier_accuracy=accuracy)


# -- codes -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Codes:
    """q(z|x) of N observations, all latents side by side: means (N, r), and log-variances, None for points."""

    mean: Numbers
    logvar: Numbers | None

    def sampled(self, seed: int = 0) -> Numbers:
        """One code an observation drawn from its posterior, (N, r); the mean where the code is a point."""
        if self.logvar is None:
            return self.mean
        noise = np.random.default_rng(seed).standard_normal(self.mean.shape)
        sampled: Numbers = self.mean + np.exp(self.logvar / 2) * noise
        return sampled


def codes(model: Family, feed: Feed, *, limit: int = MAX_OBSERVATIONS) -> Codes:
    """Posteriors of the first `limit` observations, which labels and factors of the split are in step with.

    Raises `ValueError` for a limit below 1.
    """
    found = list(codes_by_latent(model, feed, limit=limit).values())
    logvars = [each.logvar for each in found if each.logvar is not None]
    return Codes(np.concatenate([each.mean for each in found], 1),
                 np.concatenate(logvars, 1) if len(logvars) == len(found) else None)


@torch.inference_mode()
def codes_by_latent(model: Family, feed: Feed, *, limit: int = MAX_OBSERVATIONS) -> dict[str, Codes]:
    """Codes of the first `limit` observations of a split, each latent by itself.

    A label among several modalities is not given: it would only be read back.

    Raises `ValueError` for a limit below 1.
    """
    total = _bounded(limit, len(feed))
    hidden = set(model.modalities) - set(readable(model))
    means: dict[str, list[Tensor]] = {}
    logvars: dict[str, list[Tensor]] = {}
    step = model.at_once(EVALUATED_AT_ONCE)
    for start in range(0, total, step):
        batch = feed.at(torch.arange(start, min(start + step, total)))
        with _evaluating(model):
            posteriors = model.encode({name: x for name, x in batch.items() if name not in hidden})
        for name, q in posteriors.items():
            means.setdefault(name, []).append(q.mean.flatten(1))
            if isinstance(q, DiagonalGaussian):
                logvars.setdefault(name, []).append(q.logvar.expand_as(q.mean).flatten(1))
    return {name: Codes(_array(parts), _array(logvars[name]) if name in logvars else None)
            for name, parts in means.items()}


def readable(model: Family) -> list[str]:
    """The modalities that codes are judged by: all but labels, or all where there is nothing else."""
    names = [name for name, modality in model.modalities.items() if not isinstance(modality, Label)]
    return names or list(model.modalities)


def linear_probe(train: Numbers, train_labels: NDArray[np.int64], test: Numbers, test_labels: NDArray[np.int64]
                 ) -> LinearProbe:
    """Multinomial logistic regression from codes (N, r), standardised by the training ones, to labels (N,).

    The penalty is scikit-learn's default, C = 1. Rows whose label is -1 are left out, and at most the first 10,000 are
    taken. Raises `ValueError` for fewer than 2 classes, or no test label.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = _labelled(train, train_labels)
    x_test, y_test = _labelled(test, test_labels)
    found, counts = np.unique(y, return_counts=True)
    if len(found) < 2 or not len(y_test):
        raise ValueError("a linear probe needs labels of at least two classes in training, and some to test it on.")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000)).fit(x, y)
    commonest = found[counts.argmax()]
    return LinearProbe(accuracy=float((probe.predict(x_test) == y_test).mean()),
                       chance=float((y_test == commonest).mean()), classes=len(found), train=len(y), test=len(y_test))


# -- parts -----------------------------------------------------------------------------------------


def _labelled(x: Numbers, labels: NDArray[np.int64]) -> tuple[Numbers, NDArray[np.int64]]:
    if len(x) != len(labels):
        raise ValueError(f"{len(x)} codes for {len(labels)} labels. Cut both to the same observations.")
    known = np.flatnonzero(labels >= 0)[:MAX_OBSERVATIONS]
    return x[known], labels[known]


def _features(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"features of shapes {a.shape} and {b.shape}. Give two arrays of at least 2 rows, as wide.")
    if max(len(a), len(b)) > MAX_OBSERVATIONS:
        raise ValueError(f"{max(len(a), len(b)):,} rows of features. Use at most {MAX_OBSERVATIONS:,}.")
    return np.ascontiguousarray(a, np.float64), np.ascontiguousarray(b, np.float64)


def _root(covariance: Numbers) -> Numbers:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    root: Numbers = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    return root


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """(A, B), 0 between equal rows: the faster way by products is not, and would lose copies of one point."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(points: Tensor, k: int) -> Tensor:
    """Distance of each point to its k-th neighbour, itself not counted, (N,)."""
    return torch.cat([_distances(part, points).topk(k + 1, largest=False).values[:, -1]
                      for part in torch.split(points, BLOCK)])


@contextmanager
def _evaluating(model: Family) -> Iterator[None]:
    """Without dropout, and back to what the model was in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _bounded(limit: int, length: int) -> int:
    if limit < 1:
        raise ValueError(f"{limit} observations tell nothing. Use at least 1.")
    return min(limit, length, MAX_OBSERVATIONS)


def _mean(parts: list[Tensor]) -> float:
    return float(torch.cat(parts).double().mean())


def _array(parts: list[Tensor]) -> Numbers:
    array: Numbers = torch.cat(parts).double().cpu().numpy()
    return array
