"""Claims on several modalities in small, and the rules by which they are judged; whole they are C4 to C8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from vaecore.config import differences
from vaecore.evaluate.parts.coherence import Coherence, Subset
from vaecore.probability.gaussian import DiagonalGaussian, gaussian_kl
from vaecore.studies import c04_product, c05_marginals, c06_unpaired, c07_jmvae, c08_swap

# -- C4 --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_trained_product_is_the_posterior_of_every_subset(trainer: Callable[..., Any]) -> None:
    config = c04_product.configuration(epochs=60, samples=8_000)
    made, _ = trainer(config.model_dump(mode="json"), run=True)
    table = c04_product.table_of(made.model.eval(), config)
    assert [row["given"] for row in table][:4] == ["block 1", "block 2", "block 3", "block 1 + block 2"]
    assert len(table) == 7
    for row in table:
        assert float(row["error of the precision"]) < 0.04 and float(row["error of the mean"]) < 0.04
        assert float(row["error from the true precision"]) < 0.2  # a weak block's, from few samples


def test_the_exact_posterior_is_that_of_the_joint_gaussian() -> None:
    generator = np.random.default_rng(0)
    w, b, x = (generator.standard_normal(shape) for shape in ((2, 3), (2, 3), (2, 5, 3)))
    mean, precision = c04_product.exact(list(w), list(b), list(x), 0.6)
    stacked = w.reshape(-1)
    covariance = np.outer(stacked, stacked) + 0.36 * np.eye(6)
    gain = stacked @ np.linalg.inv(covariance)
    np.testing.assert_allclose(mean, (x - b[:, None]).transpose(1, 0, 2).reshape(5, 6) @ gain, atol=1e-10)
    assert 1 / precision == pytest.approx(1 - gain @ stacked)


# -- C5 --------------------------------------------------------------------------------------------


def test_c5_differs_in_the_marginal_terms_alone() -> None:
    found = differences(c05_marginals.configuration(settings) for settings in c05_marginals.MODELS.values())
    assert found == {"model.posterior.marginals": [True, False]}


def test_crossed_names_the_direction() -> None:
    subsets = [Subset(given=["image"], coherence={"label": 0.9}, observations=5),
               Subset(given=["label"], coherence={"image": 0.8}, observations=5)]
    found = Coherence(subsets=subsets, ceiling={"image": 0.97, "label": 1.0}, chance=0.1, observations=5, seed=0)
    row = c05_marginals.crossed(found)
    assert (row["image -> label"], row["label -> image"]) == (0.9, 0.8)
    assert (row["ceiling of label"], row["ceiling of image"], row["joint"]) == (1.0, 0.97, -1.0)


# -- C6 --------------------------------------------------------------------------------------------


def test_c6_tears_the_training_set_and_leaves_the_rest() -> None:
    whole, torn = c06_unpaired.configuration(c06_unpaired.ALL, 2), c06_unpaired.configuration("MVAE", 2)
    assert torn.data.model_dump()["missing"] == {"kind": "pairing", "paired": 0.01, "seed": 2}
    assert whole.seed == torn.seed == 2
    assert whole.training.epochs == 2 * torn.training.epochs, "torn, there are twice as many observations"
    made = [c06_unpaired.configuration(f"JMVAE, alpha {alpha:g}") for alpha in c06_unpaired.ALPHAS]
    assert {each.model.model_dump()["posterior"]["kind"] for each in made} == {"joint"}
    assert differences(made) == {"model.posterior.alpha": list(c06_unpaired.ALPHAS)}


# -- C7 --------------------------------------------------------------------------------------------


def test_the_gap_is_of_the_joint_posterior_from_each(trainer: Callable[..., Any]) -> None:
    config = c07_jmvae.configuration(0.1, ["training.epochs=1", "data.train_limit=200"])
    made, _ = trainer(config.model_dump(mode="json"))
    batch, model = made.feed.first(20), made.model.eval()
    with torch.no_grad():
        parts = (batch, {"image": batch["image"]}, {"label": batch["label"]})
        joint, *ones = (model.encode(part)["z"] for part in parts)
        assert isinstance(joint, DiagonalGaussian)
        expected = sum(float(gaussian_kl(joint, q).sum(1).mean()) for q in ones)
    assert c07_jmvae.gap(model, batch) == pytest.approx(expected)


# -- C8 --------------------------------------------------------------------------------------------


def test_c8_compares_the_same_networks_and_training() -> None:
    ours, one, alone = (c08_swap.configuration(name) for name in c08_swap.MODELS)
    assert set(differences([ours, alone])) == {"model.cross"}
    assert ours.data == one.data and ours.training == one.training and ours.model.networks == one.model.networks
