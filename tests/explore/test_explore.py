"""What is shown of a checkpoint is what its model computes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vaecore.explore import Checkpoint
from vaecore.explore.pictures import grid, png
from vaecore.lab.previews import write_preview
from vaecore.store import Run


@pytest.fixture
def vae(start: Callable[..., Path]) -> Checkpoint:
    folder = start({"data": {"name": "digits", "train_limit": 500}, "training": {"epochs": 15, "batch_size": 50},
                    "model": {"family": "vae", "latent_size": 4, "network": {"kind": "mlp", "hidden": [32]}}})
    return Checkpoint.load(Run(folder))


@pytest.fixture
def ae(start: Callable[..., Path]) -> Checkpoint:
    folder = start({"data": {"name": "digits", "train_limit": 500}, "model": {"family": "pca", "latent_size": 3}},
                   name="pca")
    return Checkpoint.load(Run(folder))


def mean(checkpoint: Checkpoint, z: Any) -> Any:
    with torch.inference_mode():
        p = checkpoint.model.decode({"z": torch.as_tensor(np.asarray(z), dtype=torch.float32)})["image"].mean
    return (p[:, 0] * 255).round().clamp(0, 255).numpy()


def test_a_traversal_moves_one_dimension_and_holds_the_rest(vae: Checkpoint) -> None:
    base, values = np.array([0.1, -0.2, 0.3, 0.4], np.float32), [-2.0, 0.0, 1.5]
    found = vae.traverse(base, [2, 0], values)
    assert found.shape == (2, 3, 8, 8) and found.dtype == np.uint8
    for row, dimension in enumerate((2, 0)):
        for column, value in enumerate(values):
            z = base.copy()
            z[dimension] = value
            np.testing.assert_allclose(found[row, column], mean(vae, z[None])[0], atol=1)
    assert base.tolist() == pytest.approx([0.1, -0.2, 0.3, 0.4])


def test_an_interpolation_begins_and_ends_at_the_reconstructions(vae: Checkpoint) -> None:
    ends = vae.reconstruct([3, 8])
    for path in ("straight", "spherical"):
        found = vae.interpolate(3, 8, 5, path)
        assert found.shape == (5, 8, 8)
        np.testing.assert_allclose(found[[0, -1]].astype(int), ends, atol=1)
    half = vae.encode([3, 8]).mean(0)
    np.testing.assert_allclose(vae.interpolate(3, 8, 5)[2], mean(vae, half[None])[0], atol=1)
    assert np.array_equal(vae.interpolate(3, 3, 2, "spherical")[0], vae.interpolate(3, 3, 2)[1])  # no angle between


def test_codes_are_posterior_means_and_images_the_examples(vae: Checkpoint) -> None:
    with torch.inference_mode():
        expected = vae.model.encode({"image": vae.examples})["z"].mean
    np.testing.assert_allclose(vae.encode(slice(None)), expected.numpy(), atol=1e-6)
    np.testing.assert_array_equal(vae.originals([1])[0], (vae.examples[1, 0] * 255).round().numpy())
    assert vae.labels is not None and len(vae.labels) == len(vae.examples) == 64


def test_dimensions_are_ordered_by_their_kl(vae: Checkpoint) -> None:
    assert vae.kl is not None
    assert [vae.kl[i] for i in vae.order] == sorted(vae.kl, reverse=True)
    assert vae.kl.sum() == pytest.approx(sum(vae.summary["validation"]["kl"]["z"]))
    assert vae.has_prior
    centre, unit = vae.scale()
    assert centre.tolist() == [0] * 4 and unit.tolist() == [1] * 4


def test_samples_follow_the_prior_or_the_codes(vae: Checkpoint, ae: Checkpoint) -> None:
    z = vae.sample_codes(20_000, temperature=0.5, seed=1)
    assert z.shape == (20_000, 4) and z.dtype == np.float32
    np.testing.assert_allclose(z.std(0), 0.5, rtol=0.03)
    np.testing.assert_array_equal(z, vae.sample_codes(20_000, temperature=0.5, seed=1))
    assert not np.array_equal(z, vae.sample_codes(20_000, temperature=0.5, seed=2))
    assert (vae.sample(2, temperature=0) == vae.decode(np.zeros((2, 4), np.float32))).all()
    assert not ae.has_prior and ae.kl is None and ae.active.all()
    codes = ae.sample_codes(20_000)
    np.testing.assert_allclose(codes.mean(0), ae.spread[0], atol=0.05)
    np.testing.assert_allclose(codes.std(0), ae.spread[1], rtol=0.03)
    assert ae.order == sorted(range(3), key=lambda i: -ae.spread[1][i])


def test_a_grid_puts_each_image_in_its_place() -> None:
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None] * np.ones((5, 2, 3), np.uint8)
    sheet = grid(images, 3, gap=1, background=99)
    assert sheet.shape == (5, 11)
    assert [sheet[0, 0], sheet[0, 4], sheet[0, 8], sheet[3, 0], sheet[3, 4]] == [1, 2, 3, 4, 5]
    assert (sheet[2] == 99).all() and (sheet[:, 3] == 99).all() and (sheet[3:, 8:] == 99).all()
    back = np.asarray(Image.open(io.BytesIO(png(sheet, scale=2))))
    np.testing.assert_array_equal(back, sheet.repeat(2, 0).repeat(2, 1))
    colour = np.full((2, 4, 4, 3), (10, 20, 30), np.uint8)
    clear = np.asarray(Image.open(io.BytesIO(png(grid(colour, 2)))))  # the page shines through the gap
    assert clear.shape == (4, 9, 4)
    assert (clear[:, 4, 3] == 0).all() and (np.delete(clear, 4, axis=1) == (10, 20, 30, 255)).all()
    assert grid(colour, 2, background=7)[:, 4].tolist() == [[7, 7, 7]] * 4


def test_a_preview_is_a_picture(vae: Checkpoint) -> None:
    write_preview(vae)
    picture = np.asarray(Image.open(vae.run.preview))
    np.testing.assert_array_equal(picture[::2, ::2], grid(vae.sample(20), 10))
    name, content = vae.preview(count=3)
    picture = np.asarray(Image.open(io.BytesIO(content)))
    assert name == "preview.png"
    np.testing.assert_array_equal(picture[::2, ::2], grid(vae.sample(6), 3))


def test_sources_are_drawn_by_their_own_law(start: Callable[..., Path]) -> None:
    """A Laplace law of variance 1, whose kurtosis is 6; a Gaussian fitted to the codes would have 3."""
    folder = start({"data": {"name": "sources", "sources": "laplace", "mixing": "linear", "per_segment": 50},
                    "model": {"family": "ica", "latent_size": 5}})
    checkpoint = Checkpoint.load(Run(folder))
    assert not checkpoint.fitted and not checkpoint.has_prior
    z = checkpoint.sample_codes(40_000)
    np.testing.assert_allclose(z.var(0), 1, rtol=0.05)
    np.testing.assert_allclose((z**4).mean(0), 6, rtol=0.25)
    np.testing.assert_array_equal(checkpoint.sample_codes(10, 0.5, seed=3), 0.5 * checkpoint.sample_codes(10, seed=3))
