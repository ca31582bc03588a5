"""Who may change what is kept: nobody in read-only mode, and no visitor of a page who may only look.

Every function that changes a store, its runs, its data, its queue, or what a person keeps in the cache, calls `require`
first. So what a page merely hides cannot be done by another way. A server adds `told_by` what it knows of its visitors.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from vaecore.errors import NotAllowed

READ_ONLY = "VAECORE_READ_ONLY"
_asked: list[Callable[[], str]] = []


def read_only() -> bool:
    """Whether nothing may be changed by this process: `VAECORE_READ_ONLY` is set, and not to 0."""
    return os.environ.get(READ_ONLY, "") not in ("", "0")


def told_by(ask: Callable[[], str]) -> None:
    """Ask `ask` too, from now on: why whoever is served right now may change nothing, empty where they may."""
    if ask not in _asked:
        _asked.append(ask)


def refusal() -> str:
    """Why nothing may be changed here, as a sentence; empty where it may."""
    if read_only():
        return "This laboratory is shown read-only: look at everything, nothing is changed."
    return next(filter(None, (ask() for ask in _asked)), "")


def require(act: str) -> None:
    """Pass where `act`, as "rename a run", may be done; raises `NotAllowed` otherwise."""
    if why := refusal():
        raise NotAllowed(f"You cannot {act} here. {why}")
