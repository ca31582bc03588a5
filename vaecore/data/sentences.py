"""44,642 English sentences that people gave to be read aloud: Common Voice's collector, in September 2020 (CC0).

Of all kinds and by many: 9.6 words and marks on average, 30 at most. Nobody's rights are in the way of what is trained
on them: weights may be shipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import SPLITS, Dataset, DataUnavailable, folders
from vaecore.data.published import remedy
from vaecore.data.text import TextConfig, lines_in

FOLDER, FILE = "common_voice", "sentences.en.txt.gz"
HELD_OUT = 2_000  # sentences, for validation, and as many for test


class Sentences(TextConfig):
    """English sentences of Common Voice; 2,000 are for validation and as many for test."""

    title: ClassVar[str] = "English sentences"
    name: Literal["sentences"] = "sentences"

    def reads(self) -> tuple[str, ...]:
        return ("sentences",)

    def here(self) -> str:
        _path()
        return "44,642 English sentences (Common Voice, CC0)"

    def load(self) -> Dataset:
        """Shuffled once and for all, as they are published by alphabet; `DataUnavailable` where they are not here."""
        lines = lines_in(_path(), "common-voice/common-voice, or with `vaecore data --download sentences`")
        order = np.random.default_rng(0).permutation(len(lines))
        cut = len(lines) - 2 * HELD_OUT
        parts = dict(zip(SPLITS, np.split(order, [cut, cut + HELD_OUT]), strict=True))
        sizes = " / ".join(f"{len(part):,}" for part in parts.values())
        return self.finish("sentences", f"English sentences (Common Voice, CC0): {sizes}",
                           {split: [lines[row] for row in part] for split, part in parts.items()})


def _path() -> Path:
    path = next((folder / FILE for folder in folders(FOLDER) if (folder / FILE).is_file()), None)
    if path is None:
        raise DataUnavailable(f"The English sentences are not on this machine. {remedy('sentences')} Or point "
                              f"VAECORE_DATA at a folder that holds {FOLDER}/{FILE}, a sentence a line.")
    return path
