"""Terms of an objective at one x and z: they add up to the model's own, and each is what its formula says."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.explore import clip_runs
from vaecore.config import RunConfig
from vaecore.data import BEGIN, SPECIALS, UNKNOWN
from vaecore.explore import Checkpoint, CrossModal, SentenceCheckpoint, VideoCheckpoint, terms
from vaecore.explore.terms import Reckoned, Term
from vaecore.lecture import equation
from vaecore.modalities import Image, Label, Text
from vaecore.models.evidence import Objective
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.store import Store

Configure = Callable[[dict[str, Any]], RunConfig]
SHAPE, SIZE, N = (1, 8, 8), 3, 12
NET = {"kind": "mlp", "hidden": [16]}
PAIR = {"image": Image("image", SHAPE), "label": Label("label", (4,))}


def pixels(seed: int = 0) -> Tensor:
    return torch.rand(N, *SHAPE, generator=torch.Generator().manual_seed(seed))


def noise(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def single(tmp_path: Path, configure: Configure) -> Callable[..., Checkpoint]:
    def make(training: dict[str, Any] | None = None, **fields: Any) -> Checkpoint:
        torch.manual_seed(0)
        model = {"family": "vae", "latent_size": SIZE, "network": NET, **fields}
        config = configure({"data": {"name": "digits"}, "model": model, "training": training or {}})
        run = Store(tmp_path).create(config)
        built = config.model.build({"image": Image("image", SHAPE)})
        return Checkpoint(run, built.eval(), {}, pixels(), None)
    return make


@pytest.fixture
def several(tmp_path: Path, configure: Configure) -> Callable[..., CrossModal]:
    def make(model: dict[str, Any], training: dict[str, Any] | None = None) -> CrossModal:
        torch.manual_seed(0)
        config = configure({"data": {"name": "image-label"}, "model": model, "training": training or {}})
        labels = torch.eye(4)[torch.arange(N) % 4]
        return CrossModal(Store(tmp_path).create(config), config.model.build(PAIR).eval(),
                          {"image": pixels(), "label": labels})
    return make


@pytest.fixture
def sentences(tmp_path: Path, configure: Configure) -> Callable[..., SentenceCheckpoint]:
    def make(training: dict[str, Any] | None = None, **fields: Any) -> SentenceCheckpoint:
        torch.manual_seed(0)
        model = {"family": "sentence-vae", "latent_size": SIZE, "embedding": 6, "hidden": 8, "initial_scale": 1.0,
                 "embedding_scale": 1.0, **fields}
        config = configure({"data": {"name": "synthetic-text"}, "model": model, "training": training or {}})
        text = Text("text", (7,), (*SPECIALS, "red", "blue", "cat", "dog"))
        return SentenceCheckpoint(Store(tmp_path).create(config), config.model.build({"text": text}).eval(), {},
                                  ("red cat", "blue dog dog red cat", "blue fish"))
    return make


def only(reckoned: Reckoned, name: str) -> Term:
    [found] = [term for term in reckoned.terms if term.name == name]
    return found


def elbo(opened: terms.Opened, index: int, seed: int) -> float:
    with torch.inference_mode():
        return float(opened.model.elbo(terms.observation(opened, index), noise(seed)).elbo())


PRIORS: list[dict[str, Any]] = [{"kind": "standard"}, {"kind": "mixture", "components": 3},
                                {"kind": "vamp", "components": 4}]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian-learned", "gaussian-per-pixel",
                                        "discretised-logistic"])
@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: str(prior["kind"]))
def test_terms_add_up_to_the_models_elbo_of_the_same_noise(single: Callable[..., Checkpoint], likelihood: str,
                                                           prior: dict[str, Any]) -> None:
    opened = single(likelihood={"kind": likelihood}, prior=prior)
    for index, seed in ((0, 0), (5, 3)):
        [reckoned, *_] = terms.reckon(opened, index, seed=seed)
        assert reckoned.total == pytest.approx(elbo(opened, index, seed), rel=1e-5)
        assert [term.name for term in reckoned.terms] == ["reconstruction", "KL"]
        assert [term.factor for term in reckoned.terms] == [1, -1]
        for term in reckoned.terms:
            assert term.ways[0].value == pytest.approx(term.value, abs=1e-3)
    assert terms.reckon(opened, 0, seed=1)[0].total != terms.reckon(opened, 0, seed=2)[0].total


def test_the_kl_is_what_16_says_with_r_by_hand(single: Callable[..., Checkpoint]) -> None:
    opened = single()
    kl = only(terms.reckon(opened, 2)[0], "KL")
    with torch.inference_mode():
        q = opened.model.encode({"image": opened.examples[2:3]})["z"]
    assert isinstance(q, DiagonalGaussian)
    pairs = list(zip(q.mean[0].tolist(), q.logvar[0].tolist(), strict=True))
    by_hand = [0.5 * (m * m + math.exp(v) - v - 1) for m, v in pairs]
    assert kl.value == pytest.approx(sum(by_hand), rel=1e-5) and kl.equations == (16,) and kl.counts == -kl.value
    assert [d.kl for d in kl.dimensions] == pytest.approx(by_hand, rel=1e-4, abs=1e-6)
    assert [(d.mean, d.sigma) for d in kl.dimensions] == [
        (pytest.approx(m), pytest.approx(math.exp(v / 2))) for m, v in pairs]
    exact, estimate, at = kl.ways
    assert exact.name == "closed form, (16)" and abs(estimate.value - exact.value) < 5 * (estimate.error or 0) + 1e-6
    z = torch.from_numpy(terms.reckon(opened, 2)[0].codes["z"])
    normal = torch.distributions.Normal(q.mean[0].double(), (0.5 * q.logvar[0].double()).exp())
    standard = torch.distributions.Normal(0.0, 1.0)
    assert at.value == pytest.approx(float((normal.log_prob(z) - standard.log_prob(z)).sum()), abs=1e-4)
    shown = re.search(r"\}\{2\} \(([-\d.]+) \+ ([-\d.]+) ([-+]) ([-\d.]+) - 3\) = ([-\d.]+)", exact.latex)
    assert shown, exact.latex  # the numbers that a reader sees make what he sees
    squares, variances, sign, logs, total = shown.groups()
    found = 0.5 * (float(squares) + float(variances) + (1 if sign == "+" else -1) * float(logs) - 3)
    assert found == pytest.approx(float(total), abs=0.02) and float(total) == pytest.approx(kl.value, abs=0.006)


@pytest.mark.parametrize(("kind", "by_hand"), [
    ("bernoulli", lambda p, x: torch.distributions.Bernoulli(p.mean, validate_args=False).log_prob(x)),
    ("gaussian", lambda p, x: torch.distributions.Normal(p.mean, (0.5 * p.logvar).exp()).log_prob(x)),
    ("gaussian-per-pixel", lambda p, x: torch.distributions.Normal(p.mean, (0.5 * p.logvar).exp()).log_prob(x))])
def test_a_reconstruction_is_a_sum_over_pixels_and_its_formula_says_so(
        single: Callable[..., Checkpoint], kind: str, by_hand: Callable[[Any, Tensor], Tensor]) -> None:
    opened = single(likelihood={"kind": kind})
    [reckoned, *_] = terms.reckon(opened, 1, seed=4)
    term = only(reckoned, "reconstruction")
    with torch.inference_mode():
        p = opened.model.decode({"z": torch.from_numpy(reckoned.codes["z"]).float()[None]})["image"]
        assert term.value == pytest.approx(float(by_hand(p, opened.examples[1:2]).sum()), rel=1e-4)
    last = float(re.findall(r"= (-?[\d.]+)", term.ways[0].latex)[-1])
    assert last == pytest.approx(term.value, abs=0.02)
    assert term.factor == 1 and term.equations == (11, 12)


def test_the_mean_code_and_the_mean_over_codes(single: Callable[..., Checkpoint]) -> None:
    opened = single()
    with torch.inference_mode():
        q = opened.model.encode({"image": opened.examples[:1]})["z"]
    [at_mean, *_] = terms.reckon(opened, 0, code="mean", seed=5)
    assert at_mean.codes["z"].tolist() == pytest.approx(q.mean[0].tolist())
    assert at_mean.total == terms.reckon(opened, 0, code="mean", seed=6)[0].total
    estimate = only(at_mean, "reconstruction").ways[1]
    drawn = [only(terms.reckon(opened, 0, seed=s)[0], "reconstruction").value for s in range(60)]
    assert estimate.error and abs(estimate.value - sum(drawn) / 60) < 6 * estimate.error + 0.5
    assert only(at_mean, "KL").value == only(terms.reckon(opened, 0, seed=1)[0], "KL").value  # of q, whatever z is


def test_the_code_that_is_shown_is_the_one_that_computes_it(single: Callable[..., Checkpoint]) -> None:
    [reckoned, *_] = terms.reckon(single(), 0)
    kl, fit = only(reckoned, "KL"), only(reckoned, "reconstruction")
    assert kl.code[0].text == inspect.cleandoc("\n" + inspect.getsource(DiagonalGaussian.kl_from_standard)) + "\n"
    assert kl.code[0].place.startswith("vaecore/probability/gaussian.py:")
    assert all(any(f"def {name}" in each.text for each in fit.code) for name in ("_bernoulli", "log_prob", "evidence"))
    assert "self.total_reconstruction() - self.total_kl()" in reckoned.code[1].text


def test_beta_weighs_the_kl_and_the_elbo_stays_beside_it(single: Callable[..., Checkpoint]) -> None:
    opened = single({"beta": {"kind": "constant", "value": 4.0}})
    plain, own = terms.reckon(opened, 0, seed=2)
    assert (own.title, own.equation) == ("beta-VAE", 38)
    assert own.total == pytest.approx(only(plain, "reconstruction").value - 4 * only(plain, "KL").value)
    with torch.inference_mode():
        trained = opened.model.objective(terms.observation(opened, 0), noise(2)).terms().loss(4.0)
    assert own.total == pytest.approx(-float(trained), rel=1e-5)
    assert len(terms.reckon(single({"beta": {"kind": "linear"}}), 0)) == 1  # it ends at 1: the ELBO


def test_a_divergence_stands_in_the_place_of_the_kl(single: Callable[..., Checkpoint]) -> None:
    opened = single(divergence={"kind": "mmd", "weight": 50.0})
    _, own = terms.reckon(opened, 0, seed=2)
    assert own.equation == 40 and [term.name for term in own.terms] == ["reconstruction", "divergence"]
    with torch.inference_mode():
        whole = {"image": opened.examples}
        found = opened.model.divergence(whole, opened.model.encode(whole), noise(2))
    assert only(own, "divergence").counts == pytest.approx(-float(found), rel=1e-5)  # type: ignore[arg-type]
    assert "12 test observations" in only(own, "divergence").says

    opened = single(divergence={"kind": "per-x", "weight": 2.0})
    term = only(terms.reckon(opened, 1)[1], "divergence")
    with torch.inference_mode():
        q = opened.model.encode({"image": opened.examples[1:2]})["z"]
    w2 = float(q.mean.square().sum() + ((0.5 * q.logvar).exp() - 1).square().sum())  # type: ignore[union-attr]
    assert term.value == pytest.approx(w2, rel=1e-4) and term.counts == pytest.approx(-2 * w2, rel=1e-4)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_the_importance_weighted_bound(single: Callable[..., Checkpoint], count: int) -> None:
    opened = single(bound={"kind": "iwae", "samples": count})
    plain, own = terms.reckon(opened, 0, seed=7)
    with torch.inference_mode():
        found: Objective = opened.model.objective(terms.observation(opened, 0), noise(7))
    assert found.bound is not None and own.total == pytest.approx(float(found.bound(1.0)), rel=1e-5)
    [term] = own.terms
    assert term.ways[0].value >= term.ways[-1].value - 1e-4  # Jensen
    if count == 1:  # the KL of one code is log q - log p there
        fit, kl = only(plain, "reconstruction"), only(plain, "KL")
        assert own.total == pytest.approx(fit.value - kl.ways[2].value, abs=1e-3)


def test_an_autoencoder_has_a_reconstruction_and_no_bound(single: Callable[..., Checkpoint]) -> None:
    [reckoned] = terms.reckon(single(family="ae"), 0)
    assert [term.name for term in reckoned.terms] == ["reconstruction"] and "no bound" in reckoned.note


JOINT = {"family": "multimodal-vae", "latent_size": SIZE, "networks": {"image": NET}}


def test_jmvae_adds_what_20_adds(several: Callable[..., CrossModal]) -> None:
    opened = several({**JOINT, "posterior": {"kind": "joint", "alpha": 3.0}, "weights": {"label": 10.0}})
    plain, own = terms.reckon(opened, 3, seed=2)
    assert plain.total == pytest.approx(elbo(opened, 3, 2), rel=1e-5) and (plain.equation, own.equation) == (19, 20)
    with torch.inference_mode():
        loss = opened.model.objective(terms.observation(opened, 3), noise(2)).terms().loss(1.0)
    assert own.total == pytest.approx(-float(loss), rel=1e-5)
    assert [term.factor for term in own.terms] == [1, 10, -1, -3, -3]
    assert only(own, "stand-in image").dimensions[0].kl >= -1e-6


@pytest.mark.parametrize("kind", ["product", "mixture", "mixture-of-products"])
def test_a_joint_elbo_adds_up(several: Callable[..., CrossModal], kind: str) -> None:
    opened = several({**JOINT, "posterior": {"kind": kind}})
    plain, *own = terms.reckon(opened, 3, seed=2)
    assert plain.total == pytest.approx(elbo(opened, 3, 2), rel=1e-5)
    if kind == "product":
        with torch.inference_mode():
            alone = float(opened.model.elbo({"image": opened.examples["image"][3:4]}, noise(2)).elbo())
        assert only(own[0], "ELBO of image").value == pytest.approx(alone, rel=1e-5)
        assert own[0].total == pytest.approx(plain.total + sum(only(own[0], f"ELBO of {m}").value for m in PAIR))


def test_dmvae_has_an_elbo_from_each_modality(several: Callable[..., CrossModal]) -> None:
    opened = several({"family": "dmvae", "shared_size": SIZE, "private_size": 2, "networks": {"image": NET}})
    plain, own = terms.reckon(opened, 3, seed=2)
    assert plain.total == pytest.approx(elbo(opened, 3, 2), rel=1e-5)
    assert [term.name for term in plain.terms] == ["reconstruction image", "reconstruction label", "KL shared",
                                                   "KL private image"]
    assert len(own.terms) == len(plain.terms) + 2 and own.equation == 27


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: str(prior["kind"]))
def test_terms_of_a_sentence_add_up_word_by_word(sentences: Callable[..., SentenceCheckpoint], prior: dict[str, Any]
                                                 ) -> None:
    opened = sentences({"beta": {"kind": "constant", "value": 2.0}}, prior=prior)
    for index in range(3):
        plain, own = terms.reckon(opened, index, seed=4)
        assert plain.total == pytest.approx(elbo(opened, index, 4), rel=1e-5)
        fit, kl = only(plain, "reconstruction"), only(plain, "KL")
        assert own.total == pytest.approx(fit.value - 2 * kl.value, rel=1e-6) and own.equation == 38
        assert sum(part.value for part in fit.parts) == pytest.approx(fit.value, rel=1e-5)
    assert [part.name for part in fit.parts] == ["blue", SPECIALS[UNKNOWN], "the end"] and fit.parted == "word"
    with torch.inference_mode():  # each word given those before it: a softmax by hand
        decoder, z = opened.model.decoder, torch.from_numpy(plain.codes["z"]).float()[None]  # type: ignore[union-attr]
        [x] = terms.observation(opened, 2).values()
        read = decoder.embedding(torch.tensor([[BEGIN, *x[0, :-1].tolist()]]))
        states, _ = decoder.lstm(torch.cat([read, z[:, None].expand(-1, 3, -1)], 2), decoder._start(z, 1))
        by_hand = decoder.out(states).log_softmax(2)[0, torch.arange(3), x[0]]
    assert [part.value for part in fit.parts] == pytest.approx(by_hand.tolist(), rel=1e-4)
    assert any("def by_word" in each.text for each in fit.code)


@pytest.mark.parametrize(("name", "number"), [("lp", 35), ("fp", 33), ("states", 35), ("sv2p", 29)])
def test_terms_of_a_clip_add_up_frame_by_frame(tmp_path: Path, name: str, number: int) -> None:
    opened = VideoCheckpoint.load(clip_runs.make(tmp_path, name))
    for index, seed in ((0, 0), (2, 3)):
        plain = terms.reckon(opened, index, seed=seed)[0]
        assert plain.total == pytest.approx(elbo(opened, index, seed), rel=1e-5) and plain.equation == number
        fit, kl = plain.terms
        bound = opened.bound(opened.clip(index), seed)
        assert [part.value for part in fit.parts] == pytest.approx(bound.log_prob.tolist(), rel=1e-4)
        assert kl.value == pytest.approx(float(bound.kl.sum()), rel=1e-4)
        if name != "sv2p":
            assert [part.value for part in kl.parts] == pytest.approx(bound.kl.tolist(), rel=1e-4)
        last = [float(re.findall(r"= (-?[\d.]+)", term.ways[0].latex)[-1]) for term in (fit, kl)]
        assert last == pytest.approx([fit.value, kl.value], abs=0.02), "what a reader sees"
        for latex in (plain.latex, *(way.latex for term in plain.terms for way in term.ways)):
            assert latex.count("{") == latex.count("}")
    assert terms.predicted(opened, terms.observation(opened, 2), plain).shape[0] == len(fit.parts)
    still = terms.reckon(opened, 0, code="mean")[0]
    assert still.total == terms.reckon(opened, 0, code="mean", seed=8)[0].total
    assert terms.equation_of(opened.model) == equation(number).number


def test_what_cannot_be_is_said(single: Callable[..., Checkpoint]) -> None:
    opened = single()
    for bad in (-1, N):
        with pytest.raises(ValueError, match="from 0 to 11"):
            terms.reckon(opened, bad)
    for reckoned in terms.reckon(opened, 0):
        assert equation(reckoned.equation) and all(equation(n) for term in reckoned.terms for n in term.equations)


def test_every_formula_closes_what_it_opens(single: Callable[..., Checkpoint],
                                            several: Callable[..., CrossModal]) -> None:
    every = [*terms.reckon(single(likelihood={"kind": "gaussian"}), 0),
             *terms.reckon(single(bound={"kind": "iwae", "samples": 5}), 0),
             *terms.reckon(several({**JOINT, "posterior": {"kind": "joint", "alpha": 1.0}}), 0)]
    for latex in (text for each in every for text in (each.latex, *(way.latex for t in each.terms for way in t.ways))):
        bare = latex.replace(r"\{", "")
        assert bare.count("{") == bare.count("}") and bare.count(r"\begin") == bare.count(r"\end") and "  " not in latex
        assert not re.search(r"\d[eE][-+]?\d", latex) and "nan" not in latex
