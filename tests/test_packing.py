"""What a browser is sent: read back it is what was packed, each column where a typed array may begin."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vaecore.packing import packed


def test_columns_lie_behind_the_header_each_at_a_multiple_of_four_bytes() -> None:
    columns = np.array([0.5, 1 / 3]), np.arange(3, dtype=np.uint8), np.array([7], ">u4")
    value = packed({"run": "\u00fc"}, *columns, b"abc", b"d")
    length = int.from_bytes(value[:4], "little")
    assert length % 4 == 0 and json.loads(value[4:4 + length]) == {"run": "\u00fc"}
    body = value[4 + length:]
    np.testing.assert_array_equal(np.frombuffer(body, "<f4", 2), np.float32([0.5, 1 / 3]))
    assert body[8:12] == b"\0\1\2\0" and body[12:16] == b"\7\0\0\0" and body[16:] == b"abcd"


def test_no_header_holds_what_json_does_not() -> None:
    with pytest.raises(ValueError, match="JSON"):
        packed({"kl": float("nan")})
