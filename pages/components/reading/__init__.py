"""A picture from outside as a model reads it, in the browser: drawn on a pad, or given.

While the pen moves, the page itself makes the picture that the data would have, encodes and decodes it, and shows its
code, its KL beside that of the data, the nearest observations, and how well it is reconstructed beside others. No
message comes here meanwhile.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from pages.components import serve
from pages.components.map_routes import codes_address, map_address
from pages.components.pad import SIDE
from pages.shared import hand
from vaecore import packing

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.maps.at_hand import AtHand
    from vaecore.explore.reading import Yardstick
    from vaecore.explore.uploads import Upload

HEIGHT = 280  # CSS pixels of the pad
SHOWN = 196  # of a picture beside it
MOST_BYTES = 2_000_000  # of the neighbours' pictures


def drawing(checkpoint: Checkpoint, yardstick: Yardstick, among: AtHand | None = None, *, key: str) -> None:
    """A pad whose drawing is read while the pen moves. The data must be drawn as ink, `Checkpoint.ink`.

    The nearest observations are looked for `among` those of a split, or among those that travel with the run.
    """
    serve.component("reading")(key=key, data=packed(checkpoint, yardstick, None, among, key))


def given(checkpoint: Checkpoint, yardstick: Yardstick, upload: Upload, among: AtHand | None = None, *, key: str
          ) -> None:
    """An upload: the picture as its file has it, and how it is read."""
    serve.component("reading")(key=key, data=packed(checkpoint, yardstick, upload, among, key))


def packed(checkpoint: Checkpoint, yardstick: Yardstick, upload: Upload | None, among: AtHand | None, key: str
           ) -> bytes:
    """What the browser is sent: u32 header length | JSON | float32 numbers | uint8 pixels.

    The numbers are the errors of the yardstick in ascending order, and the codes of the examples, which are its
    neighbours here; the pixels are theirs, and those of a given picture last.
    """
    import torch

    from vaecore.explore.reading import normal_priors

    examples = (checkpoint.examples * 255).round().to(torch.uint8).numpy()
    count = max(1, min(len(examples), MOST_BYTES // examples[0].size))
    ink, (_, height, width) = checkpoint.ink, checkpoint.shape
    labels = None if checkpoint.labels is None else checkpoint.labels[:count].tolist()
    header: dict[str, Any] = {
        **hand.described(checkpoint), "key": key, "height": HEIGHT, "side": SIDE,
        "ink": None if ink is None else {"light": ink.light, "box": ink.box},
        "size": [height, width], "given": None if upload is None else _before(upload), "errors": len(yardstick.errors),
        "source": yardstick.source, "neighbours": count, "labels": labels,
        "priors": [{"mean": mean.tolist(), "std": std.tolist()} for mean, std in normal_priors(checkpoint)],
        "covariate": _covariate(checkpoint), "search": None if among is None else _search(checkpoint, among)}
    return packing.packed(header, np.sort(yardstick.errors), checkpoint.yardstick.codes[:count],
                          examples[:count].tobytes(), b"" if upload is None else upload.pixels.tobytes())


def _before(upload: Upload) -> str:
    """The picture as its file has it, small, as an address that holds it."""
    from vaecore.explore.pictures import on_screen

    return "data:image/png;base64," + base64.b64encode(on_screen(upload.before, 2 * SHOWN)).decode()


def _search(checkpoint: Checkpoint, among: AtHand) -> dict[str, Any] | None:
    """Where the browser finds the codes and thumbnails of a split; None where there are too many of them."""
    codes, population, sprites = codes_address(checkpoint.run, among), among.population, among.sprites
    n = len(among.encoded)
    split = "training" if population.split == "train" else population.split
    words = (f"{n:,} {split} observations" if among.whole else
             f"the first {n:,} of {population.count:,} {split} observations")
    return None if codes is None else {
        "codes": codes, "page": map_address(checkpoint.run, among, "sprites-{page}"), "words": words,
        "cell": [sprites.width, sprites.height], "columns": sprites.columns, "count": sprites.count,
        "classes": list(population.class_names),
        "labels": None if population.labels is None else population.labels[:n].tolist()}


def _covariate(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """What the model reads beside a picture: a class that is chosen, or the mean of the examples' numbers."""
    if checkpoint.classes:
        return {"classes": list(checkpoint.class_names)}
    from vaecore.explore.reading import mean_covariate

    found = mean_covariate(checkpoint)
    return None if found is None else {"numbers": found[0].tolist()}
