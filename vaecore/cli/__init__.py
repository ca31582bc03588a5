"""`vaecore ...`: the same verbs as the pages. Facts go to standard output, progress and errors to standard error.

Exit codes: 0 done, 1 the training or the check failed, 2 something asked for is wrong or not there,
3 the training was stopped before its end (resume continues it).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from vaecore.cli.printing import WRONG, err
from vaecore.files import trouble
from vaecore.lab.locks import LabError
from vaecore.store import StoreError

# The verbs by the file that has them, in the order of the help. Only a file that is asked for is imported: what lists
# runs does not wait for what judges them.
VERBS = {
    "training": ("train", "resume", "fork", "stop"),
    "fitting": ("fit-prior",),
    "library": ("runs", "rename", "tag", "note", "pin", "unpin", "archive", "unarchive", "remove", "restore", "trash"),
    "listing": ("show", "log", "presets", "families", "data", "doctor", "version"),
    "evaluating": ("evaluate", "evaluations", "judge"),
    "exporting": ("export", "import", "card", "film"),
    "looking": ("diagnose", "sample", "reconstruct", "traverse"),
    "comparing": ("compare",),
    "moving": ("interpolate", "directions"),
    "mapping": ("map",),
    "crossmodal": ("generate",),
    "encoding": ("encode",),
    "video": ("rollout",),
    "lecture": ("lecture",),
    "talking": ("talk",),
}
GROUPS = {"sentences": ("sentences", "app"), "sweep": ("sweeps", "sweep"),
          "claims": ("studies", "claims"), "experiments": ("studies", "experiments")}


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """The verbs that may be meant by `arguments`: those of one file, or all where they name none."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                      help="Train, store, explore and compare variational autoencoders.")
    verb = next((each for each in arguments if not each.startswith("-")), "")
    named = {*(verb for verbs in VERBS.values() for verb in verbs), *GROUPS}
    for file, verbs in VERBS.items():
        if verb in verbs or verb not in named:
            app.add_typer(import_module(f"vaecore.cli.{file}").app)
    for name, (file, group) in GROUPS.items():
        if verb == name or verb not in named:
            app.add_typer(getattr(import_module(f"vaecore.cli.{file}"), group), name=name)
    return app


def main() -> None:
    """The console script: one line for everything a user can get wrong."""
    try:
        command_line(sys.argv[1:])()
    except (StoreError, LabError) as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(trouble(error))
    except Exception as error:
        names = {kind.__name__ for kind in type(error).__mro__}  # these live beside torch or pydantic
        if not names & {"ConfigError", "DataUnavailable", "BrokenCheckpoint", "NoPrior"}:
            raise
        _give_up(str(error))


def _give_up(message: str) -> None:
    err.print(message, style="red", markup=False, highlight=False)
    sys.exit(WRONG)
