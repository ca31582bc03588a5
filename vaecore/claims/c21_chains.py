"""C21: a Boltzmann machine needs its Markov chains, to learn and to sample; a VAE needs none (lecture, recap)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.cost import cost
from vaecore.models.rbm import RestrictedBoltzmannMachine
from vaecore.store import Run
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

HIDDEN = 16  # units: log Z is a sum over 65,536 states, so that every likelihood is exact
CHAINS: dict[str, tuple[str, int]] = {
    "CD-1": ("cd", 1), "CD-5": ("cd", 5), "CD-25": ("cd", 25), "PCD-1": ("pcd", 1), "PCD-5": ("pcd", 5)}
FOLLOWED, BURN_IN, SWEEPS = 100, 1_000, 4_000  # chains whose free energy is followed, and for how long
WINDOW = 5  # autocorrelation times that are summed over (Sokal 1997)


def configuration(chain: str, steps: int) -> RunConfig:
    """The embedded digits, black and white once and for all; everything equal but the chains."""
    return changed(preset("rbm-mnist"), [
        "data.source=embedded", "data.pixels=binary-fixed", f"model.hidden={HIDDEN}", f"model.chain={chain}",
        f"model.steps={steps}", "training.epochs=100", "training.evaluate_every=20", "training.keep=last",
        "training.snapshots=0", "training.checkpoints=0"])


def vae_configuration() -> RunConfig:
    """A VAE of the same images, for what a sample of it costs."""
    return changed(preset("vae-mnist"), [
        "data.source=embedded", "data.pixels=binary-fixed", f"model.latent_size={HIDDEN}", "model.network.kind=mlp",
        "model.network.hidden=[200]", "training.epochs=20", "training.keep=last", "training.snapshots=0",
        "training.checkpoints=0"])


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


def row(bench: Bench, name: str, done: Run) -> Row:
    """Exact log p(x) of test images, and what an independent sample takes."""
    config, model = done.config(), load_model(done.path)
    dataset = config.data.load()
    test, train = (evaluate(model, Feed(dataset, split, torch.device("cpu")), seed=0) for split in ("test", "train"))
    facts: dict[str, float | int | str] = {"model": name, "log p(x), test": test.elbo,
                                           "log p(x), training": train.elbo}
    generator = torch.Generator().manual_seed(0)
    if not isinstance(model, RestrictedBoltzmannMachine):
        seconds = cost(model, Feed(dataset, "test", torch.device("cpu")).first(FOLLOWED)).sampling_seconds or 0.0
        return {**facts, "exact": "bound", "passes to an independent sample": 1, "milliseconds a sample": 1e3 * seconds}
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
    return {**facts, "exact": "exact", "passes to an independent sample": round(passes, 1),
            "milliseconds a sample": 1e3 * seconds * passes}


def run(bench: Bench) -> Finding:
    """Every way to have chains once, then the VAE."""
    table = [row(bench, name, bench.train(name.lower(), configuration(*kind))) for name, kind in CHAINS.items()]
    return finding([*table, row(bench, "VAE", bench.train("vae", vae_configuration()))])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table."""
    found = {str(r["model"]): r for r in table}
    log_p = {name: float(r["log p(x), test"]) for name, r in found.items()}
    cost = {name: float(r["milliseconds a sample"]) for name, r in found.items()}
    longest = max(CHAINS, key=lambda name: float(found[name]["passes to an independent sample"]))
    return Finding(
        log_p["CD-25"] > log_p["CD-1"] and log_p["PCD-1"] > log_p["CD-1"],
        f"Exact log p(x) of test images: {log_p['CD-1']:.1f} nats with CD-1, {log_p['CD-25']:.1f} with CD-25, "
        f"{log_p['PCD-1']:.1f} with PCD-1 and {log_p['PCD-5']:.1f} with PCD-5. An independent sample takes up to "
        f"{float(found[longest]['passes to an independent sample']):,.0f} sweeps ({longest}, {cost[longest]:.2f} ms); "
        f"one of the VAE takes one pass ({cost['VAE']:.3f} ms).",
        list(table), note="Sweeps to an independent sample are the integrated autocorrelation time of the free energy, "
                          "which does not see modes that no chain visited. The VAE's log p(x) is its lower bound, and "
                          "it has many times the parameters: only the costs are set against each other.")


CLAIM = Claim(
    "C21", "A Boltzmann machine needs its chains",
    "Contrastive divergence with few Gibbs steps learns a worse model than with many or with persistent chains; a VAE "
    "needs no chain, neither to learn nor to sample.",
    "Hinton (2002); Tieleman (2008); lecture, recap of the previous section",
    f"Restricted Boltzmann machines with {HIDDEN} hidden units, whose log Z is exact, on the embedded digits; the "
    "autocorrelation time of their free energy; a VAE beside them.",
    "Exact log p(x) of test images higher with CD-25 than with CD-1, and with PCD-1 than with CD-1.", 8, run)
