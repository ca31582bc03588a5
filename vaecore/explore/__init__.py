"""Looking at a checkpoint: decode, traverse, interpolate, reconstruct, sample.

Shapes: B images, r latent size, S steps. Images come back as uint8 (…, H, W) or (…, H, W, 3), the mean of
p(x|z); a vector comes back as a one-row image, grey for 0 and one step of brightness for each 3/128.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from vaecore.config import RunConfig, differences
from vaecore.data import Modality
from vaecore.distributions import DiagonalGaussian
from vaecore.models import Family
from vaecore.schema import parse
from vaecore.store import Run
from vaecore.training.checkpoints import BrokenCheckpoint, load_model

Images = NDArray[np.uint8]
Codes = NDArray[np.float32]
Route = Literal["straight", "spherical"]
LARGEST_EXAMPLES = 64 * 2**20  # bytes


@dataclass(frozen=True)
class Checkpoint:
    """A model with the test images and numbers that travel with it."""

    run: Run
    model: Family
    summary: dict[str, Any]
    examples: torch.Tensor  # (N, *shape), pixels in [0, 1]
    labels: NDArray[np.int64] | None

    @classmethod
    def load(cls, run: Run) -> Checkpoint:
        """Raises `BrokenCheckpoint` or `StoreError` for files that are missing or damaged."""
        model = load_model(run.path)
        check_origin(run)
        if any(modality.kind == "text" for modality in model.modalities.values()):
            raise BrokenCheckpoint(f"{run.id} is a model of text, which is read and not drawn. Open it in Sentences.")
        if len(model.latents) != 1 or len(model.modalities) != 1:
            raise BrokenCheckpoint(f"{run.id} has several latents or modalities; it is explored elsewhere.")
        [(name, modality)] = model.modalities.items()
        x, labels = examples(run, name, modality)
        return cls(run, model, run.summary(), x.float() / 255 if x.dtype == torch.uint8 else x.float(), labels)

    @property
    def latent(self) -> str:
        return next(iter(self.model.latents))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one observation: (C, H, W) or (D,)."""
        [modality] = self.model.modalities.values()
        return modality.shape

    @property
    def size(self) -> int:
        """Latent size r."""
        return self.model.latents[self.latent]

    @cached_property
    def has_prior(self) -> bool:
        """Whether codes are compared with N(0, I); an autoencoder's are not."""
        with torch.inference_mode():
            return isinstance(self._posterior(slice(0, 1)), DiagonalGaussian)

    @property
    def kl(self) -> NDArray[np.float64] | None:
        """Mean KL a dimension in nats (r,), on the validation set; None without one."""
        return self._noted("kl")

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
        """Dimensions in use (r,): the code of data varies by more than 0.01 in variance; all without a prior."""
        return self.spread[1] ** 2 > 0.01 if self.has_prior else np.ones(self.size, bool)

    @property
    def order(self) -> list[int]:
        """Dimensions from the most to the least informative: by KL, or by spread without one."""
        weight = self.kl if self.kl is not None else self.spread[1]
        return [int(i) for i in np.argsort(-weight, kind="stable")]

    def scale(self) -> tuple[Codes, Codes]:
        """Where codes live, centre and unit (r,) each: the prior's 0 and 1, or the codes' own without a prior."""
        if self.has_prior:
            return np.zeros(self.size, np.float32), np.ones(self.size, np.float32)
        mean, std = self.spread
        return mean.astype(np.float32), np.maximum(std, 1e-6).astype(np.float32)

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
        return _pixels(p.mean)

    @torch.inference_mode()
    def encode(self, index: slice | Sequence[int]) -> Codes:
        """Posterior means of examples, (B, r)."""
        codes: Codes = self._posterior(index).mean.numpy()
        return codes

    def originals(self, index: slice | Sequence[int]) -> Images:
        """The examples themselves."""
        return _pixels(self.examples[index])

    def reconstruct(self, index: slice | Sequence[int]) -> Images:
        """Examples encoded and decoded again, at the posterior mean."""
        return self.decode(self.encode(index))

    def traverse(self, base: Codes, dimensions: Sequence[int], values: Sequence[float]) -> Images:
        """One row a dimension, one column a value (in units of `scale`), the rest held at `base`: (rows, S, ...)."""
        centre, unit = self.scale()
        codes: Codes = np.tile(np.asarray(base, np.float32), (len(dimensions), len(values), 1))
        for row, dimension in enumerate(dimensions):
            codes[row, :, dimension] = centre[dimension] + unit[dimension] * np.asarray(values, np.float32)
        flat = self.decode(codes.reshape(-1, self.size))
        return flat.reshape(len(dimensions), len(values), *flat.shape[1:])

    def interpolate(self, a: int, b: int, steps: int, path: Route = "straight") -> Images:
        """Decoded codes on the way between two examples, both ends included, (S, ...)."""
        start, end = self.encode([a, b])
        return self.decode(between(start, end, steps, path))

    def sample_codes(self, count: int, temperature: float = 1.0, seed: int = 0) -> Codes:
        """Codes (B, r) from the prior N(0, temperature^2 I); without a prior, from a Gaussian fitted to the codes."""
        noise = np.random.default_rng(seed).standard_normal((count, self.size), np.float32)
        return self.place(np.float32(temperature) * noise)

    def sample(self, count: int, temperature: float = 1.0, seed: int = 0) -> Images:
        """Decoder means of `sample_codes`."""
        return self.decode(self.sample_codes(count, temperature, seed))

    def _noted(self, term: str) -> NDArray[np.float64] | None:
        """One number a dimension (r,) of the validation set; None where the summary has none that can be used."""
        found: Any = self.summary
        for key in ("validation", term, self.latent):
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, list) or len(found) != self.size:
            return None
        if not all(isinstance(value, int | float) for value in found):
            return None
        values = np.asarray(found, np.float64)
        return values if np.isfinite(values).all() else None

    def _posterior(self, index: slice | Sequence[int]) -> Any:
        [modality] = self.model.modalities
        return self.model.encode({modality: self.examples[index]})[self.latent]


def _pixels(x: torch.Tensor) -> Images:
    if x.ndim == 2:  # vectors
        return (x[:, None] * (128 / 3) + 128).round().clamp(0, 255).to(torch.uint8).numpy()
    images = (x * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    if images.shape[1] not in (1, 3):
        images = images[:, :1]
    return np.ascontiguousarray(images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1))


def reconstruct_same(checkpoints: Sequence[Checkpoint], count: int) -> list[Images]:
    """The first checkpoint's test images, then their reconstructions by each: equal shapes, one row each.

    Raises `BrokenCheckpoint` for a checkpoint of images of another shape.
    """
    x = checkpoints[0].examples[:count]
    rows = [_pixels(x)]
    for checkpoint in checkpoints:
        [(name, modality)] = checkpoint.model.modalities.items()
        if modality.shape != x.shape[1:]:
            raise BrokenCheckpoint(f"{checkpoint.run.id} takes images of shape {modality.shape}, but "
                                   f"{checkpoints[0].run.id} has {tuple(x.shape[1:])}. Compare runs of one data set.")
        with torch.inference_mode():
            codes = checkpoint.model.encode({name: x})[checkpoint.latent].mean.numpy()
        rows.append(checkpoint.decode(codes))
    return rows


def decode_same(checkpoints: Sequence[Checkpoint], count: int, temperature: float = 1.0, seed: int = 0
                ) -> list[Images]:
    """The same codes through each decoder, one row each: (count, H, W[, 3]) of each one's own shape.

    Latent axes of two runs have nothing to do with each other, so they are paired by rank: the first number
    of a code goes to each run's most informative dimension, and so on; a code has as many numbers as the
    largest latent, and a smaller one leaves the last of them out. Numbers are in units of `scale`.
    """
    largest = max(checkpoint.size for checkpoint in checkpoints)
    bank = temperature * np.random.default_rng(seed).standard_normal((count, largest), np.float32)
    rows = []
    for checkpoint in checkpoints:
        units = np.zeros((count, checkpoint.size), np.float32)
        units[:, checkpoint.order] = bank[:, : checkpoint.size]
        rows.append(checkpoint.decode(checkpoint.place(units)))
    return rows


def between(start: Codes, end: Codes, steps: int, path: Route = "straight") -> Codes:
    """Codes on the way from one (r,) to another, both included, (S, r).

    `spherical` keeps to codes as long as the ends', which a Gaussian prior finds likelier (White 2016).
    """
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    lengths = float(np.linalg.norm(start) * np.linalg.norm(end))
    angle = float(np.arccos(np.clip(float(start @ end) / max(1e-12, lengths), -1, 1)))
    if path == "straight" or np.sin(angle) < 1e-4:
        straight: Codes = (1 - t) * start + t * end
        return straight
    arc: Codes = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
    return arc


def examples(run: Run, name: str, modality: Modality) -> tuple[torch.Tensor, NDArray[np.int64] | None]:
    """The test observations that travel with a run (N, *shape), as they are stored, and their labels (N,).

    Raises `BrokenCheckpoint` for a file that is missing, damaged or of another shape.
    """
    path = run.path / "examples.safetensors"
    try:
        if path.stat().st_size > LARGEST_EXAMPLES:
            raise ValueError("it is too large")
        tensors = load_file(path)
        x = tensors[name]
        if x.shape[1:] != modality.shape or len(x) == 0:
            raise ValueError(f"{modality.kind}s of shape {tuple(x.shape)}")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BrokenCheckpoint(f"examples.safetensors of {run.id} cannot be used ({error}). Copy the run again from "
                               "where it came.") from None
    labels = tensors["labels"].numpy() if "labels" in tensors else None
    return x, labels if labels is not None and labels.shape == (len(x),) else None


def check_origin(run: Run) -> None:
    """Raise `BrokenCheckpoint` for weights that were trained with another data set or model than the run's."""
    with safe_open(run.weights, "pt") as file:  # `load_model` has just read it: it is whole and has a description
        noted = parse(RunConfig, json.loads((file.metadata() or {})["vaecore"])["config"]).model_dump(mode="json")
    here = run.config().model_dump(mode="json")
    fields = differences([{part: values[part] for part in ("data", "model")} for values in (noted, here)])
    if fields:
        name, (there, own) = next(iter(fields.items()))
        raise BrokenCheckpoint(f"weights.safetensors of {run.id} belongs to another run: it was trained with {name} = "
                               f"{there}, but config.json says {own}. Copy the whole run again from where it came.")
