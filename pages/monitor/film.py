"""Pictures while it learns: what the chosen runs drew of themselves, the first thing on Monitor."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.components.film import Filmed, film
from pages.monitor.cockpit import called
from pages.shared.words import escaped
from vaecore import lab
from vaecore.album import FILE
from vaecore.comparison.history import History
from vaecore.store import Run, StoreError


def pictured(records: Mapping[str, History]) -> list[Filmed]:
    """The runs that drew something, or will."""
    names, found = called(records), []
    for id, record in records.items():
        run, live = record.run, lab.status(record.run.path).state in lab.LIVE
        size = _size(run)
        if size or (live and _asked(run) and not len(record.steps["step"])):  # the first come before the first step
            found.append(Filmed(run, names.get(id, id), size, live))
    return found


def show(shown: list[Filmed]) -> None:
    """Their pictures over the steps."""
    with st.container(key="film", gap="xsmall"):
        film(shown, key="pictures")


def missing(records: Mapping[str, History], shown: list[Filmed]) -> None:
    """In a sentence why the others have none, and what there is."""
    there = {each.run.id for each in shown}
    for record in [each for each in records.values() if each.run.id not in there]:
        run = record.run
        kept = len(list((run.path / "kept").glob("step-*.safetensors")))
        instead = f" Compare draws the weights that it kept at {kept} step{'s' * (kept != 1)}." if kept else ""
        st.caption(f":material/movie: {escaped(run.title)} has no pictures of its training: {_why(record)}.{instead}")


def _size(run: Run) -> int:
    try:
        return (run.path / FILE).stat().st_size
    except OSError:
        return 0


def _asked(run: Run) -> bool:
    """Whether its configuration asks for pictures."""
    try:
        training = run.values().get("training")
    except StoreError:
        return False
    return not (isinstance(training, dict) and training.get("pictures", 1) == 0)


def _why(record: History) -> str:
    run = record.run
    if run.shipped:
        return "the gallery ships none"
    if not len(record.steps["step"]) and lab.status(run.path).state != "finished":
        return "it has not taken a step yet"
    if not _asked(run):
        return "they were switched off (training.pictures = 0)"
    if (run.path / FILE).exists():
        return "each would have taken a large part of it"
    return "it was trained before they were drawn"
