"""What a data set is: named modalities in deterministic train / validation / test splits.

Shapes: N observations, (C, H, W) an image, (D,) a vector, T frames of a clip. Pixels are stored as uint8 0..255 and
become numbers in [0, 1] on the device, batch by batch; vectors are float32.
"""

from __future__ import annotations

import contextlib
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vaecore.files import beside
from vaecore.modalities import Modality
from vaecore.schema import Strict, option

if TYPE_CHECKING:
    import torch

Array = NDArray[np.generic]
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
COVARIATE = "covariate"  # what a batch calls u of p(z|u), beside its modalities
EVENTS = "events"  # what the frames of kept clips are called that could not be foreseen
OBSERVED = "observed"  # and which modalities each observation has
MAX_CLASSES, MAX_NAME_LENGTH = 256, 100  # classes whose names are kept, and characters of a name
MAX_ARRAYS_BYTES = 2**29  # of all arrays of files of one's own together, unpacked, and as they are trained on
MAX_UNPACKED_BYTES = 64 * 2**20  # of a published file; the largest, MNIST's training images, has 47 MB
MAX_DRAWN_NUMBERS = 50_000_000  # in a data set that a program draws: 200 MB
MAX_SIDE = 256  # pixels of an image or frame of one's own, as it is kept
MAX_AXIS = 65_536  # entries along one axis of an observation: what weights are read with, so what is trained on
MAX_COLUMNS = MAX_AXIS  # of a table, each of which keeps its name
MAPPED_FROM = 32 * 2**20  # bytes; larger arrays are memory-mapped from the cache instead of held


class DataUnavailable(Exception):
    """A data set that is not on this machine, or is damaged; the message says what to do about it."""


@dataclass(frozen=True)
class Split:
    """N observations: one array of shape (N, *shape) a modality, and what else is known of them.

    `labels` (N,) are classes, -1 where one is missing; `covariate` (N, m) are numbers on which a prior may be
    conditioned, NaN where missing; `factors` (N, F) are the known causes of synthetic data, for evaluation only.
    `observed` (N, M) says which modalities each has, in the order of `arrays`; None where all have all. What is not
    observed is stored as zeros and never read. `events` (N, T) are frames of clips that could not be foreseen from
    those before: a direction was drawn anew. `sources` (N,) says of windows cut from longer clips which one each is of:
    windows of one clip overlap, or show the same scene. `groups` (N,) are what columns of words say of each observation
    that the model is not shown, by the column's name: places among `Dataset.groups`, -1 where nothing is said.
    """

    arrays: Mapping[str, Array]
    labels: NDArray[np.int64] | None = None
    covariate: NDArray[np.float32] | None = None
    factors: NDArray[np.float64] | None = None
    observed: NDArray[np.bool_] | None = None
    events: NDArray[np.bool_] | None = None
    sources: NDArray[np.int64] | None = None
    groups: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def head(self, count: int) -> Split:
        """The first `count` observations."""
        return self.part(slice(count))

    def part(self, rows: slice | NDArray[np.int64]) -> Split:
        """The observations at `rows`."""
        return Split({name: array[rows] for name, array in self.arrays.items()},
                     None if self.labels is None else self.labels[rows],
                     None if self.covariate is None else self.covariate[rows],
                     None if self.factors is None else self.factors[rows],
                     None if self.observed is None else self.observed[rows],
                     None if self.events is None else self.events[rows],
                     None if self.sources is None else self.sources[rows],
                     {name: places[rows] for name, places in self.groups.items()})


class Drawn(Protocol):
    """Training observations that are drawn anew at every visit, whole batches at a time, on the device."""

    @property
    def count(self) -> int:
        """How many of them are called an epoch."""
        ...

    def __call__(self, count: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """`count` observations (count, *shape) a modality as a model reads them, on the generator's device."""
        ...


@dataclass(frozen=True)
class Dataset:
    """A loaded data set. `source` says in words which copy is in use."""

    name: str
    source: str
    modalities: Mapping[str, Modality]
    splits: Mapping[SplitName, Split]
    dynamic: bool = False  # pixels are re-drawn as 0 or 1 at each visit
    paired_anew: tuple[str, ...] = ()  # modalities that each visit takes from another observation of the same label
    factors: Mapping[str, int] = field(default_factory=dict)  # known causes by name; how many values, 0: continuous
    drawn: Drawn | None = None  # what is trained on, where the training split is only some of it to look at
    rate: float = 0.0  # frames a second of clips; 0 where they have none of their own
    classes: tuple[str, ...] = ()  # what the labels are called, by their numbers; empty: numbers from 0
    known: tuple[str, ...] = ()  # what the columns of a numeric covariate are called
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what each column of words says, by its name
    # What was understood of files of one's own, a sentence each, for those who look before they train.
    done: tuple[str, ...] = ()  # what was done to them
    left_out: tuple[str, ...] = ()  # what was left out, by file, row or column, and why
    split_by: str = ""  # what decided who is in which split, as "by seed 0"
    in_sample: bool = False  # whether all observations are in every split: a fit on all, evaluated on the same

    def counted(self) -> dict[str, int]:
        """Observations of each class in all splits, in the order of their numbers; empty where there are no labels."""
        parts = [self.splits["train"]] if self.in_sample else self.splits.values()  # which are the same then
        labels = [split.labels for split in parts if split.labels is not None]
        if not labels:
            return {}
        counts = np.bincount(np.concatenate(labels) + 1)[1:]  # without those of -1, whose label is missing
        names = self.classes or tuple(map(str, range(len(counts))))
        return {name: int(count) for name, count in zip(names, counts, strict=False)}

    def size(self, split: SplitName) -> int:
        """Observations of a split; of one that is drawn anew, what is called an epoch."""
        return self.drawn.count if split == "train" and self.drawn is not None else len(self.splits[split])

    @property
    def covariate(self) -> Modality | None:
        """What a prior may be conditioned on: numbers where the data has them, else its labels, else nothing."""
        train = self.splits["train"]
        if train.covariate is not None:
            return Modality("vector", train.covariate.shape[1:], columns=self.known)
        if train.labels is None:
            return None
        known = [split.labels for split in self.splits.values() if split.labels is not None and len(split.labels)]
        size = max(1, 1 + max(int(labels.max()) for labels in known))
        return Modality("label", (size,), classes=self.classes[:size] if len(self.classes) >= size else ())


class DataConfig(Strict):
    """Fields every data set has. A data set is one subclass in one file, with a `name` as its tag."""

    title: ClassVar[str]  # what a person calls it
    observation: ClassVar[str] = "image"  # what one of them is called
    # Settings that make several modalities of the same observations, or one of them, where there is such a data set.
    as_several: ClassVar[tuple[str, ...]] = ()
    as_one: ClassVar[tuple[str, ...]] = ()
    # Fields that validation and test sets do not depend on: see `vaecore.data.identity`.
    training_only: ClassVar[frozenset[str]] = frozenset({"train_limit", "missing", "clips"})

    train_limit: int = option(0, "Use only the first so many training observations; 0 uses all.", unit="observations",
                              ge=0, advanced=True)

    def reads(self) -> tuple[str, ...]:
        """The published data sets that it reads, by their names in `vaecore.data.published`."""
        return ()

    def resolve(self) -> DataConfig:
        """The choice with nothing left to the machine: `auto` becomes the copy that is here."""
        return self

    def shipped(self) -> DataConfig | None:
        """Some of the same data that come with the package, for looking at where these are not here; None of none."""
        return None

    def known_of(self, name: str, modality: Modality) -> Modality:
        """A modality with what is known of it without any file: what classes are called, what can be heard.

        Weights that were written before this was noted in them are read with it.
        """
        return modality

    @abstractmethod
    def load(self) -> Dataset:
        """The data set, ready to train on; raises `DataUnavailable` with a remedy."""

    def here(self) -> str:
        """Say which copy `load` would read, without reading it where that takes long.

        Raises `DataUnavailable` with a remedy where there is none on this machine.
        """
        return self.load().source

    def limited(self, train: Split) -> Split:
        """The training split cut to `train_limit`."""
        return train.head(self.train_limit) if self.train_limit else train


@runtime_checkable
class OwnFile(Protocol):
    """A data set that is read from a file of the user's own, known again by its digest."""

    @property
    def path(self) -> str: ...

    @property
    def digest(self) -> str: ...


@runtime_checkable
class Standardising(Protocol):
    """A data set that can give its numbers mean 0 and standard deviation 1."""

    @property
    def standardise(self) -> bool: ...


@runtime_checkable
class OneSize(Protocol):
    """A data set that brings observations of another aspect to one size, in the way that `fit` names."""

    @property
    def fit(self) -> str: ...


class ImageConfig(DataConfig):
    """An image data set: what its grey levels mean to the likelihood."""

    pixels: Literal["grey", "binary-fixed", "binary-dynamic"] = option(
        "grey",
        "Pixels as grey levels, as black and white drawn once with the seed below, or drawn anew at "
        "every visit. Test likelihoods of the three are not comparable.")
    binarisation_seed: int = option(0, "Seed of the fixed binarisation, and of the fixed draw used to "
                                    "evaluate the dynamic one.", ge=0, le=2**31 - 1, advanced=True)

    def finish(self, name: str, source: str, images: Mapping[SplitName, Array],
               labels: Mapping[SplitName, NDArray[np.int64]] | None) -> Dataset:
        """Assemble uint8 images (N, C, H, W) into a data set with the chosen pixels; `labels` are None of none."""
        from vaecore.data.converted import black_and_white

        splits: dict[SplitName, Split] = {}
        for index, split in enumerate(SPLITS):
            array = images[split]
            # The dynamic kind evaluates on one fixed draw, so that evaluations compare.
            if self.pixels == "binary-fixed" or (self.pixels == "binary-dynamic" and split != "train"):
                array = black_and_white(array, self.binarisation_seed + index)
            splits[split] = Split({"image": array}, None if labels is None else labels[split])
        splits["train"] = self.limited(splits["train"])
        shape = tuple(int(n) for n in images["train"].shape[1:])
        return Dataset(name, source, {"image": Modality("image", shape)}, splits,
                       dynamic=self.pixels == "binary-dynamic")


def binarise(images: Array, seed: int, rows: NDArray[np.int64] | None = None) -> Array:
    """Each uint8 pixel drawn once as 0 or 255 with probability pixel / 255 of being 255; same shape.

    Where `images` are only some `rows` of a larger array, they are what they are in the whole of it.
    """
    rows = np.arange(len(images)) if rows is None else rows
    drawn = np.empty(images.shape, np.uint8)
    bits, size, known = np.random.PCG64(seed), int(np.prod(images.shape[1:], dtype=np.int64)), 0
    generator = np.random.Generator(bits)
    for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1):
        for places in np.split(run, range(4096, len(run), 4096)):  # in parts: the draws take eight times the images
            if len(places):
                bits.advance((int(rows[places[0]]) - known) * size)  # one draw a pixel
                part = images[places[0]:places[-1] + 1]
                drawn[places] = np.less(generator.random(part.shape) * 255, part) * np.uint8(255)
                known = int(rows[places[-1]]) + 1
    return drawn


def shuffled_split(images: Array, labels: NDArray[np.int64], held_out: int, seed: int = 0
                   ) -> tuple[dict[SplitName, Array], dict[SplitName, NDArray[np.int64]]]:
    """A seeded shuffle; the last 2 x `held_out` become validation and test."""
    order = np.random.default_rng(seed).permutation(len(images))
    cut = len(images) - 2 * held_out
    parts = dict(zip(SPLITS, np.split(order, [cut, cut + held_out]), strict=True))
    return {s: images[i] for s, i in parts.items()}, {s: labels[i] for s, i in parts.items()}


def kept_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names as they are kept and shown: on one line, of at most `MAX_NAME_LENGTH` characters, and each another one."""
    kept: dict[str, None] = {}
    for number, name in enumerate(names):
        line = " ".join((name if name.isprintable() else
                         "".join(sign if sign.isprintable() else " " for sign in name)).split())
        short = line if 0 < len(line) <= MAX_NAME_LENGTH else f"{line[:MAX_NAME_LENGTH - 12]}… ({number})".strip()
        kept[short if short not in kept else f"{short[:MAX_NAME_LENGTH - 12]}… ({number})"] = None
    return tuple(kept)


def one_hot(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Labels (N,) as a modality of kind `label`: (N, `classes`), zeros for a label of -1."""
    return np.equal(labels[:, None], np.arange(classes)).astype(np.float32)


def scaling(train: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and scale (D,) that give vectors (n, D) mean 0 and standard deviation 1; a constant only moves."""
    centre, spread = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    return centre, np.where(spread > 1e-12 * np.abs(centre), spread, 1.0)


def standardised(x: Array, train: Array) -> NDArray[np.float32]:
    """Vectors (N, D) by what gives those of `train` (n, D) mean 0 and standard deviation 1."""
    centre, scale = scaling(train)
    return np.asarray((np.asarray(x, np.float64) - centre) / scale, np.float32)


# -- where data lies -------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where downloads and memory-mapped arrays are kept: `VAECORE_CACHE`, or the user's cache."""
    chosen = os.environ.get("VAECORE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "vaecore"


def folders(name: str, *system: str) -> list[Path]:
    """Places to look for a data set, best first: `VAECORE_DATA`, what was downloaded, the system's."""
    given = os.environ.get("VAECORE_DATA")
    here = [Path(given) / name] if given else []
    return [*here, cache_folder() / "downloads" / name, *map(Path, system)]


def mapped(key: str, build: Callable[[], Array], *, at_least: int = MAPPED_FROM) -> Array:
    """The array `build` makes, kept in the cache and memory-mapped from there if it has `at_least` bytes."""
    path = cache_folder() / "arrays" / f"{key}.npy"
    if (kept := _kept(path)) is not None:
        return kept
    array = build()
    if array.nbytes < at_least:
        return array
    temporary = beside(path)  # threads of one process may build the same array at once
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            np.save(file, array, allow_pickle=False)
        temporary.replace(path)
    except OSError:  # a full or read-only disk costs memory, not the training
        with contextlib.suppress(OSError):
            temporary.unlink()
        return array
    kept = _kept(path)
    return array if kept is None else kept


def _kept(path: Path) -> Array | None:
    """The array in `path`; None where there is none, or where a power cut left less than all of it."""
    try:
        # Copy-on-write: torch takes only writable arrays, and nothing is ever written back.
        loaded: Array = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return loaded
