"""What nobody may learn stays where it is: passwords, tokens and keys of the environment are written down nowhere.

Addresses of downloads are looked at in `tests/data/test_fetching.py`, a server where people sign in in
`tests/browser/test_access.py`.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path

import pytest

from tests.faults.writes import VALUES, aside
from vaecore import cli, doctor, lab
from vaecore.config import RunConfig
from vaecore.lab import cluster
from vaecore.lab.where import Slurm
from vaecore.schema import parse
from vaecore.sharing import pack
from vaecore.sharing.card import card
from vaecore.store import Run, Store

MARK = "h1dd3n"
# Each is of a kind that has a place in an environment; Streamlit puts the plain values of its secrets there, too.
SECRETS = {name: f"{before}{MARK}-{number}" for number, (name, before) in enumerate({
    "HTTPS_PROXY": "http://user:", "AWS_SECRET_ACCESS_KEY": "", "HF_TOKEN": "hf_", "WANDB_API_KEY": "",
    "PGPASSWORD": "", "SLURM_JWT": "eyJ", "VAECORE_PASSWORD": "", "database_url": "postgres://lab:",
    "STREAMLIT_SERVER_COOKIE_SECRET": "",
}.items())}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def lived(tmp_path: Path) -> Store:
    """A store with a run that has finished, and one that failed with a trace in its log, by way of the queue."""
    import sklearn.datasets  # noqa: F401, so that no child has to
    import torch

    torch.set_num_threads(1)
    store, text = Store(tmp_path / "store"), tmp_path / "text.txt"
    text.write_text("one two three\n" * 40)
    good = store.create(parse(RunConfig, VALUES), "good")
    bad = store.create(parse(RunConfig, {"data": {"name": "text-file", "path": str(text)}, "model": {
        "family": "language-model"}}), "bad")
    text.unlink()

    def queued() -> int:
        from tests.faults import forked

        forked.use()
        for run in (good, bad):
            lab.submit(run.path)
        for run in (good, bad):
            lab.wait(run.path, timeout=60)
        return 0

    assert aside(queued, tmp_path / "log") == 0, (tmp_path / "log").read_text()
    assert [lab.status(run.path).state for run in (good, bad)] == ["finished", "failed"]
    assert "Traceback" in (bad.path / "log.txt").read_text() and (store.root / "slots" / "0.log").is_file()
    return store


def test_no_secret_of_the_environment_is_in_a_run_a_log_or_an_export(
        lived: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "runs.zip").open("wb") as file:
        pack([Run(lived.root / "runs" / "good")], file)
    with zipfile.ZipFile(tmp_path / "runs.zip") as archive:
        archive.extractall(tmp_path / "exported")
    (tmp_path / "card.md").write_text(card(Run(lived.root / "runs" / "good")))
    monkeypatch.setattr(doctor, "IMPORTED", "print('[\"x\", \"cpu\"]')")  # torch is of no matter here
    monkeypatch.setenv("VAECORE_STORE", str(lived.root))
    for words in (("show", "good", "--json"), ("show", "bad"), ("runs", "--json"), ("doctor", "--json"), ("doctor",),
                  ("show", "nothing"), ("resume", "bad")):
        monkeypatch.setattr("sys.argv", ["vaecore", *words])
        with contextlib.suppress(SystemExit):
            cli.main()
    said = capsys.readouterr()
    assert len(said.out) > 1_000 and "nothing" in said.err
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(found) > 30 and any(b"good" in data for data in found.values())
    assert [name for name, data in found.items() if MARK.encode() in data] == []
    assert MARK not in said.out + said.err


def test_a_job_of_a_cluster_is_told_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    asked = json.dumps(cluster._parameters([tmp_path], Slurm()), default=str)
    assert "PYTHONPATH" in asked and MARK not in asked
