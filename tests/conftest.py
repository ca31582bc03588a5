"""What all tests share: one thread, one cache for the session, and short ways to configure and train a run."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Before torch and numpy are imported: two cores are shared, and a fixed number of threads fixes the bits.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

TESTS = Path(__file__).parent

# A store of a test's own holds what the test puts there, and no shipped runs besides.
os.environ["VAECORE_GALLERY"] = ""
os.environ.pop("VAECORE_SHARED", None)

gc.disable()  # until all is collected: of that nothing goes away

if TYPE_CHECKING:
    from tests.mould import Mould
    from vaecore.config import RunConfig
    from vaecore.data import Dataset
    from vaecore.training.course import Course


def pytest_collection(session: pytest.Session) -> None:
    """Every other worker begins at the end: each finds half of the modules as another has compiled them."""
    if int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 2:
        asked = [Path(word.partition("::")[0]).resolve() for word in session.config.args]
        for path in sorted(TESTS.rglob("test_*.py"), reverse=True):
            if not any(path.is_relative_to(each) for each in asked):
                continue
            with contextlib.suppress(Exception, pytest.skip.Exception):  # which collecting will say
                importlib.import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Garbage is looked for among what the tests make, and not in ten thousand tests and all that they import."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the session's own: what is parsed once is parsed once, and the user's stays untouched."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("cache")
    patch.setenv("VAECORE_CACHE", str(folder))
    yield folder
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def plugged_in() -> Iterator[None]:
    """Nobody pulls the plug on a test: what it writes need not wait for the disk."""
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", os.fstat)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def mould() -> Iterator[Mould]:
    """What supervisors, tasks and dashboards are forks of."""
    from tests.mould import Mould

    made = Mould()
    yield made
    made.end()


@pytest.fixture(scope="module")
def cast(mould: Mould) -> Iterator[None]:
    """Supervisors with their workers, and tasks, are forks in this module: they need not import torch again."""
    patch = pytest.MonkeyPatch()
    mould.serve(patch)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Each test begins with the same global random numbers and the same arithmetic, whichever ran before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
        torch.set_flush_denormal(False)


@dataclass
class Watch:
    """A control that stops a training at a step, and remembers what it was told."""

    stop_at: int | None = None
    told: list[tuple[int, int, float]] = field(default_factory=list)

    def stop_requested(self) -> bool:
        return self.stop_at is not None and bool(self.told) and self.told[-1][0] >= self.stop_at

    def progress(self, step: int, total: int, epoch: float) -> None:
        self.told.append((step, total, epoch))


@pytest.fixture
def watch() -> type[Watch]:
    return Watch


def _configure(values: dict[str, Any]) -> RunConfig:
    from vaecore.config import RunConfig
    from vaecore.schema import parse

    training = {"threads": 1, "device": "cpu", **values.get("training", {})}
    return parse(RunConfig, {**values, "training": training})


@pytest.fixture(scope="session")
def configure() -> Callable[[dict[str, Any]], RunConfig]:
    """A configuration from nested values, on one thread of the CPU."""
    return _configure


@pytest.fixture(scope="session")
def trainer() -> Callable[..., tuple[Course, Dataset]]:
    """A `Course` for nested values with its data set; with `run=True` it has taken all its steps."""

    def make(values: dict[str, Any], *, run: bool = False) -> tuple[Course, Dataset]:
        import torch

        from vaecore.training.build import build
        from vaecore.training.course import FLUSH_STEPS, Course
        from vaecore.training.feed import Feed

        torch.set_num_threads(1)
        config = _configure(values)
        dataset = config.data.load()
        device = torch.device("cpu")
        made = Course(config, build(config, dataset), Feed(dataset, "train", device), device)
        for step in range(made.total if run else 0):
            made.update(step)
            if len(made.pending) == FLUSH_STEPS:
                made.flush()  # raises at a number that is not finite
        made.flush()
        return made, dataset

    return make


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Path]:
    """Make a run's folder from nested values and train it; the folder."""

    def run(values: dict[str, Any], *, name: str = "run", control: Any = None, train: bool = True) -> Path:
        from vaecore.store import Store
        from vaecore.training import train as training

        made = Store(tmp_path / "trained").create(_configure(values), name)
        if train:
            training(made.path, control or Watch())
        return made.path

    return run


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Data set classes that a test registers are known no longer afterwards."""
    from vaecore.config import RunConfig
    from vaecore.data import DATASETS
    from vaecore.data.plugins import REGISTERED

    info = RunConfig.model_fields["data"]
    before, known = info.annotation, dict(DATASETS)
    yield
    for table, kept in ((DATASETS, known), (REGISTERED, {})):
        table.clear()
        table.update(kept)
    info.annotation = before
    RunConfig.model_rebuild(force=True)
