"""What is shown of a checkpoint is what its model computes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from vaecore.explore import Checkpoint
from vaecore.explore.latents import latents
from vaecore.explore.pictures import grid, png
from vaecore.explore.quantiles import ranges
from vaecore.lab.previews import write_preview
from vaecore.schema import ConfigError
from vaecore.store import Run
from vaecore.training.checkpoints import BrokenCheckpoint


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


def test_the_shortest_path_is_the_shortest_and_ends_where_the_others_do(vae: Checkpoint) -> None:
    start, end = vae.encode([3, 8])
    ways = vae.ways(start, end, 7)
    assert 0 < ways.chord <= ways["shortest"].length <= ways["straight"].length
    np.testing.assert_allclose(ways["shortest"].codes[[0, -1]], [start, end], atol=1e-5)
    np.testing.assert_array_equal(vae.interpolate(3, 8, 7, "shortest"), vae.decode(ways["shortest"].codes))


def test_of_a_linear_model_the_shortest_path_is_straight(ae: Checkpoint) -> None:
    ways = ae.ways(*ae.encode([3, 8]), 5)
    np.testing.assert_allclose(ways["shortest"].codes, ways["straight"].codes, atol=1e-3)
    assert ways.saved() == pytest.approx(0, abs=1e-4)


def test_a_direction_of_a_linear_model_moves_its_picture_by_its_value(ae: Checkpoint) -> None:
    found = ae.directions(count=3)
    code = ae.scale()[0]
    moved = [ae.surface(torch.from_numpy(np.stack([code, code + vector]))) for vector in found.vectors]
    np.testing.assert_allclose([float((b - a).norm()) for a, b in moved], found.values, rtol=1e-3)


def test_a_direction_between_classes_of_its_examples(vae: Checkpoint) -> None:
    assert vae.labels is not None
    a, b = np.flatnonzero(vae.labels == 0), np.flatnonzero(vae.labels == 1)
    found = vae.attribute(a.tolist(), b.tolist(), "0 less 1")
    codes = vae.encode(slice(None))
    np.testing.assert_allclose(found.vector, codes[a].mean(0) - codes[b].mean(0), atol=1e-5)
    assert found.auc > 0.8
    with pytest.raises(ValueError, match="there is no example 64"):
        vae.attribute([64], [1])


def test_each_row_of_a_traversal_may_have_values_of_its_own(vae: Checkpoint) -> None:
    base = np.zeros(4, np.float32)
    found = vae.traverse(base, [2, 0], np.array([[-1.0, 1.0], [-2.0, 2.0]]))
    np.testing.assert_array_equal(found[0], vae.traverse(base, [2], [-1.0, 1.0])[0])
    np.testing.assert_array_equal(found[1], vae.traverse(base, [0], [-2.0, 2.0])[0])


def test_ranges_are_quantiles_of_the_prior_or_of_the_data_codes(vae: Checkpoint, ae: Checkpoint) -> None:
    np.testing.assert_allclose(ranges(vae, "prior", [0.5, 0.975]), [[0] * 4, [1.959964] * 4], atol=1e-5)
    for each in (vae, ae):
        found = ranges(each, "aggregated", [0.1, 0.5, 0.9])
        assert found.shape == (3, each.size) and (np.diff(found, axis=0) > 0).all()
    codes = ae.units(ae.encode(slice(None)))
    assert np.abs(found[1] - np.median(codes, 0)).max() < 0.5, "of points they are those of the codes themselves"
    with pytest.raises(ValueError, match="without a prior"):
        ranges(ae, "prior", [0.5])


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


# -- examples from anywhere ------------------------------------------------------------------------


def altered(checkpoint: Checkpoint, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Run:
    path = checkpoint.run.path / "examples.safetensors"
    save_file(change(load_file(path)), path)
    return checkpoint.run


@pytest.mark.parametrize("wrong", [2**40, 256, 0.5, True])
def test_labels_that_no_data_have_are_none(vae: Checkpoint, wrong: Any) -> None:
    """What counts or names classes up to the largest label would take all memory."""
    run = altered(vae, lambda stored: {**stored, "labels": torch.full(stored["labels"].shape, wrong)})
    assert Checkpoint.load(run).labels is None


def test_labels_of_any_whole_numbers_are_read_and_less_than_none_is_none(vae: Checkpoint) -> None:
    assert vae.labels is not None
    run = altered(vae, lambda stored: {**stored, "labels": stored["labels"].to(torch.uint8)})
    assert np.array_equal(Checkpoint.load(run).labels, vae.labels)
    run = altered(vae, lambda stored: {**stored, "labels": stored["labels"].long() - 7})
    assert np.array_equal(Checkpoint.load(run).labels, np.maximum(vae.labels - 7, -1))


def test_examples_that_are_no_numbers_are_refused(vae: Checkpoint) -> None:
    run = altered(vae, lambda stored: {**stored, "image": torch.full(stored["image"].shape, torch.nan)})
    with pytest.raises(BrokenCheckpoint, match="images with numbers that are none of its own"):
        Checkpoint.load(run)


def test_numbers_of_a_summary_that_none_can_be_are_none(vae: Checkpoint) -> None:
    """Their sum would be infinite, which no page can be told."""
    path = vae.run.path / "summary.json"
    summary = json.loads(path.read_text())
    for term in ("kl", "code_mean", "activity"):
        summary["validation"][term]["z"] = [1e308] * 4
    path.write_text(json.dumps(summary))
    found = Checkpoint.load(vae.run)
    assert found.kl is None and found.rate is None and found.spread[0].max() < 100
    [facts] = latents(found)
    assert facts.kl is None and facts.rate is None


def test_a_single_example_is_no_plane(vae: Checkpoint) -> None:
    run = altered(vae, lambda stored: {name: x[:1] for name, x in stored.items()})
    with pytest.raises(ConfigError, match="one code has no principal components"):
        Checkpoint.load(run).map("kept", "pca")
