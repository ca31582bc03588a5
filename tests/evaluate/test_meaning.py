"""T6 and several modalities: what a number is, and numbers of each modality under its own name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vaecore.data import Modality
from vaecore.evaluate.conditional import conditional_likelihoods
from vaecore.evaluate.families import measured
from vaecore.evaluate.kept import evaluations
from vaecore.evaluate.meaning import (
    ACTIVE,
    by_modality,
    evidence_meaning,
    explained,
    likelihood_meaning,
    perplexities,
)
from vaecore.models import MultimodalVAEConfig, MVAEConfig
from vaecore.nets.mlp import LinearConfig
from vaecore.nets.modal import ModalNetworks
from vaecore.store import Store
from vaecore.studies.columns import COLUMNS
from vaecore.training import ACTIVE as THRESHOLD

GALLERY = Path(__file__).parents[2] / "trained"
MADE = {"exact": True, "has_kl": False, "pixels": "binary-dynamic", "likelihood_name": "bernoulli"}
VAE = {**MADE, "exact": False, "has_kl": True}
Z = {"log_z": {"value": 341.0, "standard_error": 0.2}}


# -- T6 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("facts", "evidence", "likelihood"), [
    (MADE, "exact", "exact"), ({**MADE, "pixels": "grey"}, "no log p", "no log p"),
    ({**MADE, **Z}, "estimate", "estimate"),
    ({**MADE, "log_z": {"value": 3.0, "standard_error": 0.0}}, "exact", "exact"),  # an enumerated normaliser
    (VAE, "bound", "estimate"), ({**VAE, "pixels": "grey"}, "bound", "no log p"),
    ({**VAE, "pixels": "grey", "likelihood_name": "gaussian"}, "bound", "estimate"),
    ({**MADE, "pixels": None, "grey_pixels": True}, "no log p", "no log p"),
    ({**MADE, "has_kl": False, "exact": False}, "no log p", "estimate")])
def test_T6_exactness_belongs_to_family_pixels_and_log_z(facts: dict[str, Any], evidence: str, likelihood: str) -> None:
    assert (evidence_meaning(facts).kind, likelihood_meaning(facts).kind) == (evidence, likelihood)


def test_what_active_means_is_said_once_with_the_threshold_that_counts() -> None:
    """Columns of claims said it without the clause on priors of their own."""
    assert ACTIVE.count(f" {THRESHOLD:g} ") == 2 and COLUMNS["active"] == ACTIVE


def test_T6_the_error_of_log_z_is_in_the_interval() -> None:
    """Two independent errors add in quadrature: 95 % of a sum of Gaussians."""
    found = explained({**MADE, **Z, "likelihood": {"log_likelihood": -100.0, "standard_error": 0.3,
                                                   "interval": [-100.6, -99.4], "samples": 0}})
    low, high = found["likelihood"]["interval"]
    assert found["likelihood"]["standard_error"] == pytest.approx(math.sqrt(0.3**2 + 0.2**2))
    assert (high - low) / 2 == pytest.approx(math.hypot(0.6, 1.959964 * 0.2))
    assert explained(found) == found  # and is not added again when it is read back


def test_T6_the_shipped_machine_is_not_called_exact() -> None:
    run = Store(GALLERY).find("gallery/rbm")
    [shipped] = [e for e in json.loads((run.path / "evaluation.json").read_text()) if "likelihood" in e][-1:]
    found = evaluations(run)[-1]
    assert found["meaning"]["likelihood"]["kind"] == "estimate" and "log Z" in found["meaning"]["likelihood"]["words"]
    (low, high), (before, after) = found["likelihood"]["interval"], shipped["likelihood"]["interval"]
    assert low <= before and high >= after
    assert measured(run).kind == "annealed" and measured(Store(GALLERY).find("gallery/made")).kind == "exact"


def test_T6_a_density_at_black_and_white_pixels_is_no_log_p() -> None:
    """FastICA's 174.7 nats of black and white digits stood as an exact log p(x) beside the -90 of a PixelCNN."""
    [found] = evaluations(Store(GALLERY).find("gallery/ica"))
    assert found["likelihood"]["log_likelihood"] > 0  # above what any probability can be
    for told in (found["meaning"]["likelihood"], found["meaning"]["evidence"]):
        assert told["kind"] == "no log p" and told["name"] == "log density"
    assert measured(Store(GALLERY).find("gallery/ica")).kind == "density"
    for name, pixels in (("independent sources", "grey"), ("bernoulli", "binary-dynamic")):
        assert likelihood_meaning({**found, "likelihood_name": name, "pixels": pixels}).kind == "exact"
    laplace = {"has_kl": True, "likelihood_name": "laplace", "pixels": "binary-fixed"}
    assert likelihood_meaning(laplace).kind == "no log p"


@pytest.mark.parametrize(("facts", "bounded"), [
    (VAE, "Lower bound on log p(x):"), ({**VAE, "conditional": True}, "Lower bound on log p(x|u):"),
    ({**VAE, "likelihood_name": "gaussian"}, "Lower bound on a log density at pixels that are 0 or 1"),
    ({**VAE, "pixels": "grey"}, "Lower bound on the mean log p of black and white draws")])
def test_T6_a_bound_says_of_what_it_is_one(facts: dict[str, Any], bounded: str) -> None:
    assert evidence_meaning(facts).words.startswith(bounded)


@pytest.mark.parametrize(("pixels", "kind"), [("grey", "no log p"), ("binary-fixed", "exact")])
def test_T6_an_evaluation_says_what_its_numbers_are(tmp_path: Path, pixels: str, kind: str) -> None:
    from tests.pages.demo import Unwatched
    from vaecore.config import changed, preset
    from vaecore.evaluate.report import evaluate_run
    from vaecore.evaluate.settings import Settings
    from vaecore.training import train

    config = changed(preset("made-mnist"), ["data.name=digits", f"data.pixels={pixels}", "training.epochs=1"])
    run = Store(tmp_path).create(config, "made")
    train(run.path, Unwatched())
    found = evaluate_run(run, Settings(parts=("likelihood",), observations=20))
    assert found["meaning"]["evidence"]["kind"] == found["meaning"]["likelihood"]["kind"] == kind
    assert found["grey_pixels"] is (pixels == "grey")


# -- several modalities ----------------------------------------------------------------------------


def labelled() -> Any:
    """A vector and a label from one z; the encoder of the vector is far off the truth, that of the label is not."""
    torch.manual_seed(0)
    model = MultimodalVAEConfig(latent_size=1, sigma=0.1, likelihoods={"x": "gaussian", "label": "categorical"},
                          networks=ModalNetworks(vector=LinearConfig()), posterior=MVAEConfig()).build(
                              {"x": Modality("vector", (4,)), "label": Modality("label", (3,))})
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3.0)
    return model.eval()


def test_log_p_of_a_label_is_the_softmax_averaged_over_the_code_and_never_above_0() -> None:
    model = labelled()
    generator = torch.Generator().manual_seed(1)
    batch = {"x": torch.randn(200, 4, generator=generator),
             "label": torch.eye(3)[torch.randint(3, (200,), generator=generator)]}
    found = conditional_likelihoods(model, [batch], 2_000).modalities["label"]
    with torch.no_grad():  # the same by Gauss-Hermite quadrature
        q = model.encode({"x": batch["x"]})["z"]
        places, weights = np.polynomial.hermite_e.hermegauss(80)
        z = q.mean + (0.5 * q.logvar).exp() * torch.tensor(places, dtype=torch.float32)  # (B, 80)
        p = torch.stack([model.decode({"z": z[:, [k]]})["label"].log_prob(batch["label"]).exp() for k in range(80)], 1)
        truth = (p.double() @ torch.tensor(weights / weights.sum())).log().mean()
    assert found.log_likelihood is not None and found.log_likelihood <= 0
    assert found.log_likelihood == pytest.approx(float(truth), abs=0.02)
    assert found.method == "averaged" and found.effective is None


def test_a_difference_above_what_any_code_could_give_is_refused() -> None:
    """sigma = 0.1 in 4 dimensions: no density of x is above -2 log(2 pi 0.01) = 5.53 nats. The label's encoder says
    z = -2, where its decoder calls the label impossible, so log p(label) is some 70 nats too low."""
    model = labelled()
    with torch.no_grad():
        for place, (mean, variance) in enumerate(((2.0, 1e-4), (-2.0, 0.02))):
            encoder = model.encoder.encoders[place][1]
            encoder.weight.zero_()
            encoder.bias[:] = torch.tensor([mean, math.log(variance)])
        decoder = model.decoders[1].network[0]
        decoder.weight[:], decoder.bias[:] = torch.tensor([[20.0], [-20.0], [0.0]]), 0.0
    batch = {"x": model.decode({"z": torch.full((50, 1), 2.0)})["x"].mean.detach(), "label": torch.eye(3)[[0] * 50]}
    found = conditional_likelihoods(model, [batch], 50).modalities["x"]
    assert found.ceiling == pytest.approx(-2 * math.log(2 * math.pi * 0.01))
    assert found.log_likelihood is None and found.warning.startswith("refused")


def test_few_effective_samples_are_told() -> None:
    model = labelled()
    batch = model_draws(model)
    few, many = (conditional_likelihoods(model, [batch], k).modalities["x"] for k in (9, 4_000))
    assert few.effective is not None and few.effective * 9 < 10 and "too high" in few.warning
    assert many.effective is not None and many.effective * 4_000 > 10 and "too high" not in many.warning


def model_draws(model: Any) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        p = model.decode({"z": torch.randn(50, 1, generator=generator)})
        return {name: p[name].sample(generator) for name in ("x", "label")}


def test_perplexity_is_of_each_text_and_overflows_nowhere() -> None:
    alone = {"elbo": -22.0, "reconstruction": {"text": -20.0}, "tokens": {"text": 11.0}}
    assert perplexities(alone) == {"text": pytest.approx(math.exp(2))}
    pair = {"elbo": -20_000.0, "reconstruction": {"image": -19_000.0, "en": -22.0, "de": -33.0},
            "tokens": {"en": 11.0, "de": 11.0}}
    assert perplexities(pair) == {"en": pytest.approx(math.exp(2)), "de": pytest.approx(math.exp(3))}
    assert perplexities({**alone, "elbo": -1e9}) == {"text": None}


def test_mse_of_several_modalities_is_named() -> None:
    assert by_modality("MSE", {"image": 0.5}) == {"MSE": 0.5}
    assert by_modality("MSE", {"image": 0.5, "speech": 3.0}) == {"MSE of image": 0.5, "MSE of speech": 3.0}


def test_runs_gives_each_modality_its_own_number_and_calls_no_finished_run_unreadable(tmp_path: Path) -> None:
    """An image with a caption: exp of the joint bound by the caption's tokens is beyond any number."""
    from vaecore.config import changed, preset
    from vaecore.library import record
    from vaecore.library.tables import facts

    run = Store(tmp_path).create(changed(preset("vae-digits"), []), "captions")
    (run.path / "summary.json").write_text(json.dumps({"epoch": 1, "test": {
        "elbo": -19_022.0, "reconstruction": {"image": -19_000.0, "caption": -20.0}, "kl": {"z": [2.0]}, "active": 1,
        "mse": {"image": 0.5, "label": 3.0}, "tokens": {"caption": 10.0}}}))
    row = facts(record(run))
    assert row["state"] != "unreadable" and row["by_modality"]["perplexity"] == {"caption": pytest.approx(math.exp(2))}
    assert row["by_modality"]["mse"] == {"image": 0.5, "label": 3.0}


@pytest.mark.parametrize(("run", "word"), [("vae", "ELBO"), ("made", "log p(x)"), ("rbm", "log p(x)"),
                                           ("ae", "log p(x|z)"), ("pca", "log p(x|z)")])
def test_M6_each_family_says_its_own_word_and_one_sign(run: str, word: str) -> None:
    from pages.shared import history
    from pages.shared.headline import bound_name
    from vaecore.comparison.history import curves_table, panels
    from vaecore.lab.progress import evaluation_line
    from vaecore.library import record as listed
    from vaecore.library.headline import headline

    found = Store(GALLERY).find(f"gallery/{run}")
    test = found.summary()["test"]
    key = {"ELBO": "elbo", "log p(x)": "log_p", "log p(x|z)": "log_p_given_z"}[word]
    numbers = listed(found).numbers
    assert numbers[key].value == pytest.approx(test["elbo"]) and ("elbo" in numbers) == (word == "ELBO")
    assert (bound_name(headline(found)), headline(found).bound) == (f"Test {word}", test["elbo"])
    line = evaluation_line({"epoch": 1.0, **test}, found.about().get("exact") is True)
    assert f"validation {word} " in line and ("KL" in line) == (word == "ELBO") and "-ELBO" not in line
    record = history.record(found)
    charts = {panel.title: panel for panel in panels({run: record})}
    assert word in charts and len({"ELBO", "log p(x)", "log p(x|z)"} & set(charts)) == 1
    if len(record.evaluations["step"]):
        assert charts[word].series[-1].y[-1] == pytest.approx(-record.evaluations["neg_elbo"][-1])
        assert curves_table({run: record}).rows[-1][key] == charts[word].series[-1].y[-1]


def test_M7_flattening_is_judged_per_doubling_and_by_effective_samples() -> None:
    from vaecore.evaluate.parts.likelihood import flattening

    for factor in (2, 5):  # the same slope, whatever the last factor of K
        assert "has flattened" in flattening(100, 100 * factor, 0.04 * math.log2(factor), 0.5)
        assert "would go on" in flattening(100, 100 * factor, 0.06 * math.log2(factor), 0.5)
    assert "may still rise" in flattening(100, 500, 0.01, 0.01)
