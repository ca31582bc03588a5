"""The machinery of claims: run, keep, read back, and run in the background. No claim of a paper is run here."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vaecore.config import RunConfig, changed, preset
from vaecore.lab import background, task
from vaecore.lab.locks import LabError
from vaecore.lab.task import TAIL, Progress
from vaecore.store import Store
from vaecore.studies import CLAIMS, Bench, Cancelled, Finding, Result, Study, kept, run_study

RULE = 3.0  # the fake claim is reproduced where the number found is below


def claim(found: float = 2.0, **more: Any) -> Study:
    """One that finds a number without training."""

    def run(bench: Bench) -> Finding:
        bench.say(f"found {found}")
        if bench.cancelled():
            raise Cancelled
        return Finding(found < RULE, f"Found {found}.", [{"seed": 0, "KL": found, "kind": "basic"}],
                       {"gamma": [0.1, found]}, "A note.")

    return Study("C99", "A fake", "It says.", "Nobody (2026)", "Nothing is done.", f"below {RULE}", 0.1,
                 more.get("run", run))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def path(store: Store) -> Path:
    return store.root / "claims" / "C99.json"


@pytest.mark.parametrize(("found", "verdict"), [(2.0, "reproduced"), (4.0, "not reproduced")])
def test_the_verdict_is_that_of_the_rule_and_is_kept_either_way(store: Store, found: float, verdict: str) -> None:
    said: list[str] = []
    result = run_study(claim(found), store, progress=said.append)
    assert (result.verdict, result.claim, result.summary, result.note) == (verdict, "C99", f"Found {found}.", "A note.")
    assert result.table == [{"seed": 0, "KL": found, "kind": "basic"}] and result.curves == {"gamma": [0.1, found]}
    assert said == [f"found {found}"]
    assert kept(store, "C99") == result


def test_a_new_result_replaces_the_kept_one(store: Store) -> None:
    run_study(claim(2.0), store)
    run_study(claim(4.0), store)
    again = kept(store, "C99")
    assert again is not None and again.verdict == "not reproduced"


def test_cancelled_keeps_nothing_and_leaves_the_earlier_result(store: Store) -> None:
    with pytest.raises(Cancelled):
        run_study(claim(), store, cancelled=lambda: True)
    assert kept(store, "C99") is None
    earlier = run_study(claim(), store)
    with pytest.raises(Cancelled):
        run_study(claim(4.0), store, cancelled=lambda: True)
    assert kept(store, "C99") == earlier


def test_what_was_found_before_comes_with_the_project(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                      ) -> None:
    shipped = run_study(claim(), Store(tmp_path / "project"))
    monkeypatch.setenv("VAECORE_GALLERY", str(tmp_path / "project" / "gallery"))
    assert kept(store, "C99") == shipped
    own = run_study(claim(2.5), store)
    assert kept(store, "C99") == own != shipped
    assert kept(Store(tmp_path / "project"), "C99") == shipped


def test_a_number_that_is_none_is_left_empty_and_all_else_kept(store: Store) -> None:
    """Half an hour of trainings was lost to one perplexity that overflowed."""
    made = run_study(claim(float("nan")), store)
    found = kept(store, "C99")
    assert found == made and None in found.table[0].values()


def good() -> dict[str, Any]:
    return {"claim": "C99", "verdict": "reproduced", "summary": "s", "table": [{"KL": 1.0}], "curves": {"x": [1.0]},
            "note": "", "date": "2026-01-01", "seconds": 1.0, "device": "CPU", "torch": "2", "vaecore": "0"}


HOSTILE = [
    "", "{", "[]", "null", "7", "[" * 100_000, '{"verdict": "reproduced"}',
    *(json.dumps(good() | change) for change in (
        {"verdict": "proved"}, {"verdict": ["reproduced"]}, {"table": {"KL": 1}}, {"table": [[1]]}, {"table": 3},
        {"curves": []}, {"curves": {"x": ["a"]}}, {"curves": {"x": [[1.0]]}}, {"curves": {"x": 1}},
        {"curves": {"x": [10**400]}}, {"seconds": "long"}, {"seconds": 10**400}, {"seconds": None})),
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_is_a_claim_that_was_not_run(store: Store, content: str) -> None:
    path(store).parent.mkdir()
    path(store).write_text(content)
    assert kept(store, "C99") is None


def test_what_is_too_long_is_refused_or_cut(store: Store) -> None:
    path(store).parent.mkdir()
    path(store).write_text(json.dumps(good() | {"summary": "x" * 4_000_000}))
    assert kept(store, "C99") is None
    path(store).write_text(json.dumps(good() | {"summary": "x" * 10_000, "table": [{str(i): i for i in range(200)},
                                                                                  {"k" * 900: "v" * 900}] * 400}))
    result = kept(store, "C99")
    assert result is not None
    assert (len(result.summary), len(result.table), len(result.table[0])) == (2_000, 500, 30)
    assert result.table[1] == {"k" * 80: "v" * 200}


def test_a_folder_or_bytes_in_its_place_are_no_result(store: Store) -> None:
    path(store).mkdir(parents=True)
    assert kept(store, "C99") is None
    path(store).rmdir()
    path(store).write_bytes(b"\xff\xfe\x00")
    assert kept(store, "C99") is None


# -- trainings of a claim --------------------------------------------------------------------------


def tiny() -> RunConfig:
    return changed(preset("linear-vae-gaussian"), ["training.epochs=1", "data.size=600"])


def test_trainings_leave_no_run_unless_they_are_to_be_kept(store: Store) -> None:
    trained: list[tuple[str, int]] = []

    def run(bench: Bench) -> Finding:
        done = bench.train("one", tiny())
        trained.append((done.id, len(bench.metrics(done).evaluations)))
        return Finding(True, "", [])

    run_study(claim(run=run), store, progress=lambda _: None)
    assert store.runs() == []
    for _ in range(2):
        run_study(claim(run=run), store, progress=lambda _: None, keep_runs=True)
    assert {each.id for each in store.runs()} == {"c99-one", "c99-one-2"}
    assert {each.about()["experiment"] for each in store.runs()} == {"C99"}
    assert all(evaluations > 0 for _, evaluations in trained)


def test_cancelling_in_a_training_keeps_nothing(store: Store) -> None:
    def run(bench: Bench) -> Finding:
        bench.train("one", tiny())
        return Finding(True, "", [])

    with pytest.raises(Cancelled):
        run_study(claim(run=run), store, progress=lambda _: None, cancelled=lambda: True)
    assert kept(store, "C99") is None


def test_seeds_are_trained_stacked_and_are_what_they_are_alone(store: Store) -> None:
    said: list[str] = []
    wanted = {f"seed-{seed}": changed(tiny(), [f"seed={seed}", f"data.data_seed={seed}"]) for seed in (0, 1)}
    wanted["other"] = changed(tiny(), ["model.latent_size=2"])
    bench = Bench(store.root, progress=said.append, keep=store, study="C99")
    runs = bench.train_all(wanted)
    assert list(runs) == list(wanted)
    assert said[0] == "training seed-0, seed-1"
    assert [run.id for run in runs.values()] == ["c99-seed-0", "c99-seed-1", "c99-other"]
    for label, config in wanted.items():
        alone = bench.metrics(bench.train(f"{label}-alone", config)).evaluations[-1]
        assert bench.metrics(runs[label]).evaluations[-1]["elbo"] == pytest.approx(alone["elbo"], rel=1e-5)
    cancelled = Bench(store.root, progress=said.append, cancelled=lambda: True, keep=store)
    with pytest.raises(Cancelled):
        cancelled.train_all(wanted)


def test_every_claim_says_what_it_needs_to() -> None:
    for name, each in CLAIMS.items():
        assert name == each.id and each.minutes > 0
        assert all((each.title, each.says, each.source, each.experiment, each.rule))


def test_what_a_column_means_is_said_by_its_study_or_for_all() -> None:
    own = Study("C99", "A fake", columns={"sd": "Of its own.", "KL": "Another."})
    assert own.meaning("sd, step 200") == own.meaning("sd") == "Of its own."
    assert own.meaning("KL, exact") == "Another." and own.meaning("KLx") is None
    assert own.meaning("active") == Study("C98", "A fake").meaning("active, exact") is not None
    shipped = {study.id: kept(Store(Path(__file__).parents[2] / "trained"), study.id) for study in CLAIMS.values()}
    for name, result in shipped.items():
        if result is None:  # test_exhibits.py knows which
            continue
        there = {part for row in result.table for column in row for part in (column, column.partition(",")[0])}
        assert set(CLAIMS[name].columns) <= there, "nothing is explained that is not in the table"


# -- in the background -----------------------------------------------------------------------------


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, store: Store) -> Iterator[None]:
    """A process that says two lines and then waits, instead of a claim's experiment."""
    real = task.subprocess.Popen
    started = []

    def popen(command: list[str], **rest: Any) -> Any:
        assert command[1:] == ["-m", "vaecore", "claims", "run", "C99", "--store", str(store.root)]
        started.append(real([sys.executable, "-c", "print('one'); print('two'); import time; time.sleep(60)"], **rest))
        return started[-1]

    monkeypatch.setattr(task.subprocess, "Popen", popen)
    yield
    for process in started:
        process.kill()


def until(condition: Any) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


@pytest.mark.usefixtures("stand_in")
def test_started_followed_and_stopped(store: Store) -> None:
    assert background.study(store, "C99").progress() == Progress(False, ())
    background.study(store, "C99").start()
    assert background.study(store, "C99").progress().running
    assert until(lambda: background.study(store, "C99").progress().lines == ("one", "two"))
    with pytest.raises(LabError, match="running already"):
        background.study(store, "C99").start()
    background.study(store, "C99").stop()
    assert until(lambda: not background.study(store, "C99").progress().running)
    assert kept(store, "C99") is None
    background.study(store, "C99").stop()  # nothing to stop: nothing happens
    background.study(store, "C99").start()
    assert background.study(store, "C99").progress().running


@pytest.mark.usefixtures("stand_in")
def test_a_damaged_pid_cannot_end_anything_else(store: Store) -> None:
    background.study(store, "C99").start()
    pid = store.root / "claims" / "C99.pid"
    own = pid.read_text()
    for damaged in ("", "abc", "999999999"):
        pid.write_text(damaged)
        with pytest.raises(LabError, match="cannot be stopped"):
            background.study(store, "C99").stop()
    for other in ("1", "-1", "0"):
        pid.write_text(other)
        background.study(store, "C99").stop()
    assert background.study(store, "C99").progress().running
    pid.write_text(own)
    background.study(store, "C99").stop()
    assert until(lambda: not background.study(store, "C99").progress().running)


def test_only_the_end_of_a_long_log_is_read(store: Store) -> None:
    folder = store.root / "claims"
    folder.mkdir()
    (folder / "C99.log").write_bytes(b"\xff" * 10_000_000 + b"\nthe end\n")
    progress = background.study(store, "C99").progress()
    assert progress.lines[-1] == "the end" and sum(map(len, progress.lines)) <= TAIL
    assert not progress.running


def test_results_can_be_compared() -> None:
    assert Result(**good()) == Result(**good()) != Result(**good() | {"curves": {"x": [2.0]}})
