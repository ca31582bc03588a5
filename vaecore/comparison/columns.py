"""Long logs read once: the columns of a `metrics.jsonl`, kept in the cache as numbers. No torch.

Twenty thousand steps are 4 MB of text, of which reading takes a tenth of a second a run, and a tenth of that from
here. What is kept stands for the very bytes that it was read from, by their digest: a log that was cut back or changed
is read anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np

from vaecore.files import BrokenFile, opened, parsed_json, prune, read_kept, write_bytes_atomic
from vaecore.store import LARGEST_METRICS, STEP_COLUMNS, Metrics

LONG = 500_000  # bytes of a log from which on it is worth it
MOST_KEPT = 2**30  # bytes in the cache, beyond which the oldest go
VERSION = 1  # of what is kept: raise it when lines are read otherwise
ENDING = ".columns"


def metrics_of(path: Path) -> Metrics:
    """All of a log up to now."""
    metrics = _kept(path) or Metrics(path)
    known = metrics.offset
    metrics.update()
    if metrics.offset - known > LONG:
        with contextlib.suppress(OSError):  # a cache that takes nothing costs time, and no more
            _keep(metrics)
    return metrics


def place(path: Path) -> Path:
    """The file in the cache for a log."""
    from vaecore.data.base import cache_folder

    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]
    return cache_folder() / "metrics" / f"{name}{ENDING}"


def _keep(metrics: Metrics) -> None:
    with opened(metrics.path) as file:
        text = file.read(metrics.offset)
    rows = len(metrics.steps.get("step", []))
    head = json.dumps({"version": VERSION, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest(), "rows": rows,
                       "damaged": metrics.damaged, "evaluations": metrics.evaluations,
                       "snapshots": metrics.snapshots}).encode()
    columns = [np.asarray(metrics.steps.get(name, []), "<f8").tobytes() for name in STEP_COLUMNS]
    path = place(metrics.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, b"".join([len(head).to_bytes(8, "little"), head, *columns]))
    prune(path.parent, f"*{ENDING}", MOST_KEPT)


def _kept(path: Path) -> Metrics | None:
    """What is kept of a log, if it begins with the bytes that this was read from."""
    try:
        size = path.stat().st_size
        if not LONG < size <= LARGEST_METRICS or (kept := read_kept(place(path))) is None:
            return None
        length = int.from_bytes(kept[:8], "little")
        told = parsed_json(kept[8:8 + length], "what is kept of the log")
        numbers = np.frombuffer(kept, "<f8", offset=8 + length).reshape(len(STEP_COLUMNS), -1)
        with opened(path) as file:
            text = file.read(told["bytes"])
        if (told["version"], told["rows"]) != (VERSION, numbers.shape[1]) or len(text) != told["bytes"] or (
                hashlib.sha256(text).hexdigest() != told["sha256"]):
            return None
        steps = dict(zip(STEP_COLUMNS, numbers.tolist(), strict=True)) if told["rows"] else {}
        return Metrics.continued(path, steps, told["evaluations"], told["snapshots"], told["damaged"], text)
    except (OSError, BrokenFile, KeyError, TypeError, ValueError, OverflowError):
        return None
