"""Checks of the machine: what a user would otherwise find out one error at a time."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vaecore import health, permission
from vaecore.lab import cluster, locks
from vaecore.words import size

State = Literal["ok", "wrong", "data", "own", "optional"]
TITLES: dict[State, str] = {
    "ok": "ok", "wrong": "WRONG: nothing can be trained before this is mended",
    "data": "not here: data sets that have to be fetched", "own": "not chosen: data sets that read your own files",
    "optional": "not installed: nothing that training needs"}
NEEDED = ("mnist",)  # the default has to be here; the others are a choice
OPTIONAL = {"dashboard": ("streamlit", "The pages need Streamlit: `make app` installs it."),
            "PyAV": ("av", "Reading and writing films needs it: `pip install \"vaecore[video]\"`."),
            "UMAP": ("umap", "Maps of codes by UMAP need it: `pip install \"vaecore[umap]\"`."),
            "search": ("bayes_opt", "The search of a sweep needs it: `pip install \"vaecore[search]\"`."),
            "TensorBoard": ("tensorboardX", "Its event files need it: `pip install \"vaecore[tensorboard]\"`."),
            "SLURM": ("submitit", "Trainings on a cluster need it: `pip install \"vaecore[slurm]\"`."),
            "sign-in": ("authlib", "To make visitors sign in it is needed: `pip install \"vaecore[auth]\"`."),
            "ONNX": ("onnxscript", "Decoders and encoders as ONNX need it: `pip install \"vaecore[onnx]\"`.")}
IMPORTED = "import json; from vaecore.training.device import found; print(json.dumps(found()))"
PATIENCE = 120.0  # seconds that torch may take to be imported


@dataclass(frozen=True)
class Check:
    """One thing looked at; `detail` says what was found, and the remedy where it is not `ok`."""

    what: str
    state: State
    detail: str

    @property
    def ok(self) -> bool:
        """Whether the thing that was looked at is there and works."""
        return self.state == "ok"


def checks(root: Path) -> list[Check]:
    """Every check, for a store in `root`. Nothing is left behind and no network is touched."""
    # Torch takes longer to import than all the rest: meanwhile, and in a process that may crash in its place.
    torch = subprocess.Popen([sys.executable, "-c", IMPORTED], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    others = [_store(root), _locks(), _disk(root), *_data(), *_optional(), _cluster()]
    return [_python(), _torch(torch), *others]


def _python() -> Check:
    return Check("python", "ok" if sys.version_info >= (3, 11) else "wrong",
                 f"{platform.python_version()} on {platform.system()}")


def _torch(process: subprocess.Popen[str]) -> Check:
    try:
        said, complaint = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        said, complaint = "", f"it took more than {PATIENCE:.0f} s"
    if process.wait() != 0:
        last = complaint.strip().splitlines()[-1:] or ["its process ended without a word"]
        return Check("torch", "wrong", f"cannot be imported ({last[0]}). Install the version in requirements.txt anew.")
    version, device = json.loads(said)
    return Check("torch", "ok", f"{version}, trains on {device}, {os.cpu_count()} CPU cores")


def _store(root: Path) -> Check:
    written = not permission.read_only()
    if written:
        with contextlib.suppress(OSError):  # what is wrong is told below
            root.mkdir(parents=True, exist_ok=True)
    if fault := health.store_fault(root, written=written):
        return Check("store", "wrong", f"{root} {fault}. Choose another with --store.")
    return Check("store", "ok", str(root))


def _locks() -> Check:
    if locks.AVAILABLE:
        return Check("locks", "ok", "file locks work here")
    return Check("locks", "wrong", "this system has no file locks. On Windows use WSL.")


def _disk(root: Path) -> Check:
    there = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free > 500_000_000:
        return Check("disk", "ok", f"{size(free)} free")
    return Check("disk", "wrong", f"{size(free)} free: checkpoints may not fit. Free some space.")


def _cluster() -> Check:
    if why := cluster.refusal():
        return Check("cluster", "optional", why)
    names = ", ".join(partition.name for partition in cluster.partitions())
    return Check("cluster", "ok", f"trainings can be sent to SLURM{f': partitions {names}' if names else ''}")


def _data() -> list[Check]:
    from vaecore.data import DATASETS, DataUnavailable

    found = []
    for name, kind in DATASETS.items():
        try:
            found.append(Check(name, "ok", kind().here()))
        except DataUnavailable as error:
            state: State = "wrong" if name in NEEDED else "own" if "path" in kind.model_fields else "data"
            found.append(Check(name, state, str(error)))
    return found


def _optional() -> list[Check]:
    return [Check(what, "ok", "installed") if importlib.util.find_spec(module) else Check(what, "optional", remedy)
            for what, (module, remedy) in OPTIONAL.items()]
