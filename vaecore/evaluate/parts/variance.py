"""What joint and individual parts explain, of linear families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vaecore.evaluate.part import Part, several
from vaecore.evaluate.results import Result, count
from vaecore.untrusted import Number

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject


class Variance(Result):
    """Shares of the variance of each modality around its mean, by the part that explains it."""

    modalities: dict[str, dict[str, Number]]
    observations: int = count("observations")


def variance(subject: Subject) -> Variance:
    """Shares of each modality's variance that joint and individual parts explain."""
    import torch

    from vaecore.data import OBSERVED
    from vaecore.evaluate.quality import MAX_OBSERVATIONS
    from vaecore.models.capabilities import HasLoadings

    model = subject.model
    assert isinstance(model, HasLoadings)  # or it has no place
    tell = subject.told("variance")
    tell(0, 1)
    batch = subject.feed.first(MAX_OBSERVATIONS)
    used = int(batch[OBSERVED].all(1).sum()) if OBSERVED in batch else min(MAX_OBSERVATIONS, len(subject.feed))
    with torch.inference_mode():
        return Variance(modalities=model.explained(batch), observations=used)


def linear(subject: Subject) -> None:
    """Families whose parts are matrices."""
    from vaecore.models.capabilities import HasLoadings

    if not isinstance(subject.model, HasLoadings):
        raise ValueError("only linear families tell apart what is joint, individual and left over.")


def lines(found: Variance, _: Evaluation) -> Iterator[str]:
    for name, each in found.modalities.items():
        yield f"  {name}: " + ", ".join(f"{part} {share:.1%}" for part, share in each.items())


PART = Part("variance", "Explained variance", "What joint and individual parts explain, of linear families.", Variance,
            variance, (several, linear), lines)
