"""C15: word dropout and KL annealing make a sentence VAE use its code (Bowman et al. 2016)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.config import changed, preset

KEEP = (1.0, 0.75, 0.5, 0.0)
RATIO, NEAR = 0.75, 0.05
SMALL = ("data.train_limit=8000", "data.vocabulary_size=2000", "training.batch_size=32", "training.epochs=8",
         "training.evaluate_every=1", "training.snapshots=0", "training.checkpoints=0", "training.keep=last")


def row(bench: Bench, label: str, start: str, *settings: str) -> Row:
    """One training on captions: its validation numbers after the last step."""
    run = bench.train(label, changed(preset(start), [*SMALL, *settings]))
    evaluations = bench.metrics(run).evaluations
    last = evaluations[-1]
    kls = [sum(map(sum, line["kl"].values())) for line in evaluations]
    tokens = next(iter(last["tokens"].values()))
    return {"model": label, "NLL or bound": -last["elbo"], "KL": kls[-1], "largest KL on the way": max(kls),
            "perplexity": math.exp(-last["elbo"] / tokens), "active": last["active"]}


def run(bench: Bench) -> Finding:
    """The keep-rate sweep, the two language models, and one VAE without annealing."""
    vaes = [row(bench, f"vae-keep-{keep:g}", "sentence-vae-captions", f"model.word_keep={keep}") for keep in KEEP]
    plain = row(bench, "vae-no-annealing", "sentence-vae-captions", "training.beta.kind=constant")
    models = [row(bench, f"lm-keep-{keep:g}", "language-model-captions", f"model.word_keep={keep}")
              for keep in (1.0, 0.0)]
    return judged(vaes, plain, models)


def judged(vaes: Sequence[Row], plain: Row, models: Sequence[Row]) -> Finding:
    """The rule, part by part; the rows are those of the keep rates, without annealing, and of the language models."""
    kls = [float(r["KL"]) for r in vaes]
    rises = all(b > a for a, b in pairwise(kls))
    ratio = float(vaes[-1]["perplexity"]) / float(models[1]["perplexity"])
    standard = float(vaes[0]["perplexity"]) / float(models[0]["perplexity"]) - 1
    annealed = kls[0] > float(plain["KL"])
    return Finding(
        rises and ratio <= RATIO and abs(standard) <= NEAR and annealed,
        f"KL {', '.join(f'{kl:.2f}' for kl in kls)} nats at keep rates {', '.join(f'{k:g}' for k in KEEP)}; "
        f"perplexity of the inputless VAE {ratio:.2f} of the inputless language model's, of the standard one "
        f"{standard:+.1%}; KL without annealing {float(plain['KL']):.2f}, with it {kls[0]:.2f}.",
        [*vaes, plain, *models],
        note="Perplexities count the end symbol and not the begin symbol; those of the VAEs are from the bound. "
             "Where the largest KL on the way is the last one it was still rising after these few epochs.")


CLAIM = Claim(
    "C15", "Word dropout and annealing raise the KL",
    "Without tricks the KL goes to 0; it rises as previous words are withheld, and without any previous word the "
    "VAE is far better than the language model.",
    "Bowman, Vilnis, Vinyals, Dai, Jozefowicz & Bengio (2016)",
    "8,000 Multi30k captions, 2,000 words, LSTMs of 128 units, 16 latent dimensions, 8 epochs; keep rates 1, 0.75, "
    "0.5, 0.",
    f"KL rises at each step down in keep rate; inputless perplexity at most {RATIO} of the language "
    f"model's; standard perplexity within {NEAR:.0%}; annealed KL above that without annealing.", 23, run)
