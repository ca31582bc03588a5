"""Sentences in the loop: what an evaluation says of them, and that their noise survives a stop."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.training.runs import Start, read
from tests.training.sentences import SENTENCES, VOCABULARY, A, B, C, toy
from tests.training.test_resume import Patient, same
from vaecore.config import RunConfig
from vaecore.data import Dataset
from vaecore.data.digits import Digits
from vaecore.schema import ConfigError, parse
from vaecore.training import train
from vaecore.training.build import build, check
from vaecore.training.checkpoints import load_model
from vaecore.training.course import Course
from vaecore.training.feed import Feed
from vaecore.training.validation import Evaluation, evaluate

CPU = torch.device("cpu")
TOKENS = sum(len(words) + 1 for words in SENTENCES) / len(SENTENCES)


def values(family: str = "sentence-vae", model: dict[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    """Twelve steps of a small sentence model; its data set is put in place of `digits`."""
    sizes = {"embedding": 4, "hidden": 6, **({"latent_size": 2} if family == "sentence-vae" else {}), **(model or {})}
    return {"data": {"name": "digits"}, "model": {"family": family, **sizes},
            "training": {"epochs": 3, "batch_size": 12, "threads": 1, "device": "cpu", **training}}


@pytest.fixture
def sentences(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    dataset = toy()
    monkeypatch.setattr(Digits, "load", lambda _: dataset)
    return dataset


def evaluated(family: str, dataset: Dataset, model: dict[str, Any] | None = None) -> tuple[Any, Evaluation]:
    config = parse(RunConfig, values(family, model))
    made = build(config, dataset)
    return made, evaluate(made, Feed(dataset, "validation", CPU), seed=3)


def test_an_evaluation_of_sentences_counts_their_tokens() -> None:
    made, found = evaluated("sentence-vae", toy())
    assert found.tokens == {"text": pytest.approx(TOKENS)}  # END counts, PAD does not
    assert found.mse == {}
    assert found.observations == 8 * len(SENTENCES)
    assert found.elbo == pytest.approx(found.reconstruction["text"] - sum(found.kl["z"]), rel=1e-6)
    assert -found.reconstruction["text"] / found.tokens["text"] == pytest.approx(math.log(len(VOCABULARY)), rel=0.1)
    assert found.information["z"].observations == found.observations
    assert found.information["z"].rate == pytest.approx(sum(found.kl["z"]), rel=1e-5)
    assert made.training  # the mode it was in


def test_a_language_model_s_evidence_is_exact() -> None:
    dataset = toy()
    made, found = evaluated("language-model", dataset, {"initial_scale": 0.5, "dropout": 0.5, "word_keep": 0.5})
    x = torch.from_numpy(dataset.splits["validation"].arrays["text"]).long()
    with torch.no_grad():
        nll = -made.eval().decode({})["text"].log_prob(x).double().mean().item()
    assert found.elbo == found.reconstruction["text"] == pytest.approx(-nll, rel=1e-6)
    assert found.information == {} == found.kl and found.active == 0
    assert found.code_mean == {} == found.mse
    assert found.tokens == {"text": pytest.approx(TOKENS)}
    assert evaluate(made, Feed(dataset, "validation", CPU), seed=4).elbo == found.elbo  # no noise in it


def test_a_language_model_learns_the_entropy_of_its_sentences() -> None:
    """Of two sentences one of four times, another three of four: H(1/4) nats, and no less."""
    dataset = toy([[A, B], [C], [C], [C]], copies=12)
    config = parse(RunConfig, values("language-model", {"hidden": 8}, epochs=40, learning_rate=0.1,
                                     rate={"kind": "cosine"}))
    trainer = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    for step in range(trainer.total):
        trainer.update(step)
        if len(trainer.pending) == 50:
            trainer.flush()
    trainer.flush()
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    found = evaluate(trainer.model, Feed(dataset, "validation", CPU), seed=0)
    assert entropy <= -found.elbo < entropy + 0.02
    assert trainer.model.decode({})["text"].likeliest()[0].tolist()[:2] == [C, 2]


@pytest.mark.parametrize(("family", "model", "training"), [
    ("sentence-vae", {"dropout": 0.5, "word_keep": 0.5}, {}),
    ("sentence-vae", {"dropout": 0.3, "latent_size": 1}, {"inference": {"kind": "aggressive", "most": 5, "window": 2},
                                                          "optimizer": "sgd", "learning_rate": 0.5, "clip_norm": 5.0}),
    ("sentence-vae", {"word_keep": 0.0}, {}),
    ("language-model", {"dropout": 0.5, "word_keep": 0.7}, {})], ids=["dropout", "aggressive", "inputless", "language"])
@pytest.mark.usefixtures("sentences")
def test_sentences_stopped_and_resumed_are_the_same_run(start: Start, family: str, model: dict[str, Any],
                                                        training: dict[str, Any]) -> None:
    chosen = values(family, model, **training)
    torch.manual_seed(1)
    whole = start(chosen, name="whole")
    torch.manual_seed(2)  # what the global generator holds is nobody's business
    parts = start(chosen, name="parts", control=Patient(6))
    torch.manual_seed(3)
    assert train(parts, Patient(10_000)) == "finished"
    same(whole, parts)
    assert load_model(whole).modalities["text"].vocabulary == VOCABULARY


def test_snapshots_are_without_dropout(start: Start, sentences: Dataset) -> None:
    """Those of a run in training equal those of its weights at rest."""
    from vaecore.training.session import EVALUATION_SEED
    from vaecore.training.snapshots import snapshot

    folder = start(values(model={"dropout": 0.8, "word_keep": 0.2, "initial_scale": 1.0}, keep="last",
                          snapshot_points=6))
    batch = Feed(sentences, "validation", CPU).first(6)
    rest = snapshot(load_model(folder), batch, torch.Generator().manual_seed(EVALUATION_SEED)).as_dict()
    last = read(folder).snapshots[-1]
    assert last["step"] == 12 and last["labels"] is None
    assert {name: last[name] for name in rest} == rest


@pytest.mark.parametrize(("family", "words"), [
    ("vae", "VAE reads images and vectors, but this data set has texts.*sentence-vae, language-model"),
    ("pca", "has texts")])
def test_a_family_that_does_not_read_sentences_is_refused(family: str, words: str) -> None:
    config = parse(RunConfig, {**values(), "model": {"family": family}})
    with pytest.raises(ConfigError, match=rf"model\.family: .*{words}"):
        check(config, toy())


def test_sentence_models_refuse_images(configure: Any) -> None:
    config = configure(values())
    with pytest.raises(ConfigError, match=r"model\.family: .*reads texts, but this data set has images"):
        check(config, config.data.load())
    aggressive = configure(values("language-model", inference={"kind": "aggressive"}))
    with pytest.raises(ConfigError, match=r"training\.inference\.kind: .*Language model has no posterior"):
        check(aggressive, toy())
