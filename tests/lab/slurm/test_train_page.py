"""From the page Train to a real SLURM: submitted, waiting, cancelled, training on a node, stopped, resumed here."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import measure
from tests.lab.slurm.conftest import Cluster, until
from tests.pages.train.test_train_page import good, page, said
from vaecore import lab
from vaecore.lab import jobs
from vaecore.store import Store
from vaecore.training.estimate import Estimate

ASKED = {"preset": "vae-digits", "on": "slurm", "memory": "1", "time": "5"}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setattr(lab, "kick", lambda _: None)  # nothing is trained by this machine's own queue
    monkeypatch.setattr(jobs, "kick", lambda _: None)
    monkeypatch.setattr(measure, "estimate", lambda _: Estimate(5, 10, 42.0, 42.0))
    return Store(tmp_path)


def seen(at: AppTest, words: str) -> bool:
    return words in said(good(at.run()))


def test_a_training_goes_from_the_page_to_a_cluster_and_back(slurm: Cluster, store: Store) -> None:
    at = page(**ASKED, partition="main", extra="begin=now+1hour")
    offered = at.selectbox(key="where.where.partition").options
    assert offered == ["main (default)", "main · 2 nodes, at most 60 min", "closed · 2 nodes, down",
                       "urgent · 2 nodes"]
    at.text_input(key="train:name").set_value("one").run()
    good(at.button(key="train-start").click().run())
    until(lambda: seen(at, "Waiting for SLURM: until it may begin."))
    job = lab.status(store.find("one").path).job
    assert job.isdigit() and f"SLURM job {job}" in said(at) and job in slurm.inside("squeue", "-h", "-o", "%i")
    good(at.button(key="queue-cancel-one").click().run())
    assert "Taken out of SLURM's queue." in said(at) and ":gray-badge[" in said(at)
    until(lambda: job not in slurm.inside("squeue", "-h", "-o", "%i"))

    at.text_input(key="where.where.extra").set_value("").run()
    at.number_input(key="train.training.epochs").set_value(5_000).run()  # the stand-in takes a moment for each
    at.text_input(key="train:name").set_value("two").run()
    good(at.button(key="train-start").click().run())
    until(lambda: seen(at, "Running on n1.") and lab.status(store.find("two").path).step)
    assert lab.status(store.find("two").path).place.endswith(" on n1")
    good(at.button(key="queue-stop-two").click().run())
    until(lambda: seen(at, "resume continues there"))
    good(at.button(key="queue-elsewhere-two").click().run())
    assert lab.queue(store.root) == ["two"] and "Waiting, place 1 in the queue." in said(at)
    assert good(at.button(key="queue-take-two").click().run()) and lab.queue(store.root) == []


def test_what_the_cluster_cannot_do_is_said_on_the_page_and_leaves_nothing(slurm: Cluster, store: Store) -> None:
    at = page(**{**ASKED, "memory": "900"}, partition="urgent")
    good(at.button(key="train-start").click().run())
    assert "SLURM refused it" in said(at) and store.runs() == [] and slurm.inside("squeue", "-h").strip() == ""
