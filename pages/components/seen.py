"""The route to where a run saw data: `vaecore/explore/seen.py`, packed for `lib/density.js`.

    GET <base>/seen/<run>    with an entity tag; 409 and the reason for a run that has no code to be placed
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request

KEPT = 32  # runs, of at most half a megabyte each


def seen_address(run: Run) -> str:
    """Where the browser finds the codes of data of a run."""
    return f"{_root()}/{run.id}"


def routes() -> list[Route]:
    """What `app.py` serves of them."""
    return [Route(f"{_root()}/{{run:path}}", _seen)]


def _root() -> str:
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' if base else ''}{base}/seen"


async def _seen(request: Request) -> Response:
    try:
        run = Store.default().find(request.path_params["run"])
        stamp = run.weights.stat().st_mtime_ns
    except (StoreError, OSError):
        return JSONResponse({"reason": "There is no such run, or it has no weights yet."}, 404)
    return await run_in_threadpool(_answer, run, stamp, request.headers.get("if-none-match", ""))


def _answer(run: Run, stamp: int, known: str) -> Response:
    from vaecore.schema import ConfigError
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        found = _packed(run.path, stamp)
    except (BrokenCheckpoint, StoreError, ConfigError) as error:
        return JSONResponse({"reason": str(error)}, 409)
    tag = f'"{hashlib.sha256(found).hexdigest()[:32]}"'
    told = {"ETag": tag, "Cache-Control": "no-cache"}
    if known.removeprefix("W/") == tag:
        return Response(status_code=304, headers=told)
    return Response(found, media_type="application/octet-stream", headers=told)


@lru_cache(KEPT)
def _packed(path: Path, _: int) -> bytes:
    from vaecore.explore.seen import seen
    from vaecore.explore.single import Checkpoint

    return seen(Checkpoint.load(Run(path))).packed()
