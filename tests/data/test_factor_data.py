"""Data with known causes: sprites on their grid, and sources that are mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vaecore.data import SPLITS, Dataset
from vaecore.data.coloured_sprites import ColouredSprites
from vaecore.data.sources import Sources, mixing_matrix
from vaecore.data.sprites import FINE, SIDE, Sprites, draw
from vaecore.schema import ConfigError, parse

# -- sprites ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sprites() -> Dataset:
    return Sprites().load()


def whole(dataset: Dataset) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """All images (N, 32, 32) and factors (N, F) of the three splits."""
    splits = [dataset.splits[name] for name in SPLITS]
    return (np.concatenate([split.arrays["image"][:, 0] for split in splits]),
            np.concatenate([split.factors for split in splits if split.factors is not None]))


def test_sprites_are_a_whole_grid_without_two_alike(sprites: Dataset) -> None:
    assert sprites.factors == {"shape": 3, "scale": 4, "orientation": 8, "x": 8, "y": 8}
    assert [len(sprites.splits[name]) for name in SPLITS] == [4916, 614, 614]
    images, factors = whole(sprites)
    assert images.dtype == np.uint8 and images.shape == (6144, SIDE, SIDE)
    assert len(np.unique(images.reshape(6144, -1), axis=0)) == 6144
    assert len(np.unique(factors, axis=0)) == 6144
    assert factors.min(0).tolist() == [0] * 5 and factors.max(0).tolist() == [2, 3, 7, 7, 7]
    again = Sprites().load()
    for name in SPLITS:
        np.testing.assert_array_equal(again.splits[name].arrays["image"], sprites.splits[name].arrays["image"])
        split = sprites.splits[name]
        assert split.factors is not None and split.labels is not None
        np.testing.assert_array_equal(split.labels, split.factors[:, 0])
    assert len(np.unique(factors[:200], axis=0)[:, 0]) == 200 and factors[:200, 0].std() > 0.5  # shuffled


def test_factors_are_what_the_pictures_show(sprites: Dataset) -> None:
    images, factors = whole(sprites)
    ink = images / 255.0
    area = ink.sum((1, 2))
    column = (ink.sum(1) * np.arange(SIDE)).sum(1) / area  # centre of gravity, pixels from the left
    row = (ink.sum(2) * np.arange(SIDE)).sum(1) / area
    _, scale, _, x, y = factors.T
    square = factors[:, 0] == 0
    for place in range(8):
        centre = 9 + 2 * place - 0.5
        assert np.abs(column[square & (x == place)] - centre).max() < 0.02
        assert np.abs(row[square & (y == place)] - centre).max() < 0.02
    for size in range(4):
        half = 3 + 2.5 * (size + 1) / 4
        np.testing.assert_allclose(area[square & (scale == size)], (2 * half) ** 2, rtol=0.08)
    assert not ink[:, [0, -1]].any() and not ink[:, :, [0, -1]].any()  # nothing is cut off
    assert ((ink > 0.1) & (ink < 0.9)).any((1, 2))[~square].all()  # anti-aliased


def test_a_turned_square_stands_on_its_corner() -> None:
    flat, turned = (draw("square", 5.0, angle, np.array([16.0]))[0] > 127 for angle in (0.0, np.pi / 4))
    assert flat.any(0).sum() == 10 and turned.any(0).sum() == 14  # 2 x 5, and its diagonal
    np.testing.assert_array_equal(draw("square", 5.0, np.pi / 2, np.array([16.0])),
                                  draw("square", 5.0, 0.0, np.array([16.0])))
    wide, tall = (draw("ellipse", 5.0, angle, np.array([16.0]))[0] > 127 for angle in (0.0, np.pi / 2))
    assert wide.any(0).sum() > wide.any(1).sum()
    np.testing.assert_array_equal(wide, tall.T)
    heart = draw("heart", 5.0, 0.0, np.array([16.0]))[0] > 127
    np.testing.assert_array_equal(heart, heart[:, ::-1])
    assert heart[heart.any(1)][0].sum() > heart[heart.any(1)][-1].sum()  # its point is at the bottom
    assert draw("square", 5.0, 0.0, np.array([10.0, 20.0])).shape == (4, SIDE, SIDE) and FINE > 1


def test_factors_that_do_not_vary_are_left_out_and_limits_cut_them_too() -> None:
    dataset = Sprites(scales=1, orientations=1, positions=5, train_limit=11, pixels="binary-fixed").load()
    assert dataset.factors == {"shape": 3, "x": 5, "y": 5}
    train = dataset.splits["train"]
    assert train.factors is not None and train.factors.shape == (11, 3) and len(train) == 11
    assert set(np.unique(train.arrays["image"])) == {0, 255}
    for bad in ({"positions": 2}, {"scales": 0}, {"orientations": 99}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            parse(Sprites, bad)


def test_coloured_sprites_are_the_same_shapes_twice_as_large_in_every_hue() -> None:
    dataset = ColouredSprites(scales=1, orientations=2, positions=4).load()
    assert dataset.factors == {"shape": 3, "colour": 6, "orientation": 2, "x": 4, "y": 4}
    splits = [dataset.splits[name] for name in SPLITS]
    images = np.concatenate([split.arrays["image"] for split in splits])
    factors = np.concatenate([split.factors for split in splits if split.factors is not None])
    assert images.shape == (576, 3, 2 * SIDE, 2 * SIDE) and len(np.unique(images.reshape(576, -1), axis=0)) == 576
    brightest = (images.max((2, 3)) == 255).astype(int)
    hues = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]]
    np.testing.assert_array_equal(brightest, np.array(hues)[factors[:, 1].astype(int)])
    whole_square = images.max(1)[(factors[:, 0] == 0) & (factors[:, 2] == 0)] / 255.0
    np.testing.assert_allclose(whole_square.sum((1, 2)), (4 * 5.5) ** 2, rtol=0.04)
    column = (whole_square.sum(1) * np.arange(2 * SIDE)).sum(1) / whole_square.sum((1, 2))
    assert sorted(set(np.round(column, 1))) == pytest.approx([2 * (9 + 14 / 3 * x) - 0.5 for x in range(4)], abs=0.1)


# -- sources ---------------------------------------------------------------------------------------


def test_each_segment_scales_each_source() -> None:
    dataset = Sources(dimensions=3, segments=4, per_segment=20_000).load()
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert len(train) == 80_000 and len(test) == 8_000
    assert dataset.factors == {"source 1": 0, "source 2": 0, "source 3": 0}
    assert train.labels is not None and train.factors is not None and test.labels is not None
    assert test.factors is not None
    assert np.bincount(train.labels).tolist() == [20_000] * 4
    scales = np.stack([train.factors[train.labels == u].std(0) for u in range(4)])
    assert scales.min() > 0.45 and scales.max() < 3.1 and scales.std(0).min() > 0.1
    np.testing.assert_allclose(np.stack([test.factors[test.labels == u].std(0) for u in range(4)]), scales, rtol=0.1)
    assert np.abs(train.factors.mean(0)).max() < 0.05
    assert np.abs(np.corrcoef(train.factors[train.labels == 0].T) - np.eye(3)).max() < 0.03
    covariate = dataset.covariate
    assert covariate is not None and (covariate.kind, covariate.shape) == ("label", (4,))
    assert set(train.labels[:60].tolist()) == {0, 1, 2, 3}  # shuffled


@pytest.mark.parametrize("activation", ["xtanh", "leaky-relu"])
def test_the_mixing_network_is_no_matrix_and_linear_mixing_is(activation: Any) -> None:
    def residual(config: Sources) -> float:
        train = config.load().splits["train"]
        assert train.factors is not None
        x = train.arrays["vector"].astype(float)
        found = np.column_stack([train.factors, np.ones(len(x))])
        return float((x - found @ np.linalg.lstsq(found, x)[0]).var() / x.var())

    assert residual(Sources(mixing="linear", per_segment=50)) < 1e-12
    assert residual(Sources(activation=activation, per_segment=50)) > 0.01
    assert 0.0001 < residual(Sources(mixing="linear", per_segment=50, noise=0.1)) < 0.1


def test_shuffled_segments_tell_nothing() -> None:
    told, shuffled = (Sources(dimensions=2, segments=8, per_segment=2_000, shuffled=s).load() for s in (False, True))

    def spread(dataset: Dataset) -> float:
        train = dataset.splits["train"]
        assert train.labels is not None and train.factors is not None
        return float(np.stack([train.factors[train.labels == u].std(0) for u in range(8)]).std(0).mean())

    assert spread(told) > 0.3 and spread(shuffled) < 0.1
    assert "shuffled" in shuffled.source and "shuffled" not in told.source
    a, b = told.splits["train"].labels, shuffled.splits["train"].labels
    assert a is not None and b is not None
    np.testing.assert_array_equal(np.bincount(a), np.bincount(b))
    np.testing.assert_array_equal(told.splits["train"].factors, shuffled.splits["train"].factors)


@pytest.mark.parametrize(("law", "kurtosis"), [("gaussian", 3.0), ("laplace", 6.0)])
def test_laws_of_sources(law: Any, kurtosis: float) -> None:
    dataset = Sources(sources=law, dimensions=2, segments=10, per_segment=20_000, mixing="linear").load()
    train = dataset.splits["train"]
    assert train.labels is None and dataset.covariate is None and train.factors is not None
    np.testing.assert_allclose(train.factors.var(0), 1.0, rtol=0.03)
    np.testing.assert_allclose((train.factors**4).mean(0), kurtosis, rtol=0.08)


def test_more_numbers_than_sources() -> None:
    dataset = Sources(dimensions=2, observed=8, per_segment=20).load()
    assert dataset.modalities["vector"].shape == (8,)
    assert dataset.splits["train"].factors is not None and dataset.splits["train"].factors.shape[1] == 2
    again = Sources(dimensions=2, observed=8, per_segment=20).load()
    np.testing.assert_array_equal(dataset.splits["test"].arrays["vector"], again.splits["test"].arrays["vector"])
    other = Sources(dimensions=2, observed=8, per_segment=20, data_seed=1).load()
    assert not np.allclose(dataset.splits["test"].arrays["vector"], other.splits["test"].arrays["vector"])
    with pytest.raises(ConfigError, match=r"data\.observed: 3 numbers cannot tell 5 sources\. Use 0 or at least 5"):
        Sources(observed=3).load()
    with pytest.raises(ConfigError, match=r"data\.per_segment: .* Use at most 19,531"):
        Sources(dimensions=10, observed=256, segments=10, per_segment=100_000).load()


def test_whitening_is_by_the_training_vectors_and_loses_nothing() -> None:
    white, raw = (Sources(whiten=whiten, per_segment=100).load().splits for whiten in (True, False))
    x = {name: split.arrays["vector"].astype(float) for name, split in white.items()}
    np.testing.assert_allclose(x["train"].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(x["train"].T, bias=True), np.eye(5), atol=1e-4)
    ones = np.ones((len(x["test"]), 1))
    design = np.hstack([raw["test"].arrays["vector"], ones])  # one map for all splits
    back = np.linalg.lstsq(np.hstack([raw["train"].arrays["vector"], np.ones((len(x["train"]), 1))]), x["train"])[0]
    np.testing.assert_allclose(design @ back, x["test"], atol=1e-3)
    assert abs(float(raw["train"].arrays["vector"].std()) - 1) > 0.05
    flat = Sources(dimensions=2, observed=4, mixing="linear", per_segment=100).load().splits["train"].arrays["vector"]
    assert np.isfinite(flat).all()
    np.testing.assert_allclose(np.sort(flat.std(0)), [0, 0, 1, 1], atol=1e-4)


def test_mixing_matrices_are_well_conditioned() -> None:
    generator = np.random.default_rng(0)
    matrices = np.stack([mixing_matrix(5, 5, generator) for _ in range(20)])
    np.testing.assert_allclose(np.linalg.norm(matrices, axis=1), 1.0)
    plain = generator.uniform(-1, 1, (2_000, 5, 5))
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    bound = np.percentile(np.linalg.cond(plain), 25)
    assert np.linalg.cond(matrices).max() < 1.1 * bound
