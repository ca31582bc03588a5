"""What runs cost: seconds of training, numbers learned, memory, and seconds to infer and to sample. No torch.

Seconds compare only on one device, with as many threads and processes, where steps are taken alike; those of an
evaluation only on one processor. Where they differ, nothing ranks, and the notes say so. The peak of memory is that of
the process that trained, data included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vaecore.evaluate.kept import newest
from vaecore.evaluate.parts.cost import Cost as Measured
from vaecore.evaluate.results import Better, finite
from vaecore.library.headline import Summary
from vaecore.store import Run, StoreError
from vaecore.tables import Column, Row, Table
from vaecore.untrusted import Whole, Word

MEGABYTE = 10**6
CAPTURED = "captured"  # what a training says of graphs where it had one


class Recorded(Summary):
    """What `summary.json` says of the cost."""

    device: Word = ""
    threads: Whole | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: Whole | None = None
    stacked: Whole = 1
    processes: Whole = 1
    graphs: Word = ""


@dataclass(frozen=True)
class Cost:
    """The cost of one run; None for what its files do not tell."""

    run: str
    seconds: float | None = None  # of training, evaluations included
    cpu_seconds: float | None = None  # of the process that trained, all its threads together
    steps: int | None = None
    device: str = ""
    threads: int | None = None
    parameters: int | None = None
    peak_memory: int | None = None  # bytes
    weights: int | None = None  # bytes of the file
    stacked: int = 1  # models that shared the process, its seconds and its memory
    processes: int = 1  # that shared each step
    captured: bool = False  # whether the step was captured as a CUDA graph
    infer_seconds: float | None = None  # an observation, many at a time
    infer_passes: int | None = None
    sample_seconds: float | None = None
    sample_passes: int | None = None
    processor: str = ""  # on which these were measured, with threads

    @property
    def seconds_a_step(self) -> float | None:
        """Seconds of training by step; None of a training without steps."""
        return self.seconds / self.steps if self.seconds is not None and self.steps else None


def cost(run: Run) -> Cost:
    """What a run cost, by its files."""
    try:
        told = Recorded.kept(run.summary())
    except StoreError:
        told = Recorded()
    evaluated = newest(run, Measured)
    measured = evaluated.of(Measured) if evaluated else None
    weights = run.weights.stat().st_size if run.weights.is_file() else None
    seconds = finite(told.seconds)
    return Cost(run.id, seconds, finite(told.cpu_seconds), told.step, told.device, told.threads, told.parameters,
                told.peak_memory_bytes, weights, told.stacked, told.processes, told.graphs == CAPTURED,
                *((None, None, None, None, "") if measured is None else (
                    measured.inference_seconds, measured.inference_passes, measured.sampling_seconds,
                    measured.sampling_passes, f"{measured.processor[:60]}, {measured.threads or '?'} "
                    f"thread{'s' * (measured.threads != 1)}")))


def table(costs: Sequence[Cost]) -> Table:
    """The costs, a row a run; columns of which no run tells anything are left out."""
    trained = {(each.device, each.threads, each.stacked, each.processes, each.captured) for each in costs
               if each.seconds is not None}
    measured = {each.processor for each in costs if each.processor}
    ranks: Better = "lower" if len(trained) == 1 else ""
    columns = [
        Column("run", "Run"),
        Column("seconds", "Training", "s", 1, ranks, help="Seconds of training, evaluations included."),
        Column("cpu_seconds", "CPU", "s", 1, ranks, help="Seconds that the processor was at work in training, all "
               "threads together: what else the machine does adds nothing."),
        Column("steps", "Steps", help="Updates of the weights; 0 where solved in closed form."),
        Column("step_ms", "A step", "ms", 2, ranks, help="Training by its steps, evaluations included."),
        Column("device", "Device", help="Where it was trained."),
        Column("threads", "Threads", help="Of the processor, in training; in each process where there were several."),
        Column("processes", "Processes", help="Processes that shared each step of the training."),
        Column("graphs", "CUDA graphs", help="Whether the training step was captured once and replayed."),
        Column("parameters", "Parameters", help="Numbers learned from the data."),
        Column("peak_memory", "Peak memory", "MB", 0, ranks, help="The most memory that the process took which "
               "trained it, data and libraries included; on a GPU that of the device."),
        Column("weights", "Weights", "MB", 2, help="Size of the file of weights."),
        Column("infer_ms", "Infer", "ms", 3, "lower" if len(measured) == 1 else "", help="From an observation to its "
               "code, many at a time."),
        Column("infer_passes", "Passes to infer", help="Passes through a network, one after another."),
        Column("sample_ms", "Sample", "ms", 3, "lower" if len(measured) == 1 else "", help="From nothing to an "
               "observation, many at a time."),
        Column("sample_passes", "Passes to sample", help="Passes through a network, one after another."),
        Column("processor", "Measured on", help="The processor and threads of the last two."),
    ]
    several, graphs = any(each.processes > 1 for each in costs), any(each.captured for each in costs)
    rows = [_row(each, several=several, graphs=graphs) for each in costs]
    told = [column for column in columns if any(row.get(column.key) not in (None, "") for row in rows)]
    notes = []
    if len(trained) > 1:
        ways = ("devices", "numbers of threads", "sizes of a stack", "numbers of processes", "ways to take a step")
        unlike = [way for way, values in zip(ways, zip(*trained, strict=True), strict=True) if len(set(values)) > 1]
        notes.append(f"They were trained with different {' and '.join(unlike)}: seconds and memory do not compare.")
    if any(each.processes > 1 for each in costs):
        notes.append("The memory of what several processes trained is that of the first.")
    if any(each.stacked > 1 for each in costs):
        notes.append("Seconds and memory of what was trained stacked are those of the process that all models shared.")
    if len(measured) > 1:
        notes.append("Inference and sampling were measured on different processors: their seconds do not compare.")
    return Table(told, rows, "Cost", notes)


def _row(each: Cost, *, several: bool, graphs: bool) -> Row:
    """The row of a run; how many processes it took is told beside such as took `several`, and likewise `graphs`."""
    def scaled(value: float | None, by: float) -> float | None:
        return None if value is None else value * by

    row: dict[str, Any] = {
        "run": each.run, "seconds": each.seconds, "cpu_seconds": each.cpu_seconds, "steps": each.steps,
        "step_ms": scaled(each.seconds_a_step, 1e3),
        "device": each.device, "threads": each.threads, "parameters": each.parameters,
        "processes": each.processes if several else None, "graphs": ("yes" if each.captured else "no") * graphs,
        "peak_memory": scaled(each.peak_memory, 1 / MEGABYTE), "weights": scaled(each.weights, 1 / MEGABYTE),
        "infer_ms": scaled(each.infer_seconds, 1e3), "infer_passes": each.infer_passes,
        "sample_ms": scaled(each.sample_seconds, 1e3), "sample_passes": each.sample_passes,
        "processor": each.processor}
    return row
