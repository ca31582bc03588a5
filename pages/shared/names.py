"""What runs are called beside one another: by their names where these tell them apart, else by their ids."""

from __future__ import annotations

from collections.abc import Sequence

from vaecore.store import Run

TAKEN = {"Part", "Field", "Name"}  # columns beside which those of runs stand


def names(runs: Sequence[Run]) -> dict[str, str]:
    """The name of each run by its id."""
    titles = [run.title for run in runs]
    alike = len(set(titles)) < len({run.id for run in runs}) or TAKEN.intersection(titles)
    return {run.id: run.id if alike else title for run, title in zip(runs, titles, strict=True)}
