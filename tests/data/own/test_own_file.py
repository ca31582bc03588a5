"""What all files of one's own have in common: they are recognised by what lies there, and known by their digest."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vaecore.data import DATASETS, Dataset, Split
from vaecore.data.own.file import OwnFile
from vaecore.explore.look import look
from vaecore.modalities import Modality

OWN = [kind for kind in DATASETS.values() if issubclass(kind, OwnFile)]


@pytest.mark.parametrize("kind", OWN)
def test_a_file_and_a_folder_are_recognised_by_their_endings(kind: type[OwnFile], tmp_path: Path) -> None:
    ending = kind.endings[0]
    if "recognises" not in vars(kind):  # others look inside, as test_door.py and their own tests try
        (tmp_path / f"a{ending.upper()}").write_bytes(b"1")
        assert kind.recognises(tmp_path / f"a{ending.upper()}")
        assert kind.recognises(tmp_path) is kind.several
    assert not kind.recognises(tmp_path / f"missing{ending}")
    assert not kind.recognises(tmp_path / "\0")
    os.mkfifo(tmp_path / f"pipe{ending}")
    assert not kind.recognises(tmp_path / f"pipe{ending}"), "it would be waited for"


def test_a_look_counts_classes_and_repeats_what_was_understood() -> None:
    def split(*labels: int) -> Split:
        return Split({"x": np.zeros((len(labels), 2), np.float32)}, np.array(labels))

    dataset = Dataset("table", "t", {"x": Modality("vector", (2,))},
                      {"train": split(0, 2, 2), "validation": split(-1), "test": split(2)}, classes=("a", "b", "c"),
                      done=("scaled",), left_out=("row 3",), split_by="by seed 0")
    seen = look(dataset)
    assert seen.classes == {"a": 1, "b": 0, "c": 3}
    assert (seen.done, seen.left_out, seen.split_by) == (("scaled",), ("row 3",), "by seed 0")
    assert look(replace(dataset, classes=())).classes == {"0": 1, "1": 0, "2": 3}


def test_a_look_has_the_rows_of_a_small_table_in_the_files_units_and_a_sheet_that_is_no_tower() -> None:
    numbers = np.arange(60, dtype=np.float32).reshape(30, 2)
    part = Split({"row": numbers})
    kind = Modality("vector", (2,), columns=("age (years)", "mass"), centre=(10.0, 0.0), scale=(2.0, 1.0))
    seen = look(Dataset("table", "t", {"row": kind}, dict.fromkeys(("train", "validation", "test"), part)))
    tiny = Split({"row": np.array([[1e-9 - 5, 0], [0.123456789, 1e12]], np.float32)})
    assert look(Dataset("table", "t", {"row": kind}, dict.fromkeys(("train", "validation", "test"), tiny))).rows == (
        {"age (years)": 0.0, "mass": 0.0}, {"age (years)": 10.2469, "mass": 1e12})
    assert seen.rows[:2] == ({"age (years)": 10.0, "mass": 1.0}, {"age (years)": 14.0, "mass": 3.0})
    width, height = Image.open(io.BytesIO(seen.picture)).size
    assert width >= 1.9 * height
    assert look(Dataset("table", "t", {"row": Modality("vector", (2,))},
                        dict.fromkeys(("train", "validation", "test"), part))).rows == ()
