"""Sentences as word numbers, and back.

Shapes: N sentences, T tokens at most. A sentence is its words, then END, then PAD to the end; BEGIN is never
stored, as the decoder puts it in front. Words are numbered from `len(SPECIALS)`, the most frequent first.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import BEGIN, END, PAD, SPECIALS, UNKNOWN, DataConfig, Dataset, Modality, Split, SplitName
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
QUOTED = re.compile(r'(["„“«]) (.+?) (["“”»])')
NO_SPACE_BEFORE = re.compile(r" (?=[.,;:!?…%)\]}'’/।॥،؛؟。、，．！？：；）」』】》〉])")
NO_SPACE_AFTER = re.compile(rf"(?<=[(\[{{/$£¿¡。、，．！？：；（「『【《〈{ZERO_WIDTH_SPACE}]) ")


def tokens(sentence: str) -> list[str]:
    """The sentence's words, numbers and marks, in lower case and in Unicode's composed form (NFC).

    Combining marks, joiners and other invisible characters belong to the word that they are in.
    """
    return TOKEN.findall(unicodedata.normalize("NFC", sentence.lower()))


def vocabulary(sentences: Iterable[str], least_count: int, most_words: int) -> tuple[str, ...]:
    """`SPECIALS`, then the words that occur `least_count` times or more: the `most_words` most frequent of them, in
    order of decreasing frequency, ties by alphabet."""
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(tokens(sentence))
    frequent = sorted((-count, word) for word, count in counts.items() if count >= least_count)
    return SPECIALS + tuple(word for _, word in frequent[:most_words])


def numbers(sentences: Sequence[str], vocabulary: Sequence[str], longest: int) -> NDArray[np.int32]:
    """Word numbers (N, longest + 1). Longer sentences are cut to `longest` words; other words become UNKNOWN."""
    known = {word: number for number, word in enumerate(vocabulary)}
    array = np.full((len(sentences), longest + 1), PAD, np.int32)
    for row, sentence in zip(array, sentences, strict=True):
        found = [known.get(word, UNKNOWN) for word in tokens(sentence)[:longest]]
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
    text = QUOTED.sub(r"\1\2\3", " ".join(found))
    return NO_SPACE_AFTER.sub("", NO_SPACE_BEFORE.sub("", text))


class VocabularyConfig(DataConfig):
    """Data with sentences among them: which words count, and how many."""

    training_only: ClassVar[frozenset[str]] = frozenset({"missing"})  # the limit decides the vocabulary

    least_count: int = option(2, "Words that occur less often in the training sentences become <unk>, the unknown "
                              "word.", unit="times", ge=1, le=1_000)
    vocabulary_size: int = option(10_000, "The most frequent words, at most so many; the others become <unk>. "
                                  "Likelihoods on different vocabularies are not comparable.", unit="words",
                                  ge=1, le=50_000)
    longest: int = option(40, "Longer sentences are cut to so many words.", unit="words", ge=1, le=200)

    def numbered(self, sentences: Mapping[SplitName, Sequence[str]], of: str = ""
                 ) -> tuple[Modality, dict[SplitName, NDArray[np.int32]]]:
        """Sentences as word numbers (N, T) with the vocabulary of the training split, which is cut to `train_limit`.

        T is the longest sentence of any split and its END. Raises `ConfigError` where no word is frequent enough,
        which says `of` what the sentences are if there are several.
        """
        # Cut first: a vocabulary of sentences that are not trained on would have words that nothing teaches.
        train = sentences["train"][: self.train_limit or None]
        known = vocabulary(train, self.least_count, self.vocabulary_size)
        if len(known) == len(SPECIALS):
            which = f"training sentences of {of}" if of else "training sentences"
            raise problem("data.least_count", self.least_count, f"no word occurs {self.least_count} times in the "
                          f"{len(train):,} {which}.", "Use a smaller one, or more sentences.")
        arrays = {split: numbers(train if split == "train" else part, known, self.longest)
                  for split, part in sentences.items()}
        length = max(int((array != PAD).sum(1).max()) for array in arrays.values())
        return (Modality("text", (length,), known),
                {split: array[:, :length].copy() for split, array in arrays.items()})


class TextConfig(VocabularyConfig):
    """A data set of sentences."""

    observation: ClassVar[str] = "sentence"

    def finish(self, name: str, source: str, sentences: Mapping[SplitName, Sequence[str]]) -> Dataset:
        """Assemble sentences into a data set. Raises `ConfigError` where no word is frequent enough."""
        modality, arrays = self.numbered(sentences)
        return Dataset(name, source, {"text": modality},
                       {split: Split({"text": array}) for split, array in arrays.items()})
