"""What happened to the code of a run, in words with its numbers, and what could be tried. No torch: files tell all.

The evidence is what `metrics.jsonl` holds: KL by dimension, active units, mutual information, and the snapshots of
model and inference means. A verdict speaks from one step, that of the last evaluation: a snapshot of another step,
above all of the untrained model, says nothing of it. While beta still rises it is too early for one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from vaecore.evaluate.lagging import ratio_at
from vaecore.probability.saturation import saturated
from vaecore.store import Metrics
from vaecore.training import ACTIVE
from vaecore.untrusted import Untrusted

COLLAPSED = 0.1  # nats of total KL or mutual information
LAGGING = 0.25  # spread of the inference means over that of the model posterior's
TOLD = 3  # dimensions whose death is told one by one

State = Literal["collapsed", "lagging", "partial", "healthy", "early", "unknown"]
WORDS: dict[State, str] = {"collapsed": "collapsed", "lagging": "its encoder lags", "partial": "partly active",
                           "healthy": "healthy", "early": "too early to tell", "unknown": "no verdict"}


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


# -- what the files hold, which may come from anywhere ---------------------------------------------


class _Kind(Untrusted):
    kind: str | None = None


class _Prior(_Kind):
    components: int | None = None


class _Likelihood(_Kind):
    sigma: float | None = None


class _Model(Untrusted):
    family: str = ""
    prior: _Prior = _Prior()
    likelihood: _Likelihood = _Likelihood()
    word_keep: float | None = None

    @property
    def prior_moves(self) -> bool:
        """Whether each observation has a prior of its own, p(z|u) or p(z | frames before): then a mean that varies may
        only follow the prior, and says nothing."""
        return self.prior.kind == "conditional" or self.family in ("svg-lp", "conditional-wasserstein")


class _Beta(_Kind):
    value: float | None = None
    start: float | None = None
    end: float | None = None
    fraction: float = 0.0
    points: tuple[tuple[float, float], ...] = ()

    @property
    def final(self) -> float | None:
        """Where it ends; None where that is not said."""
        if self.kind == "points":
            return self.points[-1][1] if self.points else None
        if self.kind == "there-and-back":
            return self.start
        return self.value if self.kind == "constant" else self.end


class _Training(Untrusted):
    epochs: float | None = None
    beta: _Beta = _Beta()
    inference: _Kind = _Kind()
    kl: _Kind = _Kind()


class _Config(Untrusted):
    """`config.json`."""

    model: _Model = _Model()
    training: _Training = _Training()


class _Information(Untrusted):
    mutual_information: float
    observations: float


class _Line(Untrusted):
    """An evaluation in `metrics.jsonl`."""

    step: float
    epoch: float | None = None
    kl: dict[str, list[float]]  # by latent and dimension
    code_variance: dict[str, list[float]]
    activity: dict[str, list[float] | None] | None = None  # of a run older than that there is none
    information: dict[str, _Information | None] | None = None


# -- the verdict -----------------------------------------------------------------------------------


def verdict(metrics: Metrics, values: Mapping[str, Any]) -> Verdict:
    """Whether a run has collapsed, by its metrics and its configuration as it stands in `config.json`."""
    config = _Config.kept(dict(values))
    rows = [row for row in (_row(line, config.model.prior_moves) for line in metrics.evaluations) if row is not None]
    if not rows:
        return Verdict("unknown", ("There is no evaluation of the validation set.",))
    last = rows[-1]
    if not last.latents:
        return Verdict("unknown", ("This family has no KL, so there is no posterior that could collapse.",))
    if len(rows) == 1 and last.step == 0 and config.model.prior.kind != "fitted":  # to what was trained before
        return Verdict("unknown", ("Nothing has been learned yet: this is the untrained model.",))
    total, size = last.rate, len(last.activity)
    sentences = [f"{last.active} of {size} dimension{_s(size)} active; KL {_nats(total)}{_informations(last)}."]
    if (moving := _moving(last, metrics, config.training)) is not None:
        beta, final = moving
        way = f"is still rising, {beta:.2g} of" if beta < final else f"has not come back, {beta:.2g} instead of"
        return Verdict("early", (*sentences, f"Too early for a verdict: β {way} {final:.2g} at step {last.step:,.0f}."))
    sentences += _deaths(rows, metrics)
    lag = ratio_at(metrics.snapshots, last.step)
    lagging = lag is not None and lag < LAGGING
    if lagging:
        sentences.append(f"The encoder lags behind the model posterior (spread ratio {lag:.2f}).")
    floor = config.training.kl.kind in ("free-bits", "free-bits-masked")
    silent = total < COLLAPSED or (last.most_information is not None and last.most_information < COLLAPSED)
    if silent and total >= COLLAPSED:
        sentences.append("The KL is paid for without telling anything: mutual information is near 0"
                         + (", as free bits allow." if floor else "."))
    if silent:
        state: State = "collapsed"
    elif lagging:
        state = "lagging"
    else:
        state = "partial" if last.active < size else "healthy"
    if state == "partial" and last.active:
        sentences.append("Unused dimensions cost nothing: pruning is what a VAE does with more latents than it needs.")
    return Verdict(state, tuple(sentences), _remedies(state, lagging, config))


# -- the facts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Latent:
    """What an evaluation says of one latent of r dimensions."""

    rate: float
    activity: list[float]  # (r,): above `ACTIVE` a dimension is active
    information: float | None
    observations: float  # it was estimated with


@dataclass(frozen=True)
class _Row:
    step: float
    epoch: float | None
    latents: dict[str, _Latent]

    @property
    def rate(self) -> float:
        return sum(latent.rate for latent in self.latents.values())

    @property
    def activity(self) -> list[float]:
        """Of all latents, dimension by dimension."""
        return [value for latent in self.latents.values() for value in latent.activity]

    @property
    def active(self) -> int:
        return sum(v > ACTIVE for v in self.activity)

    @property
    def most_information(self) -> float | None:
        """The largest of a latent: where even that is near 0, none says anything. They do not add."""
        found = [latent.information for latent in self.latents.values() if latent.information is not None]
        return max(found) if found else None


def _row(line: Mapping[str, Any], moves: bool) -> _Row | None:
    """An evaluation as plain numbers; None for a damaged line. `moves`: the prior is another for each observation."""
    try:
        found = _Line.model_validate(line)
        latents = {}
        for name, kl in found.kl.items():
            variance = found.code_variance[name]
            # A prior without closed form has one KL for the whole latent, so the variances say how many dimensions.
            activity = (found.activity or {}).get(name)
            if activity is None:
                activity = kl if moves and len(kl) == len(variance) else variance
            told = (found.information or {}).get(name)
            latents[name] = _Latent(sum(kl), activity, told.mutual_information if told else None,
                                    told.observations if told else 1.0)
    except (ValidationError, KeyError):
        return None
    row = _Row(found.step, found.epoch, latents)
    informations = [latent.information for latent in latents.values() if latent.information is not None]
    return row if all(map(math.isfinite, [row.step, row.rate, *row.activity, *informations])) else None


def _moving(last: _Row, metrics: Metrics, training: _Training) -> tuple[float, float] | None:
    """Beta before the last evaluation and where it ends, while it is below that; None once it is there.

    One that goes up and comes back may be above it, too. At the end of training there is nothing to wait for.
    """
    beta, final = _beta(metrics, last.step), training.beta.final
    if beta is None or final is None or training.epochs is None:
        return None
    over = last.epoch is not None and last.epoch >= training.epochs
    away = beta < final * (1 - 1e-6) or (training.beta.kind == "there-and-back" and beta > final * (1 + 1e-6))
    return (beta, final) if away and not over else None


def _deaths(rows: Sequence[_Row], metrics: Metrics) -> list[str]:
    """When dimensions that had been active fell silent for good, and at which beta; random weights do not count."""
    trained = [row for row in rows if row.step > 0]
    deaths = []
    names = [f"{index} of {name}" if len(rows[-1].latents) > 1 else str(index)
             for name, latent in rows[-1].latents.items() for index in range(len(latent.activity))]
    for dimension in range(len(names)):
        course = [(row.step, row.activity[dimension] > ACTIVE) for row in trained if len(row.activity) > dimension]
        active = [alive for _, alive in course]
        if any(active) and not active[-1]:
            deaths.append((course[len(active) - active[::-1].index(True)][0], dimension))
    if not any(row.active for row in trained):
        return ["No dimension was ever active."]
    sentences = []
    for step, dimension in sorted(deaths)[:TOLD]:
        beta = _beta(metrics, step)
        sentences.append(f"Dimension {names[dimension]} died at step {step:,.0f}"
                         + (f", while β was {beta:.2g}." if beta is not None else "."))
    if len(deaths) > TOLD:
        sentences.append(f"{len(deaths) - TOLD} more died later.")
    return sentences


def _beta(metrics: Metrics, step: float) -> float | None:
    """Beta of the last training step before `step`."""
    steps, betas = metrics.steps.get("step", []), metrics.steps.get("beta", [])
    before = [beta for at, beta in zip(steps, betas, strict=False) if at < step]
    return before[-1] if before else None


# -- what could be tried ---------------------------------------------------------------------------


def _remedies(state: State, lagging: bool, config: _Config) -> tuple[Remedy, ...]:
    if state not in ("collapsed", "lagging"):
        return ()
    model, beta = config.model, config.training.beta
    remedies = []
    if config.training.inference.kind != "aggressive":
        remedies.append(Remedy("Train the encoder aggressively", ("training.inference.kind=aggressive",)))
    if model.likelihood.kind == "gaussian" and model.likelihood.sigma is not None:
        remedies.append(Remedy("Learn the observation variance", ("model.likelihood.kind=gaussian-learned",)))
    if beta.kind == "constant" and (beta.value or 0.0) > 1:
        remedies.append(Remedy("Lower β to 1", ("training.beta.value=1.0",)))
    elif beta.kind != "cyclical":
        if beta.kind == "linear" and beta.fraction < 0.5:
            slower = min(1.0, max(0.25, 2 * beta.fraction))
            remedies.append(Remedy("Raise β more slowly", (f"training.beta.fraction={slower:g}",)))
        elif beta.kind == "constant":
            slow = ("training.beta.kind=linear", "training.beta.fraction=0.25")
            remedies.append(Remedy("Raise β slowly from 0", slow))
        remedies.append(Remedy("Raise β in cycles", ("training.beta.kind=cyclical",)))
    if model.word_keep is not None and model.word_keep > 0.5 and not lagging:
        remedies.append(Remedy("Withhold half of the previous words", ("model.word_keep=0.5",)))
    if config.training.kl.kind == "plain":
        prior = model.prior
        if prior.kind in (None, "standard") or (prior.kind == "conditional" and prior.components == 1):
            remedies.append(Remedy("Give each dimension free bits", ("training.kl.kind=free-bits",)))
        else:  # these have no KL by dimension
            remedies.append(Remedy("Give the latent free bits", ("training.kl.kind=free-bits",
                                                                 "training.kl.group=latent", "training.kl.nats=1.0")))
    return tuple(remedies[:3])


def _informations(row: _Row) -> str:
    """Mutual information of each latent that has one; near what its observations can show, that it may be more."""
    told = {name: _nats(latent.information) + (" or more" if saturated(latent.information, latent.observations) else "")
            for name, latent in row.latents.items() if latent.information is not None}
    if len(row.latents) == 1:
        return "".join(f", mutual information {words}" for words in told.values())
    each = ", ".join(f"of {name} {words}" for name, words in told.items())
    return f"; mutual information {each}" if each else ""


def _nats(value: float) -> str:
    return f"{max(value, 0.0):.2f} nats"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
