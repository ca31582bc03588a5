"""C14: with gamma fixed too large every VAE collapses, and learning gamma avoids it (Dai, Wang & Wipf 2020)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.gamma import (
    Moments,
    Solution,
    best_collapsed_cost,
    collapsed_cost,
    crossing,
    linear_active,
    linear_cost,
    moments,
)
from vaecore.memory import held
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.schema import parse, problem
from vaecore.store import Run
from vaecore.studies import c01_linear
from vaecore.studies.base import Bench, Finding, Result, Row, Study
from vaecore.studies.exhibit import Costs, Exhibit
from vaecore.studies.series import DAMAGED, Member, Series
from vaecore.training.checkpoints import BrokenCheckpoint, load_model

TOLERANCE, SILENT = 0.02, 0.01  # relative; nats
SEEDS = (0, 1, 2)
MAX_EIGENVALUES = 100_000  # observed numbers, and so eigenvalues, of a kept result
TRAINED, TRIVIAL, LEARNED = "cost, trained", "cost, collapsed", "learned"
BEST, CROSSING = "cost, collapsed, best γ", "γ′"
GAMMAS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
LATENT = 16
LINEAR_GAMMAS = (0.045, 0.45, 4.0, 12.0)  # the last two lie above the eigenvalues 2.6 and 8


def configurations(gammas: Sequence[float] = GAMMAS) -> dict[str, RunConfig]:
    """One VAE on digits for each fixed gamma, and one that learns it."""
    start = changed(preset("vae-mlp-mnist"), [
        "data.source=embedded", f"model.latent_size={LATENT}", "training.epochs=60",
        "training.beta.kind=constant",
        "training.learning_rate=0.003", "training.rate.kind=cosine",  # enough for a learned gamma to arrive
        "training.evaluate_every=10", "training.keep=last", "training.snapshots=0", "training.checkpoints=0"])
    fixed = {f"gamma-{gamma:g}": changed(start, ["model.likelihood.kind=gaussian",
                                                 f"model.likelihood.sigma={gamma**0.5:.6g}"]) for gamma in gammas}
    return {**fixed, "gamma-learned": changed(start, ["model.likelihood.kind=gaussian-learned"])}


def solution(bench: Bench, run: Run, data: Moments) -> Solution:
    """A finished run on the validation set, with the gamma that its weights hold."""
    last = bench.metrics(run).evaluations[-1]
    gamma = float(load_model(run.path).state_dict()["likelihood.logvar"].exp())
    return Solution.scored(gamma, -last["elbo"], sum(map(sum, last["kl"].values())), last["active"], data.size)


def run(bench: Bench) -> Finding:
    """Linear on known eigenvalues, then nonlinear on digits, then with gamma learned, for every seed."""
    table: list[Row] = [{"model": "linear", **each} for each in c01_linear.rows(bench, LINEAR_GAMMAS)]
    curves: dict[str, Sequence[float]] = {}
    for seed in SEEDS:
        configs = configurations()
        data = moments(next(iter(configs.values())).data.load())
        solved = {label: solution(bench, bench.train(f"{label}-{seed}", changed(config, [f"seed={seed}"])), data)
                  for label, config in configs.items()}
        learned = solved.pop("gamma-learned")
        fixed = sorted(solved.values(), key=lambda one: one.gamma)
        table += [{"model": "digits", "gamma": f"{one.gamma:.4g}", "seed": seed, **row(one, data)} for one in fixed]
        table.append({"model": "digits", "gamma": LEARNED, "seed": seed, **row(learned, data),
                      "learned gamma": learned.gamma, BEST: best_collapsed_cost(data),
                      CROSSING: crossing(data, learned.rate, learned.error)})
        curves = curves or curves_of(fixed, learned, data)
    return finding(table, curves)


def linear_is_exact(table: Sequence[Row]) -> bool:
    """Whether the linear VAE is as its closed form says.

    Exactly the eigenvalues above gamma stay active in every seed, and the KL is the predicted one by both ends of the
    interval of the difference.
    """
    rows = [r for r in table if r["model"] == "linear"]
    for gamma in {float(r["gamma"]) for r in rows}:
        exact = by_seed(rows, "KL, exact", gamma=gamma)
        error = paired(by_seed(rows, "KL", gamma=gamma), exact)
        if max(-error.low, error.high) > max(TOLERANCE * min(exact.values()), SILENT):
            return False
    return all(r["active"] == r["active, exact"] for r in rows)


def finding(table: Sequence[Row], curves: Mapping[str, Sequence[float]]) -> Finding:
    """The rule, applied to the table; the curves are only kept."""
    gammas = sorted((str(r["gamma"]) for r in table if r["model"] == "digits" and r["gamma"] != LEARNED
                     and r["seed"] == SEEDS[0]), key=float)

    def column(name: str, gamma: str) -> dict[int, float]:
        return by_seed(table, name, model="digits", gamma=gamma)

    pays, idle = (paired(column(TRIVIAL, gamma), column(TRAINED, gamma)) for gamma in (gammas[0], gammas[-1]))
    gain = paired(column(BEST, LEARNED), column(TRAINED, LEARNED))
    crossed = column(CROSSING, LEARNED)
    # Of logarithms, as gamma goes by factors; 0 and infinity are where a code never pays and where it always does.
    where = over_seeds([math.log10(value) for value in crossed.values()]) if all(
        0 < value < math.inf for value in crossed.values()) else None
    active = {gamma: column("active", gamma) for gamma in gammas}
    holds = {
        "that the linear case is as predicted": linear_is_exact(table),
        "that active dimensions never rise with γ": all(active[b][seed] <= active[a][seed]
                                                        for a, b in pairwise(gammas) for seed in active[a]),
        "that they reach 0": all(value > 0 for value in active[gammas[0]].values())
        and all(value == 0 for value in active[gammas[-1]].values()),
        "that the code pays at the smallest γ": pays.low > 0,
        "that the trivial solution costs no more at the largest γ": idle.high <= SILENT,
        "that γ′ lies between them": where is not None and float(gammas[0]) < 10**where.low
        and 10**where.high < float(gammas[-1]),
        "that a learned γ avoids the collapse": gain.low > 0
        and all(value > 0 for value in column("active", LEARNED).values())}
    failed = [words for words, held in holds.items() if not held]
    learned = over_seeds(list(column("learned gamma", LEARNED).values()))
    span = ", ".join(f"{value:.3g}" for value in crossed.values())
    end = next((gamma for gamma in gammas if not any(active[gamma].values())), None)
    return Finding(
        not failed,
        f"Active dimensions fall from {min(active[gammas[0]].values()):.0f} to {max(active[gammas[-1]].values()):.0f}"
        + (f", to none at γ = {end}" if end else "")
        + f"; the solution that learned its γ ({learned.words('.4f')}, "
          f"{min(column('active', LEARNED).values()):.0f} active) costs {gain.words('.0f')} nats less than the best "
          f"trivial one, and left as it is more than the trivial one from γ′ = {span} on, by seed; the linear case is "
        + ("exact." if linear_is_exact(table) else "not as predicted.")
        + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table), curves, note="The picture is of the first seed. Two kinds of VAE are no proof for every one.",
        intervals={f"trivial less trained, γ = {gammas[0]}": pays, f"trivial less trained, γ = {gammas[-1]}": idle,
                   "best trivial less learned γ": gain, **({"log10 γ′": where} if where else {})})


def curves_of(fixed: Sequence[Solution], learned: Solution, data: Moments) -> dict[str, Sequence[float]]:
    """What the page draws, of the first seed."""
    return {"gamma": [one.gamma for one in fixed], "cost": [one.cost for one in fixed],
            "active": [one.active for one in fixed], "eigenvalues": [float(v) for v in data.eigenvalues],
            "scatter": [data.scatter],
            "learned": [learned.gamma, learned.cost, learned.rate, learned.error, learned.active]}


def row(one: Solution, data: Moments) -> Row:
    """A solution beside the trivial and the best linear one at its gamma."""
    at = np.array([one.gamma])
    return {TRAINED: one.cost, TRIVIAL: float(collapsed_cost(at, data)[0]),
            "cost, linear": float(linear_cost(at, data, LATENT)[0]), "KL": one.rate, "active": one.active,
            "active, linear": int(linear_active(at, data, LATENT)[0])}


# -- what there is to see --------------------------------------------------------------------------


def of_result(result: Result) -> Exhibit | None:
    """What a kept result has of its first seed; None where that is not whole."""
    try:
        columns = [np.asarray(result.curves[name], float)
                   for name in ("gamma", "cost", "active", "eigenvalues", "learned")]
        [scatter] = result.curves["scatter"]
        gammas, _, _, eigenvalues, learned = columns
        whole = (all(np.isfinite(column).all() for column in columns) and 0 < scatter < math.inf
                 and gammas.min() > 0 and learned[0] > 0 and LATENT <= len(eigenvalues) <= MAX_EIGENVALUES)
        fixed = [Solution(gamma, cost, math.nan, math.nan, active)
                 for gamma, cost, active in zip(*(column.tolist() for column in columns[:3]), strict=True)]
        return Exhibit([Costs(Moments(eigenvalues, scatter), LATENT, fixed, Solution(*learned.tolist()))]) if whole \
            else None
    except (KeyError, TypeError, ValueError):
        return None


def of_runs(members: Sequence[Member]) -> Exhibit | None:
    """The newest run at each gamma, of those with the data and the latent size of the newest of all.

    Raises `DataUnavailable` or `ConfigError` where their data cannot be read.
    """
    there = [member for member in members if member.last.get("step") and fits(member)]
    if not there:
        return None
    data, latent_size = there[-1].chosen("data"), there[-1].chosen("model", "latent_size")
    found = moments_of(json.dumps({"data": data}))
    fixed, learned = {}, None
    for member in there:  # oldest first: the newest stands
        if member.chosen("data") != data or member.chosen("model", "latent_size") != latent_size:
            continue
        if (one := solution_so_far(member, found.size)) is None:
            continue
        if member.chosen("model", "likelihood", "kind") == "gaussian-learned":
            learned = one
        else:
            fixed[round(one.gamma, 9)] = one
    if not fixed and learned is None:
        return None
    return Exhibit([Costs(found, latent_size, [fixed[gamma] for gamma in sorted(fixed)], learned)])


def fits(member: Member) -> bool:
    """Whether a run is a VAE that gamma can be asked of: anybody's folder may name this experiment as its own."""
    size, likelihood = member.chosen("model", "latent_size"), member.chosen("model", "likelihood", "kind")
    return member.chosen("model", "family") == "vae" and type(size) is int and 0 < size <= MAX_EIGENVALUES \
        and likelihood in ("gaussian", "gaussian-learned")


def solution_so_far(member: Member, size: int) -> Solution | None:
    """What a run has found, in numbers; None while they are not there, or are none."""
    try:
        if member.chosen("model", "likelihood", "kind") == "gaussian-learned":
            gamma = learned_variance(member.run.path, member.run.weights.stat().st_mtime_ns)
        else:
            gamma = float(member.chosen("model", "likelihood", "sigma")) ** 2
        last = member.last
        found = Solution.scored(gamma, last["neg_elbo"], last["kl"], last["active"], size)
    except (*DAMAGED, OSError, BrokenCheckpoint):
        return None
    values = (found.gamma, found.cost, found.rate, found.error, found.active)
    return found if all(map(math.isfinite, values)) and found.gamma > 0 else None


@lru_cache(maxsize=32)
def learned_variance(path: Path, stamp: int) -> float:  # noqa: ARG001 (part of the cache's key)
    """The observation variance that a run's kept weights hold."""
    return float(load_model(path).state_dict()["likelihood.logvar"].exp())


@held
def moments_of(text: str) -> Moments:
    """Eigenvalues and scatter of a data set, by its configuration as JSON.

    Raises `DataUnavailable` or `ConfigError` where it cannot be read, or is none of images or vectors alone.
    """
    config = parse(RunConfig, json.loads(text)).data
    dataset = config.load()
    if [each.kind for each in dataset.modalities.values()] not in (["image"], ["vector"]):
        raise problem("data.name", config.name, "a cost by gamma is of one image or one vector an observation.",
                      "Take the run out of this experiment.")
    return moments(dataset)


STUDY = Study(
    "C14", "A large fixed γ collapses any VAE",
    "For any well-behaved VAE there is a finite γ′ at which the trivial solution, q(z|x) = p(z) and the mean image, "
    "costs less; a learned γ avoids it.",
    "Dai, Wang & Wipf (2020); lecture, Proposition 2",
    "Linear VAEs on known eigenvalues; a nonlinear VAE with 16 dimensions on 4,000 digits for eight fixed γ and "
    f"with γ learned; {len(SEEDS)} seeds of each.",
    "By 95% intervals over seeds. Linear: exactly the eigenvalues above γ stay active, in every seed, and the KL is "
    f"that of the closed form within {TOLERANCE:.0%} or {SILENT} nats. Digits: in every seed active dimensions never "
    f"rise with γ and reach 0; by paired differences trained costs less than trivial at the smallest γ and at most "
    f"{SILENT} nats less at the largest; γ′ lies between them; the solution with γ learned costs less than the best "
    "trivial one, and has active dimensions.", 6.6, run,
    exhibit=of_result, columns={
        "cost": "Negative ELBO in nats per observation.",
        "active, exact": "Eigenvalues of the data above γ.",
        "active, linear": "Dimensions that a linear VAE of the same γ keeps, in closed form."},
    series=Series("gamma", "From which observation variance on is it cheaper to ignore the code?", configurations,
                  of_runs, "Collapse by γ"))
