"""Which rows of a table are trained on and which held out: by groups, or as a column says."""

from __future__ import annotations

import numpy as np

from vaecore.data.base import SPLITS, SplitName
from vaecore.data.own import splitting
from vaecore.data.own.file import wrong
from vaecore.data.own.splitting import FEWEST_GROUPS, MAX_HELD_OUT, Rows
from vaecore.data.own.tables import cells
from vaecore.data.own.tables.contents import Contents
from vaecore.words import counted, quoted, short

SPLIT = "split"  # how a column is called that says it without being asked


def by_group(table: Contents, rows: Rows, column: int, share: float, seed: int) -> dict[SplitName, Rows]:
    """Whole groups by a seed, near to the `share` of rows that is for validation, and as much for test.

    Raises `ConfigError` for a row without a group, and for fewer than three groups.
    """
    names = _said(table, rows, column, "data.group")
    if (count := len(set(names))) < FEWEST_GROUPS:
        raise wrong(table.path, f"has {counted(count, 'group')} in column {quoted(table.names[column])}.",
                    "Use a column of three groups or more, one for each split.")
    group_of = dict(zip(rows.tolist(), names, strict=True))
    return splitting.by_group(rows, [group_of.get(row, "") for row in range(len(table))],
                              min(share, MAX_HELD_OUT / len(rows)), seed)


def by_column(table: Contents, rows: Rows, column: int, held_out: int, seed: int
              ) -> tuple[dict[SplitName, Rows], str]:
    """Split rows as a column says, with what it lacks in words: that is taken of its training rows by the seed.

    Raises `ConfigError` for a row that says something else, and where none is to train on.
    """
    names = _said(table, rows, column, "data.split")
    for row, name in zip(rows.tolist(), names, strict=True):
        if not splitting.named(name):
            raise wrong(table.path, f"has '{short(name)}' {table.place(row, column)}, which is no split.",
                        "Write train, validation or test there.")
    place = np.array([SPLITS.index(splitting.named(name)) for name in names])
    found = {split: rows[place == number] for number, split in enumerate(SPLITS)}
    lacking = [split for split in SPLITS if not len(found[split])]
    if "train" in lacking:
        raise wrong(table.path, f"has no row to train on by column {quoted(table.names[column])}.",
                    "Write train there for most rows.")
    train = found["train"][np.random.default_rng(seed).permutation(len(found["train"]))]
    for split in lacking:
        if len(train) <= held_out:
            raise wrong(table.path, f"has too few training rows to take any for {split}.", f"Name {split} rows too.")
        train, found[split] = train[held_out:], train[:held_out]
    found["train"] = train
    return found, f"; {' and '.join(lacking)} taken of its training rows by seed {seed}" if lacking else ""


def says_splits(table: Contents, column: int) -> bool:
    """Whether a column says, in the usual words, which split each row is in."""
    texts = table.texts.get(column, ())
    said = {splitting.named(text) for text in set(texts)}
    return len(said) > 1 and "" not in said and "train" in said


def _said(table: Contents, rows: Rows, column: int, field: str) -> list[str]:
    """The cells of a column, each of which says something; raises `ConfigError` where one does not."""
    found = [cells.class_name(table.texts[column][row]) for row in rows.tolist()]
    for row, name in zip(rows.tolist(), found, strict=True):
        if cells.missing(name):
            raise wrong(table.path, f"has nothing {table.place(row, column)}, which {field} reads.", "Fill it in.")
    return found
