"""The pace of a training that is watched: it waits, loses nothing by it, and is told in estimates."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.training.runs import Start, read, small, timeless
from vaecore.comparison.durations import estimate
from vaecore.store import Run
from vaecore.training import session, train
from vaecore.training.course import Course
from vaecore.training.ranks.group import Heeding


class Clock:
    """A clock that all but stands still while nobody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1_000.0, list[float]()

    def monotonic(self) -> float:
        self.now += 1e-7
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(session, "time", SimpleNamespace(
        monotonic=made.monotonic, sleep=made.sleep, process_time=time.process_time))
    return made


def test_it_waits_for_its_pace_and_ends_with_the_same_bits(start: Start, clock: Clock) -> None:
    folder = start(small(pace=4))  # 12 steps
    seconds = {line["step"]: line["seconds"] for line in read(folder).evaluations}
    assert seconds == {0: 0.0, 4: 0.75, 8: 1.75, 12: 2.75}, "step n begins n / pace seconds after the beginning"
    assert Run(folder).summary()["seconds"] == 2.75 and max(clock.slept) <= session.WAIT_SECONDS
    clock.slept.clear()
    plain = start(small(), name="plain")
    assert not clock.slept
    assert timeless(folder) == timeless(plain)


def test_a_pace_that_was_changed_counts_from_where_it_is_resumed(start: Start, clock: Clock,
                                                                 watch: Callable[..., Any]) -> None:
    folder = start(small(pace=4), control=watch(stop_at=5))
    config = json.loads((folder / "config.json").read_text())
    config["training"]["pace"] = 1.0
    (folder / "config.json").write_text(json.dumps(config))
    clock.slept.clear()
    assert train(folder, watch()) == "finished"
    assert sum(clock.slept) == pytest.approx(6), "seven steps, of which the first comes at once"


def test_where_the_machine_is_slower_it_never_waits(start: Start, clock: Clock, monkeypatch: pytest.MonkeyPatch
                                                    ) -> None:
    plain = Course.advance

    def slow(course: Course, step: int) -> bool:
        clock.now += 1.0
        return plain(course, step)

    monkeypatch.setattr(Course, "advance", slow)
    start(small(pace=4))
    assert not clock.slept


def test_a_wish_to_stop_ends_the_wait(start: Start, clock: Clock, watch: Callable[..., Any]) -> None:
    class Impatient(watch):  # type: ignore[misc,valid-type]
        def stop_requested(self) -> bool:
            return len(clock.slept) >= 3

    folder = start(small(pace=0.001), control=Impatient())
    assert clock.slept == [session.WAIT_SECONDS] * 3
    assert len(read(folder).steps["step"]) == 2, "the first at once, the second as the wait ends"


def test_several_processes_do_not_wait_for_the_update_by_which_they_learn_of_a_stop(clock: Clock) -> None:
    """They heed a stop only after an update, which came as late as the pace had it: seconds, or hours."""
    ranks = SimpleNamespace(asked=False, stopping=False)
    control = SimpleNamespace(stop_requested=lambda: len(clock.slept) >= 3)
    waiting = object.__new__(session.Session)
    waiting.config = SimpleNamespace(training=SimpleNamespace(pace=0.001))  # type: ignore[assignment]
    waiting.ranks, waiting.control = ranks, Heeding(ranks, control)  # type: ignore[arg-type,assignment]
    waiting.first, waiting.step, waiting.started = 0, 1, clock.now
    waiting.wait()
    assert clock.slept == [session.WAIT_SECONDS] * 3
    assert not ranks.stopping, "what all have not heard of ends nothing yet"


def test_an_estimate_is_at_least_what_the_pace_asks_for(configure: Callable[[dict[str, Any]], Any]) -> None:
    paced = estimate(configure(small(pace=0.1)))
    assert paced.seconds == paced.at_most == pytest.approx(120)
    assert estimate(configure(small(pace=1e6))).seconds < 100
