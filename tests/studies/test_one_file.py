"""A study is one file and its name: command line, both pages and the kept JSON have it then."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.pages import demo
from vaecore import cli, lab, studies

FILE = '''
"""A study that nobody has to know of."""

from vaecore.config import RunConfig, changed, preset
from vaecore.studies.base import Bench, Finding, Result, Study
from vaecore.studies.exhibit import Column, Exhibit, Grid, Table
from vaecore.studies.series import Member, Series


def runs() -> dict[str, RunConfig]:
    return {f"r{size}": changed(preset("vae-digits"), [f"model.latent_size={size}"]) for size in (1, 2)}


def run(bench: Bench) -> Finding:
    return Finding(True, "Two is two.", [{"seed": 0, "number": 2.0}])


def of_result(result: Result) -> Exhibit:
    return Exhibit([Grid("A small table", "", ["down"], ["across"],
                         {("down", "across"): [float(row["number"]) for row in result.table]})])


def of_runs(members: list[Member]) -> Exhibit | None:
    rows = [{"Run": member.run.id, "Size": member.chosen("model", "latent_size")} for member in members]
    return Exhibit([Table("Their sizes", "", rows, {"Size": Column("Of z.", 0)})]) if rows else None


STUDY = Study(
    "C99", "Two is two", "It is two.", "Nobody (2026)", "It is looked at.", "Two.", 0.1, run,
    exhibit=of_result, columns={"number": "What was looked at."},
    series=Series("two", "Is two two?", runs, of_runs, "Twice"))
'''


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[studies.Study]:
    """The file beside the others, and its name among them, as the line in `vaecore/studies/__init__.py` does it."""
    (tmp_path / "c99_two.py").write_text(FILE)
    monkeypatch.setattr(studies, "__path__", [*studies.__path__, str(tmp_path)])
    made: studies.Study = import_module("vaecore.studies.c99_two").STUDY
    assert made.series is not None
    monkeypatch.setitem(studies.CLAIMS, made.id, made)
    monkeypatch.setitem(studies.EXPERIMENTS, made.series.name, made)
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.setattr(lab, "kick", lambda _: None)  # nothing is trained here
    monkeypatch.setattr("vaecore.lab.jobs.kick", lambda _: None)
    yield made
    del sys.modules["vaecore.studies.c99_two"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    sys.argv, before = ["vaecore", *arguments, "--json"], sys.argv
    try:
        cli.main()
    except SystemExit as end:
        assert not end.code
    finally:
        sys.argv = before
    return json.loads(capsys.readouterr().out)


def test_as_a_claim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [result] = said(capsys, "claims", "run", "C99")
    assert (result["verdict"], result["rule"]) == ("reproduced", "Two.")
    assert json.loads((tmp_path / "claims" / "C99.json").read_text()) == result
    [row] = [row for row in said(capsys, "claims", "list") if row["claim"] == "C99"]
    assert (row["title"], row["verdict"]) == ("Two is two", "reproduced")
    assert [each["summary"] for each in said(capsys, "claims", "report")] == ["Two is two."]
    at = demo.open_page("claims", claim="C99")
    assert "C99 · Two is two" in demo.words(at) and "Two is two." in demo.words(at)
    [table] = [each for each in at.dataframe if "number" in each.value]  # others are of published values
    assert table.value["number"].tolist() == [2.0]
    assert json.loads(table.proto.columns)["number"]["help"] == "What was looked at."


def test_as_an_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "claims", "run", "C99")
    at = demo.open_page("experiments", experiment="two")
    assert "the kept result of claim **C99**" in demo.words(at) and "Is two two?" in demo.words(at)
    assert at.table[0].value.loc["down", "across"] == "**2.00** · 1 run"
    [row] = [row for row in said(capsys, "experiments", "list") if row["experiment"] == "two"]
    assert (row["title"], row["source"]) == ("Twice", "Nobody (2026)")
    assert said(capsys, "experiments", "start", "two") == ["two-r1", "two-r2"]
    at = demo.open_page("experiments", experiment="two")
    assert "Their sizes" in demo.words(at)
    assert dict(at.dataframe[0].value[["Run", "Size"]].to_numpy()) == {"two-r1": 1, "two-r2": 2}
