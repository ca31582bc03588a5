"""Verbs that move from code to code: interpolate, directions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaecore.cli.looking import save
from vaecore.cli.printing import (
    Head,
    JsonOption,
    RunArgument,
    ScaleOption,
    StoreOption,
    lines,
    rounded,
    say,
    store_at,
    writable,
)
from vaecore.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes

ALL = "all"  # paths
REACH = 3  # units of a direction on either side of a picture's middle

OptionalPicture = Annotated[Path | None, typer.Option("-o", "--output", callback=writable, help="The PNG to write.")]

app = typer.Typer()


@app.command()
def interpolate(run: RunArgument,
                start: Annotated[int, typer.Option("--from", min=0, help="Test image at the beginning.")] = 0,
                end: Annotated[int, typer.Option("--to", min=0, help="Test image at the end.")] = 1,
                path: Annotated[str, typer.Option(metavar="straight|spherical|shortest|all",
                                                  help="Along the line between both codes, along the arc, or on the "
                                                  "shortest path in the decoder's metric; all three a row each.")
                                ] = "straight",
                steps: Annotated[int, typer.Option(min=2, max=101, help="Images, both ends included.")] = 9,
                output: OptionalPicture = None, scale: ScaleOption = None, store: StoreOption = None,
                as_json: JsonOption = False) -> None:
    """The way from one test image to another through the latent space, with the lengths of three paths."""
    import numpy as np

    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import ROUTES
    from vaecore.schema import problem

    chosen = ROUTES if path == ALL else [each for each in ROUTES if each == path]
    if not chosen:
        raise problem("--path", path, "there is no such path.", f"Choose one of {', '.join([*ROUTES, ALL])}.")
    c = Checkpoint.load(store_at(store).find(run))
    for option, example in (("--from", start), ("--to", end)):
        _check_example(c, run, option, example)
    first, last = c.encode([start, end])
    found = c.ways(first, last, steps)
    if output is not None:
        save(np.concatenate([c.decode(found[each].codes) for each in chosen]), steps, output, scale)
    facts = {"from": start, "to": end, "chord": found.chord, "settled": found.settled, "metric": metric_of(c),
             "lengths": {each: found[each].length for each in ROUTES},
             "codes": {each: found[each].codes.tolist() for each in chosen}}
    lengths = ", ".join(f"{each} {found[each].length:.3f}" for each in ROUTES)
    text = (f"{run}, test images {start} to {end}. Lengths in the decoder's metric: {lengths}; the pictures themselves "
            f"are {found.chord:.3f} apart.\nThe shortest path is {found.saved():.1%} shorter than the straight one.")
    say(facts, as_json, text if found.settled else f"{text} It was still growing shorter when its rounds were used up.")


@app.command()
def directions(run: RunArgument,
               example: Annotated[int | None, typer.Option("--at", min=0, help="Local directions at the code of this "
                                                           "test image; else at the prior's mean, or the mean "
                                                           "code without a prior.")] = None,
               count: Annotated[int, typer.Option(min=1, max=512, help="Local directions, the strongest first.")] = 6,
               a: Annotated[str | None, typer.Option("--a", metavar="CLASS|ROWS", help="Instead the direction towards "
                                                     "the mean code of this class, by its name, or of these test "
                                                     "images, as 0,3,8.")] = None,
               b: Annotated[str | None, typer.Option("--b", metavar="CLASS|ROWS", help="From the mean code of this "
                                                     "class or of these test images.")] = None,
               output: OptionalPicture = None, scale: ScaleOption = None, store: StoreOption = None,
               as_json: JsonOption = False) -> None:
    """Directions of the code that say something: what the decoder listens to most, or from one class to another."""
    import numpy as np

    from vaecore.explore import Checkpoint
    from vaecore.schema import problem

    c = Checkpoint.load(store_at(store).find(run))
    if example is not None:
        _check_example(c, run, "--at", example)
    base = c.scale()[0] if example is None else c.encode([example])[0]
    if (a is None) != (b is None):
        raise problem("--a" if a is None else "--b", None, "a direction is from one group to another.", "Give both.")
    if a is not None and b is not None:
        found = c.attribute(_group(c, run, "--a", a), _group(c, run, "--b", b), f"{a} less {b}")
        _picture_of(c, base, [found.vector], output, scale)
        return say(found.facts(), as_json, f"{found.name}: {found.words}\n{found.vector.round(4).tolist()}")
    local = c.directions(base, count)
    _picture_of(c, base, list(local.moves), output, scale)
    if as_json:
        return say({"at": base.tolist(), "metric": metric_of(c), "directions": local.facts()}, True, "")
    rows = []
    for each, vector in zip(local.facts(), local.vectors, strict=True):
        largest = [d for d in np.argsort(-np.abs(vector), kind="stable")[:3] if abs(vector[d]) >= 0.1]
        rows.append([each["name"], f"{rounded(each['value'])}", f"{rounded(each['step'])}",
                     ", ".join(f"{vector[d]:+.2f} z{d}" for d in largest)])
    lines([Head("direction", whole=True), Head("singular value", right=True),
           Head("one unit moves the code by", right=True), Head("its largest components")], rows)


def metric_of(c: Checkpoint) -> str:
    """Words for what lengths and singular values are measured in."""
    from vaecore.explore.surface import says_sigma

    return "mean and sigma of p(x|z)" if says_sigma(c.model, c.model.latents) else "mean of p(x|z)"


def _check_example(c: Checkpoint, run: str, option: str, example: int) -> None:
    if example >= len(c.examples):
        raise StoreError(f"{option} {example}: {run} keeps {len(c.examples)} test images. Use a smaller number.")


def _group(c: Checkpoint, run: str, option: str, words: str) -> list[int]:
    """The numbers of the test images that are meant: those of a class, or a list of numbers."""
    import numpy as np

    from vaecore.schema import problem

    numbers = [part.strip() for part in words.split(",")]
    whole = all(part.isdecimal() and len(part) < 10 for part in numbers)
    if c.labels is not None:
        names = c.known or tuple(str(each) for each in range(int(c.labels.max()) + 1))
        if words in names:
            rows = np.flatnonzero(c.labels == names.index(words)).tolist()
            if not rows:
                raise problem(option, words, f"none of the {len(c.examples)} test images that {run} keeps is one.",
                              "Choose another class.")
            return [int(row) for row in rows]
    elif not whole:
        raise problem(option, words, f"the test images of {run} have no labels.", "Give their numbers, as 0,3,8.")
    if len(numbers) < 2 or not whole:
        raise problem(option, words, "there is no such class among the labels.", "Give one that is, or numbers of test "
                      "images with commas between, as 0,3,8.")
    found = [int(part) for part in numbers]
    for example in found:
        _check_example(c, run, option, example)
    return found


def _picture_of(c: Checkpoint, base: Codes, steps: Sequence[Codes], output: Path | None, scale: int | None) -> None:
    """A row for each direction, from three units before `base` to as many after it."""
    import numpy as np

    if output is not None:
        units = np.arange(-REACH, REACH + 1, dtype=np.float32)[:, None]
        save(c.decode(np.concatenate([base + units * step for step in steps])), len(units), output, scale)
