"""Codes of splits that lie in memory, shared by all sessions of a process and bounded in all.

A page wants a map at once, so what was never encoded is encoded for some seconds; the rest is for the background.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from vaecore.explore.maps import kept
from vaecore.explore.maps.encoded import Encoded, encode
from vaecore.explore.maps.population import Population
from vaecore.explore.maps.sprites import Sprites
from vaecore.explore.single import Checkpoint
from vaecore.mapping import Part
from vaecore.store import Run

SECONDS = 4.0  # that a visitor waits for codes
ENTRIES, BYTES = 12, 2**30  # of all that is held


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

    @property
    def size(self) -> int:
        """Memory that it takes."""
        arrays = [self.encoded.means, *self.encoded.measures.values()]
        return self.population.size + sum(x.nbytes for x in arrays) + sum(map(len, list(self.pages.values())))

    def page(self, number: int) -> bytes:
        """A page of thumbnails, made when it is first asked for; raises `LookupError` for one that is not there."""
        if number not in self.pages:
            self.pages[number] = self.sprites.page(self.population, number)
        return self.pages[number]


_held: OrderedDict[Name, AtHand] = OrderedDict()
_making: dict[Name, threading.Lock] = {}
_lock = threading.Lock()


def held(run: Run, split: Part) -> AtHand | None:
    """What lies in memory of a split; None where nothing does."""
    with _lock:
        return _held.get(Name(str(run.path), kept.identity(run), split))


def at_hand(checkpoint: Checkpoint, split: Part, seconds: float = SECONDS) -> AtHand:
    """Codes of a split: all of them where they are in the cache or made within `seconds`, else the first so many.

    Raises as `Population.of` does.
    """
    name = Name(str(checkpoint.run.path), kept.identity(checkpoint.run), split)
    with _lock:
        making = _making.setdefault(name, threading.Lock())
    with making:  # many who come at once wait for one
        with _lock:
            found = _held.get(name)
        if found is None or (not found.whole and kept.has_codes(found.population)):
            found = _made(checkpoint, split, seconds)
        with _lock:
            _held[name] = found
            _held.move_to_end(name)
            _making.pop(name, None)
            while len(_held) > 1 and (len(_held) > ENTRIES or sum(each.size for each in _held.values()) > BYTES):
                _held.popitem(last=False)
    return found


def _made(checkpoint: Checkpoint, split: Part, seconds: float) -> AtHand:
    population = Population.of(checkpoint, split)
    encoded = kept.codes(population)
    if encoded is None:
        end = time.monotonic() + seconds
        encoded = encode(population, cancelled=lambda: time.monotonic() > end)
        if len(encoded) == population.count:
            kept.keep_codes(population, encoded)
    return AtHand(f"{kept.key(population)}-{len(encoded)}", population, encoded, Sprites.of(population))
