"""A few sentences made by hand, as a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vaecore.data import END, PAD, SPECIALS, SPLITS, Dataset, Modality
from vaecore.data.base import Split

WORDS = ("a", "b", "c", "d")
A, B, C, D = range(len(SPECIALS), len(SPECIALS) + len(WORDS))
VOCABULARY = (*SPECIALS, *WORDS)
SENTENCES = ([A, B, C], [A], [D, D, A, B], [B, C], [], [C, A, B])


def text(longest: int) -> Modality:
    return Modality("text", (longest,), VOCABULARY)


def rows(sentences: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Words, END, and PAD to `length` tokens, (N, length)."""
    return np.array([[*words, END, *[PAD] * (length - len(words) - 1)] for words in sentences], np.int32)


def toy(sentences: Sequence[Sequence[int]] = SENTENCES, *, copies: int = 8, length: int = 6) -> Dataset:
    """Every split the same: `copies` times these sentences in turn."""
    split = Split({"text": rows(sentences, length).repeat(copies, 0).reshape(-1, length)})
    return Dataset("toy", "sentences made by hand", {"text": text(length)}, dict.fromkeys(SPLITS, split))
