"""What the Train page has measured: the look of a data set, whether a model fits it, the time a training takes.

Each answer is kept by the configuration's JSON. torch is imported when the first is asked for.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vaecore.config import RunConfig
    from vaecore.data import Array, Dataset, Modality
    from vaecore.training.build import Fit

PICTURES, COLUMNS = 21, 7
STRIPS = 4  # clips
SENTENCES, LONGEST = 8, 240  # sample sentences, and characters of each
LARGEST = 50_000_000  # parameters; a larger model is not measured in the web server's memory
_measuring = threading.Lock()  # one at a time, or two visitors would measure each other


@dataclass(frozen=True)
class Look:
    """A data set in a few words, and a picture or some sentences of it."""

    source: str
    sizes: dict[str, int]
    shape: str
    picture: bytes = b""
    alt: str = ""
    sentences: tuple[str, ...] = ()  # words that are not in the vocabulary read <unk>


def look(config: RunConfig) -> Look:
    """The data set in use; raises `DataUnavailable`, or `ConfigError` for a file that cannot be used."""
    return _look(_data(config))


def fit(config: RunConfig) -> Fit:
    """Size of the model and number of steps; raises `ConfigError` where model, training and data do not fit."""
    return _fit(config.resolve().to_json())


def seconds(config: RunConfig) -> tuple[float, float]:
    """What it takes at least and at most, measured here: a fresh one takes a second or two."""
    least, most, _ = _measured(config.resolve().to_json())
    return least, most


def busy(config: RunConfig) -> float:
    """By how much longer `seconds` took to measure as other work had the processor; 1 on a machine at rest."""
    return _measured(config.resolve().to_json())[2]


def _data(config: RunConfig) -> str:
    return json.dumps(config.resolve().model_dump(mode="json")["data"])


def _config(text: str) -> RunConfig:
    from vaecore.config import RunConfig

    return RunConfig.model_validate_json(text)


@st.cache_resource(max_entries=3, show_spinner=False)
def _dataset(data: str) -> Dataset:
    return _config(f'{{"data": {data}}}').data.load()


@st.cache_data(max_entries=24, show_spinner=False)
def _look(data: str) -> Look:
    from vaecore.data import SPECIALS
    from vaecore.data.text import of_characters, words
    from vaecore.explore.pictures import grid, png, stacked, striped

    dataset = _dataset(data)
    sizes = {name: dataset.size(name) for name in dataset.splits}
    few = dataset.splits["train"].head(PICTURES).arrays
    described, sentences, rows = [], [], []
    for name, modality in dataset.modalities.items():
        if modality.kind == "text":
            vocabulary, [longest] = modality.vocabulary, modality.shape
            sentences += [words(row, vocabulary)[:LONGEST] for row in few[name][:SENTENCES]]
            unit = "characters" if of_characters(vocabulary) else "words"
            what = f"vocabulary of {len(vocabulary) - len(SPECIALS):,} {unit} · longest sentence {longest - 1} {unit}"
        elif modality.kind == "label":
            what = f"one of {modality.size} classes"
        elif modality.kind == "vector":  # a row of grey tiles each: grey is 0
            rows.append(np.clip(few[name][:, None] * (128 / 3) + 128, 0, 255).astype(np.uint8))
            what = f"{modality.size} numbers each"
        elif modality.kind in ("video", "trajectory"):
            strips, what = _clips(few[name], modality)
            rows.append(strips)
        else:
            channels, height, width = modality.shape
            tiles = few[name][:, 0] if channels != 3 else few[name].transpose(0, 2, 3, 1)
            rows.append(np.ascontiguousarray(tiles))
            what = f"{height} × {width} pixels" + (", colour" if channels == 3 else "")
        described.append(f"{name}: {what}" if len(dataset.modalities) > 1 else what)
    shape = " · ".join(described)
    if not rows:
        return Look(dataset.source, sizes, shape, sentences=tuple(sentences))
    if len(dataset.modalities) > 1:
        drawn = [row for row in rows if row.shape[1] > 1]
        picture = png(stacked([row[:COLUMNS] for row in drawn]), scale=4) if drawn else png(striped(rows))
        return Look(dataset.source, sizes, shape, picture, "training observations, a column each" if drawn else
                    "training observations, a stripe each; grey is 0", sentences=tuple(sentences))
    [modality] = dataset.modalities.values()
    if modality.kind == "video":
        sheet, what = grid(rows[0], COLUMNS, background=128), "frames of training clips, a row each"
    elif modality.kind == "trajectory":
        sheet, what = grid(rows[0], 1, background=0), "training clips: numbers downwards, time to the right; grey is 0"
    elif modality.kind == "vector":
        sheet, what = grid(rows[0], 1, gap=0), "vectors, a row each; grey is 0"
    else:
        sheet, what = grid(rows[0], COLUMNS, background=128), "images of the training set"
    return Look(dataset.source, sizes, shape, png(sheet, scale=4), f"{len(rows[0])} {what}")


def _clips(clips: Array, modality: Modality) -> tuple[NDArray[np.uint8], str]:
    """A few clips to look at and what they are: of a video some frames, evenly spaced, as tiles (N, H, W[, 3]); of a
    trajectory a tile a clip, (N, 6 D, 6 T)."""
    frames = modality.shape[0]
    if modality.kind == "trajectory":
        tiles = np.clip(clips[:STRIPS].swapaxes(1, 2) * 127 + 128, 0, 255).astype(np.uint8)
        return tiles.repeat(6, 1).repeat(6, 2), f"{frames} frames of {modality.shape[1]} numbers each"
    _, channels, height, width = modality.shape
    shown = clips[:STRIPS, np.linspace(0, frames - 1, COLUMNS).round().astype(int)].reshape(-1, channels, height, width)
    tiles = shown[:, 0] if channels != 3 else np.ascontiguousarray(shown.transpose(0, 2, 3, 1))
    return tiles, f"{frames} frames of {height} × {width} pixels" + (", colour" if channels == 3 else "")


@st.cache_data(max_entries=256, show_spinner=False)
def _fit(text: str) -> Fit:
    from vaecore.training.build import fit

    config = _config(text)
    return fit(config, _dataset(_data(config)))


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def _measured(text: str) -> tuple[float, float, float]:
    from vaecore.training.estimate import estimate

    with _measuring:
        found = estimate(_config(text))
    return found.seconds, found.at_most, found.busy
