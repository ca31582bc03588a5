"""`vaecore evaluate`: a checkpoint judged over a split, part after part; what is found is kept with its settings.

`vaecore judge`: the classifier that says what decoded observations are of, trained once for all runs of the same data.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import typer

from vaecore.cli.declared import declared
from vaecore.cli.printing import (
    FAILED,
    STOPPED,
    DataPathOption,
    JsonOption,
    RunArgument,
    StoreOption,
    err,
    out,
    say,
    store_at,
)
from vaecore.cli.progress import progress
from vaecore.evaluate.evaluation import Evaluation, lines
from vaecore.evaluate.parts import title
from vaecore.evaluate.settings import Settings
from vaecore.lab import background
from vaecore.schema import ConfigError, problem

app = typer.Typer()


@app.command()
@declared(Settings, {"importance_samples": "-k", "observations": "--limit"})
def evaluate(run: RunArgument, *, data_path: DataPathOption = "", store: StoreOption = None,
             as_json: JsonOption = False, **asked: Any) -> None:
    """Evidence, log p(x), reconstructions, samples and codes of a checkpoint, as evaluation.json beside it.

    Ctrl-C ends it and keeps what is done by then, marked partial (exit code 3).
    """
    from vaecore.data.identity import check_there
    from vaecore.schema import parse

    settings = parse(Settings, asked)
    found = store_at(store).find(run)
    if data_path:
        found.relocate(data_path)
    check_there(found.config().data)

    from vaecore.evaluate.kept import keep
    from vaecore.evaluate.likelihood import Cancelled
    from vaecore.evaluate.report import evaluate_run

    with background.evaluation(found).alone(), _asked_to_stop() as stopped:
        try:
            with progress(_title) as tell:
                result = evaluate_run(found, settings, progress=tell, cancelled=stopped)
        except Cancelled:
            err.print("Cancelled before anything was found: nothing is kept.", highlight=False)
            raise typer.Exit(STOPPED) from None
        try:
            said = f"{background.KEPT}{keep(found, result)}"
        except OSError as error:
            said = f"not kept: {error.strerror or error}"
    if as_json:
        say(result, True, "")
    else:
        out.print("\n".join(lines(Evaluation.read(result))), highlight=False, markup=False)
    if result["partial"]:
        err.print("Cancelled: this result is partial. " + _told(result["missing"]), highlight=False, markup=False)
    err.print(said, highlight=False, markup=False)
    if result["partial"] or not said.startswith(background.KEPT):
        raise typer.Exit(STOPPED if result["partial"] else FAILED)


@app.command()
def judge(run: RunArgument, *, data_path: DataPathOption = "", store: StoreOption = None, as_json: JsonOption = False
          ) -> None:
    """The judge of a run's data: which it is and how good, from the cache or trained now; pages ask it while you move.

    A run of several modalities has one for each image and vector.
    """
    from vaecore.data.identity import check_there
    from vaecore.explore.judged import judgeable, made
    from vaecore.training.checkpoints import load_model

    found = store_at(store).find(run)
    if data_path:
        found.relocate(data_path)
    data = found.config().data
    check_there(data)
    modalities = load_model(found.path).modalities
    names = judgeable(modalities)
    if not names:
        raise _no_judge(found.id, "it models neither images nor vectors")
    with background.judging(found).alone(), progress(_title) as tell:
        try:
            judges = [made(data, name, modalities[name], lambda done, of: tell(background.JUDGE, done, of))
                      for name in names]
        except ValueError as error:
            raise _no_judge(found.id, str(error)) from None
    facts = {each.modality: {"name": each.name, "accuracy": each.accuracy, "tested": each.tested,
                             "classes": list(each.classes)} for each in judges}
    say(facts, as_json, "\n".join(map(str, judges)))


def _no_judge(run: str, reason: str) -> ConfigError:
    return problem("RUN", run, f"There is no judge of its data: {reason.rstrip('.')}.",
                   "Choose a run of labelled images or vectors.")


# -- while it runs ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; a second one ends the program at once."""
    asked: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _title(part: str) -> str:
    return "Judge" if part == background.JUDGE else title(part)


def _told(missing: dict[str, str]) -> str:
    return "Missing: " + "; ".join(f"{title(part).lower()} ({what})" for part, what in missing.items()) + "."
