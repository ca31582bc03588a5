"""Whether what is generated from some modalities is of the class of what was given."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from vaecore.evaluate.part import Part, Speed, by_images, coded, labelled, several
from vaecore.evaluate.results import Result, count, finite, group, number, row
from vaecore.untrusted import Number

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject

GENERATED = "codes drawn from q(z|given), means of p(x|z)"


class Subset(Result):
    """What is generated from some modalities: shares of observations whose class is found again, by modality."""

    given: list[str]
    coherence: dict[str, Number] = group(default={})  # of modalities that were not given
    own: dict[str, Number] = group(default={})  # of those that were: reconstructions
    observations: int | None = None


class Coherence(Result):
    """Coherence of every subset of modalities, and of what is generated from the prior."""

    subsets: list[Subset]
    joint: float | None = number(
        "Joint", "Share of samples of the prior in which the judges of all modalities name the same class.",
        unit="share", default=None)  # None without prior or rival
    joint_commonest: float | None = number(
        "Commonest", "Share of these samples that fall into the class seen most. Near 100 %, agreeing is no feat: the "
        "model always draws the same.", unit="share", default=None)  # as the first judge names them
    joint_ceiling: float | None = number(unit="share", default=None)  # of real observations; None where none is whole
    ceiling: dict[str, Number] = group(default={})  # accuracy of each judge on real observations
    judges: dict[str, str] = group(default={})
    chance: float = number(unit="share")  # share of the commonest class
    observations: int | None = count("observations", default=None)
    seed: int | None = None
    generated: str = GENERATED

    def share(self, given: Collection[str], wanted: str) -> float:
        """Coherence of `wanted` generated from all of `given` and nothing else.

        Raises `KeyError` where that was not judged.
        """
        for each in self.subsets:
            if set(each.given) == set(given):
                return each.coherence[wanted]
        raise KeyError(tuple(given))

    def known(self, given: Collection[str], wanted: str) -> float | None:
        """Coherence of `wanted` generated from `given`; None where that was not judged."""
        try:
            return finite(self.share(given, wanted))
        except KeyError:
            return None

    def crossings(self) -> dict[str, float]:
        """Coherence by direction, as 'image → label'."""
        return {f"{' + '.join(each.given)} → {name}": share for each in self.subsets
                for name, share in each.coherence.items()}


class Judged(Coherence):
    """Coherence with what no judge could be found for, and why."""

    not_judged: dict[str, str] = group(default={})


def coherence(subject: Subject) -> Judged:
    """Whether what is generated from each subset of modalities is of the class of what was given."""
    from vaecore.evaluate.coherence import coherence as judge
    from vaecore.evaluate.judges import judges

    labels = subject.dataset.splits[subject.settings.split].labels
    assert labels is not None  # or it has no place
    judged, without = judges(subject.complete, progress=subject.told("classifier"))
    found = judge(subject.model, subject.feed, labels, judged, seed=subject.settings.seed,
                  limit=subject.settings.samples, progress=subject.told("coherence"))
    return Judged(**dict(found), not_judged=without)


def seconds(subject: Subject, speed: Speed) -> float:
    from vaecore.evaluate.coherence import subsets_of

    times = 1 + len(subsets_of(list(subject.model.modalities)))
    return times * min(subject.settings.samples, len(subject.feed)) * speed.read


def lines(found: Judged, _: Evaluation) -> Iterator[str]:
    for each in found.subsets:
        for name, share in each.coherence.items():
            yield row(f"{' + '.join(each.given)} -> {name}", share, f"of the class given, {each.observations or 0:,} "
                      f"observations; chance {found.chance:.3f}, {found.ceiling[name]:.3f} of real ones")
    if found.joint is not None:
        yield row("joint coherence", found.joint,
                  f"of samples agree; {found.joint_commonest or 0:.3f} are of one class")


PART = Part("coherence", "Coherence", "Whether what is generated from some modalities is of the class of what was "
            "given.", Judged, coherence, (several, coded("generate from"), labelled("to be coherent with")), lines,
            ("samples",), seconds, by_images)
