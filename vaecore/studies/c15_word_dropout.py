"""C15: word dropout and KL annealing make a sentence VAE use its code (Bowman et al. 2016)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from vaecore.config import changed, preset
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.studies.base import Bench, Finding, Row, Study

KEEP = (1.0, 0.75, 0.5, 0.0)
SEEDS = (0, 1, 2)
RATIO, NEAR = 0.75, 0.05
SILENT = 0.05  # nats of KL that count as none
PLAIN = "vae-no-annealing"
SMALL = ("data.train_limit=8000", "data.vocabulary_size=2000", "training.batch_size=32", "training.epochs=8",
         "training.evaluate_every=1", "training.snapshots=0", "training.checkpoints=0", "training.keep=last")


def row(bench: Bench, seed: int, label: str, start: str, *settings: str) -> Row:
    """One training on captions: its validation numbers after the last step."""
    run = bench.train(f"{label}-{seed}", changed(preset(start), [*SMALL, f"seed={seed}", *settings]))
    evaluations = bench.metrics(run).evaluations
    last = evaluations[-1]
    kls = [sum(map(sum, line["kl"].values())) for line in evaluations]
    tokens = next(iter(last["tokens"].values()))
    return {"model": label, "seed": seed, "NLL or bound": -last["elbo"], "KL": kls[-1],
            "largest KL on the way": max(kls), "perplexity": math.exp(-last["elbo"] / tokens), "active": last["active"]}


def run(bench: Bench) -> Finding:
    """The keep-rate sweep, the two language models, and one VAE without annealing, for every seed."""
    table: list[Row] = []
    for seed in SEEDS:
        table += [row(bench, seed, f"vae-keep-{keep:g}", "sentence-vae-captions", f"model.word_keep={keep}")
                  for keep in KEEP]
        table.append(row(bench, seed, PLAIN, "sentence-vae-captions", "training.beta.kind=constant"))
        table += [row(bench, seed, f"lm-keep-{keep:g}", "language-model-captions", f"model.word_keep={keep}")
                  for keep in (KEEP[0], KEEP[-1])]
    return judged(table)


def judged(table: Sequence[Row]) -> Finding:
    """The rule, part by part; raises `ValueError` where models are not of the same seeds."""
    kl = {keep: by_seed(table, "KL", model=f"vae-keep-{keep:g}") for keep in KEEP}
    plain = by_seed(table, "KL", model=PLAIN)

    def ratio(keep: float) -> dict[int, float]:
        ours, theirs = (by_seed(table, "perplexity", model=f"{kind}-keep-{keep:g}") for kind in ("vae", "lm"))
        return {seed: value / theirs[seed] for seed, value in ours.items()}

    rises = {(a, b): paired(kl[b], kl[a]) for a, b in pairwise(KEEP)}
    bare, standard = over_seeds(list(ratio(KEEP[-1]).values())), over_seeds([r - 1 for r in ratio(KEEP[0]).values()])
    annealed, silent = paired(kl[KEEP[0]], plain), over_seeds(list(plain.values()))
    holds = {"that without tricks the KL goes to 0": silent.high <= SILENT,
             **{f"that the KL rises from keep rate {a:g} to {b:g}": each.low > 0 for (a, b), each in rises.items()},
             f"that without previous words the perplexity is at most {RATIO} of the language model's":
                 bare.high <= RATIO,
             f"that the standard one is within {NEAR:.0%}": standard.low >= -NEAR and standard.high <= NEAR,
             "that annealing raises the KL": annealed.low > 0}
    failed = [words for words, held in holds.items() if not held]
    means = ", ".join(over_seeds(list(values.values())).words() for values in kl.values())
    return Finding(
        not failed,
        f"KL {means} nats at keep rates {', '.join(f'{k:g}' for k in KEEP)}; perplexity of the inputless VAE "
        f"{bare.words()} of the inputless language model's, of the standard one {standard.words('+.1%')}; KL without "
        f"annealing {silent.words('.3f')}; annealing changes it by {annealed.words('+.3f')}."
        + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table),
        note="Perplexities count the end symbol and not the begin symbol; those of the VAEs are from the bound. "
             "Where the largest KL on the way is the last one it was still rising after these few epochs. What counts "
             "as a KL of 0 was fixed after one seed had been seen, the rest before.",
        intervals={**{f"KL, keep rate {b:g} less {a:g}": each for (a, b), each in rises.items()},
                   "perplexity without previous words, VAE over language model": bare,
                   "standard perplexity, VAE over language model, less 1": standard,
                   "KL, annealed less not": annealed})


STUDY = Study(
    "C15", "Word dropout and annealing raise the KL",
    "Without tricks the KL goes to 0; it rises as previous words are withheld, and without any previous word the "
    "VAE is far better than the language model.",
    "Bowman, Vilnis, Vinyals, Dai, Jozefowicz & Bengio (2016)",
    "8,000 Multi30k captions, 2,000 words, LSTMs of 128 units, 16 latent dimensions, 8 epochs; keep rates 1, 0.75, "
    f"0.5, 0; {len(SEEDS)} seeds.",
    f"By 95% intervals over seeds: KL without tricks at most {SILENT} nats; by paired differences KL rises at each "
    f"step down in keep rate; inputless perplexity at most {RATIO} of the language model's; standard perplexity within "
    f"{NEAR:.0%}; annealed KL above that without annealing, by paired differences.", 20, run,
    columns={"NLL or bound": "Negative log-likelihood in nats per sentence: exact for a language model, else −ELBO.",
             "perplexity": "exp(NLL or −ELBO / tokens): among how many equally likely words each next one is chosen.",
             "largest KL on the way": "The largest KL at any evaluation, in nats."})
