"""C6: from few pairs and many unpaired observations an MVAE learns to cross better than a JMVAE (Wu & Goodman 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from vaecore.config import RunConfig, changed, preset
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.studies.c05_marginals import crossed, judged

SEEDS = (0, 1, 2)
PAIRED = 0.01  # of the training observations
RECOVERS = 0.9  # the share of what MVAE has with all pairs that is called recovered
GAIN = 0.1  # accuracy by which MVAE is to lead the best JMVAE
ALPHAS = (0.1, 1.0, 10.0)  # of JMVAE: the weight of its KL, on which what it crosses depends
EPOCHS = 6
ALL = "MVAE, all pairs"
METHODS: dict[str, tuple[str, float, tuple[str, ...]]] = {
    ALL: ("mvae-image-label", 1.0, ()), "MVAE": ("mvae-image-label", PAIRED, ()),
    **{f"JMVAE, alpha {alpha:g}": ("jmvae-image-label", PAIRED, (f"model.posterior.alpha={alpha}",))
       for alpha in ALPHAS}}


def configuration(method: str, seed: int = 0, settings: Sequence[str] = ()) -> RunConfig:
    """A shipped preset on the full MNIST, most observations torn into an image and a label that are seen apart.

    Where all is paired an epoch is half as long, so there are twice as many.
    """
    shipped, paired_, own = METHODS[method]
    missing = [] if paired_ == 1 else ["data.missing.kind=pairing", f"data.missing.paired={paired_}",
                                       f"data.missing.seed={seed}"]
    return changed(preset(shipped), [
        "data.source=full", *missing, f"training.epochs={EPOCHS if paired_ < 1 else 2 * EPOCHS}",
        "training.batch_size=200", "training.evaluate_every=10", "training.keep=last", "training.snapshots=0",
        "training.checkpoints=0", f"seed={seed}", *own, *settings])


def run(bench: Bench) -> Finding:
    """Every method for every seed, which also chooses the pairs."""
    return finding([{"method": method, "paired, %": 100 * METHODS[method][1], "seed": seed, **crossed(judged(
        bench, bench.train(f"{method.replace(', ', '-').replace(' ', '-').lower()}-{seed}",
                           configuration(method, seed))))}
                    for seed in SEEDS for method in METHODS])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where methods are not of the same seeds."""
    found = {method: by_seed(table, "image -> label", method=method) for method in METHODS}
    bar = {seed: RECOVERS * value for seed, value in found[ALL].items()}
    others = [method for method in METHODS if method.startswith("JMVAE")]
    best = max(others, key=lambda method: over_seeds(list(found[method].values())).mean)
    above, below = paired(found["MVAE"], bar), {method: paired(found[method], bar) for method in others}
    lead = {method: paired(found["MVAE"], found[method]) for method in others}
    holds = {
        f"MVAE does not recover {RECOVERS:.0%} of what all pairs give": above.low >= 0,
        "a JMVAE recovers it too, or may": all(each.high < 0 for each in below.values()),
        f"MVAE does not lead the best JMVAE by {GAIN:.0%}": all(each.low >= GAIN for each in lead.values())}
    failed = [words for words, held in holds.items() if not held]
    means = {method: over_seeds(list(values.values())) for method, values in found.items()}
    return Finding(
        not failed,
        f"With {PAIRED:.0%} of the observations paired, MVAE names the digit in an image in "
        f"{means['MVAE'].words('.1%')} of cases, with all paired in {means[ALL].words('.1%')}; JMVAE in "
        + ", ".join(f"{means[method].words('.1%')} with {method.removeprefix('JMVAE, ')}" for method in others)
        + f". MVAE leads {best} by {lead[best].words('.1%')}."
        + (f" What fails: {'; '.join(failed)}." if failed else ""),
        list(table), note="JMVAE is also trained on what is unpaired, by the ELBO of its encoders of one modality; its "
                          "KL from the joint posterior exists for pairs alone, and is weighted by alpha. Codes are "
                          "drawn, not means.",
        intervals={f"MVAE less {RECOVERS:.0%} of MVAE with all pairs": above, f"MVAE less {best}": lead[best],
                   f"{best} less {RECOVERS:.0%} of MVAE with all pairs": below[best]})


STUDY = Study(
    "C6", "Unpaired observations are enough, almost",
    "With 1 % of the observations paired and the rest seen one modality at a time, MVAE recovers cross-modal inference "
    "where JMVAE does not.",
    "Wu & Goodman (2018), MVAE, weak supervision",
    f"MNIST and its labels, 50,000 training observations of which {PAIRED:.0%} are paired, {len(SEEDS)} seeds; MVAE, "
    f"JMVAE with alpha {', '.join(f'{alpha:g}' for alpha in ALPHAS)}, and MVAE with all pairs; the label named from "
    "the image, 10,000 test images.",
    f"By 95% intervals of paired differences over seeds, accuracy image -> label: MVAE at least {RECOVERS:.0%} of what "
    f"it has with all pairs; JMVAE, whatever its alpha, below that; MVAE above every JMVAE by at least "
    f"{100 * GAIN:.0f} points.", 21, run)
