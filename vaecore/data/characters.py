"""Animated characters: the sprites of Li & Mandt (2018), composed here from layers of the Liberated Pixel Cup.

A character is a body, trousers, a top and hair, 6 of each, with the same shoes: 6⁴ = 1,296 of them, each walking,
casting a spell and slashing while it faces the viewer, left or right. Layers lie one over the other in that order on
black, as in their code, and their split is used: 1,000 characters for training, the others for validation and test,
half and half. A test character was never trained on, though all its parts were.

The art is by the contributors of the Liberated Pixel Cup, under CC BY-SA 3.0 and GPL 3.0; the layers were collected by
Y. Li (github.com/YingzhenLi/Sprites). Whoever publishes pictures made from them has to credit them in the same way.

All 11,664 clips would take a gigabyte: batches are composed from the layers on the device.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data import npz
from vaecore.data.base import SPLITS, Array, DataConfig, Dataset, Split, SplitName
from vaecore.data.clips import FRAMES, LOOKED_AT, PART, Anew, Clips
from vaecore.data.placed import Placed
from vaecore.modalities import Modality
from vaecore.schema import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FILE, FOLDER = "lpc_sprite_layers.npz", "lpc_sprites"
LAYERS = {"body": 7, "bottomwear": 7, "topwear": 7, "hair": 10, "shoes": 3}  # how many the file has, bottom to top
PARTS = ("body", "bottomwear", "topwear", "hair")
CHOICES, SHOES = 6, 1  # of body, bottomwear, topwear and hair; and which shoes all of them wear
ACTIONS = tuple(f"{action} {direction}" for action, direction in
                itertools.product(("walk", "spell", "slash"), ("front", "left", "right")))
LENGTH, SIDE = 8, 64  # frames, pixels
TRAINED_ON, PUBLISHED_SEED = 1_000, 423  # characters, and the shuffle before they were split
SHIFTS, MARK = (0, 10, 20), 1 << 30  # bits of red, green and blue in a packed pixel, and of one that is opaque
OPAQUE = 128  # of 255: all but 128 of a layer's pixels are 0 or 255, and those are above 229


class Characters(DataConfig):
    """Clips of 8 frames of one character and action in colour: `frames` (8, 3, size, size). Labels are the actions."""

    title: ClassVar[str] = "Animated characters"
    observation: ClassVar[str] = "clip"
    name: Literal["characters"] = "characters"
    size: int = option(32, "Side of a frame: 64 as drawn, or 32, the means of 2 × 2 of its pixels.", unit="pixels",
                       ge=32, le=64, multiple_of=32)
    test_clips: int = option(256, "Clips kept for validation, and as many for test, of 1,332 each.", unit="clips",
                             ge=9, le=1_332)
    data_seed: int = option(0, "Seed of which clips are kept.", ge=0, le=2**31 - 1, advanced=True)

    def reads(self) -> tuple[str, ...]:
        return ("characters",)

    def here(self) -> str:
        npz.located(FOLDER, FILE, LAYERS)
        return "animated characters (LPC contributors, CC BY-SA 3.0)"

    def load(self) -> Dataset:
        """Raises `DataUnavailable` where the layers are not on this machine, or are damaged."""
        import torch

        found, _ = npz.published(FOLDER, FILE, {name: ("u", (count, 3, 3, LENGTH, SIDE, SIDE, 4))
                                                for name, count in LAYERS.items()})
        layers = Layers(found, self.size)
        train, *held_out = (clips_of(characters) for characters in split_characters())
        shuffle = np.random.default_rng(self.data_seed).permutation
        rows = dict(zip(SPLITS, (shuffle(train)[:self.train_limit or LOOKED_AT],
                                 *(shuffle(clips)[:self.test_clips] for clips in held_out)), strict=True))
        splits: dict[SplitName, Split] = {
            split: Split({FRAMES: np.concatenate([layers.composed(torch.from_numpy(part)).numpy()
                                                  for part in np.array_split(clips, -(-len(clips) // PART))])},
                         clips[:, -1]) for split, clips in rows.items()}
        count = len(rows["train"]) if self.train_limit else len(train)
        return Dataset("characters", f"animated characters (LPC contributors, CC BY-SA 3.0): {count:,} clips of "
                       f"{TRAINED_ON:,} characters; {self.test_clips:,} of others for validation and as many for test",
                       {FRAMES: Modality("video", (LENGTH, 3, self.size, self.size))}, splits,
                       drawn=None if self.train_limit else
                       Anew(count, LENGTH, Composed(layers, Placed(torch.from_numpy(train)))))


@dataclass(frozen=True, eq=False)
class Composed:
    """Makes clips, each one of `clips` (N, 5)."""

    layers: Layers
    clips: Placed

    def __call__(self, count: int, frames: int, generator: torch.Generator) -> Clips:
        import torch

        known = self.clips.on(generator.device)
        clips = known[torch.randint(len(known), (count,), generator=generator, device=generator.device)]
        return Clips(self.layers.composed(clips)[:, :frames], None, clips[:, -1])


class Layers:
    """What lies below and above in every character, each pixel packed into one number, 0 where nothing is.

    Below are body and bottomwear, above are topwear, hair and shoes: all pairs of each are laid over each other once,
    so that a batch takes one more such step. Pixels whose mean becomes one are in different planes, side by side.
    """

    def __init__(self, found: Mapping[str, Array], size: int) -> None:
        self.size, self.fold = size, SIDE // size
        body, bottomwear, topwear, hair = (_packed(found[name][:CHOICES], self.fold) for name in PARTS)
        shoes = _packed(found["shoes"][SHOES:SHOES + 1], self.fold)
        # What is above keeps the mark of an opaque pixel: the larger number is the upper one then.
        self._layers = _over(body, bottomwear) & ~MARK, _over(topwear, _over(hair, shoes))
        self._on: dict[torch.device, tuple[Tensor, Tensor]] = {}  # on each device they were asked for

    def composed(self, clips: Tensor) -> Tensor:
        """Clips (B, 8, 3, size, size) in uint8 of characters and actions (B, 5), on their device."""
        import torch

        if clips.device not in self._on:
            below, above = self._layers
            self._on[clips.device] = below.to(clips.device), above.to(clips.device)
        below, above = (layer.flatten(0, 1) for layer in self._on[clips.device])
        body, bottomwear, topwear, hair, action = clips.T
        pixels = torch.maximum(below.index_select(0, (body * CHOICES + bottomwear) * len(ACTIONS) + action),
                               above.index_select(0, (topwear * CHOICES + hair) * len(ACTIONS) + action))
        # All three colours are added up at once, each in its 10 bits; the marks run over at the top.
        first, *others = pixels.unbind(1)
        total, halves = sum(others, first + self.fold**2 // 2 * 0x100401), self.fold // 2 * 2
        colours = torch.stack([(total >> shift + halves).bitwise_and_(255).to(torch.uint8) for shift in SHIFTS], 2)
        return colours.view(len(clips), LENGTH, 3, self.size, self.size)





def split_characters() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Characters (N, 4), body, bottomwear, topwear and hair, of training, validation and test."""
    everyone = np.array(list(itertools.product(range(CHOICES), repeat=4)), np.int64)
    # The published shuffle, by the generator of that time.
    everyone = everyone[np.random.RandomState(PUBLISHED_SEED).permutation(len(everyone))]
    cut = TRAINED_ON + (len(everyone) - TRAINED_ON) // 2
    return everyone[:TRAINED_ON], everyone[TRAINED_ON:cut], everyone[cut:]


def clips_of(characters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each of N characters with each action: (9 N, 5)."""
    actions = np.tile(np.arange(len(ACTIONS)), len(characters))
    return np.concatenate([characters.repeat(len(ACTIONS), 0), actions[:, None]], 1)


def _over(below: Tensor, above: Tensor) -> Tensor:
    """Every layer of `above` (L, 9, ...) over every one of `below` (K, 9, ...): (K × L, 9, ...)."""
    import torch

    return torch.where(above != 0, above, below[:, None]).flatten(0, 1)


def _packed(layer: Array, fold: int) -> Tensor:
    """Colours with opacity (K, 3, 3, 8, 64, 64, 4) in uint8 as whole numbers (K, 9, fold², 8, size²)."""
    import torch

    values = layer.astype(np.int32)
    pixels = np.full(values.shape[:-1], MARK, np.int32)
    for channel, shift in enumerate(SHIFTS):
        pixels |= values[..., channel] << shift
    pixels[values[..., 3] < OPAQUE] = 0
    apart = pixels.reshape(len(layer), len(ACTIONS), LENGTH, SIDE // fold, fold, SIDE // fold, fold)
    planes = apart.transpose(0, 1, 4, 6, 2, 3, 5)
    return torch.from_numpy(planes.reshape(len(layer), len(ACTIONS), fold**2, LENGTH, -1))
