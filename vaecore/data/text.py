"""Sentences as word numbers, and back.

Shapes: N sentences, T tokens at most. A sentence is its words, then END, then PAD to the end; BEGIN is never
stored, as the decoder puts it in front. Words are numbered from `len(SPECIALS)`, the most frequent first.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import MAX_UNPACKED_BYTES, DataConfig, Dataset, DataUnavailable, Split, SplitName
from vaecore.modalities import BEGIN, END, PAD, SPACE, SPECIALS, UNKNOWN, Modality
from vaecore.schema import option, problem

ZERO_WIDTH_SPACE, JOINER = "\u200b", "\u200d"


def _belonging() -> str:
    """What never stands alone, as a class of characters: combining marks, variation selectors and the invisible ones,
    as soft hyphens, joiners and marks of direction; but not ZERO_WIDTH_SPACE, which is between words."""
    places = [code for part in (range(0x80, 0x20000), range(0xE0000, 0xE0200)) for code in part
              if chr(code) != ZERO_WIDTH_SPACE and unicodedata.category(chr(code)) in ("Mn", "Mc", "Me", "Cf")]
    firsts = [code for code, before in zip(places, [-1, *places], strict=False) if code != before + 1]
    lasts = [code for code, after in zip(places, [*places[1:], -1], strict=True) if after != code + 1]
    return "[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(firsts, lasts, strict=True)) + "]"


MARKS = _belonging()
LETTERS = rf"[^\W_](?:[^\W_]+|{MARKS}+)*"
# A picture may be of several: a flag of two letters, a skin tone, a family of joined persons.
JOINED = rf"(?:{MARKS}|[\U0001F3FB-\U0001F3FF])*"
FLAG = r"[\U0001F1E6-\U0001F1FF]{2}"
SYMBOL = rf"(?:{FLAG}|[^\w\s]){JOINED}(?:(?<={JOINER})[^\w\s]{JOINED})*"
# A number such as 1,000 or 10:30, a word with what it has inside (l'homme, t-shirt), or one mark of punctuation.
TOKEN = re.compile(rf"{MARKS}*(?:\d+(?:[.,:]\d+)+{MARKS}*|{LETTERS}(?:['’-]{LETTERS})*|"
                   rf"(?!{MARKS}|{ZERO_WIDTH_SPACE}){SYMBOL}|_{MARKS}*){ZERO_WIDTH_SPACE}*|{MARKS}+|{ZERO_WIDTH_SPACE}")
CHARACTER = re.compile(rf"(?:{FLAG}|\S){JOINED}(?:(?<={JOINER})\S{JOINED})*|\s+")
# Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana and Chinese characters.
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
                      r"\U00020000-\U0003ffff]")
LONG_FOR_A_WORD = 5  # such letters, on average: words of these scripts have 2 to 4
QUOTED = re.compile(r'(["„“«]) (.+?) (["“”»])')
NO_SPACE_BEFORE = re.compile(r" (?=[.,;:!?…%)\]}'’/।॥،؛؟。、，．！？：；）」』】》〉])")
NO_SPACE_AFTER = re.compile(rf"(?<=[(\[{{/$£¿¡。、，．！？：；（「『【《〈{ZERO_WIDTH_SPACE}]) ")


def tokens(sentence: str, by_character: bool = False) -> list[str]:
    """The sentence's words, numbers and marks, in lower case and in Unicode's composed form (NFC).

    Combining marks, joiners and other invisible characters belong to the word that they are in. `by_character` gives
    its characters instead, each with its marks, any white space between them as one SPACE.
    """
    text = unicodedata.normalize("NFC", sentence.lower())
    if not by_character:
        return TOKEN.findall(text)
    return [SPACE if found.isspace() else found for found in CHARACTER.findall(text.strip())]


def vocabulary(sentences: Iterable[str], least_count: int, most_words: int, by_character: bool = False
               ) -> tuple[str, ...]:
    """The words that are told apart: `SPECIALS`, then the most frequent ones of the sentences.

    They occur `least_count` times or more and are at most `most_words`, in order of decreasing frequency, ties by
    alphabet. `by_character` these are characters, SPACE always among them.
    """
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(tokens(sentence, by_character))
    frequent = sorted((-count, word) for word, count in counts.items() if count >= least_count)
    found = SPECIALS + tuple(word for _, word in frequent[:most_words])
    return found if not by_character or SPACE in found else (*found, SPACE)


def numbers(sentences: Sequence[str], vocabulary: Sequence[str], longest: int) -> NDArray[np.int32]:
    """Word numbers (N, longest + 1). Longer sentences are cut to `longest` words; other words become UNKNOWN."""
    known = {word: number for number, word in enumerate(vocabulary)}
    by_character = SPACE in vocabulary
    array = np.full((len(sentences), longest + 1), PAD, np.int32)
    for row, sentence in zip(array, sentences, strict=True):
        found = [known.get(word, UNKNOWN) for word in tokens(sentence, by_character)[:longest]]
        row[: len(found) + 1] = [*found, END]
    return array


def words(numbers: Iterable[int], vocabulary: Sequence[str]) -> str:
    """The sentence of word numbers (T,) up to END, with punctuation joined to its words: the inverse of `numbers`."""
    found: list[str] = []
    for number in numbers:
        if number == END:
            break
        if number not in (PAD, BEGIN):
            found.append(vocabulary[number])
    if SPACE in vocabulary:
        return "".join(found)
    text = QUOTED.sub(r"\1\2\3", " ".join(found))
    return NO_SPACE_AFTER.sub("", NO_SPACE_BEFORE.sub("", text))


def lines_in(path: Path, origin: str) -> list[str]:
    """The lines of a published text (.gz) that are not blank; raises `DataUnavailable` for a damaged one."""
    try:
        with gzip.open(path) as file:
            raw = file.read(MAX_UNPACKED_BYTES + 1)
        if len(raw) > MAX_UNPACKED_BYTES:
            raise ValueError("it holds more than 64 MB")
        lines = [line for line in raw.decode().split("\n") if line.strip()]
        if not lines:
            raise ValueError("it is empty")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataUnavailable(f"{path.name} in {path.parent} is damaged ({error}). Fetch it again from {origin}."
                              ) from None
    return lines


class VocabularyConfig(DataConfig):
    """Data with sentences among them: which words count, and how many."""

    training_only: ClassVar[frozenset[str]] = frozenset({"missing"})  # the limit decides the vocabulary

    tokens: Literal["words", "characters"] = option(
        "words", "What a sentence is a row of: words, or single characters, for text without spaces between its words, "
        "such as Chinese, Japanese or Thai. Likelihoods of the two are not comparable.")
    least_count: int = option(2, "Words that occur less often in the training sentences become <unk>, the unknown "
                              "word.", unit="times", ge=1, le=1_000)
    vocabulary_size: int = option(10_000, "The most frequent words, at most so many; the others become <unk>. "
                                  "Likelihoods on different vocabularies are not comparable.", unit="words",
                                  ge=1, le=50_000)
    longest: int = option(40, "Longer sentences are cut to so many words, or characters where those are the tokens.",
                          unit="words", ge=1, le=200)

    def numbered(self, sentences: Mapping[SplitName, Sequence[str]], of: str = ""
                 ) -> tuple[Modality, dict[SplitName, NDArray[np.int32]], str]:
        """Sentences as word numbers (N, T) with the vocabulary of the training split, which is cut to `train_limit`.

        Besides what is to be said about them, to follow their source: how many were cut, and whether they have words.

        T is the longest sentence of any split and its END. Raises `ConfigError` where no word is frequent enough,
        which says `of` what the sentences are if there are several.
        """
        # Cut first: a vocabulary of sentences that are not trained on would have words that nothing teaches.
        train = sentences["train"][: self.train_limit or None]
        by_character = self.tokens == "characters"
        known = vocabulary(train, self.least_count, self.vocabulary_size, by_character)
        if not set(known) - {*SPECIALS, SPACE}:
            which = f"training sentences of {of}" if of else "training sentences"
            raise problem("data.least_count", self.least_count, f"no {self.tokens.removesuffix('s')} occurs "
                          f"{self.least_count} times in the "
                          f"{len(train):,} {which}.", "Use a smaller one, or more sentences.")
        arrays = {split: numbers(train if split == "train" else part, known, self.longest)
                  for split, part in sentences.items()}
        length = max(int((array != PAD).sum(1).max()) for array in arrays.values())
        return (Modality("text", (length,), known),
                {split: array[:, :length].copy() for split, array in arrays.items()},
                self._told([*train, *sentences["validation"], *sentences["test"]], of))

    def _told(self, sentences: Sequence[str], of: str) -> str:
        """What happened to sentences that is not seen on the vocabulary; empty where nothing did."""
        rows = [row for sentence in sentences if (row := tokens(sentence, self.tokens == "characters"))]
        cut = sum(len(row) > self.longest for row in rows)
        which = f"sentences of {of}" if of else "sentences"
        told = ""
        if cut:
            share = f"{cut / len(rows):.1%}" if cut >= 0.001 * len(rows) else "under 0.1%"
            told = f"; {cut:,} of {len(rows):,} {which} ({share}) cut to {self.longest:,} {self.tokens}"
        if self.tokens == "words":
            unspaced = [count for row in rows for word in row if (count := len(UNSPACED.findall(word)))]
            if unspaced and 2 * sum(unspaced) > sum(len(word) for row in rows for word in row) \
                    and sum(unspaced) >= LONG_FOR_A_WORD * len(unspaced):
                told += f"; {which} without spaces between words, each read as one word: " \
                        "data.tokens=characters reads their characters"
        return told


class TextConfig(VocabularyConfig):
    """A data set of sentences."""

    observation: ClassVar[str] = "sentence"

    def finish(self, name: str, source: str, sentences: Mapping[SplitName, Sequence[str]],
               labels: Mapping[SplitName, NDArray[np.int64]] | None = None, **more: Any) -> Dataset:
        """Assemble sentences, and their labels, into a data set; `more` are fields of that.

        Raises `ConfigError` where no word is frequent enough.
        """
        modality, arrays, told = self.numbered(sentences)
        splits: dict[SplitName, Split] = {
            split: Split({"text": array}, labels[split][:len(array)] if labels else None)
            for split, array in arrays.items()}
        return Dataset(name, source + told, {"text": modality}, splits, **more)
