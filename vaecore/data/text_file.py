"""A text of one's own, one sentence a line. It stays where it is; a run remembers its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import SPLITS, Dataset, DataUnavailable
from vaecore.data.own_file import contents, decoded, wrong
from vaecore.data.text import TextConfig
from vaecore.schema import ConfigError, option

LONGEST_LINE = 10_000  # characters
MIN_SENTENCES, HELD_OUT = 30, 2_000  # sentences


class TextFile(TextConfig):
    """The sentences of a text file; a tenth, at most 2,000, are for validation and as many for test."""

    title: ClassVar[str] = "Your own text"
    name: Literal["text-file"] = "text-file"
    path: str = option("", "A UTF-8 text file on this machine, one sentence a line, 50 MB at most.")
    digest: str = option("", "SHA-256 of the file, filled in when a run is made: on another text the run would not be "
                         "the same.", pattern="^([0-9a-f]{64})?$", advanced=True)

    def resolve(self) -> TextFile:
        """The choice with the absolute path, as a run is trained from another folder, and with the file's digest."""
        if not self.path or self.digest:
            return self
        try:
            data = contents(self.path, "text file")
        except ConfigError:
            return self  # `load` says what is wrong with it
        return self.model_copy(update={"path": str(Path(self.path).expanduser().absolute()),
                                       "digest": hashlib.sha256(data).hexdigest()})

    def load(self) -> Dataset:
        """Shuffled once and for all, then split; raises `ConfigError` for a file that cannot be used."""
        if not self.path:
            raise DataUnavailable("No text is chosen. Give data.path, a UTF-8 text file with one sentence a line.")
        data = contents(self.path, "text file")
        if self.digest and hashlib.sha256(data).hexdigest() != self.digest:
            raise wrong(self.path, "has changed since this run was made.",
                         "Put the old file back, or clear data.digest to start anew with this one.")
        lines = sentences(data, self.path)
        order = np.random.default_rng(0).permutation(len(lines))
        held_out = min(len(lines) // 10, HELD_OUT)
        cut = len(lines) - 2 * held_out
        parts = dict(zip(SPLITS, np.split(order, [cut, cut + held_out]), strict=True))
        sizes = " / ".join(f"{len(part):,}" for part in parts.values())
        return self.finish("text-file", f"{Path(self.path).name}: {sizes}",
                           {split: [lines[row] for row in part] for split, part in parts.items()})


def sentences(data: bytes, path: str) -> list[str]:
    """The lines that are not blank; raises `ConfigError` for what is not a text of sentences."""
    text = decoded(data, path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise wrong(path, f"has {len(line):,} characters in line {number:,}.",
                         f"Put one sentence on a line, at most {LONGEST_LINE:,} characters.")
    found = [line for line in lines if line.strip()]
    if len(found) < MIN_SENTENCES:
        raise wrong(path, f"has {len(found)} sentence{'s' * (len(found) != 1)}.",
                     f"Give at least {MIN_SENTENCES}, each on a line of its own.")
    return found
