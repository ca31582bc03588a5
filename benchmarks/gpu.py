"""A training step on a GPU: eager, captured as a graph, stacked, and beside pythae's on the same device.

    python benchmarks/gpu.py            # or `make gpu`; about three minutes
    python benchmarks/gpu.py --quick    # fewer rounds, nothing kept

The 784-400-20 VAE and the convolutional one on the embedded digits, in batches of 128. All take turns in one process,
an epoch each, and each waits for the device at its end; what counts is the ratio of the times within one round. The
aim is ten epochs, captured, in the time of one of pythae's.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch
import training
from training import BATCH, PYTHAE, Block, configured, spread, take_turns

from vaecore.config import RunConfig, changed
from vaecore.data import Dataset
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Splits
from vaecore.training.stacked import Stack

RESULTS = Path(__file__).parent / "results"
CUDA = torch.device("cuda")
AIM = 10.0  # epochs, captured, in the time of one of pythae's
STACKED = 16


def waited(block: Block) -> Block:
    """The block, and what it asked the device for is done."""
    def all_of_it() -> None:
        block()
        torch.cuda.synchronize()

    return all_of_it


def course(config: RunConfig, dataset: Dataset, **fields: Any) -> Course:
    config = changed(config, [f"training.{name}={value}" for name, value in {"device": "cuda", **fields}.items()])
    return Course(config, build(config, dataset), Splits(dataset, CUDA)["train"], CUDA)


def steps_of(made: Course, steps: int) -> Block:
    """So many steps with all that is logged, and the log read back as a training reads it."""
    done = 0

    def block() -> None:
        nonlocal done
        for _ in range(steps):
            made.update(done)
            done += 1
            if len(made.pending) == FLUSH_STEPS:
                made.flush()
        made.flush()

    return block


def stack_of(config: RunConfig, dataset: Dataset, count: int, steps: int) -> Block:
    """As many steps of each of several models that differ in their seed."""
    splits, done = Splits(dataset, CUDA), 0
    configs = [changed(config, [f"seed={seed}", "training.device=cuda", "training.precision=float32"])
               for seed in range(count)]
    courses = [Course(each, build(each, dataset), splits["train"], CUDA) for each in configs]
    stack = Stack(courses)

    def block() -> None:
        nonlocal done
        for _ in range(steps):
            stack.update(dict.fromkeys(range(count), done))
            done += 1
            for each in courses:
                if len(each.pending) == FLUSH_STEPS:
                    each.flush()

    return block


def memory_of(make: Callable[[], Block]) -> float:
    """The most megabytes of the device that a block takes beyond what was there."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    waited(make())()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


def measured(network: str, rounds: int, dataset: Dataset) -> dict[str, Any]:
    """Seconds an epoch of each, their ratios and their memory."""
    config, steps = configured(network), dataset.size("train") // BATCH
    ways: dict[str, dict[str, Any]] = {
        "eager, float32": {"precision": "float32"}, "captured, float32": {"precision": "float32", "graphs": "true"},
        "eager, bfloat16": {"precision": "bfloat16"}, "captured, bfloat16": {"precision": "bfloat16", "graphs": "true"}}
    made = {name: course(config, dataset, **fields) for name, fields in ways.items()}
    blocks = {name: waited(steps_of(each, steps)) for name, each in made.items()}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        if network == "mlp":
            blocks[f"stack of {STACKED}, float32"] = waited(stack_of(config, dataset, STACKED, steps))
            try:
                with contextlib.redirect_stderr(io.StringIO()):
                    blocks[PYTHAE] = waited(training.pythae(dataset, steps, scratch, on_cpu=False))
            except ImportError:
                missing[PYTHAE] = "not installed: `pip install --no-deps pythae==0.1.2`, see README.md"
        seconds = take_turns(blocks, rounds)
    models = {name: STACKED if name.startswith("stack") else 1 for name in seconds}
    each = {name: [one / models[name] for one in taken] for name, taken in seconds.items()}
    return {"network": network, "steps": steps, "rounds": rounds, "missing": missing,
            "graphs": {name: one.graphs for name, one in made.items() if one.graphs},
            "ms_an_epoch": {name: 1e3 * statistics.median(taken) for name, taken in each.items()},
            "epochs_in_the_time_of_eager": {name: spread(each["eager, float32"], taken)
                                            for name, taken in each.items()},
            "epochs_in_the_time_of_pythaes": {name: spread(each[PYTHAE], taken) for name, taken in each.items()}
            if PYTHAE in each else {},
            "megabytes": {name: memory_of(lambda fields=fields: steps_of(course(config, dataset, **fields), 3))
                          for name, fields in ways.items()}}


def report(results: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    lines = ["# Training steps on a GPU", "", f"{results['date']}; {results['device']}, torch {results['torch']}. "
             "Epochs in the time of another's epoch: median (min to max) of paired rounds.", "",
             "| network | way | ms an epoch and model | epochs in one of eager's | epochs in one of pythae's | MB |",
             "|---|---|---|---|---|---|"]
    for table in results["tables"]:
        for name, ms in table["ms_an_epoch"].items():
            ratios = [table[key].get(name) for key in ("epochs_in_the_time_of_eager", "epochs_in_the_time_of_pythaes")]
            shown = [f"{each['median']:.2f} ({each['min']:.2f} to {each['max']:.2f})" if each else ""
                     for each in ratios]
            megabytes = table["megabytes"].get(name)
            lines.append(f"| {table['network']} | {name} | {ms:.2f} | {shown[0]} | {shown[1]} | "
                         f"{'' if megabytes is None else f'{megabytes:.0f}'} |")
        lines += [f"| {table['network']} | {name} | {why} | | | |" for name, why in table["missing"].items()]
        lines += [f"| {table['network']} | {name} | {said} | | | |" for name, said in table["graphs"].items()
                  if said != "captured"]
    if results["times"] is not None:
        met = "met" if results["times"] >= AIM else "**missed**"
        lines += ["", f"The aim is {AIM:.0f} epochs of the MLP, captured, in one of pythae's: {results['times']:.1f}, "
                  f"{met}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing kept")
    quick = parser.parse_args().quick
    if not torch.cuda.is_available():
        raise SystemExit("This machine has no GPU that torch can use.")
    dataset = configured("mlp").data.load()
    tables = [measured(network, 3 if quick else 30, dataset) for network in ("mlp", "conv")]
    beside = tables[0]["epochs_in_the_time_of_pythaes"]
    fastest = max((ratio["median"] for name, ratio in beside.items() if name.startswith("captured")), default=None)
    results = {"date": datetime.date.today().isoformat(), "device": torch.cuda.get_device_name(),
               "torch": torch.__version__, "tables": tables, "times": fastest}
    print(text := report(results))
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "gpu.json").write_text(json.dumps(results, indent=1) + "\n")
        (RESULTS / "gpu.md").write_text(text)


if __name__ == "__main__":
    main()
