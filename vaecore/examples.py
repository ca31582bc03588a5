"""The test observations that travel with a run: tensors as they are, or deflated as the gallery ships them.

A deflated tensor is a row of bytes, and the notes of the file say under `DEFLATED` what it was.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

from vaecore.files import BrokenFile, parsed_json, regular
from vaecore.store import MAX_EXAMPLES_BYTES

DEFLATED = "deflated"
KINDS = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32")


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a file of examples by name, and the notes beside them.

    Raises `BrokenFile` for one of more than `MAX_EXAMPLES_BYTES`, deflated or not, or that does not hold what it says;
    `OSError` and `SafetensorError` for one that is missing or damaged.
    """
    if regular(path).stat().st_size > MAX_EXAMPLES_BYTES:
        raise BrokenFile("it is too large")
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        notes = file.metadata() or {}
    if DEFLATED not in notes:
        return tensors, notes
    told, left, whole = parsed_json(notes.pop(DEFLATED), f"'{DEFLATED}'"), MAX_EXAMPLES_BYTES, {}
    for name, stored in tensors.items():
        whole[name] = _inflated(name, stored, told.get(name) if isinstance(told, dict) else None, left)
        left -= whole[name].nbytes
    return whole, notes


def deflated(tensors: Mapping[str, torch.Tensor], notes: Mapping[str, str]) -> bytes:
    """The bytes of a file of examples that takes as little as it can."""
    arrays = {name: x.numpy() for name, x in tensors.items()}
    told = {name: {"kind": x.dtype.name, "shape": x.shape} for name, x in arrays.items()}
    rows = {name: torch.frombuffer(bytearray(zlib.compress(x.tobytes(), 9)), dtype=torch.uint8)
            for name, x in arrays.items()}
    return save(rows, {**notes, DEFLATED: json.dumps(told)})


def _inflated(name: str, stored: torch.Tensor, told: Any, most: int) -> torch.Tensor:
    """A tensor of at most `most` bytes, of the kind and shape that the file says it has."""
    kind, shape = (told.get("kind"), told.get("shape")) if isinstance(told, dict) else (None, None)
    if kind not in KINDS or not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise BrokenFile(f"it does not say what '{name}' is")
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size > most:
        raise BrokenFile("it is too large")
    if stored.dtype != torch.uint8:
        raise BrokenFile(f"'{name}' is no row of bytes")
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(stored.numpy().tobytes(), size + 1)  # one byte more than there may be
    except zlib.error:
        raise BrokenFile(f"'{name}' is damaged") from None
    if len(data) != size or not inflater.eof:
        raise BrokenFile(f"'{name}' is not {kind} of shape {shape}, as it says")
    values = np.frombuffer(bytearray(data), np.uint8 if kind == "bool" else kind).reshape(shape)
    return torch.from_numpy(values.astype(bool) if kind == "bool" else values)
