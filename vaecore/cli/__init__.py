"""`vaecore ...`: the same verbs as the pages. Facts go to standard output, progress and errors to standard error.

Exit codes: 0 done, 1 the training or the check failed, 2 something asked for is wrong or not there,
3 the training was stopped before its end (resume continues it).
"""

from __future__ import annotations

import sys

import typer

from vaecore import lab
from vaecore.cli import crossmodal, evaluating, listing, looking, sentences, studies, training, video
from vaecore.cli.printing import WRONG, err
from vaecore.store import StoreError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Train, store, explore and compare variational autoencoders.")
for part in (training, listing, evaluating, looking, crossmodal, video):
    app.add_typer(part.app)
app.add_typer(sentences.app, name="sentences")
app.add_typer(studies.claims, name="claims")
app.add_typer(studies.experiments, name="experiments")


def main() -> None:
    """The console script: one line for everything a user can get wrong."""
    from vaecore.schema import ConfigError

    try:
        app()
    except (ConfigError, StoreError, lab.LabError) as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except Exception as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        if not names & {"DataUnavailable", "BrokenCheckpoint", "NoPrior"}:  # these live beside torch
            raise
        _give_up(str(error))


def _give_up(message: str) -> None:
    err.print(message, style="red", markup=False, highlight=False)
    sys.exit(WRONG)
