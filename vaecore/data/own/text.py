"""A text of one's own, one sentence a line; with labels in a table of texts, or from sub-folders of texts.

It stays where it is; a run remembers its digest.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import MAX_CLASSES, Dataset, kept_names
from vaecore.data.own.file import (
    FEW,
    FILE_LIMIT,
    MAX_FILE_BYTES,
    MAX_LINE_LENGTH,
    OwnFile,
    contents,
    decoded,
    digest_of,
    lines,
    wrong,
)
from vaecore.data.own.splitting import MAX_HELD_OUT, by_seed
from vaecore.data.own.tables.cells import class_name, missing, ordered
from vaecore.data.own.tables.contents import PLAIN, bounded, delimiter
from vaecore.data.text import TextConfig
from vaecore.schema import option, problem
from vaecore.words import counted

MIN_SENTENCES = 30
MAX_FILES = 20_000  # in sub-folders
TEXTS = ("text", "texts", "sentence", "sentences", "content", "review", "comment", "message")  # what columns are called
LABELS = ("label", "labels", "class", "category", "target", "sentiment")
WORDS, LOOKED_AT, HEAD_BYTES = 3.0, 20, 65_536  # a cell on average that makes a column one of texts; rows; of a file


@dataclass(frozen=True)
class Lines:
    """Sentences, and what the label of each is called: an empty one is missing; None without labels."""

    sentences: list[str]
    labels: list[str] | None = None
    left_out: tuple[str, ...] = ()


class TextFile(OwnFile, TextConfig):
    """The sentences of a text, with labels where it has some; a tenth, at most 2,000, for validation, and for test."""

    title: ClassVar[str] = "Your own text"
    file: ClassVar[str] = "text file, table of texts, or folder of folders of texts"
    unchosen: ClassVar[str] = "No text is chosen. Give data.path, a UTF-8 text file with one sentence a line."
    several: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = (".txt", *PLAIN)
    upload: ClassVar[str] = "Text file, or a table of texts and labels"
    invitation: ClassVar[str] = "Sample sentences are shown here once there is a text."
    name: Literal["text-file"] = "text-file"
    path: str = option("", f"A UTF-8 text file on this machine, one sentence a line, {FILE_LIMIT} at most; or a .csv "
                       "or .tsv with a column of texts and one of labels; or a folder with a sub-folder of .txt files "
                       "a label.")
    text: str = option("", "Column of a table that holds the texts; empty takes one called text, sentence, review "
                       "or so, else the one with most words.",
                       advanced=True)
    label: str = option("", "Column of a table that holds the labels; empty finds it.", advanced=True)
    digest: str = digest_of("the file", "another text")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether a file is a .txt or a table with a column of sentences, or a folder has some of .txt."""
        with contextlib.suppress(OSError, ValueError, csv.Error):
            if path.is_dir():
                inner = [entry for entry in islice(path.iterdir(), FEW) if entry.is_dir()]
                return any(file.suffix.lower() == ".txt" for folder in inner for file in islice(folder.iterdir(), FEW))
            if not path.is_file():
                return False
            if path.name.lower().endswith(PLAIN):
                with path.open("rb") as file:
                    head = file.read(HEAD_BYTES).decode("utf-8-sig", "replace")
                reader = csv.reader(io.StringIO(head), delimiter=delimiter(head, path.name))
                rows = list(islice(reader, LOOKED_AT + 1))[1:]
                return len(rows) > 1 and len(rows[0]) <= 4 and max(_words(rows), default=0.0) >= WORDS
            return path.name.lower().endswith(".txt")
        return False

    def files(self) -> dict[str, bytes]:
        try:
            place = Path(self.path).expanduser()
            folders = [entry for entry in islice(place.iterdir(), MAX_FILES)
                       if entry.is_dir() and not entry.name.startswith(".")]
            names = sorted(f"{folder.name}/{file.name}" for folder in folders
                           for file in islice(folder.iterdir(), MAX_FILES) if file.suffix.lower() == ".txt")
        except PermissionError as error:
            raise wrong(self.path, f"cannot be read ({error.strerror}).", "Give a path that you may read.") from None
        except (OSError, ValueError, RuntimeError):  # no folder: `contents` says what else is wrong
            return {"": contents(self.path, self.file)}
        if not names:
            raise wrong(self.path, "is a folder, not a file, and has no folders of .txt files in it.", "Give the path "
                        "of a text file, or put a folder a label into it, each with .txt files of a sentence a line.")
        if len(names) > MAX_FILES:
            raise wrong(self.path, f"has {len(names):,} texts.", f"Use at most {MAX_FILES:,}, or one table of them.")
        data: dict[str, bytes] = {}
        total = 0
        for name in names:
            if (place / name).stat().st_size:  # an empty one has no sentence
                data[name] = contents(str(place / name), "text file")
                total += len(data[name])
            if total > MAX_FILE_BYTES:
                raise wrong(self.path, f"has texts of more than {MAX_FILE_BYTES:,} bytes.", "Use a part of them, say.")
        return data

    def load(self) -> Dataset:
        """Shuffled once and for all, then split; raises `ConfigError` for a file that cannot be used."""
        found = self._found(self.read())
        texts = found.sentences
        parts = by_seed(np.arange(len(texts)), min(len(texts) // 10, MAX_HELD_OUT), 0)
        sizes = " / ".join(f"{len(part):,}" for part in parts.values())
        classes = ordered(label for label in set(found.labels or ()) if label)
        if len(classes) > MAX_CLASSES:
            raise problem("data.label", self.label, f"there are {len(classes):,} different labels.",
                          f"Use at most {MAX_CLASSES}.")
        numbered = {label: number for number, label in enumerate(classes)}
        labels = None if found.labels is None else np.array([numbered.get(label, -1) for label in found.labels])
        return self.finish("text-file", f"{Path(self.path).name}: {sizes}"
                           + (f" with {counted(len(classes), 'label')}" if classes else ""),
                           {split: [texts[row] for row in part] for split, part in parts.items()},
                           {} if labels is None else {split: labels[part] for split, part in parts.items()},
                           classes=kept_names(classes), split_by="by seed 0", left_out=found.left_out)

    def _found(self, data: Mapping[str, bytes]) -> Lines:
        if "" not in data:
            found = [(line, name.partition("/")[0]) for name, content in data.items()
                     for line in lines(content, str(Path(self.path) / name)) if line.strip()]
            return _enough(Lines([line for line, _ in found], [label for _, label in found]), self.path)
        if not self.path.lower().endswith(PLAIN):
            every = lines(data[""], self.path)
            kept = [line for line in every if line.strip()]
            if len(kept) < MIN_SENTENCES:
                raise wrong(self.path, f"has {counted(len(kept), 'sentence')}.",
                            f"Give at least {MIN_SENTENCES}, each on a line of its own.")
            blank = len(every) - len(kept)
            return Lines(kept, None, (counted(blank, "blank line"),) if blank else ())
        return self._of_table(decoded(data[""], self.path))

    def _of_table(self, text: str) -> Lines:
        """The texts and the labels of a table; raises `ConfigError`, which names line and column."""
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text, self.path))
            rows = [row for row in bounded(reader, self.path) if row]
        except csv.Error as error:
            raise wrong(self.path, f"is no table that can be read ({error}).", "Save it again.") from None
        if not rows:
            raise wrong(self.path, "is empty.", "Give a table with texts in it.")
        names, *body = [name.strip() for name in rows[0]], *rows[1:]
        for number, row in enumerate(body, 2):
            if len(row) != len(names):
                raise wrong(self.path, f"has {len(row)} cells in row {number:,}, but {len(names)} columns.",
                            "Give every row as many cells as the header has; a text with the separator in quotes.")
            if max(map(len, row)) > MAX_LINE_LENGTH:
                raise wrong(self.path, f"has a text of {max(map(len, row)):,} characters in row {number:,}.",
                            f"Use at most {MAX_LINE_LENGTH:,}.")
        amounts = _words(body[:1_000])
        column = self._column("text", names, TEXTS, int(np.argmax(amounts)) if amounts else 0)
        others = [place for place in range(len(names)) if place != column]
        few = [place for place in others if len({row[place] for row in body}) <= min(MAX_CLASSES, len(body) // 2)]
        label = self._column("label", names, LABELS, few[0] if len(few) == 1 else -1)
        if column == label:
            raise problem("data.label", self.label, "it is the column of the texts.", "Name another one.")
        kept = [row for row in body if row[column].strip()]
        left_out = [f"column '{names[place][:40]}', which holds neither the texts nor the labels" for place in others
                    if place != label]
        if len(kept) < len(body):
            left_out.append(f"{counted(len(body) - len(kept), 'row')} without a text")
        return _enough(Lines([" ".join(row[column].split()) for row in kept],
                             None if label < 0 else [_label(row[label]) for row in kept], tuple(left_out)), self.path)

    def _column(self, field: str, names: Sequence[str], usual: Sequence[str], otherwise: int) -> int:
        """The place of the column that a field names, or that is called as such usually are."""
        if wanted := getattr(self, field).strip():
            if wanted not in names:
                raise problem(f"data.{field}", wanted, f"the table has no column '{wanted[:40]}'.",
                              f"Its columns: {', '.join(name[:40] for name in names[:10])}.")
            return names.index(wanted)
        return next((place for place, name in enumerate(names) if name.lower() in usual), otherwise)


def _words(rows: Sequence[Sequence[str]]) -> list[float]:
    """Words a cell, on average, by column."""
    return [float(np.mean([len(row[place].split()) for row in rows if place < len(row)]))
            for place in range(len(rows[0]) if rows else 0)]


def _label(cell: str) -> str:
    return "" if missing(cell) else class_name(cell)


def _enough(found: Lines, path: str) -> Lines:
    if (count := len(found.sentences)) < MIN_SENTENCES:
        raise wrong(path, f"has {counted(count, 'sentence')}.", f"Give at least {MIN_SENTENCES}.")
    return found
