"""`vaecore ...`: the same verbs as the pages. Facts go to standard output, progress and errors to standard error.

Exit codes: 0 done, 1 the training or the check failed, 2 something asked for is wrong or not there,
3 the training was stopped before its end (resume continues it).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vaecore import __version__, lab
from vaecore.store import Metrics, Run, Store, StoreError

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint, Images

FAILED, WRONG, STOPPED = 1, 2, 3

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Train, store, explore and compare variational autoencoders.")
out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)  # a pipe has no width of its own
err = Console(stderr=True, soft_wrap=True)

StoreOption = Annotated[Path | None, typer.Option("--store", help="Folder of runs; else $VAECORE_STORE or ./trained.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
PictureOption = Annotated[Path, typer.Option("-o", "--output", help="The PNG to write.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or a name in the gallery.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE",
                                                     help="Change a field, as training.epochs=5; repeatable.")]
ScaleOption = Annotated[int, typer.Option("--scale", min=1, max=32, help="Screen pixels to a pixel.")]


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
        if type(error).__name__ not in ("DataUnavailable", "BrokenCheckpoint"):  # these live beside torch
            raise
        _give_up(str(error))


def _give_up(message: str) -> None:
    err.print(message, style="red", markup=False, highlight=False)
    sys.exit(WRONG)


# -- training --------------------------------------------------------------------------------------


@app.command()
def train(
    preset: Annotated[str | None, typer.Option(help="A named preset; `vaecore presets` lists them.")] = None,
    config: Annotated[Path | None, typer.Option(help="A configuration file, JSON or YAML.")] = None,
    changes: SetOption = None,
    name: Annotated[str, typer.Option(help="The run's name; made from the choice and the time without.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the training goes on.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model: queue it, follow it to its end."""
    from vaecore.config import RunConfig, changed, from_file
    from vaecore.config import preset as named
    from vaecore.schema import problem
    from vaecore.training.setup import fit

    if preset and config:
        raise problem("--config", str(config), "a preset and a file were both given.", "Give one of them.")
    start = named(preset) if preset else from_file(config) if config else RunConfig()
    chosen = changed(start, changes or []).resolve()
    fit(chosen, chosen.data.load())  # what is wrong is said here, not in a log
    run = _store(store).create(chosen, name)
    lab.submit(run.path)
    if detach:
        return _say({"run": run.id, "folder": str(run.path)}, as_json, f"{run.id} is queued in {run.path}")
    err.print(f"{run.id} in {run.path}", highlight=False)
    _follow(run, as_json)


@app.command()
def resume(run: RunArgument, detach: Annotated[bool, typer.Option("--detach", help="Return at once.")] = False,
           store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Continue a run that was stopped, failed or lost, from its last checkpoint."""
    found = _store(store).find(run)
    lab.submit(found.path)
    if detach:
        return _say({"run": found.id}, as_json, f"{found.id} is queued")
    _follow(found, as_json)


@app.command()
def stop(run: RunArgument, now: Annotated[bool, typer.Option("--now", help="Kill it if it does not obey.")] = False,
         store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Stop a run: it finishes its step, saves, and can be resumed. A queued one leaves the queue."""
    found = _store(store).find(run)
    lab.stop(found.path, now=now)
    status = lab.wait(found.path, timeout=60)
    _say({"run": found.id, "state": status.state}, as_json, f"{found.id} is {status.state}. {status.detail}")


@app.command()
def remove(run: RunArgument, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
           store: StoreOption = None) -> None:
    """Move a run to the trash; `vaecore restore` brings it back."""
    found = _store(store).find(run)
    if found.shipped:
        raise StoreError(f"{found.id} was shipped with the project and stays.")
    if not yes and not sys.stdin.isatty():
        raise StoreError(f"Nobody is here to confirm that {found.id} goes to the trash. Say --yes.")
    if not yes:
        typer.confirm(f"Move {found.id} to the trash?", abort=True)
    name = lab.remove(found.path)
    out.print(f"{found.id} is in the trash. `vaecore restore {name}` brings it back.", highlight=False)


@app.command()
def restore(name: Annotated[str, typer.Argument(help="The removed run's name.")], store: StoreOption = None) -> None:
    """Bring a removed run back."""
    out.print(f"{_store(store).restore(name).id} is back.", highlight=False)


def _follow(run: Run, as_json: bool) -> None:
    metrics = Metrics(run.path / "metrics.jsonl")
    metrics.update()
    shown = len(metrics.evaluations)  # what an earlier attempt reached is not news
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"),
               TimeRemainingColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("queued", total=None)
        while True:
            try:
                status = lab.status(run.path)
                metrics.update()
                for line in metrics.evaluations[shown:]:
                    progress.console.print(_evaluation_line(line), highlight=False)
                shown = max(shown, len(metrics.evaluations))
                progress.update(task, description=status.state, completed=status.step, total=status.total or None)
                if status.state not in ("queued", "running"):
                    break
                lab.kick(run.path.parent.parent)
                time.sleep(0.2)
            except KeyboardInterrupt:
                err.print("Stopping after this step; the run is saved and can be resumed.")
                lab.stop(run.path)
    _say({"run": run.id, "state": status.state, "detail": status.detail, "summary": run.summary()}, as_json,
         f"{run.id}: {status.detail or status.state}")
    if status.state != "finished":
        raise typer.Exit(STOPPED if status.state == "stopped" else FAILED)


def _evaluation_line(line: dict[str, Any]) -> str:
    reconstruction = sum(line["reconstruction"].values())
    kl = sum(map(sum, line["kl"].values()))
    return (f"epoch {line['epoch']:6.1f}   validation -ELBO {-line['elbo']:9.2f}   reconstruction "
            f"{reconstruction:9.2f}   KL {kl:7.2f} nats")


# -- what there is ---------------------------------------------------------------------------------


@app.command()
def runs(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the runs and the gallery with their state and numbers."""
    here = _store(store)
    lab.kick(here.root)
    rows = [_row(run) for run in here.runs() + here.gallery()]
    if as_json or not rows:
        return _say(rows, as_json, f"No run in {here.root}. `vaecore train --preset vae-mnist` makes one.")
    _table(rows, {"run": "run", "state": "state", "family": "family", "data": "data", "epoch": "epoch",
                  "neg_elbo": "test -ELBO", "reconstruction_error": "-log p(x|z)", "mse": "MSE", "active": "active"})


def _row(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {"run": run.id, "state": lab.status(run.path).state}
    try:
        values, summary = run.values(), run.summary()
        row |= {"family": values["model"]["family"], "data": values["data"]["name"], "epoch": summary.get("epoch")}
        if test := summary.get("test"):
            row |= {"reconstruction_error": -sum(test["reconstruction"].values()), "active": test["active"],
                    "mse": next(iter(test["mse"].values()))}
            if test["kl"]:  # without a KL there is no bound on log p(x)
                row["neg_elbo"] = -test["elbo"]
    except StoreError as error:
        return row | {"state": "unreadable", "problem": str(error)}
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        return row | {"state": "unreadable", "problem": f"config.json or summary.json is not ours: {error!r}"}
    return row


@app.command()
def show(run: RunArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Everything known of a run: state, configuration, numbers, the end of its log."""
    found = _store(store).find(run)
    status, summary = lab.status(found.path), found.summary()
    facts = {"run": found.id, "folder": str(found.path), "state": status.state, "detail": status.detail,
             "step": status.step or summary.get("step"), "total": status.total or summary.get("total_steps"),
             "seconds_left": status.seconds_left, "config": found.values(), "summary": summary,
             "log": lab.log_tail(found.path, 12)}
    if as_json:
        return _say(facts, True, "")
    import yaml

    out.print(f"{found.id}: {status.state}. {status.detail if status.state != 'finished' else ''}", highlight=False)
    for title, part in (("configuration", facts["config"]), ("numbers", _rounded(summary))):
        out.print(f"\n{title}\n" + yaml.safe_dump(part, sort_keys=False, default_flow_style=None), highlight=False)
    if facts["log"]:
        out.print(f"log\n{facts['log']}", highlight=False, markup=False)


@app.command("presets")
def list_presets(name: Annotated[str | None, typer.Argument(help="Show one whole, as YAML.")] = None,
                 as_json: JsonOption = False) -> None:
    """The named configurations, each runnable as it is."""
    from vaecore.config import preset, presets

    if name:
        chosen = preset(name)
        return _say(chosen.model_dump(mode="json"), as_json, chosen.to_yaml())
    _say(presets(), as_json, "\n".join(f"{name:22} {text}" for name, text in presets().items()))


@app.command()
def families(as_json: JsonOption = False) -> None:
    """The families of models and their fields."""
    from vaecore.models import FAMILIES

    _describe(FAMILIES, as_json)


@app.command()
def data(download: Annotated[str | None, typer.Option(help="Fetch this data set now.", metavar="NAME")] = None,
         as_json: JsonOption = False) -> None:
    """The data sets, which copy of each is in use, and their fields."""
    from vaecore.data import DATASETS, DataUnavailable
    from vaecore.schema import problem

    if download is not None:
        fetch = getattr(DATASETS.get(download), "download", None)
        if fetch is None:
            can = ", ".join(name for name, kind in DATASETS.items() if hasattr(kind, "download"))
            raise problem("--download", download, f"'{download}' cannot be downloaded.", f"These can: {can}.")
        with err.status(f"fetching {download}"):
            fetch()
    sources = {}
    for name, kind in DATASETS.items():
        try:
            sources[name] = kind().load().source
        except DataUnavailable as error:
            sources[name] = f"not here. {error}"
    _say(sources, as_json, "\n".join(f"{name:14} {source}" for name, source in sources.items()))


@app.command()
def doctor(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Check that this machine has what is needed; exit code 1 if something is wrong."""
    from vaecore.doctor import checks

    found = checks(_store(store).root)
    _say([vars(check) for check in found], as_json,
         "\n".join(f"{'ok  ' if check.ok else 'BAD '} {check.what:14} {check.detail}" for check in found))
    if not all(check.ok for check in found):
        raise typer.Exit(FAILED)


@app.command()
def version() -> None:
    """The version of vaecore."""
    out.print(__version__, highlight=False)


# -- looking at checkpoints ------------------------------------------------------------------------


@app.command()
def evaluate(
    run: RunArgument,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    importance_samples: Annotated[int, typer.Option("-k", "--importance-samples", min=0, max=100_000,
                                                    help="Also estimate log p(x) with K samples.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="Observations used for log p(x); 0 uses all.")] = 1000,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """ELBO, reconstruction, KL and MSE of a checkpoint over a whole split, and log p(x) if asked."""
    from vaecore.data import SPLITS
    from vaecore.evaluate import evaluate_run
    from vaecore.schema import problem

    wanted = next((name for name in SPLITS if name == split), None)
    if wanted is None:
        raise problem("--split", split, f"there is no split '{split}'.", f"Choose one of {', '.join(SPLITS)}.")
    found = _store(store).find(run)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("evaluating", total=None)
        try:
            result = evaluate_run(found, wanted, importance_samples=importance_samples, limit=limit,
                                  progress=lambda done, total: progress.update(task, completed=done, total=total))
        except ValueError as error:
            if importance_samples == 0:
                raise
            raise problem("--importance-samples", importance_samples, str(error), "Leave it out.") from None
    if as_json:
        return _say(result, True, "")
    kl = sum(map(sum, result["kl"].values()))
    out.print(f"{found.id} on {split} ({result['observations']:,} observations of {result['data']})\n"
              f"  ELBO            {result['elbo']:10.3f} nats\n"
              f"  reconstruction  {sum(result['reconstruction'].values()):10.3f} nats\n"
              f"  KL              {kl:10.3f} nats, {result['active']} active dimensions\n"
              f"  MSE             {next(iter(result['mse'].values())):10.5f} per pixel", highlight=False)
    if estimate := result.get("importance_sampling"):
        out.print(f"  log p(x)        {estimate['log_likelihood']:10.3f} +- {estimate['standard_error']:.3f} nats "
                  f"(K = {estimate['samples']}, {estimate['observations']:,} observations)", highlight=False)


@app.command()
def sample(run: RunArgument, output: PictureOption,
           count: Annotated[int, typer.Option(min=1, max=10_000)] = 64,
           temperature: Annotated[float, typer.Option(min=0, max=10, help="Scale of the prior's sigma.")] = 1.0,
           seed: Annotated[int, typer.Option(min=0)] = 0, scale: ScaleOption = 4, store: StoreOption = None) -> None:
    """Draw codes from the prior and decode them."""
    _picture(run, store, output, scale, lambda c: (c.sample(count, temperature, seed), round(count**0.5)))


@app.command()
def reconstruct(run: RunArgument, output: PictureOption,
                count: Annotated[int, typer.Option(min=1, max=64)] = 16, scale: ScaleOption = 4,
                store: StoreOption = None) -> None:
    """Test images over their reconstructions."""
    _picture(run, store, output, scale,
             lambda c: (_stack([c.originals(slice(count)), c.reconstruct(slice(count))]), len(c.examples[:count])))


@app.command()
def traverse(run: RunArgument, output: PictureOption,
             steps: Annotated[int, typer.Option(min=2, max=101)] = 11,
             span: Annotated[float, typer.Option(min=0.1, max=10, help="How far to go, in prior sigmas.")] = 3.0,
             dimensions: Annotated[int, typer.Option(min=1, help="Rows, the most informative first.")] = 16,
             example: Annotated[int | None, typer.Option(min=0, help="Start from this test image; else 0.")] = None,
             scale: ScaleOption = 4, store: StoreOption = None) -> None:
    """One row a latent dimension, moved from one end to the other, the rest held still."""
    import numpy as np

    def draw(c: Checkpoint) -> tuple[Images, int]:
        if example is not None and example >= len(c.examples):
            raise StoreError(f"--example {example}: {run} keeps {len(c.examples)} test images. Use a smaller number.")
        base = c.scale()[0] if example is None else c.encode([example])[0]
        images = c.traverse(base, c.order[:dimensions], [float(v) for v in np.linspace(-span, span, steps)])
        return images.reshape(-1, *images.shape[2:]), steps

    _picture(run, store, output, scale, draw)


@app.command()
def compare(references: Annotated[list[str], typer.Argument(metavar="RUN...", help="Two runs or more.")],
            output: Annotated[Path | None, typer.Option("-o", "--output", help="A PNG: originals, then a row of "
                                                        "reconstructions a run.")] = None,
            count: Annotated[int, typer.Option(min=1, max=64)] = 16, scale: ScaleOption = 4,
            store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Runs side by side: the fields that differ, their numbers, and the same images through each."""
    found = [_store(store).find(reference) for reference in references]
    from vaecore.config import differences

    fields = differences(run.values() for run in found)
    rows = [_row(run) for run in found]
    if output:
        from vaecore.explore import Checkpoint, reconstruct_same

        images = reconstruct_same([Checkpoint.load(run) for run in found], count)
        _save(_stack(images), len(images[0]), output, scale)
    if as_json:
        return _say({"differences": fields, "runs": rows}, True, "")
    table = Table("field", *[run.id for run in found])
    for name, values in fields.items():
        table.add_row(name, *["-" if value is None else str(value) for value in values])
    for name in ("neg_elbo", "reconstruction_error", "mse", "active"):
        table.add_row(f"test {name}", *[_shown(row.get(name)) for row in rows])
    out.print(table)
    if any(name.startswith(("data.", "model.likelihood")) or name == "model.family" for name in fields):
        out.print("Numbers in nats compare only between runs of the same data, pixels and likelihood; these differ.")


# -- printing --------------------------------------------------------------------------------------


def _store(path: Path | None) -> Store:
    return Store(path.resolve()) if path else Store.default()


def _say(facts: Any, as_json: bool, text: str) -> None:
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        out.print(text, highlight=False, markup=False)


def _describe(kinds: dict[str, Any], as_json: bool) -> None:
    facts: dict[str, Any] = {name: {"what": (kind.__doc__ or "").split("\n")[0],
                                    "fields": {field: info.description for field, info in kind.model_fields.items()
                                               if info.description}} for name, kind in kinds.items()}
    text = "\n\n".join(f"{name}: {fact['what']}\n" + "\n".join(f"  {f:16} {d}" for f, d in fact["fields"].items())
                       for name, fact in facts.items())
    _say(facts, as_json, text)


def _table(rows: Iterable[dict[str, Any]], columns: dict[str, str]) -> None:
    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(columns.values()):
        table.add_column(title, no_wrap=index == 0, justify="left" if index < 4 else "right")
    for row in rows:
        table.add_row(*[_shown(row.get(name)) for name in columns])
    out.print(table)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if 0 < abs(value) < 1 else f"{value:,.2f}"
    return "" if value is None else str(value)


def _rounded(value: Any) -> Any:
    """Numbers as a person reads them: four significant digits, and the length of what is long."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _picture(reference: str, store: Path | None, output: Path, scale: int,
             draw: Callable[[Checkpoint], tuple[Images, int]]) -> None:
    from vaecore.explore import Checkpoint

    images, columns = draw(Checkpoint.load(_store(store).find(reference)))
    _save(images, columns, output, scale)


def _save(images: Images, columns: int, output: Path, scale: int) -> None:
    from vaecore.explore.pictures import grid, png

    output.write_bytes(png(grid(images, columns), scale))
    err.print(f"{output} written", highlight=False)


def _stack(rows: Sequence[Images]) -> Images:
    import numpy as np

    return np.concatenate(list(rows))


if __name__ == "__main__":
    main()
