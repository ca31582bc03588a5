"""Pictures that memory has no room for, beside the same pictures in memory: rate of training, and resident memory.

    python benchmarks/stored.py                      # 4 GB of pictures, and as much again for the converted ones
    python benchmarks/stored.py --gigabytes 20       # what was asked for: 40 GB of disk
    python benchmarks/stored.py --quick              # 0.2 GB, nothing kept

The pictures are made, converted as any visitor's are, trained on, and deleted. The rate: two trainings of one network
take turns in one process, a block of steps each, one from memory and one from the file; what counts is the ratio within
a round. Before the third one's blocks the system is told to forget the file, so that all is read from the disk. The
memory: the most that is resident in a process of its own, for all pictures and for a hundredth of them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import mmap
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.config import RunConfig
from vaecore.data import Dataset
from vaecore.data.rows import in_parts
from vaecore.schema import parse
from vaecore.training.build import build
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.feed import Feed

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
SIDE, CHANNELS, BATCH = 64, 3, 128
PICTURE = CHANNELS * SIDE * SIDE  # bytes
STEPS, RUN_UP = 12, 6  # of a block; those before it that are not timed, as what was read ahead is used up in them
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp, 128 hidden": {"kind": "mlp", "hidden": [128]}, "convolutional": {"kind": "conv"}}
LIMITS = {"rate": 0.85, "share": 0.1}  # of the rate in memory; of the data's bytes, 2 GB for 20 GB
TRAINED_STEPS = 60  # whose memory is measured, besides evaluations


def pictures(count: int, path: Path) -> None:
    """`count` pictures in one .npy: eight by eight soft patches of colour, with noise."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIDE, SIDE, CHANNELS))
    for start in range(0, count, 2_000):
        draw, size = np.random.default_rng(start), min(2_000, count - start)
        patches = draw.integers(0, 224, (size, 8, 8, CHANNELS), dtype=np.uint8)
        noise = draw.integers(0, 32, (size, SIDE, SIDE, CHANNELS), dtype=np.uint8)
        array[start:start + size] = patches.repeat(8, 1).repeat(8, 2) + noise
    array.flush()


def configured(path: Path, network: dict[str, Any]) -> RunConfig:
    return parse(RunConfig, {
        "data": {"name": "images", "path": str(path), "held_out": 0.005},
        "model": {"family": "vae", "latent_size": 16, "network": network},
        "training": {"batch_size": BATCH, "epochs": 100, "threads": 1, "device": "cpu"}})


# -- the rate --------------------------------------------------------------------------------------


@contextlib.contextmanager
def room(size: str) -> Iterator[None]:
    before = os.environ.get("VAECORE_MEMORY")
    os.environ["VAECORE_MEMORY"] = size
    yield
    if before is None:
        del os.environ["VAECORE_MEMORY"]
    else:
        os.environ["VAECORE_MEMORY"] = before


def steps_of(config: RunConfig, dataset: Dataset) -> Callable[[int], None]:
    course, done = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU), 0

    def take(count: int) -> None:
        nonlocal done
        for _ in range(count):
            course.update(done)
            done += 1
            if len(course.pending) == FLUSH_STEPS:
                course.flush()
        course.flush()

    return take


def forgotten(array: NDArray[Any]) -> None:
    """Have the system forget what it holds of a mapped file, of which this process maps nothing either."""
    assert isinstance(array, np.memmap)
    array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
    descriptor = os.open(str(array.filename), os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def rates(config: RunConfig, dataset: Dataset, rounds: int) -> dict[str, Any]:
    """Seconds of a step from memory, and how many times the rate of that is reached from the file."""
    mapped = dataset.splits["train"].arrays["image"]
    array, start = np.empty(mapped.shape, mapped.dtype), 0
    for part in in_parts(mapped):
        array[start:start + len(part)] = part
        start += len(part)
    held = replace(dataset, splits={**dataset.splits, "train": replace(
        dataset.splits["train"], arrays={"image": array})})
    with room("1e15"):
        takers = {"in memory": steps_of(config, held)}
    with room("0"):
        takers |= {name: steps_of(config, dataset) for name in ("from the file", "from the disk")}
    seconds: dict[str, list[float]] = {name: [] for name in takers}
    for turn in range(-1, rounds):
        for name in [*takers][turn % 3:] + [*takers][:turn % 3]:
            if name == "from the disk":
                forgotten(mapped)
            takers[name](RUN_UP)
            start = time.perf_counter()
            takers[name](STEPS)
            if turn >= 0:
                seconds[name].append((time.perf_counter() - start) / STEPS)
    found: dict[str, Any] = {"ms_a_step": {name: 1e3 * statistics.median(taken) for name, taken in seconds.items()},
                             "rounds": rounds, "rate": {}}
    for name, taken in seconds.items():
        ratios = [a / b for a, b in zip(seconds["in memory"], taken, strict=True)]
        found["rate"][name] = {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}
    return found


# -- the memory ------------------------------------------------------------------------------------


def resident() -> dict[str, float]:
    """The most that has been resident in this process, in GB, and what of it is its share of shared pages now."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    shares = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return {"peak": int(status["VmHWM"].split()[0]) * 1024 / 1e9, "pss": int(shares["Pss"].split()[0]) * 1024 / 1e9}


def train_once(path: Path) -> None:
    """Print what was resident while `path` was converted, trained on for some steps, and evaluated."""
    from vaecore.store import Store
    from vaecore.training import train

    class Some:
        step = 0

        def stop_requested(self) -> bool:
            return self.step >= TRAINED_STEPS

        def progress(self, step: int, total: int, epoch: float) -> None:
            self.step = step

    config, start = configured(path, NETWORKS["mlp, 128 hidden"]), time.perf_counter()
    config.data.load()
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as scratch:
        run = Store(Path(scratch)).create(config, "memory")
        with contextlib.redirect_stdout(sys.stderr):
            train(run.path, Some())
    print(json.dumps({**resident(), "converted_seconds": seconds}))


def measured_memory(path: Path) -> dict[str, float]:
    child = subprocess.run([sys.executable, __file__, "--train-once", str(path)], capture_output=True, text=True,
                           env={**os.environ, "VAECORE_MEMORY": "1e6"})
    if child.returncode:
        raise SystemExit(child.stderr)
    found: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return found


# -- the report ------------------------------------------------------------------------------------


def report(found: dict[str, Any]) -> str:
    machine, memory = found["machine"], found["memory"]
    lines = ["# Larger than memory", "",
             f"{found['date']}; {machine['cores']} cores ({machine['processor']}), torch {machine['torch']}, Python "
             f"{machine['python']}; load {found['load']['before']:.1f} before and {found['load']['after']:.1f} after"
             f"{': other work ran' if found['load']['before'] > 1 else ''}. {found['pictures']:,} pictures of "
             f"{CHANNELS} × {SIDE} × {SIDE}, {found['gigabytes']:.2f} GB; batches of {BATCH}, one thread. Converted in "
             f"{memory['all']['converted_seconds']:.0f} s, digest and survey included."
             + (f" {found['note']}" if found.get("note") else ""), "",
             "Rate of training beside that of the same pictures in memory, in paired blocks: median (min to max).", "",
             "| network; rounds | ms a step in memory | from the file | from the disk, nothing of it held |",
             "|---|---|---|---|"]
    for name, row in found["rates"].items():
        file, disk = (f"{r['median']:.2f} ({r['min']:.2f} to {r['max']:.2f})"
                      for r in (row["rate"]["from the file"], row["rate"]["from the disk"]))
        lines.append(f"| {name}; {row['rounds']} rounds | {row['ms_a_step']['in memory']:.1f} | {file} | {disk} |")
    lines += ["", "| resident memory, GB: converted, trained, evaluated | peak | proportional, at its end |",
              "|---|---|---|",
              f"| all pictures | {memory['all']['peak']:.2f} | {memory['all']['pss']:.2f} |",
              f"| a hundredth of them | {memory['few']['peak']:.2f} | {memory['few']['pss']:.2f} |", "",
              "| target | limit | measured | |", "|---|---|---|---|"]
    lines += [f"| {v['what']} | {v['limit']} | {v['measured']:.2f} | {'met' if v['met'] else '**missed**'} |"
              for v in found["verdicts"]]
    return "\n".join(lines) + "\n"


def verdicts(found: dict[str, Any]) -> list[dict[str, Any]]:
    worst = {where: min(row["rate"][where]["median"] for row in found["rates"].values())
             for where in ("from the file", "from the disk")}
    grown = found["memory"]["all"]["peak"] - found["memory"]["few"]["peak"]
    rows: list[tuple[str, float, float, bool]] = [
        (f"rate {where} / in memory, at least", LIMITS["rate"], rate, rate >= LIMITS["rate"])
        for where, rate in worst.items()]
    rows += [("peak resident memory, GB, at most", 2.0, found["memory"]["all"]["peak"],
              found["memory"]["all"]["peak"] <= 2.0),
             ("what the other pictures add to it, GB, at most a tenth of them",
              round(LIMITS["share"] * found["gigabytes"], 2), grown, grown <= LIMITS["share"] * found["gigabytes"])]
    return [{"what": what, "limit": limit, "measured": measured, "met": met} for what, limit, measured, met in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=9, help="of the first network; a third of them of the other")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--quick", action="store_true", help="little data, few rounds, nothing kept")
    parser.add_argument("--scratch", type=Path, help="where the data are made; else the system's folder for such")
    parser.add_argument("--train-once", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if given.train_once:
        return train_once(given.train_once)
    gigabytes, rounds = (0.2, 2) if given.quick else (given.gigabytes, given.rounds)
    count, load = max(20_000, int(gigabytes * 1e9 / PICTURE)) if not given.quick else 16_000, os.getloadavg()[0]
    found: dict[str, Any] = {
        "date": datetime.date.today().isoformat(), "pictures": count, "gigabytes": count * PICTURE / 1e9,
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "torch": torch.__version__,
                    "python": platform.python_version()}}
    scratch = Path(tempfile.mkdtemp(dir=given.scratch))
    os.environ["VAECORE_CACHE"] = str(scratch / "cache")
    try:
        pictures(count, scratch / "all.npy")
        pictures(max(count // 100, 1_500), scratch / "few.npy")
        print(f"{found['gigabytes']:.2f} GB made", flush=True)
        found["memory"] = {name: measured_memory(scratch / f"{name}.npy") for name in ("all", "few")}
        print(found["memory"], flush=True)
        dataset = configured(scratch / "all.npy", NETWORKS["convolutional"]).data.load()
        found["rates"] = {}
        for name, network in ((name, NETWORKS[name]) for name in given.networks):
            turns = rounds if network["kind"] == "mlp" else max(2, rounds // 3)
            found["rates"][name] = rates(configured(scratch / "all.npy", network), dataset, turns)
            print(name, found["rates"][name], flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    found["load"] = {"before": load, "after": os.getloadavg()[0]}
    found["verdicts"] = verdicts(found)
    text = report(found)
    print(text)
    if not given.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "stored.json").write_text(json.dumps(found, indent=2) + "\n")
        (RESULTS / "stored.md").write_text(text)


if __name__ == "__main__":
    main()
