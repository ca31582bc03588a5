"""What data sets of clips share: their frames, clips drawn anew in whole batches, and windows cut from longer ones.

Shapes: N or B clips, T frames, an image frame (C, H, W) in uint8 or a vector frame (D,) in float32. The one modality
is called `frames`. Clips of a test set may be longer than those that a model learns from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from vaecore.data.base import SPLITS, Array, DataConfig, Dataset, Split, SplitName
from vaecore.modalities import Modality
from vaecore.schema import option, problem

if TYPE_CHECKING:
    import torch
    from torch import Tensor

P = TypeVar("P", np.uint8, np.generic)  # what pixels are
FRAMES = "frames"
LOOKED_AT = 256  # training clips that are kept where others are drawn anew
PART = 64  # clips made at once where many are kept
MAX_KEPT_CLIPS_BYTES = 2**30  # of the clips that are kept, all splits together
KEPT_SEED = 7_919_000_003  # far from the seeds of runs: a kept clip is none that training draws


class Clips(NamedTuple):
    """Clips as they are made: frames (B, T, *frame) in uint8 or float32; events (B, T) and classes (B,), or none."""

    frames: Tensor
    events: Tensor | None = None
    labels: Tensor | None = None


Maker = Callable[[int, int, "torch.Generator"], Clips]  # of so many clips, of so many frames, on its device


@dataclass(frozen=True, eq=False)
class Anew:
    """Training clips that are drawn anew at every visit; `count` of them are called an epoch."""

    count: int
    frames: int
    make: Maker

    def __call__(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """`count` clips (count, T, *frame) as a model reads them: pixels in [0, 1]."""
        return {FRAMES: as_read(self.make(count, self.frames, generator).frames)}


def as_read(frames: Tensor) -> Tensor:
    """Frames as a model reads them: uint8 as numbers in [0, 1], others as they are."""
    return frames if frames.is_floating_point() else frames.float().div_(255)


class DrawnConfig(DataConfig):
    """Clips made by a program: drawn anew in training, kept for validation and test."""

    observation: ClassVar[str] = "clip"

    frames: int = option(15, "Length of the clips that a model learns from.", unit="frames", ge=2, le=100)
    test_frames: int = option(30, "Length of the clips of validation and test, so that a future may be longer than "
                              "those in training.", unit="frames", ge=2, le=200)
    clips: int = option(6_000, "Training clips that are called an epoch; every one is drawn anew.", unit="clips",
                        ge=1, le=10_000_000)
    test_clips: int = option(256, "Clips kept for validation, and as many for test.", unit="clips", ge=2, le=10_000)
    data_seed: int = option(0, "Seed of the clips that are kept.", ge=0, le=2**31 - 1, advanced=True)

    def drawn(self, name: str, source: str, modality: Modality, makers: Mapping[SplitName, Maker]) -> Dataset:
        """The data set whose clips `makers` make; raises `ConfigError` where clips are too short or too many.

        With `train_limit` the training clips are so many and always the same.
        """
        if self.test_frames < self.frames:
            raise problem("data.test_frames", self.test_frames, f"test clips of {self.test_frames} frames are shorter "
                          f"than the {self.frames} of training.", f"Use at least {self.frames}.")
        lengths = {"train": self.frames, "validation": self.test_frames, "test": self.test_frames}
        counts = {"train": self.train_limit or LOOKED_AT, "validation": self.test_clips, "test": self.test_clips}
        each = math.prod(modality.shape[1:]) * (1 if modality.pixels else 4)
        total = sum(each * lengths[split] * counts[split] for split in SPLITS)
        if total > MAX_KEPT_CLIPS_BYTES:
            what = "data.train_limit" if counts["train"] > counts["test"] else "data.test_clips"
            raise problem(what, counts["train" if what.endswith("limit") else "test"],
                          f"the clips to keep would take {total:,} bytes.",
                          f"Use fewer: at most {MAX_KEPT_CLIPS_BYTES:,} bytes.")
        splits = {split: kept(makers[split], counts[split], lengths[split], 3 * self.data_seed + index)
                  for index, split in enumerate(SPLITS)}
        fixed = f"{self.train_limit:,}" if self.train_limit else f"{self.clips:,} an epoch, drawn anew,"
        return Dataset(name, f"{source}: {fixed} of {self.frames} frames; {self.test_clips:,} for validation and as "
                       f"many for test, of {self.test_frames}", {FRAMES: modality}, splits,
                       drawn=None if self.train_limit else Anew(self.clips, self.frames, makers["train"]))


def kept(make: Maker, count: int, frames: int, seed: int) -> Split:
    """`count` clips of `frames` frames that are the same whenever they are asked for."""
    import torch

    generator = torch.Generator().manual_seed(KEPT_SEED + seed)
    parts = [make(min(PART, count - start), frames, generator) for start in range(0, count, PART)]
    events = [part.events.numpy() for part in parts if part.events is not None]
    labels = [part.labels.numpy() for part in parts if part.labels is not None]
    return Split({FRAMES: np.concatenate([part.frames.numpy() for part in parts])},
                 np.concatenate(labels) if labels else None, events=np.concatenate(events) if events else None)


# -- pictures that move ----------------------------------------------------------------------------


def pasted(stamps: Tensor, positions: Tensor, size: int) -> Tensor:
    """Frames (B, T, 1, size, size) in uint8 on which each clip's stamps lie: summed, and clipped at 255.

    `stamps` (B, K, h, w) in uint8 and `positions` (B, T, K, 2) of their upper left corners, rows then columns, from
    0 to where a stamp still fits. Whole numbers are added, so that the order of the sum changes nothing.
    """
    import torch

    count, frames, stamped, _ = positions.shape
    height, width = stamps.shape[2:]
    device = stamps.device
    inside = (torch.arange(height, device=device)[:, None] * size + torch.arange(width, device=device)).view(-1)
    corners = positions[..., 0] * size + positions[..., 1]
    corners = corners + torch.arange(count * frames, device=device).view(count, frames, 1) * size**2
    sheet = torch.zeros(count * frames * size**2, dtype=torch.int32, device=device)
    values = stamps.to(torch.int32).view(count, 1, stamped, -1).expand(-1, frames, -1, -1)
    sheet.index_add_(0, (corners[..., None] + inside).view(-1), values.reshape(-1))
    return sheet.clamp_(max=255).to(torch.uint8).view(count, frames, 1, size, size)


def shown_next(turned: Tensor) -> Tensor:
    """Events (B, T): what is drawn at one frame, after its picture is settled, is first seen in the next one."""
    import torch

    events = torch.zeros_like(turned)
    events[:, 1:] = turned[:, :-1]
    return events


# -- windows of longer clips -----------------------------------------------------------------------


def windows(clips: Sequence[Array], length: int, stride: int) -> Array:
    """Every window of `length` frames, `stride` apart, of clips (T_i, *frame): (N, length, *frame).

    A clip shorter than that has none.
    """
    lengths = [len(clip) for clip in clips]
    cut = np.empty((count_windows(lengths, length, stride), length, *clips[0].shape[1:]), clips[0].dtype)
    starts = ((clip, start) for clip in clips for start in range(0, len(clip) - length + 1, stride))
    for place, (clip, start) in enumerate(starts):
        cut[place] = clip[start:start + length]
    return cut


def sources(clips: Sequence[Array], length: int, stride: int) -> NDArray[np.int64]:
    """The number of the clip that each window of `windows` is cut from, (N,)."""
    return np.repeat(np.arange(len(clips)), [count_windows([len(clip)], length, stride) for clip in clips])


def count_windows(lengths: Sequence[int], length: int, stride: int) -> int:
    """How many windows `windows` would cut from clips of these lengths."""
    return sum(max(0, (frames - length) // stride + 1) for frames in lengths)


def tails(clips: Sequence[NDArray[P]], share: float, window: int, *, at_least: int
          ) -> tuple[list[NDArray[P]], list[NDArray[P]], list[NDArray[P]]]:
    """Clips without their ends, and the ends: one of a `share` of the frames for validation, and the last for test.

    An end has a `window` of frames at least. A clip of which less than `at_least` frames would be left stays whole.
    """
    train, validation, test = [], [], []
    for clip in clips:
        end = max(round(share * len(clip)), window)
        cut = len(clip) - 2 * end
        if cut < at_least:
            train.append(clip)
            continue
        train.append(clip[:cut])
        validation.append(clip[cut:cut + end])
        test.append(clip[cut + end:])
    return train, validation, test
