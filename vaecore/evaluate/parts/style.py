"""Whether style stays and the class changes when the shared code is exchanged, where style is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vaecore.evaluate.part import Part, Speed, coded, several
from vaecore.evaluate.results import Result, count, group, number, row

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject

STYLED, FACTOR = "styled", "style"  # the modality and the factor of it


class Swapped(Result):
    """What the decoded images of N pairs (i, j) are like."""

    r2: float = number("Style R²", "How well the style of j is read from the decoded image; 1 is best, 0 or less says "
                       "that the style is gone.")
    changed: float = number("Class of i", "Share judged to be of the class that i has: the class changed.",
                            unit="share")
    stayed: float = number("Class of j", "Share judged to be of the class that j has.", unit="share")


class Style(Result):
    """The swap and the mixed pair, with ceilings."""

    swap: Swapped = group("Swap", "Private codes from j, the shared one from i.")
    mixed: Swapped = group("Mixed pair", "The styled modality of j and everything else of i are given together.")
    private: list[str] = group(default=[])  # latents that came from j in the swap
    ceiling: float = number()  # R2 of the regression on real images
    regression: str = ""
    judge: str = ""
    judge_accuracy: float = number(unit="share")
    factor: str = FACTOR
    modality: str = STYLED
    pairs: int = count("pairs")
    seed: int | None = None
    codes: str = "drawn from q(z|x), means of p(x|z)"


def style(subject: Subject) -> Style:
    """Whether the style stays and the class changes when what is shared is exchanged."""
    from vaecore.evaluate.judges import judge, style_judge
    from vaecore.evaluate.sharing import style_under_swap

    part = subject.dataset.splits[subject.settings.split]
    assert part.factors is not None and part.labels is not None  # or it has no place
    data, tell = subject.complete, subject.told("classifier")
    return style_under_swap(
        subject.model, subject.feed, part.labels, part.factors[:, list(subject.dataset.factors).index(FACTOR)],
        STYLED, FACTOR, judge(data, STYLED, progress=tell), style_judge(data, STYLED, FACTOR, progress=tell),
        seed=subject.settings.seed, limit=subject.settings.samples, progress=subject.told("style"))


def styled(subject: Subject) -> None:
    """Data whose style is known, and whose class."""
    part = subject.dataset.splits[subject.settings.split]
    if FACTOR not in subject.dataset.factors or part.factors is None or part.labels is None:
        raise ValueError("it needs data whose style is known, as styled-digits.")


def seconds(subject: Subject, speed: Speed) -> float:
    return 4 * min(subject.settings.samples, len(subject.feed)) * speed.read  # the swap and the mixed pair


def lines(found: Style, _: Evaluation) -> Iterator[str]:
    for each, name in ((found.swap, "swap"), (found.mixed, "mixed pair")):
        yield row(f"style, {name}", each.r2,
                  f"R2 ({found.ceiling:.3f} of real images); class changed in {each.changed:.1%}")


PART = Part("style", "Style under swap", "Whether style stays and the class changes when the shared code is exchanged, "
            "where style is known.", Style, style, (several, styled, coded("exchange")), lines, ("samples",), seconds,
            lambda _: (STYLED,))
