"""Filmed clips of 64 × 64 pixels in colour: twenty signs of American Sign Language, or fifteen scenes.

Cut from the sample videos of Intel's IoT DevKit (github.com/intel-iot-devkit/sample-videos, CC BY 4.0), in
`VAECORE_DATA`. One person signs before a still camera; the scenes are bottles on a belt, cars and people.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data import npz
from vaecore.data.base import MAX_ARRAYS_BYTES, Array, DataConfig, Dataset, DataUnavailable, Split
from vaecore.data.clips import FRAMES, count_windows, sources, tails, windows
from vaecore.modalities import Modality
from vaecore.schema import option, problem

SIDE = 64  # pixels
FILES = {"gestures": "asl_gestures_64.npz", "scenes": "scenes_64.npz"}
MOST_FRAMES, MOST_CLIPS = 20_000, 200  # of a file; the larger one has 2,968 frames of 15 clips
SIGNS_HELD_OUT = 3  # for validation, and as many for test
TAIL = 0.1  # of a long scene, for validation, and as much for test
LONG = 200  # frames that a scene has left for training, or it stays whole


class Filmed(DataConfig):
    """Windows of filmed clips: `frames` (T, 3, size, size). Signs are held out whole, of long scenes the last fifth."""

    title: ClassVar[str] = "Filmed clips"
    observation: ClassVar[str] = "clip"
    name: Literal["filmed"] = "filmed"
    collection: Literal["gestures", "scenes"] = option("gestures", "Twenty signs of 47 to 109 frames at 30 a second, "
                                                       "or fifteen scenes of very different lengths.")
    size: int = option(64, "Side of a frame: 64 as published, or 32, the means of 2 × 2 of its pixels.", unit="pixels",
                       ge=32, le=64, multiple_of=32)
    frames: int = option(16, "Length of the windows that a model learns from.", unit="frames", ge=2, le=40)
    test_frames: int = option(30, "Length of the windows of validation and test.", unit="frames", ge=2, le=47)
    stride: int = option(4, "Frames from the start of a window to that of the next.", unit="frames", ge=1, le=64)
    split_seed: int = option(0, "Seed of which signs are held out.", ge=0, le=2**31 - 1, advanced=True)

    def reads(self) -> tuple[str, ...]:
        return ("filmed",) if self.collection == "gestures" else ()

    def here(self) -> str:
        located(FILES[self.collection])
        return f"filmed {self.collection} (Intel sample videos, CC BY 4.0)"

    def load(self) -> Dataset:
        """Raises `DataUnavailable` where the file is not on this machine, or is damaged."""
        if self.test_frames < self.frames:
            raise problem("data.test_frames", self.test_frames, f"windows of {self.test_frames} frames are shorter "
                          f"than the {self.frames} of training.", f"Use at least {self.frames}.")
        clips, rate = published(FILES[self.collection])
        if self.size < SIDE:
            clips = [_halved(clip) for clip in clips]
        if self.collection == "gestures":
            order = np.random.default_rng(self.split_seed).permutation(len(clips))
            cut = len(clips) - 2 * SIGNS_HELD_OUT
            train, validation, test = ([clips[i] for i in part]
                                       for part in np.split(order, [cut, cut + SIGNS_HELD_OUT]))
        else:
            train, validation, test = tails(clips, TAIL, self.test_frames, at_least=LONG)
        parts = {}
        for part, chosen, length in ("train", train, self.frames), ("validation", validation, self.test_frames), (
                "test", test, self.test_frames):
            total = count_windows([len(clip) for clip in chosen], length, self.stride) * length * 3 * self.size**2
            if total > MAX_ARRAYS_BYTES:
                raise problem("data.stride", self.stride, f"the windows would take {total:,} bytes.",
                              f"Use at least {self.stride * -(-total // MAX_ARRAYS_BYTES)}.")
            parts[part] = Split({FRAMES: windows(chosen, length, self.stride)},
                                sources=sources(chosen, length, self.stride))
        sizes = " / ".join(f"{len(part):,}" for part in parts.values())
        return Dataset("filmed", f"filmed {self.collection} (Intel sample videos, CC BY 4.0): {sizes} windows of "
                       f"{self.frames} frames, those held out of {self.test_frames}",
                       {FRAMES: Modality("video", (self.frames, 3, self.size, self.size))},
                       {"train": self.limited(parts["train"]), "validation": parts["validation"],
                        "test": parts["test"]}, rate=rate)


def located(file: str) -> Path:
    """Where a published file lies; raises `DataUnavailable` where it is not on this machine."""
    return npz.located("video", file, ("frames", "offsets", "fps"))


def published(file: str) -> tuple[list[Array], float]:
    """The clips (T, 3, 64, 64) in uint8 of a published file, and the frames a second of most of them."""
    path = located(file)
    try:
        with zipfile.ZipFile(path) as members:
            frames = _bounded(members, "frames", "u", 4, MOST_FRAMES * SIDE**2 * 3)
            offsets = _bounded(members, "offsets", "iu", 1, 8 * MOST_CLIPS).astype(np.int64)
            fps = np.atleast_1d(_bounded(members, "fps", "iuf", None, 8 * MOST_CLIPS).astype(np.float64))
        if frames.shape[1:] != (SIDE, SIDE, 3) or offsets[0] != 0 or offsets[-1] != len(frames) or (
                np.diff(offsets) < 1).any() or len(fps) not in (1, len(offsets) - 1) or not (
                (fps > 0) & (fps <= 1_000)).all():
            raise ValueError(f"frames of shape {frames.shape} and {len(offsets)} offsets do not belong together")
    except npz.DAMAGED as error:
        raise DataUnavailable(f"{path} cannot be read ({error}). Fetch it again.") from None
    channels_first = frames.transpose(0, 3, 1, 2)
    return np.split(channels_first, offsets[1:-1]), float(np.median(fps))


def _bounded(members: zipfile.ZipFile, name: str, kinds: str, axes: int | None, most: int) -> Array:
    """An array of the kinds and number of axes that it should have; `ValueError` for any other."""
    entry = members.getinfo(f"{name}.npy")
    if entry.file_size > most + 4_096:  # before anything is unpacked
        raise ValueError(f"{name} declares {entry.file_size:,} bytes")
    with npz.member(members, entry) as file:
        shape, dtype = npz.header(file)
    if dtype.kind not in kinds or (axes is not None and len(shape) != axes) or (
            int(np.prod(shape, dtype=object)) * dtype.itemsize > entry.file_size):
        raise ValueError(f"{name} is {dtype} of shape {shape}")
    with npz.member(members, entry) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _halved(clip: Array) -> NDArray[np.uint8]:
    """Frames (T, C, H, W) at half their sides, each pixel the rounded mean of 2 × 2."""
    frames, channels, height, width = clip.shape
    blocks = clip.reshape(frames, channels, height // 2, 2, width // 2, 2)
    means: NDArray[np.uint8] = ((blocks.sum((3, 5), dtype=np.uint16) + 2) // 4).astype(np.uint8)
    return means
