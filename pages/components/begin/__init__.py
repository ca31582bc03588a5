"""Where the hand begins: a code that the page knows, sent once, with a button that brings the sliders back to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pages.components import serve


def begin(run: str, code: Mapping[str, NDArray[np.floating[Any]]], parameters: Sequence[str], *, label: str, help: str,
          key: str) -> None:
    """A button that moves the code of `run` to `code`: by latent its position in units of each dimension.

    Whenever that is another one the sliders follow; at first only if neither the address, by its `parameters`, nor a
    hand says where they are.
    """
    positions = {latent: [round(float(x), 6) for x in units] for latent, units in code.items()}
    digest = hashlib.sha256(json.dumps([run, positions]).encode()).hexdigest()[:16]
    serve.component("begin")(key=key, data={"run": run, "code": positions, "parameters": list(parameters),
                                            "label": label, "help": help, "digest": digest})
