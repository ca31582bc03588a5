"""Latent Lab: the server. Start it with `make app`, or `streamlit run app.py`; `-- --read-only` changes nothing.

The script that Streamlit runs lies in `pages/`, not here: beside its main script Streamlit looks for a folder `pages/`
and shows what it finds there to the first visitor of a server, in place of the navigation.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from pages.components import film_routes, health, map_routes, networks, previews, same_routes, seen, serve, stage_routes
from pages.shared.access import logged
from pages.shared.access.guard import Guard, exposed
from vaecore import permission
from vaecore.store import Store


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Make the store's folder where there is none, and say who can reach the server, where others can."""
    if not permission.read_only():
        with contextlib.suppress(OSError):  # `healthz` tells what is wrong
            Store.default().root.mkdir(parents=True, exist_ok=True)
    if told := exposed():
        print(f"\n  {told}\n", file=sys.stderr, flush=True)
    yield


if sys.argv and Path(sys.argv[0]).resolve() == Path(__file__).resolve():  # not where a test or uvicorn imports it
    options = argparse.ArgumentParser("streamlit run app.py --", description="Latent Lab, a dashboard in the browser.")
    options.add_argument("--read-only", action="store_true", help="no training, upload, renaming or removal")
    if options.parse_args().read_only:
        os.environ[permission.READ_ONLY] = "1"

logged.keep_secrets()
routes = [*serve.routes(), *networks.routes(), *seen.routes(), *map_routes.routes(), *previews.routes(),
          *same_routes.routes(), *film_routes.routes(), *stage_routes.routes()]
app = st.App("pages/index.py", routes=[*routes, *health.routes()],  # the latter unguarded: anybody may ask if it works
             lifespan=lifespan, middleware=[Middleware(Guard, routes=routes)])
