"""log p(x) by importance sampling, with its K curve; exact where the family knows it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, computed_field

from vaecore.evaluate.part import Part, Speed, bounded
from vaecore.evaluate.results import Column, Result, count, group, number, row

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject

FLAT = 0.05  # nats: a K curve that still rises more per doubling of K has not flattened
FEW = 10  # effective samples, below which an estimate hangs on a handful
LEVELS = "discretised-logistic"  # the likelihood that is a probability of 256 grey levels


def _pairs(value: Any) -> Any:
    """In a file the curve is a list of pairs, as JSON has no numbers for names."""
    pairs = isinstance(value, list) and all(isinstance(each, list) and len(each) == 2 and isinstance(
        each[0], int | float) for each in value)
    return dict(value) if pairs else value


Curve = Annotated[dict[int, float], BeforeValidator(_pairs),
                  PlainSerializer(lambda curve: [[k, value] for k, value in curve.items()])]


class Likelihood(Result):
    """Mean log p(x) over observations, in nats, and what makes it mean something."""

    log_likelihood: float = number(
        "log p(x)", "Mean per observation. Higher is better, among runs of the same data, pixels and likelihood, with "
        "the same K.", unit="nats", spread="interval", column=Column("log p(x)", "%.2f", "Nats per observation."))
    standard_error: float = number(column=Column("±", "%.2f", "Standard error of log p(x), in nats."))  # of the mean
    interval: tuple[float, float] | None = None  # of 95 %: BCa over observations, of an older evaluation percentiles
    bits_per_dimension: float | None = number(
        "Bits per dimension", "−log₂ p(x) by the number of pixels and channels, of 8-bit grey levels: what papers on "
        "photographs report.", unit="bits", digits=3, better="lower", default=None)  # None of other likelihoods
    samples: int = count(default=0)  # K; 0 for a family whose likelihood is exact
    observations: int | None = count("observations", default=None, column=Column(
        "N", "localized", "Observations for log p(x)."))
    effective: float = number()  # effective sample size over K, a mean over observations
    effective_low: float = number()  # the same, of the worst twentieth of them
    curve: Curve = group(default={})  # the estimate with fewer samples: it rises with K and should have flattened

    def written(self) -> Any:
        """The result as it is written, without bits where it has none."""
        return {name: value for name, value in super().written().items()
                if name != "bits_per_dimension" or value is not None}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def estimator(self) -> str:
        """How log p(x) was found."""
        return "importance sampling" if self.samples else "in one pass"

    @property
    def points(self) -> list[tuple[int, float]]:
        """The K curve, K ascending."""
        return sorted((k, value) for k, value in self.curve.items() if k >= 1)

    @property
    def effective_samples(self) -> float:
        """How many equally weighted samples the K are worth, a mean over observations."""
        return self.effective * self.samples

    @property
    def worst(self) -> float:
        """Effective samples of the worst twentieth of the observations, where they are few; else NaN."""
        worth = self.effective_low * self.samples
        return worth if self.samples > 1 and worth < FEW else math.nan

    @property
    def flattening(self) -> str:
        """Whether the K curve has flattened, in a sentence; empty where it has no two points.

        By its rise per doubling of K, whatever the last factor of K, and only where the worst observations have enough
        effective samples.
        """
        if len(self.points) < 2:
            return ""
        (before, lower), (last, upper) = self.points[-2:]
        return flattening(before, last, upper - lower, self.effective_low)


def flattening(before: int, last: int, rise: float, worst: float | None) -> str:
    """Whether a K curve has flattened, from its last two K, the rise between, and the least effective share."""
    doubling = rise / math.log2(last / before) if last > before > 0 else math.inf
    told = f"From K = {before:,} to K = {last:,} the estimate rose by {rise:.2f} nats, {doubling:.2f} per doubling"
    if doubling >= FLAT:
        return told + "; with a larger K it would go on."
    if worst is not None and worst * last < FEW:
        return told + "; but for one observation in twenty a few samples decide, so it may still rise."
    return told + ": it has flattened."


def likelihood(subject: Subject) -> Likelihood:
    """log p(x) by importance sampling, or exactly where the family knows it; of fewer observations if cancelled."""
    from vaecore.evaluate.likelihood import log_likelihood
    from vaecore.evaluate.subject import WEIGHED_AT_ONCE

    if subject.config.model.exact:
        return _exact(subject)
    found = log_likelihood(
        subject.model, subject.batches(WEIGHED_AT_ONCE), subject.settings.importance_samples,
        seed=subject.settings.seed,
        progress=lambda done: subject.tell("likelihood", done, subject.observed), cancelled=subject.cancelled,
        each=lambda values: subject.points.add("log_likelihood", values),
        groups=subject.points.clusters(subject.observed))
    if subject.config.model.scored_by() != LEVELS:
        return found
    size = sum(modality.size for modality in subject.model.modalities.values())
    return found.model_copy(update={"bits_per_dimension": -found.log_likelihood / (size * math.log(2))})


def _exact(subject: Subject) -> Likelihood:
    import torch

    from vaecore.evaluate.likelihood import Cancelled, exact_likelihood
    from vaecore.evaluate.subject import WEIGHED_AT_ONCE

    generator = torch.Generator().manual_seed(subject.settings.seed)
    values: list[torch.Tensor] = []
    with torch.inference_mode():
        for batch in subject.batches(WEIGHED_AT_ONCE):
            if subject.cancelled():
                break
            values.append(subject.model.elbo(batch, generator).total_reconstruction())
            subject.tell("likelihood", sum(map(len, values)), subject.observed)
        if not values:
            raise Cancelled
        subject.points.add("log_likelihood", torch.cat(values))
        return exact_likelihood(torch.cat(values), subject.points.clusters(subject.observed))


def of_one_code(subject: Subject) -> None:
    """Models whose observation has a code, or that know log p(x) themselves."""
    from vaecore.models.video.shared import VideoFamily

    if isinstance(subject.model, VideoFamily) and not subject.config.model.exact:
        raise ValueError("importance sampling would need a code for each frame of a clip, and its weights would be "
                         "useless; the evidence is the bound.")


def seconds(subject: Subject, speed: Speed) -> float:
    if subject.config.model.exact:
        return subject.observed * speed.read
    return subject.observed * subject.settings.importance_samples * speed.decoded


def lines(found: Likelihood, evaluation: Evaluation) -> Iterator[str]:
    """Lines of the command line: how the number is called and what kind it is says `meaning`."""
    low, high = found.interval or (math.nan, math.nan)
    how = f"K = {found.samples:,}, effective share {found.effective:.1%}, " if found.samples else ""
    what = evaluation.meaning["likelihood"]
    yield row(what.name, found.log_likelihood, f"nats, 95 % from {low:.3f} to {high:.3f} "
              f"({how}{found.observations or 0:,} observations); {what.kind}: {what.words}")
    if found.bits_per_dimension is not None:
        yield row("", found.bits_per_dimension, "bits per dimension", 3)


PART = Part("likelihood", "Likelihood", "log p(x) by importance sampling, with its K curve.", Likelihood, likelihood,
            (of_one_code, bounded), lines, ("importance_samples", "observations"), seconds)
