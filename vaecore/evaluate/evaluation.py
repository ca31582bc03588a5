"""An evaluation as it is read: what all of them have, the evidence, and each part as its result. No torch in here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, StrictBool, ValidationError

from vaecore.evaluate.meaning import Meaning, by_modality, explained, perplexities, perplexity_name
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.results import Column, Result, group, number, row
from vaecore.evaluate.settings import Settings
from vaecore.untrusted import Number

Kind = TypeVar("Kind", bound=Result)


class Evidence(Result):
    """The terms of the bound over a whole split, means in nats per observation."""

    elbo: float = number("ELBO", unit="nats", digits=2, column=Column(
        "ELBO", "%.2f", "Nats per observation, over the whole split; log p(x) itself where exact."))
    reconstruction: dict[str, Number] = group(default={})  # E log p(x|z) by modality
    kl: dict[str, list[Number]] = group(default={})  # by latent and dimension
    mse: dict[str, Number] = group(default={})  # of the decoded posterior mean, per observed number, by modality
    code_mean: dict[str, list[Number]] = group(default={})  # by latent and dimension
    active: int | None = None
    tokens: dict[str, Number] = group(default={})  # of a text, the end symbol included

    @property
    def reconstructed(self) -> float:
        """log p(x|z) of all modalities; NaN where one is none."""
        return sum(self.reconstruction.values()) if self.reconstruction else math.nan

    @property
    def rate(self) -> float:
        """The KL of all latents and dimensions; NaN where there is none, or one is none."""
        parts = [value for values in self.kl.values() for value in values]
        return sum(parts) if parts else math.nan

    @property
    def errors(self) -> dict[str, float]:
        """MSE of each modality: a sum of pixels and words would be no error of anything."""
        return by_modality("MSE", self.mse)

    @property
    def perplexities(self) -> dict[str, tuple[str, float | None, float]]:
        """Perplexities of each text: how it is called, the number, and its tokens a sentence."""
        known = self.model_dump()
        return {name: (perplexity_name(name, known), value, self.tokens[name])
                for name, value in perplexities(known).items()}


class Normaliser(Result):
    """The log normaliser that the model's likelihoods contain, in nats."""

    value: float
    standard_error: float = 0.0


class Evaluation(Result):
    """What was found of a run, with the settings that make the numbers mean something."""

    settings: Settings
    evidence: Evidence = Evidence()
    run: str = ""
    date: str = ""
    split: str = ""
    seed: int | None = None
    observations: int | None = None
    data: str = ""
    identity: str = ""
    order: str = ""  # of the observations, by a digest: see `points.py`
    pixels: str = ""
    family: str = ""
    likelihood_name: str = ""
    exact: StrictBool = False
    has_kl: StrictBool = False
    conditional: StrictBool = False
    step: int | None = None
    torch: str = ""
    vaecore: str = ""
    log_z: Normaliser | None = None
    partial: StrictBool = False
    missing: dict[str, str] = group(default={})
    not_applicable: dict[str, str] = group(default={})
    meaning: dict[Literal["evidence", "likelihood"], Meaning]
    found: dict[str, Any] = Field({}, exclude=True)  # each part's result by its name, in their order
    unreadable: dict[str, str] = Field({}, exclude=True)  # parts that cannot be read, and why

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """An evaluation from what `evaluate_run` returned or `kept.evaluations` read.

        A part that cannot be read costs itself.
        """
        found: dict[str, Result] = {}
        unreadable: dict[str, str] = {}
        for name, part in PARTS.items():
            if name in facts:
                try:
                    found[name] = part.result.kept(facts[name])
                except ValidationError as error:
                    first = error.errors()[0]
                    unreadable[name] = f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg'][:80]}."
        head = cls.kept({**explained(facts), "found": {}, "unreadable": {}})
        return head.model_copy(update={"found": found, "unreadable": unreadable})

    def of(self, kind: type[Kind]) -> Kind | None:
        """The result of that kind; None where there is none."""
        return next((each for each in self.found.values() if isinstance(each, kind)), None)

    def reasons(self) -> dict[str, list[str]]:
        """Why parts do not apply, each reason once, with the titles of the parts."""
        found: dict[str, list[str]] = {}
        for name, why in self.not_applicable.items():
            found.setdefault(why, []).append(title(name))
        return found

    @property
    def pixels_told(self) -> str:
        """What pixels are scored as, in words that hold of colours too; empty where there are none to choose of."""
        return {"": "", "grey": "pixels not binarised"}.get(self.pixels or "", f"pixels {self.pixels}")

    @property
    def bound(self) -> float:
        """The evidence, where it is a bound on log p(x) or that itself; else NaN."""
        return self.evidence.elbo if self.has_kl or self.exact else math.nan


def lines(evaluation: Evaluation) -> Iterator[str]:
    """An evaluation as lines of text, each number with its unit and what it depends on."""
    evidence, meaning = evaluation.evidence, evaluation.meaning["evidence"]
    yield (f"{evaluation.run} on {evaluation.split} ({evaluation.observations or 0:,} observations of {evaluation.data}"
           + (f", {told}" if (told := evaluation.pixels_told) else "") + f"), seed {evaluation.seed}")
    yield row(meaning.name, evidence.elbo, f"nats; {meaning.kind}: {meaning.words}")
    yield row("reconstruction", evidence.reconstructed)
    if evidence.kl:
        yield row("KL", evidence.rate, f"nats, {evidence.active} active dimensions")
    for name, value in evidence.errors.items():
        yield row(name, value, "per observed number", 5)
    for name, perplexity, tokens in evidence.perplexities.values():
        yield row(name, perplexity, f"with {tokens:.2f} tokens a sentence, its end symbol included", 2)
    if normaliser := evaluation.log_z:
        yield row("log Z", normaliser.value, f"nats, +- {normaliser.standard_error:.3f}")
    for part, found in evaluation.found.items():
        yield from PARTS[part].lines(found, evaluation)
    for why, parts in evaluation.reasons().items():
        yield f"  {', '.join(parts)} {'does' if len(parts) == 1 else 'do'} not apply: {why}"
