"""Who is in which split: by a seed, by groups that stay whole, by their order, or as the data say.

With nothing held out every row is in all three splits: a fit on all rows, whose evaluation is in-sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import SPLITS, SplitName
from vaecore.schema import problem

Rows = NDArray[np.int64]
ALL_ROWS = "nothing held out: fitted on all rows, and evaluated on the same, in-sample"
FEWEST_GROUPS = 3  # one for each split
MAX_HELD_OUT = 2_000  # rows or sentences, unless the data say themselves who is held out
WORDS: dict[str, SplitName] = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "development": "validation", "test": "test", "testing": "test", "t10k": "test",
    "holdout": "test", "held-out": "test", "held out": "test", "eval": "test", "evaluation": "test"}


def named(word: str) -> SplitName | Literal[""]:
    """The split that a word means; empty for none."""
    return WORDS.get(word.strip().lower(), "")


def held_out(count: int, share: float) -> int:
    """How many of `count` are for validation, and as many for test."""
    return max(1, min(round(share * count), (count - 1) // 2))


def by_seed(rows: Rows, held: int, seed: int) -> dict[SplitName, Rows]:
    """Shuffled; the last are for validation and test, `held` each."""
    return in_order(np.random.default_rng(seed).permutation(rows), held)


def in_all(rows: Rows, seed: int, limit: int) -> dict[SplitName, Rows]:
    """Shuffled, and all in each split; raises `ConfigError` where only the first `limit` are to be learned from."""
    if 0 < limit < len(rows):
        raise problem("data.train_limit", limit, f"with data.held_out=0 a fit is evaluated on what it was fitted on, "
                      f"which would be {limit:,} of {len(rows):,}.", "Use 0, or hold out a share.",
                      "data.train_limit=0", "data.held_out=0.1")
    return dict.fromkeys(SPLITS, np.random.default_rng(seed).permutation(rows))


def in_order(rows: Rows, held: int) -> dict[SplitName, Rows]:
    """The first are to learn from, those after them for validation, the last for test, `held` each."""
    return dict(zip(SPLITS, np.split(rows, [len(rows) - 2 * held, len(rows) - held]), strict=True))


def by_group(rows: Rows, groups: Sequence[str], share: float, seed: int) -> dict[SplitName, Rows]:
    """Whole groups, so many that validation and test come near their share; at least one each.

    `groups` are those of all rows that there are. Raises ValueError for fewer than three.
    """
    members: dict[str, list[int]] = {}
    for row in rows.tolist():
        members.setdefault(groups[row], []).append(row)
    if len(members) < FEWEST_GROUPS:
        raise ValueError(f"{len(members)} groups cannot be in {FEWEST_GROUPS} splits")
    generator = np.random.default_rng(seed)
    names = sorted(members)
    left = [names[place] for place in generator.permutation(len(names))]
    wanted = share * len(rows)
    parts: dict[SplitName, list[int]] = {}
    for split, spare in (("test", 2), ("validation", 1)):
        part: list[int] = []
        for name in list(left):
            # A group joins where the part comes nearer to its share with it.
            if len(left) > spare and len(members[name]) < 2 * (wanted - len(part)):
                part += members[name]
                left.remove(name)
        if not part:  # all are too large: the one that is nearest
            name = min(left, key=lambda each: abs(len(members[each]) - wanted))
            part += members[name]
            left.remove(name)
        parts["test" if split == "test" else "validation"] = part
    parts["train"] = [row for name in left for row in members[name]]
    return {split: generator.permutation(np.array(parts[split], np.int64)) for split in SPLITS}
