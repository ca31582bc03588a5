"""Film: what runs drew while they learned, one slider over the steps, live while they train.

A message says where the pictures are fetched (`film_routes.py`), and up to which byte there are any: only then does it
change. Which step is looked at stands in the address, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pages.components.film_routes import album_address, film_address
from pages.components.serve import component
from vaecore import packing
from vaecore.store import Run


@dataclass(frozen=True)
class Filmed:
    """A run with what it is called, how many bytes of pictures it has, and whether more are to come."""

    run: Run
    label: str
    size: int
    live: bool


def film(runs: Sequence[Filmed], *, key: str) -> None:
    """Show what these runs drew, beside each other; call again with the same `key` when there is more."""
    component("film")(key=key, data=pack(runs))


def pack(runs: Sequence[Filmed]) -> bytes:
    """A header that `film.js` reads."""
    return packing.packed({"runs": [
        {"id": each.run.id, "label": each.label, "size": each.size, "live": each.live,
         "source": album_address(each.run), "film": film_address(each.run)} for each in runs]})
