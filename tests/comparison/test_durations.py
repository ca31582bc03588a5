"""How long a training takes: by runs whose seconds are known, else by bursts under clocks that are set by hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import said
from vaecore.comparison import durations
from vaecore.comparison.cost import Cost
from vaecore.comparison.durations import duration, estimate, of_runs, seconds_a_step, span
from vaecore.config import RunConfig, changed, preset
from vaecore.files import write_json_atomic
from vaecore.store import Store
from vaecore.training.estimate import Speed, kind, measure, of_bursts

SETTINGS = ["training.epochs=4", "training.batch_size=100", "training.threads=1", "training.device=cpu"]
EPOCH = 12  # batches of 100 among 1,297 digits
VALIDATION = 250  # digits
SHARE = VALIDATION / 100 * 0.5  # an evaluation in steps


def config(*settings: str) -> RunConfig:
    return changed(preset("vae-digits"), [*SETTINGS, *settings])


def trained(store: Store, name: str, seconds: float, *settings: str, host: str = "", **told: Any) -> None:
    """A run that took so many CPU seconds a step, with an evaluation each epoch, and ten times that on the clock."""
    run = store.create(config("training.epochs=40", *settings), name)
    steps = 40 * EPOCH
    worth = steps + 41 * SHARE
    write_json_atomic(run.path / "summary.json", {
        "device": "cpu", "threads": 1, "total_steps": steps, "step": steps, "seconds": 10 * seconds * worth,
        "cpu_seconds": seconds * worth, **told})
    write_json_atomic(run.path / "launch.json", {"attempt": 1, "backend": "local", "time": 0.0,
                                                 "host": host or socket.gethostname()})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store; steps are not measured here, but take a second each."""
    monkeypatch.setattr("vaecore.training.estimate.measure", lambda _: Speed(1.0, 1.0))
    durations._measured.clear()
    yield Store(tmp_path)
    durations._measured.clear()


def worth(epochs: int) -> float:
    return epochs * EPOCH + (epochs + 1) * SHARE


def test_it_is_told_by_a_run_of_this_machine_whatever_its_length(store: Store) -> None:
    trained(store, "one", 0.25, "seed=7", "training.learning_rate=0.1", "training.beta.kind=constant")
    for epochs in (4, 9):
        found = estimate(config(f"training.epochs={epochs}"), store=store)
        assert found.steps == epochs * EPOCH
        assert found.seconds == found.at_most == pytest.approx(0.25 * worth(epochs), rel=1e-4)
        assert "a run of this kind" in found.source


@pytest.mark.parametrize("unlike", ["model.latent_size=3", "training.batch_size=50", "training.threads=2",
                                    "model.network.hidden=[7]"])
def test_a_run_that_takes_other_steps_is_not_heard(store: Store, unlike: str) -> None:
    trained(store, "other", 0.25, unlike)
    found = estimate(config(), store=store)
    assert found.seconds == pytest.approx(worth(4)) and "Measured here" in found.source


def test_a_run_of_another_machine_or_of_a_few_steps_is_not_heard(store: Store) -> None:
    trained(store, "elsewhere", 0.25, host="another")
    trained(store, "begun", 0.25, step=durations.LEAST_STEPS - 1)
    trained(store, "stacked", 0.25, stacked=4)
    assert estimate(config(), store=store).seconds == pytest.approx(worth(4))


def test_of_several_runs_it_is_the_median_or_a_range_where_they_differ(store: Store) -> None:
    for place, seconds in enumerate((0.20, 0.21, 0.22)):
        trained(store, f"run-{place}", seconds)
    found = estimate(config(), store=store)
    assert found.seconds == found.at_most == pytest.approx(0.21 * worth(4), rel=1e-4)
    trained(store, "slow", 0.4)
    found = estimate(config(), store=store)
    assert (found.seconds, found.at_most) == (pytest.approx(0.2 * worth(4), rel=1e-4),
                                              pytest.approx(0.4 * worth(4), rel=1e-4))


def test_several_threads_are_told_by_the_clock() -> None:
    one = Cost("one", 100.0, 10.0, 1_000, "cpu", 1)
    assert seconds_a_step(one, 0.0, 10) == 0.01
    assert seconds_a_step(Cost("two", 100.0, 190.0, 1_000, "cpu", 2), 0.0, 10) == 0.1
    assert seconds_a_step(Cost("gpu", 100.0, 10.0, 1_000, "cuda", 1), 0.0, 10) == 0.1
    assert seconds_a_step(Cost("old", 100.0, None, 1_000, "cpu", 1), 0.0, 10) == 0.1
    assert seconds_a_step(one, 10.0, 10) == pytest.approx(10 / (1_000 + 101 * 10))
    assert of_runs([1.0, 1.2]) == Speed(1.1, 1.1) and of_runs([1.0, 1.3, 1.1]) == Speed(1.0, 1.3)


def test_the_same_kind_is_measured_once_and_says_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = iter([Speed(0.5, 0.5), Speed(7.0, 7.0)])
    monkeypatch.setattr("vaecore.training.estimate.measure", lambda _: next(speeds))
    first = estimate(config(), store=store)
    assert estimate(config(), store=store) == first and first.seconds == pytest.approx(0.5 * worth(4))
    longer = estimate(config("training.epochs=8", "seed=3"), store=store)
    assert longer.seconds == pytest.approx(0.5 * worth(8)), "twice the epochs are told by the same steps"
    assert kind(config()) != kind(config("model.latent_size=3"))


def test_the_fastest_burst_counts_and_a_restless_machine_gives_a_range() -> None:
    assert of_bursts([0.011, 0.010, 0.012], [0.011, 0.010, 0.012]) == Speed(0.010, 0.010, 1.0)
    noisy = of_bursts([0.010, 0.030, 0.020], [0.010, 0.090, 0.060])
    assert (noisy.least, noisy.most, noisy.busy) == (0.010, 0.020, 3.0)


def test_bursts_are_timed_by_the_clock_of_the_thread() -> None:
    """Each look at the clocks finds 10 ms more of work and 50 ms more on the wall."""
    ticks = {"now": 0.0, "worked": 0.0}

    def clock(name: str, by: float) -> float:
        ticks[name] += by
        return ticks[name]

    found = measure(config(), bursts=3, budget=0.0, now=lambda: clock("now", 0.05),
                    worked=lambda: clock("worked", 0.01))
    assert found.least == found.most == pytest.approx(0.01) and found.busy == pytest.approx(10.0)


def test_command_line_and_python_say_the_same(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    import vaecore

    trained(store, "one", 0.25)
    settings = dict(each.split("=") for each in SETTINGS)
    found = vaecore.estimate("vae-digits", store=store.root, silent=True, set=settings)
    given = [word for each in SETTINGS for word in ("--set", each)]
    told = said(capsys, "train", "--preset", "vae-digits", *given, "--estimate", "--store", str(store.root))
    assert told["seconds"] == pytest.approx(found.seconds, abs=0.01) == pytest.approx(0.25 * worth(4), abs=0.01)
    assert [run.id for run in store.runs()] == ["one"], "nothing was begun"


@pytest.mark.parametrize(("least", "most", "words"), [
    (47.2, 47.2, "≈ 47 s"), (40, 130, "40 s – 2 min"), (61, 80, "≈ 1 min"), (3600, 9000, "1 h – 2 h 30 min")])
def test_a_range_in_words(least: float, most: float, words: str) -> None:
    assert span(least, most) == words and duration(None) == "–"
