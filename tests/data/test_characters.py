"""Animated characters: layers over each other as Pillow lays them, and characters that were never trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vaecore.data import DATASETS, DataUnavailable, characters
from vaecore.data.characters import ACTIONS, LAYERS, LENGTH, SIDE, Characters, Layers, clips_of, split_characters
from vaecore.data.clips import FRAMES
from vaecore.training.feed import Feed


@pytest.fixture(scope="module")
def layers() -> dict[str, Any]:
    """Random blocks that are opaque here and there."""
    rng = np.random.default_rng(0)
    found = {}
    for name, count in LAYERS.items():
        coarse = rng.integers(0, 256, (count, 3, 3, LENGTH, 16, 16, 4), np.uint8)
        coarse[..., 3] = np.where(coarse[..., 3] > 150, 255, 0)
        found[name] = coarse.repeat(4, 4).repeat(4, 5)
        found[name][..., 1:, :, 3] = found[name][..., :-1, :, 3]  # so that edges are not all between blocks
    return found


@pytest.fixture
def here(layers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    (tmp_path / "lpc_sprites").mkdir()
    np.savez(tmp_path / "lpc_sprites" / "lpc_sprite_layers.npz", **layers)
    return tmp_path


def composed(layers: dict[str, Any], clip: Any) -> Any:
    """One clip (8, 64, 64, 3), frame by frame with Pillow."""
    body, bottomwear, topwear, hair, action = clip
    frames = []
    for t in range(LENGTH):
        picture = Image.new("RGBA", (SIDE, SIDE), "black")
        for name, part in (("body", body), ("bottomwear", bottomwear), ("topwear", topwear), ("hair", hair),
                           ("shoes", 1)):
            picture = Image.alpha_composite(picture, Image.fromarray(layers[name][part, action // 3, action % 3, t]))
        frames.append(np.asarray(picture.convert("RGB")))
    return np.stack(frames)


def test_layers_lie_over_each_other_as_pillow_lays_them(layers: dict[str, Any]) -> None:
    clips = np.array([[0, 0, 0, 0, 0], [5, 4, 3, 2, 8], [1, 5, 0, 5, 4]])
    expected = np.stack([composed(layers, clip) for clip in clips]).transpose(0, 1, 4, 2, 3)
    large = Layers(layers, 64).composed(torch.from_numpy(clips)).numpy()
    assert large.dtype == np.uint8 and np.array_equal(large, expected)
    means = expected.reshape(3, LENGTH, 3, 32, 2, 32, 2).mean((4, 6))
    small = Layers(layers, 32).composed(torch.from_numpy(clips)).numpy()
    assert small.shape == (3, LENGTH, 3, 32, 32) and np.array_equal(small, np.floor(means + 0.5))


def test_characters_are_held_out_and_not_clips() -> None:
    train, validation, test = split_characters()
    assert [len(part) for part in (train, validation, test)] == [1_000, 148, 148]
    everyone = {tuple(character) for part in (train, validation, test) for character in part.tolist()}
    assert len(everyone) == 6**4 and train.max() == 5
    # The first of the published shuffle, np.random.seed(423).
    np.random.seed(423)
    first = int(np.random.permutation(6**4)[0])
    assert train[0].tolist() == [first // 216, first // 36 % 6, first // 6 % 6, first % 6]
    clips = clips_of(test)
    assert len(clips) == 9 * 148 and np.bincount(clips[:, -1]).tolist() == [148] * 9
    assert ACTIONS[0] == "walk front" and ACTIONS[8] == "slash right"


@pytest.mark.usefixtures("here")
def test_batches_are_composed_on_demand_and_what_is_kept_has_labels() -> None:
    config = Characters(size=32, test_clips=20)
    dataset = config.load()
    assert DATASETS["characters"] is Characters and config.observation == "clip" and dataset.size("train") == 9_000
    assert dataset.modalities[FRAMES].shape == (8, 3, 32, 32)
    test = dataset.splits["test"]
    assert test.arrays[FRAMES].shape == (20, 8, 3, 32, 32) and test.arrays[FRAMES].dtype == np.uint8
    assert test.labels is not None and test.events is None and set(test.labels) <= set(range(9))
    feed = Feed(dataset, "train", torch.device("cpu"))
    one, twin = (feed.batch(torch.arange(5), torch.Generator().manual_seed(3))[FRAMES] for _ in range(2))
    assert one.shape == (5, 8, 3, 32, 32) and torch.equal(one, twin) and one.max() <= 1
    assert dataset.drawn is not None
    made = dataset.drawn.make(40, 8, torch.Generator().manual_seed(3))  # type: ignore[attr-defined]
    assert made.labels is not None and set(made.labels.tolist()) <= set(range(9)) and len(made.labels.unique()) > 5
    limited = Characters(train_limit=30, test_clips=9).load()
    assert limited.drawn is None and limited.size("train") == 30


def test_without_the_layers_it_is_said_where_to_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    with pytest.raises(DataUnavailable, match="Point VAECORE_DATA at a folder that holds lpc_sprites/"):
        Characters().load()
    (tmp_path / "lpc_sprites").mkdir()
    np.savez(tmp_path / "lpc_sprites" / characters.FILE, body=np.zeros((2, 2)))
    with pytest.raises(DataUnavailable, match="cannot be read"):
        Characters().load()
