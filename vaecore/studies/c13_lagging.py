"""C13: trained plainly a sentence VAE collapses, trained aggressively it does not (He et al. 2019)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.lagging import Spread, ratio_at, spread_at
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.studies.base import Bench, Finding, Result, Row, Study
from vaecore.studies.exhibit import ELBO, KL, Column, Exhibit, Figure, Spreads, Table
from vaecore.studies.series import DAMAGED, Member, Series, finite

SEEDS = (5, 6, 7, 8, 9)  # 0 to 4 were seen before the rule was fixed
EARLY = 200  # step at which the two spreads are compared, as in the paper's figure
COLLAPSED = 0.1  # nats; more is not collapsed: one number for both halves, so that no seed is neither
MOVED, STILL = 0.1, 0.05  # sd of the model posterior's and of the encoder's means at that step, without the encoder
TOGETHER = 0.9  # correlation of model and inference means
KINDS = ("basic", "aggressive")


def runs() -> dict[str, RunConfig]:
    """The lecture's picture: the same data and seed, plainly and aggressively."""
    return {kind: preset(f"lagging-{kind}") for kind in KINDS}


def configuration(kind: str, seed: int) -> RunConfig:
    """The shipped preset `lagging-basic` or `lagging-aggressive` with a seed."""
    return changed(runs()[kind], [f"seed={seed}"])


def row(bench: Bench, kind: str, seed: int) -> Row:
    """One training: its last evaluation, and where its points stand."""
    run = bench.train(f"{kind}-{seed}", configuration(kind, seed))
    metrics = bench.metrics(run)
    last = metrics.evaluations[-1]
    early = next(s for s in metrics.snapshots if s["step"] >= EARLY)
    model, inference = means(early)
    late_model, late_inference = means(metrics.snapshots[-1])
    return {"training": kind, "seed": seed, "KL": sum(last["kl"]["z"]),
            "mutual information": last["information"]["z"]["mutual_information"],
            "-ELBO": -last["elbo"],
            "sd model, step 200": float(model.std()), "sd inference, step 200": float(inference.std()),
            "sd model, end": float(late_model.std()), "sd inference, end": float(late_inference.std()),
            "correlation, end": correlation(late_model, late_inference),
            "encoder updates": last.get("encoder_updates", 0)}


def means(snapshot: dict[str, dict[str, list[list[float]]]]) -> tuple[np.ndarray, np.ndarray]:
    """Model and inference means of the scalar z, (N,) each."""
    return np.asarray(snapshot["model"]["z"])[:, 0], np.asarray(snapshot["inference"]["z"])[:, 0]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one of them does not vary at all."""
    return 0.0 if min(a.std(), b.std()) < 1e-6 else float(np.corrcoef(a, b)[0, 1])


def run(bench: Bench) -> Finding:
    """Five seeds, both ways."""
    return finding([row(bench, kind, seed) for seed in SEEDS for kind in KINDS])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where both trainings are not of the same seeds."""
    def of(kind: str, name: str) -> dict[int, float]:
        return by_seed(table, name, training=kind)

    basic, aggressive = (of(kind, "KL") for kind in KINDS)
    difference = paired(aggressive, basic)
    moved, still = over_seeds(list(of("basic", "sd model, step 200").values())), of("basic", "sd inference, step 200")
    correlation = of("aggressive", "correlation, end")
    holds = {
        "the model posterior did not move first": moved.low >= MOVED,
        "the encoder did not stay at the prior": max(still.values()) <= STILL,
        "plain training did not collapse in every seed": max(basic.values()) < COLLAPSED,
        "aggressive training collapsed in a seed": min(aggressive.values()) >= COLLAPSED,
        "the KLs are not apart": difference.low >= COLLAPSED,
        "the encoder does not keep up": min(correlation.values()) >= TOGETHER}
    failed = [words for words, held in holds.items() if not held]

    def span(values: dict[int, float]) -> str:
        return f"{min(values.values()):.3g} to {max(values.values()):.3g}"

    return Finding(
        not failed,
        f"Basic ended with a KL of {span(basic)} nats in {len(basic)} seeds, aggressive with {span(aggressive)}, "
        f"{difference.words()} more, and a correlation of {span(correlation)}. At step {EARLY} of plain training the "
        f"model posterior's means had spread by {moved.words()}, the encoder's by at most {max(still.values()):.2g}."
        + (f" What fails: {'; '.join(failed)}." if failed else ""),
        list(table), note="The likelihood gain of the paper is not claimed here: it shows only after convergence with "
                          "a falling learning rate.",
        intervals={"KL, aggressive less basic": difference, f"spread of the model posterior, step {EARLY}": moved})


# -- what there is to see --------------------------------------------------------------------------

COLUMNS = {
    "KL": KL, "Mutual information": Column("What the code tells about the observation, in nats. On the validation "
                                           "set."), "ELBO": ELBO,
    "Spread ratio": Column("Spread of the encoder's means over that of the model posterior's, at the end: near 1 the "
                           "encoder keeps up, near 0 it lags behind. None where the model posterior's hardly vary, as "
                           "when both have collapsed. On the validation set.", 2)}


def of_result(result: Result) -> Exhibit | None:
    """Each seed of a kept result, both ways; what is damaged costs itself."""
    rows, points = [], []
    for each in result.table:
        kind, name, point = str(each.get("training")), f"seed {each.get('seed')}", None
        with contextlib.suppress(*DAMAGED):
            early, late = ((float(each[f"sd model, {when}"]), float(each[f"sd inference, {when}"]))
                           for when in (f"step {EARLY}", "end"))
            if all(map(math.isfinite, (*early, *late))):
                points.append(point := Spread(kind, name, early, late))
        with contextlib.suppress(*DAMAGED):
            rows.append({"Encoder": kind, "Run": name, "KL": finite(float(each["KL"])),
                         "Mutual information": finite(float(each["mutual information"])),
                         "ELBO": finite(-float(each["-ELBO"])), "Spread ratio": point.ratio if point else None})
    return beside(rows, points, EARLY)


def of_runs(members: Sequence[Member]) -> Exhibit | None:
    """A user's runs, from the first snapshot at step 200 or later to the last."""
    rows, points, first = [], [], EARLY
    for member in members:
        if not (end := member.last.get("step")):
            continue
        kind = "aggressive" if member.chosen("training", "inference", "kind") == "aggressive" else "basic"
        there = member.metrics.snapshots
        if last := next(filter(None, map(spread_at, reversed(there))), None):
            early = next((found for found in filter(None, map(spread_at, there)) if found[0] >= EARLY), last)
            first = int(early[0])
            points.append(Spread(kind, member.run.id, early[1], last[1]))
        rows.append({"Encoder": kind, "Run": member.run.id, "KL": finite(member.last.get("kl")),
                     "Mutual information": finite(member.last.get("mutual_information")), "ELBO": member.bound,
                     "Spread ratio": ratio_at(there, end)})
    return beside(rows, points, first)


def beside(rows: Sequence[dict[str, Any]], points: Sequence[Spread], early: int) -> Exhibit | None:
    """The table and the picture, the basic runs first; None where there is neither."""
    figures: list[Figure] = []
    if rows:
        figures.append(Table("Basic beside aggressive", "The same data and model; only the order of updates differs: "
                             "together, or many of the encoder for each of the decoder.",
                             sorted(rows, key=lambda row: row["Encoder"] != "basic"), COLUMNS))
    if points:
        figures.append(Spreads(sorted(points, key=lambda point: point.training != "basic"), f"step {early:,}"))
    return Exhibit(figures) if figures else None


STUDY = Study(
    "C13", "The encoder lags behind",
    "With plain training the model posterior moves while the encoder stays at the prior, and the VAE collapses; "
    "with an aggressively trained encoder it does not.",
    "He, Spokoyny, Neubig & Berg-Kirkpatrick (2019), Lagging inference networks; lecture, Algorithm 1",
    "Their synthetic sentences and scalar z, 2,000 decoder steps, five seeds; KL over the validation set and the "
    "means of 200 sentences on a grid.",
    f"In every seed: basic KL < {COLLAPSED} nats, aggressive KL >= {COLLAPSED} nats with correlation >= {TOGETHER}. "
    f"Over seeds, by 95% intervals: the difference of the KLs at least {COLLAPSED} nats; at step {EARLY} of plain "
    f"training the model posterior's means spread by at least {MOVED}, and the encoder's by at most {STILL} in every "
    "seed.", 16, run,
    exhibit=of_result,
    columns={"sd model": "Standard deviation of the model posterior's means over the same sentences.",
             "sd inference": "Standard deviation of the encoder's means over the same sentences.",
             "correlation": "Of the model posterior's means and the encoder's, at the end.",
             "encoder updates": "Updates of the encoder alone, before those of the decoder."},
    series=Series("lagging", "Does the encoder follow where the decoder leads?", runs, of_runs, "The lagging encoder",
                  moves=True))
