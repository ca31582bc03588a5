"""How far a command is: bars for a person, lines for a page that reads its log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vaecore.cli.printing import err
from vaecore.lab import background

Tell = Callable[[str, int, int], None]  # what is done, how many are, of how many


@contextlib.contextmanager
def progress(title: Callable[[str], str]) -> Iterator[Tell]:
    """A bar a part on a terminal, else a line for each percent, which a page reads from the log."""
    if not err.is_terminal:
        last: list[str] = [""]

        def tell_lines(part: str, done: int, total: int) -> None:
            percent = f"{part} {100 * done // total if total else 0}"
            if percent != last[0]:
                last[0] = percent
                err.print(background.line(part, done, total), highlight=False)

        yield tell_lines
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tell(part: str, done: int, total: int) -> None:
            if part not in tasks:
                for task in tasks.values():
                    bars.stop_task(task)
                tasks[part] = bars.add_task(title(part), total=None)
            bars.update(tasks[part], completed=done, total=total or None)

        yield tell
