"""Fork: a new run that begins with weights another one has kept, with some fields changed; its decoder may begin anew.

A decoder that begins anew cannot yet do without the code of an encoder that was trained before (Li et al. 2019).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from vaecore.config import RunConfig, differences
from vaecore.data.base import OwnFile
from vaecore.data.identity import placeless
from vaecore.models import Family
from vaecore.schema import problem
from vaecore.store import Run, Store
from vaecore.training.checkpoints import (
    CHECKPOINT,
    INITIAL,
    BrokenCheckpoint,
    kept_steps,
    kept_weights,
    misfit,
    read_weights,
    step_of,
    untrained,
    write_weights,
)

Anew = Literal["decoder"]  # what of a fork begins with weights drawn from its seed


@dataclass(frozen=True)
class Source:
    """Weights that a run has kept; `name` is best, last or the number of a step."""

    name: str
    step: int
    path: Path


def sources(run: Run) -> list[Source]:
    """What can be forked, the best weights first; a file that cannot be read is left out."""
    found = []
    for name, path in (("best", run.weights), ("last", run.path / CHECKPOINT)):
        with contextlib.suppress(BrokenCheckpoint):
            found.append(Source(name, step_of(path), path))
    return found + [Source(str(step), step, kept_weights(run.path, step)) for step in kept_steps(run.path)]


def fork(store: Store, run: Run, source: str, config: RunConfig, name: str = "", *, anew: Anew | None = None,
         experiment: str = "") -> Run:
    """A new run with `config` that begins with the weights `source` of `run`: best, last, or the number of a step.

    With `anew` "decoder" all but p(x|z) are those weights, and that is drawn from the seed of `config`. Its optimizer
    and its schedules begin anew. The weights are copied, so the parent may go; `about.json` says which it was. Raises
    `ConfigError` for weights that are not there or do not fit and for a model without an encoder to keep,
    `StoreError` for a name, `BrokenCheckpoint` for files that cannot be read.
    """
    kept = {each.name: each for each in sources(run)}
    if source not in kept:
        raise problem("from", source, f"{run.id} has kept no weights '{source}'.",
                      f"It has kept {', '.join(kept)}." if kept else "Train it first.")
    config, parent = config.resolve(), run.config().resolve()
    if changed := differences([{"data": placeless(c.data.model_dump(mode="json"))} for c in (parent, config)]):
        field, (theirs, ours) = next(iter(changed.items()))
        if field == "data.digest":
            path = config.data.path if isinstance(config.data, OwnFile) else ""
            raise problem("data.path", path, f"{run.id} was trained with a file whose "
                          f"SHA-256 begins with {str(theirs)[:12]}, this one's with {str(ours)[:12]}, and a fork keeps "
                          "its parent's data.", "Give that file, at whatever place, or start a new run.")
        raise problem(field, ours, f"{run.id} was trained with {theirs}, and a fork keeps its parent's data.",
                      f"Leave it at {theirs}, or start a new run.")
    weights, step = read_weights(kept[source].path)  # a running parent may have replaced them just now
    if different := misfit(untrained(config, run.path), weights):
        raise problem("model", config.model.family, f"the weights of {run.id} do not fit this model: they differ in "
                      f"{different}.", "Leave the model as its parent's, or start a new run.")
    if anew:
        weights |= _decoder(untrained(config, run.path, drawn=True), config)
    # With its weights from the first moment: without them it would begin afresh and not say so.
    return store.create(config, name, experiment=experiment, parent={
        "run": run.id, "weights": source, "step": step, **({"anew": anew} if anew else {})},
        fill=lambda folder: write_weights(folder / INITIAL, weights, step))


def can_begin_anew(model: Family) -> bool:
    """Whether a model has a decoder, and something besides that is learned and can be kept."""
    theirs = model.decoder_tensors()
    return bool(theirs) and any(name not in theirs for name, _ in model.named_parameters())


def _decoder(model: Family, config: RunConfig) -> dict[str, Tensor]:
    """The tensors of a model's p(x|z); raises `ConfigError` where that is all, or nothing, of it."""
    if not can_begin_anew(model):
        raise problem("anew", "decoder", f"{config.model.title} has no decoder apart from an encoder that could be "
                      "kept.", "Leave it out, or train a new run.")
    tensors = model.state_dict()
    return {name: tensors[name] for name in model.decoder_tensors()}
