"""`--on slurm --partition gpu …`: where trainings are sent from the command line, and from Python. No cluster is
needed: what would be handed over is written down."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

import vaecore
from vaecore import cli, lab
from vaecore.cli.studies import experiments
from vaecore.lab import attempts, cluster, jobs
from vaecore.lab.where import keep
from vaecore.schema import ConfigError
from vaecore.store import Store, StoreError
from vaecore.studies import EXPERIMENTS

GPU = lab.Slurm(partition="gpu", time=120)
ON = ["--on", "slurm", "--partition", "gpu", "--time", "120"]
TRAIN = ["train", "--preset", "vae-digits", "--detach"]
Sent = list[tuple[list[str], lab.Here | lab.Slurm | None]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What is submitted, where; every place can be had."""
    found: Sent = []

    def together(folders: Sequence[Path], where: lab.Here | lab.Slurm | None = None, **_: object) -> None:
        found.append(([folder.name for folder in folders], where))
        for folder in folders:
            if where is not None:
                keep(folder, where)

    monkeypatch.setattr(lab, "submit", lambda folder, where=None: together([folder], where))
    monkeypatch.setattr(lab, "submit_new", together)
    monkeypatch.setattr(cluster, "require", lambda: None)
    return found


def call(monkeypatch: pytest.MonkeyPatch, store: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["vaecore", *arguments, "--store", str(store)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_training_is_sent_where_it_is_asked_to(sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, tmp_path, *TRAIN, "--name", "one", *ON) == 0
    assert f"one is queued on SLURM, partition gpu, 120 minutes, in {tmp_path}/runs/one" in capsys.readouterr().out
    assert call(monkeypatch, tmp_path, *TRAIN, "--name", "two", "--processes", "2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["on"] == "here"
    assert call(monkeypatch, tmp_path, *TRAIN, "--name", "three") == 0
    assert call(monkeypatch, tmp_path, *TRAIN, "--name", "four", "--seeds", "2", *ON) == 0
    assert "2 seeds are trained as an array on SLURM, partition gpu" in capsys.readouterr().err
    assert sent == [(["one"], GPU), (["two"], lab.Here(processes=2)), (["three"], lab.Here()),
                    (["four-0", "four-1"], GPU)]
    Store(tmp_path).create(vaecore.preset("vae-digits"), "five-2")
    there = {run.id for run in Store(tmp_path).runs()}
    assert call(monkeypatch, tmp_path, *TRAIN, "--name", "five", "--seeds", "4", *ON) == 2
    assert "already a run called 'five-2'" in capsys.readouterr().err
    assert {run.id for run in Store(tmp_path).runs()} == there and len(sent) == 4, "none is left that nobody queues"


def test_seeds_whose_steps_processes_share_are_not_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(jobs, "kick", lambda _: None)
    assert call(monkeypatch, tmp_path, *TRAIN, "--name", "one", "--seeds", "2", "--processes", "2") == 0
    assert "2 seeds are trained one by one: 2 processes share each of them." in capsys.readouterr().err
    assert [lab.status(run.path).state for run in Store(tmp_path).runs()] == ["queued"] * 2
    assert not list(tmp_path.glob("runs/*/stack.json"))


def test_a_run_is_resumed_where_it_ran_last_or_elsewhere(sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    run = Store(tmp_path).create(vaecore.preset("vae-digits"), "one")
    keep(run.path, GPU)
    for options in ([], ["--time", "9"], ["--on", "slurm", "--time", "8"], ["--on", "here"]):
        assert call(monkeypatch, tmp_path, "resume", "one", "--detach", *options) == 0
    assert [where for _, where in sent] == [
        None, lab.Slurm(partition="gpu", time=9), lab.Slurm(partition="gpu", time=8), lab.Here()]
    capsys.readouterr()
    assert call(monkeypatch, tmp_path, "show", "one", "--json") == 0
    assert json.loads(capsys.readouterr().out)["on"] == "here"


def test_a_copied_run_goes_on_here_and_that_is_said(sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    colleague, mine = Store(tmp_path / "colleague"), Store(tmp_path / "mine")
    keep(colleague.create(vaecore.preset("vae-digits"), "one").path, GPU)
    shutil.copytree(colleague.root / "runs" / "one", mine.root / "runs" / "one")
    assert call(monkeypatch, mine.root, "resume", "one", "--detach") == 0
    assert "one goes on here. Where it came from it was asked to run on SLURM, partition gpu, 120 minutes: say --on" \
        in capsys.readouterr().err.replace("\n", " ")
    monkeypatch.setattr(jobs, "kick", lambda _: None)
    jobs.submit(mine.root / "runs" / "one")
    assert lab.queue(mine.root) == ["one"]
    assert call(monkeypatch, mine.root, "resume", "one", "--detach", *ON) == 0
    assert sent == [(["one"], None), (["one"], GPU)]


def test_an_experiment_is_an_array(sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, series = next((name, study.series) for name, study in EXPERIMENTS.items() if study.series)
    monkeypatch.setattr(type(next(iter(series.runs().values())).data), "load", lambda _: None)  # many clips, some s
    done = CliRunner().invoke(experiments, ["start", name, *ON, "--store", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert sent == [(json.loads(done.stdout), GPU)]


@pytest.mark.parametrize(("options", "words"), [
    (["--on", "mars"], "--on: 'mars' is no place. Choose one of here, slurm."),
    (["--partition", "gpu"], "--partition: This machine has no such field. Say --on slurm too."),
    (["--on", "slurm", "--partition", "a b"], "--partition: 'a b' is not written as it has to be."),
    (["--on", "slurm", "--time", "0"], "--time: 0 is too small. Use at least 1."),
    (["--on", "slurm", "--extra", "qos=long,wrap=rm"], "--extra: 'wrap' is no option that is passed on."),
    (["--on", "slurm", "--processes", "3", "--nodes", "2"],
     "--nodes: 3 processes cannot be spread evenly over 2 nodes. Use a number of processes that is a multiple"),
])
def test_what_cannot_be_is_refused_before_there_is_a_run(sent: Sent, tmp_path: Path, options: list[str], words: str,
                                                         monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, tmp_path, *TRAIN, *options) == cli.WRONG
    assert words in capsys.readouterr().err
    assert not sent and Store(tmp_path).runs() == []


def test_where_there_is_no_cluster_that_is_said_before_there_is_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert call(monkeypatch, tmp_path, *TRAIN, *ON) == cli.WRONG
    assert "sbatch was not found on this machine" in capsys.readouterr().err
    with pytest.raises(lab.LabError, match="sbatch was not found"):
        vaecore.submit("vae-digits", where=vaecore.Slurm(), store=tmp_path, silent=True)
    with pytest.raises(lab.LabError, match="sbatch was not found"):
        vaecore.sweep("vae-digits", {"latent_size": [2, 3]}, name="s", where=vaecore.Slurm(), store=tmp_path)
    assert Store(tmp_path).runs() == [] and not (tmp_path / "sweeps").exists()


def test_doctor_says_whether_a_cluster_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore import doctor

    monkeypatch.setattr(cluster, "refusal", lambda: "The cluster does not answer.")
    assert doctor._cluster() == doctor.Check("cluster", "optional", "The cluster does not answer.")


# -- from Python -----------------------------------------------------------------------------------

def test_a_training_is_submitted_from_python(sent: Sent, tmp_path: Path) -> None:
    run = vaecore.submit("vae-digits", epochs=3, name="one", where=vaecore.Slurm(partition="gpu", time=120),
                         store=tmp_path, silent=True)
    assert (run.id, run.config().training.epochs) == ("one", 3)
    vaecore.submit("vae-digits", name="two", store=tmp_path, silent=True)
    vaecore.resume("one", store=tmp_path)
    vaecore.resume(run, where=vaecore.Here(processes=2))
    assert sent == [(["one"], GPU), (["two"], lab.Here()), (["one"], None), (["one"], lab.Here(processes=2))]
    with pytest.raises(ConfigError, match=r"training\.epochs: 0 is too small"):
        vaecore.submit("vae-digits", epochs=0, store=tmp_path, silent=True)
    runs = vaecore.submit("vae-digits", name="s", seed=3, seeds=2, where=GPU, store=tmp_path, silent=True)
    assert [(run.id, run.config().seed) for run in runs] == [("s-3", 3), ("s-4", 4)]
    assert sent[4:] == [(["s-3", "s-4"], GPU)]
    with pytest.raises(ConfigError, match=r"seeds: 0 runs cannot be trained at once\. Use 1 to 1,000\."):
        vaecore.submit("vae-digits", seeds=0, store=tmp_path, silent=True)
    there = {run.id for run in Store(tmp_path).runs()}
    with pytest.raises(StoreError, match="already a run called 's-3'"):
        vaecore.submit("vae-digits", name="s", seed=1, seeds=4, where=GPU, store=tmp_path, silent=True)
    assert {run.id for run in Store(tmp_path).runs()} == there and len(sent) == 5


def test_a_run_is_followed_and_waited_for_from_python(tmp_path: Path) -> None:
    run = Store(tmp_path).create(vaecore.preset("vae-digits"), "one")
    assert vaecore.status("one", store=tmp_path).state == vaecore.status(run).state == "new"
    attempts.write_exit(run.path, attempts.begin(run.path), "failed", "Out of memory.")
    with pytest.raises(lab.LabError, match=r"one is failed\. Out of memory\."):
        vaecore.wait(run)
    attempts.write_exit(run.path, attempts.begin(run.path), "finished", "Finished.")
    assert vaecore.wait("one", store=tmp_path, timeout=1) == run
    vaecore.stop(run)  # it has ended: nothing to stop
    assert vaecore.status(run).state == "finished"
