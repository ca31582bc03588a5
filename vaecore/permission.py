"""Who may change what is kept: nobody in read-only mode, and no visitor who only looks.

Every function that changes a store, its runs, its data or its queue calls `require` first, so that what a page merely
hides cannot be done by another way. In read-only mode (`VAECORE_READ_ONLY=1`) nothing in this process may; a page with
sign-in says by `looking_only` that the visitor it runs for may not.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

from vaecore.errors import NotAllowed

READ_ONLY = "VAECORE_READ_ONLY"
_why: ContextVar[str] = ContextVar("why nothing may be changed", default="")


def refusal() -> str:
    """Why nothing may be changed here, as a sentence; empty where it may."""
    if os.environ.get(READ_ONLY, "") not in ("", "0"):
        return "This laboratory is shown in read-only mode: look at everything, nothing is changed."
    return _why.get()


def require(act: str) -> None:
    """Pass where `act`, as "rename a run", may be done; raises `NotAllowed` otherwise."""
    if why := refusal():
        raise NotAllowed(f"You cannot {act} here. {why}")


@contextlib.contextmanager
def looking_only(why: str) -> Iterator[None]:
    """Allow no change meanwhile, in this thread and what it awaits, for the reason `why`."""
    token = _why.set(why)
    try:
        yield
    finally:
        _why.reset(token)
