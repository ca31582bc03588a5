"""Columns of a table are found, gaps filled and rows split as it says; whatever is left out is named."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.data import SPLITS, Dataset, DataUnavailable
from vaecore.data.base import MAX_COLUMNS
from vaecore.data.own.table import Table
from vaecore.data.own.tables import contents
from vaecore.data.own.tables.cells import days
from vaecore.data.own.tables.reading import read
from vaecore.modalities import Vector
from vaecore.schema import ConfigError, parse

ROWS = 40
HEAD = "patient_id,age [y],sex,smoker,visit,note,dose"


def cells(row: int) -> list[str]:
    return [f"P{row:03}", f"{20 + row}", "fm"[row % 2], ["yes", "no"][row % 3 == 0], f"2024-03-{1 + row % 28:02}",
            f"remark {row}", ["low", "high", "none"][row % 3]]


def clinic(path: Path, mark: str = ",", **changes: str) -> Path:
    """A table of everything; `changes` are cells, as r7c1 for that of column 1 in row 7."""
    rows = [cells(row) for row in range(ROWS)]
    for place, text in changes.items():
        row, column = place[1:].split("c")
        rows[int(row)][int(column)] = text
    text = "\n".join([HEAD.replace(",", mark), *(mark.join(row) for row in rows)]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def together(dataset: Dataset) -> np.ndarray[Any, Any]:
    return np.concatenate([dataset.splits[split].arrays["vector"] for split in SPLITS])


def columns(dataset: Dataset) -> tuple[str, ...]:
    return dataset.modalities["vector"].columns


def in_units(dataset: Dataset) -> np.ndarray[Any, Any]:
    vector = dataset.modalities["vector"]
    assert isinstance(vector, Vector)
    return vector.in_units(together(dataset))


FOUND = ("age [y]", "sex = f", "sex = m", "smoker", "visit [days since 2024-03-01]", "dose = high", "dose = low",
         "dose = none")


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ","), ("a.tsv", "\t"), ("a.csv.gz", ","), ("a.tsv.gz", "\t"),
                                            ("a.csv", ";"), ("b.csv", "\t")])
def test_columns_are_found(tmp_path: Path, name: str, mark: str) -> None:
    dataset = Table(path=str(clinic(tmp_path / name, mark)), standardise=False).load()
    assert columns(dataset) == FOUND
    x = together(dataset)
    row = x[:, 0].astype(int) - 20
    assert sorted(row) == list(range(ROWS))
    np.testing.assert_array_equal(x[:, 1:3], np.eye(2)[row % 2])
    np.testing.assert_array_equal(x[:, 3], row % 3 != 0)
    np.testing.assert_array_equal(x[:, 4], row % 28)
    np.testing.assert_array_equal(x[:, 5:], np.eye(3)[[1, 0, 2]][row % 3])
    assert dataset.left_out == ("'patient_id': different in every row, the first 'P000' in line 2",
                                "'note': different in every row, the first 'remark 0' in line 2")
    said = " | ".join(dataset.done)
    for part in ("'smoker' read as true and false", "'visit' read as dates: days since the first",
                 "'sex' read as 2 columns of 0 and 1: 'f', 'm'"):
        assert part in said
    assert dataset.split_by == "by seed 0" and "no class: data.covariate=dose makes that column one" in dataset.done
    assert "5 of its columns as the vector, 2 left out: 'patient_id', 'note'" in dataset.source


def test_a_parquet_file_gives_the_same(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    import datetime

    rows = [cells(row) for row in range(ROWS)]
    ages = arrow.array([None if row == 5 else int(cell[1]) for row, cell in enumerate(rows)])
    visits = arrow.array([datetime.date.fromisoformat(cell[4]) for cell in rows])
    smokers = arrow.array([cell[3] == "yes" for cell in rows])
    words = {place: arrow.array([cell[place] for cell in rows]) for place in (0, 2, 5, 6)}
    table = arrow.table([words[0], ages, words[2].dictionary_encode(), smokers, visits, words[5], words[6]],
                        names=HEAD.split(","))
    parquet.write_table(table, tmp_path / "a.parquet")
    own = Table(path=str(tmp_path / "a.parquet"), standardise=False).load()
    same = Table(path=str(clinic(tmp_path / "a.csv", r5c1="NA")), standardise=False).load()
    assert columns(own) == columns(same) == FOUND
    np.testing.assert_array_equal(together(own), together(same))
    assert own.done[-1] == ("1 gap in 1 column filled with the mean of the training rows, the first in row 6, column "
                            "'age [y]'")
    assert own.left_out[0] == "'patient_id': different in every row, the first 'P000' in row 1"


def test_numbers_that_a_parquet_file_has_as_text_are_said_to_be_so(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"a": np.arange(40.0), "text": [f"{row}.5" for row in range(40)],
                                     "comma": [f"0,{row:02}" for row in range(40)]}), path)
    assert Table(path=str(path)).load().left_out == (
        "'text': numbers saved as text, the first '0.5' in row 1; to learn from them, save the column as numbers",
        "'comma': numbers saved as text, the first '0,00' in row 1; to learn from them, save the column as numbers")
    for asked in ({"columns": "a, text"}, {"covariate": "text", "covariate_kind": "numbers"}):
        with pytest.raises(ConfigError, match=r"has '0\.5', a number saved as text, in row 1, column 'text'\. Save"):
            Table(path=str(path), **asked).load()


def test_a_parquet_file_is_bounded_by_its_footer_and_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                   ) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"a": np.arange(1_000_001), "b": np.zeros(1_000_001)}), path)
    monkeypatch.setattr(parquet.ParquetFile, "read", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(ConfigError, match=r"a\.parquet' has 1,000,001 rows of 2 columns\. Use at most 1,000,000 rows"):
        Table(path=str(path)).load()
    parquet.write_table(arrow.table({"a": ["x" * 10_000_000 + str(n) for n in range(30)]}), path, compression="zstd")
    with pytest.raises(ConfigError, match=r"declares 3\d\d,\d+,\d+ bytes once it is unpacked"):
        Table(path=str(path)).load()
    parquet.write_table(arrow.table({"a": [[1, 2], [3]] * 20, "b": [{"c": 1, "d": 2}] * 40}), path)
    with pytest.raises(ConfigError, match="several values in a cell"):
        Table(path=str(path)).load()
    path.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(ConfigError, match="is no Parquet file that can be read"):
        Table(path=str(path)).load()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataUnavailable, match=r"pyarrow, which reads Parquet, is not installed\. Install it"):
        Table(path=str(path)).load()


def test_standardised_numbers_lead_back_to_the_files_units(tmp_path: Path) -> None:
    path = str(clinic(tmp_path / "a.csv"))
    dataset = Table(path=path).load()
    raw = Table(path=path, standardise=False).load()
    np.testing.assert_allclose(in_units(dataset), together(raw), atol=1e-5)
    assert not raw.modalities["vector"].scale and dataset.modalities["vector"] == raw.modalities["vector"]


# -- gaps ------------------------------------------------------------------------------------------


def test_gaps_are_filled_with_the_mean_of_the_training_rows(tmp_path: Path) -> None:
    path = str(clinic(tmp_path / "a.csv", r7c1="", r9c1="NA", r9c2="", r3c4="n/a"))
    dataset = Table(path=path, standardise=False).load()
    order = np.random.default_rng(0).permutation(ROWS)
    x = together(dataset)[np.argsort(order)]
    train = order[:32]
    some = [row for row in train if row not in (7, 9)]
    np.testing.assert_allclose(x[[7, 9], 0], np.mean([20 + row for row in some]), rtol=1e-6)
    share = np.mean([row % 2 for row in train if row != 9])
    np.testing.assert_allclose(x[9, 1:3], [1 - share, share], rtol=1e-6)
    assert dataset.done[-1] == ("4 gaps in 3 columns filled with the mean of the training rows, the first in line 5, "
                                "column 'visit'")
    standard = Table(path=path).load()
    np.testing.assert_allclose(together(standard)[np.argsort(order)][7, 0], 0, atol=1e-6)


def test_rows_with_gaps_are_left_out_or_refused(tmp_path: Path) -> None:
    path = str(clinic(tmp_path / "a.csv", r7c1="", r9c1="NA", r9c2=""))
    dataset = Table(path=path, standardise=False, gaps="rows").load()
    assert sorted(together(dataset)[:, 0] - 20) == [row for row in range(ROWS) if row not in (7, 9)]
    assert dataset.left_out[-1] == "2 rows with a gap, the first in line 9, column 'age [y]'"
    with pytest.raises(ConfigError, match=r"has nothing in line 9, column 'age \[y\]'\. .*choose data\.gaps"):
        Table(path=path, gaps="refuse").load()
    every = clinic(tmp_path / "b.csv", **{f"r{row}c{1 + 3 * (row % 2)}": "" for row in range(35)})
    with pytest.raises(ConfigError, match=r"has 5 rows without a gap; the first gap is in line 2"):
        Table(path=str(every), gaps="rows").load()


# -- what is no number -----------------------------------------------------------------------------


@pytest.mark.parametrize(("texts", "found"), [
    (["31.12.2023", "1.1.2024"], [0, 1]), (["12/31/2023", "1/1/2024"], [0, 1]), (["31/12/2023", "01/01/2024"], [0, 1]),
    (["2024-01-01T06:00", ""], [0, None]), (["2024/01/01 12:00:00", "2024/01/02 00:00:00"], [0, 0.5]),
    (["1.2.2024T10:00:00.5", "2.2.2024T10:00"], [0, 1]),
    (["01/02/2024T10:00:00.5", "03/04/2024T10:00:00.5"], "dates of which the day or the month could be first"),
    (["1/2/2024", "3/4/2024"], "dates of which the day or the month could be first"),
    (["2024-02-30", "2024-01-01"], "dates that no calendar has, or of several forms"),
    (["2024-01-01", "soon"], "no dates"), (["5", "6"], "no dates")])
def test_dates(texts: list[str], found: Any) -> None:
    said = days(texts)
    if isinstance(found, str):
        assert said == found
        return
    assert not isinstance(said, str)
    np.testing.assert_allclose([day - said[0] for day in said], [np.nan if day is None else day for day in found])


def test_what_is_left_out_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{row},{row + 7},x,=cmd|{row},{row % 4}/5/2024,{row % 3},," for row in range(1, ROWS + 1)]
    path.write_text("\n".join(["n,ID,unit,formula,when,site,empty,", *rows]))
    dataset = Table(path=str(path)).load()
    assert columns(dataset) == ("n", "site")
    assert dataset.left_out == (
        "'ID': an identifier, different in every row", "'unit': 'x' in every row that says something",
        "'formula': different in every row, the first '=cmd|1' in line 2",
        "'when': dates that no calendar has, or of several forms", "'empty': nothing in any row")
    assert "empty cells at the ends of lines passed over" in dataset.done
    named = Table(path=str(path), columns="ID, site").load()
    assert columns(named) == ("ID", "site")
    assert named.left_out == ("'n', 'unit', 'formula', 'when', 'empty': not named in data.columns",)


def test_names_of_rows_as_r_and_pandas_write_them(tmp_path: Path) -> None:
    path = tmp_path / "mtcars.csv"
    path.write_text('"","mpg","cyl"\n' + "".join(f'"car {row}",{row}.5,{row % 3}\n' for row in range(ROWS)))
    dataset = Table(path=str(path)).load()
    assert columns(dataset) == ("mpg", "cyl")
    assert "the first column, without a name, read as names of rows" in dataset.done
    path.write_text(",mpg\n" + "".join(f"{row},{row % 7}.5\n" for row in range(ROWS)))
    dataset = Table(path=str(path)).load()
    assert columns(dataset) == ("mpg",) and dataset.left_out == ("'row': an identifier, different in every row",)


def test_a_number_among_words_is_a_word_and_a_word_among_numbers_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,stage\n" + "".join(f"{row},{['I', 'II', '3'][row % 3]}\n" for row in range(ROWS)))
    assert columns(Table(path=str(path)).load()) == ("n", "stage = 3", "stage = I", "stage = II")
    path.write_text("n,stage\n" + "".join(f"{row},{['1', '2', 'n.d.'][row % 3]}\n" for row in range(ROWS)))
    with pytest.raises(ConfigError, match=r"has 'n\.d\.', which is no finite number .* in line 4, column 'stage'"):
        Table(path=str(path)).load()


def test_a_run_made_before_words_were_read_goes_on_without_them(tmp_path: Path) -> None:
    own = Table(path=str(clinic(tmp_path / "a.csv"))).resolve()
    assert columns(own.load()) == FOUND
    old = own.model_dump()
    for new in ("kinds", "gaps", "group", "split", "held_out"):
        del old[new]
    before = parse(Table, old)
    assert before.kinds == "numbers" and columns(before.load()) == ("age [y]", "smoker")
    assert parse(Table, own.model_dump()) == own


# -- splits ----------------------------------------------------------------------------------------


def test_rows_of_a_group_are_never_on_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,patient,m\n" + "".join(f"{row},p{row // 4},{row % 5}\n" for row in range(80)))
    for seed in range(5):
        dataset = Table(path=str(path), group="patient", standardise=False, split_seed=seed).load()
        assert columns(dataset) == ("n", "m") and dataset.split_by == f"by group 'patient', seed {seed}"
        seen = [{int(n) // 4 for n in dataset.splits[split].arrays["vector"][:, 0]} for split in SPLITS]
        assert [len(groups) for groups in seen] == [16, 2, 2] and len(set.union(*seen)) == 20
    path.write_text("n,patient,m\n" + "".join(f"{row},{'' if row == 9 else row // 4},{row % 5}\n" for row in range(80)))
    with pytest.raises(ConfigError, match=r"has nothing in line 11, column 'patient', which data\.group reads"):
        Table(path=str(path), group="patient").load()
    path.write_text("n,patient,m\n" + "".join(f"{row},{row % 2},{row % 5}\n" for row in range(80)))
    with pytest.raises(ConfigError, match=r"has 2 groups in column 'patient'"):
        Table(path=str(path), group="patient").load()


def test_a_file_says_its_own_split(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    names = ["Train", "training", "val", "TEST", "train"]
    path.write_text("n,split,m\n" + "".join(f"{row},{names[row % 5]},1\n" for row in range(50)))
    dataset = Table(path=str(path), standardise=False).load()
    assert dataset.split_by == "by the file's own split, column 'split'" and columns(dataset) == ("n", "m")
    rest = [{int(n) % 5 for n in dataset.splits[split].arrays["vector"][:, 0]} for split in SPLITS]
    assert rest == [{0, 1, 4}, {2}, {3}]
    path.write_text("n,part,m\n" + "".join(f"{row},{['train', 'test'][row % 5 == 0]},1\n" for row in range(50)))
    dataset = Table(path=str(path), split="part", standardise=False).load()
    assert dataset.split_by == ("by the file's own split, column 'part'; validation taken of its training rows by "
                                "seed 0")
    assert [len(dataset.splits[split]) for split in SPLITS] == [35, 5, 10]
    path.write_text(path.read_text().replace("7,train", "7,maybe"))
    with pytest.raises(ConfigError, match=r"has 'maybe' in line 9, column 'part', which is no split\. Write train"):
        Table(path=str(path), split="part").load()
    with pytest.raises(ConfigError, match=r"data\.group: column 'part' says who is in which split"):
        Table(path=str(path), split="part", group="m").load()


def test_nothing_held_out_is_a_fit_on_all_rows_and_says_so(tmp_path: Path) -> None:
    dataset = Table(path=str(clinic(tmp_path / "a.csv")), held_out=0).load()
    assert dataset.in_sample and all(len(dataset.splits[split]) == ROWS for split in SPLITS)
    assert dataset.source.startswith("a.csv: 40 rows, all in every split (in-sample), 5 of its columns")
    assert "in-sample" in dataset.split_by


# -- bounds ----------------------------------------------------------------------------------------


def test_as_many_columns_as_weights_keep(tmp_path: Path) -> None:
    path = tmp_path / "genes.csv"
    head = ",".join(f"gene_{place}" for place in range(MAX_COLUMNS))
    path.write_text("\n".join([head, *(",".join([str(row)] * MAX_COLUMNS) for row in range(12))]))
    found = Table(path=str(path)).load().modalities["vector"]
    assert found.shape == (MAX_COLUMNS,) == (len(found.columns),) and found.columns[-1] == "gene_65535"


def test_a_gz_that_unpacks_to_too_much_is_refused_while_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                       ) -> None:
    monkeypatch.setattr(contents, "MAX_UNPACKED_BYTES", 10_000)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 100_000))
    asked: list[int] = []
    whole = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda file, size=-1: (asked.append(size), whole(file, size))[1])
    with pytest.raises(ConfigError, match=r"a\.csv\.gz' has more than 10,000 bytes once it is unpacked"):
        Table(path=str(path)).load()
    assert asked == [10_001]
    for data in (b"\x1f\x8b" + bytes(30), gzip.compress(b"a,b\n" * 500)[:-20]):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match=r"is no \.gz that can be unpacked"):
            Table(path=str(path)).load()


def test_long_lines_and_many_rows_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"has 40,000,001 columns\. Use at most 65,536"):
        read(b"," * 40_000_000, "a.csv")
    with pytest.raises(ConfigError, match=r"has 40,000,001 cells in line 2\. Use at most 65,536"):
        read(b"a,b\n" + b"," * 40_000_000, "a.csv")
    monkeypatch.setattr(contents, "MAX_ROWS", 1_000)
    monkeypatch.setattr(contents, "ROWS_AT_ONCE", 300)
    with pytest.raises(ConfigError, match=r"has more than 1,000 rows of 2 columns\. Use at most 1,000 rows"):
        read(b"a,b\n" + b"1,2\n" * 5_000_000, "a.csv")


def test_utf_16_is_read_and_half_of_it_refused(tmp_path: Path) -> None:
    text = "länge\tb\n" + "".join(f"{row}\t{row}.5\n" for row in range(ROWS))
    (tmp_path / "a.csv").write_bytes(text.encode("utf-16"))
    assert columns(Table(path=str(tmp_path / "a.csv")).load()) == ("länge", "b")
    (tmp_path / "a.csv").write_bytes(text.encode("utf-16")[:-1])
    with pytest.raises(ConfigError, match="is not a text: line 1 has a 0 byte"):
        Table(path=str(tmp_path / "a.csv")).load()


def test_recognised_by_its_ending(tmp_path: Path) -> None:
    for name in ("a.csv", "b.TSV", "c.csv.gz", "d.parquet"):
        (tmp_path / name).write_text("x")
        assert Table.recognises(tmp_path / name)
    for name in ("a.txt", "b.gz", "c.npz"):
        (tmp_path / name).write_text("x")
        assert not Table.recognises(tmp_path / name)
    assert not Table.recognises(tmp_path) and not Table.recognises(tmp_path / "none.csv")


def test_reading_takes_bytes_of_any_kind() -> None:
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb") as packed:
        packed.write(b"a\n" + b"1\n" * 12)
    assert read(file.getvalue(), "own.csv").values.shape == (12, 1)
