"""How far a training is, as a terminal or a notebook shows it: a bar, and a line for each evaluation. No torch here."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vaecore.evaluate.meaning import word
from vaecore.lab.control import Control
from vaecore.store import Metrics, Run

if TYPE_CHECKING:
    from vaecore.data.converted import Progress as Converted


def training_bar(console: Console) -> Progress:
    """A bar that counts training steps."""
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"),
                    TimeRemainingColumn(), console=console,
                    refresh_per_second=10 if console.file.isatty() else 2)  # a notebook keeps all that is written to it


class Preparing:
    """A bar that shows how far the converting of data is, from its first word to its last; for `converted.watched`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._drawn = 0.0

    def __call__(self, progress: Converted) -> None:
        if progress.done >= progress.total:
            return self.close()
        if self._bar is None:
            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
                                 console=self._console, transient=True,
                                 refresh_per_second=10 if self._console.file.isatty() else 2)
            self._bar.start()
            self._task = self._bar.add_task("", total=progress.total)
        if time.monotonic() > self._drawn + 0.1:
            self._drawn = time.monotonic()
            self._bar.update(self._task, description=str(progress), completed=progress.done, total=progress.total)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@contextlib.contextmanager
def preparing(console: Console) -> Iterator[None]:
    """Show meanwhile how far data are that have to be converted first."""
    from vaecore.data.converted import watched

    bar = Preparing(console)
    try:
        with watched(bar):
            yield
    finally:
        bar.close()


class EvaluationLines:
    """Evaluations of a training run in words, each told once; those of an earlier attempt are not news."""

    def __init__(self, run: Run) -> None:
        self._metrics = Metrics(run.path / "metrics.jsonl")
        self._metrics.update()
        self._exact = run.about().get("exact") is True
        self._told = len(self._metrics.evaluations)

    def new(self) -> list[str]:
        """The lines of evaluations that were written since the last call."""
        self._metrics.update()
        lines = [evaluation_line(values, self._exact) for values in self._metrics.evaluations[self._told:]]
        self._told = max(self._told, len(self._metrics.evaluations))
        return lines


def evaluation_line(values: dict[str, Any], exact: bool) -> str:
    """What an evaluation found, in the words of its family: only one with a KL has a bound."""
    reconstruction, kl = sum(values["reconstruction"].values()), sum(map(sum, values["kl"].values()))
    terms = f"   log p(x|z) {reconstruction:9.2f}   KL {kl:7.2f}" if values["kl"] else ""
    return (f"epoch {values['epoch']:6.1f}   validation {word(has_kl=bool(values['kl']), exact=exact)} "
            f"{values['elbo']:9.2f}{terms} nats")


class Watched(Control):
    """A control that draws the bar, and tells the evaluations, of a training in this process."""

    def __init__(self, run: Run, bar: Progress) -> None:
        super().__init__(run.path)
        self._lines, self._bar = EvaluationLines(run), bar
        self._task, self._drawn = bar.add_task("running", total=None), 0.0

    def progress(self, step: int, total: int, epoch: float) -> None:
        super().progress(step, total, epoch)
        if time.monotonic() > self._drawn + 0.1:
            self.draw()

    def preparing(self, progress: Converted) -> None:
        super().preparing(progress)
        if time.monotonic() > self._drawn + 0.1:
            self._drawn = time.monotonic()
            self._bar.update(self._task, description=str(progress))

    def draw(self) -> None:
        """Bring bar and lines to where the training is."""
        self._drawn = time.monotonic()
        for line in self._lines.new():
            self._bar.console.print(line, highlight=False, soft_wrap=True)
        self._bar.update(self._task, description="running", completed=self.step, total=self.total or None)


def here(*, silent: bool) -> Console:
    """Where progress of this process is shown: the terminal's standard error, or the notebook's cell."""
    console = Console(quiet=silent)
    if not console.is_jupyter:
        return Console(file=sys.stderr, quiet=silent)
    if importlib.util.find_spec("ipywidgets"):
        return console
    return Console(file=sys.stdout, quiet=silent, force_jupyter=False, force_terminal=True, width=100)
