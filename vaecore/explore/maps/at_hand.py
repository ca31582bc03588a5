"""Codes of splits that lie in memory, shared by all sessions of a process.

A page wants a map at once, so what was never encoded is encoded for some seconds; the rest is for the background.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from vaecore import memory
from vaecore.explore.maps import kept
from vaecore.explore.maps.encoded import Encoded, encode
from vaecore.explore.maps.population import Population
from vaecore.explore.maps.sprites import Sprites
from vaecore.explore.single import Checkpoint
from vaecore.mapping import Part
from vaecore.store import Run

SECONDS = 4.0  # that a visitor waits for codes


class Name(NamedTuple):
    """The observations that are meant: a run, its weights and a split."""

    run: str  # its folder
    weights: str
    split: Part


@dataclass(frozen=True)
class AtHand:
    """Observations of a split with codes of the first so many."""

    key: str  # of the whole, as the cache calls it, and of how many there are
    population: Population
    encoded: Encoded
    sprites: Sprites
    pages: dict[int, bytes] = field(default_factory=dict)  # of thumbnails, as they were asked for

    @property
    def whole(self) -> bool:
        """Whether all have codes."""
        return len(self.encoded) == self.population.count

    @property
    def part(self) -> Population:
        """The observations that have codes."""
        return replace(self.population, count=len(self.encoded))

    def page(self, number: int) -> bytes:
        """A page of thumbnails, made when it is first asked for; raises `LookupError` for one that is not there."""
        if number not in self.pages:
            self.pages[number] = self.sprites.page(self.population, number)
        return self.pages[number]



def held(run: Run, split: Part) -> AtHand | None:
    """What lies in memory of a split; None where nothing does."""
    found: AtHand | None = memory.pool.peek((AtHand, Name(str(run.path), kept.identity(run), split)))
    return found


def at_hand(checkpoint: Checkpoint, split: Part, seconds: float = SECONDS) -> AtHand:
    """Codes of a split: all of them where they are in the cache or made within `seconds`, else the first so many.

    Raises as `Population.of` does.
    """
    name = (AtHand, Name(str(checkpoint.run.path), kept.identity(checkpoint.run), split))
    before: AtHand | None = memory.pool.peek(name)
    if before is not None and not before.whole and kept.has_codes(before.population):
        memory.pool.forget(*name)  # the background has encoded the rest meanwhile
    return memory.pool.get(name, lambda: _made(checkpoint, split, seconds))


def _made(checkpoint: Checkpoint, split: Part, seconds: float) -> AtHand:
    population = Population.of(checkpoint, split)
    encoded = kept.codes(population)
    if encoded is None:
        end = time.monotonic() + seconds
        encoded = encode(population, cancelled=lambda: time.monotonic() > end)
        if len(encoded) == population.count:
            kept.keep_codes(population, encoded)
    return AtHand(f"{kept.key(population)}-{len(encoded)}", population, encoded, Sprites.of(population))
