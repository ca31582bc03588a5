"""The lecture's equations (13) and (14), as printed and as corrected (errata E1 and E2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vaecore.evaluate.part import Part, Speed, bounded, still
from vaecore.evaluate.results import Declared, Result, count, declared, number, row

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject

CODES = 20_000  # drawn for a batch: so often can it be cancelled


class Means(Result):
    """The five estimates, means over observations in nats."""

    prior_printed: float = number("(13) as printed", "Mean of log p(x|z) over z from the prior. It tends to something "
                                  "below log p(x), whatever M.", unit="nats")
    prior_corrected: float = number("(13) corrected", "The mean inside the logarithm. It tends to log p(x), but few "
                                    "codes of the prior fit an x.", unit="nats")
    posterior_printed: float = number("(14) as printed", "Mean of log p(x|z) over z from q(z|x): the reconstruction "
                                      "term, which pays for no code.", unit="nats")
    elbo: float = number("ELBO", "The same less the KL: the lower bound that training maximises.", unit="nats")
    posterior_corrected: float = number("(14) corrected", "The mean inside, with p(z) / q(z|x): importance sampling, "
                                        "as above but with M samples.", unit="nats")


class Naive(Result):
    """The five, and with how many samples of how many observations."""

    estimates: Means
    samples: int = count("samples of z")
    observations: int = count("observations")

    def told(self) -> list[tuple[Declared, float]]:
        """Each estimate with its declaration."""
        return [(each, getattr(self.estimates, each.name)) for each in declared(Means)]


def naive(subject: Subject) -> Naive:
    """The lecture's (13) and (14), printed and corrected, as means; of fewer observations if cancelled."""
    import torch

    from vaecore.evaluate.likelihood import Cancelled
    from vaecore.evaluate.naive import Estimates, estimates
    from vaecore.evaluate.subject import WEIGHED_AT_ONCE

    samples = subject.settings.naive_samples
    generator = torch.Generator().manual_seed(subject.settings.seed)
    found: list[Estimates] = []
    done = 0
    for batch in subject.batches(max(1, min(WEIGHED_AT_ONCE, CODES // samples))):
        if subject.cancelled():
            break
        found.append(estimates(subject.model, batch, samples, generator))
        done += len(found[-1].elbo)
        subject.tell("naive", done, subject.observed)
    if not found:
        raise Cancelled
    means = {name: float(torch.cat([getattr(each, name) for each in found]).mean()) for name in Means.model_fields}
    return Naive(estimates=Means(**means), samples=samples, observations=done)


def inexact(subject: Subject) -> None:
    """Families that do not know log p(x) themselves."""
    if subject.config.model.exact:
        raise ValueError("this family knows log p(x) exactly, so there is nothing to estimate.")


def seconds(subject: Subject, speed: Speed) -> float:
    return 2 * subject.observed * subject.settings.naive_samples * speed.decoded  # of the posterior and of the prior


def lines(found: Naive, _: Evaluation) -> Iterator[str]:
    for each, value in found.told():
        yield row(each.title, value, f"nats, M = {found.samples:,}, {found.observations:,} observations")


PART = Part("naive", "Naive estimates", "The lecture's equations (13) and (14), as printed and corrected.", Naive,
            naive, (inexact, still, bounded), lines, ("naive_samples", "observations"), seconds)
