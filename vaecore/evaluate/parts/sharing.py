"""What linear models read from each latent, shared or private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vaecore.evaluate.part import Part, coded, judged_elsewhere, several
from vaecore.evaluate.parts.probe import seconds
from vaecore.evaluate.results import Result, count, group, number, row
from vaecore.untrusted import Number

if TYPE_CHECKING:
    from vaecore.data import SplitName
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject


class Told(Result):
    """What a linear model reads from one latent."""

    size: int = count("dimensions")
    accuracy: float | None = number("Label", "Accuracy of a logistic regression that sees only this latent.",
                                    unit="share", default=None)  # None where there is no label
    r2: dict[str, Number] = group(default={})  # of each continuous factor


class Sharing(Result):
    """What every latent shares with the modalities, with what it takes to judge it."""

    latents: dict[str, Told] = group("Latent", "z or shared: decoded by every modality. Private: by one alone.")
    chance: float | None = number(unit="share", default=None)
    classes: int = 0
    train: int = count("codes to learn from")
    test: int = count("codes to judge")
    codes: str = "posterior means"
    given: list[str] = group(default=[])  # the modalities whose codes they are


def sharing(subject: Subject) -> Sharing:
    """What linear models read from each latent: the label, and the continuous factors behind the data."""
    from vaecore.evaluate.quality import codes_by_latent, readable
    from vaecore.evaluate.sharing import sharing as probed

    split, known, names = subject.settings.split, subject.dataset.splits, subject.dataset.factors
    factors = {part: known[part].factors for part in ("train", split)}

    def continuous(part: SplitName) -> dict[str, Any]:
        found = factors[part]
        return {} if found is None else {name: found[:, place] for place, (name, values) in enumerate(names.items())
                                         if not values}

    tell = subject.told("sharing")
    train, there = (codes_by_latent(subject.model, feed) for feed in (subject.at("train"), subject.feed))
    found = probed(train, subject.read("train", known["train"].labels), continuous("train"), there,
                   subject.read(split, known[split].labels), continuous(split), progress=tell)
    return found.model_copy(update={"given": readable(subject.model)})


def lines(found: Sharing, _: Evaluation) -> Iterator[str]:
    for name, each in found.latents.items():
        told = [f"R2 of {factor} {value:.3f}" for factor, value in each.r2.items()]
        if found.chance is not None:
            told.insert(0, f"accuracy of a linear probe, chance {found.chance:.3f}")
        yield row(name, each.accuracy, ", ".join(told))


PART = Part("sharing", "Shared and private", "What linear models read from each latent, shared or private.", Sharing,
            sharing, (several, coded("read from"), judged_elsewhere("the probes learn")), lines, seconds=seconds)
