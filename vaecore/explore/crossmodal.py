"""Looking at a model of several modalities: give some, generate others, see who is how certain, exchange codes.

Shapes: N test samples or generated ones, r latent size, S steps. What is given is one observation a modality, as the
model reads it: (1, *shape), pixels in [0, 1], a label as a one-hot row, a sentence as word numbers. Images come back as
uint8 (N, H, W) or (N, H, W, 3), the mean of p(x|z).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.data import OBSERVED
from vaecore.data.text import words
from vaecore.explore import given
from vaecore.explore.beliefs import Beliefs, beliefs, largest_first
from vaecore.explore.codes import Codes
from vaecore.explore.directions import Local, local
from vaecore.explore.drawing import Ink
from vaecore.explore.generated import Generated, joined, shown
from vaecore.explore.generating import decoded, drawn_codes, joint_preview
from vaecore.explore.given import Typed, fitting
from vaecore.explore.judged import KeptJudge, judge_of
from vaecore.explore.loadings import loading_picture, loadings, strongest
from vaecore.explore.opening import labels_of, read_examples, read_model
from vaecore.explore.pictures import Images
from vaecore.explore.sentences import MAX_TOKENS
from vaecore.explore.surface import surface
from vaecore.modalities import SPECIALS, Image, Modality, Text
from vaecore.models import Family
from vaecore.models.blocks.jive import JOINT
from vaecore.models.blocks.shared import LinearBlocks
from vaecore.models.multimodal.dmvae import SHARED, private
from vaecore.probability.gaussian import Point, StandardNormal
from vaecore.probability.posteriors import Posterior
from vaecore.store import COPY_AGAIN, Run
from vaecore.training.checkpoints import BrokenCheckpoint
from vaecore.training.feed import scaled
from vaecore.views import CROSSMODAL, Preview

MAX_GENERATED = 400  # generated at once
LOOKED_AT = 256  # test samples, to tell whether they are drawn on paper
MAX_CELLS = 400  # of a grid of exchanged codes
LAYOUTS = ((SHARED, private("{}")), (JOINT, "individual {}"))  # how families call what is shared and what is not


class Traversal(NamedTuple):
    """Pictures (rows, S, H, W[, 3]) of a modality: a row for each of `dimensions`, a column for each value."""

    dimensions: list[int]
    images: Images


# -- the checkpoint --------------------------------------------------------------------------------


@dataclass(frozen=True)
class CrossModal:
    """A model of several modalities with the test samples that travel with it.

    `examples` (N, *shape) are as the model reads them, `labels` (N,), and `observed` (N, M) says who has what.
    """

    run: Run
    model: Family
    examples: Mapping[str, Tensor]
    labels: NDArray[np.int64] | None = None
    observed: Tensor | None = None
    known: tuple[str, ...] = ()  # what `labels` are called, by their numbers; empty: numbers from 0

    @classmethod
    def load(cls, run: Run) -> CrossModal:
        """Open a run of several modalities.

        Raises `BrokenCheckpoint` or `StoreError` for files that are missing or damaged, and `WrongView` for a model of
        one modality.
        """
        model = read_model(run, CROSSMODAL)
        if not model.latents:
            raise BrokenCheckpoint(f"{run.id} has no latent code through which one modality could tell of another.")
        for name, modality in model.modalities.items():
            if isinstance(modality, Text) and (modality.size > MAX_TOKENS or len(modality.vocabulary) <= len(SPECIALS)
                                               or modality.vocabulary[:len(SPECIALS)] != SPECIALS):
                raise BrokenCheckpoint(f"weights.safetensors of {run.id} does not describe sentences with a vocabulary "
                                       f"for '{name}'. {COPY_AGAIN}.")
        examples, labels, observed = read_examples(run, lambda stored: _samples(stored, model.modalities))
        return cls(run, model, examples, labels, observed, run.class_names())

    # -- what it is

    @property
    def modalities(self) -> dict[str, Modality]:
        return self.model.modalities

    @property
    def count(self) -> int:
        """Test samples, N."""
        return len(next(iter(self.examples.values())))

    @property
    def shared(self) -> str | None:
        """The latent that all modalities share, where there are others besides; else None."""
        return next((shared for shared, _ in LAYOUTS if shared in self.model.latents and len(self.model.latents) > 1),
                    None)

    @property
    def private(self) -> dict[str, str]:
        """The latent that is private to a modality, by its name; empty where nothing is shared, or all is."""
        if self.shared is None:
            return {}
        pattern = dict(LAYOUTS)[self.shared]
        return {name: pattern.format(name) for name in self.modalities if pattern.format(name) in self.model.latents}

    @cached_property
    def in_sample(self) -> bool:
        """Whether the samples that it keeps are those that the model was fitted on."""
        return self.run.summary().get("in_sample") is True

    @property
    def linear(self) -> bool:
        """Whether the model is a linear method, with loadings in place of a decoder."""
        return isinstance(self.model, LinearBlocks)

    @cached_property
    def has_prior(self) -> bool:
        """Whether something can be generated with nothing given."""
        with torch.inference_mode():
            return bool(self.model.prior())

    @cached_property
    def draws(self) -> bool:
        """Whether codes are drawn from a posterior; the code of a linear method is a point, always the same."""
        q = next(iter(self._posteriors(self._sampled([0])).values()))
        return not isinstance(q, Point)

    @cached_property
    def pictured(self) -> list[str]:
        """The modalities that a picture can show: images, and vectors as stripes."""
        return [name for name, modality in self.modalities.items() if modality.pictured]

    @cached_property
    def audible(self) -> frozenset[str]:
        """The modalities that can be played."""
        return frozenset(name for name, modality in self.modalities.items() if modality.audible)

    def class_names(self, name: str) -> list[str]:
        """What the classes of a label are called."""
        return list(self._modality(name).class_names)

    def judge(self, name: str, *, make: bool = False) -> KeptJudge | None:
        """The classifier that says what a decoded image or vector of a modality is of; None while there is none.

        Raises as `Checkpoint.judge` does, and `ValueError` for a modality that there is not.
        """
        return judge_of(self.run, name, self._modality(name), make=make)

    # -- what can be given

    def has(self, name: str, index: int) -> bool:
        """Whether a test sample has a modality."""
        self._modality(name)
        return self.observed is None or bool(self.observed[index, list(self.modalities).index(name)])

    def varied(self, count: int, seed: int = 0) -> list[int]:
        """`count` test samples that have everything, of as many classes as there are; another choice a seed."""
        order = np.random.default_rng(seed).permutation(self.count)
        whole = [int(i) for i in order if self.observed is None or bool(self.observed[i].all())]
        if self.labels is None:
            return whole[:count]
        seen: dict[int, int] = {}
        rounds = []  # the first of each class, then the second of each, and so on
        for i in whole:
            label = int(self.labels[i])
            seen[label] = seen.get(label, 0) + 1
            rounds.append((seen[label], label, i))
        return [i for *_, i in sorted(rounds)][:count]

    def sample(self, name: str, index: int) -> Tensor:
        """A modality of a test sample, (1, *shape); raises `ValueError` for one that is not there."""
        self._modality(name)
        if not 0 <= index < self.count:
            raise ValueError(f"{name}: there is no test sample {index}. Choose one from 0 to {self.count - 1}.")
        if not self.has(name, index):
            raise ValueError(f"{name}: test sample {index} has none. Choose another sample.")
        return self.examples[name][index:index + 1]

    def ink(self, name: str) -> Ink | None:
        """How images of a modality look that are drawn on plain paper, by the test samples; None for others.

        An uploaded picture is inverted and cropped only for those.
        """
        if not isinstance(self._modality(name), Image):
            return None
        return Ink.of((self.examples[name][:LOOKED_AT] * 255).round().clamp(0, 255).to(torch.uint8).numpy())

    def picture(self, name: str, pixels: Images) -> Tensor:
        """A drawn or uploaded picture in uint8, (H, W) or (C, H, W), as the model reads it: (1, C, H, W)."""
        return given.picture(name, self._modality(name), pixels)

    def label(self, name: str, number: int) -> Tensor:
        """A class as a one-hot row, (1, D)."""
        return given.label(name, self._modality(name), number)

    def typed(self, name: str, text: str) -> Typed:
        """A class by its number or name, or a sentence; raises `ValueError` for what is neither."""
        return given.typed(name, self._modality(name), text)

    def sentence(self, name: str, index: int) -> str:
        """A test sample's sentence in words."""
        return words(self.sample(name, index)[0].tolist(), self._modality(name).vocabulary)

    def shown(self, name: str, value: Tensor) -> Generated:
        """Observations (N, *shape) as `generate` returns its own: what was given, or a test sample."""
        return shown(self._modality(name), value)

    def check(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is given as a batch of one, (1, *shape) each; raises `ValueError` that names what does not fit."""
        return {name: fitting(name, self._modality(name), value) for name, value in given.items()}

    # -- what comes of it

    @torch.inference_mode()
    def generate(self, given: Mapping[str, Tensor], predict: Sequence[str], count: int = 16, temperature: float = 1.0,
                 seed: int = 0) -> dict[str, Generated]:
        """Draw `count` observations of each modality to `predict` from codes of q(z | given).

        Where nothing is given codes come from the prior.

        `temperature` multiplies the standard deviations: at 0 a code is the mean of the Gaussian that it is drawn from.
        A latent that is private to a modality which is not given follows its prior. Raises `ValueError` for a name or
        a shape that does not fit, and where nothing is to be generated.
        """
        names = list(dict.fromkeys(predict))
        for name in names:
            self._modality(name)
            if name in given:
                raise ValueError(f"{name} is given, so it is not to be generated too. Choose one of both.")
        if not names:
            raise ValueError(("Nothing is given and nothing" if not given else "Nothing") + " is to be generated. Set "
                             f"at least one of {', '.join(n for n in self.modalities if n not in given)} to generate."
                             if len(given) < len(self.modalities) else
                             "Everything is given, so nothing is left to be generated. Leave one of "
                             f"{', '.join(self.modalities)} out.")
        if not 1 <= count <= MAX_GENERATED:
            raise ValueError(f"{count} cannot be generated at once. Ask for 1 to {MAX_GENERATED}.")
        if not (math.isfinite(temperature) and temperature >= 0):
            raise ValueError(f"a temperature of {temperature} makes no sense. Use 0 or more.")
        batch = self.check(given)
        if not batch and not self.has_prior:
            raise ValueError(f"{self.run.id} has no prior to draw from: give at least one of "
                             f"{', '.join(self.modalities)}.")
        codes = drawn_codes(self.model, batch, count, temperature, torch.Generator().manual_seed(seed))
        parts = [decoded(self.model, {latent: z[rows] for latent, z in codes.items()}, names)
                 for rows in torch.split(torch.arange(count), self.model.at_once(MAX_GENERATED))]
        return {name: joined([part[name] for part in parts]) for name in names}

    @torch.inference_mode()
    def means(self, given: Mapping[str, Tensor]) -> dict[str, Codes]:
        """The mean of q(z | given), (r,) a latent; raises `ValueError` where nothing is given, or what does not fit."""
        if not given:
            raise ValueError(f"nothing is given: give at least one of {', '.join(self.modalities)}.")
        return {latent: q.mean[0].numpy() for latent, q in self.model.encode(self.check(given)).items()}

    def experts(self, given: Mapping[str, Tensor]) -> Beliefs | None:
        """What the prior, each given modality and all together know of the shared latent.

        None for a family without a Gaussian latent that its modalities share.
        """
        return beliefs(self.model, self.check(given))

    @torch.inference_mode()
    def swap(self, name: str, rows: Sequence[int], columns: Sequence[int], given: Collection[str] | None = None
             ) -> Images:
        """Pictures (R, C, H, W[, 3]) of a modality with the shared code of a row and the private code of a column.

        Both are means of test samples.

        `given` are the modalities that the shared code is read from, all of them if None. Raises `ValueError` for a
        family that does not tell shared from private, and for a modality without a private latent or a picture.
        """
        latent = self._own(name)
        if not rows or not columns or len(rows) * len(columns) > MAX_CELLS:
            raise ValueError(f"{len(rows)} rows of {len(columns)} cannot be drawn. Choose 1 to {MAX_CELLS} in all.")
        shared, own = self._means(rows, given), self._means(columns)[latent]
        codes = {each: z.repeat_interleave(len(columns), 0) for each, z in shared.items()}
        codes[latent] = own.repeat(len(rows), 1)
        return self._grid(name, codes, len(rows))

    def traverse_private(self, name: str, example: int, values: Sequence[float]) -> Traversal:
        """The private code moves, a dimension a row, while everything else stays at the code of a test sample.

        `values` are in standard deviations of the prior, or without one of the test samples' codes.
        """
        return self._traverse(name, self._own(name), example, values)

    def traverse_shared(self, name: str, example: int, values: Sequence[float], most: int = 10) -> Traversal:
        """The shared code moves in its `most` widest dimensions, while what is private stays a test sample's."""
        self._own(name)
        assert self.shared is not None
        return self._traverse(name, self.shared, example, values, most)

    def directions(self, latent: str, names: Collection[str] | None = None, codes: Mapping[str, Codes] | None = None,
                   count: int = 6, like: Local | None = None) -> Local:
        """The `count` directions of a latent along which some modalities change most, or all that have a mean.

        At `codes` (r,) by latent; a latent that is not named is at the mean of the test samples. Raises `ValueError`
        for a latent or a modality that is not there, and for a text, which has no mean.
        """
        if latent not in self.model.latents:
            raise ValueError(f"there is no latent '{latent[:40]}' in {self.run.id}. It has "
                             f"{', '.join(self.model.latents)}.")
        chosen = [name for name, m in self.modalities.items() if not isinstance(m, Text)] if names is None else names
        for name in chosen:
            if isinstance(self._modality(name), Text):
                raise ValueError(f"{name} is a text, which has no mean that could change. Choose another modality.")
        held = {name: np.asarray((codes or {}).get(name, z.mean(0)), np.float32) for name, z in self.scores().items()}
        others = {name: torch.from_numpy(z) for name, z in held.items()}
        return local(surface(self.model, latent, chosen, others), held[latent], count, like=like)

    # -- linear methods

    @torch.inference_mode()
    def scores(self) -> dict[str, Numbers]:
        """The codes of the test samples, (N, r) a latent: means of posteriors, or the scores of a linear method."""
        return {latent: z.double().numpy() for latent, z in self._means(range(self.count)).items()}

    @torch.inference_mode()
    def drawn(self, count: int, temperature: float = 1.0, seed: int = 0) -> dict[str, Numbers] | None:
        """Codes (count, r) a latent from a prior that is not N(0, I) of each; None where it is, or there is none."""
        prior = self.model.prior()
        if all(isinstance(density, StandardNormal) for density in prior.values()):
            return None
        codes = drawn_codes(self.model, {}, count, temperature, torch.Generator().manual_seed(seed))
        return {latent: z.double().numpy() for latent, z in codes.items()}

    def loadings(self) -> dict[str, dict[str, Numbers]]:
        """Loadings (D, r) of a linear method for each modality that a latent has to do with.

        Raises `ValueError` for other models.
        """
        if not isinstance(self.model, LinearBlocks):
            raise ValueError(f"{self.run.id} is no linear method: its decoders are networks, which have no loadings.")
        return loadings(self.model)

    def strongest(self, latent: str, dimension: int, count: int = 12) -> dict[str, list[tuple[int, float]]]:
        """The features of each modality that load most on a dimension, largest first: their numbers and loadings."""
        return strongest(self.loadings()[latent], dimension, count)

    def loading_picture(self, latent: str, dimension: int, name: str) -> Images:
        """The loadings of an image as a picture (H, W, 3): orange above 0, blue below, black where nothing loads."""
        return loading_picture(self._modality(name), self.loadings()[latent][name][:, dimension])

    @torch.inference_mode()
    def explained(self) -> dict[str, dict[str, float]]:
        """Shares of each modality's variance over the test samples by part, of a linear method; else empty."""
        if not isinstance(self.model, LinearBlocks):
            return {}
        try:
            return self.model.explained(self._sampled(range(self.count)))
        except ValueError:  # no test sample has everything
            return {}

    # -- for its card

    def preview(self, count: int = 10) -> Preview:
        """What the model draws together, for the run's card.

        A picture of the modalities that can be seen, a row each and a column a sample; where all are texts, the
        sentences.
        """
        return joint_preview(self.model, self.examples, count)

    # -- inside

    def _modality(self, name: str) -> Modality:
        if name not in self.modalities:
            raise ValueError(f"there is no modality '{name[:40]}' in {self.run.id}. It has "
                             f"{', '.join(self.modalities)}.")
        return self.modalities[name]

    def _own(self, name: str) -> str:
        modality = self._modality(name)
        if self.shared is None:
            raise ValueError(f"{self.run.id} does not tell what is shared from what is private.")
        if name not in self.private:
            others = ", ".join(self.private) or "none has"
            raise ValueError(f"{name} has no private code. Choose one that has: {others}.")
        if not modality.pictured:
            raise ValueError(f"{name} is {modality.article}, of which there is no picture.")
        return self.private[name]

    def _sampled(self, index: Sequence[int], names: Collection[str] | None = None) -> dict[str, Tensor]:
        """Test samples as a batch, with who has what."""
        rows = list(index)
        for row in rows:
            if not 0 <= row < self.count:
                raise ValueError(f"there is no test sample {row}. Choose from 0 to {self.count - 1}.")
        for name in names or ():
            self._modality(name)
        batch = {name: x[rows] for name, x in self.examples.items() if names is None or name in names}
        if self.observed is not None:
            batch[OBSERVED] = self.observed[rows]
        return batch

    def _posteriors(self, batch: Mapping[str, Tensor]) -> dict[str, Posterior]:
        with torch.inference_mode():
            return self.model.encode(batch)

    def _means(self, index: Sequence[int], given: Collection[str] | None = None) -> dict[str, Tensor]:
        return {latent: q.mean for latent, q in self._posteriors(self._sampled(index, given or None)).items()}

    @torch.inference_mode()
    def _traverse(self, name: str, latent: str, example: int, values: Sequence[float], most: int | None = None
                  ) -> Traversal:
        spread = self._spread[latent]
        dimensions = largest_first(spread)[:most]
        base = self._means([example])
        if len(dimensions) * len(values) > MAX_CELLS or not len(values):
            dimensions = dimensions[:MAX_CELLS // max(1, len(values))]
        count = len(dimensions) * len(values)
        codes = {each: z.expand(count, -1).clone() for each, z in base.items()}
        for row, dimension in enumerate(dimensions):
            unit = 1.0 if self.has_prior else float(spread[dimension])
            codes[latent][row * len(values):(row + 1) * len(values), dimension] = unit * torch.tensor(list(values))
        return Traversal(dimensions, self._grid(name, codes, len(dimensions)))

    def _grid(self, name: str, codes: Mapping[str, Tensor], rows: int) -> Images:
        images = decoded(self.model, codes, [name])[name].images
        return images.reshape(rows, -1, *images.shape[1:])

    @cached_property
    def _spread(self) -> dict[str, Numbers]:
        """Standard deviations of the test samples' codes, (r,) a latent: which dimensions are in use."""
        return {latent: z.std(0) for latent, z in self.scores().items()}


# -- parts -------------------------------------------------------------------------------------------


def _samples(stored: Mapping[str, Tensor], modalities: Mapping[str, Modality]
             ) -> tuple[dict[str, Tensor], NDArray[np.int64] | None, Tensor | None]:
    """Test samples as the model reads them, their labels, and who has what."""
    found = {name: stored[name] for name in modalities}
    first = next(iter(found.values()))
    count = len(first) if first.ndim else 0
    for name, modality in modalities.items():
        x = found[name]
        if x.shape != (count, *modality.shape) or not count:
            raise ValueError(f"'{name}' has shape {tuple(x.shape)}")
        if not modality.possible(x):
            raise ValueError(f"'{name}' holds numbers that are none of its own")
        found[name] = modality.as_read(scaled(x))
    observed = stored.get(OBSERVED)
    if observed is not None and observed.shape != (count, len(modalities)):
        observed = None
    return found, labels_of(stored, count), None if observed is None else observed.bool()
