"""What codes cost and what they are used for: rate, distortion, spectrum of the KL, active units. No torch here.

All numbers are of the test set, with the weights that a run kept, as its `summary.json` has them. Shapes: r latent
size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vaecore.evaluate.evaluation import Evidence
from vaecore.evaluate.results import group
from vaecore.library.headline import Headline, comparable, headline
from vaecore.store import Run
from vaecore.tables import Column, Table
from vaecore.training import ACTIVE as ACTIVE
from vaecore.untrusted import Number, Untrusted


class Tested(Evidence):
    """The terms of the bound on the test set, and how much each dimension of the code varies."""

    code_variance: dict[str, list[Number]] = group(default={})  # by latent and dimension


class Summary(Untrusted):
    """The part of `summary.json` that is looked at here."""

    test: Tested = Tested()


@dataclass(frozen=True)
class Use:
    """How a run uses its code."""

    run: str
    rate: float  # nats: the KL of all dimensions
    distortion: float  # nats: −E log p(x|z)
    names: tuple[str, ...]  # (r,) of the dimensions, that of the largest KL first; empty where none is known of each
    kl: tuple[float, ...]  # (r,) nats, falling
    variance: tuple[float, ...]  # of the code, by dimension, in no order; empty where it is not known
    told: int | None  # active units as they were counted when it was tested
    size: int | None  # dimensions in all
    facts: Headline

    @property
    def bound(self) -> float:
        """The ELBO in nats: less rate, less distortion."""
        return -self.rate - self.distortion

    def active(self, threshold: float = ACTIVE) -> int | None:
        """Dimensions whose code varies by more than `threshold`, in variance; None where that is not known.

        Of a prior that moves with each observation it is not: there a code may vary and tell nothing, so only the count
        at the usual threshold stands, which was made with care for that.
        """
        counted = sum(value > ACTIVE for value in self.variance) if self.variance else None
        if threshold == ACTIVE:
            return counted if self.told is None else self.told
        if counted is None or counted != self.told:
            return None
        return sum(value > threshold for value in self.variance)

    def within(self, share: float) -> int | None:
        """The fewest dimensions that hold a `share` of the KL; None where there is none."""
        whole, sum_so_far = math.fsum(self.kl), 0.0
        if not self.kl or whole <= 0:
            return None
        for count, value in enumerate(self.kl, 1):
            sum_so_far += value
            if sum_so_far >= share * whole * (1 - 1e-12):
                return count
        return len(self.kl)


@dataclass(frozen=True)
class Left:
    """A run without a place in these pictures, and the reason."""

    run: str
    why: str


def uses(runs: Sequence[Run]) -> tuple[list[Use], list[Left]]:
    """How each run uses its code, and which runs have nothing to say of that, with the reason.

    Raises `StoreError` for a run that says not even what it is.
    """
    found: list[Use] = []
    left: list[Left] = []
    for run in runs:
        facts = headline(run)
        test = Summary.kept({} if facts.problem else run.summary()).test
        if not facts.has_kl:
            left.append(Left(run.id, f"{run.id} has no rate: its family ({facts.family}) has no KL."))
        elif not (math.isfinite(test.rate) and math.isfinite(test.reconstructed)):
            left.append(Left(run.id, f"{run.id} has not been tested yet: its training has not ended."))
        else:
            dimensions = [(f"{name}{i}", float(value)) for name, values in test.kl.items()
                          for i, value in enumerate(values)]
            size = sum(map(len, test.code_mean.values())) or facts.latent_size
            whole = len(dimensions) > 1 or size == 1  # a latent without a closed form by dimension has one number
            ordered = sorted(dimensions, key=lambda each: -each[1]) if whole else []
            variance = tuple(float(value) for values in test.code_variance.values() for value in values)
            found.append(Use(run.id, test.rate, -test.reconstructed, tuple(name for name, _ in ordered),
                             tuple(value for _, value in ordered), variance, test.active, size, facts))
    return found, left


def alike(found: Sequence[Use]) -> list[list[Use]]:
    """Groups of runs whose nats may be set against each other: the same data, pixels or words, and likelihood."""
    groups: list[list[Use]] = []
    for use in found:
        home = next((each for each in groups if not comparable([*(one.facts for one in each), use.facts])), None)
        if home is None:
            groups.append([use])
        else:
            home.append(use)
    return groups


def table(found: Sequence[Use], threshold: float = ACTIVE) -> Table:
    """Rate, distortion, and how many dimensions are used, a row a run; nothing is ranked."""
    columns = [
        Column("run", "Run"),
        Column("rate", "Rate", unit="nats", digits=2, help="KL of q(z|x) from the prior: what the code costs."),
        Column("distortion", "Distortion", unit="nats", digits=2, help="−E log p(x|z). Negative where the likelihood "
               "is a density that exceeds 1."),
        Column("elbo", "ELBO", unit="nats", digits=2, help="Less rate, less distortion."),
        Column("active", "Active", help=f"Dimensions whose code varies by more than {threshold:g}, in variance, from "
               "one observation to the next. Empty where that is not known at this threshold."),
        Column("size", "Of", help="Dimensions in all."),
        Column("most", "Hold 90 %", help="The fewest dimensions that hold 90 % of the KL."),
    ]
    return Table(columns, [{"run": use.run, "rate": use.rate, "distortion": use.distortion, "elbo": use.bound,
                            "active": use.active(threshold), "size": use.size, "most": use.within(0.9)}
                           for use in found], notes=["Of the test at the end of the training; an evaluation finds the "
                                                     "same but for its noise."])


def title(group: Sequence[Use]) -> str:
    """The data that a group of runs shares, in words, with their likelihood."""
    facts = group[0].facts
    return ", ".join(word for word in (facts.data, facts.likelihood and f"{facts.likelihood} likelihood") if word)
