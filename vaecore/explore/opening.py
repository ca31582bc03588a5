"""The one reader of run folders: a model that a view can show, and the test observations that travel with it.

What cannot be used is said here once, with its remedy; each view says only what its examples must be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from vaecore.arrays import Numbers
from vaecore.data import COVARIATE
from vaecore.data.base import MAX_CLASSES
from vaecore.examples import read_tensors
from vaecore.modalities import Modality
from vaecore.models import Family
from vaecore.store import COPY_AGAIN, EXAMPLES, Run
from vaecore.training.checkpoints import WEIGHTS, BrokenCheckpoint, check_origin, load_model
from vaecore.untrusted import LARGEST_NUMBER
from vaecore.views import VIEWS, Nature, Opened, View, view_of

T = TypeVar("T")
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
CODE = "z"  # how a latent is called that one can move through; the hidden units of a Boltzmann machine are none


class WrongView(BrokenCheckpoint):
    """A run that was asked to be looked at as what it is not; `view` is the one that opens it."""

    def __init__(self, run: Run, view: View[Opened], asked: View[Opened]) -> None:
        self.view = view
        self.what = f"It is {view.title}."
        super().__init__(f"{run.id} is {view.title}. Wanted is {asked.title}. What this one does is shown by "
                         f"`{view.command.format(run=run.id)}`.")


def opened(run: Run) -> Opened:
    """Any run, by the view that opens it; raises as `View.load` does."""
    return view_of(run).load(run)


def read_model(run: Run, view: View[Opened]) -> Family:
    """The model of a run that `view` opens, its weights finite and the run's own.

    Raises `WrongView` for one that another view opens; `BrokenCheckpoint`, `StoreError` or `ConfigError` for files that
    are missing or damaged.
    """
    model = load_model(run.path)
    check_origin(run)
    found = nature_of(model)
    if not view.opens(found):
        raise WrongView(run, next(other for other in VIEWS.values() if other.opens(found)), view)
    if not all(bool(x.isfinite().all()) for x in model.state_dict().values() if x.is_floating_point()):
        raise BrokenCheckpoint(f"{WEIGHTS} of {run.id} holds numbers that are not finite. {COPY_AGAIN}, or train it "
                               "with a smaller learning rate.")
    return model


def noted(summary: Mapping[str, Any], term: str, latent: str, *sizes: int) -> Numbers | None:
    """Numbers that a summary has of a latent on the validation set, as many as one of `sizes`, or any number of them.

    None where there are none that can be used: a summary may come from anywhere.
    """
    found: Any = summary
    for key in ("validation", term, latent):
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, list) or not found or (sizes and len(found) not in sizes):
        return None
    fits = all(isinstance(value, int | float) and abs(value) <= LARGEST_NUMBER for value in found)
    return np.asarray(found, np.float64) if fits else None


def nature_of(model: Family) -> Nature:
    """What a model is, by itself: its run may tell otherwise."""
    first = next(iter(model.modalities.values()))
    return Nature(first.observation, len(model.modalities) > 1, CODE in model.latents)


def read_examples(run: Run, check: Callable[[Mapping[str, torch.Tensor]], T]) -> T:
    """What `check` makes of the test observations that travel with a run.

    They are given by modality as they are stored, with their labels and whatever else is known of them.

    Raises `BrokenCheckpoint` for a file that is missing, damaged or too large, or of which `check` says with a
    `LookupError` or `ValueError` what is wrong.
    """
    path = run.path / EXAMPLES
    try:
        return check(read_tensors(path)[0])
    except (OSError, SafetensorError, LookupError, ValueError, RuntimeError) as error:
        raise BrokenCheckpoint(f"{EXAMPLES} of {run.id} cannot be used ({error}). {COPY_AGAIN}.") from None


def observations(stored: Mapping[str, torch.Tensor], name: str, modality: Modality
                 ) -> tuple[torch.Tensor, NDArray[np.int64] | None, torch.Tensor | None]:
    """Examples of one modality (N, *shape) as they are stored, with labels (N,) and covariates (N, m) that fit.

    Raises `KeyError` or `ValueError` for examples that do not fit the modality, or hold numbers that it cannot have.
    """
    x = stored[name]
    if x.shape[1:] != modality.shape or len(x) == 0:
        raise ValueError(f"{modality.plural} of shape {tuple(x.shape)}")
    if not modality.possible(x):
        raise ValueError(f"{modality.plural} with numbers that are none of its own")
    u = stored.get(COVARIATE)
    if u is not None and (u.ndim != 2 or len(u) != len(x)):
        u = None
    return x, labels_of(stored, len(x)), u


def labels_of(stored: Mapping[str, torch.Tensor], count: int) -> NDArray[np.int64] | None:
    """The labels (N,) of examples, -1 where one is missing; None where there are none that classes can have."""
    labels = stored.get("labels")
    if labels is None or labels.shape != (count,) or labels.dtype not in WHOLE:
        return None
    found: NDArray[np.int64] = labels.long().clamp(min=-1).numpy()
    return found if found.max() < MAX_CLASSES else None
