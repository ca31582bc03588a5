"""What an evaluation says: exact means, whatever the batches."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.runs import Make, small
from vaecore.data import SPLITS, Dataset, Split
from vaecore.modalities import Modality
from vaecore.models import MultimodalVAEConfig, MVAEConfig
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal
from vaecore.training import validation
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

CPU = torch.device("cpu")


@pytest.mark.parametrize("family", [
    {"family": "ae", "latent_size": 3, "network": {"kind": "mlp", "hidden": [16]}},
    {"family": "vae", "latent_size": 3, "network": {"kind": "mlp", "hidden": [16]},
     "likelihood": {"kind": "gaussian-learned"}}], ids=["ae", "vae"])
def test_evaluation_is_an_exact_mean_whatever_the_batches(trainer: Make, monkeypatch: pytest.MonkeyPatch,
                                                          family: dict[str, Any]) -> None:
    made, dataset = trainer({**small(), "model": family}, run=True)
    feed = Feed(dataset, "validation", CPU)
    x = feed.all()["image"]
    found = []
    for size in (250, 100, 7):  # 250 observations: the last batches hold 250, 50 and 5
        monkeypatch.setattr(validation, "EVALUATED_AT_ONCE", size)
        found.append(evaluate(made.model, feed, seed=3))
    with torch.no_grad():
        code = made.model.encode({"image": x})["z"]
        p = made.model.decode({"z": code.mean})["image"]
        mse = (p.mean - x).double().square().mean().item()
        log_prob = p.log_prob(x).double().mean().item()
    for result in found:
        assert result.observations == 250
        assert result.mse["image"] == pytest.approx(mse, rel=1e-5)
        assert result.code_mean["z"] == pytest.approx(code.mean.double().mean(0).tolist(), rel=1e-4, abs=1e-6)
        variances = code.mean.double().var(0, unbiased=False)
        assert result.code_variance["z"] == pytest.approx(variances.tolist(), rel=1e-4)
        assert result.active == int((variances > 0.01).sum())
        if family["family"] == "ae":
            assert result.elbo == result.reconstruction["image"] == pytest.approx(log_prob, rel=1e-5)
            assert result.kl == {}
        else:
            kl = 0.5 * (code.mean**2 + code.logvar.exp() - code.logvar - 1).double().mean(0)
            assert result.kl["z"] == pytest.approx(kl.tolist(), rel=1e-4)
            assert result.elbo == pytest.approx(result.reconstruction["image"] - kl.sum().item(), rel=1e-5)


def test_evaluation_draws_the_same_noise_each_time(trainer: Make) -> None:
    made, dataset = trainer(small(), run=True)
    feed = Feed(dataset, "validation", CPU)
    state = torch.random.get_rng_state()
    first = evaluate(made.model, feed, seed=5)
    torch.rand(3)
    made.generator.manual_seed(77)
    assert evaluate(made.model, feed, seed=5) == first
    assert evaluate(made.model, feed, seed=6).elbo != first.elbo
    torch.random.set_rng_state(state)


def test_active_counts_dimensions_whose_code_moves(trainer: Make) -> None:
    made, dataset = trainer(small({"network": {"kind": "linear"}}))
    feed = Feed(dataset, "validation", CPU)
    x = feed.all()["image"].flatten(1)
    head = made.model.encoder[1]
    with torch.no_grad():
        head.weight.zero_()
        head.weight[0, 20] = 0.0101**0.5 / x[:, 20].std(unbiased=False)
        head.weight[1, 20] = 0.0099**0.5 / x[:, 20].std(unbiased=False)
        head.bias[2] = 5.0  # far from the prior's mean, and constant: not active
    assert evaluate(made.model, feed, seed=0).active == 1


def test_information_is_that_of_the_first_observations(trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made, dataset = trainer(small(epochs=30, learning_rate=0.01, beta={"kind": "constant", "value": 0.1}), run=True)
    feed = Feed(dataset, "validation", CPU)
    whole = evaluate(made.model, feed, seed=3)
    assert whole.information["z"].observations == 250
    assert whole.information["z"].rate == pytest.approx(sum(whole.kl["z"]), rel=1e-5)
    assert 1 < whole.information["z"].mutual_information < math.log(250)
    with torch.no_grad():
        rates = made.model.encode({"image": feed.all()["image"]})["z"].kl_from_standard().sum(1)
    monkeypatch.setattr(validation, "DIAGNOSED", 100)
    for size in (250, 60, 7):  # observations at a time: more than are looked at, and batches that end between
        monkeypatch.setattr(validation, "EVALUATED_AT_ONCE", size)
        found = evaluate(made.model, feed, seed=3)
        assert found.information["z"].observations == 100
        assert found.information["z"].rate == pytest.approx(rates[:100].mean().item(), rel=1e-5)
        assert found.kl["z"] == pytest.approx(whole.kl["z"], rel=1e-5)  # everything else is of all of them
    line = whole.as_dict()
    assert line == json.loads(json.dumps(line, allow_nan=False))
    assert line["information"]["z"]["mutual_information"] == whole.information["z"].mutual_information
    assert line["tokens"] == {}


def test_an_autoencoder_has_no_information(trainer: Make) -> None:
    made, dataset = trainer(small({"family": "ae"}))
    assert evaluate(made.model, Feed(dataset, "validation", CPU), seed=3).information == {}


def test_a_last_batch_of_one_has_no_distance_from_the_prior(trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made, dataset = trainer(small({"divergence": {"kind": "mmd"}}))
    feed = Feed(dataset, "validation", CPU)
    monkeypatch.setattr(validation, "EVALUATED_AT_ONCE", 249)  # of 250 observations
    alone = evaluate(made.model, feed, seed=3).divergence
    assert alone is not None and math.isfinite(alone)
    with torch.no_grad():
        batch, generator = feed.first(249), torch.Generator().manual_seed(3)
        posteriors = made.model.eval().encode(batch)
        made.model.evidence(batch, posteriors, generator)
        assert alone == pytest.approx(float(made.model.divergence(batch, posteriors, generator)), rel=1e-4)


@pytest.mark.parametrize("components", [1, 2])
def test_t7_a_code_that_follows_its_prior_is_not_active(trainer: Make, components: int) -> None:
    """q(z|x, u) = p(z|u) in the first dimension: its mean varies with the label, costs nothing and tells nothing."""
    made, dataset = trainer(small({"latent_size": 2, "prior": {"kind": "conditional", "components": components}}))
    model = made.model
    feed = Feed(dataset, "validation", CPU)
    before = model.posterior
    found = model.prior(feed.all())["z"]
    with torch.no_grad():
        prior = model.latent_prior.network[-1]
        prior.weight.mul_(20)  # means that vary from label to label

    def follows(x: torch.Tensor, u: torch.Tensor | None = None) -> DiagonalGaussian:
        q, p = before(x, u), model.latent_prior(before, u, CPU)
        mean = p.mean if components == 1 else p.expected
        logvar = p.logvar if components == 1 else torch.zeros_like(mean)
        apart = torch.stack([torch.zeros(len(x)), x.flatten(1).mean(1) * 20], 1)
        return DiagonalGaussian(mean + apart, logvar.expand_as(q.mean))

    model.posterior = follows
    told = evaluate(model, feed, seed=0)
    assert min(told.code_variance["z"]) > 0.01, "both means vary"
    assert told.activity["z"][0] < 1e-4 < 0.01 < told.activity["z"][1] and told.active == 1
    assert len(told.kl["z"]) == (2 if components == 1 else 1) and found is not None


def test_t7_under_one_prior_activity_is_the_variance_of_the_means(trainer: Make) -> None:
    made, dataset = trainer(small(), run=True)
    found = evaluate(made.model, Feed(dataset, "validation", CPU), seed=3)
    assert found.activity == found.code_variance


def test_t4_several_latents_that_say_the_same_are_informative_once() -> None:
    """Two latents that are one, z = w = x + noise: together log(1 + 2 / s^2) / 2, not twice log(1 + 1 / s^2) / 2."""
    x = torch.randn(2000, 1, generator=torch.Generator().manual_seed(1002))
    q = DiagonalGaussian(x, torch.full_like(x, 2 * math.log(0.5)))
    found = validation._joint({"z": [q], "w": [q]}, {"z": StandardNormal(1), "w": StandardNormal(1)},
                              torch.Generator().manual_seed(0))
    assert found == pytest.approx(0.5 * math.log(1 + 2 / 0.25), abs=0.05)
    assert validation._joint({"z": [q]}, {"z": StandardNormal(1)}, torch.Generator()) is None


def test_a_modality_that_no_observation_has_has_no_error() -> None:
    """An MSE of 0 would be the best there is."""
    model = MultimodalVAEConfig(latent_size=2, posterior=MVAEConfig()).build(
        {name: Modality("vector", (3,)) for name in "ab"})
    rows = np.ones((6, 3), np.float32)
    for there, expected in (([True, False], {"a"}), ([True, True], {"a", "b"})):
        split = Split({"a": rows, "b": rows * there[1]}, observed=np.tile(there, (6, 1)))
        feed = Feed(Dataset("made", "here", model.modalities, dict.fromkeys(SPLITS, split)), "validation", CPU)
        found = evaluate(model, feed, seed=0).mse
        assert found.keys() == expected and all(value > 0 for value in found.values())
