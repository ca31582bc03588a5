"""Multi30k: 31,014 image captions in four languages, from `VAECORE_DATA` (Elliott et al. 2016).

The licence, CC BY-NC-SA 4.0, forbids commercial use, so they are neither shipped nor downloaded.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from vaecore.data.base import MAX_UNPACKED_BYTES, SPLITS, Dataset, DataUnavailable, folders
from vaecore.data.text import TextConfig
from vaecore.schema import option

FILES = dict(zip(SPLITS, ("train", "val", "test_2016_flickr"), strict=True))
LANGUAGES = {"en": "English", "de": "German", "fr": "French", "cs": "Czech"}


class Captions(TextConfig):
    """One-sentence descriptions of photographs, in English, German, French or Czech."""

    title: ClassVar[str] = "Multi30k captions"
    name: Literal["captions"] = "captions"
    language: Literal["en", "de", "fr", "cs"] = option("en", "English, German, French or Czech.")

    def here(self) -> str:
        place([self.language])
        return f"Multi30k captions in {LANGUAGES[self.language]}"

    def load(self) -> Dataset:
        folder = place([self.language])
        sentences = {split: read(folder / f"{file}.{self.language}.gz") for split, file in FILES.items()}
        sizes = " / ".join(f"{len(part):,}" for part in sentences.values())
        return self.finish("captions", f"Multi30k captions in {LANGUAGES[self.language]}: {sizes}", sentences)


def place(languages: Sequence[str]) -> Path:
    """The folder that holds the captions in all these languages; raises `DataUnavailable` where none does."""
    names = [f"{file}.{language}.gz" for language in languages for file in FILES.values()]
    folder = next((f for f in folders("multi30k") if all((f / name).is_file() for name in names)), None)
    if folder is None:
        raise DataUnavailable(
            "The Multi30k captions are not on this machine, and cannot be shipped: their licence (CC BY-NC-SA 4.0) "
            "is for non-commercial use. Get them from the project github.com/multi30k/dataset (data/task1/raw) and "
            f"put {', '.join(names)} into multi30k/ in the folder that VAECORE_DATA names.")
    return folder


def read(path: Path) -> list[str]:
    """The lines of a compressed text; raises `DataUnavailable` for a damaged one."""
    try:
        with gzip.open(path) as file:
            raw = file.read(MAX_UNPACKED_BYTES + 1)
        if len(raw) > MAX_UNPACKED_BYTES:
            raise ValueError("it holds more than 64 MB")
        lines = [line for line in raw.decode().split("\n") if line.strip()]
        if not lines:
            raise ValueError("it is empty")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataUnavailable(f"{path.name} in {path.parent} is damaged ({error}). Fetch it again from "
                              "github.com/multi30k/dataset.") from None
    return lines
