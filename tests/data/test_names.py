"""Names of classes and columns: the file's own, kept with the run, shown and accepted."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

from tests.cli.test_cli import call, refused, said
from tests.pages import demo
from vaecore.data import Modality
from vaecore.data.base import MAX_NAME_LENGTH, kept_names
from vaecore.data.own.aligned import Aligned
from vaecore.data.own.table import Table
from vaecore.explore import Checkpoint
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.exported import as_csv
from vaecore.modalities import Vector
from vaecore.store import Run, Store
from vaecore.training import train
from vaecore.training.checkpoints import BrokenCheckpoint, load_model

ROWS = 60
TRAINING = {"epochs": 1, "batch_size": 12, "snapshots": 0, "checkpoints": 0}
GRADES = ("high", "low", "medium")


def graded(path: Path) -> Path:
    path.write_text("height [cm],weight (kg),grade\n" + "\n".join(
        f"{150 + row},{row % 7}.5,{GRADES[row % 3]}" for row in range(ROWS)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, configure: Callable[..., Any]) -> Path:
    """`grades`, a conditional VAE of a table with classes in words, and `digits`, of labels 1, 2 and 4."""
    place = tmp_path_factory.mktemp("names")
    store, network = Store(place / "store"), {"kind": "mlp", "hidden": [8]}
    grades = configure({"data": {"name": "table", "path": str(graded(place / "grades.csv")), "covariate": "grade"},
                        "model": {"family": "vae", "latent_size": 2, "network": network,
                                  "likelihood": {"kind": "gaussian"}, "prior": {"kind": "conditional", "hidden": [8]}},
                        "training": TRAINING})
    train(store.create(grades, "grades").path, demo.Unwatched())
    labels = np.array([1, 2, 4])[np.arange(ROWS) % 3]
    (place / "digits").mkdir()
    np.save(place / "digits" / "digit.npy", labels)
    np.save(place / "digits" / "labels.npy", labels)
    (place / "digits" / "size.csv").write_text("width [mm],area\n" + "\n".join(f"{row},{-row}" for row in range(ROWS)))
    digits = configure({"data": {"name": "aligned", "path": str(place / "digits")},
                        "model": {"family": "multimodal-vae", "latent_size": 2, "networks": {"vector": network}},
                        "training": TRAINING})
    train(store.create(digits, "digits").path, demo.Unwatched())
    return store.root


def run(store: Path, name: str) -> Run:
    return Store(store).find(name)


def test_c04_the_files_labels_are_the_names_with_gaps_too(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = CrossModal.load(run(store, "digits"))
    assert found.class_names("digit") == ["1", "2", "4"] and found.known == ("1", "2", "4")
    for place, name in enumerate(("1", "2", "4")):
        assert found.typed("digit", name).value.tolist() == torch.eye(3)[[place]].tolist()
    for none in ("0", "3"):  # numbers of classes, and no names of the file
        with pytest.raises(ValueError, match=f"'{none}' is no class. Type one of 1, 2, 4"):
            found.typed("digit", none)
    facts = said(capsys, "generate", "digits", "--given", "size=example:0", "--predict", "digit", "--store", str(store))
    assert set(facts["generated"]["digit"]["classes"]) <= {"1", "2", "4"}
    facts = said(capsys, "generate", "digits", "--given", "digit=4", "--predict", "size", "--store", str(store))
    assert facts["generated"]["size"]["columns"] == ["width [mm]", "area"]
    assert found.labels is not None and set(found.labels.tolist()) <= {0, 1, 2}


def test_c04_labels_from_one(tmp_path: Path) -> None:
    labels = np.arange(ROWS) % 3 + 1
    np.savez(tmp_path / "own.npz", digit=labels, image=np.full((ROWS, 4, 4), 7, np.uint8), labels=labels)
    found = Aligned(path=str(tmp_path / "own.npz")).load()
    assert found.modalities["digit"].classes == found.classes == ("1", "2", "3")
    assert found.covariate is not None and found.covariate.classes == ("1", "2", "3")


def test_d01_named_classes_are_kept_and_accepted(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                                 ) -> None:
    found = Checkpoint.load(run(store, "grades"))
    assert found.class_names == GRADES and found.model.modalities["vector"].columns == ("height [cm]", "weight (kg)")
    picture, same = tmp_path / "a.png", tmp_path / "b.png"
    where = ["--store", str(store), "--count", "3"]
    assert call(["sample", "grades", "-o", str(picture), "--label", "Medium", *where]) == 0
    assert call(["sample", "grades", "-o", str(same), "--label", "2", *where]) == 0
    assert picture.read_bytes() == same.read_bytes()
    assert call(["traverse", "grades", "-o", str(picture), "--label", "low", "--store", str(store)]) == 0
    message = refused(capsys, "sample", "grades", "-o", str(picture), "--label", "huge", *where)
    assert "the labels of grades are high, low, medium" in message


def test_d01_the_table_names_them(tmp_path: Path) -> None:
    data = Table(path=str(graded(tmp_path / "own.csv")), covariate="grade")
    assert "3 labels ('high', 'low', 'medium')" in data.load().source
    numbers = data.model_copy(update={"covariate": "weight (kg)", "covariate_kind": "numbers"}).load().covariate
    assert numbers is not None and numbers.columns == ("weight (kg)",)


def test_a_run_says_what_its_classes_are_called(store: Path, tmp_path: Path) -> None:
    """Without torch, as Monitor's plane asks while a run trains; a damaged file costs the names alone."""
    assert run(store, "digits").class_names() == ("1", "2", "4")
    assert run(store, "grades").class_names() == GRADES
    for damaged in (None, b"", b"\xff" * 64):
        if damaged is not None:
            (tmp_path / "examples.safetensors").write_bytes(damaged)
        assert Run(tmp_path).class_names() == ()


def test_d01_the_page_shows_the_names(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(store))
    at = demo.turned_to(AppTest.from_file(str(demo.APP), default_timeout=60), "traverse")
    at.query_params["run"], at.query_params["view"] = "grades", "Samples"
    at.run()
    assert not at.exception
    [box] = [box for box in at.selectbox if box.label == "Label"]
    assert box.options == ["any", *GRADES]
    at.query_params["view"] = "Prior"
    at.run()
    assert not at.exception and any("<strong>medium</strong>" in body for body in demo.pictures(at))


def test_numbers_are_written_in_the_files_units_with_its_names(store: Path, tmp_path: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    where, out = ["--store", str(store), "--count", "5"], tmp_path / "a.csv"
    assert call(["sample", "grades", "-o", str(out), *where]) == 0
    head, *rows = list(csv.reader(out.read_text().splitlines()))
    assert head == ["height [cm]", "weight (kg)"] and len(rows) == 5
    heights = [float(row[0]) for row in rows]
    assert min(heights) > 150 and max(heights) < 210  # centimetres, and no standard deviations
    assert call(["reconstruct", "grades", "-o", str(out), *where]) == 0
    head, *rows = list(csv.reader(out.read_text().splitlines()))
    assert head == ["test sample", "version", "height [cm]", "weight (kg)"] and len(rows) == 10
    given = [(float(row[2]), float(row[3])) for row in rows if row[1] == "given"]
    own = {(150.0 + row, row % 7 + 0.5) for row in range(ROWS)}
    assert all(min(abs(a - c) + abs(b - d) for c, d in own) < 1e-4 for a, b in given)
    assert call(["generate", "digits", "--given", "digit=4", "--predict", "size", "-o", str(out), *where]) == 0
    head, *rows = list(csv.reader(out.read_text().splitlines()))
    assert head == ["width [mm]", "area"] and len(rows) == 5
    facts = said(capsys, "generate", "digits", "--given", "size=example:0", "--predict", "digit", "--store", str(store))
    assert "values" not in facts["generated"]["digit"]
    assert "a picture is no .csv" in refused(capsys, "traverse", "grades", "-o", str(out), "--store", str(store))


def test_a_name_that_a_spreadsheet_would_run_is_written_as_text() -> None:
    text = as_csv(["=cmd|' /C calc'!A0", "-x", "b, c", "@a"], np.array([[-1.5, 2e-9, 3.0, 1e12]]), {"who": ["+me"]})
    assert text == "who,'=cmd|' /C calc'!A0,'-x,\"b, c\",'@a\n'+me,-1.5,2e-09,3,1e+12\n"


def test_units_of_weights_are_bounded_and_old_weights_have_none(store: Path, tmp_path: Path) -> None:
    weights = run(store, "grades").weights
    with safe_open(weights, "pt") as file:
        header = json.loads(file.metadata()["vaecore"])

    def opened(**changes: Any) -> Modality:
        vector = {name: value for name, value in {**header["modalities"]["vector"], **changes}.items()
                  if value is not None}
        path = tmp_path / "weights.safetensors"
        save_file(load_file(weights), path, {"vaecore": json.dumps({**header, "modalities": {"vector": vector}})})
        return load_model(path).modalities["vector"]

    own, old = opened(), opened(centre=None, scale=None, columns=None)
    assert isinstance(own, Vector) and isinstance(old, Vector) and own == old
    assert own.in_units(np.zeros(2))[0] == pytest.approx(180, abs=5) and own.scale[0] > 10
    assert old.in_units(np.ones(2)).tolist() == [1, 1] and old.column_names == ("number 1", "number 2")
    for bad in ({"centre": [1.0]}, {"scale": [0.0, 1.0]}, {"scale": None}, {"centre": [1e31, 0.0]}, {"scale": "ab"},
                {"centre": [float("nan"), 0.0]}, {"scale": [-1.0, 1.0]}, {"centre": [True, "a"]}):
        with pytest.raises(BrokenCheckpoint):
            opened(**bad)


def test_names_of_weights_are_bounded_and_old_weights_have_none(store: Path, tmp_path: Path) -> None:
    weights = run(store, "grades").weights
    with safe_open(weights, "pt") as file:
        header = json.loads(file.metadata()["vaecore"])

    def opened(**changes: Any) -> Modality | None:
        covariate = {name: value for name, value in {**header["covariate"], **changes}.items() if value is not None}
        path = tmp_path / "weights.safetensors"
        save_file(load_file(weights), path, {"vaecore": json.dumps({**header, "covariate": covariate})})
        return load_model(path).covariate

    old = opened(classes=None)
    assert old is not None and old.classes == () and old.class_names == ("0", "1", "2")
    assert old == opened(), "names are no part of what weights are compared by"
    for bad in (["a", "b"], "abc", [1, 2, 3], ["a", "b", "c" * (MAX_NAME_LENGTH + 1)]):
        with pytest.raises(BrokenCheckpoint):
            opened(classes=bad)


def test_kept_names_fit_what_reads_them() -> None:
    names = kept_names(["x" * 300, "x" * 301, "a\nb", ""])
    assert len(set(names)) == 4 and all(0 < len(name) <= MAX_NAME_LENGTH for name in names) and names[2] == "a b"
