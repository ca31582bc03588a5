"""`vaecore claims ...` and `vaecore experiments ...`: what papers say, tried out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaecore import lab
from vaecore.cli import placing
from vaecore.cli.printing import FAILED, Head, JsonOption, StoreOption, err, lines, out, say, store_at

if TYPE_CHECKING:
    from vaecore.studies import Result, Study

claims = typer.Typer(no_args_is_help=True, help="What papers claim: list, try, report.")
experiments = typer.Typer(no_args_is_help=True, help="Several runs that differ in what is to be seen.")

@claims.command("list")
def list_claims(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """The claims, what each says, and how it came out here."""
    from vaecore.studies import CLAIMS, kept, minutes

    here = store_at(store)
    rows = []
    for claim in CLAIMS.values():
        result = kept(here, claim.id)
        rows.append({"claim": claim.id, "title": claim.title, "source": claim.source,
                     "minutes": round(minutes(claim, result), 1), "verdict": verdict(claim, result),
                     "date": result.date if result else ""})
    if as_json:
        return say(rows, True, "")
    columns = {"claim": "claim", "verdict": "verdict", "minutes": "CPU minutes", "date": "date", "title": "title"}
    lines([Head(title, name == "minutes", name != "title") for name, title in columns.items()],
          [[f"{value:g}" if isinstance(value := row[name], float) else str(value) for name in columns] for row in rows])


@claims.command("run")
def run_claims(
    names: Annotated[list[str], typer.Argument(metavar="CLAIM...", help="Ids such as C13, or all.")],
    keep_runs: Annotated[bool, typer.Option("--keep-runs", help="Leave the trainings among your runs.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run experiments and keep their results, whichever way they come out."""
    from vaecore.data import DataUnavailable
    from vaecore.lab import background
    from vaecore.studies import CLAIMS, about, kept, run_study
    from vaecore.training.course import TrainingFailed

    wanted = list(CLAIMS) if names == ["all"] else names
    for name in wanted:
        _known(name, CLAIMS, "claims run")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))  # as an exception, so that what was trained is cleared
    here, results, failed = store_at(store), [], False
    for name in wanted:
        claim = CLAIMS[name]
        err.print(f"{name}: {claim.title} ({about(claim, kept(here, name))})", highlight=False)
        try:
            with background.study(here, name).alone():
                results.append(run_study(claim, here, keep_runs=keep_runs,
                                         progress=lambda line: err.print(line, highlight=False, markup=False)))
        except (DataUnavailable, TrainingFailed, lab.LabError) as error:  # the others are run all the same
            failed = True
            err.print(f"{name} was not run: {error}", style="red", highlight=False, markup=False)
            continue
        if not as_json:
            out.print(f"{name}: {results[-1].verdict}. {results[-1].summary}", highlight=False, markup=False)
    if as_json:
        say([asdict(result) for result in results], True, "")
    if failed:
        raise typer.Exit(FAILED)


@claims.command("report")
def report(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Every kept result with its seeds, intervals, CPU minutes and numbers."""
    from vaecore.literature import of_claim, rows
    from vaecore.studies import CLAIMS, about, in_words, kept

    here = store_at(store)
    results = [(claim, kept(here, claim.id)) for claim in CLAIMS.values()]
    if as_json:
        return say([asdict(result) | {"earlier rule": not result.by_rule_of(claim),
                                      "published": [each.as_dict() for each in of_claim(claim.id)]}
                    for claim, result in results if result], True, "")
    for claim, result in results:
        out.print(f"\n{claim.id} {claim.title}\n  {claim.says}\n  {claim.source}", highlight=False, markup=False)
        if claim.published:
            out.print(f"  Published elsewhere: {claim.published}", highlight=False, markup=False)
        if there := of_claim(claim.id):
            _table(rows(there))
        if result is None:
            out.print(f"  not run: `vaecore claims run {claim.id}` takes {about(claim, None)}",
                      highlight=False, markup=False)
            continue
        took = in_words(result.cpu_seconds / 60) if result.cpu_seconds else "CPU minutes not measured"
        out.print(f"  {verdict(claim, result)}, {result.date}, {result.device}, torch {result.torch}\n"
                  f"  {result.spans()}; {took}\n  {result.summary}", highlight=False, markup=False)
        _table(result.table)
        if result.note:
            out.print(f"  {result.note}", highlight=False, markup=False)


@experiments.command("list")
def list_experiments(as_json: JsonOption = False) -> None:
    """The experiments and what each asks."""
    from vaecore.studies import EXPERIMENTS

    rows = [{"experiment": name, "title": study.topic, "question": study.series.question, "source": study.source}
            for name, study in EXPERIMENTS.items() if study.series]
    if as_json:
        say(rows, True, "")
    else:
        for row in rows:
            out.print(f"{row['experiment']:10} {row['title']}: {row['question']} {row['source']}", highlight=False)


@experiments.command("start")
@placing.placed
def start(name: Annotated[str, typer.Argument(help="`vaecore experiments list` names them.")],
          store: StoreOption = None, as_json: JsonOption = False, **places: Any) -> None:
    """Create an experiment's runs and queue them all."""
    from vaecore.studies import EXPERIMENTS, create

    where = placing.chosen(places) or lab.Here()
    _known(name, EXPERIMENTS, "experiments start")
    series = EXPERIMENTS[name].series
    assert series is not None
    next(iter(series.runs().values())).data.load()  # what is not here is said before there are runs
    runs = create(store_at(store), series)
    lab.submit_new([run.path for run in runs], where, stack=False)
    if as_json:
        say([run.id for run in runs], True, "")
    else:
        out.print(f"queued: {', '.join(run.id for run in runs)}", highlight=False)


def verdict(claim: Study, result: Result | None) -> str:
    """A verdict by the present rule alone; a result of another one has none."""
    if result is None:
        return "not run"
    return result.verdict if result.by_rule_of(claim) else "judged by an earlier rule; run it again"


def _known(name: str, there: dict[str, Any], command: str) -> None:
    from vaecore.schema import problem

    if name not in there:
        raise problem(command, name, f"there is no '{name}'.", f"Choose one of {', '.join(there)}.")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines([Head(name, whole=place == 0) for place, name in enumerate(names)],
          [[f"{value:.4g}" if isinstance(value := row.get(name, ""), float) else str(value) for name in names]
           for row in rows])
