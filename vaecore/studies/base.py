"""What a study is, how its experiment is run, and how the result is kept in `trained/claims/`.

Most are claims: what a paper states and how it could be refuted, by an experiment with a pass rule fixed beforehand.
The result is kept whichever way it comes out.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vaecore import __version__, permission, shared_stores
from vaecore.config import RunConfig
from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.lab.locks import training_lock
from vaecore.probability.intervals import Interval
from vaecore.store import Metrics, Run, Store
from vaecore.studies.columns import COLUMNS
from vaecore.studies.exhibit import Exhibit
from vaecore.studies.series import DAMAGED, Series

if TYPE_CHECKING:
    from vaecore.training.fork import Anew

Verdict = Literal["reproduced", "not reproduced"]
Row = Mapping[str, float | int | str]
MAX_RESULT_BYTES = 4_000_000  # of a kept result
NICE_THREADS = 1  # bits, and so results, depend on the number of threads


class Cancelled(Exception):
    """Somebody asked the experiment to stop; nothing is kept of it."""


@dataclass(frozen=True)
class Finding:
    """What an experiment found: a verdict by the claim's rule, a sentence with the numbers, and the numbers."""

    reproduced: bool
    summary: str
    table: Sequence[Row]
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)  # for a figure of its own
    note: str = ""  # what a reader has to know besides
    intervals: Mapping[str, Interval] = field(default_factory=dict)  # what the rule asks the ends of, by what it is
    seeds: int = 0  # of its trainings or simulations; 0 where the table has a column "seed", or there is one


@dataclass(frozen=True)
class Study:
    """One question. With a rule it is a claim that can be refuted; with a series a user can queue its trainings."""

    id: str  # of a claim as papers and pages name it: C13
    title: str
    says: str = ""  # what the paper says
    source: str = ""
    experiment: str = ""  # what is done here
    rule: str = ""  # when it counts as reproduced, fixed before it was run
    minutes: float = 0.0  # about how much CPU time it takes
    run: Callable[[Bench], Finding] | None = None
    published: str = ""  # what others published that supports or contradicts it, with source and setting
    exhibit: Callable[[Result], Exhibit | None] | None = None  # of a kept result, where its table does not say all
    series: Series | None = None
    columns: Mapping[str, str] = field(default_factory=dict)  # what those of its table mean, beyond `COLUMNS`

    def meaning(self, column: str) -> str | None:
        """What a column of its table means: by its name, or by what stands before its first comma."""
        told = {**COLUMNS, **self.columns}
        return told.get(column) or told.get(column.partition(",")[0])

    def shown(self, result: Result) -> Exhibit | None:
        """What there is to see of a kept result beside its table; None too where its numbers cannot be drawn."""
        try:
            return self.exhibit(result) if self.exhibit else None
        except (*DAMAGED, ZeroDivisionError):  # a file may hold any numbers
            return None

    @property
    def topic(self) -> str:
        """The study's name among the experiments."""
        return self.series.title or self.title if self.series else self.title


@dataclass(frozen=True)
class Result:
    """A finding with what makes it mean something."""

    claim: str  # the study's id
    verdict: Verdict
    summary: str
    table: list[dict[str, Any]]  # numbers and texts; None for a number that is none
    curves: dict[str, list[float]]
    note: str
    date: str
    seconds: float
    device: str
    torch: str
    vaecore: str
    rule: str = ""  # by which it was judged: thresholds do not move silently
    cpu_seconds: float = 0.0  # of this process, which others on the machine do not lengthen; 0 where not measured
    seeds: int = 1
    intervals: dict[str, list[float]] = field(default_factory=dict)  # lower end, mean, upper end; 95 % over seeds

    def by_rule_of(self, study: Study) -> bool:
        """Whether the result was judged by the study's present rule: what an earlier one said is no verdict now."""
        return self.rule == study.rule

    def spans(self) -> str:
        """Seeds and intervals in words: "3 seeds; gain 2.1 [1.4, 2.8]"."""
        many = "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
        return "; ".join([many, *(f"{name} {mean:.3g} [{low:.3g}, {high:.3g}]"
                                  for name, (low, mean, high) in self.intervals.items())])


def minutes(study: Study, result: Result | None) -> float:
    """About how many minutes of CPU time a study takes.

    They are as measured, where its kept result is of the present rule and says so; otherwise its own estimate.
    """
    if result and result.cpu_seconds > 0 and result.by_rule_of(study):
        return result.cpu_seconds / 60
    return study.minutes


def about(study: Study, result: Result | None) -> str:
    """Minutes of CPU time as a person says them: "about 25 CPU minutes", "under 1 CPU minute"."""
    words = in_words(minutes(study, result))
    return words if words.startswith("under") else f"about {words}"


def in_words(minutes: float) -> str:
    """Minutes as a person says them: "under 1 CPU minute", "25 CPU minutes"."""
    if minutes < 0.95:
        return "under 1 CPU minute"
    return "1 CPU minute" if round(minutes) == 1 else f"{minutes:.0f} CPU minutes"


class Bench:
    """Where an experiment trains its runs: a temporary store, or the user's, where they can be looked at later."""

    def __init__(self, folder: Path, *, progress: Callable[[str], object] = print,
                 cancelled: Callable[[], bool] = lambda: False, keep: Store | None = None, study: str = "") -> None:
        self.store = keep or Store(folder)
        self.say, self.cancelled, self.study = progress, cancelled, study
        self._step = (0, 0)

    def train(self, label: str, config: RunConfig) -> Run:
        """Train a run to its end, on one CPU thread so that the result is the same on the same machine."""
        return self._trained(label, self._made(label, config))

    def fork(self, label: str, parent: Run, config: RunConfig, *, anew: Anew | None = None) -> Run:
        """Train, as `train` does, a run that begins with the kept weights of `parent`, but for what begins `anew`."""
        from vaecore.training.fork import fork

        return self._trained(label, fork(self.store, parent, "best", _here(config), self._name(label), anew=anew,
                                         experiment=self.study))

    def _trained(self, label: str, run: Run) -> Run:
        from vaecore.training import train

        self.say(f"training {label}")
        with training_lock(run.path):  # in the user's store others look at it, and might resume or remove it
            outcome = train(run.path, self)
        if outcome != "finished":
            raise Cancelled
        return run

    def train_all(self, wanted: Mapping[str, RunConfig]) -> dict[str, Run]:
        """Train a run for each label; those that differ in seeds and numbers of the training alone are stacked.

        What is found is what `train` finds, but for the last digits: sums are taken in another order.
        """
        from vaecore.training.stacked import groups, train_stacked

        runs: dict[str, Run] = {}
        for labels in groups(wanted):
            if len(labels) == 1:
                runs[labels[0]] = self.train(labels[0], wanted[labels[0]])
                continue
            self.say(f"training {', '.join(labels)}")
            for label in labels:
                runs[label] = self._made(label, wanted[label])
            with ExitStack() as locks:
                for label in labels:
                    locks.enter_context(training_lock(runs[label].path))
                train_stacked([runs[label].path for label in labels], [self] * len(labels), _ended)
        return {label: runs[label] for label in wanted}

    def _made(self, label: str, config: RunConfig) -> Run:
        return self.store.create(_here(config), self._name(label), experiment=self.study)

    def metrics(self, run: Run) -> Metrics:
        """Everything the run has written."""
        metrics = Metrics(run.path / "metrics.jsonl")
        metrics.update()
        return metrics

    def check(self) -> None:
        """Raise `Cancelled` where somebody asked for it: for what takes long besides training."""
        if self.cancelled():
            raise Cancelled

    def stop_requested(self) -> bool:
        return self.cancelled()

    def progress(self, step: int, total: int, epoch: float) -> None:
        """Say so at every tenth of a training."""
        if step and total and 10 * step // total > 10 * self._step[0] // max(1, self._step[1]) and step < total:
            self.say(f"  step {step:,} of {total:,}")
        self._step = (step % total if total else 0, total)

    def _name(self, label: str) -> str:
        base = f"{self.study.lower()}-{label}" if self.study else label
        taken = {run.id for run in self.store.runs()}
        return next(name for name in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if name not in taken)


def _here(config: RunConfig) -> RunConfig:
    training = config.training.model_copy(update={"threads": NICE_THREADS, "device": "cpu"})
    return config.model_copy(update={"training": training})


def _ended(_place: int, how: Literal["finished", "stopped"] | Exception) -> None:
    """Pass on what ended a member of a stack, where that is not the end of its training."""
    if isinstance(how, Exception):
        raise how
    if how != "finished":
        raise Cancelled


def run_study(study: Study, store: Store, *, progress: Callable[[str], object] = print,
              cancelled: Callable[[], bool] = lambda: False, keep_runs: bool = False) -> Result:
    """Run the experiment, keep and return its result; `keep_runs` leaves its trainings in the store.

    Raises `Cancelled`, `DataUnavailable`, or what a training raises; nothing is kept then. Raises `ValueError` for a
    study without an experiment of its own.
    """
    import torch

    permission.require("run a study")
    if study.run is None:
        raise ValueError(f"{study.id} has no experiment that is run by itself: start its trainings instead.")
    start, used = time.monotonic(), time.process_time()
    torch.set_flush_denormal(True)  # as the training worker does
    try:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), progress=progress, cancelled=cancelled, keep=store if keep_runs else None,
                          study=study.id)
            found = study.run(bench)
    finally:
        torch.set_flush_denormal(False)
    result = Result(
        study.id, "reproduced" if found.reproduced else "not reproduced", found.summary,
        [{name: _cell(value) for name, value in row.items()} for row in found.table],
        {name: list(values) for name, values in found.curves.items() if all(map(math.isfinite, values))}, found.note,
        time.strftime("%Y-%m-%d"), round(time.monotonic() - start, 1), f"CPU, {NICE_THREADS} thread",
        torch.__version__, __version__, study.rule, round(time.process_time() - used, 1),
        found.seeds or seeds_of(found.table),
        {name: [each.low, each.mean, each.high] for name, each in found.intervals.items()
         if math.isfinite(each.half)})
    store.claims.mkdir(parents=True, exist_ok=True)
    write_json_atomic(store.claims / f"{study.id}.json", asdict(result))
    return result


def _cell(value: Any) -> float | int | str | None:
    """A cell of a table as a file holds it: a number that is none is left empty."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, int | float) else str(value)[:200]


def seeds_of(table: Sequence[Row | Mapping[str, object]]) -> int:
    """How many seeds the rows are of."""
    return max(1, len({str(row["seed"]) for row in table if "seed" in row}))


def kept(store: Store, study: str) -> Result | None:
    """The kept result of a study by its id, the store's own or else the one that comes with the project.

    None where there is neither, or where the file cannot be read.
    """
    own, shipped = store.claims / f"{study}.json", shared_stores.shipped()
    try:
        values = read_json(own, MAX_RESULT_BYTES)
        if values is None and shipped is not None:
            values = read_json(shipped.parent / "claims" / own.name, MAX_RESULT_BYTES)
        return None if values is None or values["claim"] != study else _checked(values)
    except (BrokenFile, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _checked(values: dict[str, Any]) -> Result:
    """A result from a file that may come from anywhere."""
    verdict = values["verdict"]
    if verdict not in ("reproduced", "not reproduced"):
        raise ValueError(verdict)
    table = [{str(k)[:80]: _cell(v) for k, v in list(row.items())[:30]} for row in values["table"][:500]]
    curves = {str(k)[:80]: [float(v) for v in part] for k, part in values["curves"].items()}
    curves = {name: part for name, part in curves.items() if all(map(math.isfinite, part))}
    words = {name: str(values.get(name, ""))[:2000]
             for name in ("claim", "rule", "summary", "note", "date", "device", "torch", "vaecore")}
    used, seeds = float(values.get("cpu_seconds", 0)), int(values.get("seeds", 0)) or seeds_of(table)
    if not (math.isfinite(used) and used >= 0 and seeds > 0):
        raise ValueError(f"cpu_seconds {used}, seeds {seeds}")
    intervals = {str(k)[:200]: [float(v) for v in part] for k, part in list(values.get("intervals", {}).items())[:30]}
    if any(len(part) != 3 or not all(map(math.isfinite, part)) for part in intervals.values()):
        raise ValueError("an interval is a lower end, a mean and an upper end")
    return Result(verdict=verdict, table=table, curves=curves, seconds=float(values["seconds"]), cpu_seconds=used,
                  seeds=seeds, intervals=intervals, **words)
