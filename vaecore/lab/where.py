"""Where a run runs: on this machine, in the lab's own queue, or on a cluster. A field of submission, not of the run.

What was asked for last lies in the run's folder as `where.json`, so that resuming asks for the same place again; the
run itself, its configuration and its results know nothing of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError

from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.schema import Strict, option

FILE = "where.json"
NAME = r"^[A-Za-z0-9_.,:@+=-]*$"  # what a word for SLURM may be made of: nothing that a shell would act on


class _Place(Strict):
    processes: int = option(1, "Processes that share the steps of a training, each with its part of every batch.",
                            unit="processes", ge=1, le=64, advanced=True)


class Here(_Place):
    """A place in the queue of this machine."""

    title: ClassVar[str] = "This machine"
    kind: Literal["here"] = "here"


class Slurm(_Place):
    """A place on a cluster with SLURM, whose nodes see the same store."""

    title: ClassVar[str] = "SLURM"
    kind: Literal["slurm"] = "slurm"
    partition: str = option("", "The partition; empty takes the cluster's default.", pattern=NAME, max_length=100)
    account: str = option("", "The account that is charged; empty takes your default.", pattern=NAME, max_length=100)
    time: int = option(60, "Time limit of an attempt. A training that reaches it saves, is queued again and goes on.",
                       unit="minutes", ge=1, le=60 * 24 * 30)
    gpus: int = option(0, "GPUs for each process.", unit="GPUs", ge=0, le=8)
    cpus: int = option(1, "Processor cores for each process.", unit="cores", ge=1, le=256)
    memory: int = option(4, "Main memory on each node.", unit="GiB", ge=1, le=4096)
    nodes: int = option(1, "Nodes over which the processes are spread.", ge=1, le=64, advanced=True)
    at_once: int = option(0, "How many of an array run at the same time; 0 leaves it to the cluster.", unit="runs",
                          ge=0, le=1000, advanced=True)
    extra: str = option("", "What else sbatch is told, as qos=long,constraint=a100.", pattern=NAME, max_length=300,
                        advanced=True)


Where = Annotated[Here | Slurm, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Here | Slurm] = TypeAdapter(Where)


def kept(folder: Path) -> Here | Slurm:
    """Where the run in `folder` was last asked to run; here where nobody said, or where what is said is broken."""
    try:
        found = read_json(folder / FILE, limit=10_000)
        return Here() if found is None else _ADAPTER.validate_python(found)
    except (BrokenFile, ValidationError):
        return Here()


def keep(folder: Path, where: Here | Slurm) -> None:
    """Remember where a run was asked to run."""
    write_json_atomic(folder / FILE, where.model_dump(mode="json"))
