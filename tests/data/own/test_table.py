"""A table of one's own: what it becomes, and what is wrong with others in words."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.data import SPLITS, Dataset, DataUnavailable
from vaecore.data.base import MAX_COLUMNS
from vaecore.data.own.file import MAX_FILE_BYTES
from vaecore.data.own.table import Table
from vaecore.data.own.tables.reading import read
from vaecore.schema import ConfigError, parse

ROWS = 60


def lines(count: int = ROWS) -> list[str]:
    """A header and rows: two numbers, a word, a class of three, a number that is a covariate."""
    return ["size,weight,remark,kind,age", *(f"{i},{1000 - 2 * i}.5,word {i},{'cab'[i % 3]},{i / 10}"
                                             for i in range(count))]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines()), encoding="utf-8")
    return path


def whole(dataset: Dataset, what: str) -> np.ndarray[Any, Any]:
    parts = [dataset.splits[name] for name in SPLITS]
    return np.concatenate([part.arrays["vector"] if what == "vector" else getattr(part, what) for part in parts])


def test_columns_of_numbers_are_the_vector(own: Path) -> None:
    dataset = Table(path=str(own), kinds="numbers", standardise=False).load()
    assert dataset.source == "own.csv: 48 / 6 / 6, 3 of its columns as the vector, 2 left out: 'remark', 'kind'"
    x = whole(dataset, "vector")
    assert x.dtype == np.float32 and x.shape == (60, 3)
    np.testing.assert_allclose(x[:, 1], 1000.5 - 2 * x[:, 0])  # rows stay whole
    np.testing.assert_allclose(x[:, 2], x[:, 0] / 10, rtol=1e-6)
    assert sorted(x[:, 0].tolist()) == list(range(60)) and x[:10, 0].tolist() != list(range(10))
    assert dataset.covariate is None
    np.testing.assert_array_equal(x, whole(Table(path=str(own), kinds="numbers", standardise=False).load(), "vector"))
    other = whole(Table(path=str(own), kinds="numbers", standardise=False, split_seed=1).load(), "vector")
    assert (x != other).any()
    chosen = Table(path=str(own), columns="age, size", standardise=False, train_limit=5).load()
    assert chosen.modalities["vector"].shape == (2,) and len(chosen.splits["train"]) == 5
    np.testing.assert_allclose(chosen.splits["test"].arrays["vector"], x[-6:][:, [2, 0]])


def test_standardised_by_the_training_rows(own: Path) -> None:
    dataset = Table(path=str(own), kinds="numbers", covariate="age", covariate_kind="numbers").load()
    train, test = dataset.splits["train"], dataset.splits["test"]
    np.testing.assert_allclose(train.arrays["vector"].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(train.arrays["vector"].std(0), 1, rtol=1e-5)
    assert np.abs(test.arrays["vector"].mean(0)).min() > 1e-3  # not by its own mean
    assert train.covariate is not None and train.covariate.dtype == np.float32 and train.covariate.shape == (48, 1)
    np.testing.assert_allclose(train.covariate.std(), 1, rtol=1e-5)
    np.testing.assert_allclose(train.covariate[:, 0], train.arrays["vector"][:, 0], atol=1e-5)  # age is size / 10
    own.write_text("a,b\n" + "0.1,7\n" * 30 + "0.1,8\n" * 30)
    constant = whole(Table(path=str(own)).load(), "vector")[:, 0]
    np.testing.assert_allclose(constant, 0, atol=1e-6)


def test_a_covariate_of_labels(own: Path) -> None:
    dataset = Table(path=str(own), covariate="kind", standardise=False).load()
    assert "covariate 'kind' with 3 labels ('a', 'b', 'c'), 1 left out: 'remark'" in dataset.source
    labels, x = whole(dataset, "labels"), whole(dataset, "vector")
    np.testing.assert_array_equal(labels, np.array([2, 0, 1])[x[:, 0].astype(int) % 3])  # a, b, c are 0, 1, 2
    covariate = dataset.covariate
    assert covariate is not None and (covariate.kind, covariate.shape) == ("label", (3,))
    text = own.read_text().replace(",c,", ",10,").replace(",a,", ",9,").replace(",b,", ",N/A ,")
    own.write_text(text)
    dataset = Table(path=str(own), covariate="kind", standardise=False).load()
    labels, x = whole(dataset, "labels"), whole(dataset, "vector")
    np.testing.assert_array_equal(labels, np.array([1, 0, -1])[x[:, 0].astype(int) % 3])  # 9 before 10; -1 is missing
    assert x.shape == (60, 3)  # a column that is the covariate is no number of the vector


def test_missing_numbers_of_a_covariate_are_kept_as_such(own: Path) -> None:
    rows = lines()
    rows[8] = "7,986.5,word,a,"
    own.write_text("\n".join(rows))
    dataset = Table(path=str(own), kinds="numbers", covariate="age,weight", covariate_kind="numbers").load()
    u, x = whole(dataset, "covariate"), whole(dataset, "vector")
    assert u.shape == (60, 2) and x.shape == (60, 1)
    assert np.isnan(u).sum() == 1 and np.isnan(u[:, 0]).sum() == 1 and np.isfinite(x).all()
    own.write_text("\n".join(rows).replace("0.3\n", "old\n"))
    with pytest.raises(ConfigError, match=r"has 'old', which is no finite number below 1e30 in line 5, column 'age'"):
        Table(path=str(own), covariate="age", covariate_kind="numbers").load()
    own.write_text("a,b\n" + "1,\n" * 40)
    with pytest.raises(ConfigError, match=r"data\.covariate: column 'b' is empty in all training rows"):
        Table(path=str(own), covariate="b").load()


@pytest.mark.parametrize(("settings", "message"), [
    ({"covariate": "knd"}, r"data\.covariate: the table has no column 'knd'\. Did you mean 'kind'\?"),
    ({"columns": "size,zzz"}, r"data\.columns: .*no column 'zzz'\. Its columns: size, weight, remark, kind, age"),
    ({"columns": "size,remark"}, r"has 'word 0', which is no finite number.* line 2, column 'remark'"),
    ({"columns": "age", "covariate": "age"}, r"data\.columns: 'age' is the covariate\. Name it in one"),
    ({"covariate": "kind,age"}, r"2 columns cannot be one label\. .*covariate_kind=numbers"),
    ({"covariate": "kind", "covariate_kind": "numbers"}, r"has 'c', .* line 2, column 'kind'\. .*covariate_kind=label"),
])
def test_fields_that_do_not_fit(own: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Table(path=str(own), **settings).load()


def test_too_many_labels(own: Path) -> None:
    own.write_text("\n".join(lines(300)))
    with pytest.raises(ConfigError, match=r"column 'size' has 300 different labels\. Use at most 256, or choose"):
        Table(path=str(own), covariate="size").load()


BODY = [f"{i},{i}.5" for i in range(40)]


@pytest.mark.parametrize(("text", "message"), [
    ("a,b\n" + "\n".join([*BODY[:4], "4,", *BODY]), r"has nothing in line 6, column 'b'\. Fill it in, delete that"),
    ("a,b\n\n\n" + "\n".join([*BODY[:4], "4,inf", *BODY]), r"has 'inf', which .* in line 8, column 'b'"),
    ('a,b\n"1","2\n"\nx,1\n' + "\n".join(BODY), r"has 'x', which .* in line 4, column 'a'"),  # a cell of two lines
    ("a,b\n" + "\n".join([*BODY[:4], "4,1_0", *BODY]), r"has '1_0'"),
    ("a,b\n" + "\n".join([*BODY[:4], "4,1e31", *BODY]), r"has '1e31'"),
    ("a,b\n" + "\n".join([*BODY[:4], '4,"1,5"', *BODY]), r"has '1,5'"),
    ("a,b\n" + "\n".join([*BODY[:4], "4,5,6", *BODY]), r"has 3 cells in line 6, but 2 columns\. Give every line"),
    ("a,b\n" + "\n".join(BODY[:9]), r"has 9 rows below its header\. Give at least 10"),
    ("a,b\n", r"has 0 rows"), ("\n\n", r"has 0 rows"),
    ("\n".join(BODY), r"has only numbers in its first line\. Begin it with a line of column names"),
    ("a,\n" + "\n".join(BODY), r"has no name for column 2\. .*index=False"),
    ("a, a\n" + "\n".join(BODY), r"has two columns named 'a'"),
    ("a|b\n" + "\n".join(BODY).replace(",", "|"), r"has no column of numbers\."),
    ("a,b\n" + "\n".join(["x,y"] * 40), r"has no column of numbers\."),
    ('a,b\n1,"2\n' + "\n".join(BODY), r"is not CSV from line 2 on \(.*\)\. Put quotes"),
    ("a,b\n" + "\n".join(BODY) + "\0", r"is not a text: line 41 has a 0 byte"),
    (",".join(f"c{i}" for i in range(MAX_COLUMNS + 1)), r"has 65,537 columns\. Use at most 65,536"),
    ("a,b\n" + "1" * 200_000 + ",2\n" + "\n".join(BODY), r"is not CSV from line 2 on \(field larger than"),
], ids=["empty cell", "inf", "two lines", "underscore", "1e31", "decimal comma", "ragged", "9 rows", "header alone",
        "blank", "no header", "no name", "twice", "bars", "words", "open quote", "0 byte", "65,537 columns",
        "long cell"])
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"data\.path: '.*own\.csv' {message}") as caught:
        Table(path=str(path), gaps="refuse").load()
    [fault] = caught.value.problems
    assert fault.field == "data.path" and fault.remedy


def test_names_as_in_a_header(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    body = "\r\n".join(BODY)
    path.write_bytes(b"\xef\xbb\xbf" + f'"a, first", b \r\n{body}\r\n'.encode())
    dataset = Table(path=str(path), columns='"a, first"').load()
    assert dataset.modalities["vector"].shape == (1,)
    assert read(path.read_bytes(), "own.csv").names == ["a, first", "b"]


def test_cells_are_bounded(monkeypatch: pytest.MonkeyPatch, own: Path) -> None:
    monkeypatch.setattr("vaecore.data.own.tables.contents.MAX_CELLS", 150)
    with pytest.raises(ConfigError, match=r"has more than 30 rows of 5 columns\. Use at most .* 150 cells"):
        Table(path=str(own)).load()


def test_a_run_remembers_its_table(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.parent)
    config = Table(path="own.csv").resolve()
    assert config.path == str(own) and config.digest == hashlib.sha256(own.read_bytes()).hexdigest()
    assert config.resolve() == config and len(config.load().splits["train"]) == 48
    own.write_text("\n".join(lines(70)))
    with pytest.raises(ConfigError, match=r"data\.path: '.*own\.csv' has changed since this run was made\. .*digest"):
        config.load()
    assert len(Table(path="own.csv").load().splits["train"]) == 56
    with pytest.raises(ConfigError, match="digest"):
        parse(Table, {"digest": "abc"})


@pytest.mark.parametrize(("kind", "message"), [
    ("missing", r"is not there\. Give the path of a CSV file"), ("folder", r"is a folder, not a file"),
    ("pipe", r"is a device or a pipe"), ("empty", r"is empty\."), ("0 byte", r"cannot be read"),
    ("large", r"has 50,000,001 bytes\. Use at most 50,000,000")])
@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_paths_that_cannot_be_read(tmp_path: Path, kind: str, message: str) -> None:
    path = str(tmp_path / "own.csv")
    match kind:
        case "folder":
            path = str(tmp_path)
        case "pipe":
            os.mkfifo(path)
        case "empty":
            Path(path).touch()
        case "0 byte":
            path += "\0"
        case "large":
            with Path(path).open("wb") as file:
                file.truncate(MAX_FILE_BYTES + 1)  # sparse
    config = Table(path=path)
    assert config.resolve() == config
    with pytest.raises(ConfigError, match=rf"data\.path: .*{message}"):
        config.load()


def test_no_table_is_chosen() -> None:
    assert Table().resolve() == Table()
    with pytest.raises(DataUnavailable, match=r"Give data\.path, a CSV file"):
        Table().load()
