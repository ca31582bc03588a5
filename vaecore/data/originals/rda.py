"""Three omics blocks out of a file that R has saved: BRCA_data.rda of r.jive, read without R.

An .rda is a compressed row of objects, each a word of flags, then what its type says, in big-endian XDR. This reads the
types that occur in that file and no others: its checksum has been compared before. The package rdata reads all of them
and brings pandas and xarray with it, a hundred megabytes for one file.
"""

from __future__ import annotations

import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np

from vaecore.data.base import MAX_UNPACKED_BYTES, Array

HEADER = b"RDX"
SYMBOL, PAIRS, TEXT, INTEGERS, REALS, STRINGS, LIST = 1, 2, 9, 13, 14, 16, 19  # types of R's objects
NOTHING, BEFORE = 254, 255  # the end of pairs; a symbol that was there before
ATTRIBUTES, TAG = 1 << 9, 1 << 10  # flags: what follows an object; what stands before the first of a pair
BLOCKS = {"Expression": "expression", "Methylation": "methylation", "miRNA": "mirna"}


def convert(folder: Path) -> dict[str, Array]:
    """The arrays of tcga_brca.npz: a row a tumour, as R has a column for each; clusters from 0."""
    with lzma.open(folder / "BRCA_data.rda") as file:
        data = file.read(MAX_UNPACKED_BYTES + 1)
    objects = dict(Reader(data).pairs())
    blocks = objects["Data"]
    return {**{ours: blocks[name].T.astype(np.float32) for name, ours in BLOCKS.items()},
            "cluster": (objects["clusts"] - 1).astype(np.uint8)}


class Reader:
    """What an .rda holds, object after object; `ValueError` for what is no such file, or of another type."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(HEADER) or data[5:7] != b"X\n":
            raise ValueError("it is not saved by R in its binary format")
        self.data, self.place, self.symbols = data, 7, list[str]()
        version = self._integer()
        self.place += 8  # which R wrote it, and which can read it
        if version > 2:
            self._take(self._integer())  # the encoding of texts

    def pairs(self) -> list[tuple[str, Any]]:
        """The saved objects by their names."""
        return list(self._object().items())

    def _object(self) -> Any:
        flags = self._integer()
        kind = flags & 0xFF
        if kind == NOTHING:
            return {}
        if kind == BEFORE:
            return self.symbols[(flags >> 8) - 1]
        if kind == SYMBOL:
            self.symbols.append(self._object())
            return self.symbols[-1]
        if kind == TEXT:
            length = self._integer()
            return "NA" if length < 0 else self._take(length).decode()
        if kind == PAIRS:
            return self._pairs(flags)
        count = self._integer()
        if kind == REALS:
            made: Any = np.frombuffer(self._take(8 * count), ">f8").astype(np.float64)
        elif kind == INTEGERS:
            made = np.frombuffer(self._take(4 * count), ">i4").astype(np.int32)
        elif kind in (STRINGS, LIST):
            made = [self._object() for _ in range(count)]
        else:
            raise ValueError(f"it holds an object of type {kind}, which is not read here")
        attributes = self._object() if flags & ATTRIBUTES else {}
        if "dim" in attributes:
            return made.reshape(attributes["dim"], order="F")
        return dict(zip(attributes["names"], made, strict=True)) if kind == LIST and "names" in attributes else made

    def _pairs(self, flags: int) -> dict[str, Any]:
        """Names and objects, one after the other: each says whether it has a name, and the next follows."""
        found: dict[str, Any] = {}
        while flags & 0xFF == PAIRS:
            if flags & ATTRIBUTES:
                self._object()
            name = self._object() if flags & TAG else ""
            found[name] = self._object()
            flags = self._integer()
        return found

    def _integer(self) -> int:
        (number,) = struct.unpack(">i", self._take(4))
        return int(number)

    def _take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.place:
            raise ValueError("it ends before what it announces")
        self.place += count
        return self.data[self.place - count:self.place]
