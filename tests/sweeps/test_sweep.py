"""A sweep from its start to its end, and through kills: what it queues, chooses and stops. Trainings are made files,
but for one sweep that is trained for real."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.sweeps import made
from tests.sweeps.made import SMALL
from vaecore import lab
from vaecore.config import changed
from vaecore.errors import NotAllowed, StoreError
from vaecore.lab import attempts, jobs, state
from vaecore.lab.task import Task
from vaecore.library import records
from vaecore.schema import ConfigError
from vaecore.store import Run, Store
from vaecore.sweeps import Standing, Sweep, names, points, standing, tending
from vaecore.sweeps.keeping import forget, keep, place
from vaecore.sweeps.planning import declare, plan
from vaecore.sweeps.search import choose

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in which nothing trains by itself."""
    monkeypatch.setattr(jobs, "kick", lambda _root: None)
    monkeypatch.setattr(lab, "kick", lambda _root: None)
    return Store(tmp_path)


def kept(store: Store, over: dict[str, Any], **more: Any) -> Sweep:
    return made.asked(store, over, name="s", **more)


def finish(run: Run, *elbos: float) -> None:
    """Out of the queue, and trained to its end."""
    lab.stop(run.path)
    made.ended(run, *elbos)


def trained(value: Callable[[Run], float]) -> Callable[..., None]:
    """In place of the queue: each is trained at once, and ends with the value that is made of its configuration."""
    def submit(folders: list[Path], where: lab.Here | lab.Slurm) -> None:
        assert where == lab.Here()
        for folder in folders:
            finish(Run(folder), -100.0, value(Run(folder)))
    return submit


class Killed(Exception):
    pass


def killed(_: float) -> None:
    raise Killed


def test_all_points_with_a_seed_are_queued_before_the_next_seed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(store, {"model.latent_size": "2,8"}, seeds=2)
    now = tending.tend(store, "s", say=lambda _: None)
    assert [lab.status(store.find(name).path).position for name in ("s-001-s1", "s-002-s1", "s-001-s2", "s-002-s2")] \
        == [1, 2, 3, 4]
    about = store.find("s-002-s1").about()
    assert about["experiment"] == "sweep:s"
    assert about["point"] == {"number": 2, "values": {"model.latent_size": 8}, "seed": 1}
    assert [store.find(f"s-001-s{seed}").title for seed in (1, 2)] == ["vae-digits z2 ep2 s1", "vae-digits z2 ep2 s2"]
    assert store.find("s-002-s2").config().model_copy(update={"seed": 1}) == store.find("s-002-s1").config()
    assert now.counts == {"queued": 4} and now.sentence == "At work: 4 waiting."
    read, tickets = list[Path](), state.tickets
    monkeypatch.setattr(state, "tickets", lambda root: (read.append(root), tickets(root))[1])
    assert [trial.status.position for trial in standing(store, "s").trials] == [1, 3, 2, 4]
    assert read == [store.root]  # once for all: of a thousand each would read a thousand
    assert [each.state for each in records(store) if "sweep:s" in each.experiment] == ["queued"] * 4 and len(read) == 2


def test_a_resume_queues_no_more_than_may_be_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "start", lambda *_: None)
    sweep = kept(store, {"model.latent_size": "2,4,8"}, at_once=2)
    for number, point in enumerate(points.known(sweep), 1):
        lab.submit((run := made.made(store, sweep, number, point, 1)).path)
        lab.stop(run.path)
    assert standing(store, "s").counts == {"stopped": 3}
    assert tending.resume(store, "s").counts == {"queued": 2, "new": 1}
    finish(store.find("s-001-s1"), -50.0, -30.0)
    now = tending.tend(store, "s", say=lambda _: None)
    assert now.counts == {"finished": 1, "queued": 2} and now.trials[2].status.attempt == 2
    lab.stop(store.find("s-003-s1").path)
    assert standing(store, "s").trials[2].state == "stopped"  # by hand once more, and so it stays


def test_what_is_at_once_in_the_queue_is_bounded_and_goes_on(store: Store) -> None:
    sweep = kept(store, {"model.latent_size": "2,4,8"}, at_once=2)
    assert sweep.at_once == 2
    said: list[str] = []

    def one_look() -> Standing:  # what a process does in one turn, before it is killed
        now = standing(store, "s")
        tending._queue(store, now, {(t.number, t.seed) for t in now.trials}, said.append)
        return standing(store, "s")

    assert one_look().counts == {"queued": 2, "new": 1}
    assert one_look().counts == {"queued": 2, "new": 1}  # killed and started anew: nothing twice
    assert "nothing tends them" in one_look().sentence
    finish(store.find("s-001-s1"), -50.0, -30.0)
    assert one_look().counts == {"finished": 1, "queued": 2}


def test_means_and_intervals_over_seeds_are_those_of_numpy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {1: -30.0, 2: -31.5, 3: -29.25, 4: -30.5}
    monkeypatch.setattr(lab, "submit_together", trained(
        lambda run: found[run.config().seed] - run.config().model.latent_size))  # type: ignore[attr-defined]
    kept(store, {"model.latent_size": "1,3"}, seeds=4)
    now = tending.tend(store, "s", say=lambda _: None)
    values = np.array(list(found.values())) - 1
    interval = now.rows[0].interval
    assert interval is not None and interval.mean == pytest.approx(values.mean())
    assert interval.half == pytest.approx(stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2)
    assert now.done and now.best is now.rows[0]
    facts = now.table().facts()
    assert facts[1]["value"] == pytest.approx(values.mean() - 2) and facts[1]["test"] == facts[1]["value"] - 1
    assert [row["best"] for row in facts] == [True, False]


def test_the_bad_are_stopped_in_words_and_the_best_is_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = kept(store, {"model.latent_size": "2,4,6,8,10"}, seeds=2,
                 stopping={"kind": "median", "grace": 0.5})
    assert sweep.stopping.kind == "median"
    for number, seed in ((n, s) for s in (1, 2) for n in range(1, 6)):
        run = made.made(store, sweep, number, {"model.latent_size": 2 * number}, seed)
        if (number, seed) != (5, 2):  # which its process had made when it was killed, and not queued
            lab.submit(run.path)
        if seed == 1:
            finish(run, -100.0, -10.0 * number)
        if seed == 1 and number > 1:  # not at its end yet
            (run.path / "exit.json").unlink()
            lab.submit(run.path)
    said: list[str] = []
    with monkeypatch.context() as patch, pytest.raises(Killed):  # after one look
        patch.setattr(tending.time, "sleep", killed)
        tending.tend(store, "s", said.append)
    now = standing(store, "s")
    assert [row.state for row in now.rows] == ["queued", "queued", "queued", "early", "early"]
    assert now.rows[3].trials[0].early == ("Stopped early by the sweep s: at epoch 1 it is worse than the median of 4 "
                                           "other points.")
    assert lab.status(now.rows[3].trials[1].run.path).detail.startswith("Stopped early by the sweep s: at epoch 1")
    assert [line[:18] for line in said] == ["point 4 is stopped", "point 5 is stopped"]
    assert now.rows[3].ended and not now.done and now.counts == {"finished": 1, "queued": 5, "early": 4}
    tending._end_the_bad(now, said.append)
    assert len(said) == 2  # once
    lab.submit(now.rows[3].trials[0].run.path)  # somebody wants to see it all the same
    tending._end_the_bad(standing(store, "s"), said.append)
    assert standing(store, "s").rows[3].trials[0].state == "queued"


def test_one_that_was_noted_but_not_asked_before_the_kill_is_asked_again(store: Store) -> None:
    kept(store, {"model.latent_size": "2,4"}, stopping={"kind": "halving"})
    tending._queue(store, standing(store, "s"), set(), lambda _: None)
    run = store.find("s-002-s1")
    about = {**run.about(), "stopped_early": {"attempt": 1, "why": "Stopped early by the sweep s: tried."}}
    (run.path / "about.json").write_text(json.dumps(about))
    assert standing(store, "s").rows[1].state == "queued"
    tending._end_the_bad(standing(store, "s"), lambda _: None)
    assert standing(store, "s").rows[1].state == "early"


def test_a_number_of_an_evaluation_judges_points_once_there_is_one(store: Store) -> None:
    sweep = made.asked(store, {"model.latent_size": "2,4"}, name="s", objective="frechet")
    runs = [made.made(store, sweep, number, point, 1) for number, point in enumerate(points.known(sweep), 1)]
    for run in runs:
        made.ended(run, -40.0, -30.0)
    now = standing(store, "s")
    assert now.done and now.best is None and len(now.unevaluated) == 2
    assert now.sentence == "Done: 2 finished. 2 wait for an evaluation that finds Fréchet."
    for run, frechet in zip(runs, (30.0, 20.0), strict=True):
        shipped = next(each for each in json.loads((GALLERY / "wae" / "evaluation.json").read_text())
                       if "samples" in each)
        found = {**shipped, "run": run.id, "samples": {**shipped["samples"], "frechet": frechet}}
        (run.path / "evaluation.json").write_text(json.dumps([found]))
    now = standing(store, "s")
    assert now.best is not None and now.best.number == 2  # lower is better
    assert now.best.interval is not None and now.best.interval.mean == 20.0


def test_a_search_that_is_killed_after_each_look_comes_near_the_best(
        store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best learning rate is 0.01, and Adam; both are found among fourteen points."""
    pytest.importorskip("bayes_opt")
    kept(store, {"training.learning_rate": "1e-4..1:log", "training.optimizer": "adam,sgd"}, seeds=2,
         method={"kind": "search", "trials": 14, "begin": 5})

    def value(run: Run) -> float:
        training = run.config().training
        return -(np.log10(training.learning_rate) + 2) ** 2 - (training.optimizer == "sgd") + 0.01 * run.config().seed

    monkeypatch.setattr(lab, "submit_together", trained(value))
    monkeypatch.setattr(tending.time, "sleep", lambda _: None)
    for _ in range(9):
        now = standing(store, "s")
        tending._queue(store, now, {(t.number, t.seed) for t in now.trials}, lambda _: None)
    now = tending.tend(store, "s", say=lambda _: None)
    assert len(now.rows) == 14 and now.done and now.best is not None
    assert now.best.interval is not None and now.best.interval.mean > -0.02
    assert now.best.point["training.optimizer"] == "adam"
    assert len({json.dumps(row.point) for row in now.rows}) == 14


def test_a_search_ends_where_every_point_has_been_tried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bayes_opt")
    sweep = kept(store, {"model.latent_size": "2,4,8"}, method={"kind": "search", "trials": 9, "begin": 2})
    monkeypatch.setattr(lab, "submit_together", trained(
        lambda run: -float(run.config().model.latent_size)))  # type: ignore[attr-defined]
    monkeypatch.setattr(tending.time, "sleep", lambda _: None)
    now = tending.tend(store, "s", say=lambda _: None)
    assert sorted(row.point["model.latent_size"] for row in now.rows) == [2, 4, 8] and now.done
    assert choose(sweep.method, sweep.axes, [(row.point, 0.0) for row in now.rows], []) is None  # type: ignore[arg-type]


def test_without_the_optimiser_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    sweep, _ = declare(SMALL, {"model.latent_size": "2..8"}, name="s", method={"kind": "search"})
    with pytest.raises(ConfigError, match=r'pip install "vaecore\[search\]"'):
        plan(sweep)


def test_a_sweep_is_removed_and_its_runs_stay(store: Store) -> None:
    sweep = kept(store, {"model.latent_size": "2,4"})
    tending.tend(store, "s", say=lambda _: None)
    with pytest.raises(StoreError, match="already a sweep"):
        keep(store, sweep)
    forget(store, "s")
    assert names(store) == [] and len(store.runs()) == 2
    with pytest.raises(StoreError, match="runs of an earlier sweep"):
        tending.start(store, plan(sweep))
    with pytest.raises(StoreError, match="There is no sweep"):
        standing(store, "s")


@pytest.mark.parametrize("name", ["../s", "", "S", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError):
        place(store, name)
    with pytest.raises(ConfigError):
        declare(SMALL, {"model.latent_size": "2"}, name=name)


def test_a_damaged_file_costs_its_sweep_and_is_named(store: Store) -> None:
    (store.root / "sweeps").mkdir()
    place(store, "s").write_text('{"name": "s"')
    with pytest.raises(StoreError, match="its runs stay"):
        standing(store, "s")


def test_a_file_that_asks_for_more_than_a_sweep_may_have_is_not_counted_through(store: Store) -> None:
    asked = kept(store, {"model.latent_size": "2,4"}).model_dump(mode="json")
    axes = [{"field": f"training.x{i}", "kind": "range", "low": 0, "high": 1, "count": 200} for i in range(6)]
    for change, words in (({"axes": axes}, "At most 1,000"), ({"objective": "nothing"}, "no number"),
                          ({"name": "other"}, "names 'other'")):
        place(store, "s").write_text(json.dumps({**asked, **change}))
        with pytest.raises(StoreError, match=words):
            standing(store, "s")


@pytest.mark.parametrize("values", ["1e400..2", "2..1e400", "nan..2", [None], float("nan"), {}])
def test_values_of_no_use_are_refused_in_words(values: Any) -> None:
    with pytest.raises(ConfigError):
        plan(*declare(SMALL, {"model.latent_size": values}, name="s"))


def test_runs_of_another_sweep_of_that_name_are_none_of_its_own(store: Store) -> None:
    sweep = kept(store, {"model.latent_size": "2,4"})
    for number, values in ((1, {"model.latent_size": 16}), (2, {"model.other": 4}), (3, {"model.latent_size": 9})):
        run = made.made(store, sweep, number, {"model.latent_size": 2}, 1)
        (run.path / "about.json").write_text(json.dumps({
            "experiment": "sweep:s", "point": {"number": number, "values": values, "seed": 1}}))
    assert [(row.number, len(row.trials)) for row in standing(store, "s").rows][:2] == [(1, 0), (2, 0)]


def test_a_seed_that_is_there_twice_counts_once(store: Store) -> None:
    """As where a run was removed, made anew by a resume, and then brought back."""
    sweep = kept(store, {"model.latent_size": "2,4"}, seeds=2)
    for number in (1, 2):
        for seed in (1, 2):
            made.ended(made.made(store, sweep, number, {"model.latent_size": 2 * number}, seed), -20.0 - number - seed)
    shutil.copytree(store.root / "runs" / "s-001-s1", store.root / "runs" / "s-001-s1-40e5")
    shutil.copytree(store.root / "runs" / "s-001-s1", strange := store.root / "runs" / "s-strange")
    about = json.loads((strange / "about.json").read_text())
    (strange / "about.json").write_text(json.dumps({**about, "point": {**about["point"], "seed": 9}}))
    now = standing(store, "s")
    assert [trial.run.id for trial in now.rows[0].trials] == ["s-001-s1", "s-001-s2"]
    assert (now.left, now.done, now.best) == (0, True, now.rows[0])


def test_nothing_is_started_stopped_or_removed_by_one_who_only_looks(
        store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = kept(store, {"model.latent_size": "2,4"})
    ready = plan(sweep)
    monkeypatch.setenv("VAECORE_READ_ONLY", "1")
    for act in (lambda: tending.start(store, ready), lambda: tending.stop(store, "s"),
                lambda: tending.resume(store, "s"), lambda: forget(store, "s"), lambda: keep(store, sweep),
                lambda: tending.tend(store, "s")):
        with pytest.raises(NotAllowed):
            act()
    assert names(store) == ["s"] and store.runs() == []


def until(true: Callable[[], Any], seconds: float = 130.0) -> Any:  # a limit for a machine that is busy
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)
    return value


@pytest.mark.usefixtures("cast")
def test_a_real_sweep_is_killed_and_resumed(tmp_path: Path) -> None:
    """Two by two points on 8 x 8 digits: the training is killed, then the sweep's own process goes on to its end."""
    store = Store(tmp_path)
    long = changed(SMALL, ["training.epochs=25"])  # seconds, in which it can be killed
    sweep, _ = declare(long, {"training.learning_rate": "1e-3,3e-3", "training.beta.value": "1,4"}, name="real")
    keep(store, sweep)
    try:
        tending.tend(store, "real", say=lambda _: None)  # everything waits, and it has nothing more to do
        until(lambda: any(trial.state == "running" and trial.status.total for trial in standing(store, "real").trials))
        for trial in standing(store, "real").trials:
            if trial.state == "running":
                with contextlib.suppress(ProcessLookupError):  # those of a stack share a process
                    os.kill(json.loads((trial.run.path / "heartbeat.json").read_text())["pid"], signal.SIGKILL)
            elif trial.state == "queued":
                lab.stop(trial.run.path)
        until(lambda: not standing(store, "real").live)
        assert "Resume" in standing(store, "real").sentence
        tending.resume(store, "real")
        until(lambda: lab.kick(store.root) or standing(store, "real").done)
    finally:
        tending.stop(store, "real")
    now = standing(store, "real")
    assert now.counts == {"finished": 4} and now.best is not None
    assert [row.point for row in now.rows] == points.known(sweep)
    for row in now.rows:
        run = row.trials[0].run
        assert row.trials[0].value == pytest.approx(run.summary()["validation"]["elbo"])
        assert run.config().training.beta.final() == row.point["training.beta.value"]


def test_a_sweep_runs_where_it_was_asked_to_and_goes_on_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place belongs to the work on the sweep and not to the sweep: what was asked does not speak of it."""
    monkeypatch.setattr(Task, "start", lambda *_: None)
    sent: list[tuple[list[str], lab.Here | lab.Slurm]] = []

    def submit(folders: list[Path], where: lab.Here | lab.Slurm) -> None:
        sent.append(([folder.name for folder in folders], where))
        for folder in folders:
            attempts.write_exit(folder, attempts.begin(folder), "stopped", "Taken out.")

    monkeypatch.setattr(lab, "submit_together", submit)
    cluster, both = lab.Slurm(partition="gpu", time=5), ["s-001-s1", "s-002-s1"]
    sweep, notes = declare(SMALL, {"model.latent_size": "2,8"}, name="s")
    assert tending.start(store, plan(sweep, notes), cluster).where == cluster
    assert "gpu" not in place(store, "s").read_text() and names(store) == ["s"]
    tending.tend(store, "s", say=lambda _: None)
    tending.resume(store, "s")
    assert sent == [(both, cluster)] * 2
    assert tending.resume(store, "s", lab.Here()).where == standing(store, "s").where == lab.Here()
    assert sent[2:] == [(both, lab.Here())]
    forget(store, "s")
    assert list((store.root / "sweeps").iterdir()) == []
