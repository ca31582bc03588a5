"""`vaecore sweep ...`: what is said before anything starts, and tables of what came of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.sweeps import made
from vaecore.cli.sweeps import sweep
from vaecore.lab.task import Task
from vaecore.schema import ConfigError
from vaecore.store import Store, StoreError
from vaecore.sweeps import names
from vaecore.sweeps.keeping import kept

START = ["start", "--name", "z-beta", "--preset", "vae-digits", "--set", "training.epochs=2", "--over",
         "model.latent_size=2,8", "--over", "training.beta.value=0.1..10:log:5", "--seeds", "4"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(Task, "start", lambda *_: None)  # nothing is trained here
    return Store(tmp_path)


def call(store: Store, *arguments: str) -> str:
    done = CliRunner().invoke(sweep, [*arguments, "--store", str(store.root)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_how_many_and_how_long_is_said_and_a_dry_run_starts_nothing(store: Store) -> None:
    facts = json.loads(call(store, *START, "--dry-run", "--json"))
    assert (facts["points"], facts["seeds"], facts["trainings"]) == (10, 4, 40) and facts["seconds"] > 0
    assert facts["notes"] == ["training.beta.kind=constant, to which training.beta.value belongs"]
    assert names(store) == [] and store.runs() == []


def test_a_start_keeps_what_was_asked(store: Store) -> None:
    assert "40 trainings" in call(store, *START, "--method", "random", "--trials", "10", "--stopping", "median",
                                  "--grace", "0.4")
    sweep = kept(store, "z-beta")
    assert sweep.method.model_dump() == {"kind": "random", "trials": 10, "seed": 0}
    assert sweep.stopping.model_dump() == {"kind": "median", "grace": 0.4, "at_least": 3}
    with pytest.raises(StoreError, match="already a sweep"):
        call(store, *START)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--over", "model.latent_size"], "names no values"), (["--method", "best"], "not a choice"),
    (["--over", "model.latent_size=4"], "varied twice"), (["--stopping", "median", "--factor", "3"], "unknown field"),
    (["--run", "other"], "several beginnings"), (["--objective", "fid"], "no number by which"),
    (["--objective", "frechet", "--stopping", "median"], "when a training is over"),
    (["--seeds", "0"], "Use at least 1")])
def test_what_cannot_be_is_refused_before_there_is_anything(store: Store, arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        call(store, *START, *arguments)
    assert names(store) == []


def test_a_sweep_is_listed_and_shown_in_every_form(store: Store) -> None:
    made.swept(store, lambda number, seed: -30.0 - number - 0.1 * seed)
    assert "Done: 8 finished." in call(store, "list")
    facts: dict[str, Any] = json.loads(call(store, "show", "zb", "--json"))
    assert facts["best"] == 1 and facts["counts"] == {"finished": 8}
    first = facts["points"][0]
    assert first["value"] == pytest.approx(-31.15) and first["runs"] == ["zb-001-s1", "zb-001-s2"]
    assert first["value_spread"] == pytest.approx(12.706 * 0.05, abs=1e-3)
    rows = list(csv.reader(io.StringIO(call(store, "show", "zb", "--csv"))))
    assert rows[0][:3] == ["Point", "Latent size", "Beta value"] and float(rows[1][4]) == pytest.approx(-31.15)
    assert "**-31.15 ± 0.64**" in call(store, "show", "zb", "--markdown")
    assert r"\mathbf{-31.15}" in call(store, "show", "zb", "--latex")
    assert "-31.15 ± 0.64" in call(store, "show", "zb")


def test_why_a_sweep_came_to_rest_is_shown(store: Store) -> None:
    call(store, *START)
    refused = "SLURM refused it: invalid partition [bold]specified: nope."
    (store.root / "sweeps" / "z-beta.log").write_text(f"2 trainings queued\n{refused}\n")
    assert refused in " ".join(call(store, "show", "z-beta").split())
    (store.root / "sweeps" / "z-beta.log").write_text("At rest: 3 not started. Resume goes on.\n")
    assert "3 not started" not in call(store, "show", "z-beta")


def test_a_sweep_is_removed_and_one_that_is_not_there_is_said(store: Store) -> None:
    made.swept(store, lambda *_: -30.0)
    assert "its runs stay" in call(store, "remove", "zb") and len(store.runs()) == 8
    for verb in ("show", "remove", "stop", "resume", "tend"):
        with pytest.raises(StoreError, match="There is no sweep"):
            call(store, verb, "zb")
