"""What can be given to a model of several modalities: a picture, a class, a sentence, each as the model reads it.

Every observation given is a batch of one, (1, *shape): pixels in [0, 1], a label as a one-hot row, a sentence as word
numbers. What does not fit raises a `ValueError` that names the modality, and what to give instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaecore.explore.pictures import Images
from vaecore.explore.sentences import MAX_TYPED, Reading, UnreadableText, reading
from vaecore.modalities import END, PAD, Image, Label, Modality, Text
from vaecore.training.feed import scaled


class Typed(NamedTuple):
    """A typed label or sentence as the model reads it, (1, *shape); of a sentence also its words."""

    value: Tensor
    reading: Reading | None = None


def picture(name: str, modality: Modality, pixels: Images) -> Tensor:
    """A drawn or uploaded picture in uint8, (H, W) or (C, H, W), as the model reads it: (1, C, H, W).

    A grey one is shown to a modality in colour as it is, opaque where there is opacity. Raises `ValueError` for another
    shape, and for one that is blank.
    """
    if not isinstance(modality, Image):
        raise ValueError(f"{name} is {modality.article} and cannot be drawn. {modality.instead}")
    array = np.asarray(pixels)
    channels = array[None] if array.ndim == 2 else array
    if channels.ndim == 3 and len(channels) == 1:
        channels = channels.repeat(modality.shape[0], 0)
        if len(channels) == 4:
            channels[3] = 255
    if channels.shape != modality.shape or array.dtype != np.uint8:
        raise ValueError(f"{name}: a picture of shape {array.shape} in {array.dtype} does not fit. Give uint8 of "
                         f"shape {modality.shape}.")
    parts = (channels[:3], channels[3:]) if len(channels) == 4 else (channels,)
    if all(int(part.max()) == int(part.min()) for part in parts):
        raise ValueError(f"{name}: the picture is blank. Draw or upload something that is one, or choose a test "
                         "sample.")
    return scaled(torch.from_numpy(np.ascontiguousarray(channels)))[None]


def label(name: str, modality: Modality, number: int) -> Tensor:
    """A class as a one-hot row, (1, D)."""
    if not isinstance(modality, Label):
        raise ValueError(f"{name} is no label. {modality.instead}")
    if not 0 <= number < modality.size:
        raise ValueError(f"{name}: there is no class {number}. Choose one from 0 to {modality.size - 1}.")
    return torch.eye(modality.size)[number:number + 1]


def typed(name: str, modality: Modality, text: str) -> Typed:
    """A class by its number or name, or a sentence; raises `ValueError` for what is neither.

    Words that the model does not know are read as the unknown word; the reading tells which.
    """
    if len(text) > MAX_TYPED:
        raise UnreadableText(f"{name}: this text has {len(text):,} characters. Type at most {MAX_TYPED:,}.")
    if isinstance(modality, Label):
        if (number := modality.class_number(text)) is None:
            names = modality.class_names
            listed = ", ".join(names) if len(names) <= 12 else modality.listed
            raise ValueError(f"{name}: '{text.strip()[:40]}' is no class. Type one of {listed}.")
        return Typed(label(name, modality, number))
    if not isinstance(modality, Text):
        raise ValueError(f"{name} is {modality.article} and cannot be typed. {modality.instead}")
    try:
        read = reading(text, modality.vocabulary, modality.size - 1)
    except UnreadableText as error:
        said = str(error)
        raise UnreadableText(f"{name}: {said[0].lower()}{said[1:]}") from None
    row = torch.full((1, modality.size), PAD)
    row[0, :len(read.words) + 1] = torch.tensor([*read.numbers, END])
    return Typed(row, read)


def fitting(name: str, modality: Modality, value: Tensor) -> Tensor:
    """One observation as a batch of one, (1, *shape); raises `ValueError` that says what does not fit."""
    x = value if value.ndim == len(modality.shape) + 1 else value[None]
    if tuple(x.shape) != (1, *modality.shape):
        raise ValueError(f"{name}: what is given has shape {tuple(value.shape)}. Give one observation of shape "
                         f"{modality.shape}.")
    if problem := modality.fault(x):
        raise ValueError(f"{name}: {problem}")
    return modality.as_read(x)


def digest(given: Mapping[str, Tensor]) -> str:
    """A short name of what is given: the same for the same numbers, whatever their order."""
    found = hashlib.sha256()
    for name, value in sorted(given.items()):
        found.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()
