"""How a sweep stands, derived from its file and its runs' folders. Nothing is noted anywhere else. No torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vaecore import lab
from vaecore.errors import StoreError
from vaecore.lab import LIVE, Here, Slurm, Status
from vaecore.library.records import record
from vaecore.probability.intervals import Interval, over_seeds
from vaecore.schema import title_of
from vaecore.store import Run, Store
from vaecore.sweeps import points
from vaecore.sweeps.declared import NoStopping, Point, Sweep, Value, worded
from vaecore.sweeps.keeping import goes_on, kept, tending
from vaecore.sweeps.objective import (
    AFTER,
    ALONG,
    Curve,
    Curves,
    as_text,
    curve,
    heading,
    objective,
    sign,
    titled,
    value,
)
from vaecore.tables import Cell, Column, Table

State = Literal["finished", "early", "running", "queued", "stopped", "failed", "lost", "new", "unknown"]
STATES: dict[State, str] = {
    "finished": "finished", "early": "stopped early", "running": "training", "queued": "waiting", "stopped": "stopped",
    "failed": "failed", "lost": "lost", "new": "not queued", "unknown": "unknown"}
ENDED: tuple[State, ...] = ("stopped", "lost", "failed")  # and may be resumed
_CURVES = Curves()  # of all sweeps that this process looks at: a file is read once, and then what is new of it


@dataclass(frozen=True)
class Trial:
    """One training of a sweep."""

    run: Run
    number: int  # of its point, from 1
    seed: int
    status: Status
    value: float | None  # the objective: of the weights that a finished run keeps, else the newest
    test: float | None  # the same number of the test set, of a finished one
    curve: Curve
    early: str  # why it was stopped before its time by the sweep; empty where it was not
    again: bool = False  # whether it ended, and is to go on as soon as there is room in the queue

    @property
    def state(self) -> State:
        """Where the training stands: as the lab says, or stopped early by the sweep, or about to be queued again."""
        if self.early and self.status.state in ("stopped", "new"):  # new: none has begun it yet, and none will
            return "early"
        return "new" if self.again and not self.early and self.status.state in ENDED else self.status.state


@dataclass(frozen=True)
class Row:
    """A point with its trainings."""

    number: int
    point: Point
    trials: tuple[Trial, ...]
    seeds: int  # that it is to have

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trainings that came to their end."""
        return tuple(trial for trial in self.trials if trial.state == "finished" and trial.value is not None)

    @cached_property
    def interval(self) -> Interval | None:
        """The objective over the seeds that came to their end; None before the first."""
        values = [trial.value for trial in self.finished if trial.value is not None]
        return over_seeds(values) if values else None

    @property
    def test(self) -> float | None:
        """The mean of the same number of the test set."""
        values = [trial.test for trial in self.finished if trial.test is not None]
        return sum(values) / len(values) if values else None

    @property
    def newest(self) -> float | None:
        """The mean of what its trainings say so far, those that have ended among them."""
        values = [trial.value for trial in self.trials if trial.value is not None]
        return sum(values) / len(values) if values else None

    @property
    def complete(self) -> bool:
        """Whether every seed came to its end."""
        return len(self.finished) == self.seeds

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it by itself; of a point that was stopped early further seeds are not."""
        if any(trial.early for trial in self.trials):
            return not any(trial.state in (*LIVE, "new", "lost") for trial in self.trials)
        return len(self.trials) == self.seeds and all(
            trial.state in ("finished", "early", "failed") for trial in self.trials)

    @property
    def state(self) -> State:
        """Where the point stands: what is under way comes before what has ended."""
        states = {trial.state for trial in self.trials}
        order: tuple[State, ...] = ("running", "queued", "unknown", "early", "failed", "lost", "stopped", "new",
                                    "finished")
        found: State = next((state for state in order if state in states), "new")
        return "new" if found == "finished" and len(self.trials) < self.seeds else found


@dataclass(frozen=True)
class Standing:
    """A sweep with all that is known of it now."""

    sweep: Sweep
    rows: tuple[Row, ...]
    tended: bool  # whether its process is at work
    said: str  # the last words of that
    title: str  # of the objective, in this family
    where: Here | Slurm  # its trainings are queued

    @property
    def news(self) -> str:
        """The last words of its process where it has ended and work is left, as that SLURM has refused it."""
        before = self.said.startswith(("At work:", "At rest:", "Done:"))  # how it stood then, which is no news
        return "" if before or self.live or self.tended or self.done else self.said

    @property
    def trials(self) -> list[Trial]:
        """All of its trainings that are there."""
        return [trial for row in self.rows for trial in row.trials]

    @property
    def along(self) -> bool:
        """Whether the number is known while training goes on, and not only by an evaluation."""
        return self.sweep.objective in ALONG

    @property
    def unevaluated(self) -> list[Run]:
        """Runs that are at their end and wait for an evaluation to find the number."""
        return [] if self.along else [trial.run for trial in self.trials
                                      if trial.status.state == "finished" and trial.value is None]

    @property
    def counts(self) -> Counter[State]:
        """How many trainings are in which state; those that are not made yet are new."""
        found = Counter(trial.state for trial in self.trials)
        found["new"] += max(0, self.left)
        return +found

    @property
    def total(self) -> int:
        """How many trainings it has when all are made."""
        return points.count(self.sweep) * self.sweep.seeds

    @property
    def left(self) -> int:
        """How many trainings are still to be made; none of a point that was stopped early."""
        early = sum(self.sweep.seeds - len(row.trials) for row in self.rows if any(t.early for t in row.trials))
        return self.total - len(self.trials) - early

    @property
    def judged(self) -> bool:
        """Whether some may be stopped early."""
        return not isinstance(self.sweep.stopping, NoStopping)

    @property
    def live(self) -> bool:
        """Whether something of it trains, waits or is tended."""
        return self.tended or any(trial.state in LIVE for trial in self.trials)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do: all points have ended."""
        return self.left == 0 and all(row.ended for row in self.rows)

    @property
    def best(self) -> Row | None:
        """The point whose mean over all its seeds is best; None before one has them all."""
        whole = [row for row in self.rows if row.complete and row.interval]
        return max(whole, key=lambda row: sign(self.sweep.objective) * row.interval.mean  # type: ignore[union-attr]
                   , default=None)

    @property
    def sentence(self) -> str:
        """Where the sweep stands, in a sentence."""
        counts = self.counts
        told = ", ".join(f"{counts[state]} {words}" for state, words in STATES.items() if counts[state])
        if self.done:
            wait = len(self.unevaluated)
            return (f"Done: {told}." + (f" {wait} wait for an evaluation that finds {self.title}." if wait else "")
                    + (" Resume tries those that failed again." if counts["failed"] else ""))
        if self.tended or (self.live and not self.left and not self.judged):
            return f"At work: {told}."
        if self.live:
            return f"Its trainings go on, but nothing tends them: resume it. Now {told}."
        return f"At rest: {told}. Resume goes on."

    def table(self) -> Table:
        """A row a point: its fields, how many seeds came to their end, mean ± interval, the test number, the state."""
        each = objective(self.sweep.objective)
        names = titles(self.sweep)
        ranks = all(row.complete for row in self.rows if row.interval)  # or a mean over fewer seeds would seem best
        columns = [Column("point", "Point"),
                   *(Column(field, title, help=field) for field, title in names.items()),
                   Column("n", "n", help="Seeds that came to their end."),
                   Column("value", heading(self.sweep.objective, self.title), unit=each.unit, digits=each.digits,
                          better=each.better if ranks else "",
                          help="Mean over seeds ± the half width of its 95 % interval (Student's t)."),
                   *([Column("newest", "So far", unit=each.unit, digits=each.digits, help="The mean of what all its "
                             "trainings say now, unfinished ones too.")] if any(
                                 row.newest is not None and not row.complete for row in self.rows) else []),
                   *([Column("test", f"Test {self.title}", unit=each.unit, digits=each.digits,
                             help="The same number on the test set, which chose nothing.")] if self.along else []),
                   Column("state", "State"), Column("best", "Best")]
        rows: list[dict[str, Any]] = []
        for row in self.rows:
            interval = row.interval
            why = next((trial.early for trial in row.trials if trial.early), "")
            rows.append({
                "point": row.number, **{field: plain(row.point[field]) for field in names}, "n": len(row.finished),
                "value": Cell(interval.mean, interval.half if math.isfinite(interval.half) else None)
                if interval and row.state != "early" else None,
                "newest": row.newest, "test": row.test,
                "state": Cell(STATES[row.state], note=why), "best": row is self.best})
        return Table(columns, rows, title=self.sweep.name, notes=[
            f"Sweep {self.sweep.name} of {self.sweep.origin or 'a configuration'}: {self.sentence}"])


def standing(store: Store, name: str) -> Standing:
    """How the sweep of that name stands; raises `StoreError` where there is none."""
    sweep = kept(store, name)
    found: dict[int, list[Trial]] = {}
    at: dict[int, Point] = dict(enumerate(points.known(sweep), 1))
    about, waiting = dict[str, Any](), lab.in_line(store.root)
    for run in members(store, sweep):
        about = run.about()
        told = about.get("point")
        if not isinstance(told, dict) or not isinstance(values := told.get("values"), dict):
            continue
        number, seed = told.get("number"), told.get("seed")
        fields = {axis.field for axis in sweep.axes}
        if not isinstance(number, int) or not isinstance(seed, int) or set(values) != fields:
            continue
        point = {field: _value(values[field]) for field in fields}
        if number in at and as_text(at[number]) != as_text(point):
            continue  # of another sweep that was called the same
        if seed not in range(1, sweep.seeds + 1) or any(trial.seed == seed for trial in found.get(number, ())):
            continue  # a copy, or brought back from the trash beside the one that took its place: a seed counts once
        at.setdefault(number, point)
        found.setdefault(number, []).append(_trial(run, sweep, number, seed, about, waiting))
    rows = tuple(Row(number, at[number], tuple(sorted(found.get(number, ()), key=lambda trial: trial.seed)),
                     sweep.seeds) for number in sorted(at))
    progress = tending(store, name).progress()
    said = next((line for line in reversed(progress.lines) if line.strip()), "")
    return Standing(sweep, rows, progress.running, said, titled(sweep.objective, about), goes_on(store, name))


def members(store: Store, sweep: Sweep) -> list[Run]:
    """The runs of a sweep, by their folders' names."""
    try:
        folders = sorted(path for path in (store.root / "runs").glob(f"{sweep.name}-*") if path.is_dir())
    except OSError:
        return []
    return [run for run in map(Run, folders) if run.about().get("experiment") == sweep.experiment]


def titles(sweep: Sweep) -> dict[str, str]:
    """What the fields that are varied are called: by their last part, or whole where two are called the same."""
    short = {axis.field: title_of(_last(axis.field), None) for axis in sweep.axes}
    often = Counter(short.values())
    return {field: title if often[title] == 1 else field for field, title in short.items()}


def plain(value: Value) -> str | int | float | bool:
    """A value for a cell of a table."""
    return worded(value) if isinstance(value, tuple) else value


def _last(field: str) -> str:
    """`latent_size`; of a choice its name, `network` of model.network.kind; `beta value` of training.beta.value."""
    *parents, name = field.split(".")
    if name in ("kind", "family", "name") and parents:
        return parents[-1]
    return f"{parents[-1]} {name}" if len(parents) > 1 else name


def _value(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value


def _trial(run: Run, sweep: Sweep, number: int, seed: int, about: Mapping[str, Any], waiting: Mapping[str, lab.Waits]
           ) -> Trial:
    status = lab.status(run.path, waiting)
    along = curve(_CURVES.of(run), sweep.objective)
    final = test = None
    if status.state == "finished":
        try:
            summary = run.summary()
        except StoreError:
            summary = {}
        final = value(summary.get("validation"), sweep.objective)
        test = value(summary.get("test"), sweep.objective)
        if sweep.objective in AFTER:
            told = record(run).value(sweep.objective)
            final = float(told) if isinstance(told, int | float) else None
    early = about.get("stopped_early")
    why = early.get("why") if isinstance(early, dict) else None
    return Trial(run, number, seed, status, final if final is not None else along[-1][1] if along else None, test,
                 along, why[:300] if isinstance(why, str) else "", about.get("again") == status.attempt)


def folder(store: Store, sweep: Sweep, number: int, seed: int) -> Path:
    """Where the run of a point and a seed lies."""
    return store.root / "runs" / f"{sweep.name}-{number:03d}-s{seed}"
