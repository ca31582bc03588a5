"""C21: a Boltzmann machine needs its Markov chains, to learn and to sample; a VAE needs none (lecture, recap)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.cost import cost as cost_of
from vaecore.models.single.rbm import RBM
from vaecore.probability.intervals import Interval, by_seed, over_seeds, paired
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

HIDDEN = 16  # units: log Z is a sum over 65,536 states, so that every likelihood is exact
CHAINS: dict[str, tuple[str, int]] = {
    "CD-1": ("cd", 1), "CD-5": ("cd", 5), "CD-25": ("cd", 25), "PCD-1": ("pcd", 1), "PCD-5": ("pcd", 5)}
RULED = ("CD-1", "CD-25", "PCD-1")  # trained for every seed; the others once, for comparison
SEEDS = (0, 1, 2)
LOG_P, PASSES, COST = "log p(x), test", "passes to an independent sample", "milliseconds a sample"
FOLLOWED, BURN_IN, SWEEPS = 100, 1_000, 4_000  # chains whose free energy is followed, and for how long
WINDOW = 5  # autocorrelation times that are summed over (Sokal 1997)


def configuration(chain: str, steps: int, seed: int = 0) -> RunConfig:
    """The embedded digits, black and white once and for all; everything equal but the chains."""
    return changed(preset("rbm-mnist"), [
        "data.source=embedded", "data.pixels=binary-fixed", f"model.hidden={HIDDEN}", f"model.chain={chain}",
        f"model.steps={steps}", "training.epochs=100", "training.evaluate_every=20", "training.keep=last",
        "training.snapshots=0", "training.checkpoints=0", f"seed={seed}"])


def vae_configuration(seed: int = 0) -> RunConfig:
    """A VAE of the same images, for what a sample of it costs."""
    return changed(preset("vae-mnist"), [
        "data.source=embedded", "data.pixels=binary-fixed", f"model.latent_size={HIDDEN}", "model.network.kind=mlp",
        "model.network.hidden=[200]", "training.epochs=20", "training.keep=last", "training.snapshots=0",
        "training.checkpoints=0", f"seed={seed}"])


def autocorrelation_time(series: Tensor) -> float:
    """Steps that are worth one independent step, of chains (T, C): 1 + 2 sum of autocorrelations up to a window.

    The window is the least of at least `WINDOW` times the sum so far, which keeps out the noise of the tail.
    """
    x = (series - series.mean()).double().numpy()
    variance, total = float(np.square(x).mean()), 1.0
    for lag in range(1, len(x) // 2):
        total += 2 * float((x[lag:] * x[:-lag]).mean()) / variance
        if lag >= WINDOW * total:
            break
    return max(1.0, total)


def row(bench: Bench, name: str, done: Run, seed: int = 0) -> Row:
    """Exact log p(x) of test images, and what an independent sample takes."""
    config, model = done.config(), load_model(done.path)
    dataset = config.data.load()
    test, train = (evaluate(model, Feed(dataset, split, torch.device("cpu")), seed=0) for split in ("test", "train"))
    facts: dict[str, float | int | str] = {"model": name, "seed": seed, LOG_P: test.elbo,
                                           "log p(x), training": train.elbo}
    generator = torch.Generator().manual_seed(seed)
    if not isinstance(model, RBM):
        seconds = cost_of(model, Feed(dataset, "test", torch.device("cpu")).first(FOLLOWED)).sampling_seconds or 0.0
        return {**facts, "exact": "bound", PASSES: 1, COST: 1e3 * seconds}
    with torch.no_grad():
        v = model.gibbs(torch.bernoulli(model.base.sigmoid().expand(FOLLOWED, -1), generator=generator), BURN_IN,
                        generator)
        energies = []
        start = time.perf_counter()
        for sweep in range(SWEEPS):
            if sweep % 200 == 0:
                bench.check()
            v = model.gibbs(v, 1, generator)
            energies.append(model.free_energy(v))
        seconds = (time.perf_counter() - start) / SWEEPS / FOLLOWED
    passes = autocorrelation_time(torch.stack(energies))
    return {**facts, "exact": "exact", PASSES: round(passes, 1), COST: 1e3 * seconds * passes}


def run(bench: Bench) -> Finding:
    """What the rule is of for every seed, every other way to have chains once."""
    table: list[Row] = []
    for seed in SEEDS:
        table += [row(bench, name, bench.train(f"{name.lower()}-{seed}", configuration(*kind, seed)), seed)
                  for name, kind in CHAINS.items() if name in RULED or seed == SEEDS[0]]
        table.append(row(bench, "VAE", bench.train(f"vae-{seed}", vae_configuration(seed)), seed))
    return finding(table)


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where models are not of the same seeds."""
    def column(name: str, of: str) -> dict[int, float]:
        return by_seed(table, of, model=name)

    log_p = {name: column(name, LOG_P) for name in (*CHAINS, "VAE")}
    gain = {name: paired(log_p[name], log_p[RULED[0]]) for name in (*RULED[1:], "VAE")}

    def factor(name: str, of: str) -> Interval:  # over the VAE's, log10, as both spread by factors
        ours, theirs = ({seed: math.log10(value) for seed, value in column(each, of).items()} for each in (name, "VAE"))
        return paired(ours, theirs)

    passes, cost = ({name: factor(name, of) for name in RULED} for of in (PASSES, COST))
    longest, cheapest = max(RULED, key=lambda name: passes[name].mean), min(RULED, key=lambda name: cost[name].low)
    holds = {**{f"that {name} learns better than {RULED[0]}": gain[name].low > 0 for name in RULED[1:]},
             "that without a chain a VAE learns no worse": gain["VAE"].low > 0,
             "that a Boltzmann machine needs several sweeps a sample": all(each.low > 0 for each in passes.values()),
             "that a sample of the VAE costs less": all(each.low > 0 for each in cost.values())}
    sweeps = [value for name in RULED for value in column(name, PASSES).values()]
    times = [value / column("VAE", COST)[seed] for name in RULED for seed, value in column(name, COST).items()]
    failed = [words for words, held in holds.items() if not held]
    means = {name: over_seeds(list(values.values())) for name, values in log_p.items() if values}
    once = ", ".join(f"{means[name].mean:.1f} with {name}" for name in CHAINS if name not in RULED and name in means)
    return Finding(
        not failed,
        "Exact log p(x) of test images: " + ", ".join(f"{means[name].words('.1f')} nats with {name}" for name in RULED)
        + (f" (in one seed {once})" if once else "")
        + f"; by seed {gain['CD-25'].words('.1f')} more with CD-25 and {gain['PCD-1'].words('.1f')} with PCD-1 than "
        f"with CD-1. An independent sample takes {min(sweeps):,.0f} to {max(sweeps):,.0f} sweeps by machine and seed, "
        f"most with {longest}, and {min(times):,.0f} to {max(times):,.0f} times the time of one of the VAE, which "
        "takes one pass."
        + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table), note="Sweeps to an independent sample are the integrated autocorrelation time of the free energy, "
                          "which does not see modes that no chain visited. The VAE's log p(x) is its lower bound, and "
                          "it has many times the parameters: that it lies above CD-1's shows that it learned without a "
                          "chain, not that it is the better kind of model.",
        intervals={**{f"log p(x), {name} less CD-1": each for name, each in gain.items()},
                   **{f"log10 of sweeps a sample, {name}": each for name, each in passes.items()},
                   f"log10 of time a sample, {cheapest} over VAE": cost[cheapest]})


STUDY = Study(
    "C21", "A Boltzmann machine needs its chains",
    "Contrastive divergence with few Gibbs steps learns a worse model than with many or with persistent chains; a VAE "
    "needs no chain, neither to learn nor to sample.",
    "Hinton (2002); Tieleman (2008); lecture, recap of the previous section",
    f"Restricted Boltzmann machines with {HIDDEN} hidden units, whose log Z is exact, on the embedded digits; the "
    f"autocorrelation time of their free energy; a VAE beside them; {len(SEEDS)} seeds.",
    "By 95% intervals of paired differences over seeds: exact log p(x) of test images higher with CD-25 than with "
    "CD-1, and with PCD-1 than with CD-1; the bound of the VAE, which learns without a chain, above that of CD-1. By "
    "intervals of factors: more than one sweep to an independent sample of each Boltzmann machine, and more time than "
    "one of the VAE takes.", 7, run)
