"""Published values: each with its setting and source, none from memory, and said to compare only where it does."""

from __future__ import annotations

import re
import typing
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

import vaecore
from vaecore import literature
from vaecore.data import DATASETS
from vaecore.evaluate.families import APPROACHES
from vaecore.library.fields import NUMBERS
from vaecore.literature import TABLE, TITLES, Ours, Setting, Tag, beside, compared, nearest
from vaecore.models import FAMILIES
from vaecore.nets.mlp import MLPConfig
from vaecore.probability.likelihoods import LikelihoodChoice
from vaecore.probability.priors import PriorChoice
from vaecore.store import Store
from vaecore.studies import CLAIMS

GALLERY = Path(__file__).parents[1] / "trained"
BURDA = next(each for each in TABLE if each.value == -87.01)


def test_every_value_has_a_source_that_was_read() -> None:
    assert get_args(Tag) == ("S", "T") and len(TABLE) > 25
    for each in TABLE:
        assert each.tag in ("S", "T"), f"{each.model}: what is remembered is not printed"
        assert len(each.source) > 4 and "memory" not in each.source.lower() and each.setting.data
        assert each.quantity in TITLES and set(each.families) <= set(FAMILIES)
        assert set(each.like) <= set(DATASETS)
        assert each.setting.pixels in ("", *literature.PIXELS)
        assert each.families or each.claims, f"{each.model}, {each.value}: it would stand nowhere"
    assert len({(each.model, each.quantity, each.value, each.setting.data, each.setting.pixels) for each in TABLE}
               ) == len(TABLE), "a value stands once"


def kinds(union: object) -> set[str]:
    """The tags of a union's members."""
    members = get_args(get_args(union)[0])
    return {get_args(typing.get_type_hints(each)["kind"])[0] for each in members}


def test_settings_are_in_fields_that_runs_have() -> None:
    priors, likelihoods = kinds(PriorChoice), {*kinds(LikelihoodChoice), "gaussian-optimal"}
    theirs = {"learned", "Lars", "RealNVP", "N(0, I), or N fitted afterwards"}  # priors that there are none of here
    for each in TABLE:
        setting = each.setting
        assert set(setting.fields) <= set(MLPConfig.model_fields), each.model
        assert setting.prior in {"", "fitted", *priors, *theirs}, each.model
        assert setting.likelihood.split(",")[0] in {"", *likelihoods}, each.model
        assert setting.objective.split(",")[0] in {"", "ELBO", "IWAE", "MIWAE", "WAE", "ELBO with free bits"}
        assert each.quantity in {*NUMBERS, "mutual_information"}
        assert all(re.fullmatch(r"C\d+", claim) for claim in each.claims)
    assert tuple(literature.APPROACHES) == APPROACHES
    assert {name for names in literature.APPROACHES.values() for name in names} == set(literature.SINGLE_CODE) | {"ica"}


def test_likelihoods_are_log_p_and_not_its_negative() -> None:
    for each in TABLE:
        if each.quantity in literature.LIKELIHOODS and (
                each.setting.pixels.startswith("binary") or (each.setting.data == "mnist" and not each.setting.pixels)):
            assert -120 < each.value < -70, f"{each.model}: of binary digits log p(x) is negative"
    by_sigma = {each.model: each.value for each in TABLE if each.setting.pixels == "grey" and each.quantity == "log_p"}
    assert by_sigma == {"VAE, sigma fixed at 1": -740.5, "VAE, the best beta": 796.2, "VAE, one shared sigma": 896.1,
                        "VAE, a sigma a pixel": 2_895.0}, "a density of better fitted sigma is larger"
    bounds = [each for each in TABLE if each.bound]
    assert bounds and all(each.quantity == "log_p" and each.said().startswith("≥ ") for each in bounds)
    ladder = {each.quantity: each.value for each in TABLE if each.model == "Ladder VAE, 12 layers"}
    assert ladder == {"elbo": -80.50, "log_p": -78.30} and ladder["elbo"] < ladder["log_p"]


def test_what_is_only_remembered_is_not_in_the_table() -> None:
    remembered = {82.38, 81.30, 89.59, 86.64, 86.3, 90.6, 78.01, 107.25, 108.09}  # tagged M in our notes
    assert not remembered & {abs(each.value) for each in TABLE}
    assert not re.search(r"[\"']M[\"']|\[M\]", Path(literature.__file__).read_text())


def test_the_same_setting_is_said_to_be_the_same() -> None:
    here = Ours("vae", replace(BURDA.setting, network="mlp 200-200 tanh"), {"log_p": -87.5})
    first, *_ = compared(here)
    assert first.published is BURDA and first.differs == () and first.words == "Same setting." and first.ours == -87.5


def test_each_field_that_differs_is_said() -> None:
    for change, words in (
            ({"pixels": "grey"}, "pixels binary, drawn anew at each visit (here grey)"),
            ({"fields": {"kind": "conv"}, "network": "conv 32"}, "network 784-200-200-50, tanh (here conv 32)"),
            ({"latents": 16}, "code of 50 (here 16)"), ({"samples": 500}, "K = 5,000 (here 500)"),
            ({"observations": 1_000}, "all test observations (here the first 1,000)"),
            ({"batch": 100}, "batch of 20 (here 100)"), ({"prior": "vamp"}, "prior standard (here vamp)"),
            ({"objective": "IWAE, 5 samples"}, "trained by ELBO (here IWAE, 5 samples)"),
            ({"likelihood": "laplace"}, "p(x|z) bernoulli (here laplace)"),
            ({"epochs": 8}, "epochs 3,280 (here 8)")):
        found = next(each for each in compared(Ours("vae", replace(BURDA.setting, **change), {"log_p": -90.0}))
                     if each.published is BURDA)
        assert found.differs == (words,) and found.words == f"Not the same setting: {words}."


def test_a_density_and_other_features_are_said_to_be_others() -> None:
    grey = Ours("vae", Setting("mnist", "grey", likelihood="bernoulli", features="our own classifier"),
                {"log_p": -80.0, "frechet": 60.0})
    found = {each.published.model: each.words for each in compared(grey)}
    assert any("p(x|z) gaussian" in words and "(here bernoulli)" in words for words in found.values())
    drawn = compared(replace(grey, values={"frechet": 60.0}))
    assert drawn and all("features of Inception" in each.words and "(here our own classifier)" in each.words
                         for each in drawn)


def test_nothing_is_beside_other_data_families_or_quantities() -> None:
    assert compared(Ours("vae", replace(BURDA.setting, data="omniglot"), {"log_p": -90.0})) == []
    assert compared(Ours("pca", BURDA.setting, {"log_p": -90.0})) == []
    assert compared(Ours("vae", BURDA.setting, {})) == []
    assert compared(Ours("sentence-vae", Setting("synthetic-text"), {"perplexity": 39.0})) == [], "it is no English"
    text = compared(Ours("sentence-vae", Setting("sentences"), {"perplexity": 39.0}))
    assert text and all("data " in each.words for each in text)


def test_what_a_perplexity_is_of_and_the_network_of_sentences_are_said() -> None:
    said = next(each.words for each in beside(Store(GALLERY).find("sentences-cyclical")))
    assert "network two-layer LSTM (here one-layer LSTM, 160 units)" in said
    assert "perplexity from log p(x) by importance sampling (here from the ELBO)" in said
    exact = compared(Ours("language-model", Setting("sentences"), {"perplexity": 39.0}))
    assert exact and not any("perplexity from" in each.words for each in exact), "both are of log p(x) itself"
    table = literature.rows(literature.of_claim("C27"))
    assert all(("perplexity from log p(x) by importance sampling" in row["setting"]) is row["model"].startswith((
        "VAE", "Semi")) for row in table)


def test_shipped_runs_stand_beside_what_was_published() -> None:
    store = Store(GALLERY)
    found = beside(store.find("vae-binary"))
    assert found[0].published is BURDA and round(found[0].ours, 2) == -88.41
    assert {words.split(" ")[0] for words in found[0].differs} == {"epochs", "batch"}, "both are of all test images"
    assert beside(store.find("svg-lp-mnist")) and beside(store.find("svg-lp-characters")) == [], "of walking characters"
    assert beside(store.find("pca")) == [] and beside(store.find("mvae")) == []
    assert all(each.differs for run in store.gallery() for each in beside(run)), "none is of the same setting"


def test_same_setting_is_said_of_a_run_only_where_all_that_matters_was_said_and_agrees() -> None:
    for each in TABLE:
        if each.families and each.quantity in literature.LIKELIHOODS:
            here = Ours(each.families[0], each.setting, {each.quantity: each.value})
            told = next(one for one in compared(here) if one.published is each)
            whole = bool(each.setting.fields and each.setting.latents and each.setting.samples)
            assert told.same is (whole and not each.bound), f"{each.model}: {told.words}"
    assert [each.model for each in TABLE if each.quantity == "log_p" and each.setting.fields and each.tag == "S"] == [
        "VAE", "VAE, 5 samples", "VAE, 64 samples", "IWAE, 5 samples", "IWAE, 64 samples", "MIWAE, 8 of 8 samples"]


@pytest.mark.parametrize(("model", "training", "said"), [
    ({}, {}, "ELBO"), ({"n_samples": 5}, {}, "ELBO, 5 samples"),
    ({"bound": {"kind": "iwae", "samples": 50}}, {}, "IWAE, 50 samples"), ({"bound": {"kind": "elbo"}}, {}, "ELBO"),
    ({"divergence": {"kind": "mmd"}}, {}, "WAE"),
    ({}, {"beta": {"kind": "constant", "value": 4.0}}, "ELBO, weighed KL"),
    ({}, {"kl": {"kind": "free-bits", "nats": 0.1}}, "ELBO, weighed KL"), ({}, {"kl": {"kind": "plain"}}, "ELBO"),
    ({}, {"beta": {"kind": "linear", "end": 1.0}}, "ELBO"), ({}, {"kl": 3, "beta": "x"}, "ELBO")])
def test_what_is_maximised_is_said_in_the_words_of_the_table(model: dict[str, object], training: dict[str, object],
                                                             said: str) -> None:
    assert literature._objective({"family": "vae", **model}, training) == said


def test_a_few_of_each_quantity_are_the_nearest() -> None:
    found = compared(Ours("vae", replace(BURDA.setting, samples=500), {"log_p": -90.0, "frechet": 30.0}))
    few = nearest(found)
    assert [each.published.quantity for each in few] == ["log_p"] * 3 + ["frechet"] * 3 and len(found) > 20
    assert few[0] == found[0] and few[0].published is BURDA


def test_what_stands_beside_a_claim_and_an_approach() -> None:
    read = {claim: literature.of_claim(claim) for claim in (*CLAIMS, "C24", "C25")}
    assert {"C7", "C13", "C16", "C17", "C19", "C24", "C25"} <= {claim for claim, found in read.items() if found}
    after = {each.model: each.value for each in read["C24"] if each.setting.data == "mnist"}
    for model in ("VAE", "WAE", "AE", "RAE-L2"):
        assert after[f"{model}, 10 Gaussians fitted afterwards"] < after[model]
    cyclical = {(row["model"], row["data"]): row for row in literature.rows(read["C16"])}
    line = cyclical["VAE, cyclical annealing", "PTB"]
    assert (line["perplexity"], line["mutual information, nats"], line["active dimensions"]) == ("108.81", "1.27", "5")
    there = literature.of_approaches({"name": "mnist", "pixels": "binary-fixed"})
    assert tuple(there) == APPROACHES and not there["independent components"]
    assert there["autoregressive"][0].setting.pixels == "binary-fixed"
    assert there["energy-based"] and there["variational autoencoder"]
    assert not any(literature.of_approaches({"name": "digits"}).values()) and not any(
        literature.of_approaches(None).values())


def test_python_has_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(GALLERY))
    found = vaecore.published("gallery/vae-binary")
    assert found == beside(Store(GALLERY).find("vae-binary"))
    told = found[0].as_dict()
    assert told["value"] == -87.01 and told["same_setting"] is False and told["tag"] == "S" and told["differs"]
    assert told["setting"]["network"] == "784-200-200-50, tanh" and round(told["ours"], 2) == -88.41
    assert any(line.startswith("log p(x): −88.41 nats here; published −87.01 nats, VAE") for line in
               literature.lines(found))


def test_what_is_known_given_a_label_is_not_set_beside_log_p_as_if_it_were() -> None:
    run = Store(GALLERY).find("gallery/vae-conditional")
    found = [each for each in beside(run) if each.published.quantity == "log_p"]
    assert found and all(each.title == "log p(x|u)" and "of p(x) (here p(x|u))" in each.differs for each in found)
    others = beside(Store(GALLERY).find("gallery/vae-binary"))
    assert {each.title for each in others if each.published.quantity == "log_p"} == {"log p(x)"}


def test_a_repeated_value_names_the_paper_that_has_it() -> None:
    """The README of the repeater has no value of 64 samples under Burda et al.: their table ends at 50."""
    papers = {each.model: {"Burda" in other.source for other in TABLE if other.model == each.model}
              for each in TABLE if "yoonholee" in each.source}
    assert papers["IWAE, 64 samples"] == papers["MIWAE, 8 of 8 samples"] == papers["VAE, 64 samples"] == {False}
    assert papers["IWAE, 5 samples"] == {True}
