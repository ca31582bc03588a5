"""The numbers by which points can be judged: those that a training finds on its validation set as it goes, and those
that an evaluation finds after it, each as it is declared. No torch."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vaecore.evaluate.evaluation import Evidence
from vaecore.evaluate.meaning import PERPLEXITY, word
from vaecore.evaluate.results import Declared, Result, declared, number
from vaecore.files import parsed_json
from vaecore.library.fields import NUMBERS
from vaecore.schema import problem
from vaecore.store import Growing, Run

PREFIXES = (b'{"kind": "evaluation"', b'{"kind":"evaluation"')  # of a line of metrics.jsonl that holds an evaluation
Curve = list[tuple[float, float]]  # (epoch, value), ascending


class Validation(Result):
    """What a training finds on its validation set at each evaluation, whatever its beta is."""

    elbo: float = number("ELBO", "Evidence lower bound on the validation set: reconstruction less the KL, once, "
                         "whatever beta was trained with.", unit="nats", digits=2, better="higher")
    reconstruction: float = number("Reconstruction", "log p(x|z) on the validation set, all modalities together.",
                                   unit="nats", digits=2, better="higher")
    kl: float = number("KL", "KL on the validation set, all latents together.", unit="nats", digits=2, better="lower")
    mse: float = number("MSE", "Mean squared error of the reconstruction on the validation set, for each number, the "
                        "mean over modalities.", digits=5, better="lower")
    active: float = number("Active dimensions", "Latent dimensions in use.", digits=1, better="higher")
    perplexity: float = number("Perplexity", PERPLEXITY, digits=2, better="lower")


ALONG: dict[str, Declared] = {each.name: each for each in declared(Validation)}  # found while training goes on
AFTER: dict[str, Declared] = {  # found by an evaluation
    key: Declared(key, each.title, each.help, each.unit, each.digits, each.better) for key, each in NUMBERS.items()
    if each.evaluated and each.better and key not in ALONG}
OBJECTIVES = {**ALONG, **AFTER}


def objective(name: str) -> Declared:
    """The declaration of a number; raises `ConfigError` for one that there is not."""
    if name not in OBJECTIVES:
        raise problem("objective", name, f"'{name}' is no number by which points can be judged.",
                      f"Choose one of {', '.join(ALONG)}; or, found by an evaluation, {', '.join(AFTER)}.")
    return OBJECTIVES[name]


def heading(name: str, title: str) -> str:
    """What a number is called with the data that it is of: of an evaluation, the split that was evaluated."""
    return f"Validation {title}" if name in ALONG else title


def titled(name: str, about: Mapping[str, Any]) -> str:
    """What a number is called of a family in the words of `about.json`: its ELBO may be log p(x) itself."""
    if name == "elbo" and about:
        return word(has_kl=about.get("has_kl") is not False, exact=about.get("exact") is True)
    return objective(name).title


def sign(name: str) -> int:
    """1 where higher is better, else -1: with it every objective is to be large."""
    return -1 if objective(name).better == "lower" else 1


def found(evaluation: Mapping[str, Any]) -> Validation:
    """The numbers in an evaluation as a line of `metrics.jsonl` or `summary.json` holds it."""
    evidence = Evidence.kept(dict(evaluation))
    errors = list(evidence.mse.values())
    texts = [value for _, value, _ in evidence.perplexities.values() if value is not None]
    return Validation(elbo=evidence.elbo, reconstruction=evidence.reconstructed, kl=evidence.rate,
                      mse=sum(errors) / len(errors) if errors else math.nan,
                      active=math.nan if evidence.active is None else evidence.active,
                      perplexity=texts[0] if texts else math.nan)


def value(evaluation: Any, name: str) -> float | None:
    """One number of an evaluation as a training writes it; None where it holds none."""
    if not isinstance(evaluation, Mapping) or name not in ALONG:
        return None
    number = getattr(found(evaluation), name)
    return float(number) if math.isfinite(number) else None


class Curves:
    """The evaluations of runs, read from `metrics.jsonl` as they are appended; a training's steps are passed over."""

    def __init__(self) -> None:
        self._read: dict[Path, _Evaluations] = {}
        self._alone = threading.Lock()  # pages of several visitors ask at once

    def of(self, run: Run) -> Mapping[float, Validation]:
        """All evaluations of a run so far, by epoch. After a resume the later line of an epoch counts."""
        path = run.path / "metrics.jsonl"
        with self._alone:
            log = self._read.setdefault(path, _Evaluations(path))
            log.update()
            return log.known


@dataclass
class _Evaluations(Growing):
    known: dict[float, Validation] = field(default_factory=dict)

    def take(self, lines: list[bytes]) -> None:
        self.known = {**self.known, **dict(_evaluations(lines, self.path.name))}  # who was given it keeps it as it was

    def forget(self) -> None:
        self.known = {}


def _evaluations(lines: list[bytes], name: str) -> Iterator[tuple[float, Validation]]:
    """The evaluations among whole lines, each with its epoch; what is damaged costs itself."""
    for line in lines:
        if line.startswith(PREFIXES):
            with contextlib.suppress(ValueError, RecursionError):
                read = parsed_json(line, name)
                epoch = read.get("epoch") if isinstance(read, dict) else None
                if isinstance(epoch, int | float) and math.isfinite(epoch):
                    yield float(epoch), found(read)


def curve(evaluations: Mapping[float, Validation], name: str) -> Curve:
    """A number at each evaluation, by epoch; none of a number that only an evaluation finds."""
    if name not in ALONG:
        return []
    pairs = ((epoch, float(getattr(each, name))) for epoch, each in evaluations.items())
    return sorted((epoch, value) for epoch, value in pairs if math.isfinite(value))


def told(value: float | None, name: str) -> str:
    """A number as a person reads it, without its unit."""
    each = objective(name)
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.{each.digits if each.digits is not None else 3}f}".replace("-", "−")


def as_text(point: Mapping[str, Any]) -> str:
    """A point as JSON, by which two are the same."""
    return json.dumps(point, sort_keys=True)
