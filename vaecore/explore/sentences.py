"""Looking at a model of sentences: reconstruct, perturb, interpolate, sample, score.

Shapes: B sentences, r latent size. Sentences come back as text, of the likeliest next word each time unless a
temperature says otherwise. Everything is in nats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import torch

from vaecore.data.text import tokens, words
from vaecore.evaluate.verdict import COLLAPSED
from vaecore.explore.codes import Codes, Drawn, between
from vaecore.explore.opening import noted, observations, read_examples, read_model
from vaecore.modalities import END, SPACE, SPECIALS, UNKNOWN, Modality
from vaecore.models import Family
from vaecore.nets.text import Sentences
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal
from vaecore.store import COPY_AGAIN, Run
from vaecore.training import ACTIVE
from vaecore.training.checkpoints import BrokenCheckpoint
from vaecore.views import SENTENCE, Preview

MAX_TYPED = 1_000  # characters that may be typed
MAX_TOKENS = 1_000  # a sentence of a model; writing takes a step for each
MAX_EXAMPLES = 256
DRAWS = 64  # codes of q(z|x) for a bound
BEAMS = 20  # at most, of a search for the likeliest sentence


class UnreadableText(ValueError):
    """A typed text that is no sentence; the message says what to type instead."""


@dataclass(frozen=True)
class Reading:
    """A text as a model reads it: its words with their numbers, and those beyond its longest sentence."""

    words: tuple[str, ...]
    numbers: tuple[int, ...]  # UNKNOWN for a word that is not in the vocabulary
    left_out: tuple[str, ...]

    @property
    def known(self) -> tuple[bool, ...]:
        """Whether the model knows each of the words."""
        return tuple(number != UNKNOWN for number in self.numbers)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The words that it does not know."""
        return tuple(word for word, known in zip(self.words, self.known, strict=True) if not known)


def reading(text: str, vocabulary: Sequence[str], longest: int) -> Reading:
    """The words of a typed text and their numbers, the first `longest` of them; raises `UnreadableText`.

    `<unk>`, as sentences of this program have it, is the unknown word itself.
    """
    if len(text) > MAX_TYPED:
        raise UnreadableText(f"This text has {len(text):,} characters. Type at most {MAX_TYPED:,}.")
    unknown = SPECIALS[UNKNOWN]
    found = [word for part in re.split(f"({unknown})", text)
             for word in ([part] if part == unknown else tokens(part, SPACE in vocabulary))]
    if not found:
        raise UnreadableText("There is no word here. Type a sentence.")
    numbers = {word: number for number, word in enumerate(vocabulary)}
    kept = tuple(found[:longest])
    return Reading(kept, tuple(numbers.get(word, UNKNOWN) for word in kept), tuple(found[longest:]))


@dataclass(frozen=True)
class Code:
    """q(z|x) of a text: its mean and standard deviation, (r,) each."""

    reading: Reading
    mean: Codes
    std: Codes


@dataclass(frozen=True)
class Score:
    """What a model gives to one text, in nats."""

    log_likelihood: float  # log p(x|z) at the mean of q(z|x); log p(x) where there is no code
    kl: float | None
    bound: float  # the ELBO; log p(x) itself where there is no code
    tokens: int  # words and END

    @property
    def perplexity(self) -> float:
        """exp(-bound / tokens): among how many equally likely words each one was chosen."""
        return math.exp(min(-self.bound / self.tokens, 700))


@dataclass(frozen=True)
class SentenceCheckpoint:
    """A model of sentences with the test sentences and numbers that travel with it.

    A language model has no code: it can only `sample` and `score`.
    """

    run: Run
    model: Family
    summary: dict[str, Any]
    examples: tuple[str, ...]

    @classmethod
    def load(cls, run: Run) -> SentenceCheckpoint:
        """Open a run of sentences.

        Raises `BrokenCheckpoint` or `StoreError` for files that are missing or damaged, `WrongView` for a model of
        something else.
        """
        model = read_model(run, SENTENCE)
        if model.covariate is not None:
            raise BrokenCheckpoint(f"{run.id} is conditioned on labels, which typed sentences have not. Choose a run "
                                   "with another prior.")
        [(name, text)] = model.modalities.items()
        with torch.inference_mode():
            [p] = model.decode({latent: torch.zeros(1, size) for latent, size in model.latents.items()}).values()
        if not isinstance(p, Sentences) or len(model.latents) > 1 or text.size > MAX_TOKENS \
                or text.vocabulary[:len(SPECIALS)] != SPECIALS or len(text.vocabulary) == len(SPECIALS):
            raise BrokenCheckpoint(f"weights.safetensors of {run.id} does not describe a model of sentences with a "
                                   f"vocabulary. {COPY_AGAIN}.")
        x = read_examples(run, lambda stored: _word_numbers(stored, name, text))
        # Those first in which the model knows most words: what is unknown says little.
        rows = sorted(x[:MAX_EXAMPLES].tolist(), key=lambda row: row.count(UNKNOWN))
        sentences = (words(row, text.vocabulary) for row in rows)
        return cls(run, model, run.summary(), tuple(sentence for sentence in sentences if sentence))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        [text] = self.model.modalities.values()
        return text.vocabulary

    @property
    def longest(self) -> int:
        """Words of the longest sentence it reads or writes, END not counted."""
        [text] = self.model.modalities.values()
        return text.size - 1

    @property
    def has_code(self) -> bool:
        """Whether the model has a latent; a language model has none."""
        return bool(self.model.latents)

    @property
    def size(self) -> int:
        """Latent size r, 0 without one."""
        return sum(self.model.latents.values())

    @property
    def rate(self) -> float | None:
        """Mean KL in nats a sentence, over the validation set; None where the summary does not say."""
        kl = self._noted("kl", by_dimension=False)
        return None if kl is None else sum(kl)

    @property
    def collapsed(self) -> bool:
        """Whether the code says nothing: a KL below 0.1 nats, or a mean that is the same for all sentences."""
        variance = self._noted("code_variance")
        still = variance is not None and all(value <= ACTIVE for value in variance)
        return still or (self.rate is not None and self.rate < COLLAPSED)

    def read(self, text: str) -> Reading:
        """The words of a typed text; raises `UnreadableText` for one without any, or with over 1,000 characters."""
        return reading(text, self.vocabulary, self.longest)

    def batch(self, text: str) -> dict[str, torch.Tensor]:
        """A typed text as the model reads it, a batch of one; raises `UnreadableText`."""
        return self._batch(self.read(text))

    @torch.inference_mode()
    def encode(self, text: str) -> Code:
        """q(z|x) of a text; raises `UnreadableText`, or `ValueError` for a model without a code."""
        reading = self.read(text)
        q = self._posterior(self._batch(reading))
        return Code(reading, q.mean[0].numpy(), (0.5 * q.logvar[0]).exp().numpy())

    def reconstruct(self, text: str, *, beams: int = 1) -> str:
        """The text encoded and written again, at the posterior mean."""
        return self.write(self.encode(text).mean[None], beams=beams)[0]

    def perturb(self, text: str, scale: float, count: int, seed: int = 0, *, beams: int = 1) -> list[str]:
        """Sentences around a text's code: z = mean + scale * eps, eps ~ N(0, I).

        `scale` is in standard deviations of a standard normal prior.
        """
        noise = np.random.default_rng(seed).standard_normal((count, self.size), np.float32)
        return self.write(self.encode(text).mean + np.float32(scale) * noise, beams=beams)

    def interpolate(self, a: str, b: str, steps: int, path: Drawn = "straight", *, beams: int = 1) -> list[str]:
        """Sentences at codes on the way from one text to another, both ends' reconstructions included."""
        return self.write(between(self.encode(a).mean, self.encode(b).mean, steps, path), beams=beams)

    def sample(self, count: int, temperature: float = 1.0, seed: int = 0) -> list[str]:
        """Sentences of the model's own: z ~ p(z) where there is a code, then words drawn at `temperature`."""
        if self.has_code:
            codes: Codes = np.random.default_rng(seed).standard_normal((count, self.size), np.float32)
            if not isinstance(prior := self._prior(), StandardNormal):
                with torch.inference_mode():
                    codes = prior.sample(count, torch.Generator().manual_seed(seed)).numpy()
            return self.write(codes, temperature, seed)
        return self._written(replace(self._observation({}), count=count), temperature, seed)

    def preview(self, count: int = 4) -> Preview:
        """Sentences of its own, one a line, words drawn at temperature 0.5."""
        return Preview("preview.txt", "".join(f"{line}\n" for line in self.sample(count, temperature=0.5)).encode())

    def write(self, codes: Codes, temperature: float = 0.0, seed: int = 0, *, beams: int = 1) -> list[str]:
        """The sentences of codes (B, r): the likeliest next word each time, or words drawn at `temperature`.

        With more than one of the `beams`, the likeliest sentence that so many find; the temperature is unused then.
        """
        [latent] = self.model.latents
        p = self._observation({latent: torch.as_tensor(np.asarray(codes, np.float32))})
        return self._written(p, temperature, seed) if beams == 1 else self._in_words(p.likeliest(min(beams, BEAMS)))

    @torch.inference_mode()
    def score(self, text: str) -> Score:
        """What the model gives to a text; its ELBO is estimated with 64 codes, always the same."""
        reading = self.read(text)
        batch = self._batch(reading)
        [x] = batch.values()
        count = len(reading.words) + 1
        if not self.has_code:
            exact = float(self._observation({}).log_prob(x))
            return Score(exact, None, exact, count)
        [latent] = self.model.latents
        q = self._posterior(batch)
        draws = q.rsample(torch.Generator().manual_seed(0), DRAWS)  # (K, 1, r)
        kl = float(self._prior().kl(q, draws).sum())
        values = self._observation({latent: torch.cat([q.mean, draws[:, 0]])}).log_prob(x.expand(1 + DRAWS, -1))
        return Score(float(values[0]), kl, float(values[1:].mean()) - kl, count)

    def _batch(self, reading: Reading) -> dict[str, torch.Tensor]:
        [name] = self.model.modalities
        return {name: torch.tensor([[*reading.numbers, END]])}

    def _posterior(self, batch: dict[str, torch.Tensor]) -> DiagonalGaussian:
        if not self.has_code:
            raise ValueError(f"{self.run.id} is a language model: it has no code. It can only sample and score.")
        [q] = self.model.encode(batch).values()
        assert isinstance(q, DiagonalGaussian)
        return q

    @torch.inference_mode()
    def _prior(self) -> Density:
        [p] = self.model.prior().values()
        return p

    def _observation(self, z: dict[str, torch.Tensor]) -> Sentences:
        [p] = self.model.decode(z).values()
        assert isinstance(p, Sentences)
        return p

    @torch.inference_mode()
    def _written(self, p: Sentences, temperature: float, seed: int) -> list[str]:
        return self._in_words(p.sample(torch.Generator().manual_seed(seed), temperature))

    def _in_words(self, rows: torch.Tensor) -> list[str]:
        return [words(row, self.vocabulary) for row in rows.tolist()]

    def _noted(self, term: str, *, by_dimension: bool = True) -> list[float] | None:
        """Numbers of the validation set, one a dimension, or one in all where the prior has no closed form; None where
        the summary has none that can be used."""
        if not self.has_code:
            return None
        [latent] = self.model.latents
        found = noted(self.summary, term, latent, self.size, *(() if by_dimension else (1,)))
        return None if found is None else found.tolist()


def _word_numbers(stored: Mapping[str, torch.Tensor], name: str, text: Modality) -> torch.Tensor:
    """Test sentences (N, T) as word numbers."""
    return observations(stored, name, text)[0]


def changes(text: str, reference: str) -> list[tuple[str, bool]]:
    """The words of a text, each with whether it differs from the reference, where the two are aligned."""
    new, old = text.split(), reference.split()
    same = {place for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
            for place in range(block.b, block.b + block.size)}
    return [(word, place not in same) for place, word in enumerate(new)]
