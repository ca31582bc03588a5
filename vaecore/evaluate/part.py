"""A part of an evaluation: a function with what it finds, its title, a sentence about it and whom it applies to.

No torch in here: a page that only reads does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vaecore.evaluate import results
from vaecore.evaluate.results import Result

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject


def plain_lines(found: Result, evaluation: Evaluation) -> Iterator[str]:
    """Every number of the declaration, a line each."""
    return results.lines(found, evaluation.split, evaluation.seed)


@dataclass(frozen=True)
class Part:
    """One part, declared in a file of `vaecore/evaluate/parts/`."""

    name: str
    title: str
    help: str  # in a sentence
    result: type[Result]
    find: Callable[[Subject], Result]  # raises `ValueError` with the reason where it has no place
    applies: tuple[Callable[[Subject], None], ...] = ()  # to whom: each raises `ValueError` for whom not
    lines: Callable[[Any, Evaluation], Iterator[str]] = plain_lines  # of the command; the card is the page's

    def of(self, subject: Subject) -> Result:
        """What is found of `subject`; raises `ValueError` with the reason where this part has no place."""
        for check in self.applies:
            check(subject)
        return self.find(subject)


# -- to whom a part applies ------------------------------------------------------------------------


def several(subject: Subject) -> None:
    """Models of several modalities."""
    if len(subject.model.modalities) < 2:
        raise ValueError("this model has one modality.")


def still(subject: Subject) -> None:
    """Models of single observations."""
    from vaecore.models.video.shared import VideoFamily

    if isinstance(subject.model, VideoFamily):
        raise ValueError("it is of single observations, and this is a model of clips, which the part Video judges.")


def clips(subject: Subject) -> None:
    """Models of clips."""
    from vaecore.models.video.shared import VideoFamily

    if not isinstance(subject.model, VideoFamily):
        raise ValueError("this is no model of clips.")


def coded(what: str) -> Callable[[Subject], None]:
    """Models with a code; `what` there would be of one."""
    def check(subject: Subject) -> None:
        if not subject.model.latents:
            raise ValueError(f"this family has no code to {what}.")

    return check
