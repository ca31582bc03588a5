"""A text of one's own, one sentence a line. It stays where it is; a run remembers its digest."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import SPLITS, Dataset
from vaecore.data.own.file import OwnFile, decoded, digest_of, wrong
from vaecore.data.text import TextConfig
from vaecore.schema import option

MAX_LINE_LENGTH = 10_000  # characters
MIN_SENTENCES, HELD_OUT = 30, 2_000  # sentences


class TextFile(OwnFile, TextConfig):
    """The sentences of a text file; a tenth, at most 2,000, are for validation and as many for test."""

    title: ClassVar[str] = "Your own text"
    file: ClassVar[str] = "text file"
    unchosen: ClassVar[str] = "No text is chosen. Give data.path, a UTF-8 text file with one sentence a line."
    endings: ClassVar[tuple[str, ...]] = (".txt",)
    upload: ClassVar[str] = "Text file"
    invitation: ClassVar[str] = "Sample sentences are shown here once there is a text."
    name: Literal["text-file"] = "text-file"
    path: str = option("", "A UTF-8 text file on this machine, one sentence a line, 50 MB at most.")
    digest: str = digest_of("the file", "another text")

    def load(self) -> Dataset:
        """Shuffled once and for all, then split; raises `ConfigError` for a file that cannot be used."""
        data = self.read()[""]
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
        if len(line) > MAX_LINE_LENGTH:
            raise wrong(path, f"has {len(line):,} characters in line {number:,}.",
                         f"Put one sentence on a line, at most {MAX_LINE_LENGTH:,} characters.")
    found = [line for line in lines if line.strip()]
    if len(found) < MIN_SENTENCES:
        raise wrong(path, f"has {len(found)} sentence{'s' * (len(found) != 1)}.",
                     f"Give at least {MIN_SENTENCES}, each on a line of its own.")
    return found
