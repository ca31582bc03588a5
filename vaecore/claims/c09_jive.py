"""C9: JIVE finds the ranks of joint and individual variation by permutation."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.data import DataUnavailable
from vaecore.data.omics import SIZES, Omics
from vaecore.data.planted_blocks import PlantedBlocks
from vaecore.multiblock import Decomposition, choose_ranks

SEEDS = 20
PLANTED = (1, 1, 1)
SHARE = 0.9  # of the seeds that have to find them
JOINT = 2  # rank of the tumours, in r.jive
PUBLISHED = (27, 26, 25)  # individual ranks there: reported, not judged
RANKS = "ranks (joint; individual)"
Matrix = NDArray[np.float64]


def simulated(seed: int) -> Row:
    """Two blocks of 50 variables and 100 samples as the SimData of r.jive, noise as strong as each part."""
    config = PlantedBlocks(blocks=2, features=50, joint_rank=1, individual_rank=1, noise=1.0, samples=100, seed=seed)
    split = config.load().splits["train"]
    blocks = [np.asarray(x, np.float64) for x in split.arrays.values()]
    assert split.factors is not None
    found = choose_ranks(blocks, seed=seed)
    truth = split.factors  # (n, 3): joint, then individual of each block
    joint = np.concatenate([np.outer(truth[:, 0] - truth[:, 0].mean(), w[:, 0]) for w, _ in config.parameters()], axis=1)
    centred = [x - x.mean(0) for x in blocks]
    stacked = np.concatenate([x / np.linalg.norm(x) for x in centred], axis=1)
    left, _, _ = np.linalg.svd(stacked, full_matrices=False)
    components = left[:, :sum(PLANTED)]
    return {"data": f"simulated, seed {seed}", RANKS: written(found),
            "relative error of J": float(np.linalg.norm(np.concatenate(found.joint, axis=1) - joint)
                                         / np.linalg.norm(joint)),
            "R2 of planted joint scores, JIVE": alike(found.joint_scores, truth[:, 0]),
            "of individual ones, JIVE": mean(alike(s, truth[:, 1 + m])
                                             for m, s in enumerate(found.individual_scores)),
            "R2 of planted joint scores, PCA": alike(components, truth[:, 0]),
            "of individual ones, PCA": mean(alike(components, truth[:, 1 + m]) for m in range(2))}


def alike(scores: Matrix, truth: Matrix) -> float:
    """The largest squared correlation of one score (n, r) with the truth (n,): 0 where there is none."""
    return max((float(np.corrcoef(s, truth)[0, 1] ** 2) for s in scores.T), default=0.0)


def written(found: Decomposition) -> str:
    return f"{found.joint_rank}; {', '.join(map(str, found.individual_ranks))}"


def tumours(bench: Bench) -> Row | None:
    """All 348 of them, raw; None where the data is not here."""
    try:
        splits = Omics(scale="raw").load().splits.values()
    except DataUnavailable:
        return None
    blocks = [np.concatenate([split.arrays[name] for split in splits]).astype(np.float64) for name in SIZES]

    def say(line: str) -> None:
        bench.say(f"tumours, {line}")
        bench.check()

    found = choose_ranks(blocks, progress=say)
    shares = "; ".join(f"{name} {e['joint']:.2f} / {e['individual']:.2f} / {e['residual']:.2f}"
                       for name, e in zip(SIZES, found.explained, strict=True))
    return {"data": "348 tumours", RANKS: written(found), "joint / individual / residual": shares}


def run(bench: Bench) -> Finding:
    """Simulations, then the tumours."""
    table = []
    for seed in range(SEEDS):
        bench.check()
        table.append(simulated(seed))
        bench.say(f"{table[-1]['data']}: {table[-1][RANKS]}")
    real = tumours(bench)
    return finding(table if real is None else [*table, real])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table."""
    seeds = [row for row in table if str(row["data"]).startswith("simulated")]
    real = [row for row in table if row not in seeds]
    planted = f"{PLANTED[0]}; {PLANTED[1]}, {PLANTED[2]}"
    right = sum(row[RANKS] == planted for row in seeds)
    ranks = [str(row[RANKS]) for row in real]
    joint, own, theirs = (mean(float(row[name]) for row in seeds) for name in (
        "R2 of planted joint scores, JIVE", "of individual ones, JIVE", "R2 of planted joint scores, PCA"))
    error = mean(float(row["relative error of J"]) for row in seeds)
    summary = (f"{right} of {len(seeds)} simulations have ranks ({planted}), with a mean relative error of J of "
               f"{error:.2f}. A joint score of JIVE has R2 {joint:.2f} with the planted one, the best principal "
               f"component of the blocks joined {theirs:.2f}; individual ones {own:.2f}.")
    if ranks:
        summary += f" The tumours have ranks ({ranks[0]}); r.jive says {JOINT}; {', '.join(map(str, PUBLISHED))}."
    note = "" if ranks else "The tumours are not on this machine: judged by the simulations alone."
    return Finding(right >= SHARE * len(seeds) and all(r.startswith(f"{JOINT};") for r in ranks), summary, list(table),
                   note=note)


CLAIM = Claim(
    "C9", "JIVE finds how much variation is joint",
    "Permutation tests find the ranks of the variation that blocks share and of what each has alone, in simulations and "
    "in gene expression, methylation and miRNA of breast tumours.",
    "Lock, Hoadley, Marron & Nobel (2013); O'Connell & Lock (2016) for r.jive and its data",
    f"{SEEDS} simulations of two blocks with one joint and one individual score each, and the 348 tumours of r.jive, "
    "with 100 permutations and alpha 0.05.",
    f"Ranks ({PLANTED[0]}; {PLANTED[1]}, {PLANTED[2]}) in at least {SHARE:.0%} of the simulations, and a joint rank of "
    f"{JOINT} for the tumours where they are here.", 4, run)
