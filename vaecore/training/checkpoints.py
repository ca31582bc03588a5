"""What a run keeps of its model: `weights.safetensors`, loadable alone, and `checkpoint.safetensors`, to resume.

Both are written whole or not at all. Nothing is pickled: optimizer state is tensors under flat names with a
JSON header, and the header of the weights holds the configuration and the modalities, so that one file
rebuilds the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vaecore.config import RunConfig
from vaecore.data import Modality
from vaecore.files import write_bytes_atomic
from vaecore.models import Family
from vaecore.nets.convolutional import channels_last
from vaecore.schema import ConfigError, parse

WEIGHTS, CHECKPOINT = "weights.safetensors", "checkpoint.safetensors"
LARGEST = 4 * 2**30  # bytes
PROGRESS = {"step": int, "metrics_bytes": int, "best": float | None, "since_best": int, "seconds": float}


class BrokenCheckpoint(Exception):
    """Weights or a checkpoint that are missing, truncated or not ours; the message says what to do."""


def save_weights(folder: Path, model: Family, config: RunConfig, step: int) -> None:
    """Write `weights.safetensors`."""
    modalities = {name: {"kind": m.kind, "shape": m.shape} for name, m in model.modalities.items()}
    header = {"config": config.model_dump(mode="json"), "modalities": modalities, "step": step}
    _write(folder / WEIGHTS, model.state_dict(), header)


def load_model(path: Path) -> Family:
    """The model in a `weights.safetensors` (or in the run's folder that holds it), on the CPU, in evaluation mode.

    Raises `BrokenCheckpoint` for a file that is missing, truncated or does not fit its own description.
    """
    path = path / WEIGHTS if path.is_dir() else path
    tensors, header = _read(path)
    try:
        config = parse(RunConfig, header["config"])
        modalities = {str(name): _modality(m) for name, m in header["modalities"].items()}
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            model = config.model.build(modalities)
        for name, there in model.state_dict().items():
            if name in tensors and tensors[name].dtype != there.dtype:
                raise ValueError(f"{name} holds {tensors[name].dtype} instead of {there.dtype}")
        model.load_state_dict(tensors, assign=True)
        channels_last(model)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RuntimeError, ConfigError) as error:
        raise BrokenCheckpoint(f"{path} does not fit its own description ({_line(error)}). Copy the run again from "
                               "where it came.") from None
    return model.eval()


def save_checkpoint(folder: Path, model: Family, optimizer: torch.optim.Optimizer | None,
                    generator: torch.Generator, progress: Mapping[str, Any]) -> None:
    """Write `checkpoint.safetensors`: weights, optimizer, random state, and `progress` as JSON."""
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors["random.noise"] = generator.get_state()
    if optimizer is not None:
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": t for name, t in state.items()}
    _write(folder / CHECKPOINT, tensors, dict(progress))


def load_checkpoint(folder: Path, model: Family, optimizer: torch.optim.Optimizer | None,
                    generator: torch.Generator) -> dict[str, Any] | None:
    """Restore all three in place and return `progress`; None when there is nothing to resume from."""
    if not (folder / CHECKPOINT).exists():
        return None
    tensors, progress = _read(folder / CHECKPOINT)
    if not (isinstance(progress, dict) and progress.keys() >= PROGRESS.keys()
            and all(isinstance(progress[name], kind) for name, kind in PROGRESS.items())):
        raise BrokenCheckpoint(f"{folder / CHECKPOINT} does not say where training stood. Copy the run again from "
                               "where it came, or start a new one with its configuration.")
    try:
        model.load_state_dict(_part(tensors, "model."))
        if optimizer is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _part(tensors, "optimizer.").items():
                index, _, key = name.partition(".")
                # Moments lie in memory as their parameter does: a fused update walks both in storage order.
                like = parameters[int(index)]
                placed = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape and tensor.ndim else tensor
                state.setdefault(int(index), {})[key] = placed
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        generator.set_state(tensors["random.noise"])
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise BrokenCheckpoint(f"{folder / CHECKPOINT} does not fit this configuration ({_line(error)}). Start a new "
                               "run with it instead of resuming.") from None
    return progress


def _write(path: Path, tensors: Mapping[str, Tensor], header: dict[str, Any]) -> None:
    # A file of tensors is row-major: channels-last weights are laid out anew.
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    write_bytes_atomic(path, save(plain, {"vaecore": json.dumps(header)}))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        if path.stat().st_size > LARGEST:
            raise BrokenCheckpoint(f"{path} is larger than {LARGEST // 2**30} GB, which no model here is.")
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["vaecore"])
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise BrokenCheckpoint(f"{path} is missing. Train the run, or copy it again from where it came.") from None
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise BrokenCheckpoint(f"{path} is truncated or not a checkpoint of this program ({_line(error)}). Copy the "
                               "run again from where it came.") from None


def _modality(values: Mapping[str, Any]) -> Modality:
    kind, shape = values["kind"], tuple(int(n) for n in values["shape"])
    if kind not in ("image", "vector") or not all(0 < n <= 65_536 for n in shape) or len(shape) not in (1, 3):
        raise ValueError(f"a modality of kind {kind} and shape {shape}")
    return Modality(kind, shape)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _line(error: Exception) -> str:
    return str(error).strip().replace("\n", " ")[:160]
