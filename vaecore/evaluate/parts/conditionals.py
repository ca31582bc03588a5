"""log p of each modality given the others, where there are several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from vaecore.evaluate.part import Part, Speed, bounded, several
from vaecore.evaluate.results import Result, count, group, number, row

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject


class Conditional(Result):
    """Conditional likelihoods of one modality, a mean over observations in nats."""

    given: list[str]
    log_likelihood: float | None = number(
        "Nats", "Mean per observation. Both parts are estimates from below, so their difference is none.", unit="nats",
        digits=2, spread="standard_error", default=None)  # None where it is refused
    standard_error: float | None = number("±", "Standard error over observations, in nats.", digits=2,
                                          default=None)  # of the mean, from the spread over observations
    effective: float | None = number(default=None)  # effective share of the K of q(z | given); None where averaged over
    method: Literal["averaged", "difference"] = "difference"
    ceiling: float | None = None  # the mean of the largest log p(x_m | z) that any z could give; None where unknown
    warning: str = ""  # why it is refused, or how little it is worth


class Conditionals(Result):
    """Conditional likelihoods of every modality, with log p of everything."""

    modalities: dict[str, Conditional] = group("Given the others", "Each modality given all the others.")
    joint: float = number(unit="nats", digits=2)  # log p(all) of the same observations
    effective: float = number()  # effective share of the K samples of q(z | all)
    samples: int = count(default=0)
    observations: int | None = count("observations", default=None)

    def effective_samples(self, name: str = "") -> float | None:
        """How many equally weighted samples the K of q(z | all) are worth, or of q(z | given) of a modality."""
        share = self.modalities[name].effective if name else self.effective
        return None if share is None else share * self.samples


def conditionals(subject: Subject) -> Conditionals:
    """log p(x_m | the others) of each modality."""
    from vaecore.evaluate.conditional import conditional_likelihoods
    from vaecore.evaluate.subject import WEIGHED_AT_ONCE

    tell = subject.told("conditionals")
    return conditional_likelihoods(
        subject.model, subject.batches(WEIGHED_AT_ONCE), subject.settings.importance_samples,
        seed=subject.settings.seed,
        progress=lambda done: tell(done, subject.observed), cancelled=subject.cancelled,
        each=subject.points.add)


def seconds(subject: Subject, speed: Speed) -> float:
    times = 1 + len(subject.model.modalities)  # of everything, and without each
    return times * subject.observed * subject.settings.importance_samples * speed.decoded


def lines(found: Conditionals, _: Evaluation) -> Iterator[str]:
    for name, each in found.modalities.items():
        given = ",".join(each.given)
        how = (f"averaged over K = {found.samples:,} codes of q(z|{given})" if each.method == "averaged" else
               f"K = {found.samples:,}, effective share {each.effective or 0:.1%}")
        yield row(f"log p({name}|{given})", each.log_likelihood,
                  f"nats, +- {each.standard_error or 0:.3f} ({how}, {found.observations or 0:,} observations)"
                  + (f"; {each.warning}" if each.warning else ""))


PART = Part("conditionals", "Conditional likelihoods", "log p of each modality given the others, where there are "
            "several.", Conditionals, conditionals, (several, bounded), lines,
            ("importance_samples", "observations"), seconds)
