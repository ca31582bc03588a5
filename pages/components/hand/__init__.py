"""The hand: sliders for the code of a run and what it decodes to, in one component of the browser.

Nothing of what moves is sent here: the decoder runs in the page (`lib/network.js`), and what is set stands in the
page's address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pages.components import serve

if TYPE_CHECKING:
    from vaecore.explore.told import Travelling


@dataclass(frozen=True)
class Direction:
    """A further slider, along which a whole code moves: by `vector` (r,), in units of the latent, for 1."""

    name: str
    latent: str
    vector: NDArray[np.floating[Any]]
    help: str = ""


def hand(told: Mapping[str, Any], travelling: Travelling, *, key: str, directions: Sequence[Direction] = ()) -> None:
    """Show the hand of a run that `pages.shared.hand.described` describes, with further sliders for `directions`."""
    serve.component("hand")(key=key, data=pack(told, travelling, directions))


def pack(told: Mapping[str, Any], travelling: Travelling, directions: Sequence[Direction] = ()) -> bytes:
    """What the component is sent; `vaecore.explore.told.hand_message` says how it is laid out."""
    from vaecore.explore.told import hand_message

    sizes = {latent["name"]: latent["size"] for latent in told["latents"]}
    places = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    total = sum(sizes.values())
    spread = []
    for direction in directions:
        vector = np.zeros(total, np.float32)
        place = places[direction.latent]
        vector[place:place + sizes[direction.latent]] = direction.vector
        spread.append(vector)
    return hand_message(told, travelling, [{"name": d.name, "latent": d.latent, "help": d.help} for d in directions],
                        spread)
