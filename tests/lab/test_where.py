"""Where a run runs, as it is asked for: options, words of an address, and what is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vaecore.config import preset
from vaecore.lab import Here, LabError, Slurm, attempts, cluster, jobs, require_place, status, submit_new, where
from vaecore.lab.where import FIELDS, asked, demand, elsewhere, in_words, keep, kept, meant
from vaecore.schema import ConfigError
from vaecore.store import Store

GPU = Slurm(partition="gpu", time=120, gpus=1)


@pytest.mark.parametrize(("where", "options", "words"), [
    (Here(), {"on": "here"}, "This machine"),
    (Here(processes=2), {"on": "here", "processes": "2"}, "This machine, 2 processes"),
    (Slurm(), {"on": "slurm"}, "SLURM"),
    (GPU, {"on": "slurm", "partition": "gpu", "time": "120", "gpus": "1"},
     "SLURM, partition gpu, 120 minutes, 1 GPU"),
    (Slurm(at_once=2, nodes=2, processes=4), {"on": "slurm", "processes": "4", "nodes": "2", "at_once": "2"},
     "SLURM, 4 processes, 2 nodes, 2 runs at once"),
])
def test_a_place_is_the_options_that_ask_for_it(where: Here | Slurm, options: dict[str, str], words: str) -> None:
    assert asked(where) == options and meant(options) == where and in_words(where) == words


def test_what_is_not_said_is_as_the_last_time() -> None:
    assert meant({}) is None and meant({"preset": "vae-mnist"}, GPU) is None
    assert meant({"time": 5}, GPU) == meant({"on": "slurm", "time": "5"}, GPU) == GPU.model_copy(update={"time": 5})
    assert meant({"on": "slurm", "time": 5}) == meant({"on": "slurm", "time": 5}, Here(processes=3)) == Slurm(time=5)
    assert meant({"on": "here"}, GPU) == Here()


@pytest.mark.parametrize(("said", "words"), [
    ({"on": "mars"}, "on: 'mars' is no place. Choose one of here, slurm."),
    ({"partition": "gpu"}, "partition: This machine has no such field. Say --on slurm too."),
    ({"on": "slurm", "partition": "a; rm -rf ~"}, "partition: 'a; rm -rf ~' is not written as it has to be. It has to"),
    ({"on": "slurm", "account": "a" * 101}, "is too long. Use at most 100 characters."),
    ({"on": "slurm", "time": "soon"}, "time: 'soon' is not a whole number."),
    ({"on": "here", "processes": 65}, "processes: 65 is too large. Use at most 64."),
    ({"on": "slurm", "processes": 3, "nodes": 2}, "nodes: 3 processes cannot be spread evenly over 2 nodes."),
    ({"on": "slurm", "extra": "exclusive,wrap=1"}, "extra: 'wrap' is no option that is passed on."),
])
def test_what_cannot_be_asked_for_names_the_option(said: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        meant(said)
    assert words in str(caught.value)


def test_what_is_kept_is_read_again_and_broken_is_here(tmp_path: Path) -> None:
    assert kept(tmp_path) == Here()
    keep(tmp_path, GPU)
    assert kept(tmp_path) == GPU
    for text in ("{", "[]", '{"kind": "moon"}', '{"kind": "slurm", "partition": "$(id)"}'):
        (tmp_path / "where.json").write_text(text)
        assert kept(tmp_path) == Here()
    assert set(FIELDS) == {*Here.model_fields, *Slurm.model_fields} - {"kind"}


def test_what_was_asked_for_elsewhere_decides_nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was copied keeps its where.json: from a colleague, another machine, a version that named nobody."""
    first, copied = tmp_path / "first", tmp_path / "copied"
    first.mkdir()
    keep(first, Here(processes=64))
    shutil.copytree(first, copied)
    assert (kept(first), elsewhere(first)) == (Here(processes=64), None)
    assert (kept(copied), elsewhere(copied)) == (Here(), Here(processes=64))
    (copied / "where.json").write_text('{"kind": "slurm", "partition": "gpu", "time": 120, "gpus": 1}')
    assert (kept(copied), elsewhere(copied)) == (Here(), GPU)
    keep(copied, GPU)
    assert (kept(copied), elsewhere(copied)) == (GPU, None)
    monkeypatch.setattr("socket.gethostname", lambda: "another-login-node")
    assert kept(copied) == GPU, "the same user on another machine of the cluster"
    monkeypatch.setattr(where, "me", lambda: "somebody")
    assert (kept(copied), elsewhere(copied)) == (Here(), GPU), "another user's folder that lay at the same path there"


def test_what_a_job_asks_of_its_nodes_in_words() -> None:
    assert demand(Slurm(time=1)) == "3 GiB and 1 core on a node for 1 minute"
    assert demand(Slurm(processes=4, nodes=2, gpus=1, cpus=3, memory=8)) == (
        "8 GiB, 2 GPUs and 6 cores on each of 2 nodes for 60 minutes")


def test_a_place_that_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "refusal", lambda: "Sbatch is not here. Train here.")
    require_place(Here())
    with pytest.raises(LabError, match=r"Sbatch is not here\. Train here\."):
        require_place(GPU)


def test_a_new_run_that_is_refused_is_taken_back_and_another_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                   ) -> None:
    monkeypatch.setattr(cluster, "require", lambda: None)
    monkeypatch.setattr(cluster, "hand_over", refused)
    store = Store(tmp_path)
    made = store.create(preset("vae-digits"), "made")
    began = store.create(preset("vae-digits"), "began")
    attempts.begin(began.path)
    (began.path / "stop").write_text("Enough.")
    assert status(began.path).detail.startswith("Killed on request")
    with pytest.raises(LabError, match="not available"):
        submit_new([made.path, began.path], GPU)
    assert [run.id for run in store.runs()] == ["began"]
    assert status(began.path).detail.startswith("Killed on request") and kept(began.path) == Here()


def test_an_interrupt_while_new_runs_are_queued_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "_stacks", interrupted)  # where they are tried, for seconds
    store = Store(tmp_path)
    made = [store.create(preset("vae-digits"), name).path for name in ("one", "two")]
    with pytest.raises(KeyboardInterrupt):
        submit_new(made)
    assert store.runs() == []


def refused(*_: object) -> None:
    raise LabError("SLURM refused it: Requested node configuration is not available.")
