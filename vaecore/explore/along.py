"""A run along its training: the weights that it kept, and the run opened with those of a step.

A `Moment` is one file of weights. The last of a run is `weights.safetensors`, which may be of an earlier step than the
one before it: the best are kept, and not the latest.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.codeless import Codeless
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.sentences import SentenceCheckpoint
from vaecore.explore.single import Checkpoint
from vaecore.files import digest
from vaecore.memory import held
from vaecore.models import Family
from vaecore.models.video.shared import VideoFamily
from vaecore.store import COPY_AGAIN, Run
from vaecore.training.checkpoints import BrokenCheckpoint, kept_steps, kept_weights, misfit, read_weights
from vaecore.views import Opened, View, view_of

MOST_MOMENTS = 40  # of a comparison: more are thinned, evenly


class Moment(NamedTuple):
    """A file of weights of a run: those that were kept at `step`, or those it ended with, of which `step` is None."""

    step: int | None
    path: Path


def moments(run: Run) -> list[Moment]:
    """All weights of a run, those that it ended with last."""
    return [*(Moment(step, kept_weights(run.path, step)) for step in kept_steps(run.path)), Moment(None, run.weights)]


def moment_at(run: Run, step: int | None) -> Moment | None:
    """The weights of a run nearest to a step, and not after it; None where the first that it kept are later.

    For the step None, and of a run that kept no others, those that it ended with.
    """
    *kept, last = moments(run)
    if step is None or not kept:
        return last
    return next((moment for moment in reversed(kept) if moment.step is not None and moment.step <= step), None)


def shared_steps(runs: Iterable[Run]) -> list[int]:
    """The steps at which any of these runs kept weights, ascending; at most `MOST_MOMENTS`, evenly chosen."""
    found = sorted({step for run in runs for step in kept_steps(run.path)})
    return thinned(found, MOST_MOMENTS)


def thinned(steps: list[int], most: int) -> list[int]:
    """At most so many of them, evenly chosen, the first and the last among them."""
    if len(steps) <= most:
        return steps
    return [steps[round(place * (len(steps) - 1) / (most - 1))] for place in range(most)]


def opened_at(run: Run, moment: Moment | None = None) -> Opened:
    """A run with the weights of a moment, kept in memory for the next time; without one, with those it ended with.

    Raises as `View.load` does, and `BrokenCheckpoint` for weights of a step that are not this run's or not finite.
    """
    whole: Opened = _opened(view_of(run), run.path, digest_of(run.weights), _stamp(run))
    if moment is None or moment.step is None:
        return whole
    return _at(view_of(run), run.path, digest_of(run.weights), _stamp(run), moment, digest_of(moment.path))


def digest_of(path: Path) -> str:
    """What weights are, by their bytes; raises `BrokenCheckpoint` where there are none."""
    try:
        return digest(path)
    except OSError:
        raise BrokenCheckpoint(f"{path} is missing. Train the run. {COPY_AGAIN}, if it was trained elsewhere."
                               ) from None


def _stamp(run: Run) -> tuple[int, ...]:
    """When the other files that are read with the weights were last written."""
    paths = (run.path / "summary.json", run.path / "examples.safetensors")
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


@held
def _opened(view: View[Opened], path: Path, *_: object) -> Opened:
    return view.load(Run(path))


@held
def _at(view: View[Opened], path: Path, weights: str, stamp: tuple[int, ...], moment: Moment, _: str) -> Opened:
    whole = _opened(view, path, weights, stamp)
    assert isinstance(whole, Checkpoint | SentenceCheckpoint | VideoCheckpoint | Codeless | CrossModal)
    model = _with(whole.model, moment.path)
    # What a summary says of codes is true of the weights that a run ended with: others are measured on its examples.
    if isinstance(whole, Checkpoint | SentenceCheckpoint):
        return replace(whole, model=model, summary={})
    if isinstance(whole, VideoCheckpoint):
        assert isinstance(model, VideoFamily)
        return replace(whole, model=model)
    return replace(whole, model=model)


def _with(model: Family, path: Path) -> Family:
    """The same model with other weights; raises `BrokenCheckpoint` for those of another model."""
    tensors, _ = read_weights(path)
    if different := misfit(model, tensors):
        raise BrokenCheckpoint(f"{path} does not fit its run: it differs in {different}. {COPY_AGAIN}.")
    if not all(bool(x.isfinite().all()) for x in tensors.values() if x.is_floating_point()):
        raise BrokenCheckpoint(f"{path} holds numbers that are not finite. {COPY_AGAIN}.")
    found = copy.deepcopy(model)
    found.load_state_dict(tensors)
    return found
