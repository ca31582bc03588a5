"""C27: what cyclical annealing buys and costs on real sentences, both numbers, beside other remedies of collapse."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping, Sequence

from vaecore.config import RunConfig, changed, preset
from vaecore.probability.intervals import Interval, by_seed, over_seeds, paired
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Result, Row, Study
from vaecore.studies.exhibit import Column, Exhibit, Table
from vaecore.studies.series import DAMAGED, finite

SEEDS = (0, 1, 2)
MORE = 0.1  # nats of mutual information that count as bought
JUDGED, SAMPLES = 500, 50  # validation sentences whose log p(x) is estimated, and K
SETTINGS = ("data.train_limit=16000", "data.vocabulary_size=2000", "data.longest=20", "model.latent_size=16",
            "model.embedding=64", "model.hidden=128", "model.dropout=0.0", "model.word_keep=0.75",
            "training.batch_size=32", "training.epochs=6", "training.learning_rate=0.002",
            "training.rate.kind=constant", "training.evaluate_every=1", "training.snapshots=0",
            "training.checkpoints=0", "training.keep=last")
ONCE = ("training.beta.kind=linear", "training.beta.fraction=0.25")
FREE = "training.kl.nats=0.25"  # of each of 16 dimensions: 4 nats, as 8 of 32 are
LANGUAGE_MODEL, PRETRAINED = "language model", "autoencoder first, masked free bits"
REMEDIES: Mapping[str, tuple[str, ...]] = {
    "none": ("training.beta.kind=constant",),
    "monotone": ONCE,
    "cyclical": ("training.beta.kind=cyclical", "training.beta.cycles=4", "training.beta.ramp=0.5"),
    "aggressive": (*ONCE, "training.inference={kind: aggressive, most: 10, window: 5, patience: 1}",
                   "training.evaluate_every=0.25"),
    "free bits": (*ONCE, "training.kl.kind=free-bits", FREE),
    "masked free bits": (*ONCE, "training.kl.kind=free-bits-masked", FREE),
}
AUTOENCODER = ("training.beta={kind: constant, value: 0.0}", "training.epochs=3")


def run(bench: Bench) -> Finding:
    """Every remedy, a language model, and an autoencoder whose encoder a VAE with masked free bits goes on with."""
    table: list[Row] = []
    for seed in SEEDS:
        start = changed(preset("sentence-vae"), [*SETTINGS, f"seed={seed}"])
        alone = changed(preset("language-model-sentences"),
                        [each for each in SETTINGS if not each.startswith("model.latent")] + [f"seed={seed}"])
        table.append(_trained(bench, LANGUAGE_MODEL, alone))
        table += [_trained(bench, remedy, changed(start, settings)) for remedy, settings in REMEDIES.items()]
        used = time.process_time()
        first = bench.train(f"autoencoder-{seed}", changed(start, AUTOENCODER))
        table.append(_trained(bench, PRETRAINED, changed(start, REMEDIES["masked free bits"]), first,
                              before=time.process_time() - used))
    return judged(table)


def _trained(bench: Bench, remedy: str, config: RunConfig, first: Run | None = None, before: float = 0.0) -> Row:
    """One training and its numbers on the validation sentences; after a `first`, with its encoder and a new decoder."""
    used, label = time.process_time(), f"{remedy.replace(',', '').replace(' ', '-')}-{config.seed}"
    done = bench.train(label, config) if first is None else bench.fork(label, first, config, anew="decoder")
    seconds = before + time.process_time() - used
    last = bench.metrics(done).evaluations[-1]
    row: dict[str, float | int | str] = {
        "remedy": remedy, "seed": config.seed, "-ELBO": -last["elbo"], "perplexity": _perplexity(done, config),
        "CPU seconds": round(seconds, 1)}
    if last["kl"]:
        row |= {"KL": sum(map(sum, last["kl"].values())), "active": last["active"],
                "mutual information": last["information"]["z"]["mutual_information"]}
    return row


def _perplexity(done: Run, config: RunConfig) -> float:
    """exp(-log p(x) / tokens) of the first validation sentences: exact, or by importance sampling."""
    import torch

    from vaecore.evaluate.likelihood import log_likelihood
    from vaecore.modalities import PAD
    from vaecore.training.checkpoints import load_model
    from vaecore.training.feed import Feed

    model, batch = load_model(done.path), Feed(config.data.load(), "validation", torch.device("cpu")).first(JUDGED)
    with torch.inference_mode():
        log_p = (log_likelihood(model, [batch], SAMPLES).log_likelihood if model.latents else
                 float(model.elbo(batch).total_reconstruction().mean()))
    [x] = batch.values()
    return math.exp(-log_p * len(x) / float((x != PAD).sum()))


def judged(table: Sequence[Row]) -> Finding:
    """The rule, part by part; raises `ValueError` where both schedules are not of the same seeds."""
    def of(remedy: str, column: str) -> dict[int, float]:
        return by_seed(table, column, remedy=remedy)

    def beside(column: str) -> tuple[Interval, Interval]:
        return over_seeds(list(of("cyclical", column).values())), over_seeds(list(of("monotone", column).values()))

    more = paired(of("cyclical", "mutual information"), of("monotone", "mutual information"))
    worse = paired(of("cyclical", "perplexity"), of("monotone", "perplexity"))
    bound = paired(of("cyclical", "-ELBO"), of("monotone", "-ELBO"))
    holds = {f"that cyclical annealing raises the mutual information by {MORE} nats": more.low >= MORE,
             "that it raises the perplexity": worse.low > 0}
    failed = [words for words, held in holds.items() if not held]
    told, paid = beside("mutual information"), beside("perplexity")
    return Finding(
        not failed,
        f"Mutual information {told[0].words()} nats with cyclical and {told[1].words()} with monotone annealing; "
        f"perplexity {paid[0].words()} and {paid[1].words()}, {worse.words('+.2f')} in pairs; −ELBO "
        f"{bound.words('+.3f')} nats." + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table),
        note=f"Mutual information is over all 2,000 validation sentences, perplexity from log p(x) of {JUDGED} of "
             f"them, estimated with {SAMPLES} codes each. The last row of each seed has the time of its autoencoder in "
             "its CPU seconds. With every remedy but cyclical annealing and none β rises as with monotone annealing.",
        intervals={"mutual information, cyclical less monotone": more, "perplexity, cyclical less monotone": worse,
                   "-ELBO, cyclical less monotone": bound})


# -- what there is to see --------------------------------------------------------------------------

COLUMNS = {
    "KL": Column("The rate: what the code costs, in nats a sentence, over the validation set."),
    "Mutual information": Column("What the code tells about the sentence, in nats, over the whole validation set."),
    "Perplexity": Column("exp(−log p(x) / tokens), log p(x) exact, or estimated from below with importance samples, "
                         "so that the perplexity is rather too high, most where the KL is large. Lower is better.", 2),
    "Active": Column("Latent dimensions in use, a mean over seeds.", 1),
    "CPU seconds": Column("Of one thread, for a training; of the last one with its autoencoder.", 0)}
FOUND = {"KL": "KL", "Mutual information": "mutual information", "Perplexity": "perplexity", "Active": "active",
         "CPU seconds": "CPU seconds"}


def of_result(result: Result) -> Exhibit | None:
    """The remedies of a kept result side by side, means over seeds; a damaged row costs itself."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in result.table:
        with contextlib.suppress(*DAMAGED):
            values = {title: float(row[column]) for title, column in FOUND.items() if column in row}
            for title, value in values.items():
                found.setdefault(str(row["remedy"]), {}).setdefault(title, []).append(value)
    rows = [{"Remedy": remedy, **{title: finite(over_seeds(values[title]).mean) if title in values else None
                                  for title in FOUND}} for remedy, values in found.items()]
    if not rows:
        return None
    return Exhibit([Table("Remedies beside each other", "The same sentences, networks and learning rate, and as many "
                          "steps, but for what an encoder learns besides: where it is aggressive, and with the "
                          "autoencoder that comes first. Means over seeds.", rows, COLUMNS)],
                   "**A KL is what a code costs, mutual information what it tells.** Where the second is far below the "
                   "first, the rate was paid for nothing.")


STUDY = Study(
    "C27", "Cyclical annealing pays for its information",
    "On real sentences, raising β several times instead of once makes the code tell more about the sentence, and makes "
    "the perplexity worse.",
    "Li et al. (2020), OPTIMUS, table 1, against Fu et al. (2019), who say that it is not made worse",
    "Sentence VAEs on 16,000 sentences of Common Voice, keep rate 0.75, 6 epochs, one learning rate throughout, "
    f"{len(SEEDS)} seeds: β raised once or in four cycles. Beside them a language model, no remedy, the aggressive "
    "encoder, free bits of two kinds, and an encoder that an autoencoder has trained (Li et al. 2019).",
    f"By 95% intervals of paired differences over seeds, cyclical less monotone: mutual information at least {MORE} "
    f"nats higher, and perplexity, with {SAMPLES} importance samples, higher.", 35, run,
    published="Li et al. (2020), OPTIMUS, table 1, two-layer LSTMs with 32 dimensions, which is not the setting here: "
              "perplexity and mutual information of PTB are 101.40 and 0.00 nats with monotone, 108.81 and 1.27 nats "
              "with cyclical annealing; of SNLI 21.50 and 1.45, 23.67 and 3.60.",
    exhibit=of_result,
    columns={"remedy": "What is done against the collapse of the posterior.",
             "perplexity": "exp(−log p(x) / tokens): among how many equally likely words a model chooses each next.",
             "CPU seconds": "Of one thread, for the training."})
