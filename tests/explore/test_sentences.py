"""What is shown of a text model is what it computes: codes, sentences near them, scores with known values."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vaecore.data import END, SPECIALS, UNKNOWN
from vaecore.data.text import words
from vaecore.explore import Checkpoint, WrongView
from vaecore.explore.codes import between
from vaecore.explore.sentences import SentenceCheckpoint, UnreadableText, changes
from vaecore.lab.previews import write_preview
from vaecore.lab.worker import draw_preview
from vaecore.store import Run, Store
from vaecore.training import train
from vaecore.training.checkpoints import BrokenCheckpoint
from vaecore.views import SENTENCE, SINGLE

TINY = {"embedding": 6, "hidden": 8, "initial_scale": 1.0, "embedding_scale": 1.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, configure: Callable[..., Any]) -> Path:
    """runs/: vae and lm, of sentences of at most six words; digits, of images."""
    root = tmp_path_factory.mktemp("sentences")
    (root / "text").write_text("".join(f"A {colour} {animal} {verb} there.\n" for colour in ("red", "blue", "green")
                                       for animal in ("cat", "dog", "bird", "fish") for verb in ("sits", "runs", "eats")
                                       for _ in range(2)))
    text = {"data": {"name": "text-file", "path": str(root / "text")}, "training": {"epochs": 2, "batch_size": 20}}
    for name, values in {
            "vae": {**text, "model": {"family": "sentence-vae", "latent_size": 3, **TINY}},
            "lm": {**text, "model": {"family": "language-model", **TINY}},
            "digits": {"data": {"name": "digits"}, "model": {"family": "pca", "latent_size": 2}}}.items():
        train(Store(root).create(configure(values), name).path, Nobody())
    return root


class Nobody:
    """Nobody stops it, nobody looks."""

    def stop_requested(self) -> bool:
        return False

    def progress(self, step: int, total: int, epoch: float) -> None:
        pass


@pytest.fixture
def load(store: Path) -> Callable[[str], SentenceCheckpoint]:
    return lambda name: SentenceCheckpoint.load(Store(store).find(name))


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A run that a test may break."""
    return lambda name: Path(shutil.copytree(store / "runs" / name, tmp_path / "runs" / name))


TEXT = "a red cat runs there."


# -- reading


def test_a_text_is_read_as_its_words(load: Callable[[str], SentenceCheckpoint]) -> None:
    model = load("vae")
    assert model.longest == 6 and model.size == 3
    read = model.read("A Zebra <unk> RUNS.")
    assert read.words == ("a", "zebra", "<unk>", "runs", ".")
    assert read.unknown == ("zebra", "<unk>") and read.known == (True, False, False, True, True)
    assert [model.vocabulary[number] for number in read.numbers] == ["a", "<unk>", "<unk>", "runs", "."]
    assert read.left_out == ()


def test_what_is_too_long_is_left_out_and_said(load: Callable[[str], SentenceCheckpoint]) -> None:
    read = load("vae").read("a cat " * 4)
    assert read.words == ("a", "cat") * 3 and read.left_out == ("a", "cat")


@pytest.mark.parametrize(("text", "said"), [("", "no word"), (" \n\t", "no word"), ("a" * 1001, "1,001 characters")])
def test_what_is_no_sentence_is_refused_in_words(load: Callable[[str], SentenceCheckpoint], text: str, said: str
                                                 ) -> None:
    for name in ("vae", "lm"):
        with pytest.raises(UnreadableText, match=said):
            load(name).score(text)


def test_the_examples_are_the_test_sentences(load: Callable[[str], SentenceCheckpoint]) -> None:
    model = load("vae")
    stored = load_file(model.run.path / "examples.safetensors")["text"]
    assert model.examples == tuple(words(row.tolist(), model.vocabulary) for row in stored)
    assert all(not model.read(text).unknown and model.read(text).numbers == tuple(row[:6].tolist())
               for text, row in zip(model.examples, stored, strict=True))


def test_sentences_of_known_words_come_first(copy: Callable[[str], Path]) -> None:
    run = copy("vae")
    stored = load_file(run / "examples.safetensors")
    stored["text"][0, :2] = UNKNOWN
    stored["text"][1, 0] = UNKNOWN
    save_file(stored, run / "examples.safetensors")
    found = [text.count("<unk>") for text in SentenceCheckpoint.load(Run(run)).examples]
    assert found == [0] * (len(found) - 2) + [1, 2]


# -- codes


def test_codes_are_those_of_the_model(load: Callable[[str], SentenceCheckpoint]) -> None:
    model = load("vae")
    code = model.encode(TEXT)
    with torch.inference_mode():
        q = model.model.encode({"text": torch.tensor([[*code.reading.numbers, END]])})["z"]
    np.testing.assert_allclose(code.mean, q.mean[0], atol=1e-6)
    np.testing.assert_allclose(code.std, q.logvar[0].exp().sqrt(), rtol=1e-6)  # type: ignore[union-attr]
    assert code.mean.shape == code.std.shape == (3,)
    [row] = model.model.decode({"z": q.mean})["text"].likeliest().tolist()  # type: ignore[attr-defined]
    assert model.reconstruct(TEXT) == words(row, model.vocabulary) == model.write(code.mean[None])[0]


def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The codes that it is made to write from here on."""
    seen: list[Any] = []
    monkeypatch.setattr(SentenceCheckpoint, "write",
                        lambda _, codes, *rest, **__: seen.append((codes, *rest)) or [])
    return seen


def test_perturbed_codes_lie_around_the_mean_in_units_of_the_prior(
        load: Callable[[str], SentenceCheckpoint], monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("vae")
    assert model.perturb(TEXT, 0.0, 4) == [model.reconstruct(TEXT)] * 4
    mean, seen = model.encode(TEXT).mean, written(monkeypatch)
    model.perturb(TEXT, 1.0, 10_000, seed=1)
    model.perturb(TEXT, 2.5, 10_000, seed=1)
    model.perturb(TEXT, 1.0, 10_000, seed=2)
    (one,), (far,), (other,) = seen
    np.testing.assert_allclose((one - mean).std(0), 1, rtol=0.03)
    np.testing.assert_allclose(far - mean, 2.5 * (one - mean), atol=1e-5)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("path", ["straight", "spherical"])
def test_an_interpolation_goes_from_one_code_to_the_other(
        load: Callable[[str], SentenceCheckpoint], monkeypatch: pytest.MonkeyPatch, path: Any) -> None:
    model, other = load("vae"), "a blue fish eats there."
    found = model.interpolate(TEXT, other, 5, path)
    assert len(found) == 5 and (found[0], found[-1]) == (model.reconstruct(TEXT), model.reconstruct(other))
    start, end, seen = model.encode(TEXT).mean, model.encode(other).mean, written(monkeypatch)
    model.interpolate(TEXT, other, 5, path)
    np.testing.assert_array_equal(seen[0][0], between(start, end, 5, path))


def test_an_arc_keeps_to_its_sphere() -> None:
    start, end = np.array([3, 0], np.float32), np.array([0, 3], np.float32)
    np.testing.assert_allclose(between(start, end, 3), [[3, 0], [1.5, 1.5], [0, 3]], atol=1e-6)
    half = 3 / math.sqrt(2)
    np.testing.assert_allclose(between(start, end, 3, "spherical"), [[3, 0], [half, half], [0, 3]], atol=1e-6)


def test_samples_are_codes_of_the_prior_then_words(load: Callable[[str], SentenceCheckpoint],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    model, language = load("vae"), load("lm")
    for one in (model, language):
        assert one.sample(5, 1.0, seed=3) == one.sample(5, 1.0, seed=3) != one.sample(5, 1.0, seed=4)
        assert len(one.sample(5)) == 5
    assert len(set(language.sample(5, temperature=0.0))) == 1, "without a code nothing is left to chance"
    seen = written(monkeypatch)
    model.sample(20_000, 0.3, seed=7)
    [(codes, temperature, seed)] = seen
    assert (temperature, seed) == (0.3, 7)
    np.testing.assert_allclose([codes.mean(), codes.std()], [0, 1], atol=0.02)


# -- scores


def silenced(model: SentenceCheckpoint) -> SentenceCheckpoint:
    """The model with every word as likely as any other."""
    with torch.no_grad():
        model.model.decoder.out.weight.zero_()  # type: ignore[union-attr]
        model.model.decoder.out.bias.zero_()  # type: ignore[union-attr]
    return model


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary(load: Callable[[str], SentenceCheckpoint]) -> None:
    model = silenced(load("lm"))
    size = len(model.vocabulary)
    score = model.score(TEXT)
    assert score.tokens == 7 and score.kl is None
    assert score.log_likelihood == score.bound == pytest.approx(-7 * math.log(size), rel=1e-6)
    assert score.perplexity == pytest.approx(size, rel=1e-5)
    assert model.score("a cat.").tokens == 4, "END counts, BEGIN does not"


def test_the_bound_is_the_likelihood_less_the_kl(load: Callable[[str], SentenceCheckpoint],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.probability.gaussian import DiagonalGaussian

    model = silenced(load("vae"))
    q = DiagonalGaussian(torch.tensor([[1.0, 0, 0]]), torch.full((1, 3), -1.0))
    monkeypatch.setattr(model.model, "encode", lambda _: {"z": q})
    score, uniform = model.score(TEXT), -7 * math.log(len(model.vocabulary))
    assert score.kl == pytest.approx(0.5 * (1 + 3 * (math.exp(-1) + 1 - 1)), rel=1e-6)
    assert score.log_likelihood == pytest.approx(uniform, rel=1e-6)
    assert score.bound == pytest.approx(uniform - score.kl, rel=1e-6)
    assert score.perplexity == pytest.approx(math.exp(-score.bound / 7))


def test_a_score_is_that_of_its_first_words_and_its_last(load: Callable[[str], SentenceCheckpoint]) -> None:
    """log p(x) by hand, one LSTM step a word."""
    model = load("lm")
    decoder, total, state = model.model.decoder, 0.0, None
    previous = 1
    for word in (*model.read("a cat").numbers, END):
        with torch.inference_mode():
            output, state = decoder.lstm(decoder.embedding(torch.tensor([[previous]])), state)  # type: ignore
            total += float(decoder.out(output[0, 0]).log_softmax(0)[word])  # type: ignore[operator, union-attr]
        previous = word
    assert model.score("A cat").bound == pytest.approx(total, rel=1e-5)


def test_a_language_model_has_no_code(load: Callable[[str], SentenceCheckpoint]) -> None:
    model = load("lm")
    assert not model.has_code and model.rate is None and not model.collapsed
    with pytest.raises(ValueError, match="has no code"):
        model.reconstruct(TEXT)


@pytest.mark.parametrize(("kl", "variance", "collapsed"), [
    ([0.05, 0.04, 0.0], [1, 1, 1], True), ([0.05, 0.06, 0.0], [1, 1, 0], False), ([5, 5, 5], [0.001, 0, 0.01], True),
    ([5, 5], [1, 1], False), ("x", None, False), ([1e999, 0, 0], [1, 1, 1], False)])
def test_a_collapse_is_read_from_the_summary(copy: Callable[[str], Path], kl: Any, variance: Any, collapsed: bool
                                             ) -> None:
    run = copy("vae")
    (run / "summary.json").write_text(json.dumps({"validation": {"kl": {"z": kl}, "code_variance": {"z": variance}}}))
    assert SentenceCheckpoint.load(Run(run)).collapsed is collapsed


def test_words_that_differ_are_told_where_sentences_align() -> None:
    assert changes("the red cat sat down", "a red cat sat") == [
        ("the", True), ("red", False), ("cat", False), ("sat", False), ("down", True)]
    assert changes("", "a") == [] and changes("a", "") == [("a", True)]


# -- files


def test_only_text_models_are_opened(store: Path) -> None:
    with pytest.raises(WrongView, match=r"digits is a model of images .* Wanted is a model of text") as told:
        SentenceCheckpoint.load(Store(store).find("digits"))
    assert told.value.view is SINGLE
    for name in ("vae", "lm"):
        with pytest.raises(WrongView, match=f"{name} is a model of text.*`vaecore sentences sample {name}`") as told:
            Checkpoint.load(Store(store).find(name))
        assert told.value.view is SENTENCE


def _weights(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Change the tensors, or the description of the text."""
    def harm(run: Path) -> None:
        path = run / "weights.safetensors"
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["vaecore"])
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        change(tensors, header["modalities"]["text"])
        save_file(tensors, path, {"vaecore": json.dumps(header)})

    return harm


def _examples(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    def harm(run: Path) -> None:
        path = run / "examples.safetensors"
        save_file({"text": change(load_file(path)["text"])}, path)

    return harm


@pytest.mark.parametrize(("harm", "said"), [
    (_weights(lambda tensors, _: tensors["decoder.out.bias"].fill_(math.nan)), "not finite"),
    (_weights(lambda _, text: text["vocabulary"].reverse()), "does not describe a model of sentences"),
    (_weights(lambda _, text: text.update(shape=[60_000])), "does not describe a model of sentences"),
    (_examples(lambda x: x + 100), "numbers that are none of its own"),
    (_examples(lambda x: x - 4), "numbers that are none of its own"),
    (_examples(lambda x: x.float()), "numbers that are none of its own"),
    (_examples(lambda x: x[:, :2].clone()), "examples.safetensors"),
    (_examples(lambda x: x[:0]), "examples.safetensors"),
    (lambda run: (run / "examples.safetensors").write_bytes(b"\0" * 40), "examples.safetensors"),
    (lambda run: (run / "weights.safetensors").write_bytes(b"\0" * 40), "weights.safetensors"),
])
@pytest.mark.parametrize("name", ["vae", "lm"])
def test_what_is_damaged_is_named(copy: Callable[[str], Path], harm: Callable[[Path], None], said: str, name: str
                                  ) -> None:
    run = copy(name)
    harm(run)
    with pytest.raises(BrokenCheckpoint, match=said):
        SentenceCheckpoint.load(Run(run))


def test_a_preview_is_four_sentences_of_its_own(copy: Callable[[str], Path]) -> None:
    for name in ("vae", "lm"):
        model = SentenceCheckpoint.load(Run(copy(name)))
        write_preview(model)
        path = model.run.path / "preview.txt"
        expected = path.read_text()
        assert expected.splitlines() == model.sample(4, temperature=0.5)
        path.unlink()
        draw_preview(model.run.path)  # as after a training
        assert path.read_text() == expected and not model.run.preview.exists()


def test_the_unknown_word_is_never_written(load: Callable[[str], SentenceCheckpoint]) -> None:
    model = load("lm")
    with torch.no_grad():
        model.model.decoder.out.bias[UNKNOWN] = 1e6  # type: ignore[union-attr, operator]
    assert not any(SPECIALS[UNKNOWN] in text for text in model.sample(20, temperature=1.5))
