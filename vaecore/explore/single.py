"""Looking at a checkpoint of one modality with a code: decode, traverse, interpolate, reconstruct, sample.

Shapes: B images, r latent size, S steps. Images come back as uint8 (…, H, W) or (…, H, W, 3), the mean of
p(x|z); a vector comes back as a one-row image, grey for 0 and one step of brightness for each 3/128.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.arrays import Numbers
from vaecore.data import COVARIATE
from vaecore.explore.codes import Codes, Route, between
from vaecore.explore.densities import moments
from vaecore.explore.directions import Attribute, Local, attribute, local
from vaecore.explore.drawing import Grey, Ink
from vaecore.explore.geodesics import Ways, ways
from vaecore.explore.judged import KeptJudge, judge_of
from vaecore.explore.opening import CODE, noted, observations, read_examples, read_model
from vaecore.explore.pictures import Images, as_images, on_screen, sheet
from vaecore.explore.reading import Reading, Yardstick, reading
from vaecore.explore.surface import Surface, surface
from vaecore.explore.uploads import Step, Upload, from_upload
from vaecore.mapping import Method, Part, Settings
from vaecore.modalities import Label, Modality, Vector
from vaecore.models import Family
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, Point, StandardNormal
from vaecore.probability.priors import ConditionalMixture
from vaecore.schema import parse
from vaecore.store import COPY_AGAIN, EXAMPLES, Run
from vaecore.training import ACTIVE
from vaecore.training.checkpoints import BrokenCheckpoint
from vaecore.training.feed import scaled
from vaecore.views import SINGLE, Preview

if TYPE_CHECKING:
    from vaecore.explore.maps import LatentMap

LEAST_UNIT = 1e-6  # of a dimension whose codes do not vary
DRAWN_AT_ONCE = 500  # codes: a mixture weighs all its components for each


@dataclass(frozen=True)
class Checkpoint:
    """A model with the test images and numbers that travel with it."""

    run: Run
    model: Family
    summary: dict[str, Any]
    examples: torch.Tensor  # (N, *shape), pixels in [0, 1]
    labels: NDArray[np.int64] | None
    covariates: torch.Tensor | None = None  # (N, m), as the model reads them; None where it reads none
    measured: torch.Tensor | None = None  # (N, m), those of the data, for a model that reads them

    @classmethod
    def load(cls, run: Run) -> Checkpoint:
        """Open a run of images or vectors with a code.

        Raises `BrokenCheckpoint` or `StoreError` for files that are missing or damaged, `WrongView` for a family
        without a code, of several modalities, of text or of clips.
        """
        model = read_model(run, SINGLE)
        if len(model.latents) > 1:
            raise BrokenCheckpoint(f"{run.id} has several latents ({', '.join(model.latents)}), and here one is moved "
                                   "through. Choose a run of a family with one.")
        [(name, modality)] = model.modalities.items()
        x, labels, numbers = read_examples(run, lambda stored: observations(stored, name, modality))
        covariates = None
        if model.covariate is not None:
            covariates = as_read(model.covariate, labels, numbers)
            if covariates is None:
                raise BrokenCheckpoint(f"{EXAMPLES} of {run.id} lacks the labels or covariates that its model reads. "
                                       f"{COPY_AGAIN}.")
        return cls(run, model, run.summary(), scaled(x).float(), labels, covariates, numbers)

    @property
    def latent(self) -> str:
        return CODE

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one observation: (C, H, W) or (D,)."""
        [modality] = self.model.modalities.values()
        return modality.shape

    @property
    def size(self) -> int:
        """Latent size r."""
        return self.model.latents[self.latent]

    def judge(self, *, make: bool = False) -> KeptJudge | None:
        """The classifier of this run's data that says what a decoded observation is of; None while there is none.

        It is found where it has been made before, for any run of the same data; `make` trains it now, in some 15 s.
        Raises `DataUnavailable` where the data are not here to learn from, and `ValueError` for data without labels.
        """
        [(name, modality)] = self.model.modalities.items()
        return judge_of(self.run, name, modality, make=make)

    @cached_property
    def has_prior(self) -> bool:
        """Whether codes are compared with a prior; an autoencoder's are not."""
        return bool(self.priors(None if self.covariates is None else self.covariates[:1]))

    @cached_property
    def prior(self) -> Density:
        """p(z); of a conditional prior p(z|u) for the covariates of all examples. Raises `KeyError` without one."""
        return self.priors(self.covariates)[self.latent]

    @cached_property
    def fitted(self) -> bool:
        """Whether codes are drawn from a Gaussian fitted to those of data, as the model does not say their law."""
        return not self.has_prior and self.model.codes(1, torch.Generator().manual_seed(0)) is None

    @property
    def standard(self) -> bool:
        """Whether the prior is N(0, I)."""
        return self.has_prior and isinstance(self.prior, StandardNormal)

    @property
    def tempered(self) -> bool:
        """Whether samples have a temperature: where codes come from Gaussians, alone or mixed."""
        return not self.has_prior or self.prior.gaussian

    @property
    def classes(self) -> int:
        """How many labels its prior is conditioned on; 0 where it is not, or on numbers."""
        covariate = self.model.covariate
        return covariate.size if isinstance(covariate, Label) else 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """What those labels are called."""
        covariate = self.model.covariate
        return covariate.class_names if isinstance(covariate, Label) else ()

    @property
    def kl(self) -> NDArray[np.float64] | None:
        """Mean KL a dimension in nats (r,), on the validation set.

        None without one, and where the prior has no closed form by dimension.
        """
        return self._noted("kl")

    @property
    def rate(self) -> float | None:
        """Mean KL in all, in nats, on the validation set; None without one."""
        found = noted(self.summary, "kl", self.latent)
        return None if found is None else sum(found.tolist())

    @cached_property
    def spread(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of the codes of data, each (r,)."""
        mean, variance = self._noted("code_mean"), self._noted("code_variance")
        if mean is not None and variance is not None:
            return mean, np.sqrt(np.maximum(variance, 0))
        z = self.encode(slice(None))
        return z.mean(0).astype(float), z.std(0).astype(float)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Dimensions in use (r,): the code of data varies by more than 0.01 in variance.

        Where each observation has a prior of its own, they cost more than 0.01 nats; all are in use without a prior.
        """
        if not self.has_prior:
            return np.ones(self.size, bool)
        told = self._noted("activity")
        if told is None:  # of a run older than that
            told = self.kl if self.model.prior_moves and self.kl is not None else self.spread[1] ** 2
        return told > ACTIVE

    @property
    def order(self) -> list[int]:
        """Dimensions from the most to the least informative: by KL, or by spread without one."""
        weight = self.kl if self.kl is not None else self.spread[1]
        return [int(i) for i in np.argsort(-weight, kind="stable")]

    def scale(self) -> tuple[Codes, Codes]:
        """Where codes live, centre and unit (r,) each: the prior's mean and standard deviation.

        0 and 1 for N(0, I), or the codes' own without a prior.
        """
        mean, std = self._prior_spread if self.has_prior else self.spread
        return mean.astype(np.float32), np.maximum(std, LEAST_UNIT).astype(np.float32)

    def place(self, units: Codes) -> Codes:
        """Codes (..., r) from positions in units of `scale`."""
        centre, unit = self.scale()
        codes: Codes = centre + unit * np.asarray(units, np.float32)
        return codes

    def units(self, codes: Codes) -> Codes:
        """Positions of codes (..., r) in units of `scale`: the inverse of `place`."""
        centre, unit = self.scale()
        positions: Codes = (np.asarray(codes, np.float32) - centre) / unit
        return positions

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Images:
        """Decoder means of codes (B, r)."""
        z = torch.as_tensor(np.asarray(codes, np.float32))
        [p] = self.model.decode({self.latent: z}).values()
        return as_images(p.mean)

    @cached_property
    def known(self) -> tuple[str, ...]:
        """What the labels of its examples are called, by their numbers; empty: numbers from 0."""
        return self.run.class_names()

    @property
    def in_sample(self) -> bool:
        """Whether the examples that it keeps are those that the model was fitted on."""
        return self.summary.get("in_sample") is True

    @property
    def vector(self) -> Vector | None:
        """What an observation is where it is a vector, whose numbers have names and units; else None."""
        [modality] = self.model.modalities.values()
        return modality if isinstance(modality, Vector) else None

    @torch.inference_mode()
    def numbers(self, codes: Codes) -> Numbers:
        """Decoder means of codes (B, r) of a vector, (B, D), in the file's units."""
        z = torch.as_tensor(np.asarray(codes, np.float32))
        [p] = self.model.decode({self.latent: z}).values()
        return self._vector.in_units(p.mean.double().numpy())

    def given_numbers(self, index: slice | Sequence[int]) -> Numbers:
        """Examples of a vector, (B, D), in the file's units."""
        return self._vector.in_units(self.examples[index].double().numpy())

    def moves(self, dimension: int, base: Codes | None = None) -> Numbers:
        """How much each number of a vector (D,) changes by a unit of a code's dimension, in the file's units.

        From half a unit below the code `base` to half a unit above it, or around the centre of `scale`: of a linear
        model it is the same everywhere, its loading.
        """
        centre, unit = self.scale()
        codes = np.tile(centre if base is None else np.asarray(base, np.float32), (2, 1))
        codes[:, dimension] += np.array([-0.5, 0.5], np.float32) * unit[dimension]
        low, high = self.numbers(codes)
        return np.asarray(high - low)

    @property
    def _vector(self) -> Vector:
        if self.vector is None:
            raise ValueError(f"{self.run.id} models {next(iter(self.model.modalities.values())).plural}, and only "
                             "numbers of a vector have units.")
        return self.vector

    @torch.inference_mode()
    def encode(self, index: slice | Sequence[int]) -> Codes:
        """Posterior means of examples, (B, r)."""
        codes: Codes = self._posterior(index).mean.numpy()
        return codes

    # -- pictures from outside

    @cached_property
    def ink(self) -> Ink | None:
        """How the examples look where they are drawn on plain paper; None for others."""
        return None if self.vector is not None else Ink.of((self.examples * 255).round().to(torch.uint8).numpy())

    @cached_property
    def yardstick(self) -> Yardstick:
        """The examples, as what a picture from outside is compared with."""
        return Yardstick.of(self, self.examples, self.covariates,
                            f"the {len(self.examples)} test observations that travel with the run")

    def read(self, picture: bytes, *, undone: Collection[Step] = ()) -> Upload:
        """A picture's file in the form of its images, uint8 (C, H, W), with what was done to it.

        Steps that are `undone` are left out. Raises `ValueError` for what is no picture, and for a model of none.
        """
        if self.vector is not None:
            raise ValueError(f"{self.run.id} models {self.vector.plural}, and reads no pictures.")
        channels, height, width = self.shape
        return from_upload(picture, (channels, height, width), self.ink, undone=undone)

    def encode_picture(self, pixels: Grey, label: int | None = None, yardstick: Yardstick | None = None) -> Reading:
        """A picture, uint8 (C, H, W) as `read` gives it, as the model reads it: its code and how it stands.

        `label` is its class where the model reads one beside the picture; it is compared with the `yardstick`, or the
        examples. Raises `ValueError` for what does not fit.
        """
        return reading(self, pixels, label, yardstick or self.yardstick)

    # -- what it keeps

    def originals(self, index: slice | Sequence[int]) -> Images:
        """The examples themselves."""
        return as_images(self.examples[index])

    def reconstruct(self, index: slice | Sequence[int]) -> Images:
        """Examples encoded and decoded again, at the posterior mean."""
        return self.decode(self.encode(index))

    def traverse(self, base: Codes, dimensions: Sequence[int], values: Sequence[float] | Numbers) -> Images:
        """One row a dimension, one column a value (in units of `scale`), the rest held at `base`: (rows, S, ...).

        Values are the same in all rows (S,), or its own for each of them (rows, S), as quantiles are.
        """
        centre, unit = self.scale()
        each = np.broadcast_to(np.asarray(values, np.float32), (len(dimensions), np.shape(values)[-1]))
        codes: Codes = np.tile(np.asarray(base, np.float32), (*each.shape, 1))
        for row, dimension in enumerate(dimensions):
            codes[row, :, dimension] = centre[dimension] + unit[dimension] * each[row]
        flat = self.decode(codes.reshape(-1, self.size))
        return flat.reshape(*each.shape, *flat.shape[1:])

    def interpolate(self, a: int, b: int, steps: int, path: Route = "straight") -> Images:
        """Decoded codes on the way between two examples, both ends included, (S, ...)."""
        start, end = self.encode([a, b])
        return self.decode(self.way(start, end, steps, path))

    @cached_property
    def surface(self) -> Surface:
        """The decoder as a differentiable function of a code, whose metric paths and directions are taken in."""
        return surface(self.model, self.latent)

    def ways(self, start: Codes, end: Codes, steps: int) -> Ways:
        """The straight, the spherical and the shortest path between two codes (r,), of `steps` codes, with lengths."""
        return ways(self.surface, start, end, steps)

    def way(self, start: Codes, end: Codes, steps: int, path: Route = "straight") -> Codes:
        """The codes (S, r) of one of these paths, both ends included."""
        return self.ways(start, end, steps)[path].codes if path == "shortest" else between(start, end, steps, path)

    def directions(self, code: Codes | None = None, count: int = 6, like: Local | None = None) -> Local:
        """The `count` directions at a code (r,), or at the centre of `scale`, along which its picture changes most.

        With `like`, those at a code nearby, they go on from these: no one turns round on the way.
        """
        centre, unit = self.scale()
        return local(self.surface, centre if code is None else code, count, unit=unit, like=like)

    def attribute(self, a: Sequence[int], b: Sequence[int], name: str = "") -> Attribute:
        """The direction from the mean code of examples `b` to that of examples `a`, by their numbers.

        Raises `ValueError` for a number that no example has, for a group of none and for two of the same mean.
        """
        last = len(self.examples) - 1
        if wrong := [row for row in (*a, *b) if not 0 <= row <= last]:
            raise ValueError(f"there is no example {wrong[0]} in {self.run.id}. Choose from 0 to {last}.")
        return attribute(self.encode(list(a)), self.encode(list(b)), name or "the direction")

    @torch.inference_mode()
    def sample_codes(self, count: int, temperature: float = 1.0, seed: int = 0, labels: Sequence[int] | None = None
                     ) -> Codes:
        """Codes (B, r) from the prior, or by the model's own law of them; else from a Gaussian fitted to the codes.

        `temperature` multiplies the standard deviation of each Gaussian: at 0 a code is the mean of the one it is drawn
        from. A conditional prior takes a label for each code, or else covariates drawn from the examples'.
        Raises `ValueError` for a temperature where `tempered` is false, and for labels that are no such.
        """
        if temperature != 1 and not self.tempered:
            raise ValueError("this prior has no Gaussians whose spread a temperature could change.")
        if labels is not None and (len(labels) != count or not all(0 <= label < self.classes for label in labels)):
            raise ValueError(f"labels of this prior are 0 to {self.classes - 1}, one for each code."
                             if self.classes else "this prior is not conditioned on labels.")
        if not self.has_prior and not self.fitted:
            own = self.model.codes(count, torch.Generator().manual_seed(seed))
            assert own is not None
            return np.float32(temperature) * own.numpy()
        if not self.has_prior or self.standard:
            noise = np.random.default_rng(seed).standard_normal((count, self.size), np.float32)
            return self.place(np.float32(temperature) * noise)
        density = self.prior
        if self.covariates is not None:
            rows = np.random.default_rng(seed).integers(len(self.covariates), size=count)
            u = torch.eye(self.classes)[list(labels)] if labels is not None else self.covariates[rows]
            density = self.priors(u)[self.latent]
        generator = torch.Generator().manual_seed(seed)
        if isinstance(density, DiagonalGaussian | ConditionalMixture):
            return density.tempered(temperature).sample(count, generator).numpy()
        density, left = density.tempered(temperature), [DRAWN_AT_ONCE] * (count // DRAWN_AT_ONCE)
        return np.concatenate([density.sample(n, generator).numpy() for n in [*left, count % DRAWN_AT_ONCE] if n])

    @torch.inference_mode()
    def from_noise(self, component: NDArray[np.float64], normal: Codes, example: NDArray[np.float64], seed: int = 0,
                   temperature: float = 1.0) -> Codes:
        """Codes (B, r) of the prior as a fixed function of noise.

        `component` (B,) in [0, 1) chooses among its components, `normal` (B, r) is the place in it, `example` (B,) in
        [0, 1) whose covariate p(z|u) is given.

        Without a prior as in `sample_codes`: a Gaussian fitted to the codes, else the model's own law under `seed`,
        scaled by `temperature`.
        """
        if not self.has_prior and not self.fitted:
            own = self.model.codes(len(normal), torch.Generator().manual_seed(seed))
            assert own is not None
            return np.float32(temperature) * own.numpy()
        if not self.has_prior or self.standard:
            return self.place(normal)
        density = self.prior
        if self.covariates is not None:
            density = self.priors(self.covariates[(example * len(self.covariates)).astype(int)])[self.latent]
        codes: Codes = density.from_noise(torch.from_numpy(component), torch.from_numpy(normal)).numpy()
        return codes

    def sample(self, count: int, temperature: float = 1.0, seed: int = 0, labels: Sequence[int] | None = None
               ) -> Images:
        """Decoder means of `sample_codes`."""
        return self.decode(self.sample_codes(count, temperature, seed, labels))

    def map(self, split: Part = "test", method: Method = "dims", **settings: Any) -> LatentMap:
        """The codes of a split in the plane, by two dimensions, principal components or UMAP.

        Further settings are the fields of `vaecore.mapping.Settings`. Raises `ConfigError` for what is none, and
        `DataUnavailable` where the run's data are not on this machine.
        """
        from vaecore.explore.maps import latent_map  # which is built on this class

        return latent_map(self, parse(Settings, {"split": split, "method": method, **settings}))

    def preview(self, count: int = 10) -> Preview:
        """Samples, two rows of `count`; of a prior with labels a column for each of the first."""
        labels = [place % count % self.classes for place in range(2 * count)] if self.classes else None
        return Preview("preview.png", on_screen(sheet(self.sample(2 * count, labels=labels), count), most=2))

    @cached_property
    def _prior_spread(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of the prior, each (r,)."""
        return (np.zeros(self.size), np.ones(self.size)) if self.standard else moments(self.prior.as_mixture())

    @torch.inference_mode()
    def priors(self, covariates: torch.Tensor | None) -> dict[str, Density]:
        """p(z), or p(z|u) of covariates (B, m) for a conditional prior; empty without one."""
        return self.model.prior() if covariates is None else self.model.prior({COVARIATE: covariates})

    def _noted(self, term: str) -> NDArray[np.float64] | None:
        """One number a dimension (r,) of the validation set; None where the summary has none that can be used."""
        return noted(self.summary, term, self.latent, self.size)

    @torch.inference_mode()
    def posteriors(self, x: torch.Tensor, covariates: torch.Tensor | None = None) -> DiagonalGaussian | Point:
        """q(z|x) of observations (N, *shape) as the model reads them, in batches; a point where a code is no draw."""
        [modality] = self.model.modalities
        parts = []
        for rows in torch.split(torch.arange(len(x)), self.model.at_once(500)):
            batch = {modality: x[rows]} | ({} if covariates is None else {COVARIATE: covariates[rows]})
            parts.append(self.model.encode(batch)[self.latent])
        means = torch.cat([part.mean for part in parts])
        drawn = [part for part in parts if isinstance(part, DiagonalGaussian)]
        return DiagonalGaussian(means, torch.cat([part.logvar for part in drawn])) if drawn else Point(means)

    def _posterior(self, index: slice | Sequence[int]) -> DiagonalGaussian | Point:
        return self.posteriors(self.examples[index], None if self.covariates is None else self.covariates[index])


def as_read(covariate: Modality, labels: NDArray[np.int64] | None, numbers: torch.Tensor | None
            ) -> torch.Tensor | None:
    """Covariates (N, m) as a model reads them, labels as one-hot rows; None where there are none that fit."""
    if isinstance(covariate, Label):
        fits = labels is not None and labels.dtype.kind == "i" and len(labels) and labels.max() < covariate.size
        return (torch.from_numpy(labels)[:, None] == torch.arange(covariate.size)).float() if fits else None
    fits = numbers is not None and numbers.shape[1:] == covariate.shape and bool(numbers.isfinite().all())
    return numbers.float() if fits and numbers is not None else None
