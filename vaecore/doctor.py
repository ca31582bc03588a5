"""Checks of the machine: what a user would otherwise find out one error at a time."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vaecore.lab import locks


@dataclass(frozen=True)
class Check:
    """One thing looked at; `detail` says what was found, and the remedy where it is not `ok`."""

    what: str
    ok: bool
    detail: str


def checks(root: Path) -> list[Check]:
    """Every check, for a store in `root`. Nothing is left behind and no network is touched."""
    return [_python(), _torch(), _store(root), _locks(), _disk(root), *_data(), _dashboard()]


def _python() -> Check:
    return Check("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.system()}")


def _torch() -> Check:
    import torch

    from vaecore.config import Training
    from vaecore.training.device import choose

    device = choose(Training())
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    return Check("torch", True, f"{torch.__version__}, trains on {name}, {os.cpu_count()} CPU cores")


def _store(root: Path) -> Check:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        return Check("store", False, f"{root} cannot be written ({error.strerror}). Choose another with --store.")
    return Check("store", True, str(root))


def _locks() -> Check:
    if locks.AVAILABLE:
        return Check("locks", True, "file locks work here")
    return Check("locks", False, "this system has no file locks. On Windows use WSL.")


def _disk(root: Path) -> Check:
    there = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(there).free
    return Check("disk", free > 500_000_000, f"{free / 1e9:.1f} GB free" +
                 ("" if free > 500_000_000 else ": checkpoints may not fit. Free some space."))


def _data() -> list[Check]:
    from vaecore.data import DATASETS, DataUnavailable

    found = []
    for name, kind in DATASETS.items():
        try:
            found.append(Check(name, True, kind().load().source))
        except DataUnavailable as error:
            # Only the default has to be here; the others are a choice.
            found.append(Check(name, name != "mnist", f"not here: {error}"))
    return found


def _dashboard() -> Check:
    here = importlib.util.find_spec("streamlit") is not None
    return Check("dashboard", True, "installed" if here else "not installed; `make app` installs it")
