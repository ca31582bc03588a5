"""Sentences as word numbers, and back.

Shapes: N sentences, T tokens at most. A sentence is its words, then END, then PAD to the end; BEGIN is never
stored, as the decoder puts it in front. Words are numbered from `len(SPECIALS)`, the most frequent first.
"""

from __future__ import annotations

import array
import gzip
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import MAX_UNPACKED_BYTES, DataConfig, Dataset, DataUnavailable, Split, SplitName
from vaecore.data.converted import Progress
from vaecore.data.converted import told as tell
from vaecore.modalities import BEGIN, END, PAD, SPACE, SPECIALS, UNKNOWN, Modality
from vaecore.schema import option, problem

TOLD_EVERY = 2_000  # sentences between two words on how far it is
NUMBERED_AT_ONCE = 65_536  # sentences
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


@dataclass(frozen=True)
class Tokenised:
    """N sentences that were torn into words once, whatever is asked of them then: the long part of reading a text."""

    words: tuple[str, ...]  # all that occur, in the order in which they first do
    flat: NDArray[np.int32]  # the places in `words` of all words of all sentences, one after the other
    ends: NDArray[np.int64]  # (N,) behind the last word of each sentence
    by_character: bool = False

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many words each sentence has, (N,)."""
        return np.diff(self.ends, prepend=0)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each of `words` occurs."""
        return np.bincount(self.flat, minlength=len(self.words))

    def first(self, count: int) -> Tokenised:
        """The first `count` sentences alone; `words` may hold some that they have not."""
        end = int(self.ends[count - 1]) if count else 0
        return Tokenised(self.words, self.flat[:end], self.ends[:count], self.by_character)

    def vocabulary(self, least_count: int, most_words: int) -> tuple[str, ...]:
        """The words that are told apart: `SPECIALS`, then the most frequent ones of the sentences.

        They occur `least_count` times or more and are at most `most_words`, in order of decreasing frequency, ties by
        alphabet. Where they are characters, SPACE is always among them.
        """
        counts = self.counts
        frequent = sorted((-int(counts[place]), self.words[place]) for place in np.flatnonzero(
            counts >= max(1, least_count)))
        found = SPECIALS + tuple(word for _, word in frequent[:most_words])
        return found if not self.by_character or SPACE in found else (*found, SPACE)

    def numbers(self, vocabulary: Sequence[str], longest: int) -> NDArray[np.int32]:
        """Word numbers (N, longest + 1). Longer sentences are cut to `longest` words; other words become UNKNOWN."""
        known = {word: number for number, word in enumerate(vocabulary)}
        number_of = np.array([known.get(word, UNKNOWN) for word in self.words], np.int32)
        found = np.full((len(self.ends), longest + 1), PAD, np.int32)
        for row in range(0, len(found), NUMBERED_AT_ONCE):
            some, ends = found[row:row + NUMBERED_AT_ONCE], self.ends[row:row + NUMBERED_AT_ONCE]
            starts = np.concatenate([self.ends[row - 1:row] if row else [0], ends[:-1]])
            kept = np.minimum(ends - starts, longest)
            rows = np.repeat(np.arange(len(some)), kept)
            places = np.arange(len(rows)) - np.repeat(np.cumsum(kept) - kept, kept)
            some[rows, places] = number_of[self.flat[np.repeat(starts, kept) + places]]
            some[np.arange(len(some)), kept] = END
        return found


def tokenised(sentences: Sequence[str], *, by_character: bool = False, what: str = "") -> Tokenised:
    """Sentences torn into words; whoever watches is told how far `what` is, where that says what they are."""
    places: dict[str, int] = {}
    flat, ends = array.array("i"), array.array("q")
    for number, sentence in enumerate(sentences):
        if what and number % TOLD_EVERY == 0:
            tell(Progress(what, number, len(sentences)))
        flat.extend([places.setdefault(word, len(places)) for word in tokens(sentence, by_character)])
        ends.append(len(flat))
    return Tokenised(tuple(places), np.array(flat, np.int32), np.array(ends, np.int64), by_character)


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
        named: list[SplitName] = ["train", *(split for split in sentences if split != "train")]
        parts = [sentences["train"][: self.train_limit or None], *(sentences[split] for split in named[1:])]
        which = f"training sentences of {of}" if of else "training sentences"
        read = tokenised([sentence for part in parts for sentence in part], by_character=self.tokens == "characters",
                         what=f"the sentences of {of}" if of else "the sentences")
        known = read.first(len(parts[0])).vocabulary(self.least_count, self.vocabulary_size)
        if not set(known) - {*SPECIALS, SPACE}:
            raise problem("data.least_count", self.least_count, f"no {self.tokens.removesuffix('s')} occurs "
                          f"{self.least_count} times in the "
                          f"{len(parts[0]):,} {which}.", "Use a smaller one, or more sentences.")
        longest = min(self.longest, int(read.lengths.max(initial=0)))
        whole = read.numbers(known, longest)
        cuts = np.cumsum([len(part) for part in parts])[:-1]
        arrays = dict(zip(named, (part.copy() for part in np.split(whole, cuts)), strict=True))
        return (Modality("text", (longest + 1,), known), {split: arrays[split] for split in sentences},
                self._told(read, of))

    def _told(self, read: Tokenised, of: str) -> str:
        """What happened to sentences that is not seen on the vocabulary; empty where nothing did."""
        rows = int((read.lengths > 0).sum())
        cut = int((read.lengths > self.longest).sum())
        which = f"sentences of {of}" if of else "sentences"
        told = ""
        if cut:
            share = f"{cut / rows:.1%}" if cut >= 0.001 * rows else "under 0.1%"
            told = f"; {cut:,} of {rows:,} {which} ({share}) cut to {self.longest:,} {self.tokens}"
        if self.tokens == "words":
            counts = read.counts
            letters = np.array([len(UNSPACED.findall(word)) for word in read.words], np.int64)
            unspaced, of_all = int(counts @ letters), int(counts @ np.array([*map(len, read.words)], np.int64))
            if unspaced and 2 * unspaced > of_all and unspaced >= LONG_FOR_A_WORD * int(counts[letters > 0].sum()):
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
