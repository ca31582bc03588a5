"""The library of 500 runs: seconds until all of them are records, once more, filtered, sorted and grouped; and memory.

    python benchmarks/library.py                 # 500 made run folders in a temporary folder
    python benchmarks/library.py --runs 5000
    python benchmarks/library.py --keep FOLDER   # leave the store there, to look at it: VAECORE_STORE=FOLDER

`made_runs` makes the folders: variations of what is shipped, in eight families and seven data sets, with seeds, logs,
evaluations, tags and notes. Only their weights are no weights. The peer is what lists did before there were records:
every file of every run, and its state, at each look.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
GALLERY = Path(__file__).parents[1] / "trained" / "gallery"
LIKE = ("vae", "vae-binary", "vae-conv-mixture", "vae-fashion", "ae", "wae", "made", "lagging-basic", "mvae",
        "svg-lp-mnist")
QUERIES = ("vae mnist", "family=vae data=mnist elbo>-100", "model.latent_size>=32 -tag:old seconds<30m",
           "state:finished made>3d", "frechet<60 training.beta.end=4", 'note:"look again" is:pinned')
LIMITS = {"cold": 1.0, "again": 0.15, "filter": 0.05}  # seconds, for 500 runs
STATES = ("finished",) * 16 + ("failed", "stopped", "new", "lost")
TAGS = ("paper", "old", "sweep", "look-again", "β", "talk")
ROUNDS = 7


# -- the folders -----------------------------------------------------------------------------------


def made_runs(root: Path, count: int = 500, *, steps: int = 2_000, seed: int = 0) -> Path:
    """A store with `count` runs in `root/runs`, each with a log of `steps` steps; the same ones for the same `seed`.

    Four seeds of each configuration, every third run evaluated, every tenth a fork. Returns `root`.
    """
    draw = random.Random(seed)
    shipped = {name: _read(GALLERY / name) for name in LIKE}
    log = "".join(json.dumps({"kind": "step", "step": step, "loss": 100 + 400 / (1 + step), "neg_elbo": 100 + 400 /
                              (1 + step), "reconstruction": 80.0, "kl": 20.0, "beta": 1.0, "rate": 0.001,
                              "grad_norm": 3.0}) + "\n" for step in range(1, steps + 1)).encode()
    now = time.time()
    for place in range(count):
        name = LIKE[place // 4 % len(LIKE)]
        folder = root / "runs" / f"{name}-{place:04}"
        folder.mkdir(parents=True)
        files = _varied(shipped[name], place, draw)
        if place % 10 == 9:
            files["about.json"]["parent"] = {"run": f"{LIKE[0]}-0000", "weights": "best", "step": 100}
        state = draw.choice(STATES)
        if state in ("new", "failed", "lost"):
            del files["summary.json"]
            files.pop("evaluation.json", None)
        if state != "new":
            files |= {"launch.json": {"attempt": 1, "backend": "local", "host": platform.node(), "time": now},
                      "heartbeat.json": {"time": now, "attempt": 1, "pid": 1, "host": platform.node(), "step": steps,
                                         "total": steps, "epoch": 8.0, "rate": None, "doing": ""}}
            (folder / "metrics.jsonl").write_bytes(log)
        if state in ("finished", "failed", "stopped"):
            files["exit.json"] = {"attempt": 1, "state": state, "detail": "" if state == "finished" else "As asked.",
                                  "time": now}
        for file, values in files.items():
            (folder / file).write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
        if state in ("finished", "stopped"):
            (folder / "weights.safetensors").write_bytes(b"\0" * 4_096)
            preview = next(path for path in (GALLERY / name).glob("preview.*"))
            shutil.copyfile(preview, folder / preview.name)
        made = now - 3_600 * (count - place)
        os.utime(folder / "config.json", (made, made))
    return root


def _read(folder: Path) -> dict[str, Any]:
    return {file: json.loads((folder / file).read_text(encoding="utf-8"))
            for file in ("config.json", "about.json", "summary.json", "evaluation.json") if (folder / file).is_file()}


def _varied(shipped: dict[str, Any], place: int, draw: random.Random) -> dict[str, Any]:
    """The files of a run like a shipped one, with other settings and numbers."""
    files: dict[str, Any] = json.loads(json.dumps(shipped))
    settings = random.Random(place // 4)  # the same for four runs, which differ in their seed
    model, training = files["config.json"]["model"], files["config.json"]["training"]
    if "latent_size" in model:
        model["latent_size"] = settings.choice([2, 8, 16, 32, 64])
    if training.get("beta", {}).get("kind") == "linear":
        training["beta"]["end"] = settings.choice([0.5, 1.0, 2.0, 4.0])
    training["learning_rate"] = settings.choice([0.0005, 0.001, 0.002])
    training["epochs"] = settings.choice([8, 20, 30])
    files["config.json"]["seed"] = place % 4
    test = files["summary.json"]["test"]
    for name in test["reconstruction"]:
        test["reconstruction"][name] += draw.gauss(0, 2)
    test["elbo"] += draw.gauss(0, 2)
    files["summary.json"]["seconds"] = 60 + 600 * draw.random()
    if place % 3:
        files.pop("evaluation.json", None)
    if place % 5 == 0:
        files["marks.json"] = {"title": f"Named by hand {place}", "tags": draw.sample(TAGS, 2),
                               "note": "look again at this one", "pinned": place % 25 == 0,
                               "archived": place % 35 == 0}
    return files


# -- measured --------------------------------------------------------------------------------------


def seconds(what: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """The median of some rounds, in seconds of this process: what else the machine does counts little."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        what()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def measured(root: Path) -> dict[str, Any]:
    """Everything that is measured of a store, in this process."""
    from vaecore.library import NUMBERS, Query, equal_but_seed, grouped, records, sorted_by, unlike
    from vaecore.library.records import forget
    from vaecore.named import declarations
    from vaecore.store import Store

    store = Store(root)
    declarations()  # kept in the cache by whoever used the package before
    before = _resident()
    every = records(store)
    memory = _resident() - before

    def cold() -> None:
        forget()
        records(store)

    groups = grouped(every)
    return {
        "runs": len(store.runs()), "cold": seconds(cold, 3), "again": seconds(lambda: records(store)),
        "peer": seconds(lambda: _as_before(store), 3),
        "filter": max(seconds(lambda query=query: Query.parse(query).of(every)) for query in QUERIES),  # type: ignore[misc]
        "sort": max(seconds(lambda key=key: sorted_by(every, key)) for key in ("elbo", "title", "made")),  # type: ignore[misc]
        "unlike": seconds(lambda: unlike(every, "elbo")),
        "seeds": seconds(lambda: [each.interval("elbo") for each in grouped(every)]),
        "groups": len(groups), "equal": len(equal_but_seed(every)), "numbers": sum(len(each.numbers) for each in every),
        "declared": len(NUMBERS), "memory": memory, "process": _peak()}


def _as_before(store: Any) -> None:
    """What a list of runs read at each look: configuration, words, numbers and state of every run."""
    from vaecore import lab
    from vaecore.library.headline import headline
    from vaecore.store import StoreError

    for run in [*store.runs(), *store.gallery()]:
        try:
            headline(run)
        except StoreError:
            continue
        lab.status(run.path)


def _run(command: list[str]) -> float:
    """Seconds that a command takes of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="make the store here and leave it")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.measure)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = made_runs(asked.keep or Path(temporary) / "store", asked.runs)
        subprocess.run([sys.executable, "-c", "from vaecore.named import declarations; declarations()"], check=True)
        # In a process of its own, whose memory is that of the library alone.
        done = subprocess.run([sys.executable, __file__, "--measure", str(root)], check=True, capture_output=True,
                              text=True)
        found = json.loads(done.stdout)
        command = [sys.executable, "-m", "vaecore", "runs", "elbo>-100", "--json", "--store", str(root)]
        started = min(_run(command) for _ in range(5))
    found |= {"command": started, "date": datetime.date.today().isoformat(), "python": platform.python_version(),
              "processor": platform.processor() or platform.machine(), "limits": LIMITS}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "library.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "library.md").write_text(table(found))
    print(table(found))


def table(found: dict[str, Any]) -> str:
    """The result as Markdown."""
    rows = [("all records, files in the system's memory", "cold", LIMITS["cold"]),
            ("all records once more, nothing changed", "again", LIMITS["again"]),
            ("as lists read runs before, each time", "peer", None),
            ("the slowest of six queries", "filter", LIMITS["filter"]),
            ("sorted, the slowest of three fields", "sort", None),
            ("which ELBOs do not compare", "unlike", None),
            ("grouped by seeds, with intervals", "seeds", None),
            ("`vaecore runs --json QUERY`, its start included", "command", None)]
    lines = [f"| {what} | {1e3 * found[key]:,.0f} ms | {f'{1e3 * limit:,.0f} ms' if limit else ''} |"
             for what, key, limit in rows]
    return (f"# The library of {found['runs']:,} runs\n\n| | | asked for |\n| --- | ---: | ---: |\n" + "\n".join(lines)
            + f"\n\nRecords take {found['memory'] / 2**20:.0f} MB; the process {found['process'] / 2**20:.0f} MB at "
            f"most. {found['numbers']:,} numbers, {found['groups']} groups of seeds. {found['date']}, Python "
            f"{found['python']}, {found['processor']}, {os.cpu_count()} processors.\n")


if __name__ == "__main__":
    main()
