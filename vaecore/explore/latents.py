"""What is known of each latent of a run that was opened: its dimensions in order, where its codes live, who is in use.

Shapes: r latent size. A position "in units" is (z - centre) / unit, with both of this latent: standard deviations of
the prior around its mean; without a prior those of the data's codes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.arrays import Numbers
from vaecore.explore.codes import Codes
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.densities import moments
from vaecore.explore.opening import noted
from vaecore.explore.single import LEAST_UNIT, Checkpoint
from vaecore.probability.gaussian import StandardNormal
from vaecore.training import ACTIVE


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
    scores, summary = opened.scores(), opened.run.summary()
    found = []
    for name, size in opened.model.latents.items():
        codes, density = scores[name], prior.get(name)
        kl, told = (noted(summary, term, name, size) for term in ("kl", "activity"))
        spread = codes.std(0)
        active = np.ones(size, bool) if density is None else (spread ** 2 if told is None else told) > ACTIVE
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
