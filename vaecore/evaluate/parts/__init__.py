"""The parts of an evaluation, in the order in which they are done and shown: a file each, and a line here. No torch."""

from vaecore.evaluate.part import Part
from vaecore.evaluate.parts import (
    coherence,
    conditionals,
    cost,
    disentanglement,
    likelihood,
    naive,
    probe,
    reconstruction,
    samples,
    sharing,
    style,
    variance,
    video,
)

PARTS: dict[str, Part] = {each.PART.name: each.PART for each in (
    likelihood,
    conditionals,
    naive,
    reconstruction,
    samples,
    probe,
    coherence,
    sharing,
    style,
    variance,
    disentanglement,
    video,
    cost,
)}
STEPS = {"evidence": "Evidence", "classifier": "Classifier"}  # what an evaluation does besides, and how far it tells


def title(name: str) -> str:
    """The title of a part or a step; the name itself where there is none of that name."""
    return PARTS[name].title if name in PARTS else STEPS.get(name, name)
