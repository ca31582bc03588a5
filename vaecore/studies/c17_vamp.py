"""C17: a VampPrior gains over the standard normal prior at equal budget (Tomczak & Welling 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.likelihood import log_likelihood
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

SEEDS = (0, 1, 2)
RULED = ("standard", "VampPrior")  # trained for every seed; the others once, for comparison
GAIN = 1.0  # nats
SAMPLES, OBSERVATIONS = 500, 2_000
COMPONENTS, EPOCHS = 500, 30
MANY = f"model.prior.components={COMPONENTS}"
PRIORS: dict[str, tuple[str, ...]] = {
    "standard": (),
    "mixture": ("model.prior.kind=mixture", MANY),
    "VampPrior": ("model.prior.kind=vamp", MANY),
    "VampPrior from data": ("model.prior.kind=vamp", MANY, "model.prior.start=data"),
    "aggregated posterior": ("model.prior.kind=aggregated", MANY),
}


def configuration(settings: Sequence[str] = (), epochs: int = EPOCHS) -> RunConfig:
    """The full MNIST, dynamically binarised: 2 x 300 GELU units, 40 dimensions, beta rising over ten epochs."""
    return changed(preset("vae-mnist"), [
        "data.source=full", "data.pixels=binary-dynamic", "model.latent_size=40", "model.network.kind=mlp",
        "model.network.hidden=[300, 300]", "model.network.activation=gelu", f"training.epochs={epochs}",
        "training.batch_size=250", "training.learning_rate=0.001", "training.rate.kind=cosine",
        f"training.beta.fraction={min(1.0, 10 / epochs)}", "training.snapshots=0", "training.checkpoints=0",
        *settings])


def judged(bench: Bench, run: Run) -> Row:
    """log p(x) of test images by importance sampling, and what the code is like, of a finished run."""
    model, dataset = load_model(run.path), run.config().data.load()
    test, train = (Feed(dataset, split, torch.device("cpu")) for split in ("test", "train"))

    def progress(done: int) -> None:
        if done % 500 == 0:
            bench.say(f"  log p(x): {done:,} of {OBSERVATIONS:,}")
        bench.check()

    batches = (test.at(torch.arange(start, start + 100)) for start in range(0, OBSERVATIONS, 100))
    found = log_likelihood(model, batches, SAMPLES, progress=progress)
    part, seen = evaluate(model, test, seed=1), evaluate(model, train, seed=1)
    return {"-log p(x)": -found.log_likelihood, "standard error": found.standard_error,
            "effective share": found.effective, "-ELBO": -part.elbo, "-ELBO, training set": -seen.elbo,
            "gap": seen.elbo - part.elbo, "KL": sum(part.kl["z"]),
            "KL(q(z)||p(z))": part.information["z"].aggregate_kl, "active": part.active}


def run(bench: Bench) -> Finding:
    """Both priors of the rule for every seed, the others once, with everything else equal."""
    table: list[Row] = []
    for seed in SEEDS:
        for name, settings in PRIORS.items():
            if name in RULED or seed == SEEDS[0]:
                done = bench.train(f"{name.lower().replace(' ', '-')}-{seed}",
                                   configuration([f"seed={seed}", *settings]))
                table.append({"prior": name, "seed": seed, **judged(bench, done)})
    return finding(table)


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where both priors are not of the same seeds."""
    nll = {name: by_seed(table, "-log p(x)", prior=name) for name in PRIORS}
    gain = paired(*(nll[name] for name in RULED))
    means = {name: over_seeds(list(nll[name].values())) for name in RULED}
    first = min(nll["standard"])
    others = ", ".join(f"{nll['standard'][first] - nll[name][first]:.2f} with {name}" for name in PRIORS
                       if name not in RULED and first in nll[name])
    return Finding(
        gain.low >= GAIN,
        f"A VampPrior gains {gain.words()} nats over the standard prior ({means['VampPrior'].words()} against "
        f"{means['standard'].words()})." + (f" In one seed the gain is {others}." if others else ""),
        list(table), note="The interval is of the difference of runs with the same seed, on the same test images. The "
                          "standard errors in the table are of one run's mean over images, which all rows share, and "
                          "say nothing of the difference. Before, the better of two VampPriors of one seed was taken.",
        intervals={"-log p(x), standard less VampPrior": gain})


ELBOS = {"-ELBO": "Negative evidence lower bound of all test images, in nats each. Lower is better.",
         "-ELBO, training set": "The same of all training images."}
STUDY = Study(
    "C17", "A VampPrior gains over N(0, I)",
    "A mixture of posteriors of learned pseudo-inputs is a better prior than the standard normal, at the same "
    "architecture.",
    "Tomczak & Welling (2018), VAE with a VampPrior",
    f"VAEs on the full MNIST, dynamically binarised, {EPOCHS} epochs each, {COMPONENTS} components, {len(SEEDS)} seeds "
    f"of the standard prior and the VampPrior and one of three others; log p(x) with K = {SAMPLES} on {OBSERVATIONS:,} "
    "test images.",
    f"-log p(x) lower by at least {GAIN:.0f} nat with the VampPrior, by the 95% interval of the paired difference over "
    "seeds.", 25, run, columns=ELBOS)
