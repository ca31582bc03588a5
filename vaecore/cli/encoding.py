"""`vaecore encode`: pictures from outside as a model reads them, and how they stand beside its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vaecore.cli.looking import class_number
from vaecore.cli.printing import JsonOption, RunArgument, ScaleOption, StoreOption, err, out, say, store_at, writable
from vaecore.schema import problem
from vaecore.store import StoreError

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.reading import Reading
    from vaecore.explore.uploads import Step, Upload

LARGEST_PARTS = 5  # dimensions that are printed, those with the most nats
NEAREST_PRINTED = 5
ALL = "all"

app = typer.Typer()


@app.command()
def encode(
    run: RunArgument,
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="PNG, JPEG, WebP, BMP or GIF files.")],
    label: Annotated[str | None, typer.Option(help="The class of the pictures, by its name, where the model reads one "
                                              "beside them.")] = None,
    undo: Annotated[list[str] | None, typer.Option(
        "--undo", metavar="STEP", help="Leave out what would be done to a picture: turn, stretch, paper, edge, invert, "
        "find, cut, or all; repeatable.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", callback=writable, help="A PNG: the pictures as the "
                                                "model reads them, over their reconstructions.")] = None,
    scale: ScaleOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read pictures as a model does: codes and KL, nearest observations, how well they are reconstructed."""
    from vaecore.explore import Checkpoint
    from vaecore.explore.exported import names_of
    from vaecore.explore.observed import observed
    from vaecore.explore.reading import COMPARED, Yardstick

    found = Checkpoint.load(store_at(store).find(run))
    undone = _steps(undo or [])
    number = _class_of(found, run, label)
    read: list[tuple[Path, Upload]] = []
    for path in pictures:
        try:
            read.append((path, found.read(_bytes(path), undone=undone)))
            found.encode_picture(read[-1][1].pixels, number)
        except ValueError as error:
            raise StoreError(f"{path}: {error}") from None
    beside = observed(found, COMPARED, "test")
    yardstick = Yardstick.of(found, beside.x, beside.covariates, beside.source)
    names = [""] * len(beside.x) if beside.labels is None else names_of(beside.labels, found.known)
    facts = []
    for path, upload in read:
        reading = found.encode_picture(upload.pixels, number, yardstick)
        labels = [names[each.number] or None for each in reading.nearest]
        facts.append(_facts(path, upload, reading, labels))
        if not as_json:
            out.print("\n".join(_lines(found, path, upload, reading, labels)), highlight=False)
    if output is not None:
        _save(found, [upload for _, upload in read], number, output, scale)
    if as_json:
        say({"run": found.run.id, "compared_with": yardstick.source, "pictures": facts}, True, "")


def _steps(undo: list[str]) -> list[Step]:
    from vaecore.explore.uploads import STEPS

    if ALL in undo:
        return list(STEPS)
    for name in undo:
        if name not in STEPS:
            raise problem("--undo", name, f"there is no step '{name}'.", f"Choose of {', '.join(STEPS)}, {ALL}.")
    return cast("list[Step]", undo)


def _class_of(found: Checkpoint, run: str, label: str | None) -> int | None:
    """The number of the class that is called so; raises `ConfigError` for one that the model does not read."""
    return None if label is None else class_number(found, run, label, f"{run} reads no class beside a picture.")


def _bytes(path: Path) -> bytes:
    """No more of a file than tells that it is too large; a missing one is an `OSError`, which names it."""
    from vaecore.explore.uploads import MAX_PICTURE_BYTES

    with path.expanduser().open("rb") as file:
        return file.read(MAX_PICTURE_BYTES + 1)


def _facts(path: Path, upload: Upload, reading: Reading, labels: list[str | None]) -> dict[str, Any]:
    return {
        "file": str(path), "done": [{"step": done.step, "words": done.words} for done in upload.done],
        "code": reading.code.tolist(), "sigma": None if reading.sigma is None else reading.sigma.tolist(),
        "kl": None if reading.kl is None else reading.kl.tolist(), "mean_squared_error": reading.error,
        "percentile": reading.percentile,
        "nearest": [{"number": each.number, "distance": each.distance, "label": label}
                    for each, label in zip(reading.nearest, labels, strict=True)]}


def _lines(found: Checkpoint, path: Path, upload: Upload, reading: Reading, labels: list[str | None]) -> list[str]:
    lines = [f"{path}: {'; '.join(upload.said) or 'only fitted to the size that the model reads'}"]
    if reading.kl is not None:
        usual = "" if found.kl is None else f", and {found.kl.sum():.2f} for an observation of the data on average"
        largest = sorted(range(len(reading.kl)), key=lambda d: -reading.kl[d] if reading.kl is not None else 0)
        parts = ", ".join(f"z{d} {reading.kl[d]:.2f}" for d in largest[:LARGEST_PARTS])
        lines.append(f"  KL {reading.kl.sum():.2f} nats{usual}; most of it: {parts}")
    lines.append(f"  mean squared error {reading.error:.4f}: {reading.percentile:.0f} % of "
                 f"{reading.yardstick.source} are reconstructed better")
    near = [f"{each.number}{'' if label is None else f' ({label})'} at {each.distance:.2f}"
            for each, label in zip(reading.nearest[:NEAREST_PRINTED], labels, strict=False)]
    return [*lines, f"  nearest by code: {', '.join(near)}"]


def _save(found: Checkpoint, read: list[Upload], label: int | None, output: Path, scale: int | None) -> None:
    import torch

    from vaecore.explore.pictures import as_images, stacked, to_save

    if output.suffix.lower() == ".csv":
        raise problem("--output", str(output), "a picture is no .csv.", "Give a .png.")
    given = torch.stack([torch.from_numpy(upload.pixels) for upload in read]).float() / 255
    made = torch.stack([found.encode_picture(upload.pixels, label).reconstruction for upload in read])
    output.write_bytes(to_save(stacked([as_images(given), as_images(made)]), scale))
    err.print(f"{output} written", highlight=False)
