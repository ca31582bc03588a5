"""Sentences: their likelihood word by word, what the decoder may read, and what it writes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.sentences import SENTENCES, VOCABULARY, A, B, C, D, rows, text
from vaecore.data import BEGIN, END, PAD, UNKNOWN
from vaecore.evaluate.likelihood import importance_log_weights, log_likelihood
from vaecore.models import LanguageModelConfig, SentenceVAEConfig
from vaecore.nets.text import SentenceDecoder

V, R = len(VOCABULARY), 2


def made(family: type[SentenceVAEConfig | LanguageModelConfig] = SentenceVAEConfig, *, longest: int = 6, seed: int = 0,
         **values: Any) -> Any:
    """A small untrained model whose weights are large enough to matter."""
    sizes = {"embedding": 3, "hidden": 5, "initial_scale": 1.0, "embedding_scale": 1.0}
    if family is SentenceVAEConfig:
        sizes["latent_size"] = R
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return family(**{**sizes, **values}).build({"text": text(longest)}).eval()


def tokens(*sentences: list[int], length: int = 6) -> Tensor:
    return torch.from_numpy(rows(sentences, length)).long()


def codes(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, R, generator=torch.Generator().manual_seed(seed))


def next_words(decoder: SentenceDecoder, read: list[int], z: Tensor | None) -> list[Tensor]:
    """log p of the next word after each word read, (V,) each: the LSTM's equations, one sentence and word at a time."""
    w_in, w_state, b_in, b_state = (getattr(decoder.lstm, f"{name}_l0")
                                    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    c = torch.zeros(5) if z is None else decoder.initial.weight @ z
    h, found = c.tanh(), []
    for word in read:
        x = decoder.embedding.weight[word]
        x = x if z is None else torch.cat([x, z])
        i, f, g, o = (w_in @ x + b_in + w_state @ h + b_state).split(5)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        if decoder.frequency is None:
            logits = decoder.out.weight @ h + decoder.out.bias
        else:  # the words' own embeddings
            logits = decoder.embedding.weight @ (decoder.out.weight @ h) + decoder.frequency
        found.append(logits - logits.exp().sum().log())
    return found


def by_hand(decoder: SentenceDecoder, words: list[int], z: Tensor | None, read: list[int] | None = None) -> float:
    """log p(x|z) of a sentence and its END; `read` is what the decoder reads instead of the previous words."""
    following = next_words(decoder, [BEGIN, *words] if read is None else read, z)
    return float(sum(log_p[word] for log_p, word in zip(following, [*words, END], strict=True)))


@torch.no_grad()
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("family", [SentenceVAEConfig, LanguageModelConfig], ids=["vae", "language-model"])
def test_log_prob_is_the_sum_over_words(family: Any, tied: bool) -> None:
    model = made(family, tied=tied)
    z = codes(len(SENTENCES)) if family is SentenceVAEConfig else None
    found = model.decode({} if z is None else {"z": z})["text"].log_prob(tokens(*SENTENCES))
    expected = [by_hand(model.decoder, words, None if z is None else z[n]) for n, words in enumerate(SENTENCES)]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)
    assert len({round(value, 4) for value in expected}) == len(SENTENCES)  # END alone has its price too
    if z is not None:  # each sentence with its own code
        turned = model.decode({"z": z.flip(0)})["text"].log_prob(tokens(*SENTENCES))
        assert (turned - found).abs().min() > 1e-3


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    model, z = made(), codes(len(SENTENCES))
    short, long = tokens(*SENTENCES, length=5), tokens(*SENTENCES, length=11)
    p = model.decode({"z": z})["text"]
    torch.testing.assert_close(p.log_prob(short), p.log_prob(long), atol=1e-5, rtol=0)
    q, other = (model.encode({"text": x})["z"] for x in (short, long))
    torch.testing.assert_close(q.mean, other.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(q.logvar, other.logvar, atol=1e-5, rtol=0)
    for n in range(len(SENTENCES)):  # nor the company of longer sentences
        alone = model.encode({"text": short[n : n + 1]})["z"]
        torch.testing.assert_close(alone.mean[0], q.mean[n], atol=1e-5, rtol=0)
        torch.testing.assert_close(model.decode({"z": z[n : n + 1]})["text"].log_prob(short[n : n + 1])[0],
                                   p.log_prob(short)[n], atol=1e-5, rtol=0)
    assert (q.mean[0] - q.mean[1]).abs().max() > 1e-3


@torch.no_grad()
def test_the_encoder_reads_up_to_end_and_in_order() -> None:
    model = made()
    mean = model.encode({"text": tokens([A, B], [B, A], [A, B, C], [A, B])})["z"].mean
    assert torch.equal(mean[0], mean[3])
    assert (mean[0] - mean[1]).abs().max() > 1e-3 and (mean[0] - mean[2]).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("family", [SentenceVAEConfig, LanguageModelConfig], ids=["vae", "language-model"])
def test_an_untrained_model_needs_log_v_nats_a_token(family: Any) -> None:
    model = made(family, initial_scale=1e-4, embedding_scale=1e-4)
    evidence = model.elbo({"text": tokens(*SENTENCES)}, torch.Generator().manual_seed(0))
    length = torch.tensor([len(words) + 1.0 for words in SENTENCES])
    torch.testing.assert_close(-evidence.reconstruction["text"], length * math.log(V), rtol=1e-3, atol=0)


# -- what the decoder may read ---------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_an_inputless_decoder_never_reads_a_word(training: bool) -> None:
    """p(x|z) is then a product over places: words can be exchanged between sentences place by place."""
    model, z = made(word_keep=0.0).train(training), codes(1).expand(4, -1)
    crossed = tokens([A, B, C], [B, A, C], [A, A, C], [B, B, C])
    log_p = model.decode({"z": z})["text"].log_prob(crossed)
    assert (log_p[0] + log_p[1]).item() == pytest.approx((log_p[2] + log_p[3]).item(), abs=1e-5)
    expected = by_hand(model.decoder, [A, B, C], z[0], [BEGIN, UNKNOWN, UNKNOWN, UNKNOWN])
    assert log_p[0].item() == pytest.approx(expected, abs=1e-5)
    reader = made().train(training).decode({"z": z})["text"].log_prob(crossed)
    assert abs((reader[0] + reader[1] - reader[2] - reader[3]).item()) > 1e-3


@torch.no_grad()
def test_words_are_dropped_only_in_training() -> None:
    model, reader, z = made(word_keep=0.5), made(), codes(2)
    x = tokens([A, B, C], [D])
    assert torch.equal(model.decode({"z": z})["text"].log_prob(x), reader.decode({"z": z})["text"].log_prob(x))
    reader.train()  # a keep rate of 1 keeps them all there too
    assert torch.equal(model.decode({"z": z})["text"].log_prob(x), reader.decode({"z": z})["text"].log_prob(x))


@torch.no_grad()
def test_each_word_is_dropped_on_its_own_and_begin_never() -> None:
    model, z = made(word_keep=0.7).train(), codes(1)
    patterns = {kept: by_hand(model.decoder, [A, B, C], z[0],
                              [BEGIN, *(w if keep else UNKNOWN for w, keep in zip([A, B, C], kept, strict=True))])
                for kept in itertools.product([True, False], repeat=3)}
    count = 20_000
    found = model.decoder.log_prob(tokens([A, B, C]).expand(count, -1), z.expand(count, -1),
                                   torch.Generator().manual_seed(0))
    distance = (found[:, None] - torch.tensor(list(patterns.values()))).abs()
    assert distance.min(1).values.max() < 1e-5  # nothing but these eight
    shares = torch.bincount(distance.argmin(1), minlength=8) / count
    expected = torch.tensor([math.prod(0.7 if keep else 0.3 for keep in kept) for kept in patterns])
    torch.testing.assert_close(shares, expected, atol=0.015, rtol=0)


@torch.no_grad()
def test_dropout_sets_units_to_0_and_keeps_their_mean() -> None:
    model = made(dropout=0.25)
    ones = torch.ones(200, 100)
    assert model.decoder._dropped(ones, None) is ones  # not in evaluation
    dropped = model.train().decoder._dropped(ones, torch.Generator().manual_seed(0))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("family", [SentenceVAEConfig, LanguageModelConfig], ids=["vae", "language-model"])
@pytest.mark.parametrize("values", [{"dropout": 0.5}, {"word_keep": 0.5}, {"word_keep": 0.0},
                                    {"dropout": 0.3, "word_keep": 0.7}], ids=str)
def test_all_noise_is_the_generator_s(family: Any, values: dict[str, float]) -> None:
    model, x, state = made(family, **values).train(), tokens(*SENTENCES), torch.get_rng_state()

    def loss(seed: int) -> Tensor:
        reconstruction, kl, *_ = model.objective({"text": x}, torch.Generator().manual_seed(seed)).terms()
        return kl - reconstruction

    first, other = loss(1), loss(2)
    assert torch.equal(loss(1), first)
    if family is SentenceVAEConfig or 0 not in values.values():
        assert not torch.equal(first, other)
    model.eval()
    model.decode({"z": codes(3)} if model.latents else {})["text"].sample(torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state)


# -- writing ---------------------------------------------------------------------------------------


def well_formed(written: Tensor) -> bool:
    """Rows of words, then END, then PAD only; a row without END is full of words."""
    for row in written.tolist():
        end = row.index(END) if END in row else len(row)
        if any(word in (PAD, BEGIN, UNKNOWN) for word in row[:end]) or any(word != PAD for word in row[end + 1 :]):
            return False
    return True


@pytest.mark.parametrize("word_keep", [1.0, 0.5, 0.0])
def test_written_sentences_are_words_then_end_then_padding(word_keep: float) -> None:
    model = made(longest=7, word_keep=word_keep)
    p = model.decode({"z": 3 * codes(300)})["text"]
    greedy, sampled = p.likeliest(), p.sample(torch.Generator().manual_seed(0))
    for written in (greedy, sampled):
        assert written.shape == (300, 7) and written.dtype == torch.long
        assert well_formed(written)
    ends = (sampled == END).float().argmax(1)[(sampled == END).any(1)]
    assert len(ends.unique()) >= 4 and (sampled == PAD).any() and not (sampled == END).any(1).all()
    assert torch.equal(p.likeliest(), greedy)
    assert torch.equal(p.sample(torch.Generator().manual_seed(0)), sampled)
    assert not torch.equal(p.sample(torch.Generator().manual_seed(1)), sampled)


@torch.no_grad()
@pytest.mark.parametrize("word_keep", [1.0, 0.0])
def test_a_beam_search_finds_the_likeliest_of_all_sentences(word_keep: float, monkeypatch: pytest.MonkeyPatch
                                                            ) -> None:
    """Of all 341 of four tokens at most, scored by hand; with one beam it is greedy, with some it is better."""
    model, z = made(longest=4, word_keep=word_keep, seed=3), 2 * codes(12)
    p = model.decode({"z": z})["text"]
    every = [list(words) for length in range(5) for words in itertools.product([A, B, C, D], repeat=length)]

    def score(words: list[int], code: Tensor) -> float:
        read = [BEGIN, *words] if word_keep else [BEGIN, *[UNKNOWN] * len(words)]
        told = [*words, END][:4]  # what has not ended counts as it stands
        total = 0.0
        for word, log_p in zip(told, next_words(model.decoder, read, code), strict=False):
            log_p[[PAD, BEGIN, UNKNOWN]] = -torch.inf
            total += float(log_p.log_softmax(0)[word])
        return total

    def found(written: Tensor) -> list[list[int]]:
        assert well_formed(written)
        return [row[:row.index(END)] if END in row else row for row in written.tolist()]

    best = [max(every, key=lambda words, code=code: score(words, code)) for code in z]
    whole, some, greedy = found(p.likeliest(256)), found(p.likeliest(3)), found(p.likeliest())
    assert whole == best != greedy
    assert found(model.decoder.likeliest(z, len(z), 4, 1)) == greedy
    with monkeypatch.context() as patch:  # five codes at a time
        patch.setattr("vaecore.nets.text.SCORES_AT_ONCE", 5 * 3 * V)
        assert found(p.likeliest(3)) == some
    gained = [score(one, code) - score(other, code) for one, other, code in zip(some, greedy, z, strict=True)]
    assert sum(gained) > 0


def test_a_language_model_writes_as_many_as_asked() -> None:
    model = made(LanguageModelConfig, longest=7)
    assert model.decode({})["text"].likeliest().shape == (1, 7)
    written = model.decoder.write(None, 200, 7, 1.0, torch.Generator().manual_seed(0))
    assert written.shape == (200, 7) and well_formed(written) and len(written.unique(dim=0)) > 20


@torch.no_grad()
@pytest.mark.parametrize(("word_keep", "tied"), [(1.0, False), (0.0, False), (1.0, True)])
def test_greedy_writing_takes_the_likeliest_word_each_time(word_keep: float, tied: bool) -> None:
    model, z = made(word_keep=word_keep, tied=tied, seed=3), 2 * codes(20)
    written = model.decode({"z": z})["text"].likeliest()
    for row, code in zip(written.tolist(), z, strict=True):
        words = row[: row.index(END)] if END in row else row
        read = [BEGIN, *words] if word_keep else [BEGIN, *[UNKNOWN] * len(words)]
        for word, log_p in zip(row[: len(words) + 1], next_words(model.decoder, read, code), strict=False):
            log_p[[PAD, BEGIN, UNKNOWN]] = -torch.inf
            assert word == log_p.argmax()
    assert len(written.unique(dim=0)) > 3


@torch.no_grad()
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sampled_words_have_the_model_s_frequencies(temperature: float) -> None:
    """The first word, and the second one after the likeliest first, among words and END, at a temperature."""
    model, z = made(), codes(1)
    p = model.decode({"z": z.expand(20_000, -1)})["text"]
    written = p.sample(torch.Generator().manual_seed(0), temperature)

    def expected(read: list[int]) -> Tensor:
        log_p = next_words(model.decoder, read, z[0])[-1] / temperature
        log_p[[PAD, BEGIN, UNKNOWN]] = -torch.inf
        return log_p.softmax(0)

    first = torch.bincount(written[:, 0], minlength=V) / len(written)
    torch.testing.assert_close(first, expected([BEGIN]), atol=0.015, rtol=0)
    word = int(first[A:].argmax()) + A
    after = written[written[:, 0] == word, 1]
    assert len(after) > 2000
    torch.testing.assert_close(torch.bincount(after, minlength=V) / len(after), expected([BEGIN, word]), atol=0.04,
                               rtol=0)


# -- log p(x) by importance sampling ---------------------------------------------------------------


@torch.no_grad()
def test_the_importance_sampled_likelihood_grows_with_k() -> None:
    model, batch = made(), {"text": tokens(*SENTENCES)}
    weights = importance_log_weights(model, batch, 4000, torch.Generator().manual_seed(0))  # (K, B)
    curve = [float((weights.view(-1, k, len(SENTENCES)).logsumexp(1) - math.log(k)).mean()) for k in (1, 10, 100, 1000)]
    assert curve == sorted(curve) and curve[-1] - curve[0] > 0.01
    elbo = torch.stack([model.elbo(batch, torch.Generator().manual_seed(s)).elbo() for s in range(1000)]).mean()
    assert curve[0] == pytest.approx(elbo.item(), abs=0.05)
    found = log_likelihood(model, [batch], 1000)
    assert found.log_likelihood == pytest.approx(curve[-1], abs=0.02)


@torch.no_grad()
def test_a_posterior_that_is_the_prior_and_a_decoder_that_is_deaf_need_one_sample() -> None:
    """Where z is not read, log p(x) = log p(x|z), and every weight is it: what a collapse looks like."""
    model, batch = made(), {"text": tokens(*SENTENCES)}
    for parameter in model.encoder.head.parameters():
        parameter.zero_()
    model.decoder.initial.weight.zero_()
    model.decoder.lstm.weight_ih_l0[:, 3:] = 0
    exact = torch.tensor([by_hand(model.decoder, words, torch.zeros(R)) for words in SENTENCES])
    weights = importance_log_weights(model, batch, 7, torch.Generator().manual_seed(0))
    torch.testing.assert_close(weights, exact.double().expand(7, -1), atol=1e-5, rtol=0)
    evidence = model.elbo(batch, torch.Generator().manual_seed(0))
    torch.testing.assert_close(evidence.elbo(), exact, atol=1e-5, rtol=0)
