"""What happened to the code of a run, in words with its numbers, and what could be tried. No torch: files tell all.

The evidence is what `metrics.jsonl` holds: KL by dimension, active units, mutual information, and the snapshots of
model and inference means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vaecore.store import Metrics
from vaecore.training import ACTIVE

COLLAPSED = 0.1  # nats of total KL or mutual information
LAGGING = 0.25  # spread of the inference means over that of the model posterior's
SOME_SPREAD = 0.1  # of the model posterior's means, in prior standard deviations: below there is nothing to follow
TOLD = 3  # dimensions whose death is told one by one
NEAR_CEILING = 0.25  # nats under the logarithm of the observations from which an estimate says "or more"
TRUSTED = 0.05  # effective share of importance samples below which a posterior mean is not argued from

State = Literal["collapsed", "lagging", "partial", "healthy", "unknown"]


@dataclass(frozen=True)
class Remedy:
    """Something to try: in words, and as settings for `vaecore.config.changed`."""

    words: str
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """`state` in a word, the facts as sentences, and what could be tried."""

    state: State
    sentences: tuple[str, ...]
    remedies: tuple[Remedy, ...] = ()


def verdict(metrics: Metrics, values: Mapping[str, Any]) -> Verdict:
    """Of a run's metrics and its configuration as it stands in `config.json`."""
    rows = [row for row in map(_row, metrics.evaluations) if row is not None]
    if not rows:
        return Verdict("unknown", ("There is no evaluation of the validation set.",))
    if not rows[-1].kl:
        return Verdict("unknown", ("This family has no KL, so there is no posterior that could collapse.",))
    last = rows[-1]
    total = sum(last.kl)
    if len(rows) == 1 and last.step == 0:
        return Verdict("unknown", ("Nothing has been learned yet: this is the untrained model.",))
    sentences = [f"{last.active} of {len(last.kl)} dimension{_s(len(last.kl))} active; KL {_nats(total)}"
                 + (f", mutual information {_information(last)}." if last.information is not None else ".")]
    sentences += _deaths(rows, metrics)
    lag = _spread_ratio(metrics.snapshots)
    lagging = lag is not None and lag < LAGGING
    if lagging:
        sentences.append(f"The encoder lags behind the model posterior (spread ratio {lag:.2f}).")
    floor = _get(values, "training", "kl", "kind") == "free-bits"
    silent = total < COLLAPSED or (last.information is not None and last.information < COLLAPSED)
    if silent and total >= COLLAPSED:
        sentences.append("The KL is paid for without telling anything: mutual information is near 0"
                         + (", as free bits allow." if floor else "."))
    if silent:
        state: State = "collapsed"
    elif lagging:
        state = "lagging"
    else:
        state = "partial" if last.active < len(last.kl) else "healthy"
    if state == "partial" and last.active:
        sentences.append("Unused dimensions cost nothing: pruning is what a VAE does with more latents than it needs.")
    return Verdict(state, tuple(sentences), _remedies(state, lagging, values))


# -- the facts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    step: float
    kl: list[float]  # of all latents, dimension by dimension
    variance: list[float]  # of the posterior means, likewise
    information: float | None
    ceiling: float  # log of the observations it was estimated with

    @property
    def active(self) -> int:
        return sum(v > ACTIVE for v in self.variance)


def _row(line: Mapping[str, Any]) -> _Row | None:
    """An evaluation as plain numbers; None for a damaged line."""
    try:
        kl = [float(value) for values in line["kl"].values() for value in values]
        variance = [float(value) for name in line["kl"] for value in line["code_variance"][name]]
        told = line.get("information") or {}
        information = sum(float(part["mutual_information"]) for part in told.values()) if told else None
        ceiling = math.log(max(1.0, min((float(part["observations"]) for part in told.values()), default=1.0)))
        step = float(line["step"])
        numbers = [step, *kl, *variance, *([information] if information is not None else [])]
        return _Row(step, kl, variance, information, ceiling) if all(map(math.isfinite, numbers)) else None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _deaths(rows: Sequence[_Row], metrics: Metrics) -> list[str]:
    """When dimensions that had been active fell silent for good, and at which beta; random weights do not count."""
    trained = [row for row in rows if row.step > 0]
    deaths = []
    for dimension in range(len(rows[-1].variance)):
        course = [(row.step, row.variance[dimension] > ACTIVE) for row in trained if len(row.variance) > dimension]
        active = [alive for _, alive in course]
        if any(active) and not active[-1]:
            deaths.append((course[len(active) - active[::-1].index(True)][0], dimension))
    if not any(row.active for row in trained):
        return ["No dimension was ever active."]
    sentences = []
    for step, dimension in sorted(deaths)[:TOLD]:
        beta = _beta(metrics, step)
        sentences.append(f"Dimension {dimension} died at step {step:,.0f}"
                         + (f", while β was {beta:.2g}." if beta is not None else "."))
    if len(deaths) > TOLD:
        sentences.append(f"{len(deaths) - TOLD} more died later.")
    return sentences


def _beta(metrics: Metrics, step: float) -> float | None:
    """Beta of the last training step before `step`."""
    steps, betas = metrics.steps.get("step", []), metrics.steps.get("beta", [])
    before = [beta for at, beta in zip(steps, betas, strict=False) if at < step]
    return before[-1] if before else None


def _spread_ratio(snapshots: Sequence[Mapping[str, Any]]) -> float | None:
    """Spread of the inference means over that of the model posterior's, last snapshot; None where there is no telling.

    Of the dimension in which the model posterior's means are spread widest.
    """
    try:
        last = snapshots[-1]
        if last["method"] == "importance" and last["effective"] < TRUSTED:
            return None
        pairs = [(_spread([row[d] for row in means]), _spread([row[d] for row in last["inference"][name]]))
                 for name, means in last["model"].items() for d in range(len(means[0]))]
        model, inference = max(pairs)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError):
        return None
    return inference / model if math.isfinite(inference) and math.inf > model > SOME_SPREAD else None


def _spread(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


# -- what could be tried ---------------------------------------------------------------------------


def _remedies(state: State, lagging: bool, values: Mapping[str, Any]) -> tuple[Remedy, ...]:
    if state not in ("collapsed", "lagging"):
        return ()
    remedies = []
    if _get(values, "training", "inference", "kind") != "aggressive":
        remedies.append(Remedy("Train the encoder aggressively", ("training.inference.kind=aggressive",)))
    found = _get(values, "training", "beta")
    beta = found if isinstance(found, Mapping) else {}
    sigma = _get(values, "model", "likelihood", "sigma")
    if _get(values, "model", "likelihood", "kind") == "gaussian" and isinstance(sigma, int | float):
        remedies.append(Remedy("Learn the observation variance", ("model.likelihood.kind=gaussian-learned",)))
    if beta.get("kind") == "constant" and _number(beta.get("value")) > 1:
        remedies.append(Remedy("Lower β to 1", ("training.beta.value=1.0",)))
    elif beta.get("kind") != "cyclical":
        if beta.get("kind") == "linear" and _number(beta.get("fraction")) < 0.5:
            slower = min(1.0, max(0.25, 2 * _number(beta.get("fraction"))))
            remedies.append(Remedy("Raise β more slowly", (f"training.beta.fraction={slower:g}",)))
        elif beta.get("kind") == "constant":
            slow = ("training.beta.kind=linear", "training.beta.fraction=0.25")
            remedies.append(Remedy("Raise β slowly from 0", slow))
        remedies.append(Remedy("Raise β in cycles", ("training.beta.kind=cyclical",)))
    keep = _get(values, "model", "word_keep")
    if isinstance(keep, int | float) and keep > 0.5 and not lagging:
        remedies.append(Remedy("Withhold half of the previous words", ("model.word_keep=0.5",)))
    if _get(values, "training", "kl", "kind") == "plain":
        remedies.append(Remedy("Give each dimension free bits", ("training.kl.kind=free-bits",)))
    return tuple(remedies[:3])


def _get(values: Any, *path: str) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _information(row: _Row) -> str:
    """Mutual information; where it has come near what so many observations can show, that it may be more."""
    value = row.information or 0.0
    return f"{_nats(value)} or more" if value > row.ceiling - NEAR_CEILING else _nats(value)


def _nats(value: float) -> str:
    return f"{max(value, 0.0):.2f} nats"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
