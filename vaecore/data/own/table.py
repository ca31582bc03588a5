"""A table of one's own: CSV, TSV, packed or not, or Parquet, with a header.

Its columns are found: numbers, dates and words of few levels make the vector, others may be a covariate, a group or a
split. The file stays where it is; a run remembers its digest.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from vaecore.arrays import Numbers
from vaecore.data.base import MAX_CLASSES, SPLITS, Dataset, Split, SplitName, kept_names, scaling
from vaecore.data.own import splitting
from vaecore.data.own.file import FILE_LIMIT, OwnFile, digest_of, wrong
from vaecore.data.own.splitting import Rows
from vaecore.data.own.tables import cells, contents, reading
from vaecore.data.own.tables.contents import Contents
from vaecore.data.own.tables.features import FILL, Features, features
from vaecore.data.own.tables.splits import SPLIT, by_column, by_group, says_splits
from vaecore.modalities import Modality
from vaecore.schema import option, problem
from vaecore.words import counted, listed, quoted, short

MAX_GROUPS = 32  # columns of words by which codes are looked at


class Table(OwnFile):
    """The rows of a table; a tenth, at most 2,000, are for validation and as many for test, unless it says who is."""

    title: ClassVar[str] = "A table of your own"
    observation: ClassVar[str] = "row"
    file: ClassVar[str] = "CSV file"
    unchosen: ClassVar[str] = "No table is chosen. Give data.path, a CSV file with a header line."
    endings: ClassVar[tuple[str, ...]] = reading.ENDINGS
    upload: ClassVar[str] = "Table"
    invitation: ClassVar[str] = "Rows are shown here once there is a table."
    name: Literal["table"] = "table"
    path: str = option("", "A table on this machine: .csv or .tsv in UTF-8 with a header line, packed as .gz or not, "
                       f"or .parquet; {FILE_LIMIT} at most.")
    columns: str = option("", "Columns that make the vector, by name and parted by commas; empty takes what is found "
                          "beside the covariate.")
    kinds: Literal["all", "numbers"] = option(
        "all", "What is found where no columns are named: numbers, dates as days since the first, and words of few "
        "levels as a column of 0 and 1 a level, without identifiers and free text; or all columns of numbers alone.")
    covariate: str = option("", "Column on which a prior may be conditioned, such as a class; several columns of "
                            "numbers are parted by commas. Its empty cells, and NA, NaN and null, count as missing.")
    covariate_kind: Literal["label", "numbers"] = option(
        "label", "Whether the covariate names a class, in words or whole numbers, or measures something.")
    gaps: Literal["mean", "rows", "refuse"] = option(
        "mean", "Empty cells, and NA, NaN and null: filled with the mean of the training rows, their rows left out, or "
        "refused with the first one named.")
    group: str = option("", "Column that says what belongs together, such as a patient: its rows are never in two "
                        "splits.")
    split: str = option("", "Column that says train, validation or test; empty takes one that is called split and says "
                        "nothing else, if there is one, or the seed.")
    held_out: float = option(0.1, "Share of the rows for validation, at most 2,000, and as many for test; 0 fits a "
                             "method in closed form on all rows, and evaluates it on the same.", unit="of rows",
                             ge=0, le=0.4)
    standardise: bool = option(True, "Give every column of numbers mean 0 and standard deviation 1, by the training "
                               "rows; a numeric covariate too. They are shown in the file's units.")
    split_seed: int = option(0, "Seed of the shuffle before the split.", ge=0, le=2**31 - 1, advanced=True)
    digest: str = digest_of("the file", "another table")

    @model_validator(mode="before")
    @classmethod
    def _as_it_was(cls, values: Any) -> Any:
        """A run made before columns of words were read goes on without them."""
        if isinstance(values, dict) and values.get("digest") and "kinds" not in values:
            return {**values, "kinds": "numbers"}
        return values

    def load(self) -> Dataset:
        """Shuffled by a seed, then split; raises `ConfigError` for a table that cannot be used."""
        asked = [*names(self.covariate), *names(self.group), *names(self.split)]
        table = reading.read(self.read()[""], self.path, asked)
        known = [table.index(name, "data.covariate") for name in names(self.covariate)]
        group, split = self._one(table, "group"), self._one(table, "split")
        if split is None and self.kinds == "all" and SPLIT in table.names:
            place = table.names.index(SPLIT)
            split = place if place not in known and says_splits(table, place) else None
        found = self._features(table, known, [column for column in (group, split) if column is not None])
        gaps = np.isnan(found.x)
        rows, told = self._whole(table, found, gaps)
        parts, split_by = self._parts(table, rows, group, split)
        train = parts["train"]
        labels, covariate, classes = self._known(table, known, train)
        filled, said = self._filled(table, found, gaps, train)
        centre, scale = scaling(filled[train]) if self.standardise else (np.zeros(0), np.zeros(0))
        x = ((filled - centre) / scale if self.standardise else filled).astype(np.float32)
        u = None if covariate is None else self._scaled(covariate, train).astype(np.float32)
        grouped = self._groups(table, known)
        splits: dict[SplitName, Split] = {
            name: Split({"vector": x[part]}, None if labels is None else labels[part], None if u is None else u[part],
                        groups={column: places[part] for column, (_, places) in grouped.items()})
            for name, part in parts.items()}
        whole = not self.held_out and split is None
        sizes = (f"{len(rows):,} rows, all in every split (in-sample)" if whole else
                 " / ".join(f"{len(splits[name]):,}" for name in SPLITS))
        splits["train"] = self.limited(splits["train"])
        used = {*found.sources, *known, group, split}
        others = [name for column, name in enumerate(table.names) if column not in used]
        what = f", covariate {', '.join(quoted(table.names[column]) for column in known)}" if known else ""
        what += f" with {counted(len(classes), 'label')} ({listed(classes)})" if classes else ""
        what += f", {len(others)} left out: {listed(others)}" if others else ""
        return Dataset(
            "table", f"{Path(self.path).name}: {sizes}, {len({*found.sources})} of its columns as the vector{what}",
            {"vector": Modality("vector", (len(found.names),), columns=kept_names(found.names),
                                centre=tuple(centre.tolist()), scale=tuple(scale.tolist()))},
            splits, classes=kept_names(classes),
            known=() if covariate is None else kept_names(table.names[column] for column in known),
            done=(*table.done, *found.done, *self._classless(table, found, known), *said),
            left_out=(*self._unasked(table, others, found), *told),
            split_by=split_by, in_sample=whole, groups={column: names for column, (names, _) in grouped.items()})

    # -- columns ---------------------------------------------------------------------------------------

    def _one(self, table: Contents, field: str) -> int | None:
        """The column that a field names, if it names one."""
        named = names(getattr(self, field))
        if len(named) > 1:
            raise problem(f"data.{field}", getattr(self, field), f"{len(named)} columns are named.", "Name one.")
        return table.index(named[0], f"data.{field}") if named else None

    def _features(self, table: Contents, known: Sequence[int], apart: Sequence[int]) -> Features:
        """The columns of the vector."""
        named = [table.index(name, "data.columns") for name in names(self.columns)]
        if both := set(named) & {*known, *apart}:
            role = "the covariate" if min(both) in known else "the group or the split"
            raise problem("data.columns", self.columns, f"'{table.names[min(both)]}' is {role}.",
                          "Name it in one of the two only.")
        chosen = named or [column for column in range(len(table.names)) if column not in {*known, *apart}]
        found = features(table, chosen, named=bool(named), words=self.kinds == "all" or bool(named))
        if not found.names:
            raise wrong(self.path, "has no column of numbers" + (" beside the covariate." if known else "."),
                        "Give a table with at least one.")
        return found

    def _classless(self, table: Contents, found: Features, known: Sequence[int]) -> list[str]:
        """What is said where columns of words are part of the vector and none of them is the class."""
        worded = [table.names[column] for column, count in Counter(found.sources).items() if count > 1]
        return [f"no class: data.covariate={worded[-1]} makes that column one"] if worded and not known else []

    def _unasked(self, table: Contents, others: Sequence[str], found: Features) -> list[str]:
        """What is said of columns that are left out."""
        if names(self.columns):
            return [f"{listed(others)}: not named in data.columns"] if others else []
        if self.kinds == "numbers":
            return [f"{listed(others)}: no numbers"] if others else []
        return list(found.left_out)

    def _whole(self, table: Contents, found: Features, gaps: NDArray[np.bool_]) -> tuple[Rows, list[str]]:
        """The rows that are used, and what is said of those that are not."""
        rows = np.arange(len(table))
        some = gaps.any(1)
        if not some.any() or self.gaps == "mean":
            return rows, []
        row, column = self._first(found, gaps)
        if self.gaps == "refuse":
            raise wrong(self.path, f"has nothing {table.place(row, column)}.", f"{FILL} Or choose data.gaps: the mean, "
                        "or their rows left out.")
        left = rows[~some]
        if len(left) < contents.MIN_ROWS:
            raise wrong(self.path, f"has {counted(len(left), 'row')} without a gap; the first gap is "
                        f"{table.place(row, column)}.", "Choose data.gaps=mean, or name fewer columns in data.columns.")
        count = int(some.sum())
        return left, [f"{counted(count, 'row')} with a gap, the first {table.place(row, column)}"]

    def _filled(self, table: Contents, found: Features, gaps: NDArray[np.bool_], train: Rows
                ) -> tuple[Numbers, list[str]]:
        """The numbers with the mean of the training rows in the gaps, and what is said of that."""
        done = ["every column given mean 0 and standard deviation 1 by the training rows"] if self.standardise else []
        if self.gaps != "mean" or not gaps.any():
            return found.x, done
        bare = np.flatnonzero(gaps[train].all(0))
        if len(bare):
            name = table.names[found.sources[int(bare[0])]]
            raise wrong(self.path, f"has nothing in any training row of column {quoted(name)}.",
                        "Leave it out: name the columns to use in data.columns.")
        row, column = self._first(found, gaps)
        each = gaps[:, np.unique(found.sources, return_index=True)[1]]  # a word is one cell, of several columns
        many, wide = int(each.sum()), int(each.any(0).sum())
        return np.where(gaps, np.nanmean(found.x[train], axis=0), found.x), [
            f"{counted(many, 'gap')} in {counted(wide, 'column')} filled with the mean of the "
            f"training rows, the first {table.place(row, column)}", *done]

    def _first(self, found: Features, gaps: NDArray[np.bool_]) -> tuple[int, int]:
        """Row and column of the first gap."""
        row, place = np.argwhere(gaps)[0].tolist()
        return row, found.sources[place]

    def _parts(self, table: Contents, rows: Rows, group: int | None, split: int | None
               ) -> tuple[dict[SplitName, Rows], str]:
        """The rows of each split, and what decided it."""
        count = min(max(1, int(self.held_out * len(rows))), splitting.MAX_HELD_OUT) if self.held_out else 0
        if split is not None:
            if group is not None:
                raise problem("data.group", self.group, f"column {quoted(table.names[split])} says who is in which "
                              "split.", "Leave data.group empty, or that column out of the file.")
            found, lacking = by_column(table, rows, split, max(1, count), self.split_seed)
            return found, f"by the file's own split, column {quoted(table.names[split])}{lacking}"
        if not count:
            return splitting.in_all(rows, self.split_seed, self.train_limit), splitting.ALL_ROWS
        if group is not None:
            return (by_group(table, rows, group, self.held_out, self.split_seed),
                    f"by group {quoted(table.names[group])}, seed {self.split_seed}")
        return splitting.by_seed(rows, count, self.split_seed), f"by seed {self.split_seed}"

    def _known(self, table: Contents, columns: Sequence[int], train: NDArray[np.int64]
               ) -> tuple[NDArray[np.int64] | None, Numbers | None, list[str]]:
        """Labels (N,), or numbers (N, m), of the covariate, -1 or NaN where missing, and what the classes are called.
        """
        if not columns:
            return None, None, []
        missing = np.array([[cells.missing(cell) for cell in table.texts[column]] for column in columns]).T  # (N, m)
        for index, column in enumerate(columns):
            if missing[train, index].all():
                raise problem("data.covariate", self.covariate, f"column '{short(table.names[column])}' is empty in "
                              "all training rows.", "Name another column.")
        if self.covariate_kind == "numbers":
            for index, column in enumerate(columns):
                bad = np.flatnonzero(np.isnan(table.values[:, column]) & ~missing[:, index])
                if len(bad):
                    raise table.fault(column, "Correct it, or choose data.covariate_kind=label.", int(bad[0]))
            return None, table.values[:, columns], []
        if len(columns) > 1:
            raise problem("data.covariate", self.covariate, f"{len(columns)} columns cannot be one label.",
                          "Name one column, or choose data.covariate_kind=numbers.")
        said = [cells.class_name(cell) for cell in table.texts[columns[0]]]
        classes = cells.ordered({cell for cell in said if not cells.missing(cell)})
        if len(classes) > MAX_CLASSES:
            raise problem("data.covariate", self.covariate, f"column {quoted(table.names[columns[0]])} has "
                          f"{len(classes):,} different labels.",
                          f"Use at most {MAX_CLASSES}, or choose data.covariate_kind=numbers.")
        numbered = {cell: number for number, cell in enumerate(classes)}
        labels = np.array([numbered.get(cell, -1) for cell in said], np.int64)
        return labels, None, classes

    def _groups(self, table: Contents, known: Sequence[int]) -> dict[str, tuple[tuple[str, ...], NDArray[np.int64]]]:
        """Columns of words by name, with the words and the place of each row among them: to look at codes by.

        A column of more words than classes may have groups nothing, and the covariate is told by the labels.
        """
        found: dict[str, tuple[tuple[str, ...], NDArray[np.int64]]] = {}
        for column, cell_texts in table.texts.items():
            said = [cells.class_name(cell) for cell in cell_texts]
            words = cells.ordered({cell for cell in said if not cells.missing(cell)})
            if column in known or not 1 < len(words) <= MAX_CLASSES or len(found) == MAX_GROUPS:
                continue
            numbered = {cell: number for number, cell in enumerate(words)}
            places = np.array([numbered.get(cell, -1) for cell in said], np.int64)
            [name] = kept_names([table.names[column]])
            found[name] = kept_names(words), places
        return found

    def _scaled(self, values: Numbers, train: NDArray[np.int64]) -> Numbers:
        if not self.standardise:
            return values
        centre, spread = np.nanmean(values[train], axis=0), np.nanstd(values[train], axis=0)
        scaled: Numbers = (values - centre) / np.where(spread > 1e-12 * np.abs(centre), spread, 1.0)
        return scaled


def names(text: str) -> list[str]:
    """Column names as in a header: parted by commas, in quotes where a name has a comma."""
    return [name.strip() for row in csv.reader([text]) for name in row if name.strip()]
