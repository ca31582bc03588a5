"""A run's folder says what its data were, and a broken file of it costs itself."""

from __future__ import annotations

import json
from pathlib import Path

import vaecore
from vaecore.provenance import FILE, Provenance, of_run


def test_a_run_says_what_its_data_were_and_they_may_go(tmp_path: Path) -> None:
    rows = [f"{row},{row * 2.5},{'ab'[row % 2]}" for row in range(40)]
    (tmp_path / "mice.csv").write_text("\n".join(["height,weight,kind", *rows]))
    found = vaecore.fit("pca-mnist", data=tmp_path / "mice.csv", set={"data.covariate": "kind"}, latent_size=2,
                        store=tmp_path, silent=True)
    (tmp_path / "mice.csv").unlink()
    told = of_run(found.run)
    assert told is not None
    assert (told.title, told.path) == ("A table of your own", str(tmp_path / "mice.csv")) and len(told.digest) == 64
    assert told.sizes == {"train": 32, "validation": 4, "test": 4} and told.classes == {"a": 20, "b": 20}
    assert told.columns == {"vector": ["height", "weight"]}
    lines = told.lines()
    assert lines[1] == f"lay at {tmp_path / 'mice.csv'} when it was trained, SHA-256 {told.digest}"
    assert "classes: a 20, b 20" in lines and "columns of vector: height, weight" in lines

    place = found.run.path / FILE
    values = json.loads(place.read_text())
    place.write_text(json.dumps({**values, "sizes": {"train": "many", "test": 4}, "done": 3, "more": 1}))
    half = of_run(found.run)
    assert half is not None and half.sizes == {"test": 4} and half.done == [] and half.classes == told.classes
    for broken in ("[", "[1]", "3"):
        place.write_text(broken)
        assert of_run(found.run) is None
    place.unlink()
    assert of_run(found.run) is None


def test_many_classes_and_columns_are_told_in_part() -> None:
    told = Provenance(title="t", classes={f"c{n}": n for n in range(30)}, columns={"x": [f"x{n}" for n in range(30)]})
    assert told.lines()[1].endswith("c23 23, and 6 more") and told.lines()[2].endswith("x23, and 6 more")


def test_what_another_machine_wrote_is_told_in_part() -> None:
    told = Provenance.kept({"done": ["d"] * 3000, "left_out": ["o"] * 3000}).lines()
    assert told.count("done: d") == told.count("left out: o") == 200
