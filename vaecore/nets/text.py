"""Recurrent encoder and decoder of sentences (Bowman et al. 2016; He et al. 2019).

Shapes: B sentences, T tokens at most, V words in the vocabulary, E embedding, H hidden, r latent size. A sentence
is its words, END, then PAD; BEGIN is what the decoder reads first.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.data import BEGIN, END, PAD, UNKNOWN
from vaecore.probability.whole import longest

SCORES_AT_ONCE = 20_000_000  # of words, that a beam search compares


def may_look(x: Tensor) -> bool:
    """Whether what depends on a tensor's numbers may be decided: on a GPU that would wait for it."""
    return not x.is_cuda


def trimmed(x: Tensor) -> Tensor:
    """Tokens (B, T) without the columns that are padding in every row; as they are where one may not look."""
    return x[:, : max(1, longest(int((x != PAD).sum(1).max())))] if may_look(x) else x


def uniform(module: nn.Module, scale: float, embedding_scale: float) -> None:
    """Draw all weights from U(-scale, scale) and embeddings from U(-embedding_scale, embedding_scale)."""
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -scale, scale)
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            nn.init.uniform_(part.weight, -embedding_scale, embedding_scale)


class SentenceEncoder(nn.Module):
    """(B, T) tokens -> (B, size): an LSTM's state after the END symbol, mapped linearly.

    Rows of embeddings (B, T, E) are read to their last column. A covariate u (B, m) is read beside the state.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int, size: int, covariate: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        # No bias, as in the paper's code: with one, plain SGD at its rate shifts all posteriors about together.
        self.head = nn.Linear(hidden + covariate, size, bias=False)

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        if x.is_floating_point():
            state = self.lstm(x)[0][:, -1]
        else:
            x = trimmed(x)
            states, _ = self.lstm(self.embedding(x))  # (B, T, H)
            last = (x != PAD).sum(1) - 1
            state = states[torch.arange(len(x), device=x.device), last]
        size: Tensor = self.head(state if u is None else torch.cat([state, u], 1))
        return size


class SentenceDecoder(nn.Module):
    """p(x|z), word by word: z sets the initial state and is read with every previous word.

    `dropout` acts on the LSTM's inputs and outputs, and `1 - word_keep` of the previous words are read as UNKNOWN,
    both only in training; at `word_keep` 0 the decoder never reads a word (Bowman's inputless decoder). With latent
    size 0 it is a language model. `tied` ones score each word by the embedding by which they read it.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int, latent_size: int, dropout: float,
                 word_keep: float, *, tied: bool = False) -> None:
        super().__init__()
        self.dropout, self.word_keep, self.hidden = dropout, word_keep, hidden
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.initial = nn.Linear(latent_size, hidden, bias=False) if latent_size else None
        self.lstm = nn.LSTM(embedding + latent_size, hidden, batch_first=True)
        self.out = nn.Linear(hidden, embedding, bias=False) if tied else nn.Linear(hidden, vocabulary)
        self.frequency = nn.Parameter(torch.zeros(vocabulary)) if tied else None  # of each word, whatever the state

    def log_prob(self, x: Tensor, z: Tensor | None, generator: torch.Generator | None = None) -> Tensor:
        """log p(x|z) in nats a sentence, the END symbol included, (B,)."""
        return self.by_word(x, z, generator).sum(1)

    def by_word(self, x: Tensor, z: Tensor | None, generator: torch.Generator | None = None) -> Tensor:
        """log p of each word given z and the words before it, in nats, (B, T) of the longest sentence; 0 of padding."""
        x = trimmed(x)
        previous = F.pad(x[:, :-1], (1, 0), value=BEGIN)
        if self.word_keep == 0 or (self.training and self.word_keep < 1):
            kept = torch.zeros_like(previous, dtype=torch.bool)
            if self.word_keep:
                kept = torch.rand(previous.shape, generator=generator, device=x.device) < self.word_keep
            previous = previous.where(kept | (previous == BEGIN) | (previous == PAD), UNKNOWN)
        states, _ = self.lstm(self._read(previous, z, generator), self._start(z, len(x)))  # (B, T, H)
        states = self._dropped(states, generator)
        if not may_look(x):
            nll = F.cross_entropy(self._scores(states).flatten(0, 1), x.flatten(), ignore_index=PAD, reduction="none")
            return -nll.view(x.shape)
        # What costs most is the score of each word of the vocabulary: half of a batch is padding, which needs none.
        words = x != PAD
        nll = F.cross_entropy(self._scores(states[words]), x[words], reduction="none")
        return -nll.new_zeros(x.shape).masked_scatter(words, nll)

    @torch.no_grad()
    def write(self, z: Tensor | None, count: int, longest: int, temperature: float,
              generator: torch.Generator | None = None) -> Tensor:
        """Sample `count` sentences of at most `longest` tokens, (count, longest).

        At temperature 0 the likeliest next word each time. Unknown words are read, never written.
        """
        device = self.out.weight.device
        state = self._start(z, count)
        word = torch.full((count, 1), BEGIN, device=device)
        tokens = torch.full((count, longest), PAD, device=device)
        open_ended = torch.ones(count, dtype=torch.bool, device=device)
        for t in range(longest):
            read = torch.full_like(word, UNKNOWN) if self.word_keep == 0 and t else word
            states, state = self.lstm(self._read(read, z, generator), state)
            logits = self._scores(states[:, 0])
            logits[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
            if temperature > 0:
                word = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)
            else:
                word = logits.argmax(1, keepdim=True)
            tokens[:, t] = word[:, 0].where(open_ended, PAD)
            open_ended &= word[:, 0] != END
        return tokens

    @torch.no_grad()
    def likeliest(self, z: Tensor | None, count: int, longest: int, beams: int) -> Tensor:
        """The likeliest of the sentences that a beam search of so many `beams` finds, (count, longest).

        With one beam it is the likeliest next word each time, as `write` at temperature 0. Sentences that have not
        ended after `longest` tokens count as they stand.
        """
        device, words = self.out.weight.device, self.embedding.num_embeddings
        first = torch.arange(count, device=device)[:, None] * beams  # row of each sentence's first beam, (count, 1)
        z = None if z is None else z.repeat_interleave(beams, 0)
        state = self._start(z, count * beams)
        word = torch.full((count * beams, 1), BEGIN, device=device)
        tokens = torch.full((count * beams, longest), PAD, device=device)
        score = torch.full((count, beams), -torch.inf, device=device)  # log p of what each beam has written
        score[:, 0] = 0.0  # all begin alike
        ended = torch.zeros(count * beams, dtype=torch.bool, device=device)
        only_padding = torch.full((words,), -torch.inf, device=device)
        only_padding[PAD] = 0.0  # after the end there is one way to go on, and it is free
        for t in range(longest):
            read = torch.full_like(word, UNKNOWN) if self.word_keep == 0 and t else word
            states, state = self.lstm(self._read(read, z, None), state)
            logits = self._scores(states[:, 0])
            logits[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
            following = torch.where(ended[:, None], only_padding, logits.log_softmax(1)).view(count, beams, words)
            score, place = (score[:, :, None] + following).flatten(1).topk(beams)  # (count, beams)
            row = (first + place // words).flatten()
            word = (place % words).view(-1, 1)
            state = (state[0][:, row], state[1][:, row])
            tokens, ended = tokens[row], ended[row]
            tokens[:, t] = word[:, 0]
            ended = ended | (word[:, 0] == END)
            if ended.all():
                break
        return tokens[first[:, 0] + score.argmax(1)]

    def _start(self, z: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """State before the first word, (1, B, H) each: c = W z, h = tanh c."""
        if self.initial is None or z is None:
            zero = self.out.weight.new_zeros(1, count, self.hidden)
            return zero, zero
        c = self.initial(z)[None]
        return c.tanh(), c

    def _read(self, words: Tensor, z: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """What the LSTM reads: embedded words (B, T, E) beside z, (B, T, E + r)."""
        embedded = self._dropped(self.embedding(words), generator)
        return embedded if z is None else torch.cat([embedded, z[:, None].expand(-1, words.shape[1], -1)], 2)

    def _scores(self, states: Tensor) -> Tensor:
        """Logits of the next word, (..., V), from states (..., H)."""
        read = self.out(states)
        return (read if self.frequency is None else F.linear(read, self.embedding.weight, self.frequency)).float()

    def _dropped(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        # nn.Dropout draws from the global generator, whose state no checkpoint holds.
        if not self.training or self.dropout == 0:
            return x
        keep = torch.rand(x.shape, generator=generator, device=x.device) >= self.dropout
        return x * keep / (1 - self.dropout)


@dataclass(frozen=True)
class Sentences:
    """p(x|z) of sentences for codes (B, r), or for no code: an observation whose draws are token rows (B, T)."""

    decoder: SentenceDecoder
    z: Tensor | None
    longest: int
    count: int = 1  # draws where there is no code to count
    generator: torch.Generator | None = None  # of what training drops

    @property
    def mean(self) -> Tensor:
        raise TypeError("a sentence has no mean; `likeliest` writes one.")

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x|z) in nats a sentence, (B,)."""
        return self.decoder.log_prob(x, self.z, self.generator)

    def by_word(self, x: Tensor) -> Tensor:
        """log p of each word given z and the words before it, in nats, (B, T)."""
        return self.decoder.by_word(x, self.z, self.generator)

    def sample(self, generator: torch.Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Sentences drawn word by word, (B, T)."""
        count = self.count if self.z is None else len(self.z)
        return self.decoder.write(self.z, count, self.longest, temperature, generator)

    def likeliest(self, beams: int = 1) -> Tensor:
        """Sentences of the likeliest next word each time, (B, T), or the likeliest ones that a beam search finds."""
        if beams == 1:
            return self.sample(temperature=0.0)
        if self.z is None:  # all are the same
            return self.decoder.likeliest(None, 1, self.longest, beams).expand(self.count, -1)
        at_once = max(1, SCORES_AT_ONCE // (beams * self.decoder.embedding.num_embeddings))
        return torch.cat([self.decoder.likeliest(part, len(part), self.longest, beams)
                          for part in torch.split(self.z, at_once)])
