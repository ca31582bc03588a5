"""Networks of runs as graphs, each made once a checkpoint and kept in the cache.

What is kept is named by the digest of the weights: a checkpoint that is replaced has another, and another entity tag.
A file begins with its own digest, so that one that is cut off or changed is made again instead of being served.
The judge of a run's data (`explore/judged.py`) is kept likewise, by its own digest: all runs of the same data share it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from vaecore import locks
from vaecore.data.base import cache_folder
from vaecore.explore.export.graph import Floats, Graph, NoGraph
from vaecore.explore.export.networks import JUDGE, Network, What, computed, graph_of, judging, module_of
from vaecore.explore.judged import KeptJudge, judge_of, judgeable
from vaecore.files import BrokenFile, digest, prune, read_kept, write_bytes_atomic
from vaecore.memory import held
from vaecore.modalities import Modality
from vaecore.store import Run
from vaecore.training.checkpoints import load_model

VERSION = 2  # of what is kept: raise it when graphs change
MOST_KEPT = 2 * 2**30  # bytes in the cache, beyond which the oldest go
CODES, FEWEST_CODES = 100, 4  # random inputs by which precision is measured,
COMPARED = 1_000_000_000  # fewer than the former where they would take more multiply-adds than this
HALF = 2e-3  # largest difference of outputs with which half precision is good enough
SINGLE = 1e-4  # and that a graph may have at all
WAIT = 120.0  # s for another process that makes the same graph
REFUSED = 1_000  # reasons that stay in memory
UNWRITTEN = 4  # graphs that stay in memory where the disk takes none
DIGEST = hashlib.sha256().digest_size  # bytes
MAKING = threading.Lock()  # one graph is made at a time: its model and 100 observations of it lie in memory


@dataclass(frozen=True)
class Kept:
    """A packed graph and its entity tag."""

    bytes: bytes
    etag: str


def identity(run: Run, what: What = "decoder", of: str = "") -> str:
    """What the weights of a network of a run are, 16 hexadecimal digits; `of` is the modality that a judge is of.

    Raises `NoGraph` where there are none yet.
    """
    if what == JUDGE:
        return _judge(run, of).digest
    try:
        return digest(run.weights)[:16]
    except BrokenFile as error:
        raise NoGraph(str(error)) from None
    except OSError:
        raise NoGraph("It has no weights yet: its training has not been saved.") from None


def kept(run: Run, what: What, of: str = "") -> Kept:
    """A network of a run, packed: from the cache, or made now.

    A judge is one `of` a modality: the first that can have one, unless it is named. Raises `NoGraph` where a browser
    cannot run it or the judge has not been made, `BrokenCheckpoint` for weights that cannot be read.
    """
    name = f"{identity(run, what, of)}-{what}-v{VERSION}"
    path = cache_folder() / "networks" / f"{name}.graph"
    found = _known(name, path)
    if found is None:
        with MAKING, _alone(path):
            found = _known(name, path) or _made(name, path, run, what, of)  # those who waited find it
    return found


_refused: dict[str, str] = {}  # why there is no graph, by what was asked for
_unwritten: dict[str, Kept] = {}  # the latest that no disk took


def _tagged(packed: bytes) -> Kept:
    return Kept(packed, hashlib.sha256(packed).hexdigest()[:32])


def _known(name: str, path: Path) -> Kept | None:
    found = _unwritten.get(name) or _read(path)
    if found is None and (reason := _refused.get(name)) is not None:
        raise NoGraph(reason)
    return found


def _made(name: str, path: Path, run: Run, what: What, of: str) -> Kept:
    try:
        found = _tagged(made(run, what, of))
    except NoGraph as error:
        _refused[name] = str(error)
        for oldest in list(_refused)[:-REFUSED]:
            _refused.pop(oldest, None)
        raise
    try:
        write_bytes_atomic(path, hashlib.sha256(found.bytes).digest() + found.bytes)
        prune(path.parent, "*.graph", MOST_KEPT)
    except OSError:  # a full or read-only disk
        _unwritten[name] = found
        for oldest in list(_unwritten)[:-UNWRITTEN]:
            _unwritten.pop(oldest, None)
    return found


def made(run: Run, what: What, of: str = "") -> bytes:
    """The packed graph, in half precision where 100 random inputs give the same within 2e-3.

    A judge's is in single precision: how sure it is turns on small differences of large logits.
    """
    asked = _asked(run, what, of)
    graph = graph_of(asked, what)
    inputs = drawn(graph, what, min(CODES, max(FEWEST_CODES, COMPARED // max(1, graph.products))))
    wanted = computed(asked, {name: torch.from_numpy(x) for name, x in inputs.items()})
    if (off := difference(graph, inputs, wanted)) > SINGLE:
        raise NoGraph(f"As a list of operations it gives other numbers (by {off:.2g}): the server computes instead.")
    return graph.packed(what != JUDGE and difference(graph.halved(), inputs, wanted) <= HALF)


def _asked(run: Run, what: What, of: str) -> Network:
    if what != JUDGE:
        return module_of(load_model(run.path), what)
    judge = _judge(run, of)
    return judging(judge, _modalities(run.path, identity(run))[judge.modality].shape)


def _judge(run: Run, of: str) -> KeptJudge:
    """The judge of a modality of a run's data, by default the first; raises `NoGraph` where none has been made."""
    modalities = _modalities(run.path, identity(run))
    names = judgeable(modalities)
    if not names or of not in ("", *names):
        raise NoGraph("There is no judge of what this run models.")
    name = of or names[0]
    if (found := judge_of(run, name, modalities[name])) is None:
        raise NoGraph("The judge of these data has not been made yet.")
    return found


@lru_cache(64)
def _modalities(path: Path, _: str) -> dict[str, Modality]:
    return load_model(path).modalities


def drawn(graph: Graph, what: What, count: int = CODES) -> dict[str, Floats]:
    """Random inputs (count, *shape): codes from N(0, I), observations from [0, 1]."""
    draws = np.random.default_rng(0)
    return {name: (draws.standard_normal if what == "decoder" else draws.random)((count, *shape)).astype(np.float32)
            for name, shape in graph.inputs.items()}


def difference(graph: Graph, inputs: Mapping[str, Floats], wanted: Mapping[str, torch.Tensor]) -> float:
    """The largest difference of a graph's outputs from those wanted, of numbers above 1 as a share of them."""
    worst = 0.0
    for row in range(len(next(iter(inputs.values())))):
        for name, found in graph.run({name: x[row] for name, x in inputs.items()}).items():
            told = wanted[name][row].numpy()
            worst = max(worst, float((np.abs(found - told) / np.maximum(1, np.abs(told))).max(initial=0)))
    return worst


@held
def _loaded(path: Path, what: What, of: str, _: str) -> Network:
    return _asked(Run(path), what, of)


def on_the_server(run: Run, what: What, of: str = "") -> Network:
    """The network itself, to be computed here; some stay loaded. Raises as `kept` does."""
    return _loaded(run.path, what, of, identity(run, what, of))


def _read(path: Path) -> Kept | None:
    """What was kept; None where nothing was, or where it is no longer what was written."""
    whole = read_kept(path) or b""
    told, found = whole[:DIGEST], whole[DIGEST:]
    return _tagged(found) if hashlib.sha256(found).digest() == told else None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until nobody else makes what is to be at `path`."""
    lock, descriptor = path.with_suffix(".lock"), None
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + WAIT
        while (descriptor := locks.attempt(lock)) is None and time.monotonic() < end:
            time.sleep(0.05)
    except OSError:  # a read-only disk: everybody makes it
        pass
    try:
        yield
    finally:
        if descriptor is not None:
            lock.unlink(missing_ok=True)
            os.close(descriptor)
