"""C5: without the marginal ELBOs the experts of an MVAE cannot stand alone (Wu & Goodman 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.config import RunConfig, changed, preset
from vaecore.data.missing import Complete, MultimodalConfig
from vaecore.evaluate.coherence import Coherence, coherence
from vaecore.evaluate.judges import Judge, judges
from vaecore.store import Run
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed

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
    """Both once, all else equal."""
    return finding([{"training": name, **crossed(judged(bench, bench.train(name.replace(" ", "-").lower(),
                                                                           configuration(settings))))}
                    for name, settings in MODELS.items()])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table."""
    with_, without = ([float(next(r for r in table if r["training"] == name)[f"{a} -> {b}"]) for a, b in DIRECTIONS]
                      for name in MODELS)
    return Finding(
        min(with_) >= GOOD and max(without) < CHANCE,
        f"Image -> label {with_[0]:.1%} with the marginal ELBOs and {without[0]:.1%} without, label -> image "
        f"{with_[1]:.1%} and {without[1]:.1%}.",
        list(table), note="Codes are drawn from q(z|given), not means; images are judged by a classifier of our own, "
                          "whose test accuracy is the ceiling. One seed.")


CLAIM = Claim(
    "C5", "MVAE needs the marginal ELBOs",
    "The joint ELBO alone never trains an expert to be right by itself; with the ELBO of each modality added, one "
    "modality is generated from the other.",
    "Wu & Goodman (2018), MVAE",
    "An MVAE of embedded digits and their labels, with and without the marginal ELBOs; 500 test pairs.",
    f"Cross-modal accuracy of at least {GOOD:.0%} in both directions with them, below {CHANCE:.0%} in both without.",
    8.5, run)
