"""Fréchet distance, precision and recall of samples, in features of our own classifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from vaecore.evaluate.part import Part, Speed, by_images, priored, still
from vaecore.evaluate.results import Column, Result, count, number, row

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject
    from vaecore.training.feed import Feed

DRAWN = 200  # observations sampled at a time
GROUPS = 10  # that are left out one by one, for the error of a Fréchet distance
A_DIFFERENCE = 7e-10  # seconds, for one feature of two observations


class SampleQuality(Result):
    """How the features of generated observations lie to those of real ones."""

    frechet: float = number(
        "Fréchet distance", "Between Gaussians fitted to features of samples and of real images. Lower is better. The "
        "features are those of our own classifier, so this is not the FID of papers.", spread="frechet_interval",
        column=Column("Fréchet", "%.2f", "In features of our own classifier. Compares only with equal numbers of "
                      "images, and is left out where the classifier is another."))  # squared, in units of the features
    frechet_interval: tuple[float, float] | None = None  # 95 %, over other draws of as many; None of few
    precision: float = number("Precision", "Share of samples that lie among real images.", unit="share")
    recall: float = number("Recall", "Share of real images that lie among samples.", unit="share")
    k: int = count()  # neighbours that make a manifold
    real: int = count()  # observations
    generated: int = count("samples", column=Column("Images", "localized", "Samples, and as many real images."))
    features: str = ""  # whose: a classifier of our own with its training data and seed, so this is no FID
    classifier_accuracy: float = number()  # on its test split


class Floor(Result):
    """Real observations in the place of samples."""

    frechet: float = number()
    precision: float = number()
    recall: float = number()
    observations: int | None = None
    split: str = ""


class Samples(SampleQuality):
    """Quality of a model's samples, with who judged which pixels, and what real images would score."""

    modality: str = ""
    pixels: str = ""
    seed: int | None = None
    classifier_digest: str = ""
    classifier_weights: str = ""  # of older results there is none
    floor: Floor = Floor()

    @property
    def judge(self) -> tuple[str, str]:
        """The classifier in whose features samples were judged: distances compare only under the same weights."""
        return self.classifier_digest, self.classifier_weights

    def alike(self, other: Self) -> bool:
        return self.judge == other.judge


def samples(subject: Subject) -> Samples:
    """Fréchet distance, precision and recall of samples, and the same distance between two sets of real ones."""
    import numpy as np
    import torch

    from vaecore.evaluate.classifier import classifier, having
    from vaecore.evaluate.quality import MAX_OBSERVATIONS, frechet_distance, precision_recall, sample_quality

    [name] = by_images(subject)[:1]
    most, other = min(subject.settings.samples, MAX_OBSERVATIONS), subject.other_split
    rows, others = (torch.from_numpy(having(subject.dataset, split, name)[:most])
                    for split in (subject.settings.split, other))
    judge = classifier(subject.complete, modality=name, progress=subject.told("classifier"))
    # Some likelihoods know no bounds: what is judged is the picture, as PSNR and SSIM do.
    generated = np.concatenate([judge.features(part.clamp(0, 1)) for part in _drawn(subject, name, rows)])
    real = np.concatenate([judge.features(part) for part in _real(subject.feed, name, rows)])
    found = sample_quality(judge.name, judge.accuracy, real, generated)
    again = np.concatenate([judge.features(part) for part in _real(subject.at(other), name, others)])
    count = min(len(again), len(real))
    precision, recall = precision_recall(real[:count], again[:count])
    return Samples(
        **dict(found), modality=name, pixels="means of p(x|z)" if subject.model.latents else "draws",
        seed=subject.settings.seed, classifier_digest=judge.digest, classifier_weights=judge.weights,
        floor=Floor(
            frechet=frechet_distance(real[:count], again[:count]), precision=precision, recall=recall,
            observations=count, split=other))


def _drawn(subject: Subject, name: str, rows: Tensor) -> Iterator[Tensor]:
    """As many images from the model as there are real ones; a conditional prior is given the covariates of these."""
    import torch

    from vaecore.data import COVARIATE

    generator = torch.Generator().manual_seed(subject.settings.seed)
    tell, done = subject.told("samples"), 0
    tell(done, len(rows))
    for few in torch.split(rows, DRAWN):
        known = subject.feed.at(few)[COVARIATE] if subject.model.covariate is not None else None
        with torch.inference_mode():
            part = subject.model.sample(len(few), generator, known)
        yield part[name]
        tell(done := done + len(few), len(rows))


def _real(feed: Feed, name: str, rows: Tensor) -> Iterator[Tensor]:
    """Images of a split."""
    import torch

    for few in torch.split(rows, DRAWN):
        yield feed.at(few)[name]


def judgeable(subject: Subject) -> None:
    """Labelled images, from which a classifier can be trained."""
    if not by_images(subject):
        raise ValueError("samples are judged by a classifier of images, and this data set has none.")
    if subject.dataset.splits["train"].labels is None:
        raise ValueError("samples are judged by a classifier, and this data set has no labels to train one.")


def seconds(subject: Subject, speed: Speed) -> float:
    from vaecore.evaluate.classifier import FEATURES

    count = min(subject.settings.samples, len(subject.feed))
    return count * speed.drawn + 6 * count**2 * FEATURES * A_DIFFERENCE  # distances, for precision and recall


def lines(found: Samples, _: Evaluation) -> Iterator[str]:
    span = found.frechet_interval
    within = f"95 %: {span[0]:.3f} to {span[1]:.3f}; " if span else ""
    yield row("Fréchet", found.frechet, f"{within}between {found.generated:,} samples and as many real, in features "
              f"of {found.features} (accuracy {found.classifier_accuracy:.1%}); {found.floor.frechet:.3f} between real "
              "and real", 3)
    yield row("precision", found.precision, f"k = {found.k}")
    yield row("recall", found.recall, f"k = {found.k}")


PART = Part("samples", "Samples", "Fréchet distance, precision and recall of samples, in features of our own "
            "classifier.", Samples, samples, (still, judgeable, priored), lines, ("samples",), seconds,
            lambda subject: by_images(subject)[:1])
