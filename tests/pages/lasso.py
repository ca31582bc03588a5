"""A lasso of the latent map as the browser sends it."""

from __future__ import annotations

import base64

import numpy as np

from pages.components.cloud import Chosen


def as_sent(chosen: Chosen, n: int) -> str:
    """What `message.js` makes of the points: whichever form is shorter."""
    if len(chosen.places) * 32 < n:
        form, data = "rows", chosen.places.astype("<u4").tobytes()
    else:
        bits = np.zeros(n, np.uint8)
        bits[chosen.places] = 1
        form, data = "bits", np.packbits(bits, bitorder="little").tobytes()
    return f"{chosen.map}:{form}:{base64.b64encode(data).decode()}"
