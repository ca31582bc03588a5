"""What differs: resolved, without what follows from something else, each choice in words, the odd one marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.comparison.made import made
from vaecore.comparison.differs import Differences, differs
from vaecore.store import Run, Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    return Store(tmp_path)


def run(store: Store, name: str, *set: str, preset: str = "vae-mnist") -> Run:
    return made(store, name, None, set=set, preset_name=preset)


def told(found: Differences) -> dict[str, tuple[str, ...]]:
    return {each.name: each.values for each in found.fields}


def test_defaults_of_newer_fields_are_no_difference(store: Store) -> None:
    """Two runs, whose files lack different fields, as those of an older version do."""
    lacking = {"a": {"model": ["prior", "divergence"], "training": ["snapshots"]},
               "b": {"model": [], "training": ["kl", "inference", "snapshot_points", "checkpoints", "pictures"]}}
    runs = [run(store, "a"), run(store, "b", "data.pixels=binary-dynamic")]
    for each in runs:
        values = json.loads((each.path / "config.json").read_text())
        for section, fields in lacking[each.id].items():
            for field in fields:
                del values[section][field]
        (each.path / "config.json").write_text(json.dumps(values))
    assert set(told(differs(runs))) == {"data.pixels"}


def test_fields_have_titles_units_and_their_section(store: Store) -> None:
    found = differs([run(store, "a"), run(store, "b", "training.epochs=1200", "model.latent_size=32", "seed=3")])
    assert [(each.section, each.name) for each in found.fields] == [
        ("model", "model.latent_size"), ("training", "training.epochs"), ("seed", "seed")]
    by_name = {each.name: each for each in found.fields}
    assert by_name["training.epochs"].values[1] == "1,200 epochs" and by_name["training.epochs"].title == "Epochs"
    assert "Passes over" in by_name["training.epochs"].help and by_name["seed"].values == ("0", "3")


def test_a_choice_of_another_kind_is_told_whole_in_words(store: Store) -> None:
    found = told(differs([run(store, "a", "training.beta={kind: linear, start: 0, end: 1, fraction: 0.25}"),
                          run(store, "b", "training.beta={kind: constant, value: 4}")]))
    assert found == {"training.beta.kind": ("Linear: start 0, end 1, fraction 0.25 of training", "Constant: value 4")}


def test_a_choice_of_the_same_kind_differs_in_its_fields(store: Store) -> None:
    found = told(differs([run(store, "a", "training.beta={kind: linear, end: 1}"),
                          run(store, "b", "training.beta={kind: linear, end: 4}")]))
    assert found == {"training.beta.end": ("1", "4")}


def test_what_is_not_read_makes_no_difference(store: Store) -> None:
    found = told(differs([run(store, "a", "data.pixels=grey", "data.binarisation_seed=1"),
                          run(store, "b", "data.pixels=grey", "data.binarisation_seed=2")]))
    assert found == {}
    found = told(differs([run(store, "c", "training.snapshots=0", "training.snapshot_points=5"),
                          run(store, "d", "training.snapshots=0")]))
    assert found == {}
    solved = [run(store, "e", "training.epochs=3", preset="pca-mnist"), run(store, "f", preset="pca-mnist")]
    assert told(differs(solved)) == {}
    waiting = [run(store, "g", "model.temperatures=500", preset="rbm-mnist"), run(store, "h", preset="rbm-mnist")]
    assert set(told(differs(waiting))) == {"model.temperatures"}, "without weights nobody knows whether it is read"


def test_what_follows_from_another_family_is_no_difference(store: Store) -> None:
    """A PCA has neither epochs nor a network; two VAEs beside it may still differ in theirs."""
    a, b = run(store, "a"), run(store, "b", preset="pca-mnist")
    found = told(differs([a, b]))
    assert found["model.family"] == ("VAE", "PCA")
    assert not [name for name in found if name.startswith(("training.", "model.network"))]
    wide = run(store, "c", "training.epochs=7")
    assert told(differs([a, wide, b]))["training.epochs"][1:] == ("7 epochs", "–")


def test_the_odd_one_is_marked_where_the_others_agree(store: Store) -> None:
    runs = [run(store, name, f"seed={seed}", f"training.epochs={epochs}")
            for name, seed, epochs in (("a", 1, 5), ("b", 2, 5), ("c", 3, 9))]
    odd = {each.name: each.odd for each in differs(runs).fields}
    assert odd == {"training.epochs": 2, "seed": None}
    assert {each.odd for each in differs(runs[1:]).fields} == {None}, "of two, neither is odd"
    facts = json.loads(json.dumps(differs(runs).facts()))
    assert {each["name"]: each["odd"] for each in facts["differs"]} == {"training.epochs": "c", "seed": None}


def test_equal_configurations_are_said_to_be(store: Store) -> None:
    runs = [run(store, "a"), run(store, "b")]
    found = differs(runs)
    assert found.equal and not found.fields and "equal configurations" in found.table().markdown()


def test_what_they_were_made_with(store: Store) -> None:
    runs = [run(store, "a"), run(store, "b")]
    summary = json.loads((runs[1].path / "summary.json").read_text())
    (runs[1].path / "summary.json").write_text(json.dumps({**summary, "device": "H200", "torch": "3.0"}))
    about = json.loads((runs[1].path / "about.json").read_text())
    (runs[1].path / "about.json").write_text(json.dumps({**about, "parent": {"run": "a", "step": 1200}}))
    found = differs(runs)
    assert found.equal, "they were asked for the same"
    assert told(found) == {"device": ("cpu", "H200"), "torch": ("–", "3.0"), "parent": ("–", "a, step 1,200")}


def test_a_file_is_known_by_its_digest_and_not_its_place(store: Store, tmp_path: Path) -> None:
    import numpy as np

    for name, value in (("one", 0), ("two", 0), ("three", 1)):
        np.savez(tmp_path / f"{name}.npz", x=np.full((40, 8, 8), value, np.uint8))
    runs = []
    for name in ("one", "two", "three"):
        one = run(store, name)
        config: dict[str, Any] = json.loads((one.path / "config.json").read_text())
        digest = f"{int(name == 'three')}" * 64
        config["data"] = {"name": "npz", "path": str(tmp_path / f"{name}.npz"), "digest": digest}
        (one.path / "config.json").write_text(json.dumps(config))
        runs.append(one)
    assert told(differs(runs[:2])) == {}
    assert told(differs(runs[1:])) == {"data.digest": ("000000000000…", "111111111111…")}


def test_a_configuration_of_another_version_is_told_as_it_stands(store: Store) -> None:
    a, b = run(store, "a"), run(store, "b", "training.epochs=3")
    values = json.loads((b.path / "config.json").read_text())
    values["model"]["new_field"] = "|x|"
    (b.path / "config.json").write_text(json.dumps(values))
    found = differs([a, b])
    assert told(found)["model.new_field"] == ("–", "|x|") and told(found)["training.epochs"][1] == "3"
    assert "another version" in found.unresolved and r"\|x\|" in found.table().markdown()
