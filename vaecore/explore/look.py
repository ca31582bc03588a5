"""The first look at a data set: what its observations are, in words, and some of its training observations to see."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from vaecore.data import Array, Dataset
from vaecore.data.text import words
from vaecore.explore.pictures import MOST_ENLARGED, Images, grid, in_colour, on_screen, png, stacked, striped
from vaecore.modalities import Image, Modality, Text, Trajectory, Vector, Video, grey

OBSERVATIONS, COLUMNS = 21, 7
STRIPS = 4  # clips
SENTENCES, LONGEST_SHOWN = 8, 240  # sample sentences, and characters of each
MAGNIFIED = 6  # pixels a side of one number of a trajectory
ROWS, NAMED = 8, 12  # rows of a table that are written out, and the most columns of a table of which they are
DIGITS = 6  # of the largest number of a column
BROAD = 2  # times as wide as high is a sheet of short vectors at least


@dataclass(frozen=True)
class Look:
    """A data set in a few words, and a picture or some sentences of it."""

    source: str
    sizes: dict[str, int]
    shape: str
    picture: bytes = b""
    alt: str = ""
    sentences: tuple[str, ...] = ()  # words that are not in the vocabulary read <unk>
    rows: tuple[dict[str, float], ...] = ()  # of a small table, by the columns' names, in the file's units
    classes: dict[str, int] = field(default_factory=dict)  # how many observations there are of each, in all splits
    split_by: str = ""  # of files of one's own, as the data set tells them
    done: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Sheet(NamedTuple):
    """How observations of one kind are laid out, and what the sheet is called."""

    said: str
    tiles: Callable[[Modality, Array], Images]
    columns: int = 1
    gap: int = 1
    background: int | None = None


def look(dataset: Dataset) -> Look:
    """Pictures of a data set's training observations; several modalities stand in rows, a column an observation."""
    return replace(_sheet(dataset), rows=_rows(dataset), classes=dataset.counted(), split_by=dataset.split_by,
                   done=dataset.done, left_out=dataset.left_out)


def _rows(dataset: Dataset) -> tuple[dict[str, float], ...]:
    """The first training rows of a data set that is one vector of a few named columns."""
    [*modalities] = dataset.modalities.items()
    name, modality = modalities[0]
    if len(modalities) > 1 or not isinstance(modality, Vector) or not 0 < len(modality.columns) <= NAMED:
        return ()
    few = modality.in_units(np.asarray(dataset.splits["train"].arrays[name][:ROWS], np.float64))
    # Single precision leaves 1e-8 where the file has 0.
    digits = [DIGITS - 1 - (math.floor(math.log10(most)) if most else 0) for most in np.abs(few).max(0)]
    return tuple({column: round(float(number), places) for column, number, places
                  in zip(modality.columns, row, digits, strict=True)} for row in few)


def _sheet(dataset: Dataset) -> Look:
    """The picture or the sentences, and the sizes."""
    sizes: dict[str, int] = {name: dataset.size(name) for name in dataset.splits}
    few = dataset.splits["train"].head(OBSERVATIONS).arrays
    several = len(dataset.modalities) > 1
    shape = " · ".join(f"{name}: {modality.described}" if several else modality.described
                       for name, modality in dataset.modalities.items())
    sentences = tuple(words(row, modality.vocabulary)[:LONGEST_SHOWN] for name, modality in dataset.modalities.items()
                      if isinstance(modality, Text) for row in few[name][:SENTENCES])
    seen = {name: modality for name, modality in dataset.modalities.items() if isinstance(modality, tuple(SHEETS))}
    rows = [modality.pick(SHEETS).tiles(modality, few[name]) for name, modality in seen.items()]
    if not rows:
        return Look(dataset.source, sizes, shape, sentences=sentences)
    if several:
        drawn = [row for row in rows if row.shape[1] > 1]
        picture = on_screen(stacked([row[:COLUMNS] for row in drawn]), most=MOST_ENLARGED) if drawn else png(
            striped(rows))
        return Look(dataset.source, sizes, shape, picture, "training observations, a column each" if drawn else
                    "training observations, a stripe each; grey is 0", sentences)
    [modality], [tiles] = seen.values(), rows
    sheet = modality.pick(SHEETS)
    if isinstance(modality, Vector):  # drawn out where it is short: a few columns are no tower
        tiles = tiles.repeat(max(1, BROAD * OBSERVATIONS // modality.size), 2)
    picture = on_screen(grid(tiles, sheet.columns, gap=sheet.gap, background=sheet.background), most=MOST_ENLARGED)
    return Look(dataset.source, sizes, shape, picture, f"{len(tiles)} {sheet.said}")


def _images(modality: Modality, stored: Array) -> Images:  # noqa: ARG001 (as the others)
    """(N, C, H, W) as (N, H, W[, 3])."""
    return in_colour(stored.astype(np.uint8, copy=False))


def _vectors(modality: Modality, stored: Array) -> Images:  # noqa: ARG001 (as the others)
    """(N, D) as a row of grey tiles each."""
    return grey(stored[:, None].astype(np.float32, copy=False))


def _videos(modality: Modality, stored: Array) -> Images:
    """Some frames of a few clips, evenly spaced."""
    places = np.linspace(0, modality.shape[0] - 1, COLUMNS).round().astype(int)
    return _images(modality, stored[:STRIPS, places].reshape(-1, *modality.shape[1:]))


def _trajectories(modality: Modality, stored: Array) -> Images:  # noqa: ARG001 (as the others)
    """A tile a clip: numbers between -1 and 1 downwards, time to the right."""
    tiles = np.clip(stored[:STRIPS].swapaxes(1, 2).astype(np.float32, copy=False) * 127 + 128, 0, 255).astype(np.uint8)
    return tiles.repeat(MAGNIFIED, 1).repeat(MAGNIFIED, 2)


SHEETS: dict[type[Modality], Sheet] = {
    Image: Sheet("images of the training set", _images, COLUMNS, background=128),
    Vector: Sheet("vectors, a row each; grey is 0", _vectors, gap=0),
    Video: Sheet("frames of training clips, a row each", _videos, COLUMNS, background=128),
    Trajectory: Sheet("training clips: numbers downwards, time to the right; grey is 0", _trajectories, background=0)}
