"""`vaecore export` and `import`: what leaves the laboratory and comes in: whole runs, codes, HTML, ONNX, films."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from vaecore.cli.looking import checked_split
from vaecore.cli.printing import JsonOption, RunArgument, StoreOption, err, say, store_at, writable
from vaecore.schema import problem
from vaecore.views import SINGLE, view_of

if TYPE_CHECKING:
    from vaecore.explore.export.redo import Redone
    from vaecore.store import Run

SHOWN = ("code", "samples", "traversal", "walk", "interpolation")
# What each kind of file reads of the options, and how its name ends.
WAY = ("show", "z", "dimension", "span", "from", "to", "path", "seed", "count")
READS = {"zip": ("kept",), "tensorboard": (), "codes": ("split", "kl"), "html": ("split",), "onnx": ("network",),
         "frames": (*WAY, "rate", "scale"), "snippet": (*WAY, "temperature"), "notebook": (*WAY, "temperature")}
ENDING = {"zip": ".zip", "codes": "-codes.csv", "html": ".html", "onnx": ".onnx", "frames": ".gif", "snippet": ".py",
          "notebook": ".ipynb"}

app = typer.Typer()


@app.command()
def export(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="A run's id, or a name in the gallery; of "
                                              "--zip and --tensorboard, several.")],
    zip: Annotated[bool, typer.Option("--zip", help="The whole run, or several, for another laboratory: `vaecore "
                                      "import` takes them in.")] = False,
    codes: Annotated[bool, typer.Option("--codes", help="The codes of a split: a .csv, .npz or .parquet with row "
                                        "numbers, labels, means and sigmas.")] = False,
    html: Annotated[bool, typer.Option("--html", help="One self-contained page with live sliders, curves and map: no "
                                       "server, no network.")] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="Decoder and encoder as .onnx, opset 20; needs the "
                                       "extra onnx of vaecore.")] = False,
    frames: Annotated[bool, typer.Option("--frames", help="A film that loops: a .gif, .webp or .mp4.")] = False,
    snippet: Annotated[bool, typer.Option("--snippet", help="A Python script that makes a view again.")] = False,
    notebook: Annotated[bool, typer.Option("--notebook", help="A notebook that makes a view again.")] = False,
    tensorboard: Annotated[Path | None, typer.Option("--tensorboard", metavar="DIR", help="Curves as event files in "
                                                     "this folder, one below it for each run; needs the extra "
                                                     "tensorboard of vaecore.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", callback=writable, help="The file to write.",
                                                show_default="named after the run, in this folder")] = None,
    kept: Annotated[bool, typer.Option("--kept", help="Of --zip: the weights kept along the way, too.")] = False,
    split: Annotated[str | None, typer.Option(help="Of --codes and --html: train, validation or test.",
                                              show_default="test")] = None,
    kl: Annotated[bool, typer.Option("--kl", help="Of --codes: the KL of each dimension in nats, too.")] = False,
    network: Annotated[str | None, typer.Option(help="Of --onnx: decoder or encoder.", show_default="both")] = None,
    show: Annotated[str | None, typer.Option(help=f"What is seen: {', '.join(SHOWN[2:])}; of a script or notebook also "
                                             f"{' or '.join(SHOWN[:2])}.", show_default="traversal")] = None,
    z: Annotated[str | None, typer.Option(help="A code in units of its dimensions, joined by commas, as in a page's "
                                          "address: where a traversal starts, or what is decoded.",
                                          show_default="0")] = None,
    dimension: Annotated[int | None, typer.Option(help="Of a traversal.", show_default="the most informative")] = None,
    span: Annotated[float | None, typer.Option(help="How far a traversal goes, in units.", show_default="3")] = None,
    first: Annotated[int | None, typer.Option("--from", help="Test image at which an interpolation starts.",
                                              show_default="0")] = None,
    last: Annotated[int | None, typer.Option("--to", help="And the one to which it goes.", show_default="1")] = None,
    path: Annotated[str | None, typer.Option(help="Of an interpolation: straight, spherical or shortest.",
                                             show_default="straight")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Of a walk and of samples.",
                                             show_default="0")] = None,
    count: Annotated[int | None, typer.Option(min=1, max=1000, help="Frames of a film, or samples.",
                                              show_default="60, samples 48")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=10, help="Of samples.", show_default="1")] = None,
    rate: Annotated[float | None, typer.Option(help="Frames a second of a film.", show_default="20")] = None,
    scale: Annotated[int | None, typer.Option(min=1, max=32, help="Screen pixels to a pixel of a film.",
                                              show_default="what fits")] = None,
    store: StoreOption = None,
) -> None:
    """Take a checkpoint, or a view of it, with you."""
    asked = [name for name, on in (("zip", zip), ("codes", codes), ("html", html), ("onnx", onnx), ("frames", frames),
                                   ("snippet", snippet), ("notebook", notebook),
                                   ("tensorboard", tensorboard is not None)) if on]
    if len(asked) != 1:
        raise problem("export", ", ".join(f"--{name}" for name in asked) or "nothing",
                      "it writes one kind of file at a time.",
                      f"Give one of {', '.join(f'--{name}' for name in READS)}.")
    [what] = asked
    given = {name: value for name, value in {
        "kept": kept or None, "split": split, "kl": kl or None, "network": network, "show": show, "z": z,
        "dimension": dimension, "span": span, "from": first, "to": last, "path": path, "seed": seed, "count": count,
        "temperature": temperature, "rate": rate, "scale": scale}.items() if value is not None}
    for name, value in given.items():
        if name not in READS[what]:
            raise problem(f"--{name}", value, f"--{what} does not read it.", "Leave it out.")
    if len(runs) > 1 and what not in ("zip", "tensorboard"):
        raise problem("export", " ".join(runs), f"--{what} is of one run.",
                      "Give one, or ask for --zip or --tensorboard.")
    found = [store_at(store).find(run) for run in runs]
    if tensorboard is not None:
        if output is not None:
            raise problem("--output", str(output), "--tensorboard names its folder itself.", "Leave it out.")
        from vaecore.sharing.tensorboard import event_files

        for each in found:
            err.print(f"{event_files(each, tensorboard)} written")
        return
    called = found[0].id.replace("/", "-") if len(found) == 1 else "runs"
    target = output or writable(Path(f"{called}{ENDING[what]}"))
    assert target is not None
    for written in _zip(found, target, given) if what == "zip" else WRITE[what](found[0], target, given):
        err.print(f"{written} written")


@app.command("import")
def import_(file: Annotated[Path, typer.Argument(help="A zip that `vaecore export RUN --zip` wrote, whoever did.")],
            name: Annotated[str, typer.Option(help="What the run is called here.", show_default="its name there")] = "",
            store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Take in runs that were exported as a zip. Everything is checked first, and nothing in it is executed."""
    from vaecore.sharing import unpack

    here = store_at(store)
    for one in (found := unpack(file, here, name)):
        if one.said:
            err.print(one.said, highlight=False)
    say([{"run": one.run.id, "before": one.before, "folder": str(one.run.path)} for one in found], as_json,
        "\n".join(f"{one.run.id} is here: {one.run.path}" for one in found))


@app.command()
def card(run: RunArgument,
         output: Annotated[Path | None, typer.Option("-o", "--output", callback=writable, help="The file to write.",
                                                     show_default="shown here")] = None,
         store: StoreOption = None) -> None:
    """A model card in Markdown: what a run is, its data, cost, numbers and limits, and what was published beside it."""
    from vaecore.files import write_bytes_atomic
    from vaecore.sharing.card import card as written

    text = written(store_at(store).find(run))
    if output is None:
        return print(text, end="")
    write_bytes_atomic(output, text.encode())
    err.print(f"{output} written")


def _zip(runs: list[Run], output: Path, given: dict[str, Any]) -> list[Path]:
    from vaecore.sharing import export_run

    return [export_run(runs, output, kept_weights="kept" in given)]


def _codes(run: Run, output: Path, given: dict[str, Any]) -> list[Path]:
    from vaecore.data import DataUnavailable
    from vaecore.explore.export.split_codes import codes_file

    split = checked_split(given.get("split", "test"))
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("encoding", total=None)
        try:
            codes_file(run, output, split, kl="kl" in given,
                       progress=lambda done, total: progress.update(task, completed=done, total=total))
        except DataUnavailable as error:
            if view_of(run) is not SINGLE:
                raise
            raise DataUnavailable(f"{error} Without them, `vaecore map {run.id} --split kept -o codes.csv` writes the "
                                  "codes of the test observations that travel with the run.") from None
    return [output]


def _html(run: Run, output: Path, given: dict[str, Any]) -> list[Path]:
    from vaecore.explore.export.html import html_page
    from vaecore.files import write_bytes_atomic

    write_bytes_atomic(output, html_page(run, checked_split(given.get("split", "test"))))
    return [output]


def _onnx(run: Run, output: Path, given: dict[str, Any]) -> list[Path]:
    from vaecore.explore.export.graph import NoGraph
    from vaecore.explore.export.networks import WHAT
    from vaecore.explore.export.onnx_model import onnx_model
    from vaecore.files import write_bytes_atomic

    wanted = given.get("network")
    if wanted not in (None, *WHAT):
        raise problem("--network", wanted, "there is no such network.", f"Choose one of {', '.join(WHAT)}.")
    written: list[Path] = []
    reasons = []
    for what in WHAT if wanted is None else (wanted,):
        place = output if wanted else output.with_name(f"{output.stem}-{what}{output.suffix}")
        try:
            write_bytes_atomic(place, onnx_model(run, what))
            written.append(place)
        except NoGraph as error:
            reasons.append(f"{what}: {error}")
    if not written:
        raise problem("--onnx", run.id, " ".join(reasons), "Choose another run.")
    for reason in reasons:
        err.print(f"no {reason}")
    return written


@app.command()
def film(
    run: RunArgument,
    output: Annotated[Path | None, typer.Option("-o", "--output", callback=writable, help="The file to write: a .gif "
                                                "or .webp.", show_default="named after the run, here")] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=50, help="Times a second that it drew.")] = 6.0,
    scale: Annotated[int | None, typer.Option(min=1, max=32, help="Screen pixels to a pixel.",
                                              show_default="what fits")] = None,
    store: StoreOption = None,
) -> None:
    """A run learning, as a film: test data, reconstructions, samples and a walk through the code, as it drew them."""
    from vaecore.explore.drawn import ENDINGS
    from vaecore.explore.drawn import film as made
    from vaecore.files import write_bytes_atomic

    found = store_at(store).find(run)
    target = output or writable(Path(f"{found.id.replace('/', '-')}-learning.gif"))
    assert target is not None
    if target.suffix.lower() not in ENDINGS:
        raise problem("--output", str(target), "it is no kind of file that such a film is saved as.",
                      f"End it in {' or '.join(ENDINGS)}.")
    try:
        content = made(found, target.suffix.lower(), rate=rate, scale=scale)
    except ValueError as error:
        raise problem("film", run, str(error), "Choose another run, or other --rate and --scale.") from None
    write_bytes_atomic(target, content)
    err.print(f"{target} written")


def _frames(run: Run, output: Path, given: dict[str, Any]) -> list[Path]:
    from vaecore.explore import Checkpoint
    from vaecore.explore.export.frames import FILMS, RATE, Motion, film
    from vaecore.files import write_bytes_atomic

    if output.suffix.lower() not in FILMS:
        raise problem("--output", str(output), "it is no kind of file that films are saved as.",
                      f"End it in {', '.join(FILMS)}.")
    view = _view(given)
    if not isinstance(view, Motion):
        raise problem("--show", given["show"], "nothing in it moves.", f"Choose one of {', '.join(SHOWN[2:])}.")
    found = Checkpoint.load(run)
    write_bytes_atomic(output, film(found, view, output.suffix.lower(), rate=given.get("rate", RATE),
                                    scale=given.get("scale")))
    return [output]


def _redone(run: Run, output: Path, given: dict[str, Any]) -> list[Path]:
    from vaecore.explore import Checkpoint
    from vaecore.explore.export.redo import notebook, picture, script
    from vaecore.files import write_bytes_atomic

    view = _view(given)
    picture(Checkpoint.load(run), view)  # what it would refuse is said now, and not where it is run
    text = (notebook if output.suffix.lower() == ".ipynb" else script)(run.id, view)
    write_bytes_atomic(output, text.encode())
    return [output]


WRITE = {"codes": _codes, "html": _html, "onnx": _onnx, "frames": _frames, "snippet": _redone, "notebook": _redone}


def _view(given: dict[str, Any]) -> Redone:
    """The view that the options name; raises `ConfigError` for one that there is not."""
    from vaecore.explore.codes import ROUTES
    from vaecore.explore.export.frames import KINDS, Motion
    from vaecore.explore.export.redo import At, Samples

    show, path = given.get("show", "code" if set(given) == {"z"} else "traversal"), given.get("path")
    if path not in (None, *ROUTES):
        raise problem("--path", path, "there is no such path.", f"Choose one of {', '.join(ROUTES)}.")
    units = _units(given.get("z", ""))
    if show == "code":
        return At(units)
    if show == "samples":
        return Samples(**{name: given[name] for name in ("count", "seed", "temperature") if name in given})
    for kind in KINDS:
        if kind == show:
            names = {"count": "frames", "from": "first", "to": "last", "dimension": "dimension", "span": "span",
                     "path": "path", "seed": "seed"}
            return Motion(kind, start=units, **{names[name]: given[name] for name in names if name in given})
    raise problem("--show", show, "there is no such view.", f"Choose one of {', '.join(SHOWN)}.")


def _units(text: str) -> tuple[float, ...]:
    words = text.split(",") if text.strip() else []
    if not all(re.fullmatch(r"\s*(-?\d+(\.\d*)?)?\s*", word) for word in words):
        raise problem("--z", text, "these are no numbers joined by commas.", "Give e.g. --z 0.5,0,-1.2.")
    return tuple(float(word.strip() or 0) for word in words)
