"""What a training step and a roll-out of SVG take, beside the structure of the published code and beside the limit.

    python benchmarks/video.py                # some minutes, where the cores are free
    python benchmarks/video.py --quick        # fewer rounds, nothing kept

All take turns in one process, as in training.py, and what counts is the ratio within one round. The peer is written
here from the description of Denton & Fergus (2018): every frame encoded twice, once as input and once as target, three
LSTMs unrolled cell by cell, batch normalisation, and skips concatenated in the decoder at each step. The limit is the
convolutions of our own network alone, forward and backward, of all frames at once.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import time
from typing import Any

import torch
from priors import steps_of
from torch import Tensor, nn
from training import CPU, RESULTS, Block, spread, take_turns

from vaecore.config import RunConfig, changed, preset
from vaecore.data import Dataset
from vaecore.lab.worker import keep_freed_memory
from vaecore.models.video.svg import SVG
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Feed

OURS, PUBLISHED, LIMIT, GENERATOR = "ours", "published structure", "bare convolutions", "drawing the clips"
TARGETS = {"ours / published structure": 0.5, "drawing the clips / ours": 0.05, "roll-out": 4.0, "memory": 1.5}
SIDES = {"32 pixels, 8 channels": (32, 8), "32 pixels, 16 channels": (32, 16)}
FRAMES, BATCH, STEPS, ROUNDS = 10, 32, 2, 8  # of a clip, clips, steps a block, and turns
CODE, HIDDEN, LATENT, CONTEXT = 64, 128, 8, 5
FUTURES, HORIZON, PART = 100, 25, 25  # of a roll-out, and how many futures at once


def configured(side: int, channels: int, frames: int = FRAMES) -> RunConfig:
    """The shipped preset at a size, with epochs enough never to end."""
    return changed(preset("svg-lp-moving-mnist"), [
        "data.source=embedded", f"data.size={side}", f"data.frames={frames}", "data.test_clips=32",
        f"model.network.channels={channels}", f"training.batch_size={BATCH}", "training.epochs=10000",
        "training.device=cpu"])


# -- the published structure -----------------------------------------------------------------------


def _down(a: int, b: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))


def _up(a: int, b: int) -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))


class Cells(nn.Module):
    """Linear, LSTM cells, linear; the state is kept on the module, as published."""

    def __init__(self, inputs: int, outputs: int, layers: int) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, outputs)
        self.cells = nn.ModuleList(nn.LSTMCell(HIDDEN, HIDDEN) for _ in range(layers))
        self.state: list[tuple[Tensor, Tensor]] = []

    def begin(self, clips: int) -> None:
        self.state = [(torch.zeros(clips, HIDDEN), torch.zeros(clips, HIDDEN)) for _ in self.cells]

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x)
        for index, cell in enumerate(self.cells):
            self.state[index] = cell(h, self.state[index])
            h = self.state[index][0]
        return self.head(h)  # type: ignore[no-any-return]


class Published(nn.Module):
    """SVG-LP as its code is built, at the same sizes as ours."""

    def __init__(self, side: int, channels: int) -> None:
        super().__init__()
        widths = [1, *(channels * 2**n for n in range(side.bit_length() - 3))]
        self.downs = nn.ModuleList(_down(a, b) for a, b in itertools.pairwise(widths))
        self.code = nn.Sequential(nn.Conv2d(widths[-1], CODE, 4), nn.BatchNorm2d(CODE), nn.Tanh())
        self.first = nn.Sequential(nn.ConvTranspose2d(CODE, widths[-1], 4), nn.BatchNorm2d(widths[-1]),
                                   nn.LeakyReLU(0.2))
        backward = list(reversed(widths))
        self.ups = nn.ModuleList(_up(2 * a, b) for a, b in itertools.pairwise(backward[:-1]))
        self.last = nn.Sequential(nn.ConvTranspose2d(2 * backward[-2], 1, 4, 2, 1), nn.Sigmoid())
        self.predictor = Cells(CODE + LATENT, CODE, 2)
        self.posterior, self.prior = Cells(CODE, 2 * LATENT, 1), Cells(CODE, 2 * LATENT, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
        return self.code(x).flatten(1), skips

    def loss(self, x: Tensor) -> Tensor:
        """Squared errors and KL of clips (B, T, 1, H, W), step by step."""
        for part in (self.predictor, self.posterior, self.prior):
            part.begin(len(x))
        loss, skips = torch.zeros(()), []
        for t in range(1, x.shape[1]):
            h, seen = self.encode(x[:, t - 1])
            target, _ = self.encode(x[:, t])
            if t < CONTEXT + 1:
                skips = seen
            mean, logvar = self.posterior(target).chunk(2, 1)
            prior_mean, prior_logvar = self.prior(h).chunk(2, 1)
            z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
            d = self.first(self.predictor(torch.cat([h, z], 1)).tanh()[:, :, None, None])
            for up, skip in zip(self.ups, reversed(skips[1:]), strict=True):
                d = up(torch.cat([d, skip], 1))
            frame = self.last(torch.cat([d, skips[0]], 1))
            kl = 0.5 * (prior_logvar - logvar - 1 + (logvar.exp() + (mean - prior_mean) ** 2) / prior_logvar.exp())
            loss = loss + (frame - x[:, t]).square().mean() + 1e-4 * kl.sum() / len(x)
        return loss


def published(side: int, channels: int, feed: Feed, steps: int) -> Block:
    """Its training step, on clips of the same generator, with Adam as it comes and a read-out a step."""
    torch.manual_seed(0)
    model = Published(side, channels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002, betas=(0.9, 0.999))
    generator = torch.Generator().manual_seed(0)

    def block() -> None:
        for _ in range(steps):
            x = feed.batch(torch.arange(BATCH), generator)["frames"]
            optimizer.zero_grad()
            loss = model.loss(x)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()

    return block


# -- the limit, and the generator -------------------------------------------------------------------


def convolutions(model: SVG, x: Tensor, steps: int) -> Block:
    """Every convolution of encoder and decoder on maps of the sizes it gets in a step, forward and backward."""
    calls: list[tuple[nn.Module, tuple[int, ...]]] = []
    hooks = [module.register_forward_pre_hook(lambda module, given: calls.append((module, tuple(given[0].shape))))
             for module in model.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    model.objective({"frames": x})
    for hook in hooks:
        hook.remove()
    # The first convolution needs no gradient of its input: frames have none.
    inputs = [torch.rand(shape).contiguous(memory_format=torch.channels_last).requires_grad_(index > 0)
              for index, (_, shape) in enumerate(calls)]
    ones = [torch.ones_like(module(given)) for (module, _), given in zip(calls, inputs, strict=True)]

    def block() -> None:
        for _ in range(steps):
            for (module, _), given, one in zip(calls, inputs, ones, strict=True):
                torch.autograd.backward(module(given), one)
            model.zero_grad()

    return block


def drawing(feed: Feed, steps: int) -> Block:
    """The clips of as many steps, and nothing else."""
    generator = torch.Generator().manual_seed(0)

    def block() -> None:
        for _ in range(steps):
            feed.batch(torch.arange(BATCH), generator)

    return block


def training_steps(name: str, threads: int, rounds: int) -> dict[str, Any]:
    """One table: everything against ours."""
    torch.set_num_threads(threads)
    side, channels = SIDES[name]
    config = configured(side, channels)
    dataset: Dataset = config.data.load()
    trainer = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    assert isinstance(trainer.model, SVG)
    blocks = {OURS: steps_of(trainer, STEPS), PUBLISHED: published(side, channels, trainer.feed, STEPS),
              LIMIT: convolutions(trainer.model, trainer.feed.first(BATCH)["frames"], STEPS),
              GENERATOR: drawing(trainer.feed, STEPS)}
    seconds = take_turns(blocks, rounds)
    return {"network": name, "threads": threads, "milliseconds": {
        label: 1000 * sorted(found)[len(found) // 2] / STEPS for label, found in seconds.items()},
        "ratios": {f"{OURS} / {PUBLISHED}": spread(seconds[OURS], seconds[PUBLISHED]),
                   f"{OURS} / {LIMIT}": spread(seconds[OURS], seconds[LIMIT]),
                   f"{GENERATOR} / {OURS}": spread(seconds[GENERATOR], seconds[OURS])}}


# -- roll-outs ------------------------------------------------------------------------------------------


def model_of_64() -> tuple[SVG, Tensor]:
    """Untrained, as its weights do not change the time, and one clip's context."""
    config = configured(64, 16)
    dataset = config.data.load()
    model = build(config, dataset).eval()
    assert isinstance(model, SVG)
    return model, Feed(dataset, "test", CPU).first(1)["frames"][:, :CONTEXT]


def rolled(model: SVG, past: Tensor, futures: int) -> float:
    """Seconds for so many futures, a part at a time, as the page and the command line make them."""
    generator = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, futures, PART):
            count = min(PART, futures - first)
            frames = model.roll_out(past, HORIZON, torch.randn(count, HORIZON, LATENT, generator=generator)).frames
            frames.mul(255).round().byte()
    return time.perf_counter() - start


def roll_outs(threads: int, rounds: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    model, past = model_of_64()
    rolled(model, past, 2)
    seconds = sorted(rolled(model, past, FUTURES) for _ in range(rounds))
    return {"threads": threads, "futures": FUTURES, "frames": HORIZON, "seconds": seconds[len(seconds) // 2],
            "first": sorted(rolled(model, past, 1) for _ in range(rounds))[rounds // 2]}


def memory_once(futures: int) -> None:
    """Peak memory of a process that rolls out so many futures, in MiB."""
    torch.set_num_threads(1)
    model, past = model_of_64()
    rolled(model, past, futures)
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def peak_memory() -> dict[str, float]:
    def peak(futures: int) -> float:
        child = subprocess.run([sys.executable, __file__, "--memory-once", str(futures)], capture_output=True,
                               text=True, check=True)
        return float(json.loads(child.stdout.splitlines()[-1]))

    return {str(futures): peak(futures) for futures in (1, 100, 400)}


# -- report ---------------------------------------------------------------------------------------------


def verdicts(results: dict[str, Any]) -> list[tuple[str, float, float]]:
    """What, the median measured, and the target."""
    found = [(f"{label}, {table['network']}, {table['threads']} thread(s)", ratio["median"], TARGETS[label])
             for table in results["steps"] for label, ratio in table["ratios"].items() if label in TARGETS]
    found += [(f"seconds for {t['futures']} futures of {t['frames']} frames at 64 pixels, {t['threads']} thread(s)",
               t["seconds"], TARGETS["roll-out"]) for t in results["roll_outs"]]
    peak = results["memory"]
    return [*found, ("peak memory of 400 futures / that of 100", peak["400"] / peak["100"], TARGETS["memory"])]


def report(results: dict[str, Any]) -> str:
    machine = results["machine"]
    lines = [f"# Video, {results['date']}", "", f"{machine['cores']} cores, {machine['processor']}, "
             f"torch {machine['torch']}; clips of {FRAMES} frames, batch {BATCH}. Ratios: median (minimum to maximum) "
             "over rounds.", "",
             "| network | threads | ours | published | convolutions | drawing | ours / published | "
             "ours / convolutions |", "|---|---|---|---|---|---|---|---|"]
    for table in results["steps"]:
        ms = table["milliseconds"]
        ratios = [f"{r['median']:.2f} ({r['min']:.2f} to {r['max']:.2f})"
                  for label, r in table["ratios"].items() if not label.startswith(GENERATOR)]
        lines.append(f"| {table['network']} | {table['threads']} | "
                     + " | ".join(f"{ms[label]:.0f} ms" for label in (OURS, PUBLISHED, LIMIT))
                     + f" | {ms[GENERATOR]:.1f} ms | " + " | ".join(ratios) + " |")
    lines += ["", "| what | measured | target | |", "|---|---|---|---|"]
    lines += [f"| {what} | {value:.3g} | at most {target:g} | {'met' if value <= target else 'missed'} |"
              for what, value, target in verdicts(results)]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing kept")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads to measure with")
    parser.add_argument("--memory-once", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.memory_once:
        memory_once(chosen.memory_once)
        return
    torch.set_flush_denormal(True)  # as the worker does, and before anything parallel
    keep_freed_memory()
    rounds = 3 if chosen.quick else ROUNDS
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
                    "processor": platform.machine(), "torch": torch.__version__,
                    "python": platform.python_version()},
        "steps": [training_steps(name, threads, rounds) for name in SIDES for threads in chosen.threads],
        "roll_outs": [roll_outs(threads, 3) for threads in chosen.threads], "memory": peak_memory()}
    text = report(results)
    print(f"\n{text}")
    if not chosen.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "video.json").write_text(json.dumps(results, indent=2) + "\n")
        (RESULTS / "video.md").write_text(text)


if __name__ == "__main__":
    main()
