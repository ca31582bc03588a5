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

from vaecore.data import END, PAD, Modality
from vaecore.explore.pictures import Images
from vaecore.explore.sentences import LONGEST_TEXT, Reading, UnreadableText, reading
from vaecore.training.feed import scaled

LARGEST_NUMBER = 1e6  # of a vector that is given


class Typed(NamedTuple):
    """A typed label or sentence as the model reads it, (1, *shape); of a sentence also its words."""

    value: Tensor
    reading: Reading | None = None


def picture(name: str, modality: Modality, pixels: Images) -> Tensor:
    """A drawn or uploaded picture in uint8, (H, W) or (C, H, W), as the model reads it: (1, C, H, W).

    A grey one is shown to a modality in colour as it is. Raises `ValueError` for another shape, and for one that is
    blank.
    """
    if modality.kind != "image":
        raise ValueError(f"{name} is a {modality.kind} and cannot be drawn. {_how(modality)}")
    array = np.asarray(pixels)
    channels = array[None] if array.ndim == 2 else array
    if channels.ndim == 3 and len(channels) == 1:
        channels = channels.repeat(modality.shape[0], 0)
    if channels.shape != modality.shape or array.dtype != np.uint8:
        raise ValueError(f"{name}: a picture of shape {array.shape} in {array.dtype} does not fit. Give uint8 of "
                         f"shape {modality.shape}.")
    if int(channels.max()) == int(channels.min()):
        raise ValueError(f"{name}: the picture is blank. Draw or upload something that is one, or choose a test "
                         "sample.")
    return scaled(torch.from_numpy(np.ascontiguousarray(channels)))[None]


def label(name: str, modality: Modality, number: int) -> Tensor:
    """A class as a one-hot row, (1, D)."""
    if modality.kind != "label":
        raise ValueError(f"{name} is no label. {_how(modality)}")
    if not 0 <= number < modality.size:
        raise ValueError(f"{name}: there is no class {number}. Choose one from 0 to {modality.size - 1}.")
    return torch.eye(modality.size)[number:number + 1]


def typed(name: str, modality: Modality, text: str) -> Typed:
    """A class by its number or name, or a sentence; raises `ValueError` for what is neither.

    Words that the model does not know are read as the unknown word; the reading tells which.
    """
    if len(text) > LONGEST_TEXT:
        raise UnreadableText(f"{name}: this text has {len(text):,} characters. Type at most {LONGEST_TEXT:,}.")
    if modality.kind == "label":
        if (number := modality.class_number(text)) is None:
            listed = ", ".join(modality.classes) if len(modality.classes) <= 12 else modality.listed
            raise ValueError(f"{name}: '{text.strip()[:40]}' is no class. Type one of {listed}.")
        return Typed(label(name, modality, number))
    if modality.kind != "text":
        raise ValueError(f"{name} is {article(modality.kind)} and cannot be typed. {_how(modality)}")
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
    if problem := _fault(modality, x):
        raise ValueError(f"{name}: {problem}")
    return x.long() if modality.kind == "text" else x.float()


def digest(given: Mapping[str, Tensor]) -> str:
    """A short name of what is given: the same for the same numbers, whatever their order."""
    found = hashlib.sha256()
    for name, value in sorted(given.items()):
        found.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()


def article(kind: str) -> str:
    """A kind of modality with its article."""
    return f"an {kind}" if kind == "image" else f"a {kind}"


def _how(modality: Modality) -> str:
    """How to give a modality instead."""
    return {"image": "Draw or upload it, or choose a test sample.", "vector": "Choose a test sample.",
            "label": "Choose or type a class.", "text": "Type a sentence."}[modality.kind]


def _fault(modality: Modality, x: Tensor) -> str:
    """What is wrong with an observation, in words; empty where nothing is."""
    if modality.kind == "text":
        if x.is_floating_point() or bool((x < 0).any()) or bool((x >= len(modality.vocabulary)).any()):
            return f"word numbers are whole, from 0 to {len(modality.vocabulary) - 1}."
        return "there is no word in it. Give a sentence." if bool(((x == PAD) | (x == END)).all()) else ""
    if not bool(x.isfinite().all()):
        return "it holds numbers that are not finite."
    if modality.kind == "image" and (float(x.min()) < 0 or float(x.max()) > 1):
        return "pixels lie between 0 and 1. Divide them by 255."
    if modality.kind == "label" and not (bool((x >= 0).all()) and abs(float(x.sum()) - 1) < 1e-3):
        return "a label is a row of 0 with a single 1, or probabilities that add up to 1."
    if modality.kind == "vector" and float(x.abs().max()) > LARGEST_NUMBER:
        return f"numbers lie within {LARGEST_NUMBER:,.0f}."
    return ""
