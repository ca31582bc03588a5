"""Who is in which split: by a seed, by groups that stay whole, by their order, or as the data say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import SPLITS, SplitName

Rows = NDArray[np.int64]
FEWEST_GROUPS = 3  # one for each split


def held_out(count: int, share: float) -> int:
    """How many of `count` are for validation, and as many for test."""
    return max(1, min(round(share * count), (count - 1) // 2))


def by_seed(rows: Rows, share: float, seed: int) -> dict[SplitName, Rows]:
    """Shuffled; the last are for validation and test."""
    return in_order(np.random.default_rng(seed).permutation(rows), share)


def in_order(rows: Rows, share: float) -> dict[SplitName, Rows]:
    """The first are to learn from, those after them for validation, the last for test."""
    held = held_out(len(rows), share)
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
