"""`vaecore compare` says what the page says: for a terminal, a paper, a machine."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import vaecore
from tests.cli.test_cli import call
from tests.comparison.made import made
from vaecore import cli
from vaecore.store import Store

BASE = np.random.default_rng(0).normal(-95, 8, 300)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    found = Store(tmp_path)
    made(found, "a", BASE)
    made(found, "b", BASE + 1 + np.random.default_rng(1).normal(0, 0.5, 300), set=("training.epochs=7",))
    return found


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert call(["compare", "a", "b", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("store")
def test_everything_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    facts = json.loads(said(capsys, "--json"))
    assert facts["differs"]["differs"][0]["name"] == "training.epochs" and not facts["differs"]["equal"]
    elbo = facts["numbers"]["runs"][1]["numbers"]["elbo"]
    assert elbo["difference"]["value"] == pytest.approx(1, abs=0.1) and elbo["difference"]["paired"]
    assert [row["run"] for row in facts["cost"]] == ["a", "b"]
    assert set(json.loads(said(capsys, "--json", "--numbers"))) == {"numbers"}


@pytest.mark.usefixtures("store")
def test_tables_for_papers_and_spreadsheets(capsys: pytest.CaptureFixture[str]) -> None:
    assert "| Training | Epochs | training.epochs |" in said(capsys, "--differs", "--markdown")
    assert "\\toprule" in said(capsys, "--numbers", "--latex")
    head, first, _ = csv.reader(io.StringIO(said(capsys, "--csv")))
    assert dict(zip(head, first, strict=True))["ELBO (nats)"] == repr(float(BASE.mean()))
    assert call(["compare", "a", "b", "--csv", "--numbers", "--cost"]) == cli.WRONG


@pytest.mark.usefixtures("store")
def test_on_a_terminal_with_differences_from_a_reference(capsys: pytest.CaptureFixture[str]) -> None:
    values, apart = said(capsys, "--numbers"), said(capsys, "--numbers", "--reference", "b")
    assert f"{BASE.mean():.2f} ±" in values and f"{BASE.mean():.2f} ±" not in apart
    assert "Differences from b" in apart and "paired" in apart
    assert call(["compare", "a", "b", "--numbers", "--reference", "gallery/vae"]) == cli.WRONG


def test_in_python(store: Store) -> None:
    found = vaecore.compare("a", store.find("b"), store=store)
    assert found.difference("elbo", "b").low > 0.8 and found.reference == "a"
    assert vaecore.compare("a", "b", reference="b").difference("elbo", "a").high < -0.8
