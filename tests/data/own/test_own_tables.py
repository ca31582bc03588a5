"""What users bring as tables and arrays: read as it is meant, or refused naming line, column and cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.data import SPLITS, Dataset
from vaecore.data.own.aligned import Aligned
from vaecore.data.own.table import Table
from vaecore.data.own.tables.reading import read
from vaecore.schema import ConfigError

ROWS = 60


def written(path: Path, header: str, rows: list[str], first: str = "") -> Path:
    path.write_text(first + "\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def together(dataset: Dataset, name: str) -> np.ndarray[Any, Any]:
    return np.concatenate([dataset.splits[split].arrays[name] for split in SPLITS])


def has(dataset: Dataset) -> np.ndarray[Any, Any]:
    """Who has what, (N, M); a split in which all have all says nothing."""
    whole = {split: np.ones((len(dataset.splits[split]), len(dataset.modalities)), bool) for split in SPLITS}
    return np.concatenate([whole[split] if (seen := dataset.splits[split].observed) is None else seen
                           for split in SPLITS])


@pytest.mark.parametrize("gaps", [(52, 6), (0, 59), (59, 0)])
def test_c02_a_blank_line_is_a_sample_without_that_modality(tmp_path: Path, gaps: tuple[int, int]) -> None:
    for name, gap in zip(("pressure", "temperature"), gaps, strict=True):
        written(tmp_path / f"{name}.csv", name[0], ["" if row == gap else f"{row}.0" for row in range(ROWS)])
    dataset = Aligned(path=str(tmp_path), standardise=False).load()
    pressure, temperature, observed = together(dataset, "pressure"), together(dataset, "temperature"), has(dataset)
    assert len(pressure) == ROWS and observed.sum(0).tolist() == [59, 59]
    both = observed.all(1)
    assert both.sum() == 58
    np.testing.assert_array_equal(pressure[both], temperature[both])


def test_c02_a_blank_line_between_rows_of_several_columns_is_a_sample_too(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "p,q", ["" if row == 7 else f"{row},{-row}" for row in range(ROWS)] + [""])
    written(tmp_path / "b.csv", "r", [f"{row}" for row in range(ROWS)])
    dataset = Aligned(path=str(tmp_path), standardise=False).load()
    there = has(dataset)[:, 0]
    assert there.sum() == 59
    np.testing.assert_array_equal(together(dataset, "a")[there, 0], together(dataset, "b")[there, 0])
    table = written(tmp_path / "one.csv", "p,q", ["", *(f"{row},{-row}" for row in range(ROWS)), "", ""])
    assert len(Table(path=str(table)).load().splits["train"]) == 48  # rows of one table: a blank line is nothing


def test_c01_blank_labels_are_missing(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "p,q", [f"{row},1" for row in range(ROWS)])
    written(tmp_path / "b.csv", "r", [f"{row}" for row in range(ROWS)])
    written(tmp_path / "labels.csv", "class", ["" if row in (4, 9) else f"{row % 3}" for row in range(ROWS)])
    dataset = Aligned(path=str(tmp_path), standardise=False).load()
    rows = together(dataset, "b")[:, 0].astype(int)
    labels = np.concatenate([labels for split in SPLITS if (labels := dataset.splits[split].labels) is not None])
    np.testing.assert_array_equal(labels, np.where(np.isin(rows, (4, 9)), -1, rows % 3))


@pytest.mark.parametrize("cell", ["20.1 g", "unknown", "inf", "1e31", "1,5"])
def test_a_single_column_says_which_cell_is_no_number(tmp_path: Path, cell: str) -> None:
    quoted = f'"{cell}"'
    written(tmp_path / "a.csv", "p", [quoted if row % 2 else f"{row}.5" for row in range(ROWS)])
    written(tmp_path / "b.csv", "r", [f"{row}" for row in range(ROWS)])
    with pytest.raises(ConfigError, match=rf"'a\.csv' .* has '{cell}' in line 3, column 'p', which is no number"):
        Aligned(path=str(tmp_path)).load()


@pytest.mark.parametrize("cell", ["", "NA", "nan", "n/a", "NULL"])
def test_a_single_column_may_say_that_it_is_missing(tmp_path: Path, cell: str) -> None:
    written(tmp_path / "a.csv", "p", [cell if row % 2 else f"{row}.5" for row in range(ROWS)])
    written(tmp_path / "b.csv", "r", [f"{row}" for row in range(ROWS)])
    assert has(Aligned(path=str(tmp_path)).load())[:, 0].sum() == 30


def test_c06_masks_of_0_and_1_are_black_and_white(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (ROWS, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", image=mask, x=np.arange(ROWS)[:, None].astype(float), deep=mask * 2)
    dataset = Aligned(path=str(tmp_path / "own.npz"), standardise=False).load()
    rows = together(dataset, "x")[:, 0].astype(int)
    np.testing.assert_array_equal(together(dataset, "image")[:, 0], 255 * mask[rows])
    np.testing.assert_array_equal(together(dataset, "deep")[:, 0], 2 * mask[rows])  # grey levels stay
    assert dataset.source.endswith("; image of 0 and 1 read as black and white")


def test_c08_more_numbers_than_weights_are_read_with_are_refused_before_training(tmp_path: Path) -> None:
    x = np.zeros((ROWS, 65_537), np.float32)
    np.savez(tmp_path / "own.npz", genes=x, other=np.ones((ROWS, 3)))
    with pytest.raises(ConfigError, match=r"'genes' .* has 65,537 numbers a sample\. Use at most 65,536"):
        Aligned(path=str(tmp_path / "own.npz")).load()
    np.savez(tmp_path / "own.npz", genes=x[:, 1:], other=np.ones((ROWS, 3)))
    assert Aligned(path=str(tmp_path / "own.npz")).load().modalities["genes"].shape == (65_536,)


@pytest.mark.parametrize(("write", "value"), [
    (lambda row: f'"{row},25"', lambda row: row + 0.25), (lambda row: f'"-0,{row:03}"', lambda row: -row / 1000),
    (lambda row: str(row % 2 == 0), lambda row: float(row % 2 == 0)),
    (lambda row: ["no", "YES"][row % 2], lambda row: float(row % 2)),
    (lambda row: f"{row}.5%", lambda row: (row + 0.5) / 100), (lambda row: f"{row} %", lambda row: row / 100),
    (lambda row: f'"{row},5 %"', lambda row: (row + 0.5) / 100)],
    ids=["decimal comma", "three decimals", "bool", "yes and no", "percent", "space", "comma and percent"])
def test_b02_b11_numbers_in_another_form_are_read(tmp_path: Path, write: Any, value: Any) -> None:
    path = written(tmp_path / "own.csv", "n,m,remark", [f"{row},{write(row)},word {row}" for row in range(ROWS)])
    dataset = Table(path=str(path), standardise=False).load()
    x = together(dataset, "vector")
    assert x.shape == (ROWS, 2) and dataset.source.endswith(", 1 left out: 'remark'")
    np.testing.assert_allclose(x[:, 1], [value(row) for row in x[:, 0]], rtol=1e-6, atol=1e-7)
    rows = read(path.read_bytes(), "own.csv")
    assert [rows.lines[0], rows.lines[-1]] == [2, 61]


@pytest.mark.parametrize("cell", ['"1,234"', "20.1 g", "$5", "1 000", "5€", "1'000"])
def test_b02_numbers_that_are_not_plain_are_refused_by_column_and_cell(tmp_path: Path, cell: str) -> None:
    path = written(tmp_path / "own.csv", "n,price", [f"{row},{cell}" for row in range(ROWS)])
    with pytest.raises(ConfigError) as caught:
        Table(path=str(path)).load()
    assert f"has '{cell.strip(chr(34))}'" in str(caught.value) and "in line 2, column 'price'" in str(caught.value)
    assert Table(path=str(path), columns="n").load().modalities["vector"].shape == (1,)


def test_b02_a_gap_in_a_column_of_another_form_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", "n,m", [f"{row},{'' if row == 7 else 'true'}" for row in range(ROWS)])
    with pytest.raises(ConfigError, match=r"has nothing in line 9, column 'm'"):
        Table(path=str(path), gaps="refuse").load()


@pytest.mark.parametrize("header", ["0.126,-0.132,0.64,cat", "5,3,1,cat", "7,7.5,cat", "-1,0,1"])
def test_b01_a_first_row_of_numbers_is_no_header(tmp_path: Path, header: str) -> None:
    path = written(tmp_path / "own.csv", header, [header] * ROWS)
    with pytest.raises(ConfigError, match=r"numbers in its first line.*Begin it with a line of column names"):
        Table(path=str(path)).load()


@pytest.mark.parametrize("header", ["0,1,2,target", "2019,2020,2021,country"])
def test_b08_whole_numbers_that_rise_are_names(tmp_path: Path, header: str) -> None:
    path = written(tmp_path / "own.csv", header, [f"{row},{row},{row},0" for row in range(ROWS)])
    assert Table(path=str(path)).load().modalities["vector"].shape == (4,)


@pytest.mark.parametrize(("mark", "decimal"), [(";", ","), (",", "."), ("\t", "."), (";", ".")])
def test_b10_the_line_of_excel_says_the_separator(tmp_path: Path, mark: str, decimal: str) -> None:
    rows = [f"{row}{mark}{row}{decimal}25" for row in range(ROWS)]
    path = written(tmp_path / "own.csv", f"a{mark}b", rows, f"sep={mark}\n")
    x = together(Table(path=str(path), standardise=False).load(), "vector")
    np.testing.assert_allclose(x[:, 1], x[:, 0] + 0.25)
    written(path, f"a{mark}b", [*rows, f"1{mark}"], f"sep={mark}\n")
    with pytest.raises(ConfigError, match="has nothing in line 63, column 'b'"):
        Table(path=str(path), gaps="refuse").load()


def test_1_and_1_0_are_one_class(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", "x,kind", [f"{row},{('1', '1.0', '2.50', '2.5', '007')[row % 5]}"
                                                    for row in range(ROWS)])
    dataset = Table(path=str(path), covariate="kind", standardise=False).load()
    assert dataset.covariate is not None and dataset.covariate.shape == (3,)
    x = together(dataset, "vector")[:, 0].astype(int)
    labels = np.concatenate([labels for split in SPLITS if (labels := dataset.splits[split].labels) is not None])
    np.testing.assert_array_equal(labels, np.array([0, 0, 1, 1, 2])[x % 5])


def test_columns_of_words_are_kept_to_look_at_codes_by(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    sites = ["north", "south", ""]
    path.write_text("a,b,site,note,class\n" + "".join(
        f"{row},{row * row % 7},{sites[row % 3]},note {row},{'xy'[row % 2]}\n" for row in range(300)))
    dataset = Table(path=str(path), columns="a,b", covariate="class", standardise=False).load()
    assert dataset.groups == {"site": ("north", "south")}  # a note of its own a row groups nothing; the class is one
    for split in dataset.splits.values():
        row = split.arrays["vector"][:, 0].astype(int)
        np.testing.assert_array_equal(split.groups["site"], np.array([0, 1, -1])[row % 3])
    assert len(dataset.splits["test"].head(4).groups["site"]) == 4
