"""All evaluated numbers of several runs, with intervals: which of them compare, and how far apart they are. No torch.

A number carries what it is (exact, a bound, an estimate, or no log p), the settings it was found with, and its value at
each observation where an evaluation kept that. Two of them rank, and are paired, only where their data and settings are
the same; else the difference is refused, and `unlike` says which. Keys are those of `vaecore.library.fields`.

    comparison = compare([store.find("a"), store.find("b")])
    comparison.difference("elbo", "b")        # of b less the reference, the first, with its interval
    print(comparison.table(differences=True).markdown())
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vaecore.evaluate import kept
from vaecore.evaluate.evaluation import Evaluation
from vaecore.evaluate.meaning import Kind, log_z_error
from vaecore.evaluate.parts.coherence import Coherence
from vaecore.evaluate.parts.conditionals import Conditionals
from vaecore.evaluate.parts.cost import Cost
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.parts.samples import GROUPS, Samples
from vaecore.evaluate.parts.video import Video
from vaecore.evaluate.points import Points, Values, agreeing
from vaecore.evaluate.results import groups as groups_in
from vaecore.evaluate.results import numbers as numbers_in
from vaecore.evaluate.settings import Settings
from vaecore.files import parsed_json, regular
from vaecore.library import found
from vaecore.library.fields import NUMBERS, Field
from vaecore.library.headline import Headline, comparable, headline
from vaecore.probability.bootstrap import Mean, means
from vaecore.probability.intervals import two_sided
from vaecore.store import Run
from vaecore.tables import Cell, Column, Row, Table

ALIKE = ("split", "importance_samples", "observations", "seed", "samples", "video_clips", "futures", "horizon")
ESTIMATED = ("log_p_is", "bits")
OF_CLIPS = ("ssim_clips", "psnr_clips")
VALUES = {"log_p_is": "log_likelihood", "ssim_clips": "video.ssim", "psnr_clips": "video.psnr"}  # how points call them
# Drawn anew, with the seed of the evaluation: equal to those of the training but for the noise.
FROM = ("ELBO, reconstruction and KL are those of the evaluations where there are such, with their noise; lists of "
        "runs and planes have them of the end of the training.")
CONDITIONAL = "conditional."  # how keys begin of log p of a modality given the others


@dataclass(frozen=True)
class Number:
    """One number of one run."""

    declared: Field
    value: float
    kind: Kind | str = ""  # exact, bound, estimate, no log p; empty of what is no number in nats
    meaning: str = ""  # that in a sentence
    settings: Mapping[str, Any] = field(default_factory=dict)  # on which it depends besides the data, in words
    observations: int | None = None
    low: float = math.nan  # the ends of its interval of 95 %
    high: float = math.nan
    error: float = math.nan  # its standard error
    common: float = 0.0  # a standard error that all observations share: of an estimated log normaliser
    values: Values | None = None  # at each observation
    groups: NDArray[np.int64] | None = None  # which observations go together
    order: str = ""  # of the observations, by a digest

    @property
    def spread(self) -> float | None:
        """Half the width of its interval; None where it has none."""
        return (self.high - self.low) / 2 if math.isfinite(self.high - self.low) else None


@dataclass(frozen=True)
class Measured:
    """A run with its numbers by key. `evaluation` is the one they are of; None where only its training told some."""

    run: Run
    headline: Headline
    evaluation: Evaluation | None
    numbers: Mapping[str, Number]
    outdated: str = ""  # a sentence, where the weights are others by now

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id

    @property
    def pointed(self) -> bool:
        """Whether any number has its values by observation, without which nothing is paired."""
        return any(number.values is not None for number in self.numbers.values())


@dataclass(frozen=True)
class Difference:
    """A number less that of the reference. `refused` are the settings in which they differ: then nothing is known."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    paired: bool = False  # on the same test points; else from both standard errors
    refused: tuple[str, ...] = ()

    @property
    def inside(self) -> bool:
        """Whether the interval holds 0: the difference may be none."""
        return self.low <= 0 <= self.high

    @property
    def spread(self) -> float | None:
        """Half the width of its interval; None where it has none."""
        return (self.high - self.low) / 2 if math.isfinite(self.high - self.low) else None


@dataclass(frozen=True)
class Comparison:
    """Several runs; differences are from `reference`, which is one of them, by its id."""

    runs: Sequence[Measured]
    reference: str

    def __getitem__(self, run: str) -> Measured:
        """A run by its id; raises `KeyError` for another."""
        return next((each for each in self.runs if each.id == run), None) or _missing(run)

    @cached_property
    def fields(self) -> list[Field]:
        """What any of the runs has a number of, in the order of the declaration."""
        there = {key: number.declared for each in self.runs for key, number in each.numbers.items()}
        return [NUMBERS[key] for key in NUMBERS if key in there] + [there[key] for key in there if key not in NUMBERS]

    def unlike(self, key: str, run: str, other: str = "") -> tuple[str, ...]:
        """The settings in which a number of a run differs from that of `other`, in words.

        Without `other` it is set against the reference, or where that has none, against the first run that has one.
        """
        other = other or self.standard(key)
        one, two = self[run].numbers.get(key), self[other].numbers.get(key)
        if one is None or two is None or run == other:
            return ()
        return _unlike(self[run].headline, one, self[other].headline, two)

    def standard(self, key: str) -> str:
        """The id of the run that numbers of a field are set against: the reference, or the first that has one."""
        return next((each.id for each in (self[self.reference], *self.runs) if key in each.numbers), self.reference)

    @cached_property
    def ranked(self) -> dict[str, bool]:
        """Whether the numbers of a field rank: by its key."""
        return {each.key: bool(each.better) and not any(
            self.unlike(each.key, one.id, other.id) for place, one in enumerate(self.having(each.key))
            for other in self.having(each.key)[:place]) for each in self.fields}

    def having(self, key: str) -> list[Measured]:
        """The runs that have a number of that key."""
        return [each for each in self.runs if key in each.numbers]

    @cached_property
    def differences(self) -> dict[tuple[str, str], Difference]:
        """The difference of every number of the other runs from the reference, by key and run."""
        told: dict[tuple[str, str], Difference] = {}
        pairs: list[tuple[tuple[str, str], Number, Number]] = []
        for each in self.fields:
            two = self[self.reference].numbers.get(each.key)
            for one in self.having(each.key):
                if two is None or one.id == self.reference:
                    continue
                place, number = (each.key, one.id), one.numbers[each.key]
                if refused := self.unlike(each.key, one.id):
                    told[place] = Difference(refused=refused)
                elif _pairs(number, two):
                    pairs.append((place, number, two))
                else:
                    told[place] = _apart(number, two)
        for place, number, two, mean in _paired(pairs):
            common = two_sided() * math.hypot(number.common, two.common)
            value = number.value - two.value
            told[place] = Difference(value, value - math.hypot(mean.value - mean.low, common),
                                     value + math.hypot(mean.high - mean.value, common), paired=True)
        return told

    def difference(self, key: str, run: str) -> Difference:
        """A number of a run less that of the reference; raises `KeyError` where one of them has none."""
        return self.differences[key, run]

    def table(self, *, differences: bool = False) -> Table:
        """The numbers, a row a run; with `differences` those from the reference, whose own numbers stay.

        The best of a column ranks, and is bold, only where all of it were found alike.
        """
        columns = [Column("run", "Run"), *(Column(
            each.key, each.title, each.unit, each.digits,
            each.better if self.ranked[each.key] and not differences else "", each.help) for each in self.fields)]
        rows: list[Row] = [{"run": one.id, **{key: self._cell(one, key, differences) for key in one.numbers}}
                           for one in self.runs]
        return Table(columns, rows, "Numbers", self.notes(differences=differences))

    def notes(self, *, differences: bool = False) -> list[str]:
        """What a table needs below it: what ± is, what the numbers depend on, and what does not compare."""
        told = ["± is half a 95 % interval over observations."]
        if any(one.evaluation for one in self.runs):
            told.append(FROM)
        if differences:
            told = [f"Differences from {self.reference}, whose own numbers stand in its row; ± is half a 95 % "
                    "interval, paired where both runs kept their values on the same observations."]
        for each in self.fields:
            alike = {tuple(sorted((name, str(value)) for name, value in one.numbers[each.key].settings.items()))
                     for one in self.having(each.key)}
            if len(alike) == 1 and (settings := next(iter(alike))) and each.evaluated:
                told.append(f"{each.title}: {', '.join(f'{name} {value}' for name, value in settings)}.")
            for one in self.having(each.key):
                if refused := self.unlike(each.key, one.id):
                    told.append(f"{each.title} of {one.id} does not compare with that of "
                                f"{self.standard(each.key)}: other "
                                f"{', other '.join(refused)}.")
        return told

    def _cell(self, one: Measured, key: str, differences: bool) -> Cell:
        number, what = one.numbers[key], self.differences.get((key, one.id))
        if not differences or one.id == self.reference:
            return Cell(number.value, number.spread, number.meaning)
        if what is None:
            return Cell(None, note="The reference has no such number.")
        if what.refused:
            return Cell(None, note=f"Not comparable: other {', other '.join(what.refused)}.")
        how = "Paired, on the same observations." if what.paired else "Not paired: from both standard errors."
        return Cell(what.value, what.spread, how if what.spread is not None else "Without an interval: neither kept "
                    "its values by observation.")

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it: of each run its numbers by key, and the differences from the reference."""
        def finite(value: float) -> float | None:
            return value if math.isfinite(value) else None

        def told(one: Measured, key: str, number: Number) -> dict[str, Any]:
            what = self.differences.get((key, one.id))
            return {"value": finite(number.value), "low": finite(number.low), "high": finite(number.high),
                    "unit": number.declared.unit, "kind": number.kind, "settings": dict(number.settings),
                    "observations": number.observations, **({} if what is None else {"difference": {
                        "value": finite(what.value), "low": finite(what.low), "high": finite(what.high),
                        "paired": what.paired, "refused": list(what.refused)}})}

        return {"reference": self.reference, "runs": [
            {"run": one.id, "evaluated": one.evaluation is not None, "outdated": one.outdated,
             "numbers": {key: told(one, key, number) for key, number in one.numbers.items()}} for one in self.runs]}


def compare(runs: Sequence[Run], *, reference: str = "", settings: Settings | None = None) -> Comparison:
    """The numbers of these runs, by evaluations with the same settings where there are such.

    `reference` is the id of the run that differences are from, else the first. With `settings` only evaluations with
    these count. Raises `StoreError` for a run without a configuration, `ValueError` for no runs, or a reference that is
    none of them.
    """
    if not runs:
        raise ValueError("there are no runs to compare.")
    if reference and reference not in [run.id for run in runs]:
        raise ValueError(f"{reference} is none of the runs that are compared: {', '.join(run.id for run in runs)}.")
    evaluated = {run.id: [(facts, Evaluation.read(facts)) for facts in kept.evaluations(run)] for run in runs}
    first = reference or runs[0].id
    wanted = settings or next((each.settings for name in (first, *evaluated) if (each := _newest(evaluated[name]))),
                              None)
    measured = [_measured(run, evaluated[run.id], wanted, only=settings is not None) for run in runs]
    return Comparison(_with_intervals(measured), first)


# -- the numbers of a run --------------------------------------------------------------------------

Kept = tuple[Mapping[str, Any], Evaluation]


def _newest(those: Sequence[Kept]) -> Evaluation | None:
    """The newest whole evaluation, of the test set if there is one."""
    ranked = sorted((each for _, each in those), key=lambda each: (each.split == "test", not each.partial))
    return ranked[-1] if ranked else None


def _measured(run: Run, those: Sequence[Kept], wanted: Settings | None, *, only: bool) -> Measured:
    facts = headline(run)
    alike = [each for each in those if wanted is not None and not each[1].partial and all(
        getattr(each[1].settings, name) == getattr(wanted, name) for name in ALIKE)]
    newest = None if only else _newest(those)
    raw, chosen = alike[-1] if alike else next((each for each in those if each[1] is newest), (None, None))
    numbers = found.numbers(facts, [] if chosen is None else [chosen])
    points = Points() if raw is None else kept.points(run, dict(raw)) or Points()
    told = {key: _number(key, each, chosen, points) for key, each in numbers.items()}
    if chosen is not None:
        told |= dict(_of_evidence(chosen, points, told))
        told |= dict(_conditional(chosen, points))
        told |= dict(_by_name(chosen))
    return Measured(run, facts, chosen, {key: each for key, each in told.items() if math.isfinite(each.value)},
                    _outdated(run, chosen))


def _outdated(run: Run, chosen: Evaluation | None) -> str:
    if chosen is None or chosen.step is None:
        return ""
    try:
        with safe_open(regular(run.weights), "np") as file:
            header = parsed_json((file.metadata() or {})["vaecore"], "its description")
    except (OSError, SafetensorError, KeyError, ValueError, RecursionError):
        return ""
    step = header.get("step") if isinstance(header, dict) else None
    return "" if not isinstance(step, int) or step == chosen.step else (
        f"{run.id} was evaluated with the weights of step {chosen.step:,}, and has those of step {step:,} by now.")


def _number(key: str, each: found.Found, chosen: Evaluation | None, points: Points) -> Number:
    """A number of the library with its settings, and its values where they are kept."""
    declared = NUMBERS[key]
    if chosen is None or not declared.evaluated:
        return Number(declared, each.value, each.kind or declared.kind, settings={"split": "test"})
    settings, count = _settings(key, chosen)
    meaning = chosen.meaning["likelihood"]
    name = VALUES.get(key, f"{key}.{next(iter(chosen.evidence.mse), '')}")
    like, clips = chosen.of(Likelihood) if key == "log_p_is" else None, chosen.of(Video) if key in OF_CLIPS else None
    low, high = (math.nan if end is None else end for end in (each.low, each.high))
    error = like.standard_error if like else (high - low) / (2 * two_sided())
    if key == "frechet":  # whose lower end may be cut at 0
        error = (high - each.value) / two_sided(GROUPS - 1)
    number = Number(declared, each.value, each.kind or declared.kind, meaning.words if like else "", settings, count,
                    low, high, error)
    if key in (*VALUES, "psnr", "ssim"):
        number = _with_values(number, points, name, chosen)
    if clips and number.values is None and (
            known := clips.metrics[key.removesuffix("_clips")].standard_error) is not None:
        reach = two_sided() * known
        number = replace(number, low=number.value - reach, high=number.value + reach, error=known)
    return number


def _of_evidence(chosen: Evaluation, points: Points, told: Mapping[str, Number]) -> Iterator[tuple[str, Number]]:
    """The terms of the bound as the evaluation found them, in the place of those of the training."""
    evidence, meaning = chosen.evidence, chosen.meaning["evidence"]
    settings = {"split": chosen.split, "seed": chosen.seed} | ({"given": "u"} if chosen.conditional else {})
    errors = list(evidence.mse)
    for key, value, name, kind in (
            ("elbo", evidence.elbo, "elbo", meaning.kind), ("log_p", evidence.elbo, "elbo", meaning.kind),
            ("log_p_given_z", evidence.elbo, "elbo", meaning.kind),
            ("reconstruction", evidence.reconstructed, "reconstruction", "no log p"),
            ("kl", evidence.rate, "kl", ""),
            ("mse", evidence.mse[errors[0]] if len(errors) == 1 else math.nan, f"mse.{(errors or [''])[0]}", "")):
        if key in told:
            words = meaning.words if name == "elbo" else ""
            yield key, _with_values(Number(NUMBERS[key], value, kind, words, settings, chosen.observations), points,
                                    name, chosen)


def _conditional(chosen: Evaluation, points: Points) -> Iterator[tuple[str, Number]]:
    """log p of each modality given the others."""
    if (across := chosen.of(Conditionals)) is None:
        return
    for name, each in across.modalities.items():
        if each.log_likelihood is not None:
            title = f"log p({name} | {', '.join(each.given)})"
            declared = Field(f"{CONDITIONAL}{name}", title, "Nats per observation, an estimate by importance sampling.",
                             "number", "nats", 2, "higher", "no log p", evaluated=True, compares="likelihood")
            settings = {"split": chosen.split, "K": across.samples, "N": across.observations, "seed": chosen.seed,
                        "method": each.method}
            number = Number(declared, each.log_likelihood, "no log p", each.warning, settings, across.observations,
                            error=math.nan if each.standard_error is None else each.standard_error)
            yield declared.key, _with_values(number, points, declared.key, chosen)


def _by_name(chosen: Evaluation) -> Iterator[tuple[str, Number]]:
    """Coherence by direction, what linear models read from each latent, and style under the swap."""
    for part, result in chosen.found.items():
        if part not in ("coherence", "sharing", "style"):
            continue
        settings = {"depends on": result.depends(chosen.split, chosen.seed)}
        if isinstance(result, Coherence):
            for direction, share in result.crossings().items():
                declared = Field(f"coherence.{direction}", f"Coherence {direction}", "Share of what is generated that "
                                 "is of the class of what was given.", "number", "share", 3, "higher", evaluated=True,
                                 compares="data")
                yield declared.key, Number(declared, share, settings=settings, observations=result.observations)
        for group, rows in groups_in(result):
            for name, each in rows.items():
                for told, value in numbers_in(each):
                    declared = Field(f"{part}.{name}.{told.name}", f"{told.title}, {name}",
                                     f"{group.help} {told.help}", "number", told.unit, told.digits or 3, told.better,
                                     evaluated=True, compares="data")
                    yield declared.key, Number(declared, math.nan if value is None else value, settings=settings)


def _settings(key: str, chosen: Evaluation) -> tuple[dict[str, Any], int | None]:
    """What a number of an evaluation depends on besides data and likelihood, in words, and how many are counted."""
    asked = chosen.settings
    usual: dict[str, Any] = {"split": chosen.split, "seed": chosen.seed}
    if key in ESTIMATED and (like := chosen.of(Likelihood)):
        return usual | ({"K": like.samples} if like.samples else {}) | {"N": like.observations} | (
            {"given": "u"} if chosen.conditional else {}), like.observations
    if key in ("frechet", "precision", "recall") and (drawn := chosen.of(Samples)):
        return usual | {"images drawn": asked.samples, "judge": " ".join(str(each)[:8] for each in drawn.judge)}, None
    if key in ("coherence", "joint_coherence") and (across := chosen.of(Coherence)):
        return usual | {"N": across.observations}, across.observations
    if key in OF_CLIPS and (clips := chosen.of(Video)):
        return usual | {"clips": clips.clips, "futures": clips.futures, "horizon": clips.horizon,
                        "frames given": clips.context}, clips.clips
    if key.endswith("_seconds") and (cost := chosen.of(Cost)):
        return {"processor": cost.processor[:60], "threads": cost.threads, "at a time": cost.together}, None
    if key in ("psnr", "ssim"):
        return {"split": chosen.split}, None
    return usual, None


def _with_values(number: Number, points: Points, name: str, chosen: Evaluation) -> Number:
    """The number with its values by observation, where they are kept and their mean is the number."""
    common = log_z_error({"log_z": chosen.log_z.model_dump()}) if chosen.log_z and number.declared.key in (
        "elbo", "log_p", "log_p_is") else 0.0
    values = agreeing(points.values.get(name), number.value)
    return replace(number, common=common, values=values, order=chosen.order,
                   groups=None if values is None else points.clusters(len(values)))


# -- intervals -------------------------------------------------------------------------------------


def _with_intervals(measured: Sequence[Measured]) -> list[Measured]:
    """The runs with an interval for each number whose values are kept, but where the evaluation has told one itself.

    That one every page shows, so it is not found a second time: an older evaluation told percentiles.
    """
    places = [(run, key, number) for run, each in enumerate(measured) for key, number in each.numbers.items()
              if number.values is not None and not math.isfinite(number.low)]
    told: dict[tuple[int, str], Number] = {}
    for (run, key, number), mean in zip(places, _means([
            (number.values, number.groups) for _, _, number in places if number.values is not None]), strict=True):
        common = two_sided() * number.common
        told[run, key] = replace(
            number, low=number.value - math.hypot(mean.value - mean.low, common),
            high=number.value + math.hypot(mean.high - mean.value, common),
            error=math.hypot(mean.error, number.common))
    return [replace(each, numbers={key: told.get((run, key), number) for key, number in each.numbers.items()})
            for run, each in enumerate(measured)]


def _means(columns: Sequence[tuple[Values, NDArray[np.int64] | None]]) -> list[Mean]:
    """The mean of each column with its interval; columns over the same observations are one call."""
    kinds: dict[tuple[int, bytes], list[int]] = {}
    for place, (values, groups) in enumerate(columns):
        kinds.setdefault((len(values), b"" if groups is None else groups.tobytes()), []).append(place)
    told: dict[int, Mean] = {}
    for places in kinds.values():
        several = means(np.stack([columns[place][0] for place in places], 1), columns[places[0]][1])
        told |= dict(zip(places, several, strict=True))
    return [told[place] for place in range(len(columns))]


def _pairs(one: Number, two: Number) -> bool:
    """Whether both know their values on the same observations."""
    return (one.values is not None and two.values is not None and len(one.values) == len(two.values)
            and bool(one.order) and one.order == two.order)


def _paired(pairs: Sequence[tuple[tuple[str, str], Number, Number]]
            ) -> Iterator[tuple[tuple[str, str], Number, Number, Mean]]:
    columns = [(one.values.astype(np.float64) - two.values, one.groups) for _, one, two in pairs
               if one.values is not None and two.values is not None]
    for (place, one, two), mean in zip(pairs, _means(columns), strict=True):  # type: ignore[arg-type]
        yield place, one, two, mean


def _apart(one: Number, two: Number) -> Difference:
    """The difference of two numbers that are not paired, from their standard errors where both have one."""
    value, reach = one.value - two.value, two_sided() * math.hypot(one.error, two.error)
    return Difference(value, value - reach, value + reach)


def _unlike(ours: Headline, one: Number, theirs: Headline, two: Number) -> tuple[str, ...]:
    """In what two numbers of a field differ besides the model, in words; empty where they compare."""
    told = comparable([ours, theirs], nats=one.declared.compares == "likelihood") if one.declared.compares else []
    if one.observations and two.observations and one.observations != two.observations:
        told.append(f"N ({one.observations:,} and {two.observations:,})")
    for name in dict.fromkeys((*one.settings, *two.settings)):
        a, b = one.settings.get(name), two.settings.get(name)
        if name == "given":
            a, b = a or "nothing", b or "nothing"
        words = f"{name} ({a} and {b})"
        if name != "N" and a is not None and b is not None and a != b and words not in told:
            told.append(words)
    if not told and one.order and two.order and one.order != two.order and one.declared.compares:
        told.append("observations, or their order")
    return tuple(told)


def _missing(run: str) -> Measured:
    raise KeyError(run)
