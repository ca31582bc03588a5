"""What the verbs share: options, and how facts are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vaecore.store import Store
from vaecore.untrusted import CONTROLS

FAILED, WRONG, STOPPED = 1, 2, 3


class Plain(Console):
    """A terminal on which words are words: names and notes of a run may hold what rich or the terminal would obey."""

    def __init__(self, **how: Any) -> None:
        super().__init__(markup=False, emoji=False, soft_wrap=True, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(text.translate(CONTROLS), **how)


out = Plain(width=None if sys.stdout.isatty() else 160)  # a pipe has no width of its own
err = Plain(stderr=True)

StoreOption = Annotated[Path | None, typer.Option("--store", help="Folder of runs; else $VAECORE_STORE or ./trained.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or a name in the gallery.")]
DataPathOption = Annotated[str, typer.Option("--data-path", metavar="FILE", help="Where the run's own data file lies "
                                             "now, if it was moved; it must be the same file.")]
ScaleOption = Annotated[int | None, typer.Option("--scale", min=1, max=32, help="Screen pixels to a pixel; without, up "
                                                 "to 4, as far as the picture fits 2,000 pixels.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE",
                                                     help="Change a field, as training.epochs=5; repeatable.")]


def store_at(path: Path | None) -> Store:
    return Store(path.resolve()) if path else Store.default()


def say(facts: Any, as_json: bool, text: str) -> None:
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        out.print(text, highlight=False, markup=False)


class Head(NamedTuple):
    """A column of what is printed: its title, whether numbers stand in it, and whether it is never broken."""

    title: str
    right: bool = False
    whole: bool = False


def lines(heads: Iterable[Head], rows: Iterable[Sequence[str]]) -> None:
    """Rows of words in columns, as every command prints them."""
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head.title, no_wrap=head.whole, justify="right" if head.right else "left")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def table(rows: Iterable[dict[str, Any]], columns: dict[str, str]) -> None:
    """Facts in the columns named, four of words and then numbers."""
    lines([Head(title, place >= 4, place == 0) for place, title in enumerate(columns.values())],
          [[shown(row.get(name)) for name in columns] for row in rows])


def shown(value: Any) -> str:
    if isinstance(value, dict):  # a number of each modality
        return ", ".join(f"{name} {shown(part)}" for name, part in value.items())
    if isinstance(value, float):
        return f"{value:.4f}" if 0 < abs(value) < 1 else f"{value:,.2f}"
    return "" if value is None else str(value)


def rounded(value: Any) -> Any:
    """Numbers as a person reads them: four significant digits, and the length of what is long."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def writable(output: Path | None) -> Path | None:
    """Where something is to be written, looked at before it is computed; raises `ConfigError` for no such place."""
    from vaecore.schema import problem

    if output is not None and output.is_dir():
        raise problem("--output", str(output), "is a folder.", "Give the name of a file in it.")
    if output is not None and not output.absolute().parent.is_dir():
        raise problem("--output", str(output), f"there is no folder '{output.parent}'.",
                      "Make it first, or choose another place.")
    return output
