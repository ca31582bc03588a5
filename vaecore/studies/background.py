"""A claim's experiment in the background: a task in the folder of the results, called by the claim's id."""

from __future__ import annotations

from contextlib import AbstractContextManager

from vaecore.lab.task import TAIL, Progress, Task
from vaecore.store import Store
from vaecore.studies.base import claims_folder

__all__ = ["TAIL", "Progress", "alone", "progress", "start", "stop"]


def start(store: Store, claim: str) -> None:
    """Run a claim in the background; raises `LabError` where it is running already."""
    _task(store, claim).start(["claims", "run", claim, "--store", str(store.root)])


def alone(store: Store, claim: str) -> AbstractContextManager[None]:
    """Hold a claim's lock while it is run; raises `LabError` where somebody else does."""
    return _task(store, claim).alone()


def progress(store: Store, claim: str) -> Progress:
    """Where a background run stands."""
    return _task(store, claim).progress()


def stop(store: Store, claim: str) -> None:
    """End a background run; nothing of it is kept, and an earlier result stays."""
    _task(store, claim).stop()


def _task(store: Store, claim: str) -> Task:
    return Task(claims_folder(store), claim, claim)
