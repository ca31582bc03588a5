"""What an observation is: a picture, numbers, a class, a sentence, a clip. Each kind knows what follows from that.

A kind is a subclass of `Modality`; `Modality("image", (1, 28, 28))` makes one by its name, as headers of weights have
it. What a layer does with a kind stands in one table of that layer, a line a kind: networks and likelihoods in
`nets/modal.py`, judges in `evaluate/judges.py`, pictures in `explore/look.py`, words in `cli/crossmodal.py`, widgets
in the dashboard. What inherits from a kind is treated as that kind wherever it has no line of its own, so a new
kind is one file.

Shapes: (C, H, W) an image, (D,) a vector or label, (T,) a text, (T, ...) a clip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

PAD, BEGIN, END, UNKNOWN = range(4)  # token numbers of every text
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
SPACE = " "  # in every vocabulary of characters, and in none of words: it says which of both a vocabulary is
MAX_MODALITIES = 16  # of one data set, and so of one model
MAX_GIVEN_NUMBER = 1e6  # of a vector that a person gives
T = TypeVar("T")


@dataclass(frozen=True)
class Modality:
    """One kind of observation with its shape, and the names that a data set gives to what is in it.

    `vocabulary` has the word of each number of a text. `classes` has the name of each class and `columns` of each
    number of a vector, as the file has them, units too; empty where there are none. `centre` and `scale` lead back from
    standardised numbers to those of the file, x * scale + centre; empty where they are as the file has them. `audible`
    says that its pictures are sound. Names, units and sound are no part of what a modality is: two that differ in
    nothing else are equal. Raises `ValueError` for a kind that there is not.
    """

    kind: str
    shape: tuple[int, ...]
    vocabulary: tuple[str, ...] = ()
    classes: tuple[str, ...] = field(default=(), compare=False)
    columns: tuple[str, ...] = field(default=(), compare=False)
    audible: bool = field(default=False, compare=False)
    centre: tuple[float, ...] = field(default=(), compare=False)
    scale: tuple[float, ...] = field(default=(), compare=False)

    plural: ClassVar[str]  # in words, of several
    observation: ClassVar[str]  # what a run calls one where it is all there is
    axes: ClassVar[str]  # of one observation, a letter each
    pictured: ClassVar[bool] = False  # whether a still picture shows one
    pixels: ClassVar[bool] = False  # whether its numbers are shares of full brightness, stored as 0..255
    any_length: ClassVar[bool] = False  # whether observations may be longer or shorter along the first axis
    instead: ClassVar[str] = "Choose a test sample."  # how a person gives one

    def __init_subclass__(cls, kind: str = "", **more: object) -> None:
        super().__init_subclass__(**more)
        if kind:
            KINDS[kind] = cls

    def __new__(cls, kind: str = "", *_: object, **__: object) -> Self:
        """An object of the class that `kind` names; copying asks for one without saying so."""
        if cls is Modality and kind not in KINDS:
            raise ValueError(f"there is no kind of modality '{kind}'. Use one of {', '.join(KINDS)}.")
        chosen = KINDS[kind] if cls is Modality else cls
        assert issubclass(chosen, cls)
        return object.__new__(chosen)

    @property
    def size(self) -> int:
        """Observed size D: the number of pixels, entries, or tokens at most."""
        return math.prod(self.shape)

    @property
    def decoded_size(self) -> int:
        """Numbers that a decoder gives for one observation."""
        return self.size

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class of a label is called: by its number where it has no name."""
        return self.classes or tuple(map(str, range(self.size)))

    @property
    def described(self) -> str:
        """What an observation of this modality is, in words."""
        return f"{self.size} number{'s' * (self.size != 1)} each"

    @property
    def article(self) -> str:
        """The modality's kind with an article: "an image"."""
        return f"a{'n' * (self.kind[0] in 'aeiou')} {self.kind}"

    def possible(self, x: Tensor) -> bool:
        """Whether the numbers of stored observations (N, *shape) can be its own; those of one that is missing are 0."""
        return bool(x.isfinite().all())

    def fault(self, x: Tensor) -> str:
        """What is wrong with observations (N, *shape) that are given, in words; empty where nothing is."""
        return "" if self.possible(x) else "it holds numbers that are not finite."

    def as_read(self, x: Tensor) -> Tensor:
        """Observations in the number format that networks read."""
        return x.float()

    def pick(self, table: Mapping[type[Modality], T]) -> T:
        """The line of a table for its kind, or for the kind that it inherits from; raises `ValueError` for none."""
        for kind in type(self).__mro__:
            if issubclass(kind, Modality) and kind in table:
                return table[kind]
        raise ValueError(f"{self.article} is none of {', '.join(kind.plural for kind in table)}.")


KINDS: dict[str, type[Modality]] = {}


class Image(Modality, kind="image"):
    """A picture (C, H, W) in uint8."""

    plural = "images"
    observation = "image"
    axes = "CHW"
    pictured = True
    pixels = True
    instead = "Draw or upload it, or choose a test sample."

    @property
    def described(self) -> str:
        channels, height, width = self.shape
        colours = {1: "", 3: ", colour", 4: ", colour with opacity"}.get(channels, f", {channels} channels")
        return f"{height} × {width} pixels" + colours

    def fault(self, x: Tensor) -> str:
        if found := super().fault(x):
            return found
        return "pixels lie between 0 and 1. Divide them by 255." if float(x.min()) < 0 or float(x.max()) > 1 else ""


class Vector(Modality, kind="vector"):
    """Numbers (D,) in float32, drawn as a row of grey."""

    plural = "vectors"
    observation = "vector"
    axes = "D"
    pictured = True

    @property
    def column_names(self) -> tuple[str, ...]:
        """What each number is called: by its place from 1 where it has no name."""
        return self.columns or tuple(f"number {place}" for place in range(1, self.size + 1))

    def in_units(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Numbers (..., D) as the file has them, from those that a model reads or decodes."""
        import numpy as np

        wide = np.asarray(x, np.float64)
        return wide * np.asarray(self.scale) + np.asarray(self.centre) if self.scale else wide

    def fault(self, x: Tensor) -> str:
        if found := super().fault(x):
            return found
        largest = float(x.abs().max())
        return f"numbers lie within {MAX_GIVEN_NUMBER:,.0f}." if largest > MAX_GIVEN_NUMBER else ""


class Label(Modality, kind="label"):
    """One of D classes: a one-hot row (D,) in float32."""

    plural = "labels"
    observation = "label"
    axes = "D"
    instead = "Choose or type a class."

    @property
    def described(self) -> str:
        return f"one of {self.size} classes"

    def fault(self, x: Tensor) -> str:
        if found := super().fault(x):
            return found
        good = bool((x >= 0).all()) and bool(((x.sum(1) - 1).abs() < 1e-3).all())
        return "" if good else "a label is a row of 0 with a single 1, or probabilities that add up to 1."

    def class_number(self, text: str) -> int | None:
        """The class that is meant by a name, in any case of letters, or by its number from 0; None for none.

        Where the names are numbers themselves only they are meant: of the classes 1, 2 and 3, 1 is the first.
        """
        given = " ".join(text.split())
        folded = [name.lower() for name in self.class_names]
        if given in self.class_names:
            return self.class_names.index(given)
        if given.lower() in folded:
            return folded.index(given.lower())
        counted = given.isascii() and given.isdigit() and len(given) < 9 and int(given) < self.size
        return int(given) if counted and not any(map(_is_number, folded)) else None

    @property
    def listed(self) -> str:
        """The names of the classes in words: all where they are few."""
        names = self.class_names
        if names == tuple(map(str, range(self.size))) and self.size > 2:
            return f"{names[0]} to {names[-1]}"
        return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:5])}, … {names[-1]}"


class Text(Modality, kind="text"):
    """At most T token numbers (T,) in int32: words, then END, then PAD to the end.

    `vocabulary` begins with `SPECIALS`.
    """

    plural = "texts"
    observation = "sentence"
    axes = "T"
    any_length = True
    instead = "Type a sentence."

    @property
    def decoded_size(self) -> int:
        """One number for each word that each token could be."""
        return self.size * max(1, len(self.vocabulary))

    @property
    def by_character(self) -> bool:
        """Whether the vocabulary is one of characters rather than of words."""
        return SPACE in self.vocabulary

    @property
    def described(self) -> str:
        unit = "characters" if self.by_character else "words"
        return (f"vocabulary of {len(self.vocabulary) - len(SPECIALS):,} {unit} · longest sentence {self.size - 1} "
                f"{unit}")

    def possible(self, x: Tensor) -> bool:
        whole = not (x.is_floating_point() or x.is_complex())
        return whole and bool((x >= 0).all()) and bool((x < len(self.vocabulary)).all())

    def fault(self, x: Tensor) -> str:
        if not self.possible(x):
            return f"word numbers are whole, from 0 to {len(self.vocabulary) - 1}."
        return "there is no word in it. Give a sentence." if bool(((x == PAD) | (x == END)).all()) else ""

    def as_read(self, x: Tensor) -> Tensor:
        return x.long()


class Clip(Modality):
    """Frames in their order. T is how many a model learns from; clips of a test set may be longer."""

    observation = "clip"
    any_length = True

    @property
    def frame(self) -> tuple[int, ...]:
        """The shape of one of its frames."""
        return self.shape[1:]


class Video(Clip, kind="video"):
    """Pictures (T, C, H, W) in uint8."""

    plural = "videos"
    axes = "TCHW"
    pixels = True

    @property
    def described(self) -> str:
        return f"{self.shape[0]} frames of {Image('image', self.frame).described}"


class Trajectory(Clip, kind="trajectory"):
    """Numbers (T, D) in float32."""

    plural = "trajectories"
    axes = "TD"

    @property
    def described(self) -> str:
        return f"{self.shape[0]} frames of {self.shape[1]} number{'s' * (self.shape[1] != 1)} each"


def grey(x: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers as brightness: 0 is middle grey, 3 white and -3 black. Standardised numbers hardly reach further."""
    import numpy as np  # here, as the command line knows kinds before it needs numbers

    brightness: NDArray[np.uint8] = np.clip(np.rint(x * (128 / 3) + 128), 0, 255).astype(np.uint8)
    return brightness


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
