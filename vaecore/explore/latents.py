"""What is known of each latent of a run that was opened: its dimensions in order, where its codes live, who is in use.

Shapes: r latent size. A position "in units" is (z - centre) / unit, with both of this latent: standard deviations of
the prior around its mean; without a prior those of the data's codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.arrays import Numbers
from vaecore.explore.codes import Codes
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.densities import moments
from vaecore.explore.single import Checkpoint
from vaecore.probability.gaussian import StandardNormal
from vaecore.untrusted import LARGEST_NUMBER

LEAST_UNIT = 1e-6  # of a dimension whose codes do not vary
IN_USE = 0.01  # variance of the codes of data, above which a dimension is active


@dataclass(frozen=True)
class LatentFacts:
    """One latent of an opened run: `centre`, `unit`, `spread` and `active` are (r,), `kl` too, in nats."""

    name: str
    size: int
    order: tuple[int, ...]  # dimensions from the most to the least informative: by KL, or by spread without one
    kl: Numbers | None  # mean KL of each dimension on the validation set; None where there is none by dimension
    rate: float | None  # mean KL in all, in nats
    active: NDArray[np.bool_]  # dimensions that carry something
    centre: Codes
    unit: Codes
    spread: Numbers  # standard deviations of the codes of data, as they are
    standard: bool  # whether its prior is N(0, I)

    def place(self, units: Codes) -> Codes:
        """Codes (..., r) from positions in units."""
        codes: Codes = self.centre + self.unit * np.asarray(units, np.float32)
        return codes

    def units(self, codes: Codes) -> Codes:
        """Positions in units of codes (..., r): the inverse of `place`."""
        positions: Codes = (np.asarray(codes, np.float32) - self.centre) / self.unit
        return positions


def latents(opened: Checkpoint | CrossModal) -> tuple[LatentFacts, ...]:
    """The latents of a run that was opened, in the model's order."""
    if isinstance(opened, Checkpoint):
        return (LatentFacts(opened.latent, opened.size, tuple(opened.order), opened.kl, opened.rate, opened.active,
                            *opened.scale(), opened.spread[1], opened.standard),)
    with torch.inference_mode():
        prior = opened.model.prior()
    scores, validation = opened.scores(), opened.run.summary().get("validation")
    found = []
    for name, size in opened.model.latents.items():
        codes, density = scores[name], prior.get(name)
        kl = _noted(validation, "kl", name, size)
        told = _noted(validation, "activity", name, size)
        spread = codes.std(0)
        active = np.ones(size, bool) if density is None else (spread ** 2 if told is None else told) > IN_USE
        standard = isinstance(density, StandardNormal)
        if density is None:
            centre, unit = codes.mean(0), spread
        else:
            centre, unit = (np.zeros(size), np.ones(size)) if standard else moments(density.as_mixture())
        order = np.argsort(-(spread if kl is None else kl), kind="stable")
        found.append(LatentFacts(name, size, tuple(int(d) for d in order), kl, None if kl is None else float(kl.sum()),
                                 active, centre.astype(np.float32), np.maximum(unit, LEAST_UNIT).astype(np.float32),
                                 spread, standard))
    return tuple(found)


def _noted(validation: Any, term: str, latent: str, size: int) -> Numbers | None:
    """One number a dimension (r,) of the validation set; None where the summary has none that can be used."""
    terms = validation.get(term) if isinstance(validation, Mapping) else None
    values = terms.get(latent) if isinstance(terms, Mapping) else None
    if not isinstance(values, list) or len(values) != size:
        return None
    fits = all(isinstance(value, int | float) and abs(value) <= LARGEST_NUMBER for value in values)
    return np.asarray(values, np.float64) if fits else None
