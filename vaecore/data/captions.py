"""Multi30k: 31,014 image captions in four languages (Elliott et al. 2016), from `VAECORE_DATA` or a download.

The licence, CC BY-NC-SA 4.0, forbids commercial use, so they are not shipped, and only whoever accepts it fetches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from vaecore.data.base import SPLITS, Dataset, DataUnavailable, folders
from vaecore.data.published import PUBLISHED, megabytes
from vaecore.data.text import TextConfig, lines_in
from vaecore.schema import option

FILES = dict(zip(SPLITS, ("train", "val", "test_2016_flickr"), strict=True))
ORIGIN = "github.com/multi30k/dataset"
LANGUAGES = {"en": "English", "de": "German", "fr": "French", "cs": "Czech"}


class Captions(TextConfig):
    """One-sentence descriptions of photographs, in English, German, French or Czech."""

    title: ClassVar[str] = "Multi30k captions"
    name: Literal["captions"] = "captions"
    language: Literal["en", "de", "fr", "cs"] = option("en", "English, German, French or Czech.")

    def reads(self) -> tuple[str, ...]:
        return ("captions",)

    def here(self) -> str:
        place([self.language])
        return f"Multi30k captions in {LANGUAGES[self.language]}"

    def load(self) -> Dataset:
        folder = place([self.language])
        sentences = {split: lines_in(folder / f"{file}.{self.language}.gz", ORIGIN) for split, file in FILES.items()}
        sizes = " / ".join(f"{len(part):,}" for part in sentences.values())
        return self.finish("captions", f"Multi30k captions in {LANGUAGES[self.language]}: {sizes}", sentences)


def place(languages: Sequence[str]) -> Path:
    """The folder that holds the captions in all these languages; raises `DataUnavailable` where none does."""
    names = [f"{file}.{language}.gz" for language in languages for file in FILES.values()]
    folder = next((f for f in folders("multi30k") if all((f / name).is_file() for name in names)), None)
    if folder is None:
        chosen = PUBLISHED["captions"]
        raise DataUnavailable(
            "The Multi30k captions are not on this machine, and cannot be shipped: their licence (CC BY-NC-SA 4.0) "
            f"is for non-commercial use. Whoever accepts it fetches them with `{chosen.command}` "
            f"({megabytes(chosen.size)}), or gets them from {ORIGIN} (data/task1/raw) and puts "
            f"{', '.join(names)} into multi30k/ in the folder that VAECORE_DATA names.")
    return folder

