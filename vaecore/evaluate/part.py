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
class Speed:
    """How long a model takes here, in seconds, of many at a time."""

    read: float  # for an observation: its code, and what that decodes to
    decoded: float  # for a code: what it decodes to, and log p(x|z) of that
    drawn: float  # for a sample


def one_pass(subject: Subject, speed: Speed) -> float:
    """Seconds in which the model sees the split once."""
    return len(subject.feed) * speed.read


def by_none(_: Subject) -> tuple[str, ...]:
    """No classifier is asked."""
    return ()


def by_images(subject: Subject) -> tuple[str, ...]:
    """The modalities that are images, each judged by a classifier of its own."""
    from vaecore.modalities import Image

    return tuple(name for name, modality in subject.model.modalities.items() if isinstance(modality, Image))


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
    reads: tuple[str, ...] = ()  # fields of `Settings` that only some parts have a use for
    seconds: Callable[[Subject, Speed], float] = one_pass  # about how long it takes, its classifiers aside
    judged: Callable[[Subject], tuple[str, ...]] = by_none  # modalities whose classifier it asks

    def of(self, subject: Subject) -> Result:
        """What is found of `subject`; raises `ValueError` with the reason where this part has no place."""
        for check in self.applies:
            check(subject)
        return self.find(subject)

    def refused(self, subject: Subject) -> str:
        """Why this part has no place, as far as is known before it is begun; empty where it has one."""
        try:
            for check in self.applies:
                check(subject)
        except ValueError as error:
            return str(error)
        return ""


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


def priored(subject: Subject) -> None:
    """Models that draw samples, by a prior or in a way of their own."""
    from vaecore.models import Family

    own = type(subject.model).sample is not Family.sample
    if not own and not subject.model.prior(subject.feed.first(1)):
        raise ValueError("this family has a code but no prior to sample from.")


def bounded(subject: Subject) -> None:
    """Models of which log p(x) is known, or can be estimated by codes of q(z|x)."""
    from vaecore.evaluate.likelihood import require_bound

    if not subject.config.model.exact:
        few = subject.feed.first(1)
        require_bound(subject.model.encode(few), subject.model.prior(few))


def judged_elsewhere(who: str) -> Callable[[Subject], None]:
    """Splits that `who`, which learns from the training split, has not seen."""
    def check(subject: Subject) -> None:
        if subject.settings.split == "train":
            raise ValueError(f"{who} from the training split: judge on test or validation.")

    return check


def labelled(what: str) -> Callable[[Subject], None]:
    """Data with labels, in training and in the split that is judged on; `what` would need them."""
    def check(subject: Subject) -> None:
        splits = subject.dataset.splits
        if splits["train"].labels is None or splits[subject.settings.split].labels is None:
            raise ValueError(f"this data set has no labels {what}.")

    return check


def coded(what: str) -> Callable[[Subject], None]:
    """Models with a code; `what` there would be of one."""
    def check(subject: Subject) -> None:
        if not subject.model.latents:
            raise ValueError(f"this family has no code to {what}.")

    return check
