"""What the diagnostics cost, how fast sentences are learned, and what mutual information over a whole set takes.

    python benchmarks/collapse.py            # or `make bench`; about three minutes
    python benchmarks/collapse.py --quick    # fewer rounds, nothing kept

Sentences: ours and a plain loop around `torch.nn.LSTM` take turns in one process, a block of steps each, on the same
network, and so does the language model without encoder: what counts is the ratio of the times within one round.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaecore.config import RunConfig, changed, preset
from vaecore.data import BEGIN, PAD, Dataset, DataUnavailable
from vaecore.probability.aggregate import information
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.training import DIAGNOSED
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Feed
from vaecore.training.snapshots import snapshot

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
DIAGNOSED_PRESETS = ("vae-mnist", "vae-mlp-mnist", "sentence-vae-captions")
PAIRS, LATENT = 10_000, 32
TARGETS = {"diagnostics": 0.05, "information": 2.0}


# -- diagnostics -----------------------------------------------------------------------------------


def diagnostics(name: str, blocks: int) -> dict[str, Any] | None:
    """Share of a preset's training time that its diagnostics take at the default cadence."""
    config = changed(preset(name), ["data.source=embedded"] if "mnist" in name else [])
    try:
        dataset = config.data.load()
    except DataUnavailable:
        return None
    trainer = trainer_of(config, dataset)
    validation = Feed(dataset, "validation", CPU)
    generator = torch.Generator().manual_seed(0)
    evaluations = trainer.total // trainer.evaluate_every
    taken = min(config.training.snapshots, evaluations) + 1
    with torch.inference_mode():
        [q] = trainer.model.encode(validation.first(DIAGNOSED)).values()
    assert isinstance(q, DiagonalGaussian)
    points = validation.first(config.training.snapshot_points)
    step, told, seen = [], [], []
    for done in range(blocks):
        step.append(timed(lambda done=done: steps_of(trainer, 10 * done, 10)) / 10)
        told.append(timed(lambda: information(q, generator)))
        seen.append(timed(lambda: snapshot(trainer.model, points, generator)))
    training = trainer.total * statistics.median(step)
    cost = (evaluations + 1) * statistics.median(told) + taken * statistics.median(seen)
    return {"preset": name, "share": cost / training, "step_ms": 1e3 * statistics.median(step),
            "information_ms": 1e3 * statistics.median(told), "snapshot_ms": 1e3 * statistics.median(seen),
            "steps": trainer.total, "evaluations": evaluations + 1, "snapshots": taken}


# -- sentences -------------------------------------------------------------------------------------


class Plain(nn.Module):
    """A sentence VAE, or without encoder a language model, as one writes it around `nn.LSTM`."""

    def __init__(self, words: int, embedding: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.read = nn.Embedding(words, embedding)
        self.encoder = nn.LSTM(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2 * latent) if latent else None
        self.embedding = nn.Embedding(words, embedding)
        self.start = nn.Linear(latent, hidden) if latent else None
        self.decoder = nn.LSTM(embedding + latent, hidden, batch_first=True)
        self.out = nn.Linear(hidden, words)

    def loss(self, x: Tensor) -> Tensor:
        x = x[:, : int((x != PAD).sum(1).max())]
        previous = self.embedding(F.pad(x[:, :-1], (1, 0), value=BEGIN))
        if self.head is None or self.start is None:
            states, _ = self.decoder(previous)
            kl = torch.zeros(())
        else:
            codes, _ = self.encoder(self.read(x))
            last = (x != PAD).sum(1) - 1
            mean, logvar = self.head(codes[torch.arange(len(x)), last]).chunk(2, 1)
            z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
            kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum() / len(x)
            c = self.start(z)[None]
            states, _ = self.decoder(torch.cat([previous, z[:, None].expand(-1, x.shape[1], -1)], 2), (c.tanh(), c))
        nll = F.cross_entropy(self.out(states).flatten(0, 1), x.flatten(), ignore_index=PAD, reduction="sum")
        return nll / len(x) + kl


def sentences(rounds: int, steps: int, threads: int) -> dict[str, Any]:
    """Tokens a second of ours, a plain VAE loop and a plain language model, and their times as ratios."""
    torch.set_num_threads(threads)
    config = changed(preset("sentence-vae-captions"), ["data.name=synthetic-text", "training.epochs=1000"])
    dataset = config.data.load()
    model = config.model.model_dump()
    tokens = torch.from_numpy(dataset.splits["train"].arrays["text"])
    words, size = len(dataset.modalities["text"].vocabulary), config.training.batch_size
    trainer, done = trainer_of(config, dataset), 0

    def ours() -> None:
        nonlocal done
        steps_of(trainer, done, steps)
        done += steps

    def plain(latent: int) -> Callable[[], None]:
        network = Plain(words, model["embedding"], model["hidden"], latent)
        optimizer = torch.optim.Adam(network.parameters(), lr=config.training.learning_rate)

        def block() -> None:
            for _ in range(steps):
                chosen = torch.randint(len(tokens), (size,))
                loss = network.loss(tokens[chosen].long())
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), config.training.clip_norm)
                optimizer.step()
                loss.item()

        return block

    takers = {"ours": ours, "plain VAE loop": plain(model["latent_size"]), "plain language model": plain(0)}
    times: dict[str, list[float]] = {name: [] for name in takers}
    for turn in range(rounds + 1):
        for name, block in takers.items():
            seconds = timed(block)
            if turn:  # the first round warms up
                times[name].append(seconds)
    length = float((tokens != PAD).sum(1).float().mean())
    return {"threads": threads, "tokens_a_second": {name: size * steps * length / statistics.median(t)
                                                    for name, t in times.items()},
            "ours_to": {name: statistics.median(a / b for a, b in zip(times["ours"], t, strict=True))
                        for name, t in times.items() if name != "ours"}}


# -- mutual information ----------------------------------------------------------------------------


def pairs_once() -> None:
    """Mutual information of many posteriors, in a process of its own so that its memory can be told."""
    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(PAIRS, LATENT, generator=generator)
    q = DiagonalGaussian(mean, torch.full_like(mean, -2.0))
    information(DiagonalGaussian(mean[:500], q.logvar[:500]), generator)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = min(timed(lambda: information(q, generator)) for _ in range(3))
    unit = 1 if platform.system() == "Darwin" else 1024
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    print(json.dumps({"observations": PAIRS, "latent_size": LATENT, "seconds": seconds, "memory_mb": grown / 1e6}))


# -- the report ------------------------------------------------------------------------------------


def trainer_of(config: RunConfig, dataset: Dataset) -> Course:
    """The real thing, on the CPU."""
    return Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)


def steps_of(trainer: Course, first: int, count: int) -> None:
    """`count` training steps with everything they log, and the log read back."""
    for step in range(first, first + count):
        trainer.update(step % max(1, trainer.total))
        if len(trainer.pending) == FLUSH_STEPS:
            trainer.flush()
    trainer.flush()


def timed(block: Callable[[], object]) -> float:
    """Seconds that a block takes."""
    start = time.perf_counter()
    block()
    return time.perf_counter() - start


def report(results: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    machine = results["machine"]
    lines = ["# Collapse", "", f"{results['date']}; {machine['cores']} cores ({machine['processor']}), torch "
             f"{machine['torch']}, Python {machine['python']}.", "",
             "| preset, one thread | a step | information | a snapshot | diagnostics / training | at most 0.05 |",
             "|---|---|---|---|---|---|"]
    lines += [f"| {d['preset']} | {d['step_ms']:.1f} ms x {d['steps']:,} | {d['information_ms']:.0f} ms x "
              f"{d['evaluations']} | {d['snapshot_ms']:.0f} ms x {d['snapshots']} | {d['share']:.3f} | "
              f"{'met' if d['share'] <= TARGETS['diagnostics'] else '**missed**'} |" for d in results["diagnostics"]]
    lines += ["", "| sentences, threads | loop | tokens a second | our time / its time |", "|---|---|---|---|"]
    for table in results["sentences"]:
        lines += [f"| {table['threads']} | {name} | {rate:,.0f} | "
                  f"{table['ours_to'].get(name, 1):.2f} |" for name, rate in table["tokens_a_second"].items()]
    pairs = results["pairs"]
    lines += ["", f"Mutual information of {pairs['observations']:,} posteriors in {pairs['latent_size']} dimensions, "
              f"two threads: {pairs['seconds']:.2f} s ("
              f"{'met' if pairs['seconds'] <= TARGETS['information'] else '**missed**'}, at most 2 s), "
              f"{pairs['memory_mb']:.0f} MB more memory at its peak."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing kept")
    parser.add_argument("--pairs-once", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.pairs_once:
        pairs_once()
        return
    child = subprocess.run([sys.executable, __file__, "--pairs-once"], capture_output=True, text=True, check=True)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    found = [diagnostics(name, 4 if chosen.quick else 12) for name in DIAGNOSED_PRESETS]
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
                    "processor": platform.machine(), "torch": torch.__version__, "python": platform.python_version()},
        "diagnostics": [d for d in found if d is not None],
        "sentences": [sentences(3 if chosen.quick else 12, 10, threads) for threads in (1, 2)],
        "pairs": json.loads(child.stdout)}
    text = report(results)
    print(text)
    if not chosen.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "collapse.json").write_text(json.dumps(results, indent=2) + "\n")
        (RESULTS / "collapse.md").write_text(text)


if __name__ == "__main__":
    main()
