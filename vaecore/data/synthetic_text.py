"""Sentences of a known LSTM with a two-dimensional latent: the synthetic data of He et al. 2019.

z in R^2 comes from an equal mixture of four unit Gaussians at (+-2, +-2), a sentence from an untrained LSTM that reads
z with every word. That p(x|z) is known, so what a model could reach at best is known as well.

Shapes: N sentences, V = 1,000 words, E embedding and H hidden units, both 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import SPLITS, Array, DataConfig, Dataset, Split, SplitName, mapped
from vaecore.modalities import END, SPECIALS, Modality
from vaecore.schema import option

WORDS, LENGTH, UNITS = 1_000, 10, 100  # V; words a sentence; E and H
CENTRES = np.array([(-2.0, -2.0), (-2.0, 2.0), (2.0, -2.0), (2.0, 2.0)])
BLOCK = 2_000  # sentences at a time, so that their logits stay in the processor's cache

# All in float64: a rounding error that changes one drawn word changes the rest of its sentence, and in float32 there
# are enough of them for two machines to disagree.
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Generator:
    """The true p(x|z) of synthetic sentences, an LSTM.

    c = T z, h = tanh(c); then for each next word an LSTM step on [embedding, z], and logits O1 h + O2 z. Gates are in
    PyTorch's order i, f, g, o, and their two biases are summed.
    """

    embedding: Floats  # (V, E)
    initial: Floats  # T, (H, 2)
    input_weight: Floats  # (4H, E + 2)
    state_weight: Floats  # (4H, H)
    bias: Floats  # (4H,)
    out: Floats  # O1 beside O2, (V, H + 2)

    @staticmethod
    def drawn(random: np.random.Generator) -> Generator:
        """Parameters from U(-1, 1), except O2 from U(-5, 5)."""
        def uniform(*shape: int) -> Floats:
            return random.uniform(-1, 1, shape)

        return Generator(uniform(WORDS, UNITS), uniform(UNITS, 2), uniform(4 * UNITS, UNITS + 2),
                         uniform(4 * UNITS, UNITS), uniform(2, 4 * UNITS).sum(0),
                         np.concatenate([uniform(WORDS, UNITS), 5 * uniform(WORDS, 2)], 1))

    def sample(self, z: Floats, first: NDArray[np.intp], uniforms: Floats) -> NDArray[np.int32]:
        """Sentences (N, 10) of words 0..999, drawn from codes.

        The first words are as given (N,), the others where each of `uniforms` (N, 9) falls in the distribution of the
        next word.
        """
        sentences = np.empty((len(z), LENGTH), np.int32)
        sentences[:, 0] = first
        for start in range(0, len(z), BLOCK):
            part = slice(start, start + BLOCK)
            for t, logits in enumerate(self._logits(z[part], sentences[part]), 1):
                cumulative = np.exp(logits - logits.max(1, keepdims=True)).cumsum(1)
                place = uniforms[part, t - 1, None] * cumulative[:, -1:]
                sentences[part, t] = (cumulative > place).argmax(1)
        return sentences

    def log_prob(self, sentences: NDArray[np.int32], z: Floats) -> Floats:
        """log p(x|z) in nats a sentence, (N,), for words 0..999 (N, 10) and z (N, 2); the first word is uniform."""
        total = np.full(len(z), -np.log(WORDS))
        for start in range(0, len(z), BLOCK):
            part = slice(start, start + BLOCK)
            for t, logits in enumerate(self._logits(z[part], sentences[part]), 1):
                highest = logits.max(1)
                total[part] += (np.take_along_axis(logits, sentences[part, t, None], 1)[:, 0] - highest
                                - np.log(np.exp(logits - highest[:, None]).sum(1)))
        return total

    def _logits(self, z: Floats, sentences: NDArray[np.int32]) -> Iterator[Floats]:
        """Logits (N, V) of the second word and so on; each previous word is read only when its turn comes."""
        read = self.embedding @ self.input_weight[:, :UNITS].T  # (V, 4H): what each word adds to the gates
        steady = z @ self.input_weight[:, UNITS:].T + self.bias
        c = z @ self.initial.T
        h = np.tanh(c)
        for t in range(LENGTH - 1):
            i, f, g, o = np.split(read[sentences[:, t]] + steady + h @ self.state_weight.T, 4, axis=1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
            yield np.concatenate([h, z], 1) @ self.out.T


def _sigmoid(x: Floats) -> Floats:
    squashed: Floats = 0.5 + 0.5 * np.tanh(0.5 * x)
    return squashed


class SyntheticText(DataConfig):
    """Ten-word sentences of a known generator (He et al. 2019); labels are the four components of its latent."""

    title: ClassVar[str] = "Synthetic sentences"
    observation: ClassVar[str] = "sentence"
    name: Literal["synthetic-text"] = "synthetic-text"
    size: int = option(20_000, "Sentences, a tenth of them for validation and a tenth for test.", unit="sentences",
                       ge=100, le=200_000)
    data_seed: int = option(19_950_927, "Seed of the generator's weights and of the sentences; the default is that of "
                            "He et al., whose random numbers these are not.", ge=0, le=2**31 - 1, advanced=True)

    def here(self) -> str:
        return "drawn by a program"

    def load(self) -> Dataset:
        sentences, labels = self._sentences(), _latents(self)[1]
        stored = np.concatenate([sentences + len(SPECIALS), np.full((self.size, 1), END)], 1, dtype=np.int32)
        splits = {split: Split({"text": stored[part]}, labels[part]) for split, part in self._parts().items()}
        splits["train"] = self.limited(splits["train"])
        known = (*SPECIALS, *(f"w{word}" for word in range(WORDS)))
        sizes = " / ".join(f"{part.stop - part.start:,}" for part in self._parts().values())
        return Dataset("synthetic-text", f"Sentences drawn with seed {self.data_seed}: {sizes}",
                       {"text": Modality("text", (LENGTH + 1,), known)}, splits)

    def _sentences(self) -> Array:
        """Words 0..999, (size, 10); drawing 20,000 takes 3 s, so they are kept."""
        return mapped(f"synthetic-text-{self.data_seed}-{self.size}", lambda: _draw(self), at_least=0)

    def _parts(self) -> dict[SplitName, slice]:
        held_out = self.size // 10
        ends = (0, self.size - 2 * held_out, self.size - held_out, self.size)
        return {split: slice(*ends[k:k + 2]) for k, split in enumerate(SPLITS)}


def _latents(config: SyntheticText) -> tuple[Generator, NDArray[np.int64], Floats, np.random.Generator]:
    """The generator, the components (N,) and latents (N, 2) of all sentences, and the randomness that is left.

    The weights are drawn first, so that they do not depend on the number of sentences.
    """
    random = np.random.default_rng(config.data_seed)
    generator = Generator.drawn(random)
    components = random.integers(len(CENTRES), size=config.size)
    return generator, components, CENTRES[components] + random.standard_normal((config.size, 2)), random


def _draw(config: SyntheticText) -> Array:
    generator, _, z, random = _latents(config)
    first = random.integers(WORDS, size=config.size)
    return generator.sample(z, first, random.random((config.size, LENGTH - 1)))
