"""Looking at a model of several modalities: give some, generate others, see who is how certain, exchange codes.

Shapes: N test samples or generated ones, r latent size, S steps. What is given is one observation a modality, as the
model reads it: (1, *shape), pixels in [0, 1], a label as a one-hot row, a sentence as word numbers. Images come back as
uint8 (N, H, W) or (N, H, W, 3), the mean of p(x|z).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vaecore.data import END, OBSERVED, PAD, SPECIALS, UNKNOWN, Kind, Modality
from vaecore.data.fashion_mnist import CLOTHES
from vaecore.data.text import of_characters, tokens, words
from vaecore.explore import LARGEST_EXAMPLES, Images, as_images, label_names
from vaecore.explore.densities import tempered
from vaecore.explore.drawing import Ink
from vaecore.explore.sentences import LONGEST_TEXT, MOST_TOKENS, Reading, UnreadableText
from vaecore.models import Family
from vaecore.models.blocks.jive import JOINT
from vaecore.models.blocks.shared import LinearBlocks
from vaecore.models.multimodal.dmvae import SHARED, PrivateShared, private
from vaecore.models.multimodal.multimodal_vae import SharedLatent
from vaecore.models.multimodal.shared import Multimodal
from vaecore.nets.text import Sentences
from vaecore.probability.gaussian import DiagonalGaussian, Point, StandardNormal
from vaecore.probability.posteriors import Posterior, PosteriorMixture
from vaecore.store import Run
from vaecore.training.checkpoints import BrokenCheckpoint, check_origin, load_model
from vaecore.training.feed import scaled

Numbers = NDArray[np.float64]
Rule = Literal["product", "mixture", "network", "prior"]
MOST = 400  # generated at once
LOOKED_AT = 256  # test samples, to tell whether they are drawn on paper
MOST_CELLS = 400  # of a grid of exchanged codes
LARGEST_NUMBER = 1e6  # of a vector that is given
POINTS = 161  # of a curve, before those near its peaks
REACH = 3.4  # of a curve, in standard deviations of the prior
ABOVE, BELOW = np.array([255.0, 150.0, 50.0]), np.array([70.0, 160.0, 255.0])  # colours of loadings, as (R, G, B)
SPOKEN = "speech"  # the modality of spoken-digits that can be heard
LAYOUTS = ((SHARED, private("{}")), (JOINT, "individual {}"))  # how families call what is shared and what is not


# -- what comes back -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Generated:
    """N observations of one modality: images in uint8, probabilities of a label (N, D), numbers of a vector (N, D), or
    sentences."""

    kind: Kind
    values: NDArray[Any]
    sentences: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sentences) if self.kind == "text" else len(self.values)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The likeliest class of each, (N,); of labels only."""
        return np.asarray(self.values.argmax(1), np.int64)

    @property
    def images(self) -> Images:
        """As pictures: a vector is one row of grey. Labels and sentences are none."""
        if self.kind == "image":
            return self.values
        return as_images(torch.as_tensor(self.values))


@dataclass(frozen=True)
class Belief:
    """A Gaussian in each latent dimension: `mean` and `std`, (r,) each. A factor that knows nothing has std inf."""

    name: str
    mean: Numbers
    std: Numbers
    weight: float = 1.0  # in a mixture

    def density(self, dimension: int, z: Numbers) -> Numbers:
        """Of one dimension at points (G,)."""
        mean, std = float(self.mean[dimension]), float(self.std[dimension])
        if not math.isfinite(std):
            return np.zeros_like(z)
        found: Numbers = np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
        return found


class Curves(NamedTuple):
    """Densities of one latent dimension at points `z` (G,); `parts` by name."""

    dimension: int
    z: Numbers
    prior: Numbers
    parts: dict[str, Numbers]
    posterior: Numbers


@dataclass(frozen=True)
class Beliefs:
    """What is known of a latent: by the prior, by each given modality, and together.

    `product`: the posterior is the prior times the parts, each a factor of one modality. `mixture`: it is the mean of
    the parts, each the prior times what some modalities say. `network`: one network read everything, so there are no
    parts. `prior`: nothing is given. `order` has the dimensions, those that are narrowed most first.
    """

    latent: str
    rule: Rule
    prior: Belief
    parts: tuple[Belief, ...]
    posterior: Belief  # mean and standard deviation, of a mixture too
    order: list[int]

    def certainty(self, dimension: int) -> dict[str, float]:
        """1 / variance by name. Those of the prior and of a product's factors add up to the posterior's."""
        each = (self.prior, *self.parts, self.posterior)
        return {belief.name: float(belief.std[dimension]) ** -2 for belief in each}

    def curves(self, dimension: int) -> Curves:
        """The densities, on points that lie close together where one of them peaks."""
        peaks = [b for b in (self.prior, *self.parts, self.posterior) if math.isfinite(b.std[dimension])]
        middle, aside = float(self.posterior.mean[dimension]), 3 * float(self.posterior.std[dimension])
        low, high = min(-REACH, middle - aside), max(REACH, middle + aside)
        near = [b.mean[dimension] + b.std[dimension] * np.linspace(-4, 4, 81) for b in peaks]
        z = np.unique(np.concatenate([np.linspace(low, high, POINTS), *near]))
        z = z[(z >= low) & (z <= high)]
        parts = {part.name: part.density(dimension, z) for part in self.parts}
        whole = sum((part.weight * parts[part.name] for part in self.parts), np.zeros_like(z)) \
            if self.rule == "mixture" else self.posterior.density(dimension, z)
        return Curves(dimension, z, self.prior.density(dimension, z), parts, whole)


class Typed(NamedTuple):
    """A typed label or sentence as the model reads it, (1, *shape); of a sentence also its words."""

    value: Tensor
    reading: Reading | None = None


class Traversal(NamedTuple):
    """Pictures (rows, S, H, W[, 3]) of a modality: a row for each of `dimensions`, a column for each value."""

    dimensions: list[int]
    images: Images


# -- the checkpoint --------------------------------------------------------------------------------


@dataclass(frozen=True)
class CrossModal:
    """A model of several modalities with the test samples that travel with it: `examples` (N, *shape) as the model
    reads them, `labels` (N,), and who has what, `observed` (N, M)."""

    run: Run
    model: Family
    examples: Mapping[str, Tensor]
    labels: NDArray[np.int64] | None = None
    observed: Tensor | None = None
    known: tuple[str, ...] = ()  # what `labels` are called, by their numbers; empty: numbers from 0

    @classmethod
    def load(cls, run: Run) -> CrossModal:
        """Raises `BrokenCheckpoint` or `StoreError` for files that are missing or damaged, and for a model of one
        modality."""
        model = load_model(run.path)
        check_origin(run)
        if len(model.modalities) < 2:
            page = "Sentences" if [m.kind for m in model.modalities.values()] == ["text"] else "Traverse"
            raise BrokenCheckpoint(f"{run.id} models one modality. Open it in {page}.")
        if not model.latents:
            raise BrokenCheckpoint(f"{run.id} has no latent code through which one modality could tell of another.")
        if not all(bool(x.isfinite().all()) for x in model.state_dict().values() if x.is_floating_point()):
            raise BrokenCheckpoint(f"weights.safetensors of {run.id} holds numbers that are not finite. Copy the run "
                                   "again from where it came, or train it with a smaller learning rate.")
        for name, modality in model.modalities.items():
            if modality.kind == "text" and (modality.size > MOST_TOKENS or len(modality.vocabulary) <= len(SPECIALS)
                                            or modality.vocabulary[:len(SPECIALS)] != SPECIALS):
                raise BrokenCheckpoint(f"weights.safetensors of {run.id} does not describe sentences with a vocabulary "
                                       f"for '{name}'. Copy the run again from where it came.")
        examples, labels, observed = _examples(run, model.modalities)
        return cls(run, model, examples, labels, observed, label_names(run))

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

    @property
    def linear(self) -> bool:
        """Whether it is a linear method, with loadings in place of a decoder."""
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
        return [name for name, modality in self.modalities.items() if modality.kind in ("image", "vector")]

    @cached_property
    def audible(self) -> frozenset[str]:
        """The modalities that can be played."""
        spoken = self._data.get("name") == "spoken-digits" and SPOKEN in self.modalities
        return frozenset({SPOKEN} if spoken else ())

    def class_names(self, name: str) -> list[str]:
        """What the classes of a label are called."""
        modality = self._modality(name)
        if not modality.classes and self._data.get("images") == "fashion-mnist" and modality.size == len(CLOTHES):
            return list(CLOTHES)  # of a run that was made before names were kept
        return list(modality.class_names)

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
        """How the images of a modality look where they are drawn on plain paper, by the test samples; else None. An
        uploaded picture is inverted and cropped only for those."""
        if self._modality(name).kind != "image":
            return None
        return Ink.of((self.examples[name][:LOOKED_AT] * 255).round().clamp(0, 255).to(torch.uint8).numpy())

    def picture(self, name: str, pixels: Images) -> Tensor:
        """A drawn or uploaded picture in uint8, (H, W) or (C, H, W), as the model reads it: (1, C, H, W).

        A grey one is shown to a modality in colour as it is. Raises `ValueError` for another shape, and for one that is
        blank.
        """
        modality = self._modality(name)
        if modality.kind != "image":
            raise ValueError(f"{name} is a {modality.kind} and cannot be drawn. {self._how(name)}")
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

    def label(self, name: str, number: int) -> Tensor:
        """A class as a one-hot row, (1, D)."""
        modality = self._modality(name)
        if modality.kind != "label":
            raise ValueError(f"{name} is no label. {self._how(name)}")
        if not 0 <= number < modality.size:
            raise ValueError(f"{name}: there is no class {number}. Choose one from 0 to {modality.size - 1}.")
        return torch.eye(modality.size)[number:number + 1]

    def typed(self, name: str, text: str) -> Typed:
        """A class by its number or name, or a sentence; raises `ValueError` for what is neither.

        Words that the model does not know are read as the unknown word; the reading tells which.
        """
        modality = self._modality(name)
        if len(text) > LONGEST_TEXT:
            raise UnreadableText(f"{name}: this text has {len(text):,} characters. Type at most {LONGEST_TEXT:,}.")
        if modality.kind == "label":
            named = replace(modality, classes=tuple(self.class_names(name)))
            if (number := named.class_number(text)) is None:
                listed = ", ".join(named.classes) if len(named.classes) <= 12 else named.listed
                raise ValueError(f"{name}: '{text.strip()[:40]}' is no class. Type one of {listed}.")
            return Typed(self.label(name, number))
        if modality.kind != "text":
            raise ValueError(f"{name} is {_article(modality.kind)} and cannot be typed. {self._how(name)}")
        unknown = SPECIALS[UNKNOWN]  # as this program's own sentences have it, it is the unknown word itself
        found = [word for part in re.split(f"({unknown})", text)
                 for word in ([part] if part == unknown else tokens(part, of_characters(modality.vocabulary)))]
        if not found:
            raise UnreadableText(f"{name}: there is no word here. Type a sentence.")
        known_words = {word: number for number, word in enumerate(modality.vocabulary)}
        kept = tuple(found[:modality.size - 1])
        reading = Reading(kept, tuple(known_words.get(word, UNKNOWN) for word in kept), tuple(found[len(kept):]))
        row = torch.full((1, modality.size), PAD)
        row[0, :len(kept) + 1] = torch.tensor([*reading.numbers, END])
        return Typed(row, reading)

    def sentence(self, name: str, index: int) -> str:
        """A test sample's sentence in words."""
        return words(self.sample(name, index)[0].tolist(), self._modality(name).vocabulary)

    def shown(self, name: str, value: Tensor) -> Generated:
        """Observations (N, *shape) as `generate` returns its own: what was given, or a test sample."""
        modality = self._modality(name)
        if modality.kind == "text":
            return Generated("text", value.numpy(), tuple(words(row, modality.vocabulary) for row in value.tolist()))
        if modality.kind == "image":
            return Generated("image", as_images(value))
        return Generated(modality.kind, value.numpy())

    def check(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is given as a batch of one, (1, *shape) each; raises `ValueError` that names what does not fit."""
        batch = {}
        for name, value in given.items():
            modality = self._modality(name)
            x = value if value.ndim == len(modality.shape) + 1 else value[None]
            if tuple(x.shape) != (1, *modality.shape):
                raise ValueError(f"{name}: what is given has shape {tuple(value.shape)}. Give one observation of shape "
                                 f"{modality.shape}.")
            batch[name] = x.long() if modality.kind == "text" else x.float()
            if problem := _fault(modality, x):
                raise ValueError(f"{name}: {problem}")
        return batch

    # -- what comes of it

    @torch.inference_mode()
    def generate(self, given: Mapping[str, Tensor], predict: Sequence[str], count: int = 16, temperature: float = 1.0,
                 seed: int = 0) -> dict[str, Generated]:
        """`count` observations of each modality to `predict`, from codes drawn from q(z | given), or from the prior
        where nothing is given.

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
        if not 1 <= count <= MOST:
            raise ValueError(f"{count} cannot be generated at once. Ask for 1 to {MOST}.")
        if not (math.isfinite(temperature) and temperature >= 0):
            raise ValueError(f"a temperature of {temperature} makes no sense. Use 0 or more.")
        codes = self._drawn(self.check(given), count, temperature, torch.Generator().manual_seed(seed))
        parts = [self._decoded({latent: z[rows] for latent, z in codes.items()}, names)
                 for rows in torch.split(torch.arange(count), self.model.at_once(MOST))]
        return {name: _joined([part[name] for part in parts]) for name in names}

    @torch.inference_mode()
    def experts(self, given: Mapping[str, Tensor]) -> Beliefs | None:
        """What the prior, each given modality and all together know of the shared latent; None for a family without a
        Gaussian latent that its modalities share."""
        latent = "z" if "z" in self.model.latents else SHARED
        if not isinstance(self.model, Multimodal) or latent not in self.model.latents or not self.has_prior:
            return None
        size = self.model.latents[latent]
        prior = Belief("prior", np.zeros(size), np.ones(size))
        batch = self.check(given)
        if not batch:
            return Beliefs(latent, "prior", prior, (), Belief("posterior", prior.mean, prior.std), list(range(size)))
        q = self.model.encode(batch)[latent]
        if isinstance(q, PosteriorMixture):
            parts = self._components(q)
            mean = sum((part.weight * part.mean for part in parts), np.zeros(size))
            square = sum((part.weight * (part.std**2 + part.mean**2) for part in parts), np.zeros(size))
            posterior = Belief("mixture", mean, np.sqrt(np.maximum(square - mean**2, 1e-12)))
            narrowed = -sum((part.weight * np.log(part.std) for part in parts), np.zeros(size))
            return Beliefs(latent, "mixture", prior, parts, posterior, _largest_first(narrowed))
        if isinstance(q, Point):
            return None
        factors = self._factors(batch, latent)
        posterior = Belief("product" if factors else "posterior", *_moments(q))
        return Beliefs(latent, "product" if factors else "network", prior, factors, posterior,
                       _largest_first(-np.log(posterior.std)))

    @torch.inference_mode()
    def swap(self, name: str, rows: Sequence[int], columns: Sequence[int], given: Collection[str] | None = None
             ) -> Images:
        """Pictures (R, C, H, W[, 3]) of a modality: the shared code from the test sample of the row, the private one
        from that of the column, means both.

        `given` are the modalities that the shared code is read from, all of them if None. Raises `ValueError` for a
        family that does not tell shared from private, and for a modality without a private latent or a picture.
        """
        latent = self._own(name)
        if not rows or not columns or len(rows) * len(columns) > MOST_CELLS:
            raise ValueError(f"{len(rows)} rows of {len(columns)} cannot be drawn. Choose 1 to {MOST_CELLS} in all.")
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
        """The shared code moves, its `most` active dimensions, while what is private stays at that of a test sample."""
        self._own(name)
        assert self.shared is not None
        return self._traverse(name, self.shared, example, values, most)

    # -- linear methods

    @torch.inference_mode()
    def scores(self) -> dict[str, Numbers]:
        """The codes of the test samples, (N, r) a latent: means of posteriors, or the scores of a linear method."""
        return {latent: z.double().numpy() for latent, z in self._means(range(self.count)).items()}

    @torch.inference_mode()
    def loadings(self) -> dict[str, dict[str, Numbers]]:
        """Of a linear method (D, r) for each modality that a latent has to do with; raises `ValueError` for others."""
        if not isinstance(self.model, LinearBlocks):
            raise ValueError(f"{self.run.id} is no linear method: its decoders are networks, which have no loadings.")
        found = self.model.loadings()
        return {latent: {name: x.double().numpy() for name, x in each.items() if bool((x != 0).any())}
                for latent, each in found.items()}

    def strongest(self, latent: str, dimension: int, count: int = 12) -> dict[str, list[tuple[int, float]]]:
        """The features of each modality that load most on a dimension, largest first: their numbers and loadings."""
        found = {}
        for name, each in self.loadings()[latent].items():
            column = each[:, dimension]
            found[name] = [(d, float(column[d])) for d in _largest_first(np.abs(column))[:count]]
        return found

    def loading_picture(self, latent: str, dimension: int, name: str) -> Images:
        """The loadings of an image as a picture (H, W, 3): orange above 0, blue below, black where nothing loads."""
        modality = self._modality(name)
        column = self.loadings()[latent][name][:, dimension].reshape(modality.shape).mean(0)
        share = np.clip(column / max(float(np.abs(column).max()), 1e-12), -1, 1)[..., None]
        colours: Images = np.rint(np.where(share > 0, share * ABOVE, -share * BELOW)).astype(np.uint8)
        return colours

    @torch.inference_mode()
    def explained(self) -> dict[str, dict[str, float]]:
        """Shares of each modality's variance over the test samples by part, of a linear method; else empty."""
        if not isinstance(self.model, LinearBlocks):
            return {}
        try:
            return self.model.explained(self._sampled(range(self.count)))
        except ValueError:  # no test sample has everything
            return {}

    # -- inside

    @cached_property
    def _data(self) -> dict[str, Any]:
        data = self.run.values().get("data")
        return data if isinstance(data, dict) else {}

    def _modality(self, name: str) -> Modality:
        if name not in self.modalities:
            raise ValueError(f"there is no modality '{name[:40]}' in {self.run.id}. It has "
                             f"{', '.join(self.modalities)}.")
        return self.modalities[name]

    def _how(self, name: str) -> str:
        """How to give a modality instead."""
        return {"image": "Draw or upload it, or choose a test sample.", "vector": "Choose a test sample.",
                "label": "Choose or type a class.", "text": "Type a sentence."}[self.modalities[name].kind]

    def _own(self, name: str) -> str:
        modality = self._modality(name)
        if self.shared is None:
            raise ValueError(f"{self.run.id} does not tell what is shared from what is private.")
        if name not in self.private:
            others = ", ".join(self.private) or "none has"
            raise ValueError(f"{name} has no private code. Choose one that has: {others}.")
        if modality.kind not in ("image", "vector"):
            raise ValueError(f"{name} is {_article(modality.kind)}, of which there is no picture.")
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

    def _drawn(self, batch: Mapping[str, Tensor], count: int, temperature: float, generator: torch.Generator
               ) -> dict[str, Tensor]:
        """Codes (count, r) a latent."""
        if not batch:
            if not self.has_prior:
                raise ValueError(f"{self.run.id} has no prior to draw from: give at least one of "
                                 f"{', '.join(self.modalities)}.")
            return {latent: temperature * p.sample(count, generator) if isinstance(p, StandardNormal) else
                    tempered(p, temperature).sample(count, generator) for latent, p in self.model.prior().items()}
        return {latent: _draw(q, count, temperature, generator) for latent, q in self.model.encode(batch).items()}

    def _decoded(self, z: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Generated]:
        some = isinstance(self.model, Multimodal | LinearBlocks)
        found = self.model.decode(z, predict=names) if some else self.model.decode(z)  # type: ignore[call-arg]
        made = {}
        for name in names:
            p = found[name]
            if isinstance(p, Sentences):
                made[name] = self.shown(name, p.likeliest())
            else:
                made[name] = self.shown(name, p.mean)
        return made

    def _factors(self, batch: Mapping[str, Tensor], latent: str) -> tuple[Belief, ...]:
        """The factor of each given modality; none where one network reads them all."""
        if not isinstance(self.model, SharedLatent | PrivateShared):
            return ()
        experts = self.model.experts(batch).get(latent)
        if experts is None:
            return ()
        found = []
        for m, name in enumerate(self.modalities):
            if name in batch:
                precision = experts.precision[m, 0].double()
                mean, std = experts.shift[m, 0].double() / precision.clamp(min=1e-12), precision.rsqrt()
                found.append(Belief(name, mean.numpy(), std.numpy()))
        return tuple(found)

    def _components(self, q: PosteriorMixture) -> tuple[Belief, ...]:
        """The Gaussians of a mixture that weigh something, named by the modalities that each was read from."""
        subsets = getattr(getattr(self.model, "encoder", None), "subsets", None)
        found = []
        for place, (part, weight) in enumerate(zip(q.components, q.weights[:, 0].tolist(), strict=True)):
            if weight > 0:
                who = [] if subsets is None else [n for n, there in zip(self.modalities, subsets[place], strict=True)
                                                  if there]
                mean, std = _moments(part)
                found.append(Belief(" + ".join(who) or f"component {place}", mean, std, weight))
        return tuple(found)

    @torch.inference_mode()
    def _traverse(self, name: str, latent: str, example: int, values: Sequence[float], most: int | None = None
                  ) -> Traversal:
        spread = self._spread[latent]
        dimensions = _largest_first(spread)[:most]
        base = self._means([example])
        if len(dimensions) * len(values) > MOST_CELLS or not len(values):
            dimensions = dimensions[:MOST_CELLS // max(1, len(values))]
        count = len(dimensions) * len(values)
        codes = {each: z.expand(count, -1).clone() for each, z in base.items()}
        for row, dimension in enumerate(dimensions):
            unit = 1.0 if self.has_prior else float(spread[dimension])
            codes[latent][row * len(values):(row + 1) * len(values), dimension] = unit * torch.tensor(list(values))
        return Traversal(dimensions, self._grid(name, codes, len(dimensions)))

    def _grid(self, name: str, codes: Mapping[str, Tensor], rows: int) -> Images:
        images = self._decoded(codes, [name])[name].images
        return images.reshape(rows, -1, *images.shape[1:])

    @cached_property
    def _spread(self) -> dict[str, Numbers]:
        """Standard deviations of the test samples' codes, (r,) a latent: which dimensions are in use."""
        return {latent: z.std(0) for latent, z in self.scores().items()}


# -- small things ----------------------------------------------------------------------------------


def digest(given: Mapping[str, Tensor]) -> str:
    """A short name of what is given: the same for the same numbers, whatever their order."""
    found = hashlib.sha256()
    for name, value in sorted(given.items()):
        found.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()


def wav(picture: Images) -> bytes:
    """The sound of a log-mel picture (32, 32) as a .wav file; made from the picture, so it sounds like a robot."""
    from vaecore.data.spoken_digits import sound
    from vaecore.data.spoken_digits import wav as as_wav

    return as_wav(*sound(picture))


def crossed(body: Images, left: Images, top: Images, *, gap: int = 1, apart: int = 4) -> Images:
    """One picture with opacity: `body` (R, C, H, W[, 3]) with `left` (R, ...) at its left and `top` (C, ...) above."""
    rows, columns, height, width = body.shape[:4]

    def place(number: int, size: int) -> int:
        return 0 if number == 0 else size + apart + (number - 1) * (size + gap)

    def coloured(image: Images) -> Images:
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, -1)

    sheet: Images = np.zeros((place(rows, height) + height, place(columns, width) + width, 4), np.uint8)
    cells = [(0, 1 + c, image) for c, image in enumerate(top)] + [(1 + r, 0, image) for r, image in enumerate(left)]
    cells += [(1 + r, 1 + c, body[r, c]) for r in range(rows) for c in range(columns)]
    for r, c, image in cells:
        y, x = place(r, height), place(c, width)
        sheet[y:y + height, x:x + width, :3] = coloured(image)
        sheet[y:y + height, x:x + width, 3] = 255
    return sheet


def _examples(run: Run, modalities: Mapping[str, Modality]
              ) -> tuple[dict[str, Tensor], NDArray[np.int64] | None, Tensor | None]:
    """The test samples of a run as the model reads them, their labels, and who has what."""
    path = run.path / "examples.safetensors"
    try:
        if path.stat().st_size > LARGEST_EXAMPLES:
            raise ValueError("it is too large")
        tensors = load_file(path)
        found = {name: tensors[name] for name in modalities}
        count = len(next(iter(found.values())))
        for name, modality in modalities.items():
            x = found[name]
            if x.shape != (count, *modality.shape) or not count:
                raise ValueError(f"'{name}' has shape {tuple(x.shape)}")
            if modality.kind == "text" and (x.is_floating_point() or x.is_complex()):
                raise ValueError(f"'{name}' holds no word numbers")
            found[name] = scaled(x)
            if modality.kind != "text":
                found[name] = found[name].float()
            good = (found[name] >= 0).all() and (found[name] < len(modality.vocabulary)).all() \
                if modality.kind == "text" else found[name].isfinite().all()
            if not good:
                raise ValueError(f"'{name}' holds numbers that are none of its own")
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise BrokenCheckpoint(f"examples.safetensors of {run.id} cannot be used ({error}). Copy the run again from "
                               "where it came.") from None
    labels, observed = tensors.get("labels"), tensors.get(OBSERVED)
    if labels is not None and (labels.shape != (count,) or labels.is_floating_point()):
        labels = None
    if observed is not None and observed.shape != (count, len(modalities)):
        observed = None
    return found, None if labels is None else labels.long().numpy(), None if observed is None else observed.bool()


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


def _draw(q: Posterior, count: int, temperature: float, generator: torch.Generator) -> Tensor:
    """Codes (count, r) of a posterior of one observation."""
    if isinstance(q, Point):
        return q.mean.expand(count, -1)
    if isinstance(q, PosteriorMixture):
        chosen = torch.multinomial(q.weights[:, 0], count, replacement=True, generator=generator)
        mean, logvar = q.means[chosen, 0], q.logvars[chosen, 0]
    else:
        mean, logvar = q.mean.expand(count, -1), q.logvar.expand(count, -1)
    noise = torch.randn(mean.shape, generator=generator)
    return torch.addcmul(mean, temperature * (0.5 * logvar).exp(), noise)


def _joined(parts: Sequence[Generated]) -> Generated:
    if len(parts) == 1:
        return parts[0]
    return Generated(parts[0].kind, np.concatenate([part.values for part in parts]),
                     tuple(sentence for part in parts for sentence in part.sentences))


def _moments(q: DiagonalGaussian) -> tuple[Numbers, Numbers]:
    return q.mean[0].double().numpy(), (0.5 * q.logvar[0].double()).exp().numpy()


def _largest_first(values: Numbers) -> list[int]:
    return [int(place) for place in np.argsort(-values, kind="stable")]


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "image" else f"a {kind}"


