"""Directions: local ones against autograd's Jacobian, those between groups against plain means and counted pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.explore.directions import VISIBLE, attribute, auc, jacobian, local
from vaecore.explore.surface import surface
from vaecore.models import MultimodalVAEConfig, VAEConfig
from vaecore.models.base import Family
from vaecore.nets import ConvConfig, MLPConfig


def vae(kind: str) -> Family:
    torch.manual_seed(2)
    network = ConvConfig() if kind == "conv" else MLPConfig(hidden=(32,))
    size = 16 if kind == "conv" else 8
    return VAEConfig(latent_size=4, network=network).build({"image": Modality("image", (1, size, size))}).eval()


@pytest.mark.parametrize("kind", ["conv", "mlp"])
def test_they_are_the_singular_vectors_of_autograds_jacobian(kind: str) -> None:
    model, z = vae(kind), torch.tensor([0.3, -1.0, 0.7, 2.0])
    wanted = torch.func.jacrev(lambda code: model.decode({"z": code[None]})["image"].mean.flatten())(z).detach()
    f = surface(model, "z")
    torch.testing.assert_close(jacobian(f, z), wanted, atol=1e-5, rtol=1e-4)
    found = local(f, z.numpy(), 3)
    _, values, rows = torch.linalg.svd(wanted.double(), full_matrices=False)
    np.testing.assert_allclose(found.values, values[:3].numpy(), rtol=1e-4)
    np.testing.assert_allclose(np.abs((found.vectors * rows[:3].numpy()).sum(1)), 1, atol=1e-3)
    assert (found.vectors[np.arange(3), np.abs(found.vectors).argmax(1)] > 0).all()
    assert all(p.grad is None for p in model.parameters())


def test_a_value_is_how_far_the_picture_moves() -> None:
    f, z = surface(vae("mlp"), "z"), np.array([0.3, -1.0, 0.7, 2.0], np.float32)
    found = local(f, z)
    assert len(found.values) == 4 and (np.diff(found.values) <= 0).all()
    for vector, value in zip(found.vectors, found.values, strict=True):
        with torch.inference_mode():
            low, high = f(torch.from_numpy(np.stack([z - 0.01 * vector, z + 0.01 * vector])))
        assert float((high - low).norm()) / 0.02 == pytest.approx(value, rel=0.02)


def linear(z: Tensor) -> Tensor:
    """Stretches by 50, 10 and 1 along the axes, into 400 numbers."""
    return torch.cat([z * torch.tensor([10.0, 50.0, 1.0]), torch.zeros(len(z), 397)], 1)


def test_one_unit_of_a_slider_is_seen_and_leaves_no_scale() -> None:
    found = local(linear, np.zeros(3, np.float32))
    np.testing.assert_allclose(found.vectors, [[0, 1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(found.values, [50, 10, 1], rtol=1e-5)
    seen = VISIBLE * 20  # root mean square over 400 numbers
    np.testing.assert_allclose(found.steps, [seen / 50, seen / 10, 1], rtol=1e-5)
    narrow = local(linear, np.zeros(3, np.float32), unit=np.array([0.01, 1, 1], np.float32))
    np.testing.assert_allclose(narrow.steps, [seen / 50, 0.01, 1], rtol=1e-5)


def test_a_slider_does_not_turn_round_as_the_code_moves_on() -> None:
    """Along a way on which the largest component changes its sign, and two values change their order."""
    f = surface(vae("mlp"), "z")
    a, b = np.array([-3, 2, 1, -2], np.float32), np.array([3, -2, 2, 1], np.float32)
    before = local(f, a, 4)
    for t in np.linspace(0, 1, 200)[1:]:
        now = local(f, ((1 - t) * a + t * b).astype(np.float32), 4, like=before)
        turned = (now.vectors * before.vectors).sum(1)
        assert (turned > 0).all(), t
        before = now


def test_of_several_modalities_each_has_its_own() -> None:
    torch.manual_seed(0)
    modalities = {"left": Modality("image", (1, 8, 8)), "right": Modality("vector", (5,))}
    model = MultimodalVAEConfig(latent_size=3).build(modalities).eval()
    z = torch.tensor([0.1, 0.5, -0.4])
    [latent] = model.latents
    for name in modalities:
        wanted = torch.func.jacrev(lambda code, name=name: model.decode({latent: code[None]})[name].mean.flatten())(z)
        found = jacobian(surface(model, latent, [name]), z)
        torch.testing.assert_close(found, wanted.detach(), atol=1e-5, rtol=1e-4)
    assert jacobian(surface(model, latent), z).shape == (64 + 5, 3)


# -- between groups --------------------------------------------------------------------------------


def test_a_direction_between_two_groups() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 3)).astype(np.float32) + np.float32([2, 0, 0])
    b = rng.normal(size=(40, 3)).astype(np.float32)
    found = attribute(a, b, "A less B")
    np.testing.assert_allclose(found.vector, a.mean(0) - b.mean(0), atol=1e-6)
    assert found.counts == (60, 40) and not found.in_sample
    assert found.auc == pytest.approx(0.92, abs=0.04)  # Phi(2 / sqrt(2))
    assert "60 codes less that of 40" in found.words and "was not made of" in found.words
    other = attribute(b, a, "B less A")
    np.testing.assert_allclose(other.vector, -found.vector, atol=1e-6)


def test_what_cannot_be_told_apart_is_told_so_on_codes_held_out() -> None:
    """In 60 dimensions 12 codes can always be separated in sample."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 12, 60)).astype(np.float32)
    assert auc(a @ (a.mean(0) - b.mean(0)), b @ (a.mean(0) - b.mean(0))) > 0.95
    assert attribute(a, b, "noise").auc == pytest.approx(0.5, abs=0.2)


def test_of_three_codes_it_is_said_to_be_in_sample() -> None:
    a, b = np.float32([[1, 0], [2, 0], [3, 1]]), np.float32([[0, 0], [0, 1], [0, 2], [1, 1]])
    found = attribute(a, b, "few")
    assert found.in_sample and "very codes" in found.words
    for first, second in ((np.empty((0, 2), np.float32), b), (a, np.empty((0, 2), np.float32))):
        with pytest.raises(ValueError, match="has no code"):
            attribute(first, second, "none")
    with pytest.raises(ValueError, match="the same mean"):
        attribute(a, a, "same")


def test_auc_counts_pairs() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 6, 30).astype(float), rng.integers(0, 5, 20).astype(float)
    pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x, y in itertools.product(a, b)]
    assert auc(a, b) == pytest.approx(np.mean(pairs))
