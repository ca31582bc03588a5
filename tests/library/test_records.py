"""A record says what the files of its run say, is kept until one of them changes, and a broken one costs itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.library.made import made
from tests.pages import hostile
from vaecore import lab
from vaecore.lab.where import Here, Slurm, keep
from vaecore.library import FIELDS, NUMBERS, Query, Record, equal, equal_but_seed, record, records
from vaecore.library.headline import headline
from vaecore.store import Run, Store

module = sys.modules["vaecore.library.records"]  # the package has a function of that name
GALLERY = Path(__file__).parents[2] / "trained"
EVALUATION = {"settings": {"split": "test", "importance_samples": 500, "observations": 100}, "split": "test", "seed": 0,
              "has_kl": True, "observations": 100, "evidence": {"elbo": -99.0},
              "likelihood": {"log_likelihood": -94.5, "standard_error": 0.5, "interval": [-95.5, -93.0], "samples": 500,
                             "observations": 100, "effective": 0.5, "effective_low": 0.2},
              "samples": {"frechet": 12.5, "frechet_interval": [11.0, 14.0], "precision": 0.8, "recall": 0.7, "k": 3,
                          "real": 100, "generated": 100, "classifier_digest": "abcdef123456"}}


def by_id(store: Store) -> dict[str, Record]:
    return {each.id: each for each in records(store)}


def test_a_record_says_where_it_was_asked_to_run(store: Store) -> None:
    for name, place in (("here", Here()), ("there", Slurm(partition="gpu")), ("nobody-said", None)):
        made(store, name)
        if place is not None:
            keep(store.find(name).path, place)
    assert {name: one.value("on") for name, one in by_id(store).items()} == {
        "here": "here", "there": "slurm", "nobody-said": ""}
    assert [one.id for one in Query.parse("on=slurm").of(records(store))] == ["there"]
    keep(store.find("there").path, Here())  # resumed elsewhere
    assert by_id(store)["there"].on == "here"


def test_a_record_says_what_the_files_say(store: Store) -> None:
    made(store, "one", elbo=-98.5, seed=3, settings={"model.latent_size": 32, "training.beta.end": 4.0},
         evaluation=[EVALUATION], about={"parent": {"run": "zero", "step": 5}, "experiment": "sweep:sizes"},
         marks={"title": "My best β", "tags": ["paper", "β"], "note": "look", "pinned": True})
    [one] = records(store)
    assert (one.id, one.title, one.state, one.place) == ("one", "My best β", "finished", "own")
    assert (one.family, one.data, one.preset, one.changed, one.seed) == ("VAE", "MNIST", "vae-mnist", "z 32 · β 4", 3)
    assert (one.steps, one.epochs, one.seconds, one.device, one.parameters) == (1000, 5.0, 60.0, "cpu", 1234)
    assert (one.parent, one.experiment, one.tags, one.note) == ("zero", "sweep:sizes", ("paper", "β"), "look")
    assert one.pinned and not one.archived and one.made == datetime.fromtimestamp(1_790_000_000)
    told = {key: found.value for key, found in one.numbers.items()}
    assert told == {"elbo": -98.5, "reconstruction": -78.5, "kl": 20.0, "mse": 0.01, "active": 2, "log_p_is": -94.5,
                    "frechet": 12.5, "precision": 0.8, "recall": 0.7}
    estimate = one.numbers["log_p_is"]
    assert (estimate.low, estimate.high, estimate.half, estimate.kind) == (-95.5, -93.0, 1.25, "estimate")
    assert estimate.setting == "K = 500 · 100 observations · test · seed 0"
    assert one.value("training.beta.end") == 4.0 and one.value("model.network") == "conv" and one.value("no") is None


@pytest.mark.parametrize(("preset", "key"), [("vae-mnist", "elbo"), ("ae-mnist", "log_p_given_z"),
                                             ("made-mnist", "log_p")])
def test_each_kind_of_number_has_a_field_of_its_own(store: Store, preset: str, key: str) -> None:
    made(store, "one", preset, elbo=-90.0)
    [one] = records(store)
    kinds = {"elbo", "log_p", "log_p_given_z"} & set(one.numbers)
    assert kinds == {key} and one.numbers[key].value == -90.0
    assert NUMBERS[key].kind == {"elbo": "bound", "log_p": "exact", "log_p_given_z": "no log p"}[key]


def test_every_shipped_run_says_one_number_wherever_it_is_said() -> None:
    for run in Store(GALLERY).gallery():
        one, facts = record(run), headline(run)
        key = {"ELBO": "elbo", "log p(x)": "log_p"}.get(facts.word, "log_p_given_z")
        assert one.numbers[key].value == facts.bound and one.state == "finished", run.id
        assert one.place == "gallery" and one.problem == "" and one.steps == facts.steps
        assert all(FIELDS[name].key == name for name in one.numbers)


def test_the_newest_whole_evaluation_of_the_test_set_counts(store: Store) -> None:
    def with_frechet(value: float, **more: Any) -> dict[str, Any]:
        return {**EVALUATION, "samples": {**EVALUATION["samples"], "frechet": value}, **more}  # type: ignore[dict-item]

    made(store, "one", evaluation=[with_frechet(1.0), with_frechet(2.0), with_frechet(3.0, partial=True),
                                   with_frechet(4.0, split="validation")])
    assert records(store)[0].numbers["frechet"].value == 2.0


def test_a_record_is_kept_until_a_file_changes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(store, "one", elbo=-100.0)
    made(store, "two")
    read: list[str] = []
    real = module._read
    monkeypatch.setattr(module, "_read", lambda run: (read.append(run.id), real(run))[1])
    first = by_id(store)
    assert sorted(read) == ["one", "two"]
    assert by_id(store)["two"] is first["two"] and len(read) == 2
    summary = json.loads((run.path / "summary.json").read_text())
    summary["test"]["elbo"] = -50.25
    (run.path / "summary.json").write_text(json.dumps(summary))
    assert by_id(store)["one"].numbers["elbo"].value == -50.25 and read[2:] == ["one"]
    (run.path / "marks.json").write_text('{"tags": ["new"]}')
    assert by_id(store)["one"].tags == ("new",) and read[3:] == ["one"]


def test_a_state_follows_its_files_though_the_record_is_kept(store: Store) -> None:
    run = made(store, "one", elbo=None)
    assert by_id(store)["one"].state == "finished"
    (store.root / "queue").mkdir()
    (store.root / "queue" / "5-1-2-one").touch()
    assert by_id(store)["one"].state == "queued"
    (store.root / "queue" / "5-1-2-one").unlink()
    (run.path / "launch.json").write_text('{"attempt": 2, "backend": "local", "time": 1}')
    with lab.training_lock(run.path):
        assert by_id(store)["one"].state == "running"
    assert by_id(store)["one"].state == "lost"
    assert not by_id(store)["one"].trained
    run.weights.write_bytes(b"x")
    assert by_id(store)["one"].trained


def test_no_more_records_are_kept_than_there_is_room_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS", 2)
    for name in ("a", "b", "c"):
        made(store, name)
    assert len(records(store)) == 3 and len(module._kept) <= 2


def test_broken_and_foreign_folders_cost_themselves(store: Store) -> None:
    made(store, "good")
    spoiled = hostile.spoil(store.root, "runs/good")
    (store.root / "runs" / "nothing").mkdir()
    (store.root / "runs" / "a file").write_text("x")
    pipe = store.root / "runs" / "pipe"
    pipe.mkdir()
    os.mkfifo(pipe / "config.json")
    found = by_id(store)
    assert set(found) == {"good", "nothing", "pipe", *spoiled}
    assert found["good"].state == "finished" and found["good"].numbers["elbo"].value == -100.0
    broken = {name for name in spoiled if name.startswith(("bad-config", "bad-summary"))
              and name.split("-", 2)[2] in hostile.BROKEN}
    for name in broken | {"nothing", "pipe", "bad-config-numbers", "bad-config-empty"}:
        assert found[name].state == "unreadable" and name in found[name].detail, name
    for one in found.values():
        for key in FIELDS:
            assert isinstance(FIELDS[key].said(one.value(key)), str)


def test_equal_configurations_are_said_to_be_equal(store: Store) -> None:
    made(store, "a", seed=1)
    made(store, "b", seed=1)
    made(store, "c", seed=2)
    made(store, "d", seed=1, settings={"training.batch_size": 32})
    older = made(store, "e", seed=1)
    values = json.loads((older.path / "config.json").read_text())
    for field in ("snapshots", "kl", "precision"):  # of a version that had no such field
        del values["training"][field]
    (older.path / "config.json").write_text(json.dumps(values))
    found = records(store)
    assert {name: set(others) for name, others in equal(found).items()} == {
        "a": {"b", "e"}, "b": {"a", "e"}, "e": {"a", "b"}}
    assert set(equal_but_seed(found)) == {"a", "b", "c", "e"} and set(equal_but_seed(found)["c"]) == {"a", "b", "e"}


def test_a_fork_is_no_seed_of_a_run_that_began_afresh(store: Store) -> None:
    parent = {"run": "a", "weights": "best", "step": 60}
    made(store, "a", seed=1)
    made(store, "b", seed=2)
    made(store, "c", seed=1, about={"parent": parent})
    made(store, "d", seed=2, about={"parent": parent})
    made(store, "e", seed=2, about={"parent": {**parent, "step": 20}})
    found = records(store)
    assert equal(found) == {}
    assert {name: set(others) for name, others in equal_but_seed(found).items()} == {
        "a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}


def test_where_a_file_lies_makes_no_other_configuration(store: Store) -> None:
    for name, path in (("a", "/here/x.csv"), ("b", "/there/x.csv")):
        run = made(store, name)
        values = json.loads((run.path / "config.json").read_text())
        values["data"] = {"name": "table", "path": path, "digest": "f" * 64}
        (run.path / "config.json").write_text(json.dumps(values))
    assert set(equal(records(store))) == {"a", "b"}


def test_a_log_is_never_read(store: Store) -> None:
    run = made(store, "one")
    os.mkfifo(run.path / "metrics.jsonl")  # whoever opens it waits
    assert records(store)[0].numbers["elbo"].value == -100.0


def test_the_library_needs_no_torch() -> None:
    code = ("import sys\nfrom vaecore.library import records\nfrom vaecore.store import Store\n"
            f"from pathlib import Path\nfrom vaecore.named import declarations\ndeclarations()\n"
            f"print(len(records(Store(Path({str(GALLERY)!r})))))\nprint('torch' in sys.modules)")
    from vaecore.named import declarations

    declarations()  # keeps what the classes say
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == [str(len(Store(GALLERY).gallery())), "False"]


def test_runs_made_of_a_path_alone_are_read_too(store: Store) -> None:
    run = made(store, "one")
    assert record(Run(run.path)).id == "one"


def test_a_configuration_that_a_run_has_is_known_before_it_is_trained_again(store: Store) -> None:
    from vaecore.config import changed, preset
    from vaecore.library import equal_to

    store.create(changed(preset("vae-digits"), ["seed=4"]), "there")
    again = changed(preset("vae-digits"), ["seed=4"]).resolve().model_dump(mode="json")
    other = changed(preset("vae-digits"), ["seed=5"]).resolve().model_dump(mode="json")
    assert [each.id for each in equal_to(again, records(store))] == ["there"]
    assert equal_to(other, records(store)) == []


def test_made_runs_of_the_benchmark_are_runs(store: Store) -> None:
    """Whoever measures a page makes its store with them."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("made_runs", GALLERY.parent / "benchmarks" / "library.py")
    assert spec is not None and spec.loader is not None
    made_runs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made_runs)
    made_runs.made_runs(store.root, 40, steps=3)
    found = records(store)
    assert len(found) == 40 and not [one.id for one in found if one.state == "unreadable" or one.problem]
    assert sum("elbo" in one.numbers for one in found) > 15
    assert len(equal_but_seed(found)) == len([one for one in found if not one.parent]) == 36  # a fork in ten
