"""`python -m tests.fuzz`: every reader at length, each in a process whose memory and time are bounded; `make fuzz`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.fuzzing import as_json, fuzz
from tests.fuzz.readers import Reader, readers

ROOM = 3 * 2**30  # bytes that a reader may take beside what it takes for good files
LONGEST = 3_600  # seconds of all cases of a reader


def main() -> int:
    options = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    options.add_argument("--cases", type=int, default=2_000, help="spoilt copies for each reader")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", default="", help="readers whose name has this in it")
    options.add_argument("--here", action="store_true", help="one reader, in this process")
    told = options.parse_args()
    chosen = [one for one in readers() if (told.only == one.name if told.here else told.only in one.name)]
    if told.here:
        return _one(chosen[0], told.cases, told.seed)
    print("| reader | cases | read | refused | worst, s | memory, MB | unexpected |\n| --- " + "| ---: " * 6 + "|")
    total, bad = 0, 0
    for reader in chosen:
        found = _apart(reader, told.cases, told.seed)
        total, bad = total + found["cases"], bad + len(found["unexpected"])
        print(
            f"| {found['name']} | {found['cases']:,} | {found['read']:,} | {found['refused']:,} "
            f"| {found['worst']:.2f} | {found['peak'] / 2**20:.0f} | {len(found['unexpected'])} |",
            flush=True,
        )
        for each in found["unexpected"][:5]:
            print(f"  {each}", file=sys.stderr, flush=True)
    print(f"\n{total:,} cases, {bad} unexpected.")
    return 1 if bad else 0


def _one(reader: Reader, cases: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(VAECORE_CACHE=f"{folder}/root/cache", VAECORE_STORE=f"{folder}/root/store")
        count, peak = fuzz(reader, max(1, round(cases * reader.share)), Path(folder).resolve() / "root", seed, ROOM)
    print(as_json(count, peak))
    return 0


def _apart(reader: Reader, cases: int, seed: int) -> dict[str, object]:
    command = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--here",
        "--only",
        reader.name,
        f"--cases={cases}",
        f"--seed={seed}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        fault = f"it was not done after {LONGEST} seconds"
    except (ValueError, IndexError):
        fault = f"its process ended with {done.returncode}: {done.stderr[-500:]}"
    return {"name": reader.name, "cases": 0, "read": 0, "refused": 0, "worst": 0.0, "peak": 0, "unexpected": [fault]}


if __name__ == "__main__":
    sys.exit(main())
