"""Numbers on their way to a browser: one value, of a header as JSON and columns behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(header: Mapping[str, Any], *columns: NDArray[Any] | bytes) -> bytes:
    """`u32 header length | JSON header | columns`, little-endian, which `unpack` of `lib/dom.js` reads.

    Each array begins at a multiple of 4 bytes, numbers with a fraction as float32, whole ones as they are; bytes follow
    each other without a gap, so they come last. Raises `ValueError` for a header with a number that is not finite.
    """
    head = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    parts = [len(head).to_bytes(4, "little"), head]
    for column in columns:
        if not isinstance(column, bytes):
            kind = np.dtype("<f4") if column.dtype.kind == "f" else column.dtype.newbyteorder("<")
            column = np.ascontiguousarray(column, kind).tobytes()
            column += bytes(-len(column) % 4)
        parts.append(column)
    return b"".join(parts)
