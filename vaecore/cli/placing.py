"""Where a run is to run, on the command line: `--on`, and an option for each field of the places."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from vaecore.lab import Here, Slurm, require_place
from vaecore.lab.where import FIELDS, PLACES, meant
from vaecore.schema import ConfigError, Problem, flag
from vaecore.schema import in_words as described

Command = TypeVar("Command", bound=Callable[..., None])


def placed(command: Command, *, without: tuple[str, ...] = ()) -> Command:
    """Give a command, which takes them as `**places`, the options; `without` those of the fields that are named."""
    def asked(name: str, kind: type, help: str, metavar: str, panel: str = "Where it runs") -> inspect.Parameter:
        option = typer.Option(flag(name), help=help, metavar=metavar, show_default=False, rich_help_panel=panel)
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None,
                                 annotation=Annotated[kind | None, option])

    options = [asked("on", str, "here: in the queue of this machine; slurm: on a cluster. Without, as the last time; "
                     "here at first.", "|".join(PLACES))]
    for name in FIELDS:
        both = name in Here.model_fields
        info = (Here if both else Slurm).model_fields[name]
        number = info.annotation is int
        kind, help, metavar = (int, f"{described(info)} Default: {info.default}.", "N") if number else \
            (str, described(info), "TEXT")
        if name not in without:
            options.append(asked(name, kind, help, metavar, *([] if both else [f"Where it runs: {Slurm.title}"])))
    own = inspect.signature(command, eval_str=True)
    kept = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = own.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
    return command


def chosen(said: Mapping[str, Any], last: Here | Slurm | None = None) -> Here | Slurm | None:
    """The place that the options ask for; None where they ask for none: as the last time.

    Raises `ConfigError` that names the option, and `LabError` where there is no cluster.
    """
    try:
        where = meant(said, last)
    except ConfigError as error:
        raise ConfigError(Problem(flag(each.field), each.value, each.message, each.remedy)
                          for each in error.problems) from None
    require_place(where or last or Here())
    return where
