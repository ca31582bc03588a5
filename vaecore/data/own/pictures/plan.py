"""What becomes of pictures of one's own, as all of them together decide it: levels, channels, size, and what lies
behind and beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import ImageColor

from vaecore.data.base import MAX_SIDE
from vaecore.data.own.file import wrong
from vaecore.data.own.pictures.decoding import Pixels
from vaecore.data.own.pictures.fits import Fit, fitted
from vaecore.data.own.pictures.levels import Channels, Levels, Scale, in_channels
from vaecore.data.own.pictures.piles import Pile
from vaecore.data.own.pictures.survey import (
    ALPHA,
    ANIMATED,
    CHANNELS,
    COLOURED,
    CUT,
    DEEP,
    EDGE,
    EIGHT_BITS,
    FLOAT,
    HEIGHT,
    HIGH,
    LIGHT,
    LOW,
    MORE_BITS,
    TURNED,
    WHOLE,
    WIDTH,
    Survey,
)
from vaecore.data.own.splitting import Rows
from vaecore.schema import problem
from vaecore.words import are, counted

COMMON = 0.1  # of the pictures: the least share that makes their size the one of all


class Wanted(Protocol):
    """The fields that say what should become of the pictures at a path."""

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> tuple[int, ...]: ...

    @property
    def fit(self) -> Fit: ...

    @property
    def channels(self) -> Channels: ...

    @property
    def background(self) -> str: ...


@dataclass(frozen=True)
class Plan:
    """What becomes of every picture, as all of them together decide it."""

    size: tuple[int, int]
    fit: Fit
    channels: Channels
    paper: tuple[int, int, int]  # red, green, blue
    scales: tuple[Scale, Scale, Scale]  # of 8 bits, of more, of floats

    def prepared(self, pixels: Pixels) -> Levels:
        """Pictures of one size as they are trained on, (n, C, H, W)."""
        values, alpha = pixels.values, pixels.alpha
        deep = EIGHT_BITS if values.dtype in (np.uint8, np.bool_) else FLOAT if values.dtype.kind == "f" else MORE_BITS
        levels = self.scales[deep].levels(values[..., :-1] if alpha else values)
        if alpha:
            levels = np.concatenate([levels, values[..., -1:]], -1)
        behind = np.array(self.paper, np.uint8)
        # What is padded needs the channels that its paper has; fewer come last, when there are fewer pixels.
        if self.channels == "colour+alpha":
            levels, alpha = in_channels(levels, self.channels, behind, alpha=alpha), True
        elif self.channels == "colour" and levels.shape[-1] < 3:
            levels = np.concatenate([np.repeat(levels[..., :1], 3, -1), levels[..., 1:]], -1)
        if levels.shape[1:3] != self.size:
            beside = self._beside(levels.shape[-1], alpha=alpha)
            levels = np.stack([fitted(each, self.size, self.fit, beside, alpha=alpha) for each in levels])
        levels = in_channels(levels, self.channels, behind, alpha=alpha)
        return np.ascontiguousarray(np.moveaxis(levels, -1, 1))

    @property
    def enough(self) -> int:
        """Pixels a side of which no more are needed of a picture."""
        return 2 * max(self.size)

    def _beside(self, channels: int, *, alpha: bool) -> Levels:
        """What lies beside a padded picture: paper, transparent where that can be; black of any other channels."""
        colour = np.array(self.paper, np.uint8)
        base = channels - alpha
        shown = colour if base == 3 else in_channels(colour[None], "grey", colour, alpha=False)[0] if base == 1 else (
            np.zeros(base, np.uint8))
        return np.append(shown, np.uint8(0)) if alpha else shown


def planned(wanted: Wanted, pile: Pile, survey: Survey, rows: Rows) -> tuple[Plan, list[str]]:
    """What becomes of the pictures at `rows`, and what of that is done to them, a sentence each."""
    done = []
    scales = []
    for deep in (EIGHT_BITS, MORE_BITS, FLOAT):
        these = rows[survey.of(DEEP, rows) == deep]
        try:
            scale = Scale() if not len(these) else Scale.of(
                float(survey.of(LOW, these).min()), float(survey.of(HIGH, these).max()),
                whole=bool(survey.of(WHOLE, these).all()), levels=deep == EIGHT_BITS)
        except ValueError as error:
            raise wrong(wanted.path, f"has pictures that {error}.", "Give pictures with something on them.") from None
        scales.append(scale)
        if scale.said:
            done.append(scale.said if len(these) == len(rows) else f"{counted(len(these), 'picture')}: {scale.said}")
    for fact, what in ((TURNED, "turned as {its} EXIF says"), (ANIMATED, "of several frames, of which the first "
                                                               "is taken"),
                       (CUT, "in colours of 16 bits, of which only the upper 8 are read: an .npy keeps them all")):
        if count := int((survey.of(fact, rows) > 0).sum()):
            done.append(f"{counted(count, 'picture')} {what.format(its='its' if count == 1 else 'their')}")
    channels, said = _channels(wanted, pile, survey, rows)
    done += said
    size, said = _size(wanted, pile, survey, rows)
    done += said
    see_through = rows[survey.of(ALPHA, rows) == 2]
    laid = len(see_through) and channels in ("grey", "colour")
    ratios = survey.of(HEIGHT, rows) * size[1] != survey.of(WIDTH, rows) * size[0]
    padded = wanted.fit == "pad" and bool(ratios.any())
    paper, name = _paper(wanted, survey, rows, scales)
    if laid:
        done.append(f"{counted(len(see_through), 'picture')} with transparent parts laid on {name}")
    if padded:
        done.append(f"{counted(int(ratios.sum()), 'picture')} of another aspect padded with {name}")
    return Plan(size, wanted.fit, channels, paper, (scales[0], scales[1], scales[2])), done


def _channels(wanted: Wanted, pile: Pile, survey: Survey, rows: Rows) -> tuple[Channels, list[str]]:
    base, alpha = survey.of(CHANNELS, rows), survey.of(ALPHA, rows) > 0
    other = rows[~np.isin(base, (1, 3))]
    if wanted.channels not in ("auto", "as they are"):
        if len(other):
            first = int(other[0])
            raise problem("data.channels", wanted.channels, f"{pile.name(first)} of '{wanted.path}' has "
                          f"{survey.of(CHANNELS)[first]:.0f} channels, which have no colour.",
                          "Use data.channels=as they are, where all have as many, or pictures of 1 or 3 channels.")
        return wanted.channels, _changed(survey, rows, wanted.channels)
    if len(other) or wanted.channels == "as they are":
        together = base + alpha
        if (together != together[0]).any():
            first = int(rows[together != together[0]][0])
            raise problem("data.channels", wanted.channels, f"{pile.name(first)} of '{wanted.path}' has "
                          f"{base[rows == first][0] + alpha[rows == first][0]:.0f} channels, but "
                          f"{pile.name(int(rows[0]))} {together[0]:.0f}.",
                          "Give pictures with as many channels each." if len(other) else
                          "Use grey or colour, or give pictures of one kind.")
        return "as they are", []
    coloured = (survey.of(COLOURED, rows) > 0).any()
    chosen: Channels = "colour" if coloured else "grey"
    return chosen, _changed(survey, rows, chosen)


def _changed(survey: Survey, rows: Rows, channels: Channels) -> list[str]:
    """Whose channels become others, in words."""
    base, coloured = survey.of(CHANNELS, rows), survey.of(COLOURED, rows) > 0
    if channels != "grey":
        return [f"{counted(count, 'grey picture')} made colour"] if (count := int((base == 1).sum())) else []
    made = int(coloured.sum())
    equal = int(((base == 3) & ~coloured).sum())
    return [*([f"{counted(made, 'picture')} in colour made grey"] if made else []),
            *([f"{counted(equal, 'picture')} stored in colour {'is' if equal == 1 else 'are'} grey, and kept so"]
              if equal else [])]

def _size(wanted: Wanted, pile: Pile, survey: Survey, rows: Rows) -> tuple[tuple[int, int], list[str]]:
    """Height and width that all pictures get, and what that does, in words."""
    sizes = survey.facts[rows][:, [HEIGHT, WIDTH]].astype(np.int64)
    distinct, counts = np.unique(sizes, axis=0, return_counts=True)
    common = distinct[np.flatnonzero(counts == counts.max())[-1]].tolist()  # of equally many the larger ones
    rare = counts.max() < COMMON * len(rows)  # a size that two share by chance says nothing of the rest
    if rare:
        common = [int(side) for side in np.median(sizes, axis=0)]
    height, width = (wanted.size * 2)[:2]
    done = []
    if not (height or width):
        height, width = common
        if rare:
            done.append(f"the middle of {len(distinct):,} heights and widths taken, {common[0]:,} × {common[1]:,}: no "
                        "size is common")
        if max(common) > MAX_SIDE:
            height, width = (max(1, round(side * MAX_SIDE / max(common))) for side in common)
            done.append(f"made smaller, from {common[0]:,} × {common[1]:,} to {height} × {width}: at most "
                        f"{MAX_SIDE} pixels a side are trained on")
    elif not height or not width:
        scale = height / common[0] if height else width / common[1]
        height, width = (min(MAX_SIDE, max(1, round(side * scale))) for side in common)
    others = np.flatnonzero((sizes != (height, width)).any(1))
    if not len(others):
        return (height, width), done
    if wanted.fit == "as they are":
        first = int(others[0])
        raise problem("data.fit", wanted.fit, f"{counted(len(others), 'picture')} of '{wanted.path}' "
                      f"{are(len(others))} not {height} × {width}: {pile.name(int(rows[first]))} is "
                      f"{sizes[first][0]} × {sizes[first][1]}.",
                      "Use pad, crop or stretch, or give another data.size.")
    what = {"pad": "scaled to fit in", "crop": "scaled to fill it and cut", "stretch": "stretched"}[wanted.fit]
    several = f"{len(distinct):,} sizes" if len(distinct) > 1 else "one size"
    done.append(f"{len(others):,} of {counted(len(rows), 'picture')} ({several}) {what}: {height} × {width}")
    return (height, width), done


def _paper(wanted: Wanted, survey: Survey, rows: Rows, scales: Sequence[Scale]) -> tuple[tuple[int, int, int], str]:
    """The colour behind and beside pictures, and what it is called."""
    if wanted.background != "auto":
        red, green, blue = ImageColor.getrgb(wanted.background)[:3]
        return (red, green, blue), wanted.background
    see_through = rows[survey.of(ALPHA, rows) == 2]
    if len(see_through):
        light = float(survey.of(LIGHT, see_through).mean()) <= 127
    else:
        edges = [scale.levels(survey.of(EDGE, rows[survey.of(DEEP, rows) == deep]))
                 for deep, scale in enumerate(scales)]
        light = float(np.median(np.concatenate(edges))) > 127
    return ((255, 255, 255), "white") if light else ((0, 0, 0), "black")
