"""What the browser gets of a collapse that is watched."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pages.components.water import pack
from vaecore.evaluate.meaning import ACTIVE
from vaecore.studies.exhibit import Survival


def survival(evaluations: int = 3, *, live: bool = False) -> Survival:
    """Two dimensions over four steps; the second one dies at step 2 and is back at its end."""
    steps = np.arange(evaluations) * 2.0
    kl = np.array([[2.0, 1.0], [1.5, 0.0], [2.0, 1.0]])[:evaluations]
    return Survival("gallery/é", live, 8.0, 4, [4.0, 0.5], steps, kl.reshape(-1, 2),
                    np.array([2.0, 1.0, 2.0])[:evaluations], np.arange(5.0), np.array([0.1, 0.3, 0.9, 0.3, 0.1]),
                    np.array([[2.0, 1], [1.5, 0.5], [1.25, 0], [1.5, 0.5], [2, 1]]))


def unpack(data: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The browser's reading of a packed value (water.js, decode)."""
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    size, at = len(header["variances"]), 4 + length
    columns = []
    for rows, width in ((header["planned"], 1), (header["planned"], 1), (header["planned"], size),
                        (header["evaluations"], 1), (header["evaluations"], 1), (header["evaluations"], size)):
        columns.append(np.frombuffer(data, "<f4", rows * width, at).reshape(rows, width).squeeze())
        at += 4 * rows * width
    assert at == len(data), "nothing may be left over"
    return header, columns


@pytest.mark.parametrize("evaluations", [0, 1, 3])
@pytest.mark.parametrize("live", [False, True])
def test_round_trip(evaluations: int, live: bool) -> None:
    found = survival(evaluations, live=live)
    header, columns = unpack(pack(found))
    assert header == {"run": "gallery/é", "live": live, "seconds": 8.0, "total": 4, "variances": [4.0, 0.5],
                      "counted": ACTIVE, "planned": 5, "evaluations": evaluations}
    for packed, given in zip(columns, (found.plan_steps, found.level, found.plan, found.steps, found.active, found.kl),
                             strict=True):
        np.testing.assert_allclose(packed, np.squeeze(given), rtol=1e-6)
