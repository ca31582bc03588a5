"""Codes of a split as a file: what is read back is what the model says, to the last bit."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyarrow import parquet

from tests.training.runs import Start, small
from vaecore.explore import exported
from vaecore.explore.export import split_codes
from vaecore.explore.export.split_codes import codes_file
from vaecore.schema import ConfigError
from vaecore.store import Run
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed


@pytest.fixture
def run(start: Start, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(split_codes, "ENCODED_AT_ONCE", 100)  # so that there are several parts
    return Run(start(small(epochs=1)))


@torch.inference_mode()
def said(run: Run) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """q(z|x) of all test observations at once, and their labels."""
    model, data = load_model(run.path), run.config().data.load()
    batch = Feed(data, "test", torch.device("cpu")).all()
    q = model.encode(batch)["z"]
    labels = data.splits["test"].labels
    assert labels is not None
    return {"z.mean": q.mean.numpy(), "z.sigma": (0.5 * q.logvar).exp().numpy(),
            "z.kl": q.kl_from_standard().numpy()}, labels


def read(path: Path) -> tuple[list[int], list[str], dict[str, np.ndarray]]:
    """Rows, labels and numbers of a file of any kind."""
    if path.suffix == ".npz":
        arrays: dict[str, Any] = dict(np.load(path, allow_pickle=False))
        names = list(map(str, arrays.pop("classes")))
        labels = [names[label] if names else str(label) for label in arrays.pop("label")]
        return arrays.pop("row").tolist(), labels, arrays
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            head, *lines = list(csv.reader(file))
        columns = dict(zip(head, zip(*lines, strict=True), strict=True))
    else:
        columns = parquet.read_table(path).to_pydict()
    numbers: dict[str, list[Any]] = {}
    for name, values in columns.items():
        if name not in ("row", "label"):
            numbers.setdefault(name.rpartition(".")[0], []).append(np.asarray(values, np.float32))
    return [int(row) for row in columns["row"]], list(columns["label"]), {
        name: np.stack(values, 1) for name, values in numbers.items()}


@pytest.mark.parametrize("ending", split_codes.ENDINGS)
def test_what_is_read_back_is_what_the_model_says(run: Run, tmp_path: Path, ending: str) -> None:
    path, told = tmp_path / f"codes{ending}", []
    written = codes_file(run, path, "test", kl=True, progress=lambda done, total: told.append((done, total)))
    numbers, labels = said(run)
    rows, names, found = read(path)
    assert written.rows == len(rows) == len(labels) and rows == list(range(len(labels)))
    assert names == [str(label) for label in labels]
    assert written.columns == tuple(found) == ("z.mean", "z.sigma", "z.kl")
    for name, values in found.items():
        np.testing.assert_allclose(values, numbers[name], rtol=2e-6, atol=2e-6)  # batches of another size round so
    assert len(told) > 1 and told[-1] == (len(labels), len(labels))
    assert [each.name for each in tmp_path.glob("codes*")] == [path.name], "nothing else is left"


def test_all_kinds_hold_the_same_bits(run: Run, tmp_path: Path) -> None:
    kinds = []
    for ending in split_codes.ENDINGS:
        codes_file(run, tmp_path / f"codes{ending}", "validation")
        kinds.append(read(tmp_path / f"codes{ending}"))
    for rows, labels, numbers in kinds[1:]:
        assert rows == kinds[0][0] and labels == kinds[0][1]
        assert all((numbers[name] == values).all() for name, values in kinds[0][2].items())


def test_labels_are_called_by_their_names_and_no_spreadsheet_runs_them() -> None:
    labels = np.array([1, -1, 0, 7])
    assert exported.names_of(labels, ["=cmd()", "b"]) == ["b", "", "=cmd()", "7"]
    assert exported.cell("=cmd()") == "'=cmd()"


def test_what_cannot_be_written_is_refused_and_leaves_nothing(run: Run, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"End it in .csv, .npz, .parquet"):
        codes_file(run, tmp_path / "codes.xlsx")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"vaecore\[parquet\]"):
        codes_file(run, tmp_path / "codes.parquet")

    def broken(*_: int) -> None:
        raise RuntimeError("stopped")

    for ending in (".csv", ".npz"):
        with pytest.raises(RuntimeError, match="stopped"):
            codes_file(run, tmp_path / f"codes{ending}", progress=broken)
    assert not list(tmp_path.glob("codes*"))


def test_a_family_without_a_prior_has_no_kl(start: Start, tmp_path: Path) -> None:
    run = Run(start(small({"family": "ae"}, epochs=1)))
    with pytest.raises(ConfigError, match="no prior"):
        codes_file(run, tmp_path / "codes.csv", kl=True)
    assert codes_file(run, tmp_path / "codes.csv").columns == ("z.mean",)
