"""Filmed clips: what is held out is never trained on, and windows are cut where they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.data import DATASETS, DataUnavailable
from vaecore.data.clips import FRAMES, count_windows, tails, windows
from vaecore.data.filmed import Filmed
from vaecore.schema import ConfigError


def write(folder: Path, file: str, lengths: list[int], **changed: Any) -> None:
    """Frames whose red is their clip and whose green is their place in it."""
    frames = np.zeros((sum(lengths), 64, 64, 3), np.uint8)
    frames[..., 0] = np.repeat(np.arange(len(lengths)), lengths)[:, None, None]
    frames[..., 1] = np.concatenate([np.arange(length) % 250 for length in lengths])[:, None, None]
    arrays = {"frames": frames, "offsets": np.cumsum([0, *lengths]).astype(np.int32), "fps": np.float32(30),
              "names": np.array(["x"] * len(lengths)), **changed}
    (folder / "video").mkdir(exist_ok=True)
    np.savez(folder / "video" / file, **arrays)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    return tmp_path


def test_windows_are_every_stride_frames_and_of_one_clip() -> None:
    clips = [np.arange(10), np.arange(100, 103), np.arange(200, 207)]
    cut = windows(clips, 4, 3)
    assert cut.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9], [200, 201, 202, 203], [203, 204, 205, 206]]
    assert count_windows([10, 3, 7], 4, 3) == len(cut)


def test_tails_are_the_last_frames_and_short_clips_stay_whole() -> None:
    train, validation, test = tails([np.arange(100), np.arange(12)], 0.1, 5, at_least=8)
    assert [len(clip) for clip in train] == [80, 12]
    assert [clip.tolist() for clip in validation] == [list(range(80, 90))]
    assert [clip.tolist() for clip in test] == [list(range(90, 100))]
    assert [len(clip) for clip in tails([np.arange(100)], 0.01, 20, at_least=60)[1]] == [20]  # a window at least


def test_signs_are_held_out_whole(here: Path) -> None:
    write(here, "asl_gestures_64.npz", [47, 50, 60, 55, 50, 48, 70, 51, 52, 53])
    dataset = Filmed(stride=8).load()
    assert DATASETS["filmed"] is Filmed and dataset.rate == 30 and dataset.drawn is None
    assert dataset.modalities[FRAMES].shape == (16, 3, 64, 64)
    signs = {name: set(np.unique(split.arrays[FRAMES][:, :, 0])) for name, split in dataset.splits.items()}
    assert [len(part) for part in signs.values()] == [4, 3, 3] and len(set().union(*signs.values())) == 10
    assert dataset.splits["test"].arrays[FRAMES].shape[1:] == (30, 3, 64, 64)
    clip = dataset.splits["train"].arrays[FRAMES][3]
    assert np.array_equal(np.diff(clip[:, 1, 0, 0].astype(int)), np.ones(15))  # frames follow each other
    small = Filmed(stride=8, size=32).load().splits["train"].arrays[FRAMES]
    assert small.shape[2:] == (3, 32, 32) and np.array_equal(small[3, :, 1, 0, 0], clip[:, 1, 0, 0])


def test_of_scenes_the_end_of_long_ones_is_held_out(here: Path) -> None:
    write(here, "scenes_64.npz", [600, 30, 100, 250], fps=np.array([15, 12.5, 10, 10], np.float32))
    dataset = Filmed(collection="scenes", stride=16).load()
    ends = dataset.splits["test"].arrays[FRAMES]
    assert set(np.unique(ends[:, :, 0])) == {0}  # of 250 frames less than 200 would be left
    assert ends[:, :, 1].min() == 540 % 250 and dataset.rate == 11.25
    train = dataset.splits["train"].arrays[FRAMES]
    assert set(np.unique(train[:, :, 0])) == {0, 1, 2, 3}
    assert (train[:, 0, 0, 0, 0] == 0).sum() == count_windows([480], 16, 16)


@pytest.mark.parametrize("changed", [
    {"offsets": np.array([0, 400, 100, 500])}, {"offsets": np.array([5, 100, 500])}, {"fps": np.float32(0)},
    {"offsets": np.zeros(0, int)}, {"frames": np.zeros((500, 32, 32, 3), np.uint8)}, {"fps": np.array([{}], object)},
    {"frames": np.zeros((500, 64, 64, 3), np.float32)}])
def test_a_file_that_is_another_is_said_to_be(here: Path, changed: dict[str, Any]) -> None:
    write(here, "asl_gestures_64.npz", [250, 250], **changed)
    with pytest.raises(DataUnavailable, match=r"cannot be read .*Fetch it again"):
        Filmed().load()


@pytest.mark.usefixtures("here")
def test_without_the_file_and_with_fields_that_contradict_it_is_said() -> None:
    with pytest.raises(DataUnavailable, match="Point VAECORE_DATA at a folder that holds video/asl"):
        Filmed().load()
    with pytest.raises(ConfigError, match="Use at least 20"):
        Filmed(frames=20, test_frames=18).load()
