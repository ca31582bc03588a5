"""C20: a VAE with a prior p(z|u) identifies the sources of a nonlinear mixture, one without does not (iVAE)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch

from vaecore.config import RunConfig
from vaecore.evaluate.disentanglement import mean_correlation
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.intervals import by_seed, over_seeds, paired
from vaecore.schema import parse
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed

GOOD, POOR, GAP = 0.9, 0.75, 0.15
SIZES, SEEDS = (2, 5), (0, 1, 2)  # sources; seeds of data and training


def configuration(dimensions: int, seed: int, *, conditional: bool, segments: int = 40, shuffled: bool = False,
                  layers: int = 2, epochs: int = 30) -> RunConfig:
    """Sources whose variances change between segments, mixed by a network and whitened; sigma 0.1 in the likelihood."""
    prior = {"kind": "conditional", "mean": False} if conditional else {"kind": "standard"}
    return parse(RunConfig, {
        "seed": seed, "data": {
            "name": "sources", "dimensions": dimensions, "segments": segments,
            "per_segment": 40_000 // segments, "data_seed": seed, "shuffled": shuffled, "layers": layers},
        "model": {"family": "vae", "latent_size": dimensions, "prior": prior,
                  "network": {"kind": "mlp", "hidden": [100, 100, 100], "activation": "elu"},
                  "likelihood": {"kind": "gaussian", "sigma": 0.1}},
        "training": {"epochs": epochs, "batch_size": 256, "learning_rate": 0.01, "beta": {"kind": "constant"},
                     "rate": {"kind": "cosine"}, "snapshots": 0, "checkpoints": 0, "evaluate_every": 5,
                     "keep": "last"}})


def correlation(done: Run) -> float:
    """MCC (Pearson, Hungarian matching) of sampled codes and sources on the test split."""
    config = done.config()
    model, dataset = load_model(done.path), config.data.load()
    batch = Feed(dataset, "test", torch.device("cpu")).first(len(dataset.splits["test"]))
    with torch.inference_mode():
        q = model.encode(batch)["z"]
        assert isinstance(q, DiagonalGaussian)
        z = q.rsample(torch.Generator().manual_seed(0))[0]
    factors = dataset.splits["test"].factors
    assert factors is not None
    return mean_correlation(z.double().numpy(), factors, dataset.factors, kind="posterior samples").pearson


def run(bench: Bench) -> Finding:
    """Both priors on every data set; then the controls and deeper mixing, on the first with five sources."""
    table: list[Row] = []

    def one(name: str, dimensions: int, seed: int, config: RunConfig) -> None:
        label = name.lower().replace(",", "").replace(" ", "-")
        done = bench.train(f"{label}-{dimensions}-{seed}", config)
        table.append({"model": name, "sources": dimensions, "seed": seed, "MCC": correlation(done)})

    for seed in SEEDS:
        for dimensions, (name, conditional) in product(SIZES, (("iVAE", True), ("VAE", False))):
            one(name, dimensions, seed, configuration(dimensions, seed, conditional=conditional))
    one("iVAE, segments shuffled", 5, 0, configuration(5, 0, conditional=True, shuffled=True))
    one("iVAE, 3 segments", 5, 0, configuration(5, 0, conditional=True, segments=3))
    for name, conditional in (("iVAE, three layers", True), ("VAE, three layers", False)):
        one(name, 5, 0, configuration(5, 0, conditional=conditional, layers=3, epochs=60))
    return finding(table)


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where both models are not of the same seeds."""
    sizes = sorted({int(r["sources"]) for r in table})
    found = {(name, size): by_seed(table, "MCC", model=name, sources=size) for name in ("iVAE", "VAE")
             for size in sizes}
    mean = {key: over_seeds(list(values.values())) for key, values in found.items()}
    gap = {size: paired(found["iVAE", size], found["VAE", size]) for size in sizes}
    holds = {**{f"that p(z|u) finds {size} sources": mean["iVAE", size].low >= GOOD for size in sizes},
             **{f"that without it {size} are not found": mean["VAE", size].high <= POOR for size in sizes},
             **{f"that both are {GAP} apart for {size}": gap[size].low >= GAP for size in sizes}}
    failed = [words for words, held in holds.items() if not held]
    controls = {str(r["model"]): float(r["MCC"]) for r in table if "," in str(r["model"])}
    return Finding(
        not failed,
        "MCC with p(z|u) and with N(0, I): " + "; ".join(
            f"{mean['iVAE', size].words()} and {mean['VAE', size].words()} for {size} sources, by seed "
            f"{gap[size].words()} apart" for size in sizes)
        + ". In one seed " + "; ".join(f"{name}: {value:.2f}" for name, value in controls.items()) + "."
        + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table), note="Trained with the plain ELBO; the released code weighs the likelihood by 100 and the KL's "
                          "parts by 1, 0 and 10. The mixing network has two layers and its output is whitened; the "
                          "paper's has three, which is in the table with twice the training. Two sources rotated at "
                          "random have an MCC of 0.90 on average, so a VAE is hardly below 0.75 there. MCC of sampled "
                          "codes, Pearson's correlation, test split.",
        intervals={f"MCC, {size} sources, {name}": each for size in sizes for name, each in (
            ("iVAE", mean["iVAE", size]), ("VAE", mean["VAE", size]), ("iVAE less VAE", gap[size]))})


STUDY = Study(
    "C20", "A prior given u identifies the sources",
    "Where the variances of sources change with an observed covariate u, a VAE with p(z|u) finds them up to order and "
    "scale; a VAE without finds some mixture.",
    "Khemakhem, Kingma, Monti & Hyvärinen (2020), iVAE",
    f"Two and five Gaussian sources in 40 segments, mixed by a two-layer network and whitened, {len(SEEDS)} seeds of "
    "data and training each; controls with shuffled and with too few segments, and a three-layer network, once.",
    f"By 95% intervals over seeds, for both numbers of sources: MCC of at least {GOOD} with p(z|u), at most {POOR} "
    f"without, and by paired differences {GAP} apart.",
    3, run)
