"""Shortest paths on surfaces whose geodesics are known: plane, cylinder, flat torus, sphere, half-plane, revolution."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.explore.geodesics import SEGMENTS, lengths, shortest, ways
from vaecore.explore.surface import says_sigma, surface
from vaecore.models import VAEConfig
from vaecore.nets import MLPConfig
from vaecore.probability.likelihoods import GaussianPerPixelConfig

EXACT = {"rounds": 400, "enough": 1e-9}


def sphere(z: Tensor) -> Tensor:
    """Latitude and longitude to the unit sphere."""
    latitude, longitude = z.T
    return torch.stack([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()], 1)


def cylinder(z: Tensor) -> Tensor:
    return torch.stack([z[:, 0].cos(), z[:, 0].sin(), z[:, 1]], 1)


def torus(z: Tensor) -> Tensor:
    """Flat, in four dimensions."""
    return torch.cat([z.cos(), z.sin()], 1)


def half_plane(z: Tensor) -> Tensor:
    """Where y > 1 Poincaré's half-plane (dx^2 + dy^2) / y^2 is the surface of a pseudosphere, rolled up in x."""
    x, y = z.T
    return torch.stack([x.cos() / y, x.sin() / y, torch.arccosh(y) - (y.square() - 1).sqrt() / y], 1)


def vase(z: Tensor) -> Tensor:
    """A surface of revolution, of radius 2 + sin(height)."""
    angle, height = z.T
    radius = 2 + height.sin()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), height], 1)


def straight(a: list[float], b: list[float], segments: int = 32) -> Tensor:
    t = torch.linspace(0, 1, segments + 1, dtype=torch.float64)[:, None]
    return ((1 - t) * torch.tensor(a) + t * torch.tensor(b))[None]


def found(surface: Callable[[Tensor], Tensor], a: list[float], b: list[float]) -> tuple[Tensor, float]:
    """The shortest path (N + 1, r) and its length, each segment measured in twenty pieces."""
    made = shortest(surface, straight(a, b), **EXACT)
    assert bool(made.settled.all()) and (np.diff(made.energies, axis=0) <= 0).all()
    t = torch.linspace(0, 1, 21, dtype=torch.float64)[:-1, None]
    codes = made.codes[0]
    fine = torch.cat([(codes[:-1, None] + t * (codes[1:] - codes[:-1])[:, None]).flatten(0, 1), codes[-1:]])
    return codes, float(lengths(surface, fine[None]).sum())


@pytest.mark.parametrize(("a", "b"), [([0.9, 0.0], [0.9, 2.5]), ([0.2, 0.1], [-0.8, 1.9]), ([0, 0], [0, 2])])
def test_on_a_sphere_it_is_the_great_circle(a: list[float], b: list[float]) -> None:
    codes, length = found(sphere, a, b)
    [p, q] = sphere(torch.tensor([a, b], dtype=torch.float64))
    assert length == pytest.approx(math.acos(float(p @ q)), rel=1e-3)
    normal = torch.linalg.cross(p, q)
    assert (sphere(codes) @ normal / normal.norm()).abs().max() < 2e-3, "in the plane of both ends and the centre"


@pytest.mark.parametrize("rolled", [cylinder, torus])
def test_what_can_be_unrolled_has_straight_lines(rolled: Callable[[Tensor], Tensor]) -> None:
    a, b = [0.3, -1.0], [2.4, 0.7]
    bent = straight(a, b) + 0.6 * torch.sin(math.pi * torch.linspace(0, 1, 33, dtype=torch.float64))[:, None] * (
        torch.tensor([1.0, -1.0]))
    made = shortest(rolled, bent, **EXACT)
    torch.testing.assert_close(made.codes, straight(a, b), atol=2e-3, rtol=0)
    assert float(lengths(rolled, made.codes).sum()) == pytest.approx(math.dist(a, b), rel=1e-3)


@pytest.mark.parametrize(("a", "b"), [([0.0, 1.2], [2.0, 1.2]), ([-1, 1.1], [1.5, 2.5])])
def test_in_the_half_plane_it_is_the_half_circle(a: list[float], b: list[float]) -> None:
    codes, length = found(half_plane, a, b)
    wanted = math.acosh(1 + ((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) / (2 * a[1] * b[1]))
    assert length == pytest.approx(wanted, rel=2e-4)
    centre = (b[0] ** 2 + b[1] ** 2 - a[0] ** 2 - a[1] ** 2) / (2 * (b[0] - a[0]))
    radius = (codes - torch.tensor([centre, 0.0])).norm(dim=1)
    assert (radius / radius[0] - 1).abs().max() < 2e-3


def test_on_a_surface_of_revolution_clairaut_holds() -> None:
    """radius * cos(angle to the parallel) is the same all along."""
    codes, _ = found(vase, [0.0, 0.2], [2.2, 2.4])
    radius = 2 + (0.5 * (codes[1:, 1] + codes[:-1, 1])).sin()
    pieces = lengths(vase, codes[None])[0]
    constant = radius.square() * codes[:, 0].diff() / pieces
    assert constant.std() / constant.mean() < 3e-3
    assert constant.mean() > 0.5


def test_its_pictures_are_equally_far_apart() -> None:
    """A path that collapsed its points, or that hurried through a part, would not be."""
    for each, a, b in ((sphere, [0.9, 0.0], [0.9, 2.5]), (half_plane, [-1, 1.1], [1.5, 2.5])):
        codes, _ = found(each, a, b)  # type: ignore[arg-type]
        pieces = lengths(each, codes[None])[0]
        assert pieces.std() / pieces.mean() < 2e-3


def test_a_length_does_not_change_with_other_names_for_the_codes() -> None:
    """The same surface over w, where z = w + w^3 / 3, the axes turned."""
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64)

    def renamed(w: Tensor) -> Tensor:
        return sphere((w + w**3 / 3) @ turn)

    def inverse(z: list[float]) -> list[float]:
        wanted = torch.tensor(z, dtype=torch.float64) @ turn.T
        return [float(np.real(next(r for r in np.roots([1 / 3, 0, 1, -float(each)]) if abs(r.imag) < 1e-9)))
                for each in wanted]

    a, b = [0.9, 0.2], [0.5, 1.9]
    assert found(renamed, inverse(a), inverse(b))[1] == pytest.approx(found(sphere, a, b)[1], rel=3e-4)


def test_paths_of_a_batch_do_not_know_of_each_other() -> None:
    begun = torch.cat([straight([0.9, 0.0], [0.9, 2.5]), 0.001 * straight([0.2, 0.1], [-0.8, 1.9])])
    together = shortest(sphere, begun, rounds=30, enough=0)
    for row in range(2):
        alone = shortest(sphere, begun[row: row + 1], rounds=30, enough=0)
        torch.testing.assert_close(together.codes[row], alone.codes[0], atol=1e-8, rtol=1e-6)


def linear(z: Tensor) -> Tensor:
    return z @ torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]).to(z) + 1


def test_of_a_linear_decoder_it_is_the_straight_line() -> None:
    a, b = np.array([-2.0, 0.5], np.float32), np.array([1.0, 1.5], np.float32)
    made = ways(linear, a, b, 7)
    np.testing.assert_allclose(made["shortest"].codes, made["straight"].codes, atol=1e-5)
    assert made.saved() == pytest.approx(0, abs=1e-6) and made.settled
    assert made["shortest"].length == pytest.approx(made.chord, rel=1e-5)
    assert made["spherical"].length > made["straight"].length
    np.testing.assert_allclose(made["straight"].speed, made.chord, rtol=1e-3)


def test_three_paths_in_one_metric() -> None:
    a, b = np.array([0.9, 0.0], np.float32), np.array([0.9, 2.5], np.float32)
    made = ways(sphere, a, b, 9, rounds=200)
    parallel = math.cos(0.9) * 2.5  # the straight line of codes is a circle of latitude
    great = math.acos(math.sin(0.9) ** 2 + math.cos(0.9) ** 2 * math.cos(2.5))
    assert made["straight"].length == pytest.approx(parallel, rel=1e-3)
    assert made["shortest"].length == pytest.approx(great, rel=1e-3)
    assert made.saved() == pytest.approx(1 - great / parallel, abs=2e-3)
    for way in made.ways.values():
        np.testing.assert_allclose(way.codes[[0, -1]], [a, b], atol=1e-6)
        assert way.codes.shape == (9, 2) and way.speed.mean() == pytest.approx(way.length, rel=2e-3)
    assert made["shortest"].speed.std() < 0.01 * made["shortest"].length
    assert np.linalg.norm(np.diff(made["shortest"].codes, axis=0), axis=1).min() > 0.05


def test_two_equal_codes_have_no_way_between() -> None:
    a = np.array([0.3, 0.4], np.float32)
    made = ways(sphere, a, a, 5)
    assert made["shortest"].length == made.chord == 0 and made.saved() == 0
    np.testing.assert_allclose(made["shortest"].codes, np.tile(a, (5, 1)), atol=1e-6)


def test_of_a_network_it_is_shorter_than_both_and_its_weights_have_no_gradient() -> None:
    torch.manual_seed(1)
    model = VAEConfig(latent_size=3, network=MLPConfig(hidden=(32,))).build({"image": Modality("image", (1, 8, 8))})
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3)
    f = surface(model.eval(), "z")
    a, b = np.array([-2, 1, 0.5], np.float32), np.array([1.5, -1, 1], np.float32)
    made = ways(f, a, b)
    assert made.chord < made["shortest"].length < 0.99 * min(made[p].length for p in ("straight", "spherical"))
    assert all(p.grad is None for p in model.parameters())
    again = ways(f, a, b)
    np.testing.assert_array_equal(made["shortest"].codes, again["shortest"].codes)


def test_a_model_in_training_is_refused() -> None:
    model = VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,))).build({"image": Modality("image", (1, 28, 28))})
    with pytest.raises(ValueError, match=r"VAE is in training.*\.eval\(\)"):
        surface(model, "z")


def test_a_sigma_of_each_pixel_is_part_of_the_metric() -> None:
    config = VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,)), likelihood=GaussianPerPixelConfig())
    model = config.build({"image": Modality("image", (1, 4, 4))}).eval()
    assert says_sigma(model, model.latents)
    z = torch.randn(3, 2)
    points = surface(model, "z")(z)
    p = model.decode({"z": z})["image"]
    torch.testing.assert_close(points, torch.cat([p.mean.flatten(1), (0.5 * p.logvar).exp().flatten(1)], 1))  # type: ignore[attr-defined]
    plain = VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,))).build({"image": Modality("image", (1, 4, 4))})
    assert not says_sigma(plain.eval(), plain.latents) and surface(plain, "z")(z).shape == (3, 16)


def test_a_path_takes_a_bounded_number_of_decodings() -> None:
    calls = []

    def counted(z: Tensor) -> Tensor:
        calls.append(len(z))
        return sphere(z)

    made = shortest(counted, straight([0.9, 0.0], [0.9, 2.9], SEGMENTS), rounds=12, enough=0)
    assert len(calls) <= 13 and len(made.energies) <= 12
    assert made.energies[-1] < made.energies[0]
