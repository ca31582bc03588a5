"""The terms of an objective at one observation x and one code z: what each is in nats, and what it is made of.

The values are the model's own: its `evidence` is asked with a posterior whose draw is the code that is looked at.
Beside them stands what a reader can add up: sums over pixels and dimensions, the closed form, a mean over many codes.
"""

from __future__ import annotations

import torch

from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.terms.clips import clip_terms, predicted
from vaecore.explore.terms.elbo import Batch, elbo_terms, equation_of, rows_of
from vaecore.explore.terms.entries import Code, Dimension, Part, Reckoned, Term, Way
from vaecore.explore.terms.trained import Opened, trained_by

__all__ = ["Code", "Dimension", "Opened", "Part", "Reckoned", "Term", "Way", "equation_of", "examples", "observation",
           "predicted", "reckon", "without"]


def examples(opened: Opened) -> int:
    """How many test observations travel with a run."""
    return opened.count if isinstance(opened, CrossModal | VideoCheckpoint) else len(opened.examples)


def observation(opened: Opened, index: int) -> Batch:
    """A test observation that travels with the run as a batch of one; raises `ValueError` for one that is not there."""
    if not 0 <= index < examples(opened):
        raise ValueError(f"There is no test observation {index}. Choose one from 0 to {examples(opened) - 1}.")
    if isinstance(opened, CrossModal):
        return {name: opened.sample(name, index) for name in opened.modalities if opened.has(name, index)}
    if isinstance(opened, VideoCheckpoint):
        return opened.batch(opened.clip(index))
    return rows_of(opened, slice(index, index + 1))


def without(opened: Opened) -> str | None:
    """Why a run has no terms to look at, in a sentence; None where it has."""
    if isinstance(opened, CrossModal) and opened.linear:
        return f"{opened.run.id} is a linear method: it has no likelihood, and so no ELBO."
    if opened.run.config().model.exact:
        return f"{opened.run.id} has log p(x) itself: there is no bound of it, and so no terms."
    if not examples(opened):
        return f"{opened.run.id} keeps no test observations: there is no x to take terms of."
    return None


@torch.inference_mode()
def reckon(opened: Opened, index: int = 0, *, code: Code = "drawn", seed: int = 0) -> tuple[Reckoned, ...]:
    """The ELBO of test observation `index` at one code, and after it what the run was trained by where that differs.

    The code is drawn from q(z|x) with `seed`, as `model.elbo` draws it with a generator of that seed, or is its mean;
    of clips it is one of each frame. Raises `ValueError` for an observation that is not there and for a method without
    a likelihood, `ConfigError` for a clip that is too short for its posterior.
    """
    batch = observation(opened, index)
    if (why := without(opened)) is not None:
        raise ValueError(why)
    elbo = clip_terms(opened.model, batch, code, seed) if isinstance(opened, VideoCheckpoint) else elbo_terms(
        opened.model, batch, code, seed)
    own = trained_by(opened, opened.model, batch, elbo, code, seed)
    return (elbo,) if own is None else (elbo, own)
