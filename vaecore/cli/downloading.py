"""What `vaecore data --download` does: published data sets fetched one after the other, with progress."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from vaecore.cli.printing import STOPPED, err
from vaecore.data.fetching import FETCHING, Tell, exact, fetch
from vaecore.data.published import PUBLISHED, Published, megabytes
from vaecore.data.standing import to_fetch
from vaecore.lab import downloading
from vaecore.schema import problem
from vaecore.store import StoreError

ALL = "all"


def download(names: list[str], *, accept_licence: bool, yes: bool) -> None:
    """Fetch the named data sets, or all, after asking; raises `ConfigError` for a name that cannot be fetched."""
    chosen = _chosen(names)
    if ALL in names:
        chosen = [each for each in chosen if not each.accept or accept_licence]
        _confirm([each for each in chosen if each.place() is None], yes)
        for each in PUBLISHED.values():
            if each not in chosen:
                err.print(f"{each.name} is left out: its licence has to be accepted, {each.licence}. "
                          f"`{each.command}` fetches it.", highlight=False)
    with _stoppable():
        for each in chosen:
            _one(each, accept_licence)


def _chosen(names: list[str]) -> list[Published]:
    try:
        chosen = to_fetch(names)
    except KeyError as error:
        [name] = error.args
        raise problem("--download", name, f"'{name}' is no data set.", _can()) from None
    if not chosen:
        raise problem("--download", names[0], f"'{names[0]}' is not fetched from anywhere: it is in the package, drawn "
                      "by a program, or read from a file of your own.", _can())
    return chosen


def _can() -> str:
    return f"These can be fetched: {', '.join(PUBLISHED)}, or all."


def _confirm(lacking: list[Published], yes: bool) -> None:
    """Say what would be fetched, and ask."""
    for each in lacking:
        err.print(f"{each.name:14} {megabytes(each.size):>8}  {each.title} ({each.licence})", highlight=False)
    what = f"{len(lacking)} data set{'s' * (len(lacking) != 1)}, {megabytes(sum(each.size for each in lacking))}"
    if lacking and not yes and not sys.stdin.isatty():
        raise StoreError(f"Nobody is here to confirm that {what}, is fetched. Say --yes.")
    if lacking and not yes:
        typer.confirm(f"Fetch {what}?", abort=True, err=True)


def _one(chosen: Published, accept_licence: bool) -> None:
    before = chosen.place()
    with downloading.download(chosen).alone(), _progress(chosen) as tell:
        try:
            place = fetch(chosen.name, accept_licence=accept_licence, tell=tell)
        except KeyboardInterrupt:
            err.print(f"Stopped. `{chosen.command}` goes on from there.", highlight=False)
            raise typer.Exit(STOPPED) from None
    rounded = "" if exact(chosen, place) else (". Some of its numbers differ in the last place from those of the "
                                               "shipped checkpoints: this machine rounds otherwise")
    already = " already" * (before == place)
    err.print(f"{chosen.title}{already} {downloading.DONE}{place}{rounded}.", highlight=False)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: a page stops it so."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _progress(chosen: Published) -> Iterator[Tell]:
    """A bar on a terminal, else a line for each percent, which a page reads from the log."""
    if not err.is_terminal:
        last = [""]

        def tell_lines(what: str, done: int, total: int) -> None:
            percent = f"{what} {100 * done // total if total else 0}"
            if percent != last[0]:
                last[0] = percent
                err.print(downloading.line(chosen, what, done, total), highlight=False)

        yield tell_lines
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(chosen.name, total=chosen.size)

        def tell(what: str, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total,
                            description=chosen.name if what == FETCHING else f"{chosen.name}: {what}")

        yield tell
