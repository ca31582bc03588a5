"""C14: with gamma fixed too large every VAE collapses, and learning gamma avoids it (Dai, Wang & Wipf 2020)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vaecore.claims import c01_linear
from vaecore.claims.base import Bench, Claim, Finding, Row
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
from vaecore.experiments import GAMMA_LATENT as LATENT
from vaecore.experiments import gamma_runs
from vaecore.store import Run
from vaecore.training.checkpoints import load_model

TOLERANCE, SILENT = 0.02, 0.01  # relative; nats
LINEAR_GAMMAS = (0.045, 0.45, 4.0, 12.0)  # the last two lie above the eigenvalues 2.6 and 8


def solution(bench: Bench, run: Run, data: Moments) -> Solution:
    """A finished run on the validation set, with the gamma that its weights hold."""
    last = bench.metrics(run).evaluations[-1]
    gamma = float(load_model(run.path).state_dict()["likelihood.logvar"].exp())
    return Solution.scored(gamma, -last["elbo"], sum(map(sum, last["kl"].values())), last["active"], data.size)


def run(bench: Bench) -> Finding:
    """Linear on known eigenvalues, then nonlinear on digits, then with gamma learned."""
    linear = [c01_linear.row(bench, gamma) for gamma in LINEAR_GAMMAS]
    exact = all(r["active"] == r["active, exact"]
                and abs(float(r["KL"]) - float(r["KL, exact"])) <= max(TOLERANCE * float(r["KL, exact"]), SILENT)
                for r in linear)
    runs = gamma_runs()
    data = moments(next(iter(runs.values())).data.load())
    solved = {label: solution(bench, bench.train(label, config), data) for label, config in runs.items()}
    learned = solved.pop("gamma-learned")
    fixed = sorted(solved.values(), key=lambda one: one.gamma)
    table = [row(one, data) for one in fixed] + [{**row(learned, data), "gamma": f"learned, {learned.gamma:.4g}"}]
    active = [one.active for one in fixed]
    crossed = crossing(data, learned.rate, learned.error)
    falls = all(b <= a for a, b in pairwise(active)) and active[0] > 0 and active[-1] == 0
    trivial = [float(collapsed_cost(np.array([one.gamma]), data)[0]) for one in fixed]
    crosses = (fixed[0].cost < trivial[0] and fixed[-1].cost >= trivial[-1] - SILENT
               and fixed[0].gamma < crossed < fixed[-1].gamma)
    avoids = learned.active > 0 and learned.cost < best_collapsed_cost(data)
    end = next((one.gamma for one in fixed if one.active == 0), None)
    return Finding(
        exact and falls and crosses and avoids,
        f"Active dimensions fall from {active[0]:.0f} to {active[-1]:.0f}"
        + (f", to none at γ = {end:g}" if end else "")
        + f"; the solution that learned its γ ({learned.gamma:.3g}, {learned.active:.0f} active) costs "
          f"{best_collapsed_cost(data) - learned.cost:.0f} nats less than the best trivial one, and left as it is "
          f"more than the trivial one from γ′ = {crossed:.3g} on; the linear case is "
          f"{'exact' if exact else 'not as predicted'} (λ_max of the digits is {data.eigenvalues[0]:.3g}).",
        table, {"gamma": [one.gamma for one in fixed], "cost": [one.cost for one in fixed], "active": active,
                "eigenvalues": [float(v) for v in data.eigenvalues], "scatter": [data.scatter],
                "learned": [learned.gamma, learned.cost, learned.rate, learned.error, learned.active]})


def row(one: Solution, data: Moments) -> Row:
    """A solution beside the trivial and the best linear one at its gamma."""
    at = np.array([one.gamma])
    return {"gamma": f"{one.gamma:.4g}", "cost, trained": one.cost,
            "cost, collapsed": float(collapsed_cost(at, data)[0]),
            "cost, linear": float(linear_cost(at, data, LATENT)[0]), "KL": one.rate, "active": one.active,
            "active, linear": int(linear_active(at, data, LATENT)[0])}


CLAIM = Claim(
    "C14", "A large fixed γ collapses any VAE",
    "For any well-behaved VAE there is a finite γ′ at which the trivial solution, q(z|x) = p(z) and the mean image, "
    "costs less; a learned γ avoids it.",
    "Dai, Wang & Wipf (2020); lecture, Proposition 2",
    "Linear VAEs on known eigenvalues; a nonlinear VAE with 16 dimensions on 4,000 digits for eight fixed γ and "
    "with γ learned.",
    "Linear: exactly the eigenvalues above γ stay active, and the KL is that of the closed form within "
    f"{TOLERANCE:.0%} or {SILENT} nats. Digits: active dimensions never rise with γ and reach 0; trained "
    "costs less than trivial at the smallest γ and not at the largest; γ′ lies between them; the solution "
    "with γ learned costs less than the best trivial one.", 3.5, run)
