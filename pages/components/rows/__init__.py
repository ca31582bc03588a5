"""Rows: the same noise and the same data through several runs, a row a run, and one slider over their steps.

A message says what there is: tables, their lines, and where a line is fetched (`same_routes.py`). Columns, seed, step,
and which cells are laid over one another are chosen in the browser, stand in the address, and send nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pages.components.same_routes import LARGEST_SEED, MOST_COLUMNS, same_address
from pages.components.serve import component
from vaecore import packing

if TYPE_CHECKING:
    from vaecore.explore.same import Line, Table


def rows(tables: Sequence[Table], steps: Sequence[int], *, names: Mapping[str, str], places: Mapping[str, int],
         kept: Mapping[str, bool], versions: Mapping[str, str], name: str, key: str) -> None:
    """Show `tables` with a slider over `steps`; arguments as of `pack`."""
    component("rows")(key=key, data=pack(tables, steps, names=names, places=places, kept=kept, versions=versions,
                                         name=name))


def pack(tables: Sequence[Table], steps: Sequence[int], *, names: Mapping[str, str], places: Mapping[str, int],
         kept: Mapping[str, bool], versions: Mapping[str, str], name: str) -> bytes:
    """A header that `rows.js` reads.

    By a run's id: `names` is what it is called, `places` where it stands in the palette, `kept` whether it has weights
    along the way, and `versions` what changes when its weights do. `name` is that of files which are saved.
    """
    def told(line: Line) -> dict[str, Any]:
        run = line.run.id
        label, note = (line.note, "") if line.original else (names.get(run, run), line.note)
        return {"label": label, "note": note,
                "original": line.original, "place": None if line.original else places.get(run, 0),
                "kept": kept.get(run, False) and not line.original, "source": same_address(line, versions.get(run, ""))}

    return packing.packed({
        "name": name, "steps": list(steps), "columns": MOST_COLUMNS, "seeds": LARGEST_SEED, "tables": [
            {"key": table.key, "title": table.title, "note": table.note, "lines": [told(line) for line in table.lines]}
            for table in tables]})
