"""Lake's drawings of 105 × 105 in two zips as one array of 28 × 28, ink high.

Each new pixel is the mean of 3.75 × 3.75 old ones, as Pillow's box filter rounds it. Rows are in the order of the
names: part, alphabet, character, drawer. A quarter of them, drawn with seed 0, is the test set.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from vaecore.data.base import Array
from vaecore.data.originals.members import MEMBER_BYTES, read

PARTS = ("images_background", "images_evaluation")
DRAWING = re.compile(r"[^/]+/(?P<alphabet>[^/]+)/character(?P<char>\d\d)/\d{4}_(?P<drawer>\d\d)\.png")
TRAINED_ON, SIDE = 24_345, 28


def convert(folder: Path) -> dict[str, Array]:
    """The arrays of omniglot28.npz out of images_background.zip and images_evaluation.zip."""
    parts = [drawings(folder / f"{name}.zip") for name in PARTS]
    alphabets = sorted({each["alphabet"] for _, found in parts for each in found})
    facts = {name: np.array([int(each[name]) for _, found in parts for each in found], np.uint8)
             for name in ("char", "drawer")}
    split = np.ones(sum(len(found) for _, found in parts), np.uint8)
    split[np.random.RandomState(0).permutation(len(split))[:TRAINED_ON]] = 0
    return {"x": np.concatenate([pixels for pixels, _ in parts]),
            "part": np.repeat(np.arange(len(parts), dtype=np.uint8), [len(found) for _, found in parts]),
            "alphabet": np.array([alphabets.index(each["alphabet"]) for _, found in parts for each in found], np.uint8),
            **facts, "alphabet_names": np.array(alphabets), "random_split": split}


def drawings(archive: Path) -> tuple[Array, list[re.Match[str]]]:
    """The drawings (N, 28, 28) of a zip in the order of their names, and what the names say of each."""
    with zipfile.ZipFile(archive) as members:
        names = sorted(filter(DRAWING.fullmatch, members.namelist()))
        pixels = np.stack([_small(read(members, name, MEMBER_BYTES)) for name in names])
    return pixels, [match for match in map(DRAWING.fullmatch, names) if match]


def _small(png: bytes) -> Array:
    with Image.open(io.BytesIO(png)) as drawing:
        ink = np.uint8(255) - np.asarray(drawing.convert("L"))  # published as black on white
    return np.asarray(Image.fromarray(ink).resize((SIDE, SIDE), Image.Resampling.BOX))
