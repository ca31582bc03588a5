"""A view as a program: a Python script or a notebook that makes the same picture of the same run again.

Both are plain text made here and need nothing but `vaecore`. What is written into them are numbers and names that
Python's own `repr` quotes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from vaecore.explore.export.frames import Motion, padded
from vaecore.explore.pictures import Picture, sheet
from vaecore.explore.single import Checkpoint

COLUMNS = 10


@dataclass(frozen=True)
class At:
    """One code, by its position in units of each dimension; what is missing is 0."""

    units: tuple[float, ...] = ()


@dataclass(frozen=True)
class Samples:
    """Codes drawn by `seed`, as the tab Samples draws them."""

    count: int = 48
    seed: int = 0
    temperature: float = 1.0


Redone = At | Samples | Motion


def script(run: str, view: Redone) -> str:
    """The Python program that makes a view of the run with this id again and saves it as a PNG beside itself."""
    about, imports, load, make, draw = _parts(run, view)
    name = f"{run.replace('/', '-')}.png"
    comment = "\n".join(f"# {line}".rstrip() for line in about.splitlines())
    return (f"{comment}\n\n{imports}\n\n{load}\n{make}\n\n{draw}\n"
            f"Image.fromarray(picture).save({name!r})\n")


def notebook(run: str, view: Redone) -> str:
    """The notebook (nbformat 4.5) that makes a view of the run with this id again; its last cell shows the picture."""
    about, imports, load, make, draw = _parts(run, view)
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "id": "about", "metadata": {}, "source": _lines(about)}]
    cells += [{"cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": [],
               "source": _lines(source)} for name, source in (
        ("imports", imports), ("load", load), ("make", make),
        ("show", f"{draw}\nscale = max(1, 800 // picture.shape[1])\nImage.fromarray(picture).resize("
                 "(scale * picture.shape[1], scale * picture.shape[0]), Image.Resampling.NEAREST)"))]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": cells, "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"}}}, indent=1) + "\n"


def picture(checkpoint: Checkpoint, view: Redone) -> Picture:
    """What both make: the images of the view on one sheet."""
    if isinstance(view, At):
        images = checkpoint.decode(checkpoint.place(padded(view.units, checkpoint.size))[None])
    elif isinstance(view, Samples):
        images = checkpoint.sample(view.count, view.temperature, view.seed)
    else:
        images = checkpoint.decode(view.codes(checkpoint))
    return sheet(images, COLUMNS)


def _parts(run: str, view: Redone) -> tuple[str, str, str, str, str]:
    """What it is in words, and the lines of the program."""
    about = (f"A view of the run {run!r}, made again.\n\nIt needs Latent Lab's package, `vaecore`. The run is looked "
             "for in $VAECORE_STORE, else in ./trained.\n")
    ours = ["from vaecore.explore import Checkpoint", "from vaecore.explore.pictures import sheet",
            "from vaecore.store import Store"]
    make, numbers = "", isinstance(view, At)
    if isinstance(view, At):
        make = ("units = np.zeros(checkpoint.size, np.float32)  # positions, in units of each dimension\n"
                f"units[:{len(view.units)}] = {[_short(value) for value in view.units]}\n"
                "images = checkpoint.decode(checkpoint.place(units)[None])")
    elif isinstance(view, Samples):
        make = f"images = checkpoint.sample({view.count}, temperature={view.temperature!r}, seed={view.seed})"
    else:
        ours.insert(1, "from vaecore.explore.export.frames import Motion")
        said = [f"{each.name}={getattr(view, each.name)!r}" for each in fields(view)
                if each.name != "kind" and getattr(view, each.name) != each.default]
        make = (f"motion = Motion({', '.join([repr(view.kind), *said])})\n"
                "images = checkpoint.decode(motion.codes(checkpoint))")
    imports = "\n".join([*(["import numpy as np"] if numbers else []), "from PIL import Image", "", *ours])
    load = f"checkpoint = Checkpoint.load(Store.default().find({run!r}))"
    return about, imports, load, make, f"picture = sheet(images, {COLUMNS})"


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").splitlines(keepends=True)


def _short(value: float) -> float:
    return float(np.format_float_positional(np.float32(value), unique=True, trim="0"))
