"""The surface that a decoder draws among observations, as one function of a code: its metric is the decoder's.

A step dz of the code moves what is decoded by J dz, so its squared length is dz' J'J dz: the metric that the decoder
pulls back (Shao et al. 2018). What is decoded is the mean of p(x|z). Where each number has a sigma of its own, sigma is
decoded beside it: then the metric is J_mean' J_mean + J_sigma' J_sigma, which that of draws of p(x|z) is on average
(Arvanitidis et al. 2018). One sigma for all numbers is constant and adds nothing. Lengths are in the units of what is
observed: pixels from 0 to 1. Shapes: B codes, r latent size, D numbers of a point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from vaecore.models import Family
from vaecore.probability.likelihoods import GaussianPixels, Observation

Surface = Callable[[Tensor], Tensor]  # codes (B, r) to points (B, D), differentiable, each row on its own


def surface(model: Family, latent: str, names: Collection[str] | None = None,
            held: Mapping[str, Tensor] | None = None) -> Surface:
    """What `model` decodes from `latent`, its modalities `names` side by side, or all of them.

    Of several latents the others are `held` at a code (r,) each. Raises `ValueError` for a model that is in training:
    its dropout and batch statistics would make of one code many points.
    """
    if model.training:
        raise ValueError(f"{type(model).__name__} is in training, where a code has no one picture. Call .eval() first.")
    others = {name: z for name, z in (held or {}).items() if name != latent}

    def points(z: Tensor) -> Tensor:
        codes = {name: other.to(z).expand(len(z), -1) for name, other in others.items()}
        decoded = model.decode({**codes, latent: z})
        return torch.cat([_numbers(decoded[name]) for name in decoded if names is None or name in names], 1)

    return points


def says_sigma(model: Family, latents: Mapping[str, int]) -> bool:
    """Whether sigma is decoded beside the mean, so that both are in the metric."""
    with torch.inference_mode():
        decoded = model.decode({name: torch.zeros(1, size) for name, size in latents.items()})
    return any(_own_sigma(p) for p in decoded.values())


def _own_sigma(p: Observation) -> bool:
    return isinstance(p, GaussianPixels) and p.logvar.shape == p.mean.shape


def _numbers(p: Observation) -> Tensor:
    parts = [p.mean.flatten(1)]
    if isinstance(p, GaussianPixels) and _own_sigma(p):
        parts.append((0.5 * p.logvar).exp().flatten(1))
    return torch.cat(parts, 1)
