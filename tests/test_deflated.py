"""Test observations that travel with a run, deflated: what is read is what was written, and no more than may be."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vaecore.examples import DEFLATED, KINDS, deflated, read_tensors
from vaecore.explore.opening import read_examples
from vaecore.files import BrokenFile
from vaecore.store import EXAMPLES, Run
from vaecore.training.checkpoints import BrokenCheckpoint

GALLERY = Path(__file__).parents[1] / "trained" / "gallery"


def row(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def test_every_kind_and_note_comes_back(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    wanted = {kind: torch.from_numpy(numbers.integers(0, 2, (5, 3, 2)).astype(kind)) for kind in KINDS}
    wanted |= {"across": torch.arange(12).reshape(3, 4).T, "one": torch.tensor(2.5), "none": torch.zeros(0, 7)}
    (tmp_path / EXAMPLES).write_bytes(deflated(wanted, {"classes": '["a", "b"]'}))
    found, notes = read_tensors(tmp_path / EXAMPLES)
    assert notes == {"classes": '["a", "b"]'} and found.keys() == wanted.keys()
    for name, x in wanted.items():
        assert found[name].dtype == x.dtype and torch.equal(found[name], x), name
    assert Run(tmp_path).class_names() == ("a", "b")


def test_what_is_as_it_is_is_read_so(tmp_path: Path) -> None:
    save_file({"image": torch.ones(2, 1, 3, 3)}, tmp_path / EXAMPLES, {"classes": '["a"]'})
    found, notes = read_tensors(tmp_path / EXAMPLES)
    assert notes == {"classes": '["a"]'} and torch.equal(found["image"], torch.ones(2, 1, 3, 3))


NOTE = {"kind": "uint8", "shape": [2, 3]}


@pytest.mark.parametrize(("stored", "told", "why"), [
    (row(zlib.compress(bytes(6))), "{", "is not valid JSON"),
    (row(zlib.compress(bytes(6))), [NOTE], "does not say what 'image' is"),
    (row(zlib.compress(bytes(6))), {"other": NOTE}, "does not say what 'image' is"),
    (row(zlib.compress(bytes(6))), {"image": {"kind": "object", "shape": [2, 3]}}, "does not say what 'image' is"),
    (row(zlib.compress(bytes(6))), {"image": {"kind": "uint8", "shape": [-2, -3]}}, "does not say what 'image' is"),
    (row(zlib.compress(bytes(6))), {"image": {"kind": "uint8", "shape": [2.0, True]}}, "does not say what 'image' is"),
    (row(zlib.compress(bytes(5))), {"image": NOTE}, "is not uint8 of shape"),
    (row(zlib.compress(bytes(7))), {"image": NOTE}, "is not uint8 of shape"),
    (row(zlib.compress(bytes(2**20))), {"image": NOTE}, "is not uint8 of shape"),
    (row(zlib.compress(bytes(6))[:-3]), {"image": NOTE}, "is not uint8 of shape"),
    (row(b"no stream"), {"image": NOTE}, "is damaged"),
    (torch.ones(6, dtype=torch.bfloat16), {"image": NOTE}, "is no row of bytes"),
    (row(zlib.compress(b"")), {"image": {"kind": "uint8", "shape": [2**30, 2**30]}}, "too large"),
    (row(zlib.compress(b"")), {"image": {"kind": "uint8", "shape": [0, 10**30]}}, "cannot be used"),
])
def test_what_says_something_else_is_refused(stored: torch.Tensor, told: Any, why: str, tmp_path: Path) -> None:
    notes = {DEFLATED: told if isinstance(told, str) else json.dumps(told)}
    save_file({"image": stored}, tmp_path / EXAMPLES, notes)
    with pytest.raises(BrokenCheckpoint, match=why):
        read_examples(Run(tmp_path), lambda found: found)


def test_all_together_they_are_no_larger_than_a_file_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.examples.MAX_EXAMPLES_BYTES", 3_000)
    for sizes, fits in (((1_500, 1_500), True), ((1_500, 1_501), False)):
        (tmp_path / EXAMPLES).write_bytes(deflated({str(i): torch.zeros(n, dtype=torch.uint8)
                                                    for i, n in enumerate(sizes)}, {}))
        if fits:
            assert len(read_tensors(tmp_path / EXAMPLES)[0]) == 2
        else:
            with pytest.raises(BrokenFile, match="too large"):
                read_tensors(tmp_path / EXAMPLES)


@pytest.mark.parametrize("path", sorted(GALLERY.iterdir()), ids=lambda path: path.name)
def test_shipped_ones_take_a_fraction(path: Path) -> None:
    tensors, _ = read_tensors(path / EXAMPLES)
    assert (path / EXAMPLES).stat().st_size < sum(x.nbytes for x in tensors.values())
