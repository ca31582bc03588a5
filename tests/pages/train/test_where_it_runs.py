"""*Where it runs* on Train, and runs of a cluster in the queue. The cluster is a stand-in: what would be handed over is
written down, and its word is ours. With a real one: tests/lab/slurm."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import measure, placing
from tests.pages.train.test_train_page import good, page, said
from vaecore import lab
from vaecore.config import preset
from vaecore.lab import LabError, attempts, cluster, jobs, scheduler
from vaecore.lab.scheduler import Partition, Word
from vaecore.lab.where import keep, kept
from vaecore.store import Run, Store
from vaecore.training.estimate import Estimate

WHERE, KIND = "where.where", "where.where.kind"
MAIN = Partition("main", default=True, up=True, minutes=None, nodes=2, cores=2, memory=4.0, gpus=0)
GPU = Partition("gpu", default=False, up=True, minutes=1440, nodes=1, cores=8, memory=64.0, gpus=4)


class Fake:
    """A cluster that takes what it is given, and says of its jobs what it is told to."""

    def __init__(self) -> None:
        self.given: list[tuple[list[str], lab.Slurm]] = []
        self.word: Word | None = Word("PENDING", "Resources")
        self.cancelled: list[str] = []
        self.refuses = ""

    def hand_over(self, folders: Sequence[Path], _root: Path, where: lab.Slurm, _submission: str) -> list[str]:
        if self.refuses:
            raise LabError(self.refuses)
        self.given.append(([folder.name for folder in folders], where))
        return ["7"] if len(folders) == 1 else [f"7_{place}" for place in range(len(folders))]

    def cancel(self, _root: Path, _submission: str, job: str) -> str:
        self.cancelled.append(job)
        return ""


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setattr(lab, "kick", lambda _: None)  # nothing is trained here
    monkeypatch.setattr(jobs, "kick", lambda _: None)
    monkeypatch.setattr(measure, "estimate", lambda _: Estimate(5, 10, 42.0, 42.0))
    return Store(tmp_path)


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr(cluster, "refusal", lambda: "")
    monkeypatch.setattr(cluster, "partitions", lambda: [MAIN, GPU])
    monkeypatch.setattr(cluster, "hand_over", fake.hand_over)
    monkeypatch.setattr(cluster, "cancel", fake.cancel)
    monkeypatch.setattr(scheduler, "word", lambda *_: fake.word)
    return fake


def opener(at: AppTest) -> str:
    """What the button says that opens the form."""
    [found] = [each.proto.popover.label for each in at.get("popover")
               if each.proto.popover.label.startswith(("This machine", "SLURM", "Cannot"))]
    return str(found)


def test_where_there_is_no_cluster_it_says_so_quietly(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    at = page(preset="vae-digits")
    assert opener(at) == "This machine"
    [choice] = [each for each in at.button_group if each.key == KIND]
    assert choice.value == "here" and choice.proto.disabled
    assert "sbatch was not found on this machine. Train here" in said(at)
    assert not [each for each in at.selectbox if each.label == "Partition"] and "on" not in at.query_params
    good(at.number_input(key=f"{WHERE}.processes").set_value(2).run())
    assert opener(at) == "This machine, 2 processes" and "--processes 2" in at.code[0].value
    good(at.button(key="train-start").click().run())
    [run] = store.runs()
    assert json.loads((run.path / "where.json").read_text()).items() >= {"processes": 2, "kind": "here"}.items()
    assert kept(run.path) == lab.Here(processes=2)
    good(at.number_input(key="train:seeds").set_value(2).run())
    assert "2 seeds are trained one by one: 2 processes share each of them." in said(at)
    good(at.button(key="train-start").click().run())
    assert [lab.status(each.path).state for each in store.runs()] == ["queued"] * 3
    assert not list(store.root.glob("runs/*/stack.json"))


@pytest.mark.usefixtures("slurm", "store")
def test_a_link_that_cannot_be_used_says_so() -> None:
    at = page(preset="vae-digits", on="slurm", time="-5")
    assert opener(at) == "This machine"
    [toast] = at.toast
    assert "Where it runs is not taken from the address." in toast.value
    assert "time" in toast.value and "-5" in toast.value


def test_seeds_go_to_a_cluster_as_one_array_as_the_form_says(slurm: Fake, store: Store) -> None:
    at = page(preset="vae-digits")
    assert at.button(key="train-start").label == "Start training"
    good(at.button_group(key=KIND).set_value("slurm").run())
    partition = at.selectbox(key=f"{WHERE}.partition")
    assert partition.options == ["main (default)", "main · 2 nodes", "gpu · 1 node, 4 GPUs each, at most 1,440 min"]
    partition.set_value("gpu")
    at.number_input(key=f"{WHERE}.gpus").set_value(1)
    good(at.number_input(key="train:seeds").set_value(3).run())
    assert opener(at) == "SLURM, partition gpu, 1 GPU" and at.button(key="train-start").label == "Submit to SLURM"
    assert (at.query_params["on"], at.query_params["partition"]) == ("slurm", "gpu")
    assert "--seeds 3 --on slurm --partition gpu --gpus 1" in at.code[0].value
    assert "3 seeds are one array" in said(at)
    good(at.button(key="train-start").click().run())
    assert slurm.given == [([run.id for run in reversed(store.runs())], lab.Slurm(partition="gpu", gpus=1))]
    assert {lab.status(run.path).job for run in store.runs()} == {"7_0", "7_1", "7_2"}
    assert "Waiting for SLURM: for free resources." in said(at) and "SLURM job 7_0" in said(at)
    assert opener(at) == "SLURM, partition gpu, 1 GPU"  # for the session


def test_a_link_chooses_the_place_and_a_bad_one_is_passed_over(slurm: Fake) -> None:
    assert opener(page(preset="vae-digits", on="slurm", partition="gpu", time="90")) == \
        "SLURM, partition gpu, 90 minutes"
    assert opener(page(preset="vae-digits", on="slurm", partition="a b")) == "This machine"
    assert not slurm.given


def test_what_cannot_be_used_is_said_and_nothing_starts(slurm: Fake, store: Store) -> None:
    at = page(preset="vae-digits", on="slurm")
    good(at.number_input(key=f"{WHERE}.time").set_value(0).run())
    assert "0 is too small. Use at least 1." in said(at) and "Where it runs: mend what is marked there." in said(at)
    assert at.button(key="train-start").disabled
    good(at.number_input(key=f"{WHERE}.time").set_value(60).run())
    slurm.refuses = "SLURM refused it: invalid account."
    good(at.button(key="train-start").click().run())
    assert "SLURM refused it: invalid account." in said(at) and store.runs() == []


# -- the queue -------------------------------------------------------------------------------------

def submitted(store: Store, where: lab.Slurm | None = None) -> Run:
    run = store.create(preset("vae-digits"), "one")
    lab.submit(run.path, where or lab.Slurm(partition="gpu"))
    return run


def test_what_waits_on_a_cluster_can_be_cancelled_and_go_on_anywhere(slurm: Fake, store: Store) -> None:
    run = submitted(store)
    at = page()
    assert "SLURM job 7" in said(at)
    assert "job 7 out of SLURM's queue" in at.button(key="queue-cancel-one").help
    good(at.button(key="queue-cancel-one").click().run())
    assert slurm.cancelled == ["7"] and lab.status(run.path).state == "stopped"
    assert at.button(key="queue-resume-one").help.endswith("On SLURM, partition gpu, as last time.")
    good(at.button(key="queue-resume-one").click().run())
    assert slurm.given == [(["one"], lab.Slurm(partition="gpu"))] * 2
    good(at.button(key="queue-cancel-one").click().run())
    assert at.button(key="queue-elsewhere-one").label == "Resume here"
    good(at.button(key="queue-elsewhere-one").click().run())
    assert lab.queue(store.root) == ["one"] and at.button(key="queue-take-one").label == "Take out"


@pytest.mark.usefixtures("slurm")
def test_a_copied_run_goes_on_here_and_its_button_says_so(store: Store) -> None:
    other = Store(store.root / "other").create(preset("vae-digits"), "one")
    keep(other.path, lab.Slurm(partition="gpu"))
    attempts.write_exit(other.path, attempts.begin(other.path), "stopped", "Stopped at step 3.")
    shutil.copytree(other.path, store.root / "runs" / "one")
    at = page()
    assert at.button(key="queue-resume-one").help.endswith(
        "Here; where it came from it was asked to run on SLURM, partition gpu.")
    good(at.button(key="queue-resume-one").click().run())
    assert lab.queue(store.root) == ["one"]


def test_from_here_a_run_goes_on_where_the_session_chose_to(slurm: Fake, store: Store) -> None:
    run = store.create(preset("vae-digits"), "one")
    keep(run.path, lab.Here())
    attempts.write_exit(run.path, attempts.begin(run.path), "stopped", "Stopped at step 3.")
    assert not [each for each in page().button if each.key == "queue-elsewhere-one"]
    at = page(on="slurm", partition="gpu")
    assert at.button(key="queue-elsewhere-one").label == "Resume on SLURM"
    good(at.button(key="queue-elsewhere-one").click().run())
    assert slurm.given == [(["one"], lab.Slurm(partition="gpu"))]


@pytest.mark.parametrize(("word", "badge", "words"), [
    (Word("PENDING", "JobHeldUser"), "Waiting", "Waiting for SLURM: it is held by its owner"),
    (Word("RUNNING", "", "n2"), "Training", "Running on n2."),
    (None, "Unknown", "last sign of life"),
    (Word("OUT_OF_MEMORY"), "Failed", "It needed more memory than it had asked for"),
    (Word("CANCELLED"), "Stopped", "Cancelled on the cluster"),
])
def test_a_state_that_the_cluster_tells_has_its_look_and_its_sentence(slurm: Fake, store: Store, word: Word | None,
                                                                       badge: str, words: str) -> None:
    run = submitted(store)
    beat = {"attempt": 1, "time": 0.0, "step": 3, "total": 10, "host": "n2"}
    (run.path / "heartbeat.json").write_text(json.dumps(beat if word is None else {}))
    slurm.word = word
    at = page()
    assert f"{badge}]" in said(at) and words in said(at)
    stops = [each.label for each in at.button if each.key in ("queue-stop-one", "queue-cancel-one")]
    assert stops == {"Waiting": ["Cancel"], "Training": ["Stop"], "Unknown": ["Stop"]}.get(badge, [])
    assert ("0 training, 0 waiting, 1 unknown" in said(at)) == (badge == "Unknown")


def test_fields_of_the_form_are_those_that_are_declared(slurm: Fake) -> None:
    at = page(preset="vae-digits", on="slurm")
    drawn = {str(each.key).removeprefix(f"{WHERE}.") for kind in (at.number_input, at.selectbox, at.text_input)
             for each in kind if str(each.key).startswith(f"{WHERE}.")}
    assert drawn == set(lab.Slurm.model_fields) - {"kind"} and not slurm.given
    assert set(placing.ADDRESS) == {"on", *drawn}
