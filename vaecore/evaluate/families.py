"""The lecture's closing question with measurements: four ways to model p(x), side by side on one data set.

Independent components, autoregressive, energy-based and variational models, as their evaluations have them: is log p(x)
exact, what is it, what does it take to infer and to sample, and what is the code good for. No torch in here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vaecore.evaluate.kept import Facts, evaluations
from vaecore.evaluate.meaning import density_of_two_values, likelihood_meaning
from vaecore.evaluate.settings import PARTS
from vaecore.store import Run, StoreError

Kind = Literal["exact", "annealed", "importance", "grey", "density", "none"]
APPROACHES = ("independent components", "autoregressive", "energy-based", "variational autoencoder")  # as on the slide
KINDS: dict[Kind, str] = {
    "exact": "exact", "annealed": "exact but for log Z, which is estimated", "importance": "estimate from below",
    "grey": "no log p: of grey pixels, scored as black and white",
    "density": "no log p: a density at pixels that are 0 or 1", "none": "not evaluated"}
SPLIT = "test"


@dataclass(frozen=True)
class Measured:
    """One model of one approach; None where no evaluation says it."""

    run: Run
    approach: str
    family: str
    data: str  # which observations, in words
    kind: Kind
    log_p: float | None  # nats per observation
    standard_error: float | None
    samples: int  # K of an estimate
    conditional: bool  # of x given its label or covariate, which is more than that of x
    likelihood: str  # what is scored: nats of different ones do not compare
    inference_passes: int | None
    inference_seconds: float | None
    sampling_passes: int | None
    sampling_seconds: float | None
    first_sample_seconds: float | None
    coded: bool | None  # whether there is a code at all
    probe: float | None  # accuracy of a linear classifier on the code
    chance: float | None
    told: bool  # the encoder was given the label, so that the probe says nothing
    frechet: float | None
    floor: float | None  # the same distance between real images
    parameters: int | None


def approach_of(run: Run) -> str:
    """Which of the four a run is; empty for one that is none of them, or has no configuration that can be read."""
    try:
        run.values()  # without a configuration there is nothing to set beside others
        found = run.about().get("approach", "")
        if found == "":  # of a run older than the word
            found = run.config().model.approach
    except (StoreError, ValueError):
        return ""
    return found if found in APPROACHES else ""


def data_key(run: Run) -> str:
    """Equal for runs of the same data, pixels and seeds."""
    try:
        return json.dumps(run.values().get("data"), sort_keys=True)
    except StoreError:
        return ""


def groups(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs of the four approaches by `data_key`, the data with most approaches first."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if approach_of(run):
            found.setdefault(data_key(run), []).append(run)
    return dict(sorted(found.items(), key=lambda item: -len({approach_of(run) for run in item[1]})))


def newest(found: Iterable[Facts]) -> Facts:
    """Of evaluations, the newest last, each part as it was found last on the test split, whole."""
    merged: Facts = {}
    for facts in found:
        if facts["settings"]["split"] == SPLIT and facts.get("step") is not None:
            if merged and merged.get("step") != facts["step"]:
                merged = {}  # of other weights
            merged |= {name: value for name, value in facts.items()
                       if name not in PARTS or name not in facts["missing"]}
    return merged


def measured(run: Run) -> Measured:
    """What the evaluations of `run` say; raises `StoreError` for a run without a configuration."""
    facts = newest(evaluations(run))
    values, about = run.values(), run.about()
    log_p = _number(facts, "likelihood", "log_likelihood")
    said = likelihood_meaning(facts).kind
    kind: Kind = ("none" if log_p is None else "density" if density_of_two_values(facts) else
                  "grey" if said == "no log p" else "exact" if said == "exact" else
                  "annealed" if facts.get("exact") is True else "importance")
    return Measured(
        run=run, approach=approach_of(run), family=str(about.get("family") or _at(values, "model", "family"))[:80],
        data=str(facts.get("data") or about.get("data") or "")[:200], kind=kind, log_p=log_p,
        standard_error=_number(facts, "likelihood", "standard_error"),
        samples=int(_number(facts, "likelihood", "samples") or 0), conditional=facts.get("conditional") is True,
        likelihood=str(facts.get("likelihood_name") or "")[:80],
        inference_passes=_whole(facts, "cost", "inference_passes"),
        inference_seconds=_number(facts, "cost", "inference_seconds"),
        sampling_passes=_whole(facts, "cost", "sampling_passes"),
        sampling_seconds=_number(facts, "cost", "sampling_seconds"),
        first_sample_seconds=_number(facts, "cost", "first_sample_seconds"),
        coded=bool(_at(facts, "evidence", "code_mean")) if facts else None,
        probe=_number(facts, "probe", "accuracy"), chance=_number(facts, "probe", "chance"),
        told=_at(facts, "probe", "encoder_reads_label") is True, frechet=_number(facts, "samples", "frechet"),
        floor=_number(facts, "samples", "floor", "frechet"), parameters=_whole(facts, "cost", "parameters"))


def ordered(runs: Iterable[Run]) -> list[Measured]:
    """Measurements in the order of the slide; within an approach the likeliest first, those given a label last."""
    return sorted(map(measured, runs), key=lambda m: (
        APPROACHES.index(m.approach) if m.approach in APPROACHES else len(APPROACHES), m.kind == "none", m.conditional,
        -(m.log_p or 0.0)))


def _at(facts: Mapping[str, Any], *path: str) -> Any:
    found: Any = facts
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _number(facts: Mapping[str, Any], *path: str) -> float | None:
    found = _at(facts, *path)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _whole(facts: Mapping[str, Any], *path: str) -> int | None:
    found = _number(facts, *path)
    return None if found is None else int(found)
