"""What says which class an observation of a modality is of, and which style an image has.

Every judge is tested on real observations of the test split. That accuracy is the ceiling of whatever it judges: a
model that generates perfectly is found to be right as often as the data themselves are.

Shapes: N observations as a model reads them, (N, *shape) of a modality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vaecore.arrays import Labels, Numbers
from vaecore.data import Dataset
from vaecore.evaluate.classifier import Network, classifier, labelled, regressor
from vaecore.modalities import Image, Label, Modality, Text, Vector
from vaecore.training.feed import Feed

LEARNED_FROM = 10_000  # observations of the training split that a judge of vectors learns from
NEVER = -1e4  # the logit of a class that a judge has never seen
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Judge:
    """A classifier of one modality with what makes its verdicts comparable."""

    name: str  # in words, with its training data
    accuracy: float  # on real observations of the test split
    tested: int  # of them
    predict: Callable[[Tensor], Labels]  # (N, *shape) -> (N,)
    network: nn.Module | None = None  # (N, *shape) -> logits (N, classes), where it is a network


@dataclass(frozen=True)
class StyleJudge:
    """A regression of one continuous factor from images, with its R2 on real images of the test split."""

    name: str
    r2: float
    tested: int
    predict: Callable[[Tensor], Numbers]  # (N, C, H, W) -> (N,)


def judge(dataset: Dataset, modality: str, *, progress: Progress | None = None) -> Judge:
    """The judge of a modality, trained on the training split.

    Images are judged by our own `classifier`, labels by what they say, vectors by a logistic regression. Raises
    `ValueError` for a text, for data without labels, and for a modality that is always missing.
    """
    return dataset.modalities[modality].pick(JUDGES)(dataset, modality, progress)


def _of_images(dataset: Dataset, modality: str, progress: Progress | None) -> Judge:
    found = classifier(dataset, modality=modality, progress=progress)
    return Judge(found.name, found.accuracy, found.tested, lambda x: found.predict(x.clamp(0, 1)),
                 Bounded(found.network))


class Bounded(nn.Module):
    """The network of a classifier behind bounds of 0 and 1: a decoder may go beyond both."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, C, H, W)."""
        logits: Tensor = self.network(x.clamp(0, 1))
        return logits


def _of_labels(dataset: Dataset, modality: str, progress: Progress | None) -> Judge:  # noqa: ARG001 (as the others)
    test, labels = _tested(dataset, modality)
    return Judge("the likeliest label", float((_largest(test) == labels).mean()), len(labels), _largest)


def _of_vectors(dataset: Dataset, modality: str, progress: Progress | None) -> Judge:  # noqa: ARG001 (as the others)
    test, labels = _tested(dataset, modality)
    predict, count, network = _regression(dataset, modality)
    name = f"logistic regression on {modality} ({count:,})"
    return Judge(name, float((predict(test) == labels).mean()), len(labels), predict, network)


def _of_texts(dataset: Dataset, modality: str, progress: Progress | None) -> Judge:  # noqa: ARG001 (as the others)
    raise ValueError(f"{modality} is a text, and texts have no judge: what a sentence says is of no class here.")


JUDGES: dict[type[Modality], Callable[[Dataset, str, Progress | None], Judge]] = {
    Image: _of_images, Label: _of_labels, Vector: _of_vectors, Text: _of_texts}


def _tested(dataset: Dataset, modality: str) -> tuple[Tensor, Labels]:
    """Labelled observations of the test split, as a model reads them; raises `ValueError` for none."""
    rows, labels = labelled(dataset, "test", modality)
    if not len(rows):
        raise ValueError(f"{modality} has no labelled test observations to judge by.")
    return Feed(dataset, "test", torch.device("cpu")).at(torch.from_numpy(rows))[modality], labels


def judges(dataset: Dataset, *, progress: Progress | None = None) -> tuple[dict[str, Judge], dict[str, str]]:
    """Judges of all modalities that have one, and why the others have none.

    Raises `ValueError` where there is none at all.
    """
    found: dict[str, Judge] = {}
    without: dict[str, str] = {}
    for name in dataset.modalities:
        try:
            found[name] = judge(dataset, name, progress=progress)
        except ValueError as error:
            without[name] = str(error)
    if not found:
        raise ValueError(" ".join(dict.fromkeys(without.values())))
    return found, without


def style_judge(dataset: Dataset, modality: str, factor: str, *, progress: Progress | None = None) -> StyleJudge:
    """A convolutional regression of `factor` from images, from the cache or trained now.

    Raises `ValueError` for a factor or images that the data do not have.
    """
    found = regressor(dataset, modality=modality, factor=factor, progress=progress)
    return StyleJudge(found.name, found.r2, found.tested, lambda x: found.predict(x.clamp(0, 1)))


def r2(values: Numbers, predicted: Numbers) -> float:
    """Coefficient of determination, 1 - squared error / variance, of values (N,): 1 at best, 0 for their mean."""
    return float(1 - np.square(values - predicted).mean() / max(values.var(), 1e-12))


def _largest(x: Tensor) -> Labels:
    classes: Labels = x.argmax(1).numpy()
    return classes


def _regression(dataset: Dataset, modality: str) -> tuple[Callable[[Tensor], Labels], int, nn.Linear]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels = labelled(dataset, "train", modality)
    rows, labels = rows[:LEARNED_FROM], labels[:LEARNED_FROM]
    if len(np.unique(labels)) < 2:
        raise ValueError(f"a judge of {modality} needs training labels of at least two classes, and there are none.")
    x = Feed(dataset, "train", torch.device("cpu")).at(torch.from_numpy(rows))[modality]
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000)).fit(x.double().numpy(), labels)

    def predict(x: Tensor) -> Labels:
        classes: Labels = fitted.predict(x.double().numpy()).astype(np.int64)
        return classes

    scaler, regression = fitted[0], fitted[1]
    weight = regression.coef_ / scaler.scale_
    bias = regression.intercept_ - weight @ scaler.mean_
    if len(weight) == 1:  # of two classes the second against the first
        weight, bias = np.concatenate([np.zeros_like(weight), weight]), np.concatenate([[0.0], bias])
    network = nn.Linear(weight.shape[1], 1 + int(regression.classes_.max()))
    network.weight.data.zero_()
    network.bias.data.fill_(NEVER)
    network.weight.data[regression.classes_] = torch.from_numpy(weight).float()
    network.bias.data[regression.classes_] = torch.from_numpy(bias).float()
    return predict, len(rows), network.requires_grad_(False).eval()
