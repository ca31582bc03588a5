"""What a model draws of itself while it learns, at the steps that `album.due` names: small, and the same to the bit.

Of a model with a code: the reconstructions of fixed test observations at the means of their posteriors, what the
decoder makes of samples of its prior from fixed noise, and a walk along one number of the code, around that of the
first observation; of sentences instead what lies between the codes of the first two. Of one without a code, samples; of
clips, futures of one clip from fixed noise.

Shapes: N observations of a row, r latent size, T frames.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vaecore.album import MOST_LETTERS, Kind, Page, Row
from vaecore.data import COVARIATE
from vaecore.data.text import words
from vaecore.modalities import Clip, Label, Modality, Text, grey
from vaecore.models import Family
from vaecore.models.base import NoPrior
from vaecore.models.video.shared import VideoFamily
from vaecore.nets.text import Sentences
from vaecore.training.feed import Feed

IN_ROW, FEW_IN_ROW = 10, 6  # observations of a row: so many, or fewer of large ones, which are made smaller first
SIDES = (64, 48, 32, 24, 16)  # px of a picture's longer side, at most
LONGEST_VECTOR = 256  # numbers of a vector, at most; of more, neighbours are averaged
BUDGET = 160 * 1024  # bytes of all rows of one time, before they are deflated
ROWS = 3
FUTURES = 2
SHARE = 0.02  # of a training's work, at most
BACKWARD = 3  # what a step costs beside a pass forward
BATCHED = 8  # a pass over few observations costs that of a batch, divided by this
SPREAD = 2.5  # standard deviations of the codes, to both sides, along a walk
STAYS = 0.5  # a walk goes along another number only where its codes vary twice as much
NOISE_SEED = 20_261  # of what is drawn, the same at every step of every run
WORDS_AT = 0.7  # temperature of words that are drawn


def affordable(times: int, model: Family, total: int, batch_size: int) -> int:
    """How often to draw, at most `times`: what is drawn is to take no more than `SHARE` of the training's work.

    It is counted in passes, and never by a clock: a run that is resumed draws at the same steps. What takes a single
    pass is drawn at the beginning and the end at least.
    """
    drawn = 1 + FUTURES if isinstance(model, VideoFamily) else IN_ROW * (1 + ROWS)
    work = max(drawn, batch_size / BATCHED) * model.sampling_passes
    most = int(SHARE * BACKWARD * total * batch_size / work) if total else 1
    return min(times, max(most, 1 if model.sampling_passes == 1 else 0))


class Illustrator:
    """Draws what a model makes of the first observations of a test set; `along` is where it walks along the code."""

    def __init__(self, model: Family, test: Feed, along: str = "") -> None:
        self.model, self.along = model, along
        self.side, self.count = _room(model)
        self.batch = test.first(1 if isinstance(model, VideoFamily) else self.count)
        self.device = next(iter(self.batch.values())).device

    def given(self) -> Page:
        """The observations themselves."""
        clips = isinstance(self.model, VideoFamily)
        return Page(None, tuple(
            self._row("given", name, _frame(modality), self._few(self.batch[name][0])) if clips else
            self._row("given", name, modality, self.batch[name]) for name, modality in self.model.modalities.items()))

    @torch.no_grad()
    def page(self, step: int) -> Page:
        """What the model draws as it is now; it is left as it was, and nothing of the training's noise is used."""
        model, generator = self.model, torch.Generator(self.device).manual_seed(NOISE_SEED)
        training = model.training
        model.eval()
        try:
            if isinstance(model, VideoFamily):
                rows = self._futures(model, generator)
            elif any(model.latents.values()):
                rows = self._coded(generator)
                sentences = all(isinstance(modality, Text) for modality in model.modalities.values())
                rows += self._between() if sentences else self._walk()
            else:
                rows = self._codeless(generator)
        finally:
            model.train(training)
        return Page(step, tuple(rows))

    # -- kinds of models

    def _coded(self, generator: torch.Generator) -> list[Row]:
        model = self.model
        self.codes = {name: q.mean for name, q in model.encode(self.batch).items()}
        rows = self._decoded("reconstructions", self.codes)
        given = {COVARIATE: self.batch[COVARIATE]} if model.covariate is not None else None
        if model.sampling_passes > 1:
            return rows + self._codeless(generator)
        if prior := model.prior(given):
            return rows + self._decoded("samples", {name: p.sample(self.rows, generator) for name, p in prior.items()})
        if (own := model.codes(self.rows, generator)) is not None:
            return rows + self._decoded("samples", {next(iter(model.latents)): own})
        return rows

    def _codeless(self, generator: torch.Generator) -> list[Row]:
        model = self.model
        if any(isinstance(modality, Text) for modality in model.modalities.values()):
            return [self._row("samples", name, model.modalities[name],
                              replace(p, count=self.rows).sample(generator, WORDS_AT))
                    for name, p in model.decode({}).items() if isinstance(p, Sentences)]
        covariate = self.batch.get(COVARIATE) if model.covariate is not None else None
        try:
            drawn = model.sample(self.rows, generator, covariate)
        except NoPrior:
            return []
        return [self._row("samples", name, model.modalities[name], x) for name, x in drawn.items()]

    def _walk(self) -> list[Row]:
        """Along the number of the code whose mean varies most over the observations, as far as these vary."""
        spread = {f"{name}[{d}]": float(sd) for name, z in self.codes.items()
                  for d, sd in enumerate(z.double().std(0, correction=0)) if math.isfinite(sd)}
        if not spread or self.rows < 2:
            return []
        best = max(spread, key=lambda place: spread[place])
        if spread.get(self.along, 0.0) <= STAYS * spread[best]:
            self.along = best
        latent, _, rest = self.along.rpartition("[")
        dimension = int(rest[:-1])
        z = {name: codes[:1].repeat(self.count, 1) for name, codes in self.codes.items()}
        of = self.codes[latent][:, dimension]
        z[latent][:, dimension] = of.mean() + torch.linspace(-SPREAD, SPREAD, self.count, device=self.device).to(
            of.dtype) * spread[self.along]
        return [replace(row, note=self.along) for row in self._decoded("traversal", z)]

    def _between(self) -> list[Row]:
        """On the straight line from the code of the first observation to that of the second."""
        if self.rows < 2:
            return []
        share = torch.linspace(0, 1, self.count, device=self.device)[:, None]
        z = {name: torch.lerp(codes[:1], codes[1:2], share.to(codes.dtype)) for name, codes in self.codes.items()}
        return [replace(row, note="from the first to the second") for row in self._decoded("interpolation", z)]

    def _futures(self, model: VideoFamily, generator: torch.Generator) -> list[Row]:
        [(name, modality)] = model.modalities.items()
        clip = self.batch[name]
        context = min(model.context, clip.shape[1] - 1)
        horizon = clip.shape[1] - context
        count = FUTURES if model.stochastic else 1
        noise = torch.randn(count, horizon, model.noise_size, generator=generator, device=self.device)
        rolled = model.roll_out(clip[:, :context], horizon, noise, generator).frames[0]
        return [self._row("future", name, _frame(modality), self._few(torch.cat([clip[0, :context], future])),
                          f"{context} frames given" if place == 0 else f"other noise, {context} frames given")
                for place, future in enumerate(rolled)]

    # -- rows

    @property
    def rows(self) -> int:
        """How many stand in a row: as many as there are observations, so that conditions go round."""
        return len(next(iter(self.batch.values())))

    def _few(self, frames: Tensor) -> Tensor:
        """Some frames of a clip (T, *frame), evenly chosen, the first and the last among them."""
        places = np.unique(np.linspace(0, len(frames) - 1, min(self.count, len(frames))).round().astype(int))
        return frames[torch.from_numpy(places).to(frames.device)]

    def _decoded(self, kind: Kind, z: Mapping[str, Tensor]) -> list[Row]:
        found = self.model.decode(z)
        return [self._row(kind, name, modality, p.likeliest() if isinstance(p := found[name], Sentences) else p.mean)
                for name, modality in self.model.modalities.items() if name in found]

    def _row(self, kind: Kind, name: str, modality: Modality, x: Tensor, note: str = "") -> Row:
        x = x.detach().cpu()
        if isinstance(modality, Text):
            return Row(kind, name, words=tuple(words(row, modality.vocabulary)[:MOST_LETTERS] for row in x.tolist()),
                       note=note)
        if isinstance(modality, Label):
            chosen = x.nan_to_num().argmax(1).tolist()
            return Row(kind, name, words=tuple(modality.class_names[number] for number in chosen), note=note)
        return Row(kind, name, small(modality, x, self.side), note=note)


def small(modality: Modality, x: Tensor, side: int = SIDES[0]) -> NDArray[np.uint8]:
    """Observations (N, *shape) as pictures (N, C, H, W) in uint8, averaged down to `side` px where they are larger.

    Numbers that are no pixels are grey, as `modalities.grey` has them: a vector is one row, a trajectory one a number.
    """
    x = x.float().nan_to_num(0.0, 0.0, 0.0)
    if not modality.pixels:
        x = x[:, None, None] if x.ndim == 2 else x.flatten(2).transpose(1, 2)[:, None]
    else:
        x = x.flatten(1, -4) if x.ndim > 4 else x
    most = side if modality.pixels else LONGEST_VECTOR
    height, width = x.shape[-2:]
    if (larger := max(height, width) / most) > 1:
        x = F.adaptive_avg_pool2d(x, (max(1, round(height / larger)), max(1, round(width / larger))))
    if not modality.pixels:
        return grey(x.numpy())
    return (x * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def _frame(modality: Modality) -> Modality:
    """What a frame of a clip is."""
    assert isinstance(modality, Clip)
    return Modality("image" if modality.pixels else "vector", modality.frame)


def _room(model: Family) -> tuple[int, int]:
    """How long the longer side of a picture may be, and how many stand in a row: all rows keep to the budget."""
    for side in SIDES:
        count = BUDGET // (ROWS * max(1, sum(_bytes(modality, side) for modality in model.modalities.values())))
        if count >= FEW_IN_ROW:
            break
    return side, max(2, min(IN_ROW, count))


def _bytes(modality: Modality, side: int) -> int:
    if isinstance(modality, Text | Label):
        return 1
    shape = modality.frame if isinstance(modality, Clip) else modality.shape
    if not modality.pixels:
        return min(LONGEST_VECTOR, math.prod(shape))
    channels, height, width = shape[-3:]
    larger = max(1.0, max(height, width) / side)
    return channels * round(height / larger) * round(width / larger)
