"""Verbs that look at checkpoints: diagnose, sample, reconstruct, traverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from vaecore.cli.printing import (
    DataPathOption,
    Head,
    JsonOption,
    RunArgument,
    ScaleOption,
    StoreOption,
    err,
    lines,
    out,
    say,
    shown,
    store_at,
    writable,
)
from vaecore.modalities import Label
from vaecore.store import StoreError
from vaecore.views import STILL, view_of

if TYPE_CHECKING:
    from vaecore.arrays import Numbers
    from vaecore.data import SplitName
    from vaecore.explore import Checkpoint
    from vaecore.explore.pictures import Images

PictureOption = Annotated[Path, typer.Option("-o", "--output", callback=writable,
                                             help="The PNG to write.")]
PictureOrTableOption = Annotated[Path, typer.Option("-o", "--output", callback=writable,
                                                    help="The PNG to write; of a model of vectors "
                                                    "also a .csv, with the file's columns in its units.")]

RANGES = ("sigmas", "prior", "aggregated")

app = typer.Typer()


@app.command()
def diagnose(
    run: RunArgument,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "validation",
    observations: Annotated[int, typer.Option(min=2, max=20_000,
                                              help="Observations compared with each other.")] = 10_000,
    batch_size: Annotated[int, typer.Option(min=2, help="Of the minibatch estimate, which saturates at its log.")] = 32,
    data_path: DataPathOption = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """How a checkpoint uses its code: KL and activity by dimension, mutual information, lag of the encoder."""
    from vaecore.data.identity import check_there
    from vaecore.evaluate.latent_usage import aggregate_words
    from vaecore.evaluate.latent_usage import diagnose as diagnosis
    from vaecore.evaluate.verdict import WORDS, verdict
    from vaecore.store import Metrics

    found = store_at(store).find(run)
    if data_path:
        found.relocate(data_path)
    check_there(found.config().data)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("encoding", total=None)
        try:
            facts = diagnosis(found, checked_split(split), observations=observations, batch_size=batch_size,
                              progress=lambda done, total: progress.update(task, completed=done, total=total))
        except ValueError as error:
            raise StoreError(str(error)) from None
    metrics = Metrics(found.path / "metrics.jsonl")
    metrics.update()
    told = verdict(metrics, found.values())
    if as_json:
        return say({**facts, "verdict": {"state": told.state, "sentences": told.sentences}}, True, "")
    out.print(f"{found.id} on {split}: rate {facts['rate']:.3f}, distortion {facts['distortion']:.3f} nats; "
              f"{facts['observations']:,} observations of {facts['data']}", highlight=False)
    for name, part in facts["latents"].items():
        mi = part["information"]
        size, kl = len(part["code_variance"]), part["kl"]
        out.print(f"{name}: {part['active']} of {size} dimension{'s' * (size != 1)} active, rate {part['rate']:.3f}, "
                  f"mutual information {mi['mutual_information']:.3f} nats (in minibatches of {mi['batch_size']}: "
                  f"{mi['minibatch']:.3f}), KL(q(z)||p(z)) {aggregate_words(mi)}", highlight=False)
        columns = [*(["kl"] if kl else []), "code_variance", "model_spread", "inference_spread"]
        lines([Head(title, right=True) for title in ("dimension", *(["KL"] if kl else []), "variance of means",
                                                     "spread of model means", "of encoder means", "correlation")],
              [[str(d), *(shown(float(part[column][d])) for column in columns), shown(part["correlation"][d])]
               for d in sorted(range(size), key=lambda d: -part[columns[0]][d])])
        if not kl:
            out.print("its prior has no KL by dimension: it is one number for the whole latent", highlight=False)
    out.print(f"at its last evaluation {WORDS[told.state]}: {' '.join(told.sentences)}", highlight=False, markup=False)
    for remedy in told.remedies:
        settings = " ".join(f"--set {setting}" for setting in remedy.settings)
        out.print(f"  to try: {remedy.words.lower()} ({settings})", highlight=False, markup=False)


@app.command()
def sample(run: RunArgument, output: PictureOrTableOption,
           count: Annotated[int, typer.Option(min=1, max=10_000)] = 64,
           temperature: Annotated[float, typer.Option(min=0, max=10, help="Scale of the prior's sigma.")] = 1.0,
           seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
           label: Annotated[str | None, typer.Option(help="Of a conditional prior, by its name; without, labels are "
                                                     "those of test images.")] = None,
           scale: ScaleOption = None, store: StoreOption = None) -> None:
    """Draw codes from the prior and decode them."""
    from vaecore.explore import Codeless
    from vaecore.schema import problem

    there = store_at(store).find(run)
    found = view_of(there, *STILL).load(there)
    if isinstance(found, Codeless):
        if temperature != 1:
            raise problem("--temperature", temperature, f"{run} has no latent code whose prior could have one.",
                          "Leave it out.")
        if label is not None:
            raise problem("--label", label, f"{run} has no prior that reads labels.", "Leave it out.")
        _check_picture(output, run)
        images = found.sample(count, seed)
    else:
        if temperature != 1 and not found.tempered:
            raise problem("--temperature", temperature, f"the prior of {run} is no mixture of Gaussians, whose spread "
                          "it could change.", "Leave it out.")
        codes = found.sample_codes(count, temperature, seed, _labels(found, run, label, count))
        if _wants_table(output):
            return _write_table(found, run, output, found.numbers(codes) if found.vector else None)
        images = found.decode(codes)
    save(images, round(count**0.5), output, scale)


@app.command()
def reconstruct(run: RunArgument, output: PictureOrTableOption,
                count: Annotated[int, typer.Option(min=1, max=64)] = 16, scale: ScaleOption = None,
                store: StoreOption = None) -> None:
    """Test images over their reconstructions."""
    if _wants_table(output):
        import numpy as np

        from vaecore.explore import Checkpoint

        found = Checkpoint.load(store_at(store).find(run))
        chosen = list(range(min(count, len(found.examples))))
        numbers = (None if found.vector is None else
                   np.stack([found.given_numbers(chosen), found.numbers(found.encode(chosen))], 1))
        return _write_table(found, run, output, None if numbers is None else numbers.reshape(2 * len(chosen), -1), {
            "test sample": [number for number in chosen for _ in range(2)],
            "version": ["given", "reconstructed"] * len(chosen)})
    _picture(run, store, output, scale,
             lambda c: (stacked([c.originals(slice(count)), c.reconstruct(slice(count))]), len(c.examples[:count])))


@app.command()
def traverse(run: RunArgument, output: PictureOption,
             steps: Annotated[int, typer.Option(min=2, max=101)] = 11,
             span: Annotated[float, typer.Option(min=0.1, max=10, help="How far to go, in prior sigmas.")] = 3.0,
             dimensions: Annotated[int, typer.Option(min=1, help="Rows, the most informative first.")] = 16,
             example: Annotated[int | None, typer.Option(min=0, help="Start from this test image; else from the "
                                                         "prior's mean, or the mean code without a prior.")] = None,
             label: Annotated[str | None, typer.Option(help="Start from the mean of this label's prior, by its name, "
                                                       "where it is conditional.")] = None,
             among: Annotated[str, typer.Option("--range", metavar="|".join(RANGES),
                                                help="What values a dimension takes: sigmas of the prior, or quantiles "
                                                "of the prior or of the aggregated posterior, with as much mass on "
                                                "each side as so many sigmas of a Gaussian have.")] = "sigmas",
             scale: ScaleOption = None, store: StoreOption = None) -> None:
    """One row a latent dimension, moved from one end to the other, the rest held still."""
    import numpy as np

    from vaecore.explore.quantiles import ranges, shares
    from vaecore.schema import problem

    if among not in RANGES:
        raise problem("--range", among, "there is no such range.", f"Choose one of {', '.join(RANGES)}.")

    def draw(c: Checkpoint) -> tuple[Images, int]:
        if example is not None and example >= len(c.examples):
            raise StoreError(f"--example {example}: {run} keeps {len(c.examples)} test images. Use a smaller number.")
        base = c.scale()[0] if example is None else c.encode([example])[0]
        if label is not None:
            if example is not None:
                raise problem("--label", label, "--example already says where to start.", "Leave one of them out.")
            base = c.sample_codes(1, 0.0, labels=_labels(c, run, label, 1))[0]
        rows, values = c.order[:dimensions], np.linspace(-span, span, steps)
        if among == "prior" and not c.has_prior:
            raise problem("--range", among, f"{run} is of a family without a prior.", "Use aggregated or sigmas.")
        if among != "sigmas":
            values = ranges(c, "prior" if among == "prior" else "aggregated", shares(values)).T[rows]
        images = c.traverse(base, rows, values)
        return images.reshape(-1, *images.shape[2:]), steps

    _picture(run, store, output, scale, draw)


def checked_split(name: str) -> SplitName:
    """`name` as a split; raises `ConfigError` for what is none."""
    from vaecore.data import SPLITS
    from vaecore.schema import problem

    for split in SPLITS:
        if split == name:
            return split
    raise problem("--split", name, f"there is no split '{name}'.", f"Choose one of {', '.join(SPLITS)}.")


def _labels(checkpoint: Checkpoint, run: str, label: str | None, count: int) -> list[int] | None:
    """The number of the label called so, for each of `count` codes; raises `ConfigError` for one that the prior does
    not read."""
    if label is None:
        return None
    return [class_number(checkpoint, run, label, f"the prior of {run} reads no labels.")] * count


def class_number(checkpoint: Checkpoint, run: str, label: str, unread: str) -> int:
    """The number of the class called `label`; raises `ConfigError`, with `unread` where none is read."""
    from vaecore.schema import problem

    covariate = checkpoint.model.covariate
    if not isinstance(covariate, Label):
        raise problem("--label", label, unread, "Leave it out.")
    if (number := covariate.class_number(label)) is None:
        raise problem("--label", label, f"the labels of {run} are {covariate.listed}.", "Choose one of them.")
    return number


def _picture(reference: str, store: Path | None, output: Path, scale: int | None,
             draw: Callable[[Checkpoint], tuple[Images, int]]) -> None:
    from vaecore.explore import Checkpoint

    images, columns = draw(Checkpoint.load(store_at(store).find(reference)))
    save(images, columns, output, scale)


def _wants_table(output: Path) -> bool:
    return output.suffix.lower() == ".csv"


def _check_picture(output: Path, run: str) -> None:
    """Raise `ConfigError` for a table that is wanted of what is no vector."""
    from vaecore.schema import problem

    if _wants_table(output):
        raise problem("--output", str(output), f"{run} models no vectors, whose numbers a .csv could have.",
                      "Give a .png.")


def _write_table(found: Checkpoint, run: str, output: Path, numbers: Numbers | None,
                 before: Mapping[str, Sequence[object]] | None = None) -> None:
    """Numbers (N, D) of a model of vectors as CSV; raises `ConfigError` for another model."""
    from vaecore.explore.exported import as_csv

    if found.vector is None or numbers is None:
        return _check_picture(output, run)
    output.write_text(as_csv(found.vector.column_names, numbers, before), encoding="utf-8")
    err.print(f"{output} written", highlight=False)


def save(images: Images, columns: int, output: Path, scale: int | None) -> None:
    from vaecore.explore.pictures import grid, to_save

    check_no_table(output)
    output.write_bytes(to_save(grid(images, columns), scale))
    err.print(f"{output} written", highlight=False)


def check_no_table(output: Path) -> None:
    """Raise `ConfigError` for a picture by the name of a table: it would open in no program."""
    from vaecore.schema import problem

    if _wants_table(output):
        raise problem("--output", str(output), "a picture is no .csv.", "Give a .png.")


def stacked(rows: Sequence[Images]) -> Images:
    import numpy as np

    return np.concatenate(list(rows))
