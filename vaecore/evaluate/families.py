"""The lecture's closing question with measurements: four ways to model p(x), side by side on one data set.

Independent components, autoregressive, energy-based and variational models, as their evaluations have them: is log p(x)
exact, what is it, what does it take to infer and to sample, and what is the code good for. No torch in here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vaecore.evaluate.evaluation import Evaluation
from vaecore.evaluate.kept import Facts, evaluations
from vaecore.evaluate.meaning import density_of_two_values
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.parts.cost import Cost
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.parts.probe import Probe
from vaecore.evaluate.parts.samples import Samples
from vaecore.evaluate.results import finite
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
    observations: int | None  # over which log p is a mean
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
    """The lecture's approach that a run takes; empty for none of the four, or a configuration that cannot be read."""
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
    """The parts of evaluations, the newest last, each as it was found last on the whole test split."""
    merged: Facts = {}
    for facts in found:
        if facts["settings"]["split"] == SPLIT and facts.get("step") is not None:
            if merged and merged.get("step") != facts["step"]:
                merged = {}  # of other weights
            merged |= {name: value for name, value in facts.items()
                       if name not in PARTS or name not in facts["missing"]}
    return merged


def likelihood(run: Run) -> Likelihood | None:
    """log p(x) of the test split as pages say it beside that of others; None where no evaluation has it."""
    facts = newest(evaluations(run))
    return Evaluation.read(facts).of(Likelihood) if facts else None


def measured(run: Run) -> Measured:
    """What the evaluations of `run` say; raises `StoreError` for a run without a configuration."""
    values, about = run.values(), run.about()
    facts = newest(evaluations(run))
    found = Evaluation.read(facts) if facts else None
    likelihood, cost = (found.of(Likelihood), found.of(Cost)) if found else (None, None)
    probe, samples = (found.of(Probe), found.of(Samples)) if found else (None, None)
    model, log_p = values.get("model"), finite(likelihood.log_likelihood) if likelihood else None
    said = found.meaning["likelihood"].kind if found else ""
    kind: Kind = ("none" if log_p is None else "density" if density_of_two_values(facts) else
                  "grey" if said == "no log p" else "exact" if said == "exact" else
                  "annealed" if found and found.exact else "importance")
    return Measured(
        run=run, approach=approach_of(run), kind=kind, log_p=log_p,
        family=str(about.get("family") or (model.get("family") if isinstance(model, dict) else ""))[:80],
        data=str((found.data if found else "") or about.get("data") or "")[:200],
        standard_error=finite(likelihood.standard_error) if likelihood else None,
        samples=likelihood.samples if likelihood else 0, observations=likelihood.observations if likelihood else None,
        conditional=found is not None and found.conditional,
        likelihood=found.likelihood_name[:80] if found else "",
        inference_passes=cost.inference_passes if cost else None,
        inference_seconds=finite(cost.inference_seconds) if cost else None,
        sampling_passes=cost.sampling_passes if cost else None,
        sampling_seconds=cost.sampling_seconds if cost else None,
        first_sample_seconds=cost.first_sample_seconds if cost else None,
        coded=bool(found.evidence.code_mean) if found else None,
        probe=finite(probe.accuracy) if probe else None, chance=finite(probe.chance) if probe else None,
        told=probe is not None and probe.encoder_reads_label, frechet=finite(samples.frechet) if samples else None,
        floor=finite(samples.floor.frechet) if samples else None, parameters=cost.parameters if cost else None)


def ordered(runs: Iterable[Run]) -> list[Measured]:
    """Measurements in the order of the slide; within an approach the likeliest first, those given a label last."""
    return sorted(map(measured, runs), key=lambda m: (
        APPROACHES.index(m.approach) if m.approach in APPROACHES else len(APPROACHES), m.kind == "none", m.conditional,
        -(m.log_p or 0.0)))
