"""Data known again by what is in them, however they are packed."""

from __future__ import annotations

import gzip
import hashlib
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vaecore.data import npz
from vaecore.data.base import MAX_UNPACKED_BYTES, Array


def digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of arrays by their names, types, shapes and numbers, however they are packed."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def digest_in(path: Path) -> str:
    """What `Published.files` says of a file, as it is found on the disk; empty where it cannot be read."""
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as members:
                return "" if sum(member.file_size for member in members.infolist()) > MAX_UNPACKED_BYTES else \
                    digest({name.removesuffix(".npy"): _array(members, name) for name in members.namelist()})
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(MAX_UNPACKED_BYTES + 1)
        return "" if len(raw) > MAX_UNPACKED_BYTES else hashlib.sha256(raw).hexdigest()
    except npz.DAMAGED:
        return ""


def _array(members: zipfile.ZipFile, name: str) -> Array:
    with npz.member(members, members.getinfo(name)) as file:
        shape, dtype = npz.header(file)
    if math.prod(shape) * dtype.itemsize > MAX_UNPACKED_BYTES:
        raise ValueError(f"{name} declares {shape}")
    with npz.member(members, members.getinfo(name)) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array
