"""Identity of data: the digest of what was read with how it was split and scaled, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.config import RunConfig, changed, differences
from vaecore.data.identity import identity, moved
from vaecore.data.mnist import MNIST
from vaecore.data.own.aligned import Aligned
from vaecore.data.own.table import Table
from vaecore.data.own.text import TextFile
from vaecore.data.sources import Sources
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.lab.control import Control
from vaecore.library import record
from vaecore.library.headline import comparable, headline
from vaecore.naming import complete
from vaecore.schema import ConfigError, parse
from vaecore.store import Run, Store, StoreError
from vaecore.training import train
from vaecore.training.checkpoints import BrokenCheckpoint
from vaecore.training.fork import fork


def written(path: Path, seed: int = 0) -> Path:
    x = np.random.default_rng(seed).normal(size=(60, 3))
    path.write_text("\n".join(["a,b,c", *(",".join(f"{cell:.4f}" for cell in row) for row in x)]) + "\n")
    return path


def configured(**data: Any) -> RunConfig:
    return parse(RunConfig, {
        "data": {"name": "table", **data}, "training": {"epochs": 1, "batch_size": 8, "threads": 1, "checkpoints": 1},
        "model": {"family": "vae", "latent_size": 2, "network": {"kind": "mlp", "hidden": [4]},
                  "likelihood": {"kind": "gaussian"}}})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on its own table, finished."""
    made = Store(tmp_path / "store").create(configured(path=str(written(tmp_path / "own.csv"))), "own")
    assert train(made.path, Control(made.path)) == "finished"
    return made


@pytest.fixture
def elsewhere(run: Run, tmp_path: Path) -> Path:
    """Where its table was moved."""
    assert run.weights.is_file()
    (tmp_path / "other").mkdir()
    return Path(shutil.move(tmp_path / "own.csv", tmp_path / "other" / "moved.csv"))


def test_four_tables_of_one_name_and_size_are_four_data_sets(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = written(tmp_path / "one/own.csv"), written(tmp_path / "two/own.csv", seed=1)
    store = Store(tmp_path / "store")
    runs = [store.create(configured(**fields), f"r{n}") for n, fields in enumerate((
        {"path": str(one)}, {"path": str(two)}, {"path": str(one), "split_seed": 1},
        {"path": str(one), "standardise": False}))]
    for made in runs:
        (made.path / "summary.json").write_text(json.dumps({"data": "own.csv: 48 / 6 / 6, 3 of its columns"}))
    facts = [headline(made) for made in runs]
    for n, words in ((1, "the file, by its digest"), (2, "data.split_seed: 0; 1"),
                     (3, "data.standardise: True; False")):
        [reason] = comparable([facts[0], facts[n]])
        assert words in reason
    assert len({identity(made.config().data) for made in runs}) == 4


def test_one_file_under_two_paths_is_one_data_set(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    runs = [store.create(configured(path=str(written(tmp_path / name))), name[0]) for name in ("a.csv", "b.csv")]
    for made, name in zip(runs, "ab", strict=True):
        (made.path / "summary.json").write_text(json.dumps({"data": f"{name}.csv: 48 / 6 / 6, 3 of its columns"}))
    assert comparable([headline(made) for made in runs]) == []
    assert identity(runs[0].config().data) == identity(runs[1].config().data)
    assert len({record(made).same for made in runs}) == 1


def test_what_only_training_sees_is_no_part_of_it() -> None:
    assert identity(MNIST(source="full", train_limit=100)) == identity(MNIST(source="full"))
    assert identity(MNIST(source="full")) != identity(MNIST(source="embedded"))
    assert identity(MNIST(pixels="binary-fixed")) != identity(MNIST(pixels="grey"))
    # Where it decides the words or the scaling, it is.
    assert identity(TextFile(train_limit=100)) != identity(TextFile())
    assert identity(Sources(train_limit=100)) != identity(Sources())


def test_fields_newer_than_a_run_are_no_differences() -> None:
    new, old = configured().model_dump(mode="json"), configured().model_dump(mode="json")
    del old["training"]["kl"], old["data"]["covariate_kind"], old["seed"]
    assert set(differences([new, old])) > {"seed", "data.covariate_kind"}
    assert differences(map(complete, (new, old))) == {}
    assert identity(new["data"]) == identity(old["data"])
    assert complete({"data": {"name": "of another version"}})["data"] == {"name": "of another version"}


def test_a_run_whose_file_moved_is_evaluated_with_its_new_place(run: Run, elsewhere: Path) -> None:
    born = (run.path / "config.json").stat().st_mtime_ns
    with pytest.raises(ConfigError, match="is not there"):
        evaluate_run(run, Settings(parts=()))
    run.relocate(str(elsewhere))
    assert run.config().data.model_dump()["path"] == str(elsewhere)
    assert (run.path / "config.json").stat().st_mtime_ns == born  # the list of runs keeps its order
    found = evaluate_run(run, Settings(parts=(), seed=1_234))  # the noise of the training's own summary
    assert found["evidence"]["elbo"] == pytest.approx(run.summary()["test"]["elbo"], abs=1e-4)
    assert found["identity"] == identity(run.config().data)


def test_a_run_whose_file_moved_is_resumed_with_its_new_place(run: Run, elsewhere: Path) -> None:
    run.relocate(str(elsewhere))
    longer = changed(run.config(), ["training.epochs=2"])
    (run.path / "config.json").write_text(longer.to_json())
    assert train(run.path, Control(run.path)) == "finished"
    assert run.summary()["step"] == 12


def test_a_run_whose_file_moved_is_forked_with_its_new_place(run: Run, elsewhere: Path) -> None:
    store = Store(run.path.parents[1])
    config = run.config()
    for each in (config.model_copy(update={"data": moved(config.data, str(elsewhere))}),
                 changed(config, [f"data.path={elsewhere}"])):
        path = fork(store, run, "best", each).path
        assert train(path, Control(path)) == "finished"
    other = written(elsewhere.with_name("different.csv"), seed=2)
    with pytest.raises(ConfigError, match="a fork keeps its parent's data"):
        fork(store, run, "best", changed(config, [f"data.path={other}"]))


def test_another_file_is_refused_in_words(run: Run, elsewhere: Path) -> None:
    before = (run.path / "config.json").read_bytes()
    other = written(elsewhere.with_name("different.csv"), seed=2)
    with pytest.raises(ConfigError, match=r"different\.csv' is not what this run was made with: its SHA-256"):
        run.relocate(str(other))
    with pytest.raises(ConfigError, match=r"nothing\.csv' is not there"):
        run.relocate(str(elsewhere.with_name("nothing.csv")))
    assert (run.path / "config.json").read_bytes() == before
    with pytest.raises(ConfigError, match="is not read from a file"):
        moved(MNIST(), str(other))
    shipped = Run(Path(shutil.copytree(run.path, run.path.parents[1] / "gallery" / "own")))
    with pytest.raises(StoreError, match="shipped"):
        shipped.relocate(str(elsewhere))


def test_a_run_without_a_digest_takes_a_file_of_the_same_size_only(run: Run, elsewhere: Path) -> None:
    values = run.values()
    digest, values["data"]["digest"] = values["data"]["digest"], ""
    (run.path / "config.json").write_text(json.dumps(values))
    short = elsewhere.with_name("short.csv")
    short.write_text("".join(elsewhere.read_text().splitlines(keepends=True)[:41]))
    with pytest.raises(ConfigError, match="was trained with"):
        run.relocate(str(short))
    run.relocate(str(elsewhere))
    assert run.config().data.model_dump()["digest"] == digest


def test_weights_belong_to_their_file_wherever_it_lies(run: Run, elsewhere: Path) -> None:
    from vaecore.explore import Checkpoint

    values = run.values()
    values["data"]["path"] = str(elsewhere)  # by hand, in the file
    (run.path / "config.json").write_text(json.dumps(values))
    Checkpoint.load(run)
    values["data"]["split_seed"] = 7  # the weights have seen what is test data now
    (run.path / "config.json").write_text(json.dumps(values))
    for broken in (lambda: Checkpoint.load(run), lambda: evaluate_run(run), lambda: train(run.path, Control(run.path))):
        with pytest.raises(BrokenCheckpoint, match=r"belongs to another run.*data\.split_seed = 0"):
            broken()


def test_settings_of_a_run_with_another_file_begin_with_it(run: Run, tmp_path: Path) -> None:
    other = written(tmp_path / "another.csv", seed=3)
    config = changed(run.config(), [f"data.path={other}"])
    assert config.data.load().size("test") == 6  # and not: it "has changed"
    kept = changed(run.config(), ["training.epochs=3"])
    assert kept.data == run.config().data


def test_several_files_are_moved_as_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("first", "second"):
        np.save(tmp_path / "there" / f"{name}.npy", np.random.default_rng(0).normal(size=(40, 2)))
    data = Aligned(path=str(tmp_path / "there")).resolve()
    shutil.move(tmp_path / "there", tmp_path / "here")
    there = moved(data, str(tmp_path / "here"))
    assert there.load().size("test") == 4 and identity(there) == identity(data)
    assert isinstance(moved(Table(path=str(written(tmp_path / "a.csv"))).resolve(), str(tmp_path / "a.csv")), Table)
