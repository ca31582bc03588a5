"""Pictures of one's own: what is understood of folders, zips and arrays, value by value."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vaecore.data import DATASETS, SPLITS, Dataset, DataUnavailable
from vaecore.data.own.images import Images
from vaecore.schema import ConfigError, parse

Levels = NDArray[np.uint8]


def loaded(path: Path, **fields: Any) -> Dataset:
    return parse(Images, {"path": str(path), **fields}).load()


def refused(path: Path, *said: str, **fields: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(path, **fields)
    assert all(part in str(caught.value) for part in said), str(caught.value)
    return str(caught.value)


def whole(dataset: Dataset) -> list[tuple[bytes, str]]:
    """Every picture with its class, in no order."""
    found = []
    for split in dataset.splits.values():
        labels = [-1] * len(split) if split.labels is None else split.labels.tolist()
        found += [(image.tobytes(), dataset.classes[label] if label >= 0 else "") for image, label in zip(
            split.arrays["image"], labels, strict=True)]
    return sorted(found)


def noise(count: int, *shape: int, seed: int = 0) -> Levels:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def written(folder: Path, pictures: Levels, ending: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03}.{ending}")
    return folder


def test_a_folder_of_classes_pairs_pictures_and_labels(tmp_path: Path) -> None:
    cats, dogs = noise(20, 28, 20), noise(10, 28, 20, seed=1)
    written(tmp_path / "cat", cats)
    written(tmp_path / "dog", dogs)
    dataset = loaded(tmp_path)
    assert DATASETS["images"] is Images and dataset.name == "images"
    assert dataset.modalities["image"].shape == (1, 28, 20) and dataset.classes == ("cat", "dog")
    assert [len(dataset.splits[split]) for split in SPLITS] == [24, 3, 3] and dataset.split_by == "by seed 0"
    assert whole(dataset) == sorted([(x.tobytes(), "cat") for x in cats] + [(x.tobytes(), "dog") for x in dogs])


@pytest.mark.parametrize("packed", ["folder", "zip", "npy", "npz"])
def test_the_same_pictures_however_they_come(tmp_path: Path, packed: str) -> None:
    x = noise(30, 12, 9, 3)
    match packed:
        case "folder":
            path = written(tmp_path / "own", x)
        case "zip":
            written(tmp_path / "own", x)
            path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "own"))
        case "npy":
            np.save(path := tmp_path / "own.npy", x)
        case _:
            np.savez_compressed(path := tmp_path / "own.npz", pictures=x)
    dataset = loaded(path)
    assert dataset.modalities["image"].shape == (3, 12, 9)
    assert whole(dataset) == sorted((each.transpose(2, 0, 1).tobytes(), "") for each in x)
    assert dataset.done == () and dataset.left_out == ()


def test_nothing_chosen_and_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="No pictures are chosen"):
        Images().load()
    refused(tmp_path / "none", "is not there", "Give the path of a folder of pictures")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "is a folder without pictures", ".png")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    refused(tmp_path / "empty.zip", "is a zip without pictures")
