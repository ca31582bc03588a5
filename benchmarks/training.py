"""What a training step costs, beside a peer, beside a plain loop and beside the least it could cost.

    python benchmarks/training.py            # or `make bench`; about five minutes
    python benchmarks/training.py --quick    # fewer rounds, nothing kept

All of them take turns in one process, a block of steps each, so that whatever else the machine does falls on
all alike; what counts is the ratio of the times within one round. The unit is the bare matrix products of the
network's layers, forward and backward, into memory that is there already: no loop can take less. What autograd takes
beside them is the same for all, so ours is held against the leanest loop on autograd in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import logging
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from vaecore.config import RunConfig, changed, preset
from vaecore.data import Dataset
from vaecore.lab.worker import keep_freed_memory
from vaecore.models import Family
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Feed

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
BATCH, LATENT, HIDDEN = 128, 20, 400
PYTHAE = "pythae 0.1.2"
OURS, LEAN = "ours", "lean loop"
TARGETS = {"ours / lean loop": 1.1, "peak memory": 1.2}
MEMORY = ("vae-mlp-mnist", "vae-mnist")  # presets trained for one epoch of the full MNIST

Block = Callable[[], None]  # the same number of steps, whoever takes them


# -- who takes the steps ---------------------------------------------------------------------------


def configured(network: str) -> RunConfig:
    """The preset of the benchmark on the embedded digits, with epochs enough never to end."""
    return changed(preset({"mlp": "vae-mlp-mnist", "conv": "vae-mnist"}[network]), [
        "data.source=embedded", f"training.batch_size={BATCH}", "training.epochs=10000", "training.device=cpu",
        f"model.latent_size={LATENT}"])


def ours(config: RunConfig, dataset: Dataset, steps: int) -> Block:
    """The real thing: `Course.update` with everything it logs, and the log read back."""
    trainer = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    done = 0

    def block() -> None:
        nonlocal done
        for _ in range(steps):
            trainer.update(done)
            done += 1
            if len(trainer.pending) == FLUSH_STEPS:
                trainer.flush()
        trainer.flush()

    return block


def lean(config: RunConfig, dataset: Dataset, steps: int) -> Block:
    """The same model and the same fused Adam with nothing logged: what autograd itself asks for."""
    model = build(config, dataset)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images = torch.from_numpy(dataset.splits["train"].arrays["image"]).float() / 255
    order, done = torch.randperm(len(images)), 0

    def block() -> None:
        nonlocal order, done
        for _ in range(steps):
            if done + BATCH > len(images):
                order, done = torch.randperm(len(images)), 0
            x = images[order[done:done + BATCH]]
            done += BATCH
            mean, logvar = model.encoder(x).chunk(2, 1)
            z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
            rate = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum()
            distortion = F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum")
            ((distortion + rate) / BATCH).backward()
            optimizer.step()
            optimizer.zero_grad()

    return block


class Tutorial(nn.Module):
    """The 784-400-20 VAE as tutorials write it: two heads, a sigmoid at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, HIDDEN)
        self.mean, self.logvar = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784), nn.Sigmoid())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.hidden(x).relu()
        mean, logvar = self.mean(hidden), self.logvar(hidden)
        return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar


def plain(dataset: Dataset, steps: int) -> Block:
    """A DataLoader over a TensorDataset, Adam as it comes, `.item()` at every step."""
    images = torch.from_numpy(dataset.splits["train"].arrays["image"])[:steps * BATCH].float() / 255
    loader = DataLoader(TensorDataset(images.flatten(1)), batch_size=BATCH, shuffle=True)
    model = Tutorial()
    optimizer = torch.optim.Adam(model.parameters())
    total = 0.0

    def block() -> None:
        nonlocal total
        for (x,) in loader:
            reconstruction, mean, logvar = model(x)
            distortion = F.binary_cross_entropy(reconstruction, x, reduction="sum")
            loss = (distortion - 0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())) / len(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()

    return block


def pythae(dataset: Dataset, steps: int, scratch: str, *, on_cpu: bool = True) -> Block:
    """pythae's own `BaseTrainer.train_step`, an epoch at a time, with an equal network; its progress bar is off."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import CallbackHandler, TrainingCallback

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Sequential(nn.Linear(784, HIDDEN), nn.ReLU())
            self.mean, self.logvar = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)

        def forward(self, x: Tensor) -> Any:
            hidden = self.hidden(x.flatten(1))
            return ModelOutput(embedding=self.mean(hidden), log_covariance=self.logvar(hidden))

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784), nn.Sigmoid())

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.layers(z).view(-1, 1, 28, 28))

    logging.getLogger("pythae").setLevel(logging.ERROR)
    images = torch.from_numpy(dataset.splits["train"].arrays["image"])[:steps * BATCH].float() / 255
    labels = torch.from_numpy(dataset.splits["train"].labels)[:steps * BATCH]
    model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce"), Encoder(), Decoder())
    trainer = BaseTrainer(model, BaseDataset(images, labels), training_config=BaseTrainerConfig(
        output_dir=scratch, per_device_train_batch_size=BATCH, learning_rate=1e-3, no_cuda=on_cpu))
    trainer.prepare_training()
    trainer.callback_handler = CallbackHandler([TrainingCallback()], model)

    def block() -> None:
        trainer.train_step(epoch=1)

    return block


def products(model: Family, x: Tensor, steps: int) -> Block:
    """The matrix products of every layer, a convolution as the product its unfolded input would take."""
    shapes: list[tuple[int, int, int]] = []  # (m, k) @ (k, n)

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        given = inputs[0]  # priors are modules too, and are given more
        if isinstance(layer, nn.Linear):
            shapes.append((len(given), layer.in_features, layer.out_features))
        elif isinstance(layer, nn.Conv2d):
            window = layer.kernel_size[0] * layer.kernel_size[1]
            shapes.append((output.numel() // layer.out_channels, layer.in_channels * window, layer.out_channels))
        elif isinstance(layer, nn.ConvTranspose2d):
            window = layer.kernel_size[0] * layer.kernel_size[1]
            shapes.append((given.numel() // layer.in_channels, layer.in_channels, layer.out_channels * window))

    hooks = [layer.register_forward_hook(note) for layer in model.modules()]
    with torch.no_grad():
        model.elbo({"image": x})
    for hook in hooks:
        hook.remove()
    layers = [(torch.randn(m, k), torch.randn(n, k), torch.empty(m, n), torch.empty(n, k), torch.empty(m, k))
              for m, k, n in shapes]

    def block() -> None:
        for _ in range(steps):
            for given, weight, output, _, _ in layers:
                torch.mm(given, weight.t(), out=output)
            for index, (given, weight, output, weight_gradient, gradient) in reversed(list(enumerate(layers))):
                torch.mm(output.t(), given, out=weight_gradient)
                if index:  # nobody asks for the gradient of the data
                    torch.mm(output, weight, out=gradient)

    return torch.no_grad()(block)


# -- taking turns ----------------------------------------------------------------------------------


def take_turns(blocks: dict[str, Block], rounds: int) -> dict[str, list[float]]:
    """Seconds a block, by name; the order turns by one from round to round.

    Of one thread the processor's seconds: unlike the clock's, they leave out what other jobs take.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    names = list(blocks)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-2, rounds):  # two rounds to warm up
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            start = clock()
            blocks[name]()
            if turn >= 0:
                seconds[name].append(clock() - start)
    return seconds


def spread(over: list[float], under: list[float]) -> dict[str, float]:
    """Of the ratios of one round each."""
    ratios = [a / b for a, b in zip(over, under, strict=True)]
    return {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}


def measured(network: str, threads: int, steps: int, rounds: int, dataset: Dataset) -> dict[str, Any]:
    """One table: every loop against the products, and ours against pythae's."""
    torch.set_num_threads(threads)
    config = configured(network)
    model = build(config, dataset)
    batch = torch.from_numpy(dataset.splits["train"].arrays["image"])[:BATCH].float() / 255
    blocks = {"bare products": products(model, batch, steps), OURS: ours(config, dataset, steps),
              LEAN: lean(config, dataset, steps)}
    missing = {}
    with tempfile.TemporaryDirectory() as scratch:
        if network == "mlp":
            blocks["plain DataLoader"] = plain(dataset, steps)
            try:
                # pythae prints through handlers of its own, tied to whatever stderr is when it is imported.
                with contextlib.redirect_stderr(io.StringIO()):
                    blocks[PYTHAE] = pythae(dataset, steps, scratch)
            except ImportError:
                missing[PYTHAE] = "not installed: `pip install --no-deps pythae==0.1.2`, see README.md"
        seconds = take_turns(blocks, rounds)
    step = statistics.median(seconds["bare products"]) / steps
    return {"network": network, "threads": threads, "rounds": rounds, "steps_a_block": steps,
              "products_ms_a_step": step * 1e3, "missing": missing,
              "to_products": {name: spread(taken, seconds["bare products"]) for name, taken in seconds.items()},
              "to_lean": {name: spread(taken, seconds[LEAN]) for name, taken in seconds.items()},
              "to_pythae": {name: spread(taken, seconds[PYTHAE]) for name, taken in seconds.items()
                            if PYTHAE in seconds}}


# -- memory ----------------------------------------------------------------------------------------


def train_once(name: str) -> None:
    """One epoch of a preset on the full MNIST by `vaecore.training.train`, from a cold cache to the test set."""
    from vaecore.store import Store
    from vaecore.training import train

    class Quiet:
        def stop_requested(self) -> bool:
            return False

        def progress(self, step: int, total: int, epoch: float) -> None:
            pass

    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["VAECORE_CACHE"] = str(Path(scratch) / "cache")
        config = changed(preset(name), ["data.source=full", "training.epochs=1", "training.device=cpu"])
        run = Store(Path(scratch)).create(config, "memory")
        assert train(run.path, Quiet()) == "finished"


def peak_memory() -> dict[str, float]:
    """The most memory of a training, in GB, by preset; empty where the full MNIST is not at hand.

    A child counts what its parent held when it was started, so these come first, while that is little.
    """
    peaks: dict[str, float] = {}
    for name in MEMORY:
        child = subprocess.run([sys.executable, __file__, "--train-once", name], capture_output=True, text=True)
        if child.returncode:
            print(child.stderr.strip().splitlines()[-1])
            return {}
        unit = 1 if platform.system() == "Darwin" else 1024
        peaks[name] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9  # of the largest so far
    return peaks


# -- the report ------------------------------------------------------------------------------------


def report(results: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    machine = results["machine"]
    lines = ["# Training steps", "",
             f"{results['date']}; {machine['cores']} cores ({machine['processor']}), torch {machine['torch']}, "
             f"Python {machine['python']}. Ratios of paired blocks, taken in turns in one process: median (min to "
             "max). Bare products take "
             + ", ".join(f"{t['products_ms_a_step']:.2f} ms ({_place(t)})" for t in results["tables"]) + " a step.",
             "", "| network, threads | loop | time / bare products | time / lean loop | time / pythae's |",
             "|---|---|---|---|---|"]
    for table in results["tables"]:
        for name, ratio in table["to_products"].items():
            lines.append(f"| {_place(table)} | {name} | {_shown(ratio)} | {_shown(table['to_lean'][name])} | "
                         f"{_shown(table['to_pythae'].get(name))} |")
        lines += [f"| {_place(table)} | {name} | {why} | | |" for name, why in table["missing"].items()]
    lines += ["", "| target | limit | measured | |", "|---|---|---|---|"]
    lines += [f"| {v['what']} | {v['limit']} | {v['measured']:.2f} | {'met' if v['met'] else '**missed**'} |"
              for v in results["verdicts"]]
    return "\n".join(lines) + "\n"


def verdicts(tables: list[dict[str, Any]], peaks: dict[str, float]) -> list[dict[str, Any]]:
    found = []

    def judge(what: str, limit: str, measured: float) -> None:
        found.append({"what": what, "limit": TARGETS[limit], "measured": measured, "met": measured <= TARGETS[limit]})

    for table in tables:
        where = f"{table['network']}, {table['threads']} thread{'s' * (table['threads'] > 1)}"
        judge(f"ours / lean loop, {where}", "ours / lean loop", table["to_lean"][OURS]["median"])
    if peaks:
        judge("peak memory of training full MNIST, GB", "peak memory", max(peaks.values()))
    return found


def _place(table: dict[str, Any]) -> str:
    return f"{table['network']}, {table['threads']}"


def _shown(ratio: dict[str, float] | None) -> str:
    if ratio is None:
        return ""
    if ratio["min"] == ratio["max"]:
        return "1"
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no memory, nothing kept")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of the fully connected network")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads to measure with")
    parser.add_argument("--train-once", metavar="PRESET", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.train_once:
        train_once(chosen.train_once)
        return

    peaks = {} if chosen.quick else peak_memory()
    torch.set_flush_denormal(True)  # as the worker does, and before anything parallel
    keep_freed_memory()
    torch.manual_seed(0)
    rounds = 10 if chosen.quick else chosen.rounds
    dataset = configured("mlp").data.load()
    epoch = len(dataset.splits["train"]) // BATCH
    tables = []
    for network, steps, turns in (("mlp", epoch, rounds), ("conv", 4, max(5, rounds // 3))):
        for threads in chosen.threads:
            print(f"{network}, {threads} thread(s): {turns} rounds of {steps} steps each", flush=True)
            tables.append(measured(network, threads, steps, turns, dataset))
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
                    "processor": platform.machine(), "torch": torch.__version__,
                    "python": platform.python_version()},
        "tables": tables, "peak_memory_gb": peaks, "verdicts": verdicts(tables, peaks)}
    text = report(results)
    print(f"\n{text}")
    if not chosen.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "training.json").write_text(json.dumps(results, indent=2) + "\n")
        (RESULTS / "training.md").write_text(text)


if __name__ == "__main__":
    main()
