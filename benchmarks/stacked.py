"""A sweep of small models trained stacked, beside the same trainings one by one: seconds, and how equal they are.

    python benchmarks/stacked.py            # 16 seeds x 4 beta on 8x8 digits
    python benchmarks/stacked.py --quick    # 4 seeds x 2 beta, nothing kept

Both ways train whole runs, folders and evaluations included, by the code that the lab uses, on one CPU thread: half
of them one by one, all of them as one stack, the other half one by one. What counts is CPU time, which others on the
machine lengthen less than the clock's. Then weights after 50 steps and the ELBO at the end are compared, and the cost
of a step alone with that of a step in stacks of 4, 16 and 64.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vaecore.config import RunConfig
from vaecore.schema import parse
from vaecore.store import Run, Store
from vaecore.training import train
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Splits
from vaecore.training.stacked import Stack, train_stacked

RESULTS = Path(__file__).parent / "results"
BETAS, SEEDS, EPOCHS, EVALUATED = (0.25, 0.5, 1.0, 2.0), 16, 60, 10  # ...; epochs between evaluations
COMPARED = 50  # steps
SIZES = (4, 16, 64)
SHAPES: dict[str, dict[str, Any]] = {
    "64-64-4, batches of 64": {
        "data": {"name": "digits"}, "model": {"family": "vae", "latent_size": 4,
                                              "network": {"kind": "mlp", "hidden": [64], "activation": "tanh"}}},
    "20-32-2, batches of 64": {
        "data": {"name": "gaussian", "eigenvalues": [2.0 / (1 + i) for i in range(20)], "size": 2_000},
        "model": {"family": "vae", "latent_size": 2, "likelihood": {"kind": "gaussian"},
                  "network": {"kind": "mlp", "hidden": [32], "activation": "tanh"}}}}
TARGETS = {"times": 4.0, "weights": 1e-5}  # of a step in a stack of 16, the least of the shapes


class Watch:
    """A control that lets everything go on."""

    def stop_requested(self) -> bool:
        return False

    def progress(self, step: int, total: int, epoch: float) -> None:
        pass


def configured(seed: int, beta: float, shape: str = "64-64-4, batches of 64", epochs: int = EPOCHS) -> RunConfig:
    return parse(RunConfig, {**SHAPES[shape], "seed": seed, "training": {
        "epochs": epochs, "batch_size": 64, "beta": {"kind": "constant", "value": beta}, "threads": 1,
        "device": "cpu", "evaluate_every": EVALUATED, "checkpoints": 0, "snapshots": 0}})


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of this process."""
    clock, used = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    return time.perf_counter() - clock, time.process_time() - used


def sweep(betas: tuple[float, ...], seeds: int, folder: Path) -> dict[str, Any]:
    """All of them in one stack, between the two halves of the same trainings one by one."""
    store = Store(folder)
    points = [(beta, seed) for beta in betas for seed in range(seeds)]
    stacked, alone = ([store.create(configured(seed, beta), f"{kind}-{beta}-{seed}") for beta, seed in points]
                      for kind in ("stacked", "alone"))
    half = len(points) // 2

    def one_by_one(of: list[Run]) -> None:
        for run in of:
            train(run.path, Watch())

    before = timed(lambda: one_by_one(alone[:half]))
    at_once = timed(lambda: train_stacked([run.path for run in stacked], [Watch() for _ in stacked], failed))
    after = timed(lambda: one_by_one(alone[half:]))
    clock, used = before[0] + after[0], before[1] + after[1]
    return {"models": len(points), "epochs": EPOCHS, "evaluated": EVALUATED,
            "clock": {"stacked": round(at_once[0], 2), "one by one": round(clock, 2)},
            "cpu": {"stacked": round(at_once[1], 2), "one by one": round(used, 2)},
            "times": round(used / at_once[1], 2),
            "elbo apart": max(abs(elbo(one) - elbo(other)) for one, other in zip(stacked, alone, strict=True))}


def failed(_place: int, how: object) -> None:
    if isinstance(how, Exception):
        raise how


def elbo(run: Run) -> float:
    return float(json.loads((run.path / "summary.json").read_text())["test"]["elbo"])


def courses(configs: list[RunConfig]) -> list[Course]:
    splits = Splits(configs[0].data.load(), torch.device("cpu"))
    return [Course(config, build(config, splits.dataset), splits["train"], splits.device) for config in configs]


def weights_apart(betas: tuple[float, ...], seeds: int) -> dict[str, float]:
    """How far weights lie apart after `COMPARED` steps: the largest, the median over models of each one's largest, and
    how many are beyond the target."""
    largest, beyond, count = [], 0, 0
    for beta in betas:
        configs = [configured(seed, beta) for seed in range(seeds)]
        own, found = courses(configs), courses(configs)
        stack = Stack(found)
        for step in range(COMPARED):
            stack.update(dict.fromkeys(range(seeds), step))
            for course in own:
                course.update(step)
            for course in own + found:
                if len(course.pending) == FLUSH_STEPS:
                    course.flush()
        for one, other in zip(own, found, strict=True):
            apart = torch.cat([(a - b).detach().abs().flatten() for a, b in zip(
                one.model.parameters(), other.model.parameters(), strict=True)])
            largest.append(float(apart.max()))
            beyond, count = beyond + int((apart > TARGETS["weights"]).sum()), count + len(apart)
    return {"largest": max(largest), "median": statistics.median(largest), "beyond": beyond, "count": count}


def steps(shape: str, count: int, rounds: int, block: int) -> dict[str, Any]:
    """Microseconds of a step of one model alone and in a stack of `count`, in paired blocks."""
    [alone] = courses([configured(0, 1.0, shape)])
    stack = Stack(courses([configured(seed, 1.0, shape) for seed in range(count)]))

    def of_alone() -> None:
        for step in range(block):
            alone.update(step)
            if len(alone.pending) == FLUSH_STEPS:
                alone.flush()

    def of_stack() -> None:
        for step in range(block):
            stack.update(dict.fromkeys(range(count), step))
            if len(stack.courses[0].pending) == FLUSH_STEPS:
                for course in stack.courses:
                    course.flush()

    timed(of_alone), timed(of_stack)
    pairs = [(timed(of_alone)[1] / block, timed(of_stack)[1] / block / count) for _ in range(rounds)]
    ratios = [one / each for one, each in pairs]
    return {"shape": shape, "models": count, "alone": round(statistics.median(p[0] for p in pairs) * 1e6),
            "stacked": round(statistics.median(p[1] for p in pairs) * 1e6),
            "times": round(statistics.median(ratios), 2), "from": round(min(ratios), 2), "to": round(max(ratios), 2)}


def report(found: dict[str, Any]) -> str:
    sweep, machine, weights = found["sweep"], found["machine"], found["weights apart"]
    lines = [
        "# Stacked", "",
        f"{found['date']}; {machine['cores']} cores ({machine['cpu']}), torch {machine['torch']}, Python "
        f"{machine['python']}; load {machine['load before']:.1f} before and {machine['load after']:.1f} after: other "
        "work ran where that is above 1. One thread, CPU seconds, runs whole: folders, evaluations, kept weights.", "",
        f"{sweep['models']} models (16 seeds, 4 β) on 8×8 digits, 64-64-4, batches of 64, {sweep['epochs']} epochs, "
        f"evaluated and saved every {sweep['evaluated']}; one stack of all.", "",
        "| | one by one | stacked | times |", "|---|---|---|---|",
        f"| CPU seconds | {sweep['cpu']['one by one']:.1f} | {sweep['cpu']['stacked']:.1f} | {sweep['times']:.1f} |",
        f"| seconds by the clock | {sweep['clock']['one by one']:.1f} | {sweep['clock']['stacked']:.1f} | "
        f"{sweep['clock']['one by one'] / sweep['clock']['stacked']:.1f} |", "",
        f"Largest difference of the final test ELBO: {sweep['elbo apart']:.1e} nats. Of weights after {COMPARED} "
        f"steps: {weights['median']:.1e} in the median model, {weights['largest']:.1e} at the most; "
        f"{weights['beyond']:,} of {weights['count']:,} weights beyond {TARGETS['weights']:g}. "
        "Adam divides a gradient by its own size, and so makes a step of the last digits of one that is nearly 0.", "",
        "Microseconds of CPU time a model's step, without evaluations: median of paired blocks (min to max).", "",
        "| model | models | alone | in the stack | times |", "|---|---|---|---|---|"]
    lines += [f"| {row['shape']} | {row['models']} | {row['alone']} | {row['stacked']} | {row['times']:.1f} "
              f"({row['from']:.1f} to {row['to']:.1f}) |" for row in found["steps"]]
    times = min((row["times"] for row in found["steps"] if row["models"] == 16), default=0.0)
    lines += ["", "| target | limit | measured | |", "|---|---|---|---|",
              f"| a step in a stack of 16, times as fast, at least | {TARGETS['times']:g} | {times:.1f} | "
              f"{'met' if times >= TARGETS['times'] else 'missed'} |",
              f"| weights of the median model after {COMPARED} steps, apart at most | {TARGETS['weights']:g} | "
              f"{weights['median']:.1e} | {'met' if weights['median'] <= TARGETS['weights'] else 'missed'} |",
              f"| any weight of any model, likewise | {TARGETS['weights']:g} | {weights['largest']:.1e} | "
              f"{'met' if weights['largest'] <= TARGETS['weights'] else 'missed'} |"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 seeds x 2 beta; nothing is kept")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    betas, seeds = (BETAS[1:3], 4) if quick else (BETAS, SEEDS)
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        swept = sweep(betas, seeds, Path(folder))
    found = {"date": datetime.date.today().isoformat(), "sweep": swept, "weights apart": weights_apart(betas, seeds),
             "steps": [steps(shape, count, 3 if quick else 7, 30) for shape in SHAPES
                       for count in (SIZES[:1] if quick else SIZES)],
             "machine": {"cores": os.cpu_count(), "cpu": platform.machine(), "torch": torch.__version__,
                         "python": platform.python_version(), "load before": before,
                         "load after": os.getloadavg()[0]}}
    print(report(found))
    if not quick:
        (RESULTS / "stacked.json").write_text(json.dumps(found, indent=1) + "\n")
        (RESULTS / "stacked.md").write_text(report(found))


if __name__ == "__main__":
    main()
