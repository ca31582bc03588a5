"""Our own named classifier of a data set: its features for the Fréchet distance, its predictions for coherence.

The Fréchet distance in these features is not the FID, which takes those of an Inception network. A value compares only
with others in the features of the same classifier, so its name, the digests of its training data and of its weights
and its test accuracy go with it. It is trained once, from the labels of the training split, and kept in the cache.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.arrays import Numbers
from vaecore.data import Dataset, SplitName
from vaecore.data.base import cache_folder
from vaecore.data.rows import in_parts
from vaecore.files import parsed_json, regular, write_bytes_atomic
from vaecore.modalities import Image
from vaecore.models.base import NUMBERS_AT_ONCE
from vaecore.training.feed import Feed

VERSION = 1  # of architecture and training: raise it when either changes
CHANNELS, FEATURES = (32, 64), 128
UPDATES, BATCH_SIZE, RATE, DROPOUT = 1_500, 64, 1e-3, 0.5
IMAGES_AT_ONCE = 500  # or fewer, where those would have more numbers than a decoder gives at once
A_PIXEL = 0.03  # seconds of training, for one pixel of an image, on one core
LARGEST_SIDE = 64  # pixels; what is larger is made smaller first, by a whole number
MAX_CLASSIFIER_BYTES = 200_000_000  # bytes of kept weights that are read

Progress = Callable[[int, int], object]  # updates done, of how many


class Network(nn.Module):
    """Two convolutions of stride two, a dense layer whose rectified units are the features, and a linear read-out.

    Images of more than 64 pixels a side are averaged down to that first: what class they are of still shows.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.dropout = dropout
        channels, height, width = shape
        first, second = CHANNELS
        times = shrunk(shape)
        flat = second * -(-height // (4 * times)) * -(-width // (4 * times))  # convolutions halve, rounding up
        smaller = [nn.AvgPool2d(times, ceil_mode=True)] if times > 1 else []
        self.body = nn.Sequential(*smaller, nn.Conv2d(channels, first, 3, stride=2, padding=1), nn.ReLU(),
                                  nn.Conv2d(first, second, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
                                  nn.Linear(flat, FEATURES), nn.ReLU())
        self.read_out = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, C, H, W) in [0, 1]."""
        logits: Tensor = self.read_out(F.dropout(self.body(x), self.dropout, self.training))
        return logits


@dataclass(frozen=True)
class Classifier:
    """A trained network with what makes its numbers comparable."""

    name: str  # what a person calls it, with its training data and seed
    digest: str  # of the data it was trained and tested on, 12 hexadecimal digits
    accuracy: float  # on the test split
    tested: int  # observations of it that have a label
    classes: int
    seed: int
    network: Network

    @property
    def weights(self) -> str:
        """Digest of the weights, 12 hexadecimal digits: features compare only where it is the same."""
        told = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            told.update(name.encode() + tensor.contiguous().numpy().tobytes())
        return told.hexdigest()[:12]

    @torch.inference_mode()
    def features(self, images: Tensor) -> Numbers:
        """Penultimate activations (N, 128) of images (N, C, H, W) in [0, 1]."""
        parts = [self.network.body(part.float()) for part in torch.split(images, images_at_once(images.shape[1:]))]
        features: Numbers = torch.cat(parts).double().numpy()
        return features

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Numbers:
        """p(class|x), (N, classes), of images (N, C, H, W) in [0, 1]."""
        parts = [self.network(part.float()).double().softmax(1)
                 for part in torch.split(images, images_at_once(images.shape[1:]))]
        probabilities: Numbers = torch.cat(parts).numpy()
        return probabilities

    def predict(self, images: Tensor) -> NDArray[np.int64]:
        """The likeliest class (N,) of images (N, C, H, W) in [0, 1]."""
        classes: NDArray[np.int64] = self.probabilities(images).argmax(1)
        return classes


def classifier(dataset: Dataset, *, modality: str = "", seed: int = 0, progress: Progress | None = None) -> Classifier:
    """The classifier of `dataset`, from the cache or trained now, in some 15 s on one core.

    `modality` names the images where there are several kinds. On one machine the same data and seed give the same
    weights. Raises `ValueError` for data without images, or without labels of two classes in training and some to test.
    """
    images = [name for name, m in dataset.modalities.items() if isinstance(m, Image) and modality in ("", name)]
    if not images:
        raise ValueError("the classifier is one of images, and this data set has none. Use a data set of images.")
    modality = images[0]
    rows, labels = labelled(dataset, "train", modality)
    test_rows, test_labels = labelled(dataset, "test", modality)
    if len(np.unique(labels)) < 2 or not len(test_labels):
        raise ValueError("the classifier needs labels of at least two classes, and this data set has none. "
                         "Use a labelled one, as mnist or digits.")
    classes = 1 + int(max(labels.max(), test_labels.max()))
    which = f" {modality}" if len(dataset.modalities) > 1 else ""
    name = (f"conv classifier {'-'.join(map(str, (*CHANNELS, FEATURES)))} on {dataset.name}{which} ({len(labels):,}"
            + (", pixels redrawn" if dataset.dynamic else "")
            + (f", {times} times smaller" if (times := shrunk(dataset.modalities[modality].shape)) > 1 else "")
            + f"), seed {seed}")
    digest = _digest(dataset, modality)
    path = _place(dataset, modality, digest, seed)
    with torch.random.fork_rng(devices=[]):  # initial weights and dropout draw from torch's own generator
        torch.manual_seed(seed)
        network = Network(dataset.modalities[modality].shape, classes)
        found = _kept(path, network)
        if found is None:
            feed = Feed(dataset, "train", torch.device("cpu"))
            _train(network, feed, modality, torch.from_numpy(rows), torch.from_numpy(labels), F.cross_entropy, seed,
                   progress)
    network.eval().requires_grad_(False)
    if found is None:
        untested = Classifier(name, digest, 0.0, len(test_labels), classes, seed, network)
        found = float((_over(untested.predict, dataset, modality, test_rows) == test_labels).mean())
        _keep(path, network, found)
    return Classifier(name, digest, found, len(test_labels), classes, seed, network)


def waiting(dataset: Dataset, modality: str) -> float:
    """About how many seconds the classifier of the images `modality` has to be trained; 0 where it is in the cache."""
    if _place(dataset, modality, _digest(dataset, modality), 0).is_file():
        return 0.0
    shape = dataset.modalities[modality].shape
    return A_PIXEL * math.prod(shape[1:]) / shrunk(shape) ** 2


@dataclass(frozen=True)
class Regressor:
    """The network of the classifier, trained to read one continuous factor."""

    name: str
    r2: float  # on the test split, 0 where it is below
    tested: int  # observations of it
    centre: float  # of the factor over the training split
    spread: float
    network: Network

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Numbers:
        """The factor (N,) of images (N, C, H, W) in [0, 1]."""
        parts = [self.network(part.float())[:, 0].double()
                 for part in torch.split(images, images_at_once(images.shape[1:]))]
        values: Numbers = torch.cat(parts).numpy() * self.spread + self.centre
        return values


def regressor(dataset: Dataset, *, modality: str, factor: str, seed: int = 0, progress: Progress | None = None
              ) -> Regressor:
    """A regression of `factor` from the images `modality`, from the cache or trained now, in some 15 s on one core.

    Raises `ValueError` where there are no such images or no such factor.
    """
    train, test = dataset.splits["train"], dataset.splits["test"]
    if factor not in dataset.factors or train.factors is None or test.factors is None:
        raise ValueError(f"this data set has no factor '{factor}'.")
    if not isinstance(seen := dataset.modalities[modality], Image):
        raise ValueError(f"{factor} is read from images, and {modality} is {seen.article}.")
    place = list(dataset.factors).index(factor)
    values, there = train.factors[:, place], having(dataset, "train", modality)
    centre, spread = float(values[there].mean()), float(values[there].std()) or 1.0
    digest = hashlib.sha256(_digest(dataset, modality).encode() + values.tobytes()).hexdigest()[:12]
    name = f"conv regression of {factor} on {dataset.name} {modality} ({len(there):,}), seed {seed}"
    file = f"{dataset.name}-{modality}-{factor}-{digest}-seed{seed}-v{VERSION}.safetensors"
    path = cache_folder() / "classifiers" / file
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(dataset.modalities[modality].shape, 1, dropout=0.0)  # which would shift what is regressed
        found = _kept(path, network)
        if found is None:
            targets = torch.from_numpy((values - centre) / spread).float()[torch.from_numpy(there), None]
            _train(network, Feed(dataset, "train", torch.device("cpu")), modality, torch.from_numpy(there), targets,
                   F.mse_loss, seed, progress)
    network.eval().requires_grad_(False)
    tested = having(dataset, "test", modality)
    if found is None:
        made = Regressor(name, 0.0, len(tested), centre, spread, network)
        known = test.factors[tested, place]
        found = max(0.0, 1 - float(np.square(_over(made.predict, dataset, modality, tested) - known).mean()
                                   / known.var()))
        _keep(path, network, found)
    return Regressor(name, found, len(tested), centre, spread, network)


def _over(predict: Callable[[Tensor], NDArray[Any]], dataset: Dataset, modality: str, rows: NDArray[np.int64]
          ) -> NDArray[Any]:
    """What is predicted of the test images at `rows`, never all of which are in memory."""
    feed = Feed(dataset, "test", torch.device("cpu"))
    parts = torch.split(torch.from_numpy(rows), images_at_once(dataset.modalities[modality].shape))
    return np.concatenate([predict(feed.at(part)[modality]) for part in parts])


def _train(network: Network, feed: Feed, modality: str, rows: Tensor, targets: Tensor,
           loss_of: Callable[[Tensor, Tensor], Tensor], seed: int, progress: Progress | None) -> None:
    """Adam with a cosine rate on random batches of the known `rows`, pixels redrawn where the data set says so."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, UPDATES)
    network.train()
    for update in range(UPDATES):
        chosen = torch.randint(len(rows), (BATCH_SIZE,), generator=generator)
        x = _shifted(feed.batch(rows[chosen], generator)[modality], generator)
        loss = loss_of(network(x), targets[chosen])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if progress and (update + 1) % 50 == 0:
            progress(update + 1, UPDATES)


def _shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """All images (B, C, H, W) moved by one random step of at most a 28th of their side, black coming in."""
    height, width = x.shape[2:]
    most = min(height, width) // 28
    down, right = torch.randint(2 * most + 1, (2,), generator=generator).tolist()
    return F.pad(x, (most, most, most, most))[:, :, down:down + height, right:right + width]


def shrunk(shape: tuple[int, ...]) -> int:
    """The whole number by which images (C, H, W) are made smaller before they are looked at."""
    return -(-max(shape[1:]) // LARGEST_SIDE)


def images_at_once(shape: tuple[int, ...]) -> int:
    """How many images (C, H, W) are looked at together."""
    return max(1, min(IMAGES_AT_ONCE, NUMBERS_AT_ONCE // math.prod(shape)))


def labelled(dataset: Dataset, split: SplitName, modality: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The observations of a split that have a label and the modality, and these labels."""
    labels = dataset.splits[split].labels
    if labels is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    there = having(dataset, split, modality)
    rows = there[labels[there] >= 0]
    return rows, labels[rows]


def having(dataset: Dataset, split: SplitName, modality: str) -> NDArray[np.int64]:
    """Places (N,) of the observations of a split that have a modality."""
    part = dataset.splits[split]
    if part.observed is None:
        return np.arange(len(part))
    return np.flatnonzero(part.observed[:, list(dataset.modalities).index(modality)])


def _digest(dataset: Dataset, modality: str) -> str:
    """Of the images and labels of training and test, and of whether pixels are redrawn."""
    digest = hashlib.sha256(str(dataset.dynamic).encode())
    for part in (dataset.splits["train"], dataset.splits["test"]):
        for few in in_parts(part.arrays[modality]):
            digest.update(np.ascontiguousarray(few).tobytes())
        digest.update(b"" if part.labels is None else part.labels.tobytes())
    return digest.hexdigest()[:12]


# -- the cache -------------------------------------------------------------------------------------


def _place(dataset: Dataset, modality: str, digest: str, seed: int) -> Path:
    return cache_folder() / "classifiers" / f"{dataset.name}-{modality}-{digest}-seed{seed}-v{VERSION}.safetensors"


def _keep(path: Path, network: Network, accuracy: float) -> None:
    """Write weights and accuracy; a full or read-only disk costs training again, not the evaluation."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(path, save(network.state_dict(), {"vaecore": json.dumps({"accuracy": accuracy})}))
    except OSError:
        return


def _kept(path: Path, network: Network) -> float | None:
    """Fill `network` from the cache and give its accuracy; None, and nothing changed, where that cannot be done."""
    try:
        if path.stat().st_size > MAX_CLASSIFIER_BYTES:
            return None
        with safe_open(regular(path), "pt") as file:
            accuracy = float(parsed_json((file.metadata() or {})["vaecore"], "its description")["accuracy"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
        expected = {name: (w.shape, w.dtype) for name, w in network.state_dict().items()}
        if {name: (w.shape, w.dtype) for name, w in weights.items()} != expected or not 0 <= accuracy <= 1:
            return None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    network.load_state_dict(weights)
    return accuracy
