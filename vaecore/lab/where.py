"""Where a run runs: on this machine, in the lab's own queue, or on a cluster. A field of submission, not of the run.

What was asked for last lies in the run's folder as `where.json`, so that resuming asks for the same place again; the
run itself, its configuration and its results know nothing of it. It also says who asked, and in which folder: a copy
of a colleague's run, or of one's own from another machine, is not sent to a partition or over processes that are there.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.lab.scheduler import me
from vaecore.schema import Strict, option, parse, problem

FILE = "where.json"
NAME = r"^[A-Za-z0-9_.,:@+=-]*$"  # what a word for SLURM may be made of: nothing that a shell would act on
FURTHER = {"qos", "constraint", "reservation", "exclude", "nodelist", "gres", "licenses", "exclusive", "nice", "begin",
           "comment", "hint", "switches", "tmp", "mail-type", "mail-user", "dependency", "wckey"}


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
                       title="Time limit", unit="minutes", ge=1, le=60 * 24 * 30)
    gpus: int = option(0, "GPUs for each process.", title="GPUs", unit="GPUs", ge=0, le=8)
    cpus: int = option(1, "Processor cores for each process.", title="Cores", unit="cores", ge=1, le=256)
    # Nodes that are sold as having 4 GiB offer a little less.
    memory: int = option(3, "Main memory on each node.", unit="GiB", ge=1, le=4096)
    nodes: int = option(1, "Nodes over which the processes are spread.", unit="nodes", ge=1, le=64, advanced=True)
    at_once: int = option(0, "How many of an array run at the same time; 0 leaves it to the cluster.",
                          title="Runs at once", unit="runs at once", ge=0, le=1000, advanced=True)
    extra: str = option("", "What else sbatch is told, as qos=long,constraint=a100.", pattern=NAME, max_length=300,
                        advanced=True)

    @field_validator("nodes")
    @classmethod
    def _evenly(cls, nodes: int, info: ValidationInfo) -> int:
        processes = info.data.get("processes", nodes)  # absent where it is wrong by itself
        if processes % nodes:
            raise ValueError(f"{processes} processes cannot be spread evenly over {nodes} nodes. Use a number of "
                             "processes that is a multiple of the nodes.")
        return nodes

    @field_validator("extra")
    @classmethod
    def _let_through(cls, extra: str) -> str:
        for name in further(extra):
            if name not in FURTHER:
                raise ValueError(f"{name!r} is no option that is passed on. Use some of {', '.join(sorted(FURTHER))}.")
        return extra


def further(extra: str) -> dict[str, str | bool]:
    """What is written as qos=long,exclusive, by name: the options that sbatch is told besides."""
    parts = (part.strip("-").partition("=") for part in extra.split(",") if part)
    return {name: value if equals else True for name, equals, value in parts}


Where = Annotated[Here | Slurm, Field(discriminator="kind")]
PLACES: dict[str, type[Here | Slurm]] = {"here": Here, "slurm": Slurm}


class Submission(Strict):
    """How a training is asked for, beside what it is."""

    where: Where = option(Here(), "On which machines it trains.", title="Where it runs")


def kept(folder: Path, file: str = FILE) -> Here | Slurm:
    """Where the run in `folder` was last asked to run.

    Here where nobody said, where what is said is broken, and where it was said `elsewhere`.
    """
    said, ours = _said(folder, file)
    return said if ours else Here()


def elsewhere(folder: Path, file: str = FILE) -> Here | Slurm | None:
    """Where a run that was copied to here had been asked to run; None for one of ours, and for what is usual."""
    said, ours = _said(folder, file)
    return None if ours or said == Here() else said


def _said(folder: Path, file: str) -> tuple[Here | Slurm, bool]:
    """What the file says, and whether it was said of this very folder, by this user or from this machine."""
    try:
        found = read_json(folder / file, limit=10_000)
        if not isinstance(found, dict):
            return Here(), True
        by = found.pop("by", None)
        said = Submission.model_validate({"where": found}).where
    except (BrokenFile, ValidationError):
        return Here(), True
    us = _us(folder)
    return said, isinstance(by, dict) and by.get("folder") == us["folder"] and (
        by.get("user") == us["user"] or by.get("host") == us["host"])


def _us(folder: Path) -> dict[str, str]:
    return {"folder": str(folder.resolve()), "user": me(), "host": socket.gethostname()}


def keep(folder: Path, where: Here | Slurm, file: str = FILE) -> None:
    """Remember where a run was asked to run, and who asked."""
    write_json_atomic(folder / file, {**where.model_dump(mode="json"), "by": _us(folder)})


def asked(where: Here | Slurm) -> dict[str, str]:
    """The place as options of the command line and parameters of an address, by name; fields as usual are left out."""
    usual = type(where)()
    return {"on": where.kind, **{name: str(value) for name, value in where
                                 if name != "kind" and value != getattr(usual, name)}}


def meant(said: Mapping[str, Any], last: Here | Slurm | None = None) -> Here | Slurm | None:
    """The place that options or parameters ask for, beside which others may stand; None where they ask for none.

    What is not said is as in `last`, where that is a place of the same kind. Raises `ConfigError` that names the option
    for a place that there is not, a field that it has not, and a value that cannot be used.
    """
    fields = {name: said[name] for name in FIELDS if said.get(name) is not None}
    kind = said.get("on") or ""
    if not kind and not fields:
        return None
    base = last if last is not None and kind in ("", last.kind) else PLACES.get(kind or "here", Here)()
    if kind and kind not in PLACES:
        raise problem("on", kind, f"'{kind}' is no place.", f"Choose one of {', '.join(PLACES)}.")
    for name, value in fields.items():
        if name not in type(base).model_fields:
            raise problem(name, value, f"{base.title} has no such field.", "Say --on slurm too.")
    return parse(type(base), {**base.model_dump(), **fields})


def in_words(where: Here | Slurm) -> str:
    """A place in a few words, as "SLURM, partition gpu, 120 minutes"."""
    said = []
    for name in list(asked(where))[1:]:
        info, value = type(where).model_fields[name], getattr(where, name)
        extra = info.json_schema_extra
        unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
        said.append(f"{value} {unit.removesuffix('s') if value == 1 else unit}" if unit else f"{name} {value}")
    return ", ".join([where.title, *said])


def demand(where: Slurm) -> str:
    """What a job asks of its nodes, in words, as "3 GiB and 1 core on a node for 60 minutes"."""
    each = where.processes // where.nodes
    cores, gpus = where.cpus * each, where.gpus * each
    parts = [f"{where.memory} GiB", *([f"{gpus} GPU{'s' * (gpus != 1)}"] if gpus else [])]
    return (f"{', '.join(parts)} and {cores} core{'s' * (cores != 1)} on "
            f"{f'each of {where.nodes} nodes' if where.nodes > 1 else 'a node'} for {where.time} "
            f"minute{'s' * (where.time != 1)}")


def one_by_one(where: Here | Slurm) -> str:
    """Why several runs are not trained stacked there, as the end of a sentence; empty where they may be."""
    if isinstance(where, Slurm):
        return "on a cluster each is a job of its own"
    return f"{where.processes} processes share each of them" if where.processes > 1 else ""


FIELDS = tuple(name for name in {**Here.model_fields, **Slurm.model_fields} if name != "kind")
