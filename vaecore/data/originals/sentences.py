"""The sentences of Common Voice's collector, one a line: in their order, without spaces at the ends, each once."""

from __future__ import annotations

from pathlib import Path


def convert(folder: Path) -> bytes:
    """The text of sentences.en.txt out of sentence-collector.txt."""
    lines = (line.strip() for line in (folder / "sentence-collector.txt").read_text(encoding="utf-8").split("\n"))
    return "".join(f"{line}\n" for line in dict.fromkeys(filter(None, lines))).encode()
