"""`vaecore generate`: give some modalities of a model and generate the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaecore.cli.printing import JsonOption, RunArgument, ScaleOption, StoreOption, err, say, store_at, writable
from vaecore.modalities import Image, Label, Modality, Text, Vector
from vaecore.schema import problem
from vaecore.store import StoreError

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.generated import Generated

EXAMPLE = "example:"
LISTED = 5  # classes that are printed

app = typer.Typer()


@app.command()
def generate(
    run: RunArgument,
    given: Annotated[list[str] | None, typer.Option(
        "--given", metavar="NAME=VALUE", help="A modality and what it is: label=3, en=\"a man runs\", image=digit.png, "
        "or a test sample as image=example:12; repeatable. Without any, everything is drawn from the prior.")] = None,
    as_is: Annotated[bool, typer.Option("--as-is", help="Read pictures as they are: not inverted, not cropped to what "
                                        "is drawn, not stretched.")] = False,
    predict: Annotated[list[str] | None, typer.Option(
        "--predict", metavar="NAME", help="A modality to generate; repeatable. Without any, all that are not given."
    )] = None,
    output: Annotated[Path | None, typer.Option("-o", "--out", "--output", callback=writable,
                                                help="A PNG of the images and vectors; of "
                                                "several modalities, a row each. A .csv has the numbers of vectors, in "
                                                "the file's units.")] = None,
    count: Annotated[int, typer.Option(min=1, max=400, help="How many of each.")] = 16,
    temperature: Annotated[float, typer.Option(min=0, max=10, help="Scale of the codes' sigma; at 0 they are the "
                                               "means.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
    scale: ScaleOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Generate some modalities of a model from others, or all of them from its prior."""
    from vaecore.explore.crossmodal import CrossModal

    found = CrossModal.load(store_at(store).find(run))
    try:
        told: dict[str, Tensor] = {}
        for name, value in (_given(found, one, as_is=as_is) for one in given or []):
            if name in told:
                raise problem("--given", name, f"{name} is given twice.", "Give each modality once.")
            told[name] = value
        wanted = list(predict or [name for name in found.modalities if name not in told])
        made = found.generate(told, wanted, count, temperature, seed)
        beliefs = found.experts(told)
    except ValueError as error:
        raise StoreError(str(error)) from None
    if output is not None and output.suffix.lower() == ".csv":
        _write_numbers({name: one for name, one in made.items() if isinstance(one.modality, Vector)}, output)
    elif output is not None:
        _save([one for one in made.values() if one.modality.pictured], output, scale)
    facts: dict[str, Any] = {
        "run": found.run.id, "given": list(told), "count": count, "temperature": temperature, "seed": seed,
        "generated": {name: _facts(one) for name, one in made.items()},
        "certainty": None if beliefs is None else {
            "latent": beliefs.latent, "rule": beliefs.rule, "order": beliefs.order,
            "std": {b.name: b.std.tolist() for b in (beliefs.prior, *beliefs.parts, beliefs.posterior)}}}
    lines = [f"{name}: {line}" for name, one in made.items() for line in _lines(one, output is not None)]
    if lines or as_json:
        say(facts, as_json, "\n".join(lines))


def _given(found: CrossModal, text: str, *, as_is: bool) -> tuple[str, Tensor]:
    """A modality and what it is given as; raises `ConfigError` for what has no =, `ValueError` for what does not
    fit."""
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise problem("--given", text, "it does not say what is given.",
                      "Write NAME=VALUE, as label=3 or image=example:0.")
    if name not in found.modalities:
        raise problem("--given", text, f"{found.run.id} has no modality '{name}'.",
                      f"It has {', '.join(found.modalities)}.")
    if value.startswith(EXAMPLE):
        number = value.removeprefix(EXAMPLE)
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            raise problem("--given", text, f"'{number}' is no number of a test sample.",
                          f"Use {EXAMPLE}0 to {EXAMPLE}{found.count - 1}.")
        return name, found.sample(name, int(number))
    modality = found.modalities[name]
    if isinstance(modality, Image):
        from vaecore.explore.uploads import AS_IS, MAX_PICTURE_BYTES, from_upload

        path = Path(value).expanduser()
        with path.open("rb") as file:  # a missing one is an `OSError`, which names it
            channels, height, width = modality.shape
            read = from_upload(file.read(MAX_PICTURE_BYTES + 1), (channels, height, width), found.ink(name),
                               undone=AS_IS if as_is else ())
        if read.done:
            err.print(f"{name}: {'; '.join(read.said)}. --as-is undoes it.", highlight=False, markup=False)
        return name, found.picture(name, read.pixels)
    said = found.typed(name, value)
    if said.reading is not None and (unknown := said.reading.unknown):
        err.print(f"{name}: not in its vocabulary, read as the unknown word: {', '.join(unknown)}", highlight=False,
                  markup=False)
    return name, said.value


def _facts(made: Generated) -> dict[str, Any]:
    return {"kind": made.modality.kind} | made.modality.pick(FACTS)(made)


def _classes(made: Generated) -> dict[str, Any]:
    names = made.modality.class_names
    return {"classes": [names[c] for c in made.classes], "probabilities": made.values.mean(0).tolist()}


def _numbers(made: Generated) -> dict[str, Any]:
    columns = made.modality.columns
    return {"values": made.numbers.tolist()} | ({"columns": list(columns)} if columns else {})


FACTS: dict[type[Modality], Callable[[Generated], dict[str, Any]]] = {
    Image: lambda made: {"shape": list(made.values.shape)}, Vector: _numbers, Label: _classes,
    Text: lambda made: {"sentences": list(made.sentences)}}


def _lines(made: Generated, saved: bool) -> list[str]:
    """What is printed of a modality."""
    return made.modality.pick(LINES)(made, saved)


def _pictures(made: Generated, saved: bool) -> list[str]:
    return [] if saved else [f"{len(made)} {made.modality.plural}; save them with --out FILE.png"]


def _rows(made: Generated, saved: bool) -> list[str]:
    return [f"{line}, or print them with --json" for line in _pictures(made, saved)]


def _likeliest(made: Generated, saved: bool) -> list[str]:  # noqa: ARG001 (as the others)
    names, chances = made.modality.class_names, made.values.mean(0)
    best = sorted(range(len(names)), key=lambda c: -chances[c])[:LISTED]
    return [", ".join(f"{names[c]} {100 * chances[c]:.1f} %" for c in best)]


LINES: dict[type[Modality], Callable[[Generated, bool], list[str]]] = {
    Image: _pictures, Vector: _rows, Label: _likeliest, Text: lambda made, saved: list(made.sentences)}  # noqa: ARG005


def _write_numbers(made: dict[str, Generated], output: Path) -> None:
    """The vectors as CSV, side by side; of several modalities a column has the modality's name too."""
    import numpy as np

    from vaecore.explore.exported import as_csv

    if not made:
        raise problem("--out", str(output), "no vector is generated, whose numbers a .csv could have.",
                      "Give a .png, or --predict one.")
    names = [f"{name}: {column}" if len(made) > 1 else column
             for name, one in made.items() if isinstance(one.modality, Vector) for column in one.modality.column_names]
    numbers = np.concatenate([one.numbers for one in made.values()], axis=1)
    output.write_text(as_csv(names, numbers), encoding="utf-8")
    err.print(f"{output} written", highlight=False)


def _save(made: Sequence[Generated], output: Path, scale: int | None) -> None:
    from vaecore.explore.pictures import grid, legible, stacked, to_save

    if not made:
        raise problem("--out", str(output), "nothing that a picture could show is generated.",
                      "Leave it out; labels and sentences are printed.")
    [first, *others] = made
    sheet = stacked([one.images for one in made]) if others else grid(legible(first.images), round(len(first) ** 0.5))
    output.write_bytes(to_save(sheet, scale))
    err.print(f"{output} written", highlight=False)
