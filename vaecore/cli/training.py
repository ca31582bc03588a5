"""Verbs that train: train, resume, stop, fork."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vaecore import lab
from vaecore.cli import placing
from vaecore.cli.printing import (
    FAILED,
    STOPPED,
    DataPathOption,
    JsonOption,
    RunArgument,
    SetOption,
    StoreOption,
    err,
    say,
    store_at,
)
from vaecore.lab.progress import EvaluationLines, preparing, training_bar
from vaecore.lab.where import elsewhere, in_words, kept, one_by_one
from vaecore.store import Run, Store, all_or_none

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.data import Dataset

app = typer.Typer()


@app.command()
@placing.placed
def train(
    preset: Annotated[str | None, typer.Option(help="A named preset; `vaecore presets` lists them.")] = None,
    config: Annotated[Path | None, typer.Option(help="A configuration file, JSON or YAML.")] = None,
    data: Annotated[str, typer.Option(metavar="PATH", help="A file or folder of your own to learn from; `vaecore data "
                                      "PATH` says what is understood of it.")] = "",
    kind: Annotated[str, typer.Option("--as", metavar="NAME", help="Read it as this data set.")] = "",
    changes: SetOption = None,
    exactly: Annotated[bool, typer.Option("--exactly", help="Change nothing of it for the data.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say how long it takes on this machine.")] = False,
    name: Annotated[str, typer.Option(help="The run's name; made from what was changed without.")] = "",
    seeds: Annotated[int, typer.Option(min=1, max=1_000, help="Train so many runs that differ in their seeds, from the "
                                       "configuration's seed on; small models stacked, in one process.")] = 1,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the training goes on.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    **places: Any,
) -> None:
    """Train a model: queue it, follow it to its end.

    A preset follows the data it is given; what is changed for them is said, and never what you set yourself. With
    several seeds, each is an ordinary run, NAME-SEED where a name is given; on a cluster they are one array.
    """
    from vaecore.config import RunConfig, changed, from_file
    from vaecore.config import preset as named
    from vaecore.schema import problem
    from vaecore.training.build import fit
    from vaecore.training.fitting import adapted

    where = placing.chosen(places) or lab.Here()
    if preset and config:
        raise problem("--config", str(config), "a preset and a file were both given.", "Give one of them.")
    start = named(preset) if preset else from_file(config) if config else RunConfig()
    settings = changes or []
    if data:
        from vaecore.cli.bringing import brought
        from vaecore.data.own.door import meant

        of_data, settings = _parted(settings)
        start_with = brought(data, kind or meant(start.data, data), of_data).config
        chosen = changed(start.model_copy(update={"data": start_with}), settings).resolve()
    elif kind:
        raise problem("--as", kind, "there are no data to read so.", "Give --data PATH too.")
    else:
        chosen = changed(start, settings).resolve()
    with preparing(err):
        dataset = chosen.data.load()
    if not config and not exactly:  # a file is meant as it stands
        said = {setting.partition("=")[0].strip() for setting in settings}
        chosen, adaptations = adapted(start, chosen, dataset, said)
        for adaptation in adaptations:
            err.print(f"{adaptation}.", highlight=False)
    fit(chosen, dataset)  # what is wrong is said here, not in a log
    here = store_at(store)
    if estimate:
        return _say_estimate(chosen, dataset, seeds, here, as_json=as_json)
    if seeds == 1:
        _tell_equal(chosen, here)
        return _start(here.create(chosen, name), where, detach, as_json, made=True)
    _start_together(here, chosen.seeded(seeds), name, where, detach, as_json)


def _say_estimate(config: RunConfig, dataset: Dataset, seeds: int, store: Store, *, as_json: bool) -> None:
    """How long a training takes here; of several seeds, one after the other."""
    from vaecore.comparison.durations import estimate, span

    found = estimate(config, store=store, dataset=dataset)
    least, most = seeds * found.seconds, seeds * found.at_most
    several = f", {seeds} seeds one after the other" if seeds > 1 else ""
    say({"seconds": round(least, 2), "at_most": round(most, 2), "steps": found.steps, "parameters": found.parameters,
         "source": found.source}, as_json,
        f"{span(least, most)} on this machine: {found.steps:,} steps{several}. {found.source}")


@app.command()
@placing.placed
def resume(run: RunArgument, data_path: DataPathOption = "",
           detach: Annotated[bool, typer.Option("--detach", help="Return at once.")] = False,
           store: StoreOption = None, as_json: JsonOption = False, **places: Any) -> None:
    """Continue a run that was stopped, failed or lost, from its last checkpoint: where it ran last, or elsewhere."""
    from vaecore.data.identity import check_there

    found = store_at(store).find(run)
    where = placing.chosen(places, kept(found.path))
    if data_path:
        found.relocate(data_path)
    check_there(found.config().data)  # said here, not in a log
    if where is None and (there := elsewhere(found.path)) is not None:
        err.print(f"{found.id} goes on here. Where it came from it was asked to run on {in_words(there)}: say --on and "
                  "its options to choose.", highlight=False)
    _start(found, where, detach, as_json, made=False)


@app.command()
@placing.placed
def fork(
    run: RunArgument,
    source: Annotated[str, typer.Option("--from", metavar="WEIGHTS", help="best, last, or the step of kept weights.")
                      ] = "best",
    anew: Annotated[Literal["decoder"] | None, typer.Option(help="Draw this part's weights from the seed instead: a "
                                                            "decoder that begins anew learns from the codes of the "
                                                            "encoder that is kept.")] = None,
    changes: SetOption = None,
    data_path: DataPathOption = "",
    name: Annotated[str, typer.Option(help="The new run's name; made from what was changed without.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the training goes on.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    **places: Any,
) -> None:
    """Train a new run that begins with another one's weights, with some fields changed."""
    from vaecore.config import changed
    from vaecore.data.identity import check_there, moved
    from vaecore.training.build import fit
    from vaecore.training.fork import fork as forked

    where = placing.chosen(places) or lab.Here()
    here = store_at(store)
    parent = here.find(run)
    config = changed(parent.config(), changes or [])
    if data_path:
        config = config.model_copy(update={"data": moved(config.data, data_path)})
    check_there(config.data)
    with preparing(err):
        fit(config, config.data.load())
    _start(forked(here, parent, source, config, name, anew=anew), where, detach, as_json, made=True)


@app.command()
def stop(run: RunArgument, now: Annotated[bool, typer.Option("--now", help="Kill it if it does not obey.")] = False,
         store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Stop a run: it finishes its step, saves, and can be resumed. A queued one leaves the queue, of SLURM too."""
    found = store_at(store).find(run)
    lab.stop(found.path, now=now)
    status = lab.wait(found.path, timeout=60)
    say({"run": found.id, "state": status.state}, as_json, f"{found.id} is {status.state}. {status.detail}")


def _tell_equal(config: RunConfig, store: Store) -> None:
    """Say which run has this configuration already: it will find the same numbers again."""
    from vaecore.library import equal_to, records

    if same := equal_to(config.resolve().model_dump(mode="json"), records(store)):
        others = f" and {len(same) - 1} more have" if len(same) > 1 else " has"
        err.print(f"{same[0].id}{others} this configuration already, seed included.", highlight=False)


def _parted(changes: list[str]) -> tuple[list[str], list[str]]:
    """Settings of the data, and all others."""
    of_data = [setting for setting in changes if setting.strip().startswith("data.")]
    return of_data, [setting for setting in changes if setting not in of_data]


def _start(run: Run, where: lab.Here | lab.Slurm | None, detach: bool, as_json: bool, *, made: bool) -> None:
    """Queue a run, and follow it unless it is to go on by itself; one that was `made` just now is taken back where
    it is refused."""
    if made:
        lab.submit_new([run.path], where)
    else:
        lab.submit(run.path, where)
    where = kept(run.path)
    if detach:
        now = lab.status(run.path)
        return say({"run": run.id, "folder": str(run.path), "on": where.kind, "job": now.job}, as_json,
                   f"{run.id} is queued {_at(where)}in {run.path}")
    err.print(f"{run.id} {_at(where)}in {run.path}", highlight=False)
    _follow(run, as_json)


def _at(where: lab.Here | lab.Slurm) -> str:
    """Where a run goes, as a part of a sentence; empty for the queue of this machine."""
    return "" if where == lab.Here() else f"on {in_words(where)}, " if isinstance(where, lab.Slurm) else \
        f"with {where.processes} processes, "


def _start_together(store: Store, configs: list[RunConfig], name: str, where: lab.Here | lab.Slurm, detach: bool,
                    as_json: bool) -> None:
    """Make and queue runs of several seeds, stacked where they can be, which is said, or as an array; follow them."""
    from vaecore.training.stacked import tried

    why = one_by_one(where) or tried(configs).why
    runs = all_or_none(store.create(each, f"{name}-{each.seed}" if name else "") for each in configs)
    lab.submit_new([run.path for run in runs], where, stack=not why)
    how = f"as an array on {in_words(where)}" if isinstance(where, lab.Slurm) else \
        f"one by one: {why}" if why else "stacked, in one process"
    err.print(f"{len(runs)} seeds are trained {how}.", highlight=False)
    if not detach:
        _follow_together(runs)
    found = [{"run": run.id, "folder": str(run.path), "state": now.state, "detail": now.detail,
              "summary": run.summary()} for run in runs for now in [lab.status(run.path)]]
    say({"stacked": not why, "why": why, "runs": found}, as_json,
        "\n".join(f"{each['run']}: {each['detail'] or each['state']}" for each in found))
    states = {str(each["state"]) for each in found}
    if not detach and states != {"finished"}:
        raise typer.Exit(STOPPED if states <= {"finished", "stopped"} else FAILED)


def _follow_together(runs: list[Run]) -> None:
    """One bar for all, until the last has ended."""
    with training_bar(err) as progress:
        task = progress.add_task("queued", total=None)
        while True:
            try:
                now = [lab.status(run.path) for run in runs]
                live = [status for status in now if status.state in lab.LIVE]
                progress.update(task, description=f"{len(runs) - len(live)} of {len(runs)} ended",
                                completed=sum(status.step for status in now),
                                total=len(runs) * max(status.total for status in now) or None)
                if not live:
                    return
                lab.kick(runs[0].path.parent.parent)
                time.sleep(0.2)
            except KeyboardInterrupt:
                err.print("Stopping after this step; all are saved and can be resumed.")
                for run in runs:
                    lab.stop(run.path)


def _stands(status: lab.Status) -> str:
    """The state of a run beside its bar, of one on a cluster with its job."""
    return f"{status.state}, {status.place}" if status.job else status.state


def _follow(run: Run, as_json: bool) -> None:
    lines = EvaluationLines(run)
    with training_bar(err) as progress:
        task = progress.add_task("queued", total=None)
        while True:
            try:
                status = lab.status(run.path)
                for line in lines.new():
                    progress.console.print(line, highlight=False)
                progress.update(task, description=status.doing or _stands(status), completed=status.step,
                                total=status.total or None)
                if status.state not in lab.LIVE:
                    break
                lab.kick(run.path.parent.parent)
                time.sleep(0.2)
            except KeyboardInterrupt:
                err.print("Stopping after this step; the run is saved and can be resumed.")
                lab.stop(run.path)
    say({"run": run.id, "state": status.state, "detail": status.detail, "summary": run.summary()}, as_json,
         f"{run.id}: {status.detail or status.state}")
    if status.state != "finished":
        raise typer.Exit(STOPPED if status.state == "stopped" else FAILED)
