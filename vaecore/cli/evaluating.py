"""`vaecore evaluate`: a checkpoint judged over a split, part after part; what is found is kept with its settings.

`vaecore judge`: the classifier that says what decoded observations are of, trained once for all runs of the same data.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict
from types import FrameType
from typing import Annotated, Any

import typer

from vaecore import permission
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
    table,
)
from vaecore.cli.progress import progress
from vaecore.evaluate.evaluation import Evaluation, lines
from vaecore.evaluate.parts import title
from vaecore.evaluate.settings import Settings
from vaecore.files import trouble
from vaecore.lab import LabError, background, evaluations
from vaecore.schema import ConfigError, problem
from vaecore.store import Run, StoreError

app = typer.Typer()


@app.command()
@declared(Settings, {"importance_samples": "-k", "observations": "--limit"})
def evaluate(runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or names in the gallery.")],
             *, queue: Annotated[bool, typer.Option("--queue", help="Do it in the background, one after the other; "
                                                    "`vaecore evaluations` shows how far they are.")] = False,
             estimate: Annotated[bool, typer.Option("--estimate", help="Only say which parts have a place in each run, "
                                                    "and how long they take on this machine.")] = False,
             data_path: DataPathOption = "", store: StoreOption = None, as_json: JsonOption = False,
             **asked: Any) -> None:
    """Evidence, log p(x), reconstructions, samples and codes of checkpoints, as evaluation.json beside each.

    Ctrl-C ends it and keeps what is done by then, marked partial (exit code 3). Of several runs one that cannot be
    evaluated is told, and the next is done (exit code 1).
    """
    from vaecore.schema import parse

    settings, place = parse(Settings, asked), store_at(store)
    chosen = [place.find(run) for run in dict.fromkeys(runs)]
    if data_path and (len(chosen) > 1 or queue):
        raise problem("--data-path", data_path, "It is the place of the data of one run.", "Evaluate that run alone.")
    if estimate:
        return _say_offers(chosen, settings, as_json=as_json)
    if queue:
        left_out = evaluations.submit(chosen, settings, store=place)
        for name, why in left_out.items():
            err.print(f"{name} is left out: {why}", highlight=False, markup=False)
        count = len(chosen) - len(left_out)
        say({"queued": count, "left_out": left_out}, as_json,
            f"{count} evaluation{'s' * (count != 1)} queued; `vaecore evaluations` shows how far they are.")
        raise typer.Exit(FAILED if chosen and not count else 0)
    from vaecore.data import DataUnavailable
    from vaecore.training.checkpoints import BrokenCheckpoint

    found, code = list[dict[str, Any]](), 0
    for place_of, run in enumerate(chosen, 1):
        if len(chosen) > 1:
            err.print(f"{run.id}, {place_of} of {len(chosen)}", highlight=False, markup=False)
        try:
            result, ended = _evaluated(run, settings, data_path, as_json=as_json)
        except (StoreError, LabError, ConfigError, DataUnavailable, BrokenCheckpoint) as error:
            if len(chosen) == 1:
                raise
            err.print(str(error), highlight=False, markup=False)
            code = FAILED
            continue
        found += [result] if result else []
        code = ended or code
        if ended == STOPPED:
            break
    if as_json and (found or len(chosen) > 1):
        say(found if len(chosen) > 1 else found[0], True, "")
    if code:
        raise typer.Exit(code)


def _say_offers(runs: list[Run], settings: Settings, *, as_json: bool) -> None:
    """What an evaluation of each would do, and how long it takes here."""
    from vaecore.comparison.durations import span
    from vaecore.evaluate.offer import offer

    found = {run.id: offer(run, settings) for run in runs}
    said = list[str]()
    for name, each in found.items():
        said.append(f"{name}: {span(each.seconds, each.at_most)} on this machine, of {each.observations:,} "
                    f"observations of {settings.split}: " + ", ".join(f"{title(part).lower()} {span(seconds, seconds)}"
                                                         for part, seconds in each.took.items()))
        said += [f"  {', '.join(parts)}: {why}" for why, parts in each.reasons().items()]
    say([{"run": name, "seconds": round(each.seconds, 2), "at_most": round(each.at_most, 2), "parts": each.parts,
          "observations": each.observations, "not_applicable": each.not_applicable} for name, each in found.items()],
        as_json, "\n".join(said))


def _evaluated(run: Run, settings: Settings, data_path: str, *, as_json: bool) -> tuple[dict[str, Any], int]:
    """What was found of one run, kept, and the exit code that says how it ended; told unless as JSON.

    Nothing where it was stopped before anything was found.
    """
    from vaecore import literature
    from vaecore.data.identity import check_there
    from vaecore.evaluate.kept import keep
    from vaecore.evaluate.likelihood import Cancelled
    from vaecore.evaluate.points import Points
    from vaecore.evaluate.report import evaluate_run

    permission.require("evaluate a run")
    if data_path:
        run.relocate(data_path)
    check_there(run.config().data)
    points = Points()
    with background.evaluation(run).alone(), _asked_to_stop() as stopped:
        try:
            with progress(_title) as tell:
                result = evaluate_run(run, settings, progress=tell, cancelled=stopped, points=points)
        except Cancelled:
            err.print("Cancelled before anything was found: nothing is kept.", highlight=False)
            return {}, STOPPED
        try:
            said = f"{background.KEPT}{keep(run, result, points)}"
        except OSError as error:
            said = f"not kept: {trouble(error)}"
    beside = literature.beside(run)
    if not as_json:
        out.print("\n".join(lines(Evaluation.read(result))), highlight=False, markup=False)
        if beside:
            out.print("published\n" + "\n".join(literature.lines(beside)), highlight=False, markup=False)
    if result["partial"]:
        err.print(f"{background.BROKEN_OFF}this result is partial. " + _told(result["missing"]), highlight=False,
                  markup=False)
    err.print(said, highlight=False, markup=False)
    result = {**result, "published": [each.as_dict() for each in beside]}
    return result, STOPPED if result["partial"] else 0 if said.startswith(background.KEPT) else FAILED


@app.command("evaluations")
def queued(*, cancel: Annotated[list[str] | None, typer.Option("--cancel", metavar="RUN", help="Take the evaluations "
                                                               "of a run out of the queue; repeatable.")] = None,
           cancel_all: Annotated[bool, typer.Option("--cancel-all", help="Take all out of the queue.")] = False,
           work: Annotated[bool, typer.Option("--work", help="Work through the queue here, until nothing waits.")
                           ] = False, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """The queue of evaluations: what waits, how far it is, and what has ended since it was last empty.

    With --json a list in the queue's order: id, run, settings, state (waiting, running, done, partial, failed,
    cancelled), detail, part and share of the one that is running.
    """
    place = store_at(store)
    if work:
        evaluations.work(place)
    elif cancel_all:
        evaluations.cancel_all(store=place)
    elif cancel:
        named = {place.find(run).id for run in cancel}
        evaluations.cancel([item.id for item in evaluations.items(place) if item.run in named], store=place)
    else:
        evaluations.kick(place)
    found = evaluations.items(place)
    if as_json:
        say([asdict(item) for item in found], True, "")
    elif found:
        table([{"run": item.run, "state": item.state, "part": f"{title(item.part)}, {item.share:.0%}" if item.part
                else "", "detail": item.detail} for item in found],
              {"run": "Run", "state": "State", "part": "Part", "detail": "Detail"})
    else:
        out.print("No evaluation waits.", highlight=False)


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
