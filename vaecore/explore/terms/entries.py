"""What a reckoning is made of: objectives, their terms, and the ways to a term's number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vaecore.arrays import Numbers
from vaecore.lecture.sources import Source

Code = Literal["drawn", "mean"]


@dataclass(frozen=True)
class Way:
    """A way to a term's number."""

    name: str
    value: float  # nats
    error: float | None = None  # standard error of a mean over codes, nats
    latex: str = ""  # the formula with its numbers put in


@dataclass(frozen=True)
class Dimension:
    """A latent dimension of one posterior, and what it costs."""

    number: int
    mean: float
    sigma: float
    kl: float  # nats


@dataclass(frozen=True)
class Part:
    """A word of a sentence or a frame of a clip, and what it adds to a term."""

    name: str
    value: float  # nats


@dataclass(frozen=True)
class Term:
    """A term of an objective that is maximised: it counts `factor` times `value`."""

    name: str
    latex: str
    factor: float
    value: float  # nats
    says: str
    ways: tuple[Way, ...]
    equations: tuple[int, ...]  # of the lecture
    code: tuple[Source, ...]
    symbol: str = ""  # of a factor that is neither 1 nor -1
    dimensions: tuple[Dimension, ...] = ()
    parts: tuple[Part, ...] = ()
    parted: str = ""  # by what: "word" or "frame"

    @property
    def counts(self) -> float:
        """Factor times value: what the term adds to the objective, in nats."""
        return self.factor * self.value


@dataclass(frozen=True)
class Reckoned:
    """An objective at one x and z."""

    title: str
    equation: int  # of the lecture
    latex: str
    terms: tuple[Term, ...]
    codes: Mapping[str, Numbers]  # z of each latent, (r,); of clips (T-1, r)
    code: tuple[Source, ...]  # of the whole
    note: str = ""

    @property
    def total(self) -> float:
        """The objective, in nats; it is maximised."""
        return math.fsum(term.counts for term in self.terms)
