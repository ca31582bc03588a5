"""The heavy imports, once a process, after the first page has painted; until then one thread at a time imports.

Python locks each module while it is imported. A thread that imports a package, and another that imports a module of
it, take these locks in another order: one of the two would be told of a deadlock, and what its visitor asked for would
fail. So pages and routes work `alone` until all is there: for the first seconds of a server they wait for one another.

With torch, pandas and plotly imported a full garbage collection takes 120 ms, and every session waits for it.
Freezing what these imports made takes it out of the collector's sight. (Streamlit collects after every run of a page
by itself; `.streamlit/config.toml` turns that off, as what fifty sessions hold cannot be frozen.)
"""

import gc
import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

# Packages of ours that import modules of theirs: later no thread is the first to do so.
PACKAGES = ("vaecore.data", "vaecore.evaluate.parts", "vaecore.explore", "vaecore.explore.maps",
            "vaecore.explore.terms", "vaecore.lab", "vaecore.lecture", "vaecore.library", "vaecore.models",
            "vaecore.multiblock", "vaecore.nets", "vaecore.sharing", "vaecore.studies", "vaecore.sweeps",
            "vaecore.training", "vaecore.training.stacked")
_one = threading.RLock()
_all = threading.Event()


def up() -> None:
    """Import what the other pages need, in the background."""
    if not _all.is_set():
        threading.Thread(target=ready, name="warm-up", daemon=True).start()


def ready() -> None:
    """Import it here and now, where that has not been done yet; between two steps others have their turn."""
    while not _all.is_set():
        with alone():
            if _steps:
                _steps.pop(0)()  # what cannot be imported is said by the page that needs it
            else:
                settle()
                _all.set()
        time.sleep(0.001)


@contextmanager
def alone() -> Iterator[None]:
    """No other thread that asks so runs within, until all is imported."""
    if _all.is_set():
        yield
        return
    with _one:
        yield


def settle() -> None:
    """Freeze what has been made so far; call it after anything heavy was imported or loaded."""
    gc.collect()
    gc.freeze()


def _records() -> None:
    from vaecore.library.records import records

    records()  # read once, so that the first table of many runs, and the first picker, need not wait


def _torch() -> None:
    import torch

    torch.set_num_threads(1)  # decoding for one visitor: more threads only get in each other's way


def _charts() -> None:
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401


def _graphs() -> None:
    import vaecore.explore.pictures  # noqa: F401
    from vaecore.explore.export.graph import warm_up

    warm_up()


_steps: list[Callable[[], object]] = [  # those left
    _records, _torch, _charts, *(partial(importlib.import_module, name) for name in PACKAGES), _graphs]
