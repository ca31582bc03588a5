"""Several runs side by side as one HTML file: what differs, numbers, curves, codes and pictures, without a server.

`one_file.py` says how such a file is made, and what it may not do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vaecore.charts.curves import SMOOTHING, pack
from vaecore.charts.plane import DISTORTION, RATE, Spectrum, pack_paths, pack_spectra
from vaecore.charts.plane import Path as Way
from vaecore.comparison import cost, planes
from vaecore.comparison.columns import metrics_of
from vaecore.comparison.differs import differs
from vaecore.comparison.history import clocks, error_panels, panels, recorded
from vaecore.comparison.numbers import compare
from vaecore.explore.export.one_file import COMPONENTS, Part, drawn, one_file, pictured, ready, tabled, worded
from vaecore.schema import ConfigError, problem
from vaecore.store import StoreError

if TYPE_CHECKING:
    from vaecore.store import Run

MOST_RUNS = 12
COLUMNS = 10  # pictures of a row
ROW = 900  # pixels of one
MAX_BYTES = 64_000_000  # of the file
FAULTS = (StoreError, ConfigError, ValueError)  # for which a part is left out, with the reason


def comparison_page(runs: Sequence[Run], *, count: int = COLUMNS, seed: int = 0, step: int | None = None,
                    places: Mapping[str, int] | None = None, components: Path = COMPONENTS) -> bytes:
    """The page of two to twelve runs; `places` are theirs in the palette, by id, else in their order.

    Pictures are of `count` draws of noise and as many test observations, chosen by `seed`, with the weights that each
    run kept nearest to `step`, or its last. What cannot be shown says why, in its place.
    Raises `ConfigError` for fewer runs or more, for a page that would be too large, and where the dashboard's files are
    not beside the package.
    """
    names = ", ".join(run.id for run in runs)
    if not 2 <= len({run.id for run in runs}) == len(runs) <= MOST_RUNS:
        raise problem("--html", names, f"a comparison is of two to {MOST_RUNS} different runs.", "Name so many.")
    ready(components, names)
    told = {run.id: place for place, run in enumerate(runs)} | dict(places or {})
    parts: list[Part] = []
    for title, make in PARTS.items():
        try:
            parts += make(runs, told, components, count, seed, step)
        except FAULTS as error:
            parts.append(worded(title, [f"Not here: {error}"]))
    called = ", ".join(run.id if run.title == run.id else f"{run.title} ({run.id})" for run in runs)
    page = one_file(components, f"{len(runs)} runs compared", called, parts)
    if len(page) > MAX_BYTES:
        raise problem("--html", names, f"the page would have {len(page):,} bytes, and at most {MAX_BYTES:,} are "
                      "written.", "Compare fewer runs, or fewer pictures of each.")
    return page


def _differs(runs: Sequence[Run], *_: object) -> Iterator[Part]:
    found = differs(runs)
    told = "Nothing: these runs have the same configuration." if found.equal else "Fields that are not alike."
    yield tabled(found.table(), "What differs", told)


def _numbers(runs: Sequence[Run], *_: object) -> Iterator[Part]:
    found = compare(runs)
    yield tabled(found.table(), "Numbers", "On the test set, with the weights that were kept.")
    yield tabled(found.table(differences=True), f"Differences from {found.reference}")
    yield tabled(cost.table([cost.cost(run) for run in runs]), "Cost")


def _curves(runs: Sequence[Run], places: Mapping[str, int], components: Path, *_: object) -> Iterator[Part]:
    records = {run.id: recorded(run, metrics_of(run.path / "metrics.jsonl")) for run in runs}
    charts = [*panels(records), *error_panels(records)]
    if any(len(line.x) for chart in charts for line in chart.series):
        help = "Training is solid, validation dashed. Drag across a chart to zoom."
        yield drawn(components, "curves", "Curves", help,
                    pack(charts, clocks=clocks(records), smoothing=SMOOTHING, places=places))
    else:
        yield worded("Curves", ["None of these runs has been evaluated yet."])


def _codes(runs: Sequence[Run], places: Mapping[str, int], components: Path, *_: object) -> Iterator[Part]:
    found, left = planes.uses(runs)
    groups = planes.alike(found)
    for group in groups:
        about = f"{planes.title(group)}. " if len(groups) > 1 else ""
        points = [Way(use.run, use.run, *(np.array([value]) for value in (0.0, use.rate, use.distortion)))
                  for use in group]
        yield drawn(components, "plane", "Rate and distortion", f"{about}On the test set. Thin lines have equal −ELBO.",
                    pack_paths(points, x_label=RATE, y_label=DISTORTION, places=places))
    left += [planes.Left(use.run, f"{use.run} has no KL by dimension: it has no closed form.") for use in found
             if not use.kl]
    if spectra := [Spectrum(use.run, use.run, use.names, use.kl, use.active()) for use in found if use.kl]:
        yield drawn(components, "plane", "KL by dimension", "On the test set, the largest first.",
                    pack_spectra(spectra, height=360, places=places))
    if found:
        yield tabled(planes.table(found), "Use of the code",
                     f"A dimension is active where its code varies by more than {planes.ACTIVE:g}, in variance.")
    if left:
        yield worded("Not in these pictures", [each.why for each in left])


def _pictures(runs: Sequence[Run], _: object, __: object, count: int, seed: int, step: int | None) -> Iterator[Part]:
    from vaecore.explore.pictures import grid, legible, on_screen
    from vaecore.explore.same import same

    found = same(runs, count, seed, step)
    for table, lines in found.tables:
        rows: list[tuple[str, str, bytes | Sequence[str]]] = []
        for line, at, cells in lines:
            name = f"of {line.run.id}" if line.original else line.run.id
            note = ", ".join(word for word in (line.note, cells.note, "" if at is None else f"step {at:,}") if word)
            if cells.images is not None:
                strip = legible(cells.images)
                rows.append((name, note, on_screen(grid(strip, len(strip)), ROW, most=4)))
            else:
                rows.append((name, note, cells.words))
        yield pictured(rows, table.title, table.note)
    if found.left_out:
        yield worded("Without pictures", found.left_out)


PARTS: dict[str, Callable[..., Iterator[Part]]] = {
    "What differs": _differs, "Numbers": _numbers, "Curves": _curves, "Use of the code": _codes, "Pictures": _pictures}
