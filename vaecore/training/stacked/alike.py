"""Which configurations may be trained stacked: those that differ in nothing that the objective reads."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from vaecore.config import RunConfig

# What a step takes as a number of its own for each model, and what only says when a run is looked at. All else, and
# whatever field of a training may come, has to be equal: a model's own numbers are part of the objective, which is
# computed once for all.
FREE = {"epochs", "learning_rate", "beta", "rate", "weight_decay", "clip_norm", "evaluate_every", "patience", "keep",
        "snapshots", "snapshot_points", "checkpoints", "pictures"}
MOST_STACKED = 64  # models in a stack
WORTH_A_PROCESS = 8  # models; fewer gain less by a stack of their own than by a larger one

Name = TypeVar("Name", bound=Hashable)


def form(config: RunConfig) -> str:
    """What has to be equal between the members of a stack, as text."""
    values = config.model_dump(mode="json", exclude={"seed": True, "training": FREE})
    # What data were drawn by, or split by, makes other numbers of the same shapes.
    values["data"] = {name: value for name, value in values["data"].items() if not name.endswith("seed")}
    # The cost of the KL has one number, which each model has for itself: what is left is its kind.
    values["training"]["kl"] = {name: value for name, value in values["training"]["kl"].items()
                                if not isinstance(value, float)}
    return json.dumps(values, sort_keys=True)


def groups(configs: Mapping[Name, RunConfig], processes: int = 1) -> list[list[Name]]:
    """Names of configurations that may be trained together, in their order, `MOST_STACKED` at most in each.

    Where several `processes` train at the same time, a group of many becomes a stack for each.
    """
    found: dict[str, list[Name]] = {}
    for name, config in configs.items():
        found.setdefault(form(config), []).append(name)
    return [part for names in found.values() for part in _parts(names, processes)]


def _parts(names: Sequence[Name], processes: int) -> list[list[Name]]:
    """`names` in equal parts of at most `MOST_STACKED`; for each process one, where each has enough of them."""
    count = max(-(-len(names) // MOST_STACKED), min(processes, len(names) // WORTH_A_PROCESS))
    return [list(names[i * len(names) // count:(i + 1) * len(names) // count]) for i in range(count)]
