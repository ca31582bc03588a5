"""Facts of latents: those of a checkpoint of one modality are its own, and of several each latent has its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vaecore.explore import Checkpoint
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.latents import latents
from vaecore.store import Store


@pytest.mark.parametrize("name", ["vae", "vae-conv-mixture", "ae"])
def test_of_one_latent_they_are_the_checkpoints(name: str) -> None:
    checkpoint = Checkpoint.load(Store.default().find(f"gallery/{name}"))
    [facts] = latents(checkpoint)
    assert (facts.name, facts.size, list(facts.order)) == ("z", checkpoint.size, checkpoint.order)
    codes = checkpoint.encode(slice(0, 5))
    np.testing.assert_array_equal(facts.units(codes), checkpoint.units(codes))
    np.testing.assert_allclose(facts.place(facts.units(codes)), codes, atol=1e-5)
    assert facts.standard == (name == "vae")
    assert (facts.kl is None) == (name != "vae")
    weight = facts.spread if facts.kl is None else facts.kl
    assert (np.diff(weight[list(facts.order)]) <= 0).all()


def test_of_several_latents_each_has_its_own() -> None:
    opened = CrossModal.load(Store.default().find("gallery/dmvae"))
    found = {facts.name: facts for facts in latents(opened)}
    assert {name: facts.size for name, facts in found.items()} == opened.model.latents
    kl = opened.run.summary()["validation"]["kl"]
    for name, facts in found.items():
        assert facts.kl is not None and facts.rate == pytest.approx(sum(kl[name]))
        np.testing.assert_array_equal(facts.kl, kl[name])
        assert facts.standard and (facts.centre == 0).all() and (facts.unit == 1).all()
        np.testing.assert_allclose(facts.spread, opened.scores()[name].std(0))
    assert sum(facts.active.sum() for facts in found.values()) == opened.run.summary()["validation"]["active"]


def test_without_a_prior_units_are_those_of_the_codes() -> None:
    opened = CrossModal.load(Store.default().find("gallery/jive"))
    for facts in latents(opened):
        codes = opened.scores()[facts.name]
        np.testing.assert_allclose(facts.units(codes).mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(facts.units(codes).std(0), 1, atol=1e-4)
        assert facts.kl is None and not facts.standard and facts.active.all()
    assert torch.is_inference_mode_enabled() is False
