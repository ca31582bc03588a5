"""C5: without the marginal ELBOs the experts of an MVAE cannot stand alone (Wu & Goodman 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from vaecore.config import RunConfig, changed, preset
from vaecore.data.missing import Complete, MultimodalConfig
from vaecore.evaluate.coherence import coherence
from vaecore.evaluate.judges import Judge, judges
from vaecore.evaluate.parts.coherence import Coherence
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed

SEEDS = (0, 1, 2)
GOOD, CHANCE = 0.9, 0.3  # cross-modal accuracy; what is below the second is called near chance, fixed beforehand
DIRECTIONS = (("image", "label"), ("label", "image"))
MODELS: dict[str, tuple[str, ...]] = {
    "with marginal ELBOs": (), "joint ELBO only": ("model.posterior.marginals=false",)}


def configuration(settings: Sequence[str] = ()) -> RunConfig:
    """The shipped preset `mvae-image-label` on the embedded digits."""
    return changed(preset("mvae-image-label"), [
        "data.source=embedded", "training.keep=last", "training.snapshots=0", "training.checkpoints=0", *settings])


def judged(bench: Bench, run: Run, *, limit: int = 10_000) -> Coherence:
    """Coherence of a finished run on the test split, by judges of the data with nothing missing."""
    config = run.config()
    assert isinstance(config.data, MultimodalConfig)
    dataset = config.data.model_copy(update={"missing": Complete()}).load()
    labels = dataset.splits["test"].labels
    assert labels is not None

    def tell(_done: int, _total: int) -> None:
        bench.check()

    who: Mapping[str, Judge] = judges(dataset, progress=tell)[0]
    return coherence(load_model(run.path), Feed(dataset, "test", torch.device("cpu")), labels, who, limit=limit,
                     progress=tell)


def crossed(found: Coherence, directions: Sequence[tuple[str, str]] = DIRECTIONS) -> Row:
    """Shares by direction, then the ceilings of what was generated, and agreement of samples of the prior."""
    row: dict[str, float | int | str] = {f"{a} -> {b}": found.share([a], b) for a, b in directions}
    row |= {f"ceiling of {b}": found.ceiling[b] for _, b in directions}
    return row | {"joint": -1.0 if found.joint is None else found.joint, "chance": found.chance}


def run(bench: Bench) -> Finding:
    """Both for every seed, all else equal."""
    return finding([{"training": name, "seed": seed, **crossed(judged(bench, bench.train(
        f"{name.replace(' ', '-').lower()}-{seed}", configuration([f"seed={seed}", *settings]))))}
                    for seed in SEEDS for name, settings in MODELS.items()])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where both are not of the same seeds."""
    found = {(name, direction): by_seed(table, " -> ".join(direction), training=name)
             for name in MODELS for direction in DIRECTIONS}
    mean = {key: over_seeds(list(values.values())) for key, values in found.items()}
    with_, without = MODELS
    gain = {direction: paired(found[with_, direction], found[without, direction]) for direction in DIRECTIONS}
    holds = {f"that {' -> '.join(d)} is right in {GOOD:.0%} with the marginal ELBOs": mean[with_, d].low >= GOOD
             for d in DIRECTIONS}
    holds |= {f"that {' -> '.join(d)} is near chance without": mean[without, d].high < CHANCE for d in DIRECTIONS}
    holds |= {f"that {' -> '.join(d)} differs by as much": gain[d].low > GOOD - CHANCE for d in DIRECTIONS}
    failed = [words for words, held in holds.items() if not held]
    return Finding(
        not failed,
        "Accuracy: " + "; ".join(f"{' -> '.join(d)} {mean[with_, d].words('.1%')} with the marginal ELBOs and "
                  f"{mean[without, d].words('.1%')} without, by seed {gain[d].words('.1%')} more"
                  for d in DIRECTIONS) + "."
        + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table), note="Codes are drawn from q(z|given), not means; images are judged by a classifier of our own, "
                          "whose test accuracy is the ceiling.",
        intervals={f"{' -> '.join(d)}, with less without": each for d, each in gain.items()})


STUDY = Study(
    "C5", "MVAE needs the marginal ELBOs",
    "The joint ELBO alone never trains an expert to be right by itself; with the ELBO of each modality added, one "
    "modality is generated from the other.",
    "Wu & Goodman (2018), MVAE",
    "An MVAE of embedded digits and their labels, with and without the marginal ELBOs; 500 test pairs; "
    f"{len(SEEDS)} seeds.",
    f"By 95% intervals over seeds: cross-modal accuracy of at least {GOOD:.0%} in both directions with them, below "
    f"{CHANCE:.0%} in both without, and by paired differences more than {100 * (GOOD - CHANCE):.0f} points apart.",
    5.1, run)
