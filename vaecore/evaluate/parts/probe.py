"""How well a linear classifier reads the label from z."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from vaecore.evaluate.part import Part, Speed, coded, judged_elsewhere, labelled, still
from vaecore.evaluate.results import Column, Result, count, group, number, row

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject


FITTED = 2e-6  # seconds, for one number of a code in a regression


class LinearProbe(Result):
    """What a linear classifier reads from codes."""

    accuracy: float = number("Accuracy", "Of a logistic regression that sees only z, trained on codes of the training "
                             "split.", unit="share", column=Column("Probe", help="Accuracy of the linear probe."))
    chance: float = number("Chance", "By always naming the commonest class.", unit="share")  # the commonest in training
    classes: int = count("classes")
    train: int = count("codes to learn from")
    test: int = count("codes to judge")
    codes: Literal["posterior means"] = "posterior means"


class Probe(LinearProbe):
    """A linear probe of a model's codes, with what its encoder saw."""

    encoder_reads_label: bool = False
    given: list[str] = group(default=[])  # the modalities whose codes they are

    @property
    def said(self) -> float:
        """The accuracy, where it says what is read from x; else NaN."""
        return float("nan") if self.encoder_reads_label else self.accuracy


def probe(subject: Subject) -> Probe:
    """Accuracy with which a linear classifier, trained on codes of the training split, reads the label from others."""
    from vaecore.evaluate.quality import codes, linear_probe, readable

    split, known = subject.settings.split, subject.dataset.splits
    tell = subject.told("probe")
    tell(0, 3)
    train = codes(subject.model, subject.at("train")).mean
    tell(1, 3)
    there = codes(subject.model, subject.feed).mean
    tell(2, 3)
    train_labels, labels = subject.read("train", known["train"].labels), subject.read(split, known[split].labels)
    assert train_labels is not None and labels is not None
    found = linear_probe(train, train_labels[:len(train)], there, labels[:len(there)])
    reads = subject.model.reads_covariate and subject.dataset.splits["train"].covariate is None
    return Probe(**dict(found), encoder_reads_label=bool(reads), given=readable(subject.model))


def seconds(subject: Subject, speed: Speed) -> float:
    """Both splits are read, and a regression is fitted to the codes of one."""
    from vaecore.evaluate.quality import MAX_OBSERVATIONS

    splits = (subject.dataset.size("train"), len(subject.feed))
    read = sum(min(MAX_OBSERVATIONS, size) for size in splits)
    return read * speed.read + min(MAX_OBSERVATIONS, splits[0]) * sum(subject.model.latents.values()) * FITTED


def lines(found: Probe, _: Evaluation) -> Iterator[str]:
    yield row("probe", found.accuracy, f"accuracy on {found.test:,} labels, chance {found.chance:.3f}"
              + ("; the encoder was given the label" if found.encoder_reads_label else ""))


PART = Part("probe", "Linear probe", "How well a linear classifier reads the label from z.", Probe, probe,
            (still, coded("read from"), labelled("to read"), judged_elsewhere("the probe learns")), lines,
            seconds=seconds)
