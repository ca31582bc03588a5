"""The lab's processes with a trainer that needs no torch: `stand_in.py supervisor ...` and `stand_in.py worker ...`.

Tests point `jobs.SUPERVISOR` here; everything but `torch` and `vaecore.training.train` is the real thing.
config.json tells the trainer what to do: {"steps": n, "seconds": a step, "fail": last words, "deaf": ignores stop}.
"""

import json
import sys
import time
import types
from pathlib import Path

from vaecore.files import write_bytes_atomic
from vaecore.lab import supervisor, worker
from vaecore.lab.control import Control

WORKER = [sys.executable, __file__, "worker"]


def train(folder: Path, control: Control) -> str:
    """Counts steps from step.json; leaves the times of its life in times.jsonl."""
    config = json.loads((folder / "config.json").read_text())
    config.setdefault("steps", config.get("training", {}).get("epochs"))  # of one made by the page, a step an epoch
    began, saved = time.time(), folder / "step.json"
    step = int(saved.read_text()) if saved.exists() else 0
    outcome = "finished"
    while step < config["steps"]:
        if control.stop_requested() and not config.get("deaf"):
            outcome = "stopped"
            break
        time.sleep(config.get("seconds", 0.01))
        step += 1
        write_bytes_atomic(saved, str(step).encode())
        control.progress(step, config["steps"], step / 10)
    if "fail" in config:
        raise ValueError(config["fail"])
    with (folder / "times.jsonl").open("a") as times:
        times.write(json.dumps([began, time.time()]) + "\n")
    return outcome


if __name__ == "__main__":
    role, arguments = sys.argv[1], sys.argv[2:]
    if role == "supervisor":
        supervisor.WORKER = WORKER
        supervisor.main(arguments)
    else:
        torch, training = types.ModuleType("torch"), types.ModuleType("vaecore.training")
        torch.set_flush_denormal = lambda _on: True  # type: ignore[attr-defined]
        training.train = train  # type: ignore[attr-defined]
        sys.modules.update({"torch": torch, "vaecore.training": training})
        sys.exit(worker.main(arguments))
