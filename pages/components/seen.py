"""The route to where a run saw data: `vaecore/explore/seen.py`, packed for `lib/density.js`.

    GET <base>/seen/<run>    with an entity tag; 409 and the reason for a run that has no code to be placed
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.routing import Route

from pages.components import serve
from vaecore.memory import held
from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_MAKING = threading.Lock()


def seen_address(run: Run) -> str:
    """Where the browser finds the codes of data of a run."""
    return serve.below(f"seen/{run.id}")


def routes() -> list[Route]:
    """What `app.py` serves of them."""
    return [Route(serve.below("seen/{run:path}"), _seen)]


async def _seen(request: Request) -> Response:
    try:
        run = Store.default().find(request.path_params["run"])
        stamp = run.weights.stat().st_mtime_ns
    except (StoreError, OSError):
        return serve.refusal(404, "There is no such run, or it has no weights yet.")
    return await serve.answered(_answer, run, stamp, request)


def _answer(run: Run, stamp: int, request: Request) -> Response:
    from vaecore.schema import ConfigError
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        with _MAKING:  # who come at once to a run that nobody has looked at wait for one
            found = _packed(run.path, stamp)
    except (BrokenCheckpoint, StoreError, ConfigError) as error:
        return serve.refusal(409, str(error))
    return serve.tagged(found, hashlib.sha256(found).hexdigest()[:32], request, "no-cache")


@held
def _packed(path: Path, _: int) -> bytes:
    from vaecore.explore.seen import seen
    from vaecore.explore.single import Checkpoint

    return seen(Checkpoint.load(Run(path))).packed()
