"""Where a training runs and in which number format."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from vaecore.config import Training


def found() -> tuple[str, str]:
    """The version of torch, and the device on which `auto` trains, as a person calls it."""
    device = _best()
    return torch.__version__, torch.cuda.get_device_name() if device == "cuda" else device


def _there() -> dict[str, bool]:
    """Which devices this machine has, the fastest first."""
    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}


def _best() -> str:
    return next(name for name, here in _there().items() if here)


def choose(training: Training) -> torch.device:
    """The device to train on, cuda, mps or cpu; raises `ConfigError` for one that is asked for and not there."""
    if training.device == "auto":
        return torch.device(_best())
    if not _there()[training.device]:
        from vaecore.schema import problem  # late: `vaecore doctor` asks which device there is, and for nothing else

        raise problem("training.device", training.device, f"this machine has no {training.device}.",
                      "Use auto or cpu: a run that is begun is forked with it, or resumed where there is one.")
    return torch.device(training.device)


def set_threads(training: Training, processes: int = 1) -> int:
    """Apply and return the number of CPU threads; by default all cores but one, kept for the page.

    Of `processes` that train together on this machine each has its part of them. A task of a cluster has the cores that
    were asked for it, whether it is bound to them or sees those of all.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    sharing = processes
    if own := _told("SLURM_CPUS_PER_TASK"):
        cores = min(cores, own)
        sharing //= max(1, _told("SLURM_NTASKS") // max(1, _told("SLURM_NNODES")))  # only those of one task share them
    threads = max(1, training.threads // processes if training.threads else (cores - 1) // max(1, sharing))
    torch.set_num_threads(threads)
    return threads


def _told(variable: str) -> int:
    """A number that a cluster has put into the environment; 0 where it has not."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else 0


def peak_memory(device: torch.device) -> int | None:
    """The most bytes that this process has taken so far, data and libraries included; on a GPU those of its device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def precision(training: Training, device: torch.device) -> AbstractContextManager[None]:
    """The autocast of the networks: bfloat16 on CUDA where the card has it, else nothing."""
    wanted = training.precision
    if wanted == "auto":
        # What an older card only emulates is slower there.
        there = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        wanted = "bfloat16" if there else "float32"
    if wanted == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
