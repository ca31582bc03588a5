"""`vaecore sweep ...`: one configuration over and over, with some of its fields varied."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaecore.cli import placing
from vaecore.cli.printing import JsonOption, SetOption, StoreOption, err, out, say, store_at
from vaecore.cli.printing import table as printed
from vaecore.lab.where import Here, in_words
from vaecore.words import counted

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.store import Store
    from vaecore.sweeps import Standing
    from vaecore.sweeps.planning import Plan

placed = partial(placing.placed, without=("at_once",))  # a sweep has its own
sweep = typer.Typer(no_args_is_help=True, help="One configuration with some fields varied, over several seeds.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A sweep; `vaecore sweep list` names them.")]


@sweep.command("start")
@placed
def start(
    name: Annotated[str, typer.Option(help="What the sweep is called, and its runs after it.")],
    over: Annotated[list[str], typer.Option("--over", metavar="FIELD=VALUES", help="A field with its values, as "
                    "model.latent_size=2,8,32, or a range, as training.beta.value=0.1..10:log:5; repeatable.")],
    preset: Annotated[str, typer.Option(help="The preset that is varied; `vaecore presets` lists them.")] = "",
    config: Annotated[Path | None, typer.Option(help="Or a configuration file, JSON or YAML.")] = None,
    run: Annotated[str, typer.Option(help="Or the configuration of a run.")] = "",
    changes: SetOption = None,
    method: Annotated[str, typer.Option(help="grid: every combination; random: points drawn; search: chosen by what "
                                        "those before have found.")] = "grid",
    trials: Annotated[int | None, typer.Option(help="Points of a random sweep or a search.")] = None,
    begin: Annotated[int | None, typer.Option(help="Points of a search that are drawn before it chooses.")] = None,
    seeds: Annotated[int, typer.Option(help="How often each point is trained, with the seeds 1, 2, 3 …")] = 1,
    objective: Annotated[str, typer.Option(help="The number by which points are judged: elbo, reconstruction, kl, "
                                           "mse, active or perplexity of the validation set; or what an evaluation "
                                           "finds, as frechet.")] = "elbo",
    stopping: Annotated[str, typer.Option(help="none, median or halving: when a point that does badly is ended "
                                          "early.")] = "none",
    grace: Annotated[float | None, typer.Option(help="Share of training before the median rule judges.")] = None,
    at_least: Annotated[int | None, typer.Option(help="Points that must have come as far before the median rule "
                                                 "judges.")] = None,
    first: Annotated[float | None, typer.Option(help="Share of training at the first rung of halving.")] = None,
    factor: Annotated[int | None, typer.Option(help="Of halving: one of so many goes on at each rung.")] = None,
    at_once: Annotated[int, typer.Option(help="Trainings in the queue at the same time; 0: all, of a "
                                        "search one point.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would train and how long; start nothing.")
                       ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    **places: Any,
) -> None:
    """Check every point, say how many trainings and how long, and queue them; on a cluster they are an array."""
    from vaecore.config import RunConfig, changed, from_file
    from vaecore.config import preset as named
    from vaecore.schema import problem
    from vaecore.sweeps import tending
    from vaecore.sweeps.planning import declare, plan

    where = placing.chosen(places) or Here()
    here = store_at(store)
    if sum(map(bool, (preset, config, run))) > 1:
        raise problem("--preset", preset, "several beginnings were given.", "Give one preset, file or run.")
    base = named(preset) if preset else from_file(config) if config else here.find(run).config() if run else RunConfig()
    declared, chosen = declare(changed(base, changes or []), _over(over), name=name, seeds=seeds, objective=objective,
                               method=_kind(method, trials=trials, begin=begin), at_once=at_once,
                               stopping=_kind(stopping, grace=grace, at_least=at_least, first=first, factor=factor),
                               origin=preset or run or (str(config) if config else ""))
    ready = plan(declared, chosen)
    facts = _told(ready, here, as_json)
    if dry_run:
        return say(facts, as_json, "Nothing was started.")
    tending.start(here, ready, where)
    say(facts, as_json, f"Started. `vaecore sweep show {name}` says how it stands.")


@sweep.command("list")
def listed(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """The sweeps there are, newest first."""
    from vaecore.store import StoreError
    from vaecore.sweeps import names, standing

    here, rows = store_at(store), list[dict[str, Any]]()
    for name in names(here):
        try:
            now = standing(here, name)
        except StoreError as error:
            rows.append({"sweep": name, "state": str(error)})
            continue
        rows.append({"sweep": name, "of": now.sweep.origin, "method": now.sweep.method.kind, "points": len(now.rows),
                     "trainings": now.total, "made": now.sweep.made, "state": now.sentence})
    if as_json:
        return say(rows, True, "")
    if not rows:
        return out.print("No sweep is here yet. Try: vaecore sweep start --name first --preset vae-digits "
                         "--over model.latent_size=2,8 --seeds 2")
    printed(rows, {"sweep": "sweep", "of": "of", "method": "method", "made": "made", "points": "points",
                   "trainings": "trainings", "state": "state"})


@sweep.command("show")
def show(
    name: NameArgument,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, numbers in full.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a table in Markdown.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="As a table in LaTeX.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """A sweep's points: how many seeds, mean and interval, the best, and where each stands."""
    from vaecore.sweeps import standing

    now = standing(store_at(store), name)
    table = now.table()
    if as_json:
        return say(_facts(now), True, "")
    for wanted, text in ((as_csv, table.csv), (markdown, table.markdown), (latex, table.latex)):
        if wanted:
            return print(text(), end="")
    out.print(f"{name}: {now.sentence}" + ("" if now.where == Here() else f" On {in_words(now.where)}."),
              highlight=False)
    if now.news:
        out.print(now.news, highlight=False, markup=False)
    keys = [column.key for column in table.columns]
    printed((dict(zip(keys, row, strict=True)) for row in table.said()),
            {column.key: column.heading for column in table.columns})
    for words in dict.fromkeys(trial.early for trial in now.trials if trial.early):
        out.print(words, highlight=False)


@sweep.command("stop")
def stop(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """End a sweep: what waits leaves the queue, what trains saves and stops; all of it can be resumed."""
    from vaecore.sweeps import tending

    _say(tending.stop(store_at(store), name), as_json)


@sweep.command("resume")
@placed
def resume(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False, **places: Any) -> None:
    """Go on with a sweep, where it ran last or elsewhere; what it stopped early itself stays stopped."""
    from vaecore.sweeps import tending
    from vaecore.sweeps.keeping import goes_on

    here = store_at(store)
    _say(tending.resume(here, name, placing.chosen(places, goes_on(here, name))), as_json)


@sweep.command("remove")
def remove(name: NameArgument, store: StoreOption = None) -> None:
    """Forget a sweep; its runs stay."""
    from vaecore.sweeps.keeping import forget, kept

    here = store_at(store)
    kept(here, name)
    forget(here, name)
    out.print(f"The sweep {name} is removed; its runs stay.", highlight=False)


@sweep.command("tend", hidden=True)
def tend(name: NameArgument, store: StoreOption = None) -> None:
    """Queue what is due, choose the next points and end the bad, until nothing is left to do."""
    from vaecore.sweeps import tending
    from vaecore.sweeps.keeping import tending as task

    here: Store = store_at(store)
    with task(here, name).alone():
        tending.tend(here, name, say=lambda line: print(line, flush=True))


def _kind(kind: str, **options: float | None) -> dict[str, Any]:
    """A choice with those of its options that were given."""
    return {"kind": kind, **{name: value for name, value in options.items() if value is not None}}


def _over(settings: Sequence[str]) -> dict[str, str]:
    from vaecore.schema import problem

    found: dict[str, str] = {}
    for setting in settings:
        field, equals, values = setting.partition("=")
        if not equals or not field.strip():
            raise problem("--over", setting, f"'{setting}' names no values.",
                          "Write field=values, as model.latent_size=2,8,32.")
        if field.strip() in found:
            raise problem("--over", setting, f"{field.strip()} is varied twice.", "Write all of its values at once.")
        found[field.strip()] = values
    return found


def _told(ready: Plan, store: Store, as_json: bool) -> dict[str, Any]:
    """How many trainings and how long, said before anything is queued."""
    from vaecore.comparison.durations import duration, estimate

    def measured(config: RunConfig) -> tuple[float, float]:
        found = estimate(config, store=store)
        return found.seconds, found.at_most

    for note in ready.notes:
        err.print(f"{note}.", highlight=False)
    least, most = ready.seconds(measured)
    seconds = duration(least) if duration(least) == duration(most) else f"{duration(least)} to {duration(most)}"
    if not as_json:
        out.print(f"{counted(ready.count, 'point')} x {counted(ready.sweep.seeds, 'seed')} = "
                  f"{counted(ready.trainings, 'training')}, about {seconds} "
                  "one after another.", highlight=False)
    return {"sweep": ready.sweep.name, "points": ready.count, "seeds": ready.sweep.seeds,
            "trainings": ready.trainings, "seconds": round(least, 1), "seconds_at_most": round(most, 1),
            "notes": list(ready.notes)}



def _facts(now: Standing) -> dict[str, Any]:
    return {"sweep": now.sweep.name, "state": now.sentence, "tended": now.tended, "on": now.where.kind,
            "objective": now.sweep.objective, "counts": dict(now.counts), "best": now.best.number if now.best else None,
            "points": [{**facts, "runs": [trial.run.id for trial in row.trials]}
                       for facts, row in zip(now.table().facts(), now.rows, strict=True)]}


def _say(now: Standing, as_json: bool) -> None:
    say(_facts(now), as_json, f"{now.sweep.name}: {now.sentence}")
