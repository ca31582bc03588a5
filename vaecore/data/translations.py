"""The same caption in two to four languages, each a modality: Multi30k (Elliott et al. 2016).

As the translations of Wu & Goodman (2018), of which few need to be paired. The licence, CC BY-NC-SA 4.0, forbids
commercial use, so they are not shipped, and only whoever accepts it fetches them.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from vaecore.data.base import SPLITS, Dataset, DataUnavailable, Split, SplitName
from vaecore.data.captions import FILES, LANGUAGES, ORIGIN, place
from vaecore.data.missing import MultimodalConfig
from vaecore.data.text import VocabularyConfig, lines_in
from vaecore.schema import option, problem


class Translations(MultimodalConfig, VocabularyConfig):
    """Modalities named by their language, `en`, `de`, `fr` or `cs`: texts, each with a vocabulary of its own."""

    title: ClassVar[str] = "Translated captions"
    observation: ClassVar[str] = "caption"
    name: Literal["translations"] = "translations"
    languages: tuple[Literal["en", "de", "fr", "cs"], ...] = option(
        ("en", "de"), "Two to four of English, German, French and Czech.", min_length=2, max_length=4)

    def reads(self) -> tuple[str, ...]:
        return ("captions",)

    def here(self) -> str:
        place(self.languages)
        return f"Multi30k captions in {_listed(self.languages)}"

    def load(self) -> Dataset:
        """Raises `DataUnavailable` where a file is not here or damaged, or has not as many lines as its kin."""
        if len(set(self.languages)) < len(self.languages):
            raise problem("data.languages", self.languages, "a language is named twice.",
                          "Name each once: it is a modality of its own.")
        files = {(split, language): f"{FILES[split]}.{language}.gz" for language in self.languages for split in SPLITS}
        folder = place(self.languages)
        sentences = {key: lines_in(folder / name, ORIGIN) for key, name in files.items()}
        for split in SPLITS:
            _aligned({files[split, language]: len(sentences[split, language]) for language in self.languages}, folder)
        found = {language: self.numbered({split: sentences[split, language] for split in SPLITS}, language)
                 for language in self.languages}
        splits: dict[SplitName, Split] = {
            split: Split({language: arrays[split] for language, (_, arrays, _) in found.items()}) for split in SPLITS}
        splits["train"] = self.with_missing(splits["train"])
        sizes = " / ".join(f"{len(sentences[split, self.languages[0]]):,}" for split in SPLITS)
        return Dataset("translations", f"Multi30k captions in {_listed(self.languages)}: {sizes}"
                       + "".join(told for *_, told in found.values()),
                       {language: modality for language, (modality, *_) in found.items()}, splits)


def _aligned(lengths: dict[str, int], folder: Path) -> None:
    """Raise `DataUnavailable` unless all files have as many lines: the n-th of each is one caption."""
    (first, length), *others = lengths.items()
    for name, other in others:
        if other != length:
            raise DataUnavailable(f"{first} and {name} in {folder} are not translations line by line: they have "
                                  f"{length:,} and {other:,} lines that are not empty. Fetch both again from "
                                  f"{ORIGIN}.")


def _listed(languages: tuple[str, ...]) -> str:
    *most, last = (LANGUAGES[language] for language in languages)
    return f"{', '.join(most)} and {last}"
