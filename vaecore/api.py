"""The verbs of the command line from Python: train in this process, open what was trained, list what there is.

`import vaecore` offers them: `vaecore.fit`, `vaecore.load`, `vaecore.presets`. They say the same words as `vaecore
train`, write the same folder, and need torch only once they are called.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from vaecore.store import Run, Store, StoreError, all_or_none
from vaecore.views import view_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vaecore.comparison.numbers import Comparison
    from vaecore.config import RunConfig
    from vaecore.data.own.file import OwnFile
    from vaecore.explore import Checkpoint, Codeless, CrossModal, SentenceCheckpoint, VideoCheckpoint
    from vaecore.lab import Here, Log, Slurm, Status
    from vaecore.library import Record
    from vaecore.literature import Beside
    from vaecore.probability.mixture_fit import Covariance
    from vaecore.sweeps import Standing
    from vaecore.training.estimate import Estimate
    from vaecore.training.fitting import Fitting
    from vaecore.training.fork import Anew

    Opened = Checkpoint | Codeless | CrossModal | SentenceCheckpoint | VideoCheckpoint

CONFIG_FILES = (".json", ".yaml", ".yml")
MOST_SEEDS = 1_000


def fit(start: str | Path | RunConfig, *, data: Any = None, set: Mapping[str, Any] | None = None, name: str = "",
        store: Store | Path | str | None = None, silent: bool = False, **settings: Any) -> Opened:
    """Train a model in this process, with a progress bar, and return it opened.

        vaecore.fit("vae-mnist", epochs=2)
        vaecore.fit("vae-mnist", set={"model.network.kind": "mlp", "training.epochs": 2}, name="mine")
        vaecore.fit("vae-mnist", data="faces/")  # your own: a path, what `vaecore.bring` gave, arrays, a torch Dataset

    `start` is the name of a preset, the path of a configuration (JSON or YAML) or a `RunConfig`. `set` changes fields
    by their dotted names, as `--set` does; other keywords are such names too, or the last part of one where only one
    field is called so: `epochs` is `training.epochs`, `latent_size` is `model.latent_size`. `data` are your own: the
    path of a file or folder, what `vaecore.bring` gave, a data set's configuration, or what `vaecore.data.own.given`
    takes: arrays, sentences, a PyTorch data set, which are written once into the store. A preset follows the data it is
    given: what is changed for them is said, and never what is set here. The run is written into `store` (a folder; else
    $VAECORE_STORE or ./trained) under `name`, or under a name made from what was changed: pages and command line
    see it too.

    Raises `ConfigError` for a name or a value that cannot be used, `StoreError` for a run that cannot be called so,
    `DataUnavailable` for data that is not here, `TrainingFailed` where a number stopped being finite, `OutOfMemory`,
    which says the batch that would fit, and `KeyboardInterrupt` once an interrupted training is saved.
    """
    run = _store(store).create(_checked(start, data, {**(set or {}), **settings}, _store(store), silent=silent), name)
    return _trained(run, silent=silent)


def estimate(start: str | Path | RunConfig, *, data: Any = None, set: Mapping[str, Any] | None = None,
             store: Store | Path | str | None = None, silent: bool = False, **settings: Any) -> Estimate:
    """How long a training would take on this machine, as pages and `vaecore train --estimate` say it.

        found = vaecore.estimate("vae-minute")
        found.seconds, found.at_most, found.source

    By the runs in the store that were trained here and take the same steps, else by some of its own steps. What is
    given is that of `fit`, which raises the same; nothing is trained.
    """
    from vaecore.comparison.durations import estimate as found

    here = _store(store)
    return found(_checked(start, data, {**(set or {}), **settings}, here, silent=silent), store=here)


def fork(reference: str | Path | Run, *, weights: str = "best", anew: Anew | None = None,
         set: Mapping[str, Any] | None = None, name: str = "", store: Store | Path | str | None = None,
         silent: bool = False, **settings: Any) -> Opened:
    """Train a new run in this process that begins with another one's weights, and return it opened.

        vaecore.fork("mine", set={"training.beta.kind": "constant"})
        vaecore.fork("mine", anew="decoder", set={"training.kl.kind": "free-bits-masked"})  # encoder kept (Li et al.)

    `weights` are best, last, or the step of weights kept along the way. With `anew` "decoder" all but p(x|z) are those
    weights, and that is drawn from the seed. `set` and other keywords change fields as those of `fit` do; data and
    model have to stay the parent's. Optimizer and schedules begin anew.

    Raises what `fit` raises, and `vaecore.training.checkpoints.BrokenCheckpoint` for weights that cannot be read.
    """
    from vaecore.training.fork import fork as forked

    here, parent = _store(store), _run(reference, store)
    config = _checked(parent.config(), None, {**(set or {}), **settings}, here, silent=silent)
    return _trained(forked(here, parent, weights, config, name, anew=anew), silent=silent)


def _trained(run: Run, *, silent: bool) -> Opened:
    """A run trained in this process, opened; raises `KeyboardInterrupt` once an interrupted one is saved."""
    from vaecore.lab.progress import Watched, here, training_bar
    from vaecore.lab.worker import train_here

    with training_bar(here(silent=silent)) as bar:
        control = Watched(run, bar)
        outcome = train_here(run.path, control)
        control.draw()
    if outcome == "stopped":
        raise KeyboardInterrupt(f"Stopped at step {control.step}. vaecore.load({str(run.path)!r}) opens what there is; "
                                f"`vaecore resume {run.id}` continues.")
    return _opened(run)


@overload
def submit(start: str | Path | RunConfig, *, where: Here | Slurm | None = None, data: Any = None, seeds: None = None,
           set: Mapping[str, Any] | None = None, name: str = "", store: Store | Path | str | None = None,
           silent: bool = False, **settings: Any) -> Run: ...


@overload
def submit(start: str | Path | RunConfig, *, where: Here | Slurm | None = None, data: Any = None, seeds: int,
           set: Mapping[str, Any] | None = None, name: str = "", store: Store | Path | str | None = None,
           silent: bool = False, **settings: Any) -> list[Run]: ...


def submit(start: str | Path | RunConfig, *, where: Here | Slurm | None = None, data: Any = None,
           seeds: int | None = None, set: Mapping[str, Any] | None = None, name: str = "",
           store: Store | Path | str | None = None, silent: bool = False, **settings: Any) -> Run | list[Run]:
    """Train a model in the background, in the lab's queue or on a cluster, and return its run at once.

        run = vaecore.submit("vae-mnist", epochs=20)
        run = vaecore.submit("vae-mnist", latent_size=32, where=vaecore.Slurm(partition="gpu", gpus=1, time=120))
        vaecore.status(run)                            # queued, running, finished ...
        checkpoint = vaecore.load(vaecore.wait(run))   # once it has ended
        four = vaecore.submit("vae-mnist", seeds=4)    # a list of runs

    `where` is `vaecore.Here()`, the queue of this machine and what is usual, or `vaecore.Slurm(...)`. With `seeds`
    so many runs are trained that differ in their seeds alone, from the configuration's on, 1 to 1,000, each called
    `name` and its seed: small models stacked in one process, on a cluster as an array. All else is that of `fit`. The
    training outlives this process; pages and command line see it, and stop it.

    Raises what `fit` raises before its first step, and `vaecore.lab.LabError` where it cannot be queued there.
    """
    from vaecore import lab
    from vaecore.schema import problem

    place = lab.Here() if where is None else where
    if seeds is not None and not 1 <= seeds <= MOST_SEEDS:
        raise problem("seeds", seeds, f"{seeds} runs cannot be trained at once.", f"Use 1 to {MOST_SEEDS:,}.")
    lab.require_place(place)
    here = _store(store)
    config = _checked(start, data, {**(set or {}), **settings}, here, silent=silent)
    if seeds is None:
        run = here.create(config, name)
        lab.submit_new([run.path], place)
        return run
    runs = all_or_none(here.create(each, f"{name}-{each.seed}" if name else "") for each in config.seeded(seeds))
    lab.submit_new([run.path for run in runs], place)
    return runs


def resume(reference: str | Path | Run, *, where: Here | Slurm | None = None,
           store: Store | Path | str | None = None) -> Run:
    """Queue a run that was stopped, failed or lost, to go on from its last checkpoint.

        vaecore.resume("mine")
        vaecore.resume("mine", where=vaecore.Slurm(partition="gpu"))

    Without `where` it goes where it ran last; a copy of a run that was made elsewhere goes on here. Raises `StoreError`
    where there is no such run, `DataUnavailable` where its data are gone, and `vaecore.lab.LabError` where it runs
    already, has finished, or cannot be queued there.
    """
    from vaecore import lab
    from vaecore.data.identity import check_there

    run = _run(reference, store)
    check_there(run.config().data)
    lab.submit(run.path, where)
    return run


def stop(reference: str | Path | Run, *, now: bool = False, store: Store | Path | str | None = None) -> None:
    """Ask a run to save and stop, or take it out of the queue; it can be resumed. `now` kills one that does not obey.

        vaecore.stop("mine")
    """
    from vaecore import lab

    lab.stop(_run(reference, store).path, now=now)


def status(reference: str | Path | Run, *, store: Store | Path | str | None = None) -> Status:
    """Where a run stands: its `state`, a sentence as `detail`, how far it is, and its `place` and `job` on a cluster.

        vaecore.status("mine").state
    """
    from vaecore import lab

    return lab.status(_run(reference, store).path)


def log(reference: str | Path | Run, lines: int = 40, *, find: str = "", store: Store | Path | str | None = None
        ) -> Log:
    """The last lines of what a run printed, or with `find` of those that hold it; printed, they are text.

        print(vaecore.log("mine"))
        vaecore.log("mine", 500, find="warning").lines
    """
    from vaecore import lab

    return lab.log(_run(reference, store).path, lines, find)


def wait(reference: str | Path | Run, *, timeout: float | None = None, store: Store | Path | str | None = None) -> Run:
    """Block until a run has ended, wherever it trains, and return it.

        vaecore.load(vaecore.wait(vaecore.submit("vae-digits", epochs=2)))

    Raises `TimeoutError` when that takes longer than `timeout` seconds, and `vaecore.lab.LabError`, which says how it
    ended, where it did not finish.
    """
    from vaecore import lab

    run = _run(reference, store)
    now = lab.wait(run.path, timeout)
    if now.state != "finished":
        raise lab.LabError(f"{run.id} is {now.state}. {now.detail}".strip())
    return run


def sweep(start: str | Path | RunConfig, over: Mapping[str, Any], *, name: str, seeds: int = 1,
          method: str | Mapping[str, Any] = "grid", stopping: str | Mapping[str, Any] = "none", objective: str = "elbo",
          at_once: int = 0, set: Mapping[str, Any] | None = None, where: Here | Slurm | None = None,
          store: Store | Path | str | None = None) -> Standing:
    """Train a configuration over and over with some of its fields varied, in the background; how it stands.

        vaecore.sweep("vae-digits", {"latent_size": [2, 8, 32], "training.beta.value": "0.1..10:log:5"}, name="z-beta",
                      seeds=4)
        vaecore.sweeps.standing(vaecore.Store.default(), "z-beta").table().markdown()

    `over` has the values of each field: a list, or as they are typed on the command line. `method` is grid, random or
    search, `stopping` none, median or halving, each by its name or with its fields: {"kind": "random", "trials": 30}.
    Points are judged by the validation number `objective`. `start`, `set` and `store` are those of `fit`, `where` is
    that of `submit`: on a cluster the trainings are arrays. It returns at once: the trainings go on in the background,
    and `vaecore sweep show NAME` says how it stands.

    Raises `ConfigError` where a point is no valid configuration, and `StoreError` for a name that is taken.
    """
    from vaecore import lab
    from vaecore.sweeps import tending
    from vaecore.sweeps.planning import declare, plan

    def kind(choice: str | Mapping[str, Any]) -> dict[str, Any]:
        return {"kind": choice} if isinstance(choice, str) else dict(choice)

    base = chosen(start, set or {})
    declared, notes = declare(base, {_whole(field, base): values for field, values in over.items()}, name=name,
                              seeds=seeds, method=kind(method), stopping=kind(stopping), objective=objective,
                              at_once=at_once, origin=str(start) if isinstance(start, str | Path) else "")
    if where is not None:
        lab.require_place(where)
    return tending.start(_store(store), plan(declared, notes), where)


def fit_prior(reference: str | Path | Run, components: int = 10, *, covariance: Covariance = "full", seed: int = 0,
              name: str = "", store: Store | Path | str | None = None) -> Opened:
    """Fit a mixture of Gaussians to the codes of a trained model, and return it as a new run that has it as its prior.

        checkpoint = vaecore.fit_prior("gallery/ae")   # an autoencoder that can be sampled
        images = checkpoint.sample(16)

    Encoder and decoder stay as they are. Codes are those of the training split: of a VAE draws of q(z|x), of an
    autoencoder its points. `summary["prior_fit"]` of the new run says how likely the mixture makes codes of the
    validation split, in nats, beside N(0, I) and a single Gaussian. The same seed gives the same mixture.

    Raises `ConfigError` for a model that this makes no sense for, `StoreError` for a name or a run that is not there,
    and `DataUnavailable` where its data are not here.
    """
    from vaecore.data.identity import check_there
    from vaecore.lab.worker import draw_preview
    from vaecore.training.fitted import fit_prior as fitted

    run = _run(reference, store)
    check_there(run.config().data)
    new = fitted(_store(store), run, components, covariance=covariance, seed=seed, name=name)
    draw_preview(new.path)
    return _opened(new)


def compare(*references: str | Path | Run, store: Store | Path | str | None = None, reference: str = "") -> Comparison:
    """Set the numbers of runs beside each other, with intervals and differences from one of them.

        comparison = vaecore.compare("gallery/vae", "gallery/vae-vamp")
        print(comparison.table().markdown())
        comparison.difference("elbo", "gallery/vae-vamp")

    `references` are runs, their ids or folders, looked up in `store` as `load` does; differences are from the first,
    or from `reference`. What was found with unlike settings has no difference: `refused` says which. What else
    differs, and what the runs cost, say `vaecore.comparison.differs` and `vaecore.comparison.cost`. Raises
    `StoreError` where there is no such run, `ValueError` where none is named, or `reference` is none of them.
    """
    from vaecore.comparison.numbers import compare as compared

    runs = [_run(each, store) for each in references]
    return compared(runs, reference=_run(reference, store).id if reference else "")


def fitting(data: Any, **settings: Any) -> list[Fitting]:
    """Say which families fit a data set, and of the others why not and what would make them fit.

        vaecore.fitting("mnist")
        vaecore.fitting("pictures/", size=64)

    `data` is the name of a data set, a configuration, or what `fit` takes as data; keywords are fields of the data set.
    Raises `ConfigError` and `DataUnavailable` for data that cannot be read.
    """
    from vaecore.config import RunConfig, changed
    from vaecore.data import DATASETS
    from vaecore.training.fitting import families

    fields = {f"data.{field}": value for field, value in settings.items()}
    if isinstance(data, RunConfig):
        config = changed(data, _as_typed(fields))
    elif isinstance(data, str) and data in DATASETS:
        config = changed(RunConfig(), _as_typed({"data.name": data, **fields}))
    else:
        config = _with_data(RunConfig(), data, fields, _store(None))
    config = config.resolve()
    return families(config, config.data.load())


def load(reference: str | Path | Run, *, store: Store | Path | str | None = None) -> Opened:
    """Open a trained checkpoint: to decode, sample, traverse, or generate one modality from another.

    `reference` is a run's id, the name of a shipped one ("vae" or "gallery/vae"), or the path of a run's folder; ids
    are looked up in `store` (a folder; else $VAECORE_STORE or ./trained). Raises `StoreError` where there is no such
    run and `BrokenCheckpoint` where its files cannot be used.
    """
    return _opened(_run(reference, store))


def published(reference: str | Path | Run, *, store: Store | Path | str | None = None) -> list[Beside]:
    """Say what others published beside the values of a run, the nearest setting first, and in what settings part.

        for each in vaecore.published("gallery/vae-binary"):
            print(each.here(), each.published.said(), each.published.model, each.words)

    `reference` and `store` are those of `load`. Of a run that was not evaluated on the whole test set, or of a kind or
    of data of which nothing was published, the list is empty. Raises `StoreError` where there is no such run.
    """
    from vaecore.literature import beside

    return beside(_run(reference, store))


def runs(query: str = "", *, sort: str = "", descending: bool | None = None, archived: bool = False,
         store: Store | Path | str | None = None) -> list[Record]:
    """List the runs that a query finds, one's own, shared and shipped, as `vaecore runs` does.

        vaecore.runs("data=mnist elbo>-100", sort="elbo")

    `archived` ones too where that is asked. Without `descending` the best comes first where a number has a better end.
    A record has its run's words as attributes and its numbers by key; `value` gives any field, those of the
    configuration too. Raises `StoreError` with the word that is wrong for a query or a field that cannot be understood.
    """
    from vaecore.library import Query, records, sorted_by

    found = Query.parse(query).of(records(_store(store)), archived=archived)
    return sorted_by(found, sort, descending=descending) if sort else found


def chosen(start: str | Path | RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The configuration that is meant by a preset's name, a path or a configuration, with fields changed.

    Raises `ConfigError` for a name that no field or several have, and for a value that does not fit.
    """
    from vaecore.config import RunConfig, changed, from_file, preset
    from vaecore.schema import problem

    if isinstance(start, RunConfig):
        config = start
    elif not isinstance(start, str | Path):
        raise problem("start", start, f"{type(start).__name__} is nothing to train.",
                      "Give a preset's name, the path of a configuration or a RunConfig.")
    elif _is_preset(start):
        config = preset(str(start))
    else:
        config = from_file(Path(start))
    dotted = {field: value for field, value in settings.items() if "." in field or field in RunConfig.model_fields}
    config = changed(config, _as_typed(dotted))  # first, as a family that is chosen here brings other fields
    short = {_whole(field, config): value for field, value in settings.items() if field not in dotted}
    return changed(config, _as_typed(short))


def _checked(start: str | Path | RunConfig, data: Any, changes: Mapping[str, Any], store: Store, *,
             silent: bool) -> RunConfig:
    """The configuration of a training that can begin: what is wrong is raised before there is a run."""
    from vaecore.lab.progress import here, preparing
    from vaecore.training.build import fit as check
    from vaecore.training.fitting import adapted

    config = chosen(start, changes) if data is None else _with_data(chosen(start, {}), data, changes, store)
    config = config.resolve()
    with preparing(here(silent=silent)):
        dataset = config.data.load()
    if _is_preset(start):
        config, adaptations = adapted(chosen(start, {}), config, dataset, [_whole(field, config) for field in changes])
        for adaptation in adaptations:
            here(silent=silent).print(f"{adaptation}.", highlight=False)
    check(config, dataset)
    return config


def _is_preset(start: object) -> bool:
    """Whether it is a preset's name rather than a file or a configuration."""
    return isinstance(start, str) and not start.endswith(CONFIG_FILES)


def _with_data(config: RunConfig, data: Any, settings: Mapping[str, Any], store: Store) -> RunConfig:
    """The configuration with data of one's own, with fields changed."""
    from vaecore.data import DataConfig
    from vaecore.data.own.door import Brought, Kind, meant, read_as
    from vaecore.data.own.given import written
    from vaecore.schema import parse

    def with_these(these: DataConfig) -> RunConfig:
        return chosen(config.model_copy(update={"data": these}), settings)

    if isinstance(data, Brought):
        return with_these(data.config)
    if isinstance(data, DataConfig):
        return with_these(data)
    own = isinstance(data, str | Path)
    path, kind, fields = (data, meant(config.data, data), {}) if own else written(data, store.root / "data")
    found: dict[Kind, RunConfig] = {}

    def configured(kind: Kind) -> OwnFile:
        found[kind] = with_these(parse(kind, {"path": str(path), **fields}))
        return cast("OwnFile", found[kind].data)

    brought = read_as(path, kind, configured)
    return found[type(brought.config)].model_copy(update={"data": brought.config})


def _whole(field: str, config: RunConfig) -> str:
    """The dotted name of the only field that is called so."""
    from vaecore.config import RunConfig
    from vaecore.schema import problem

    if "." in field or field in RunConfig.model_fields:
        return field
    known = _fields(config)
    meant = [dotted for dotted in known if dotted.rpartition(".")[2] == field]
    training = f"training.{field}"
    if training in meant:
        return training
    if len(meant) > 1:
        raise problem(field, None, f"{len(meant)} fields are called so: {', '.join(meant)}.",
                      f'Say which, as set={{"{meant[0]}": ...}}.')
    if not meant:
        close = difflib.get_close_matches(field, [dotted.rpartition(".")[2] for dotted in known], n=1)
        raise problem(field, None, "no field of this configuration is called so.",
                      f"Did you mean '{close[0]}'?" if close else "`vaecore.RunConfig` has the fields.")
    return meant[0]


def _fields(part: BaseModel, prefix: str = "") -> list[str]:
    """All fields of a configuration, dotted, those of its parts too."""
    from pydantic import BaseModel

    found = []
    for name in type(part).model_fields:
        found.append(prefix + name)
        if isinstance(inner := getattr(part, name), BaseModel):
            found += _fields(inner, f"{prefix}{name}.")
    return found


def _as_typed(settings: Mapping[str, Any]) -> list[str]:
    """Fields with their values as one would type them after `--set`; JSON is YAML too."""
    from vaecore.schema import problem

    def plain(value: Any) -> Any:
        if hasattr(value, "model_dump"):
            return value.model_dump(mode="json")
        if hasattr(value, "tolist"):  # numbers of numpy and torch
            return value.tolist()
        if isinstance(value, Path):
            return str(value)
        raise TypeError

    typed = []
    for field, value in settings.items():
        try:
            typed.append(f"{field}={json.dumps(value, default=plain)}")
        except (TypeError, ValueError):
            raise problem(field, value, f"{type(value).__name__} is no value of a field.",
                          "Give a number, a text, a list or a configuration.") from None
    return typed


def _run(reference: str | Path | Run, store: Store | Path | str | None) -> Run:
    """The run that is meant by itself, by its folder's path or by its id; raises `StoreError` where there is none."""
    if isinstance(reference, Run):
        return reference
    folder = Path(reference)
    if (folder / "config.json").is_file():
        return Run(folder.resolve())
    if isinstance(reference, Path) or folder.is_absolute() or len(folder.parts) > 2:
        raise StoreError(f"{folder} is no run's folder: it has no config.json. Give the folder of a run, or its id.")
    return _store(store).find(reference)


def _store(place: Store | Path | str | None) -> Store:
    if place is None:
        return Store.default()
    return place if isinstance(place, Store) else Store(Path(place).resolve())


def _opened(run: Run) -> Opened:
    return cast("Opened", view_of(run).load(run))
