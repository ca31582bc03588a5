"""`vaecore runs` and the verbs that mark, put away and remove: what is printed, and the JSON that is promised."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import call as called
from tests.library.made import made
from vaecore import cli
from vaecore.library import FIELDS, NUMBERS
from vaecore.store import Store

CONTRACT = Path(__file__).parents[2] / "docs" / "runs.md"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    for seed, elbo in enumerate((-90.0, -92.0, -94.0)):
        made(store, f"vae-{seed}", elbo=elbo, seed=seed, made_at=1.79e9 + seed)
    made(store, "codes", "ae-mnist", elbo=700.0, marks={"tags": ["old"], "title": "=cmd()"}, made_at=1.78e9)
    made(store, "away", marks={"archived": True}, made_at=1.77e9)
    return store


def call(store: Store, *arguments: str) -> int:
    return called([*arguments, "--store", str(store.root)])


def said(store: Store, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert call(store, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def ids(store: Store, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    return [row["id"] for row in said(store, capsys, "runs", *arguments)]


def test_runs_are_found_sorted_and_cut(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert ids(store, capsys) == ["vae-2", "vae-1", "vae-0", "codes"]
    assert ids(store, capsys, "--all") == ["vae-2", "vae-1", "vae-0", "codes", "away"]
    assert ids(store, capsys, "family=vae", "elbo>-93") == ["vae-1", "vae-0"]
    assert ids(store, capsys, "--sort", "elbo", "--limit", "2") == ["vae-0", "vae-1"]
    assert ids(store, capsys, "elbo<0", "--sort", "elbo", "--reverse") == ["vae-2", "vae-1", "vae-0"]
    assert ids(store, capsys, "--sort", "-seed", "data=mnist")[:1] == ["vae-2"]
    assert ids(store, capsys, "--sort", "seed", "--descending")[:1] == ["vae-2"]
    assert call(store, "runs", "eblo>3") == cli.WRONG and "'elbo'" in capsys.readouterr().err
    assert call(store, "runs", "--columns", "eblo") == cli.WRONG
    assert call(store, "runs", "tag:nothing") == 0 and "None of 5 runs" in capsys.readouterr().out


def test_the_json_of_runs_is_what_is_promised(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """`docs/runs.md` lists the keys; what it lists is there, and nothing else."""
    text = CONTRACT.read_text(encoding="utf-8")

    def listed(title: str) -> set[str]:
        part = text.split(f"### {title}\n")[1].split("\n#")[0]
        return {key for line in part.splitlines() if line.startswith("| `")
                for key in re.findall(r"`([^`]+)`", line.split("|")[1])}

    rows = said(store, capsys, "runs")
    assert all(set(row) == listed("A run") for row in rows)
    assert listed("Numbers") == set(NUMBERS) and all(set(row["numbers"]) <= set(NUMBERS) for row in rows)
    assert all(set(number) == listed("A number") for row in rows for number in row["numbers"].values())
    [row] = [row for row in rows if row["id"] == "vae-0"]
    assert row["numbers"]["elbo"] == {"value": -90.0, "low": None, "high": None, "setting": "", "kind": "bound"}
    assert (row["made"], row["tags"], row["pinned"], row["model.family"]) == (row["made"], [], False, "vae")
    groups = said(store, capsys, "runs", "--group", "seeds")
    assert all(set(group) == listed("A group") for group in groups)
    [group] = [group for group in groups if len(group["runs"]) == 3]
    assert group["numbers"]["elbo"]["mean"] == pytest.approx(-92.0) and group["numbers"]["elbo"]["count"] == 3
    assert group["numbers"]["elbo"]["half"] == pytest.approx(4.302653 * 2 / 3**0.5, rel=1e-5)


def test_every_field_is_a_column(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(store, "runs", "--columns", f"{','.join(FIELDS)},training.beta.end", "--csv") == 0
    head, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert len(rows) == 4 and {"ELBO (nats)", "Run", "Tags", "training.beta.end"} <= set(head)


def test_tables_leave_as_csv_markdown_and_latex(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(store, "runs", "codes", "--columns", "title,log_p_given_z", "--csv") == 0
    assert capsys.readouterr().out == "Name,log p(x|z) (nats)\n'=cmd(),700.0\n"  # no formula
    assert call(store, "runs", "family=vae", "--sort", "elbo", "--columns", "id,elbo", "--markdown") == 0
    assert "| vae-0 | **-90.00** |" in capsys.readouterr().out
    assert call(store, "runs", "--group", "seeds", "--columns", "elbo", "--latex") == 0
    told = capsys.readouterr().out
    assert r"\toprule" in told and r"$-92.00 \pm 4.97$" in told


def test_the_list_for_people_marks_what_does_not_compare(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    made(store, "drawn", elbo=-80.0, settings={"data.pixels": "binary-dynamic"})
    assert call(store, "runs", "elbo<0", "--columns", "id,elbo") == 0
    told = capsys.readouterr().out
    assert re.search(r"drawn +-80\.00 ≠", told) and "ELBO: 1 of 4 do not compare" in told


def test_runs_are_marked(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(store, capsys, "rename", "vae-0", "My β") == [
        {"id": "vae-0", "problem": "", "name": "", "done": True}]
    assert call(store, "tag", "vae-0", "vae-1", "--add", "a,b", "--remove", "c") == 0
    assert call(store, "note", "vae-0", "vae-1", "look") == 0
    assert call(store, "note", "--where", "id=vae-2", "last") == 0
    assert call(store, "pin", "--where", "tag:a seed=0") == 0
    assert call(store, "archive", "codes", "vae-2") == 0 and call(store, "unarchive", "codes") == 0
    rows = {row["id"]: row for row in said(store, capsys, "runs", "--all")}
    assert rows["vae-0"]["title"] == "My β" and rows["vae-1"]["tags"] == ["a", "b"]
    assert [rows[f"vae-{n}"]["note"] for n in range(3)] == ["look", "look", "last"]
    assert [name for name in rows if rows[name]["pinned"]] == ["vae-0"]
    assert {name for name in rows if rows[name]["archived"]} == {"vae-2", "away"}
    assert ids(store, capsys)[0] == "vae-0" and ids(store, capsys, "--sort", "-seed")[0] == "vae-1"
    assert call(store, "unpin", "vae-0") == 0 and ids(store, capsys, "is:pinned") == []
    for wrong in (["tag", "vae-0"], ["pin"], ["pin", "--where", "tag:none"], ["pin", "nobody"],
                  ["tag", "vae-0", "--add", "two words"], ["rename", "vae-0", "x" * 81]):
        assert call(store, *wrong) == cli.WRONG, wrong


def test_many_are_removed_listed_and_brought_back(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    (store.root / "queue").mkdir()
    (store.root / "queue" / "5-1-2-vae-1").touch()
    assert call(store, "remove", "--where", "family=vae") == cli.WRONG  # nobody is here to confirm
    assert "3 runs (vae-2, vae-1, vae-0) go to the trash. Say --yes." in capsys.readouterr().err
    assert call(store, "remove", "--where", "family=vae", "--yes") == cli.WRONG
    told = capsys.readouterr().out
    assert "vae-1 is queued" in told and "`vaecore restore vae-0` brings it back" in told
    rows = said(store, capsys, "trash")
    assert {row["name"] for row in rows} == {"vae-0", "vae-2"} and all(row["bytes"] > 500 for row in rows)
    assert call(store, "restore", "vae-0") == 0
    assert call(store, "trash", "empty") == cli.WRONG and "Say --yes" in capsys.readouterr().err
    assert call(store, "trash", "empty", "--yes") == 0 and said(store, capsys, "trash", "list") == []
    assert call(store, "remove", "vae-0", "--yes") == 0 and call(store, "trash", "restore") == 0
    assert "vae-0" in ids(store, capsys) and "vae-2" not in ids(store, capsys)
    assert call(store, "trash", "burn") == cli.WRONG and "list, restore or empty" in capsys.readouterr().err
