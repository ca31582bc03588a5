"""A collapse to be watched: dimensions die one after another as beta rises, and come back as it falls.

Where the data are Gaussian and the VAE is linear, the optimum is known at every beta. With eigenvalues lambda_j of the
data's covariance and a fixed observation variance sigma^2 it is reverse water-filling at the level beta sigma^2:

    dimension j lives if and only if lambda_j > beta sigma^2,      KL_j = 1/2 log(lambda_j / (beta sigma^2))

So when each of them dies and comes back is known before the first step, by the schedule of beta alone. A training that
lags behind dies and comes back a little later than the optimum does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vaecore import lab
from vaecore.config import RunConfig, preset
from vaecore.evaluate.gamma import Moments, linear_kl
from vaecore.models import VAEConfig
from vaecore.nets.mlp import LinearConfig
from vaecore.probability.likelihoods import GaussianFixedConfig
from vaecore.schema import ConfigError
from vaecore.store import StoreError
from vaecore.studies.base import Study
from vaecore.studies.c14_gamma import moments_of
from vaecore.studies.exhibit import Column, Exhibit, Figure, Survival, Table
from vaecore.studies.series import DAMAGED, Member, Series, finite

PRESET = "collapse-gaussian"
PLANNED = 401  # points at which the optimum over the whole training is told
MAX_EVALUATIONS = 5_000  # that are shown: a run's files may hold any number


def runs() -> dict[str, RunConfig]:
    """The one training that there is to watch."""
    return {"water-filling": preset(PRESET)}


# -- the optimum -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """When a dimension of the optimum dies and comes back, in steps; None where it never does."""

    variance: float  # of the data's direction that it codes
    beta: float  # from which on it is dead
    dies: int | None
    returns: int | None


def levels(config: RunConfig, steps: np.ndarray, total: int) -> np.ndarray:
    """The level beta sigma^2 at each of the steps; raises `ValueError` for a model without a closed form."""
    model = config.model
    if not (isinstance(model, VAEConfig) and isinstance(model.network, LinearConfig)
            and isinstance(model.likelihood, GaussianFixedConfig)):
        raise ValueError("Only a linear VAE with a fixed observation variance has an optimum in closed form.")
    return model.likelihood.sigma**2 * np.array([config.training.beta(int(step), total) for step in steps])


def lives(config: RunConfig, data: Moments, total: int) -> list[Life]:
    """When each dimension of the optimum dies and comes back, the largest variance first; by the schedule alone."""
    level = levels(config, np.arange(total), total)
    assert isinstance(config.model, VAEConfig) and isinstance(config.model.likelihood, GaussianFixedConfig)
    found = []
    for variance in data.eigenvalues[: config.model.latent_size]:
        under = level >= variance
        dies = int(under.argmax()) if under.any() else None
        back = None if dies is None or under[dies:].all() else dies + int((~under[dies:]).argmax())
        found.append(Life(float(variance), float(variance) / config.model.likelihood.sigma**2, dies, back))
    return found


# -- what there is to see --------------------------------------------------------------------------


def of_runs(members: Sequence[Member]) -> Exhibit | None:
    """The newest run: what it has found so far beside the optimum; when it has ended, when each dimension died."""
    for member in members[-1:]:
        if (found := survival(member)) is not None:
            figures: list[Figure] = [found]
            if not found.live and (table := deaths(member, found)) is not None:
                figures.append(table)
            return Exhibit(figures)
    return None


def survival(member: Member) -> Survival | None:
    """What a run has found so far; None where that cannot be told.

    Raises `DataUnavailable` or `ConfigError` where its data cannot be read.
    """
    try:
        config = member.run.config()
        total = int(member.status.total or member.run.summary().get("total_steps") or 0)
        plan_steps = np.linspace(0, total, PLANNED)
        level = levels(config, plan_steps, total)
    except (ConfigError, StoreError, *DAMAGED):
        return None
    if total < 1 or not config.training.pace:
        return None
    data = moments_of(json.dumps({"data": config.data.model_dump(mode="json")}))
    size = len(data.eigenvalues[: config.model.latent_size]) if isinstance(config.model, VAEConfig) else 0
    steps, kl, active = [], [], []
    for line in member.metrics.evaluations[-MAX_EVALUATIONS:]:
        try:
            row = sorted((float(value) for value in line["kl"]["z"]), reverse=True)
            found = float(line["step"]), float(line["active"])
        except DAMAGED:
            continue
        if len(row) == size and np.isfinite([*row, *found]).all():
            steps.append(found[0])
            kl.append(row)
            active.append(found[1])
    live = member.status.state in lab.LIVE
    return Survival(member.run.id, live, total / config.training.pace, total, data.eigenvalues[:size].tolist(),
                    np.array(steps), np.array(kl).reshape(len(kl), size), np.array(active), plan_steps, level,
                    linear_kl(level, data, size))


def deaths(member: Member, found: Survival) -> Table | None:
    """When each dimension died and came back, beside the optimum, in steps; None of a run without evaluations.

    Found is that so many dimensions or fewer are active: dimension j is dead when fewer than j are.
    """
    if not len(found.steps):
        return None
    config = member.run.config()
    data = moments_of(json.dumps({"data": config.data.model_dump(mode="json")}))
    rows = []
    top = found.plan_steps[int(np.argmax(found.level))]
    for place, life in enumerate(lives(config, data, found.total), 1):
        alive = found.active >= place
        # Before the model has learned anything it has no dimension to lose.
        first = int(alive.argmax()) if alive.any() else len(alive)
        dead = [step for step, one in zip(found.steps[first:], alive[first:], strict=True) if not one]
        back = [step for step, one in zip(found.steps, alive, strict=True) if one and step > max(top, dead[0])
                ] if dead else []
        rows.append({"Variance λ": finite(life.variance), "Dies at β": finite(life.beta),
                     "Dies at step": finite(life.dies), "Found": finite(dead[0]) if dead else None,
                     "Comes back at step": finite(life.returns), "Found back": finite(back[0]) if back else None})
    step = Column("Of the optimum, by the schedule alone: the first step with β σ² above λ, and the first below again.",
                  0)
    seen = Column("The first evaluation at which fewer dimensions are active, and at which so many are again.", 0)
    return Table("When each dimension dies", "The optimum of a linear VAE is known: a dimension lives while its "
                 "direction of the data varies by more than β σ². The training follows a little later; one that comes "
                 "back too early shares a direction with another, until they part.", rows, {
                     "Variance λ": Column("Of the data along this direction, in the training set.", 4),
                     "Dies at β": Column("λ / σ²: from there on the dimension costs more than it is worth.", 1),
                     "Dies at step": step, "Comes back at step": step, "Found": seen, "Found back": seen})


STUDY = Study(
    "water-filling", "A collapse in 40 seconds",
    source="Lucas, Tucker, Grosse & Norouzi (2019), Don't blame the ELBO!; Dai, Wang & Wipf (2020); lecture, equation "
           "(38) and Proposition 2",
    series=Series("water-filling", "Watch a collapse: as β rises, one dimension after another stops paying for itself. "
                  "Do they come back as it falls?", runs, of_runs, seconds=40.0))
