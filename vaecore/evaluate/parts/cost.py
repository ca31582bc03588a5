"""Passes and seconds to infer a code and to draw a sample, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vaecore.evaluate.part import Part, Speed, still
from vaecore.evaluate.results import Result, count, number, row

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject


class Cost(Result):
    """Seconds are of the fastest try, so that what else the machine does counts little; None for what cannot be."""

    inference_passes: int | None = None  # an observation to its code, or to log p(x) where there is no code
    inference_seconds: float = number("Infer", "From an observation to its code, or to log p(x) for a family without "
                                      "one.", unit="s")  # an observation, many at a time
    sampling_passes: int | None = None  # one after another
    sampling_seconds: float | None = number("Sample", "From nothing to an observation. Passes come one after another.",
                                            unit="s", default=None)  # an observation, many at a time
    first_sample_seconds: float | None = number("First sample", "One alone.", unit="s", default=None)
    together: int | None = count("at a time", default=None)
    threads: int | None = count("thread", default=None)
    processor: str = ""
    parameters: int | None = None


def cost(subject: Subject) -> Cost:
    """Passes and seconds to infer and to sample."""
    from vaecore.evaluate.cost import cost as measured
    from vaecore.evaluate.subject import WEIGHED_AT_ONCE

    tell = subject.told("cost")
    return measured(subject.model, subject.feed.first(WEIGHED_AT_ONCE),
                    seed=subject.settings.seed, check=lambda: tell(0, 1))


def textless(subject: Subject) -> None:
    """Models of images, vectors and labels."""
    from vaecore.modalities import Text

    if any(isinstance(modality, Text) for modality in subject.model.modalities.values()):
        raise ValueError("it is measured of images and vectors, and this data set has text.")


def seconds(subject: Subject, speed: Speed) -> float:  # noqa: ARG001 (as the others)
    from vaecore.evaluate.cost import ENOUGH, TRIES
    from vaecore.evaluate.subject import WEIGHED_AT_ONCE

    return sum(min(ENOUGH, TRIES * each * WEIGHED_AT_ONCE) for each in (speed.read, speed.drawn, speed.drawn))


def lines(found: Cost, _: Evaluation) -> Iterator[str]:
    for name, value, passes in (("infer", found.inference_seconds, found.inference_passes),
                                ("sample", found.sampling_seconds, found.sampling_passes)):
        if value is not None:
            yield row(name, 1e3 * value, f"ms each, {found.together} together, {passes:,} "
                      f"pass{'es' * (passes != 1)}, {found.threads} thread{'s' * (found.threads != 1)}")


PART = Part("cost", "Cost", "Passes and seconds to infer a code and to draw a sample, on this machine.", Cost, cost,
            (still, textless), lines, seconds=seconds)
