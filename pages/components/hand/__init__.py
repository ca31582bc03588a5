"""The hand: sliders for the code of a run and what it decodes to, in one component of the browser.

Nothing of what moves is sent here: the decoder runs in the page (`lib/network.js`), and what is set stands in the
page's address.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pages.components import serve

if TYPE_CHECKING:
    from vaecore.explore.told import Travelling

MOST_ORIGINALS = 4_000_000  # bytes of test observations that travel along


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
    """`u32 header length | JSON header | float32 columns | uint8 pixels`, little-endian, columns aligned.

    Columns are codes, bank, directions and the originals that are no pixels, in the header's order.
    """
    sizes = {latent["name"]: latent["size"] for latent in told["latents"]}
    places = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    total = sum(sizes.values())
    spread = []
    for direction in directions:
        vector = np.zeros(total, np.float32)
        place = places[direction.latent]
        vector[place:place + sizes[direction.latent]] = direction.vector
        spread.append(vector)
    each = max(1, sum(x[:1].nbytes for x in travelling.originals.values()))
    count = min(len(travelling.codes), MOST_ORIGINALS // each)
    codes = np.asarray(travelling.codes[:count], np.float32)
    floats = [codes, *([] if travelling.bank is None else [travelling.bank]), *spread]
    pixels: list[NDArray[np.uint8]] = []
    modalities = []
    for modality in told["modalities"]:
        original = travelling.originals.get(modality["name"])
        if original is None:
            modalities.append(modality)
        elif original.dtype == np.uint8:
            pixels.append(original[:count])
            modalities.append({**modality, "original": "uint8"})
        else:
            floats.append(np.asarray(original[:count], np.float32))
            modalities.append({**modality, "original": "float32"})
    header: dict[str, Any] = {
        **told, "modalities": modalities, "examples": count,
        "bank": 0 if travelling.bank is None else len(travelling.bank),
        "directions": [{"name": d.name, "latent": d.latent, "help": d.help} for d in directions]}
    body = b"".join(np.ascontiguousarray(x, "<f4").tobytes() for x in floats)
    body += b"".join(np.ascontiguousarray(x).tobytes() for x in pixels)
    header["digest"] = hashlib.sha256(json.dumps(header, sort_keys=True).encode() + body).hexdigest()[:16]
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + body
