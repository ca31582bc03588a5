"""What log p(x) by importance sampling takes beside a peer, and what a learned prior adds to a training step.

    python benchmarks/priors.py            # or `make bench`; about four minutes
    python benchmarks/priors.py --quick    # fewer rounds, nothing kept

All take turns in one process, as in training.py, and what counts is the ratio of the times within one round. The bare
matrix products bound both: those of the decoder for all codes, and those of the encoder for all pseudo-inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import itertools
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training import CPU, PYTHAE, RESULTS, Block, products, spread, take_turns

from vaecore.config import RunConfig, changed, preset
from vaecore.data import Dataset
from vaecore.evaluate.likelihood import Likelihood, importance_log_weights, log_likelihood
from vaecore.lab.worker import keep_freed_memory
from vaecore.models import Family
from vaecore.probability.gaussian import POSTERIOR_LOGVAR
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Feed

SAMPLES = 500  # importance samples K
IMAGES, PARTS = 1_000, 10  # held out: validation and test set; a round takes one part
FEWER = 20  # images of each part for those that take one image at a time
MORE = 10  # times the samples for as many images fewer: memory should not tell
COMPONENTS = 500
TARGETS = {"pythae / ours": 5.0, "ours / products": 1.25, "VampPrior / standard": 1.6, "VampPrior / bound": 1.2,
           "memory": 256.0}  # the last in MB
EQUAL = 3.0  # standard errors of the paired difference
STANDARD, VAMP = "standard", "VampPrior"
BARE, BARE_VAMP = "bare products, standard", "bare products, VampPrior"
OURS, DECODER = "ours", "bare products of the decoder"

MANY = f"model.prior.components={COMPONENTS}"
PRIORS: dict[str, tuple[str, ...]] = {
    STANDARD: (),
    VAMP: ("model.prior.kind=vamp", MANY),
    "mixture": ("model.prior.kind=mixture", MANY),
    "aggregated": ("model.prior.kind=aggregated", MANY),
    "implicit": ("model.prior.kind=implicit",),
    "standard, MMD": ("model.divergence.kind=mmd",),
    "standard, critic": ("model.divergence.kind=critic",),
}
TWO_LAYERS = ("model.network.kind=mlp", "model.network.hidden=[300, 300]", "model.network.activation=gelu",
              "model.latent_size=40")
STEPS: tuple[tuple[str, tuple[str, ...], int, int], ...] = (  # name, network, batch size, steps a block
    ("784-300-300-40", TWO_LAYERS, 100, 4), ("784-300-300-40", TWO_LAYERS, 250, 3), ("preset vae-mnist", (), 128, 2))


# -- log p(x) --------------------------------------------------------------------------------------


def likelihood_config() -> RunConfig:
    """The 784-400-20 VAE on embedded digits, black and white."""
    return changed(preset("vae-mlp-mnist"), [
        "data.source=embedded", "data.pixels=binary-fixed", "training.device=cpu"])


def trained(config: RunConfig, dataset: Dataset) -> Family:
    """The preset's own training, without its evaluations."""
    trainer = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    for step in range(trainer.total):
        trainer.update(step)
        if len(trainer.pending) == FLUSH_STEPS:
            trainer.flush()
    return trainer.model.eval()


def held_out(dataset: Dataset) -> Tensor:
    """Test and validation images (N, 1, 28, 28), 0 or 1."""
    images = torch.cat([Feed(dataset, split, CPU).all()["image"] for split in ("test", "validation")])
    return images[:IMAGES]


@dataclass
class Rival:
    """Somebody who takes log p(x) of single images: `log_prob` (1, 1, 28, 28) -> nats."""

    parts: list[Tensor]
    log_prob: Callable[[Tensor], float]
    found: dict[int, list[float]] = field(default_factory=dict)
    turn: int = 0

    def block(self) -> None:
        part = self.turn % len(self.parts)
        images = self.parts[part][:FEWER]
        self.found[part] = [self.log_prob(images[i:i + 1]) for i in range(len(images))]
        self.turn += 1


def pythae(model: Family) -> Any:
    """pythae's VAE around the very modules of `model`.

    Nothing in `get_nll` had to be corrected to compare values, but it has to be called with care. It takes
    `batch_size` samples where fewer are asked for, and `n_samples // batch_size * batch_size` where more are: by 100
    and by 500, K is 500. It gives log p(x), not its negative, as a mean over images: called with one at a time it
    gives each its own, at no other cost, since that is its own loop. Its log-weights are single precision, and its
    Bernoulli takes the logarithm of a rounded sigmoid, at least -100: both are far below the noise of the estimate.
    """
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = model.encoder

        def forward(self, x: Tensor) -> Any:
            mean, logvar = self.layers(x).chunk(2, 1)
            return ModelOutput(embedding=mean, log_covariance=F.hardtanh(logvar, *POSTERIOR_LOGVAR))

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(model.decoder, nn.Sigmoid())

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=model.latents["z"], reconstruction_loss="bce")
    return VAE(config, Encoder(), Decoder()).eval()


def pythae_rivals(model: Family, parts: list[Tensor]) -> dict[str, Rival]:
    """`get_nll` as it comes, which keeps a graph of all it does, and without one, by two batch sizes."""
    peer = pythae(model)

    def asked(batch_size: int, graph: bool) -> Callable[[Tensor], float]:
        def log_prob(x: Tensor) -> float:
            with contextlib.nullcontext() if graph else torch.inference_mode():
                return float(peer.get_nll(x, SAMPLES, batch_size))

        return log_prob

    return {f"{PYTHAE}, as it comes": Rival(parts, asked(100, True)),
            f"{PYTHAE}, inference mode": Rival(parts, asked(100, False)),
            f"{PYTHAE}, inference mode, batch_size=500": Rival(parts, asked(500, False))}


def plain(model: Family) -> Callable[[Tensor], float]:
    """One image at a time as one would write it: encoded once, all codes decoded together, single precision."""

    @torch.inference_mode()
    def log_prob(x: Tensor) -> float:
        mean, logvar = model.encoder(x).chunk(2, 1)
        logvar = F.hardtanh(logvar, *POSTERIOR_LOGVAR)
        noise = torch.randn(SAMPLES, mean.shape[1])
        z = mean + (0.5 * logvar).exp() * noise
        given = -F.binary_cross_entropy_with_logits(model.decoder(z), x.expand(SAMPLES, -1, -1, -1), reduction="none")
        weights = given.flatten(1).sum(1) + 0.5 * (noise.square() + logvar - z.square()).sum(1)
        return float(weights.logsumexp(0)) - math.log(SAMPLES)

    return log_prob


def decoder_products(model: Family, images: int) -> Block:
    """The matrix products that K codes of each image take in the decoder, into memory that is there already."""
    weights = [layer.weight for layer in model.decoder.modules() if isinstance(layer, nn.Linear)]
    given = [torch.randn(SAMPLES, weight.shape[1]) for weight in weights]
    output = [torch.empty(SAMPLES, weight.shape[0]) for weight in weights]

    def block() -> None:
        for _ in range(images):
            for x, weight, y in zip(given, weights, output, strict=True):
                torch.mm(x, weight.t(), out=y)

    return torch.no_grad()(block)


def likelihoods(threads: int, rounds: int, model: Family, images: Tensor) -> dict[str, Any]:
    """Seconds and values of ours and of those who take one image at a time, on the same images."""
    torch.set_num_threads(threads)
    parts = list(images.split(IMAGES // PARTS))
    found: dict[int, Likelihood] = {}
    turns = itertools.count()

    def ours() -> None:
        turn = next(turns) % PARTS
        found[turn] = log_likelihood(model, [{"image": parts[turn]}], SAMPLES, seed=turn)

    rivals = {"plain loop": Rival(parts, plain(model))}
    missing = {}
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # see training.py
            rivals |= pythae_rivals(model, parts)
    except ImportError:
        missing[PYTHAE] = "not installed: `pip install --no-deps pythae==0.1.2`, see README.md"
    taken = take_turns({OURS: ours, DECODER: decoder_products(model, FEWER)}
                       | {name: rival.block for name, rival in rivals.items()}, rounds)
    each = {name: [t / (len(parts[0]) if name == OURS else FEWER) for t in times] for name, times in taken.items()}
    rows: dict[str, dict[str, Any]] = {
        name: {"seconds": IMAGES * statistics.median(times), "to_ours": spread(times, each[OURS])}
        for name, times in each.items()}
    rows[OURS] |= {"images": len(parts[0]) * len(found), **_pooled(list(found.values()))}
    for name, rival in rivals.items():
        done = sorted(rival.found)
        theirs = torch.tensor([rival.found[part] for part in done]).double()  # (parts, FEWER)
        same = torch.stack([_each(model, parts[part][:FEWER], seed=part) for part in done])
        rows[name] |= {"images": theirs.numel(), **_mean(theirs), "ours_there": _mean(same),
                       "difference": _mean(theirs - same)}
    return {"threads": threads, "rounds": rounds, "rows": rows, "missing": missing}


def _each(model: Family, images: Tensor, seed: int) -> Tensor:
    """Our log p(x) of each image, (B,)."""
    weights = importance_log_weights(model, {"image": images}, SAMPLES, torch.Generator().manual_seed(seed))
    return weights.logsumexp(0) - math.log(SAMPLES)


def _mean(values: Tensor) -> dict[str, float]:
    return {"value": float(values.mean()), "error": float(values.std() / math.sqrt(values.numel()))}


def _pooled(parts: list[Likelihood]) -> dict[str, float]:
    """Mean and standard error over the images of parts of one size."""
    mean = statistics.fmean(part.log_likelihood for part in parts)
    total = sum(part.observations for part in parts)
    squares = sum((part.observations - 1) * part.observations * part.standard_error**2
                  + part.observations * (part.log_likelihood - mean)**2 for part in parts)
    return {"value": mean, "error": math.sqrt(squares / (total - 1) / total)}


def memory_once() -> None:
    """Memory that log p(x) takes beside model and data, in a process of its own so that it can be told."""
    config = likelihood_config()
    dataset = config.data.load()
    model, images = build(config, dataset).eval(), held_out(dataset)
    torch.set_num_threads(1)
    unit = 1 if platform.system() == "Darwin" else 1024
    log_likelihood(model, [{"image": images[:5]}], 100)  # what threads and libraries take for good
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = []
    for count, samples in ((IMAGES, SAMPLES), (IMAGES // MORE, SAMPLES * MORE)):
        log_likelihood(model, [{"image": images[:count]}], samples)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows.append({"images": count, "samples": samples, "grown_mb": (peak - before) * unit / 1e6,
                     "peak_gb": peak * unit / 1e9})
    print(json.dumps(rows))


# -- training steps --------------------------------------------------------------------------------


def steps_config(network: tuple[str, ...], size: int, prior: tuple[str, ...]) -> RunConfig:
    """Black-and-white digits drawn anew, with epochs enough never to end."""
    return changed(preset("vae-mnist"), [
        "data.source=embedded", "data.pixels=binary-dynamic", "training.epochs=10000", "training.device=cpu",
        f"training.batch_size={size}", *network, *prior])


def trainer_of(config: RunConfig, dataset: Dataset) -> Course:
    """The real thing, its prior begun."""
    trainer = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    trainer.model.begin(lambda count: trainer.feed.at(torch.arange(count)))
    return trainer


def steps_of(trainer: Course, steps: int) -> Block:
    """`Course.update` with everything it logs, and the log read back."""
    done = itertools.count()

    def block() -> None:
        for _ in range(steps):
            trainer.update(next(done))
        trainer.flush()

    return block


def training_steps(place: int, threads: int, rounds: int) -> dict[str, Any]:
    """Every prior's step over that with the standard prior, and the bare products of two of them."""
    torch.set_num_threads(threads)
    name, network, size, steps = STEPS[place]
    dataset = steps_config(network, size, ()).data.load()
    trainers = {prior: trainer_of(steps_config(network, size, chosen), dataset) for prior, chosen in PRIORS.items()}
    x = trainers[STANDARD].feed.first(size)["image"]
    blocks = {BARE: products(trainers[STANDARD].model, x, steps), BARE_VAMP: products(trainers[VAMP].model, x, steps)}
    blocks |= {prior: steps_of(trainer, steps) for prior, trainer in trainers.items()}
    taken = take_turns(blocks, rounds)
    # What bounds a step from below: the products of both passes, beside the real step without the VampPrior.
    bound = [standard + more - less for standard, more, less
             in zip(taken[STANDARD], taken[BARE_VAMP], taken[BARE], strict=True)]
    under = {name: taken[BARE if name in (BARE, BARE_VAMP) else STANDARD] for name in taken}
    return {"network": name, "batch_size": size, "threads": threads, "rounds": rounds, "steps_a_block": steps,
            "rows": {name: {"ms": 1e3 * statistics.median(times) / steps, "to_standard": spread(times, under[name])}
                     for name, times in taken.items()},
            "bound": spread(bound, taken[STANDARD]), "to_bound": spread(taken[VAMP], bound)}


# -- the report ------------------------------------------------------------------------------------


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for table in results["likelihoods"]:
        where = f"{table['threads']} thread{'s' * (table['threads'] > 1)}"
        peers = {name: row for name, row in table["rows"].items() if name.startswith(PYTHAE)}
        products = table["rows"][DECODER]["to_ours"]["median"]
        limit = TARGETS["ours / products"]
        found.append({"what": f"log p(x): ours / {DECODER}, {where}", "limit": f"at most {limit:g}",
                      "measured": 1 / products, "met": 1 / products <= limit})
        for name, row in peers.items():
            ratio, limit = row["to_ours"]["median"], TARGETS["pythae / ours"]
            found.append({"what": f"log p(x): {name} / ours, {where} (products alone would allow "
                                  f"{ratio / products:.2f})",
                          "limit": f"at least {limit:g}", "measured": ratio, "met": ratio >= limit})
        for name, row in peers.items():
            apart = abs(row["difference"]["value"]) / row["difference"]["error"]
            found.append({"what": f"log p(x): {name} differs from ours, in standard errors, {where}",
                          "limit": f"at most {EQUAL:g}", "measured": apart, "met": apart <= EQUAL})
    grown = max(row["grown_mb"] for row in results["memory"])
    found.append({"what": "log p(x): memory beside model and data, MB", "limit": f"at most {TARGETS['memory']:g}",
                  "measured": grown, "met": grown <= TARGETS["memory"]})
    for table in results["steps"]:
        ratio, limit = table["rows"][VAMP]["to_standard"]["median"], TARGETS["VampPrior / standard"]
        found.append({"what": f"step: {VAMP} / {STANDARD}, {_place(table)} (its bound is "
                              f"{table['bound']['median']:.2f})",
                      "limit": f"at most {limit:g}", "measured": ratio, "met": ratio <= limit})
        ratio, limit = table["to_bound"]["median"], TARGETS["VampPrior / bound"]
        found.append({"what": f"step: {VAMP} / its bound, {_place(table)}", "limit": f"at most {limit:g}",
                      "measured": ratio, "met": ratio <= limit})
    return found


def report(results: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    machine = results["machine"]
    lines = ["# Priors", "",
             f"{results['date']}; {machine['cores']} cores ({machine['processor']}), torch {machine['torch']}, "
             f"Python {machine['python']}. Ratios of paired blocks, taken in turns in one process: median (min to "
             "max).",
             "", "## log p(x)", "",
             f"K = {SAMPLES} importance samples, the 784-400-20 VAE, {IMAGES:,} held-out embedded digits in black and "
             "white, the same weights everywhere. All but ours take fewer images, the same ones of each part; their "
             f"seconds are scaled to {IMAGES:,}. Values are means over those images with standard errors.", "",
             f"| threads | who | seconds for {IMAGES:,} | time / ours | images | log p(x) | ours, same images | "
             "difference |", "|---|---|---|---|---|---|---|---|"]
    for table in results["likelihoods"]:
        for name, row in table["rows"].items():
            value = [_value(row.get(key)) for key in ("ours_there", "difference")]
            lines.append(f"| {table['threads']} | {name} | {row['seconds']:.2f} | {_shown(row['to_ours'])} | "
                         f"{row.get('images', '')} | {_value(row) if 'value' in row else ''} | {value[0]} | "
                         f"{value[1]} |")
        lines += [f"| {table['threads']} | {name} | {why} | | | | | |" for name, why in table["missing"].items()]
    memory = results["memory"]
    lines += ["", "Memory that ours takes beside model and data, all images in one batch: " + "; ".join(
        f"{row['grown_mb']:.0f} MB for {row['images']:,} images with K = {row['samples']:,}" for row in memory)
        + f". The whole process at its peak: {memory[-1]['peak_gb']:.2f} GB.",
              "", "## Training steps", "",
              f"{COMPONENTS} components. The bare products are those of all layers forward and backward; with a "
              f"VampPrior the encoder reads {COMPONENTS} pseudo-inputs beside the batch. The bound is the standard "
              "step with only those products added, at no other cost.", "",
              "| network, batch size, threads | step | ms | time / standard's |", "|---|---|---|---|"]
    for table in results["steps"]:
        lines += [f"| {_place(table)} | {name} | {row['ms']:.1f} | {_shown(row['to_standard'])} |"
                  for name, row in table["rows"].items()]
        lines.append(f"| {_place(table)} | bound of {VAMP} | | {_shown(table['bound'])} |")
    lines += ["", "| target | limit | measured | |", "|---|---|---|---|"]
    lines += [f"| {v['what']} | {v['limit']} | {v['measured']:.2f} | {'met' if v['met'] else '**missed**'} |"
              for v in results["verdicts"]]
    return "\n".join(lines) + "\n"


def _place(table: dict[str, Any]) -> str:
    return f"{table['network']}, {table['batch_size']}, {table['threads']}"


def _shown(ratio: dict[str, float]) -> str:
    if ratio["min"] == ratio["max"]:
        return f"{ratio['median']:.3g}"
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"


def _value(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{found['value']:.2f} ± {found['error']:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing kept")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads to measure with")
    parser.add_argument("--memory-once", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.memory_once:
        memory_once()
        return
    child = subprocess.run([sys.executable, __file__, "--memory-once"], capture_output=True, text=True, check=True)
    torch.set_flush_denormal(True)  # as the worker does, and before anything parallel
    keep_freed_memory()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = likelihood_config()
    dataset = config.data.load()
    model, images = trained(config, dataset), held_out(dataset)
    judged, stepped = [], []
    for threads in chosen.threads:
        print(f"log p(x), {threads} thread(s)", flush=True)
        judged.append(likelihoods(threads, 3 if chosen.quick else PARTS, model, images))
    for place, (name, _, size, steps) in enumerate(STEPS):
        for threads in chosen.threads:
            rounds = 3 if chosen.quick else 24 // steps
            print(f"{name}, batch {size}, {threads} thread(s): {rounds} rounds of {steps} steps each", flush=True)
            stepped.append(training_steps(place, threads, rounds))
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
                    "processor": platform.machine(), "torch": torch.__version__,
                    "python": platform.python_version()},
        "likelihoods": judged, "memory": json.loads(child.stdout), "steps": stepped}
    results["verdicts"] = verdicts(results)
    text = report(results)
    print(f"\n{text}")
    if not chosen.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "priors.json").write_text(json.dumps(results, indent=2) + "\n")
        (RESULTS / "priors.md").write_text(text)


if __name__ == "__main__":
    main()
