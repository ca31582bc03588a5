"""The process of a sweep, and the verbs that start, stop and resume it.

It queues what is due, chooses the next point of a search, and asks the trainings of bad points to stop. It remembers
nothing: each look derives from the disk what to do, so that it may be killed at any moment and started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from vaecore import lab, permission
from vaecore.errors import StoreError
from vaecore.files import write_json_atomic
from vaecore.lab import LIVE, Here, LabError, Slurm
from vaecore.store import Run, Store
from vaecore.sweeps import keeping as files
from vaecore.sweeps.declared import MAX_RUNS, Grid, Point, Random, Search
from vaecore.sweeps.objective import sign
from vaecore.sweeps.planning import Plan, configuration, judged_from
from vaecore.sweeps.search import choose
from vaecore.sweeps.state import ENDED, Standing, Trial, folder, members, standing
from vaecore.sweeps.stopping import Course, stopped

LOOK = 1.0  # seconds between two looks


def start(store: Store, plan: Plan, where: Here | Slurm | None = None) -> Standing:
    """Keep the sweep and set its process to work; its trainings run `where`, else here.

    Raises `StoreError` where one of that name or its runs are there.
    """
    permission.require("start a sweep")
    sweep = plan.sweep
    if left := members(store, sweep):
        raise StoreError(f"There are runs of an earlier sweep called '{sweep.name}', as {left[0].id}. Choose another "
                         "name, or remove them.")
    files.keep(store, sweep)
    if where is not None:
        files.go_on(store, sweep.name, where)
    files.tending(store, sweep.name).start()
    return standing(store, sweep.name)


def resume(store: Store, name: str, where: Here | Slurm | None = None) -> Standing:
    """Queue what was stopped by hand, lost or failed, as many as may be at once.

    The others follow as there is room; what the sweep itself stopped early stays so. All that is left runs `where`;
    without, where it ran last. Raises `LabError` where it is at work.
    """
    permission.require("resume a sweep")
    now = standing(store, name)
    if now.tended:
        raise LabError(f"The sweep {name} is at work: there is nothing to resume.")
    if where is not None:
        files.go_on(store, name, where)
    again, room = [trial for trial in now.trials if trial.state in ENDED], _room(now)
    if again[:room]:
        lab.submit_together([trial.run.path for trial in again[:room]], files.goes_on(store, name))
    for trial in again[room:]:  # its process queues them: it remembers nothing, so that each says it of itself
        write_json_atomic(trial.run.path / "about.json", {**trial.run.about(), "again": trial.status.attempt})
    files.tending(store, name).start()
    return standing(store, name)


def stop(store: Store, name: str) -> Standing:
    """End its process, take its trainings out of the queue and ask the running ones to save and stop."""
    permission.require("stop a sweep")
    task = files.tending(store, name)
    task.stop()
    deadline = time.monotonic() + 10
    while task.progress().running and time.monotonic() < deadline:  # or it could still queue one
        time.sleep(0.02)
    for trial in standing(store, name).trials:
        if trial.state in LIVE:
            lab.stop(trial.run.path)
    return standing(store, name)


def tend(store: Store, name: str, say: Callable[[str], None] = print) -> Standing:
    """Do what a sweep asks for until nothing is left to do; what is done is said, a line each."""
    permission.require("go on with a sweep")
    made: set[tuple[int, int]] = set()
    while True:
        lab.kick(store.root)
        now = standing(store, name)
        made |= {(trial.number, trial.seed) for trial in now.trials}
        if _end_the_bad(now, say):
            now = standing(store, name)  # or what has just been stopped would be queued
        _queue(store, now, made, say)
        now = standing(store, name)
        live = any(trial.state in LIVE for trial in now.trials)
        # What waits in the queue is trained without this process, unless the bad are to be stopped.
        if not any(trial.state == "new" for trial in now.trials) and not _due(now, made) and not (
                live and (now.judged or isinstance(now.sweep.method, Search))):
            say(now.sentence)
            return now
        time.sleep(LOOK)


# -- queueing --------------------------------------------------------------------------------------


def _queue(store: Store, now: Standing, made: set[tuple[int, int]], say: Callable[[str], None]) -> None:
    """Make and queue as many of what is due as may be at the same time."""
    room = _room(now)
    waiting = [trial.run for trial in now.trials if trial.state == "new"]
    for number, point, seed in _due(now, made):
        if len(waiting) >= room:
            break
        made.add((number, seed))
        place = folder(store, now.sweep, number, seed)
        config = configuration(now.sweep, point, seed)
        if not place.exists():  # or it was made by hand and is none of the sweep's
            waiting.append(store.create(config, place.name, experiment=now.sweep.experiment,
                                        point={"number": number, "values": point, "seed": seed}))
    if queued := waiting[:room]:
        lab.submit_together([run.path for run in queued], files.goes_on(store, now.sweep.name))
        say(f"{len(queued)} training{'s' * (len(queued) != 1)} queued, the last is {queued[-1].id}")


def _room(now: Standing) -> int:
    """How many more of its trainings may be queued."""
    live = sum(trial.state in LIVE for trial in now.trials)
    return max(0, now.sweep.at_once - live) if now.sweep.at_once else now.total


def _due(now: Standing, made: set[tuple[int, int]]) -> list[tuple[int, Point, int]]:
    """(number, point, seed) of what is to be made next, in the order of the queue: all points with a seed, then the
    next seed, so that early on something is known of every point."""
    sweep = now.sweep
    early = {row.number for row in now.rows if any(trial.early for trial in row.trials)}
    missing = [(row.number, row.point, seed) for seed in range(1, sweep.seeds + 1) for row in now.rows
               if (row.number, seed) not in made and row.number not in early]
    if isinstance(sweep.method, Grid | Random) or missing:
        return missing
    at_work = [row for row in now.rows if not row.ended]
    if len(now.rows) >= sweep.method.trials or len(at_work) >= max(1, sweep.at_once // sweep.seeds):
        return []
    upwards = sign(sweep.objective)
    found = [(row, upwards * row.newest) for row in now.rows if row.ended and row.newest is not None]
    worst = min((value for _, value in found), default=0.0)
    failed = [(row.point, worst) for row in now.rows if row.ended and row.newest is None]
    point = choose(sweep.method, sweep.axes, [(row.point, value) for row, value in found] + failed,
                   [row.point for row in at_work])
    number = 1 + max((row.number for row in now.rows), default=0)
    return [(number, point, seed) for seed in range(1, sweep.seeds + 1)] if point is not None else []


# -- ending the bad --------------------------------------------------------------------------------


def _end_the_bad(now: Standing, say: Callable[[str], None]) -> bool:
    """Ask the trainings of points that the rule stops to save and stop, queued ones too; whether any was asked."""
    if not now.judged:
        return False
    asked = False
    for row in now.rows:  # asked already by a process that was killed before it could ask all
        if why := next((trial.early for trial in row.trials if trial.early), ""):
            for trial in row.trials:
                if trial.state in (*LIVE, "new") and not trial.status.stopping and not _resumed(trial):
                    _end(trial, why)
                    asked = True
    by_number = {row.number: row for row in now.rows}
    for number, why in stopped(now.sweep.stopping, courses(now)).items():
        words = f"Stopped early by the sweep {now.sweep.name}: {why}."
        for trial in by_number[number].trials:
            if trial.state in (*LIVE, "new") and not trial.status.stopping:
                _end(trial, words)
                asked = True
        say(f"point {number} is stopped: {why}")
    return asked


def courses(now: Standing) -> dict[int, Course]:
    """What the rule is asked about: every point with its curves, of which larger is better."""
    upwards = sign(now.sweep.objective)
    found = {}
    for row in now.rows:
        schedules = [_schedule(str(trial.run.path), per_epoch) for trial in row.trials
                     if (per_epoch := _steps_per_epoch(trial.run))]
        if not schedules:  # nothing is known of it yet
            continue
        found[row.number] = Course(
            {trial.seed: [(epoch, upwards * value) for epoch, value in trial.curve] for trial in row.trials},
            *max(schedules),
            running=any(trial.state in LIVE for trial in row.trials) and not any(trial.early for trial in row.trials),
            finished=frozenset(trial.seed for trial in row.finished))
    return found


def _end(trial: Trial, why: str) -> None:
    """Note in its `about.json` why it ends, then ask it to; who resumes it later is left alone."""
    about = trial.run.about()
    write_json_atomic(trial.run.path / "about.json", {
        **about, "stopped_early": {"attempt": trial.status.attempt, "why": why}})
    lab.stop(trial.run.path, why=why)


def _resumed(trial: Trial) -> bool:
    """Whether somebody has set it going again after it was stopped early."""
    early: Any = trial.run.about().get("stopped_early")
    return isinstance(early, Mapping) and early.get("attempt") != trial.status.attempt


@lru_cache(maxsize=4 * MAX_RUNS)
def _schedule(folder: str, steps_per_epoch: int) -> tuple[float, float]:
    """From which epoch a run is judged, and how many it has."""
    config = Run(Path(folder)).config()
    return judged_from(config, steps_per_epoch), float(config.training.epochs)


@lru_cache(maxsize=4 * MAX_RUNS)
def _per_epoch(folder: str, stamp: int) -> int:  # noqa: ARG001 (part of the cache's key)
    with suppress(StoreError):
        found = Run(Path(folder)).summary().get("steps_per_epoch")
        return found if isinstance(found, int) and 0 < found < 2**31 else 0
    return 0


def _steps_per_epoch(run: Run) -> int:
    try:
        return _per_epoch(str(run.path), (run.path / "summary.json").stat().st_mtime_ns)
    except OSError:
        return 0
