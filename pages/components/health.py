"""The address by which a proxy or a container knows whether the dashboard works; also without sign-in.

    GET <base>/healthz    200 and {"ok": true, …}; 503 where the store cannot be read, or not written as it should be

It tells nobody where anything lies. Streamlit's own `_stcore/health` says only that the server answers.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

import vaecore
from pages.components import serve
from vaecore import permission
from vaecore.health import store_fault
from vaecore.store import Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

FRESH = 1.0  # seconds for which an answer stands: whoever asks often asks the disk no more often
PATIENCE = 3.0  # seconds that a disk may take
SLOW = f"does not answer within {PATIENCE:.0f} seconds"


class _Watch:
    """The last look at the store: one at a time, in a thread of its own, for a disk may hang for ever."""

    def __init__(self) -> None:
        self.aside = ThreadPoolExecutor(1, "health")
        self.look: Future[str] | None = None
        self.about: tuple[Path, bool] | None = None
        self.begun = 0.0

    async def fault(self, root: Path, written: bool) -> str:
        """What is wrong with the store, as `store_fault` says it, or that it does not answer."""
        stands = self.look is not None and (not self.look.done() or time.monotonic() < self.begun + FRESH)
        if self.look is None or not stands or self.about != (root, written):
            self.look = self.aside.submit(store_fault, root, written=written)
            self.about, self.begun = (root, written), time.monotonic()
        left = self.begun + PATIENCE - time.monotonic()
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self.look)), max(0.0, left))
        except TimeoutError:
            return SLOW


_watch = _Watch()


def routes() -> list[Route]:
    """What `app.py` serves of it."""
    return [Route(serve.below("healthz"), _answer)]


async def _answer(_: Request) -> Response:
    written = not permission.read_only()
    fault = await _watch.fault(Store.default().root, written)
    told = {"ok": not fault, "version": vaecore.__version__, "read_only": not written,
            "store": f"the store {fault}" if fault else "ok"}
    return JSONResponse(told, 503 if fault else 200, {"Cache-Control": "no-store"})
