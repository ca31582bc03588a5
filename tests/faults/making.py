"""SIGKILL of what makes something that is kept: a latent map, an upload, and pictures that are converted.

`python -m tests.faults.making --kills 60` kills each before every single thing that it asks of the disk, then the task
of the background and a training that converts its pictures at random moments. After each kill nothing half-made is
taken for whole, no lock stays and what is shown is true; the next try ends with what a try ends with that nobody kills.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from tests.faults.disk import failing
from tests.faults.writes import VALUES, aside
from vaecore import lab, locks, shelf
from vaecore.config import RunConfig
from vaecore.data import converted
from vaecore.data.base import cache_folder
from vaecore.data.own import images
from vaecore.files import OLD
from vaecore.lab import background
from vaecore.lab.task import Task
from vaecore.mapping import Settings
from vaecore.schema import parse
from vaecore.store import Run, Store

LATEST = 10.0  # seconds after which a state that is shown has to be true
PICTURES = 96
MAP = Settings(method="pca")
TABLE = b"a,b\n" + b"1,2\n" * 1_000


@dataclass
class Tally:
    """What was counted."""

    kills: Counter[str] = field(default_factory=Counter)  # by what was killed
    late: float = 0.0  # the longest time until a state was true, seconds
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The counts, as a person reads them."""
        return [f"kills           {sum(self.kills.values())}: " + ", ".join(f"{k} {n}" for k, n in self.kills.items()),
                f"states          true after {self.late:.1f} s at the latest", f"faults          {len(self.faults)}",
                *self.faults]


@dataclass(frozen=True)
class Making:
    """Something that is made and kept: how, what is found of it (None where nothing is), and which task does it."""

    make: Callable[[], object]
    found: Callable[[], Any]
    task: Task | None = None


def place(root: Path) -> Store:
    """A store with a run that was trained, in a folder that holds a cache and a zip of pictures besides."""
    from vaecore.training import train

    store = Store(root / "store")
    train(store.create(parse(RunConfig, VALUES), "whole").path, _Unwatched())
    (root / "pictures.zip").write_bytes(zipped())
    return store


class _Unwatched:
    def stop_requested(self) -> bool:
        return False

    def progress(self, step: int, total: int, epoch: float) -> None:
        pass


def zipped() -> bytes:
    """Small pictures of noise in a zip, each in the folder of its class."""
    noise, file = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(PICTURES):
            picture = io.BytesIO()
            Image.fromarray(noise.integers(0, 256, (8, 8), np.uint8)).save(picture, "PNG")
            archive.writestr(f"{'ab'[number % 2]}/{number:03}.png", picture.getvalue())
    return file.getvalue()


def makings(store: Store) -> dict[str, Making]:
    """All that is tried, by what it is called."""
    run, data = store.find("whole"), store.root.parent / "pictures.zip"
    several = [(f"d/{name}.txt", name.encode() * 100) for name in "xyz"]
    return {"a map": Making(lambda: mapped(run), lambda: codes(run), background.latent_map(run, MAP)),
            "an upload": Making(lambda: shelf.keep(store, [("x.csv", TABLE)]), lambda: brought(store)),
            "several": Making(lambda: shelf.keep(store, several), lambda: brought(store)),
            "pictures": Making(lambda: pictures(data), lambda: arrays())}


def mapped(run: Run) -> None:
    """What the task of a map does."""
    from vaecore.explore import Checkpoint
    from vaecore.explore.maps import latent_map

    with background.latent_map(run, MAP).alone():
        latent_map(Checkpoint.load(run), MAP)


def codes(run: Run) -> Any:
    """The kept codes, as a list of bytes."""
    from vaecore.explore import Checkpoint
    from vaecore.explore.maps import kept
    from vaecore.explore.maps.population import Population

    encoded = kept.codes(Population.of(Checkpoint.load(run), MAP.split, MAP.limit))
    return None if encoded is None else [encoded.means.tobytes(), *(x.tobytes() for x in encoded.measures.values())]


def brought(store: Store) -> Any:
    """What is offered of uploads, with all that is in it."""
    return [(kept.path.name, sorted((each.name, each.read_bytes()) for each in (
        kept.path.iterdir() if kept.path.is_dir() else [kept.path]))) for kept in shelf.brought(store)] or None


def pictures(data: Path) -> None:
    """Read pictures of one's own so that they are converted, in many small blocks."""
    with converting():
        images.Images(path=str(data)).resolve().load()


def converting() -> Any:
    """Meanwhile even a few pictures are converted in the cache, block by block, and each block is noted."""
    return mock.patch.multiple(images, MAPPED_FROM=0, SURVEY_KEPT_FROM=0, BLOCK=16)


def arrays() -> Any:
    """Arrays that are taken for whole, as bytes."""
    return [(path.name, path.read_bytes()) for path in sorted((cache_folder() / "arrays").glob("*.npy"))] or None


# -- at each place at which the disk is asked ------------------------------------------------------


def killed_at(root: Path, act: Callable[[], object], at: int) -> int:
    """Do it in a child that dies before the `at`-th thing it asks of the disk; how often it was asked, of one that
    did not."""
    told, counted = root / "counted", list[int]()

    def do() -> int:
        with failing(root) as disk:
            true = disk.ask

            def ask(what: str, path: object, *, room: bool = True) -> None:
                true(what, path, room=room)
                if len(disk.asked) == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            with mock.patch.object(disk, "ask", ask):
                act()
            counted.append(len(disk.asked))
        told.write_text(str(counted[0]))
        return 0

    told.unlink(missing_ok=True)
    code = aside(do, root / "log")
    assert code == (0 if told.exists() else -signal.SIGKILL), (root / "log").read_text()[-2000:]
    return int(told.read_text()) if told.exists() else 0


def every_place(root: Path, most: int = 0) -> Tally:
    """Each thing killed at each place of its disk, or at about `most` of them, in the folder of `place`."""
    tally, store = Tally(), Store(root / "store")
    with mock.patch.object(converted, "NOTE_SECONDS", -1.0), mock.patch.dict(os.environ, {
            "VAECORE_CACHE": str(root / "cache")}):
        for name, making in makings(store).items():
            anew(root)
            count = killed_at(root, making.make, 0)
            whole = making.found()
            assert count and whole is not None, f"{name} keeps nothing"
            for at in range(1, count + 1, max(1, count // most) if most else 1):
                anew(root)
                killed_at(root, making.make, at)
                tally.kills[name] += 1
                tally.faults += [f"{name} at {at} of {count}: {fault}" for fault in after(root, making, whole, tally)]
    return tally


def anew(root: Path) -> None:
    """Take away what was made."""
    for folder in (root / "cache", root / "store" / "data"):
        shutil.rmtree(folder, ignore_errors=True)


def after(root: Path, making: Making, whole: Any, tally: Tally) -> list[str]:
    """What is wrong after a kill, and once it was made again."""
    found, start = list[str](), time.monotonic()
    while making.task is not None and making.task.progress().running:
        if time.monotonic() > start + LATEST:
            found.append("its process is gone, and it is shown as running")
            break
        time.sleep(0.005)
    tally.late = max(tally.late, time.monotonic() - start)
    if (half := making.found()) is not None and not all(part in whole for part in half):
        found.append("what is half is taken for whole")
    if held := [path.name for path in root.rglob("*") if path.suffix in (".lock", ".part") and locks.held(path)]:
        found.append(f"its lock stays: {held}")
    for folder in (root / "cache" / "maps", root / "cache" / "arrays", root / "store" / "data"):
        for path in folder.iterdir() if folder.is_dir() else ():
            os.utime(path, (time.time() - 2 * OLD,) * 2)  # nobody is writing it any more
    if (root / "cache" / "maps").is_dir():  # codes that are there are not written again
        for path in (root / "cache" / "maps").glob("*.map"):
            path.unlink()
    killed_at(root, making.make, 0)
    if making.found() != whole:
        found.append("made again it is another")
    if left := [path.name for path in root.rglob("*") if ".tmp-" in path.name or path.suffix in (".part", ".rows")]:
        found.append(f"left behind {left}")
    return found


# -- at random moments -----------------------------------------------------------------------------


def at_random(root: Path, kills: int, seed: int) -> Tally:
    """The task of a map and a training that converts its pictures, by turns, killed so often in all."""
    from tests.faults import forked

    forked.use()
    tally, store, dice = Tally(), Store(root / "store"), random.Random(seed)
    slowly(0.01)
    with mock.patch.object(converted, "NOTE_SECONDS", -1.0), converting(), mock.patch.dict(os.environ, {
            "VAECORE_CACHE": str(root / "cache")}):
        making = makings(store)["a map"]
        anew(root)
        started = time.monotonic()
        the_task(making, None, tally)
        length, whole = time.monotonic() - started, making.found()
        trained, took = training(store, "pictures", [], tally)
        round_ = 0
        while sum(tally.kills.values()) < kills:
            round_ += 1
            anew(root)
            the_task(making, dice.random() * length, tally)
            tally.faults += [f"the map's task, {round_}: {fault}" for fault in after(root, making, whole, tally)]
            anew(root)
            delays = [dice.random() * took for _ in range(dice.randint(1, 3))]
            folder, _ = training(store, f"pictures-{round_}", delays, tally)
            tally.faults += differing(trained, folder)
            lab.remove(folder)
    return tally


def slowly(seconds: float) -> None:
    """Let each batch that is encoded and each block of pictures take so long, so that a kill falls among them."""
    from vaecore.explore.maps.population import Population

    batches, block = Population.batches, images.Images._block

    def slow(self: Population, size: int) -> Any:
        for batch in batches(self, min(size, 16)):
            time.sleep(seconds)
            yield batch

    def slower(self: images.Images, *given: Any) -> Any:
        time.sleep(3 * seconds)
        return block(self, *given)

    Population.batches = slow  # type: ignore[method-assign]
    images.Images._block = slower  # type: ignore[method-assign]


def the_task(making: Making, delay: float | None, tally: Tally) -> None:
    """Start the task of a map, and kill it after a delay, or wait for its end."""
    from tests.faults.kills import kill, lives

    assert making.task is not None
    making.task.start(MAP.words())
    pid = int(making.task._file("pid").read_text())
    if delay is None:
        while making.task.progress().running:
            time.sleep(0.01)
        return
    time.sleep(delay)
    tally.kills["the map's task"] += kill([pid]) if lives(pid) else 0


def training(store: Store, name: str, delays: list[float], tally: Tally) -> tuple[Path, float]:
    """A run that converts its pictures, killed after each of these delays, to its end; how long its last try took."""
    from tests.faults import forked
    from tests.faults.kills import disagreement, kill, lives

    data = {"name": "images", "path": str(store.root.parent / "pictures.zip")}
    folder = store.create(parse(RunConfig, {**VALUES, "data": data}), name).path
    command = [sys.executable, "-m", "vaecore.lab.worker", str(folder)]
    for delay in [*delays, None]:
        begun = time.monotonic()
        worker = forked.Forked(command, env=dict(os.environ), pass_fds=(), stdout=None)
        if delay is None:
            assert worker.wait(120) == 0, lab.log(folder)
            return folder, time.monotonic() - begun
        time.sleep(delay)
        if lives(worker.pid):
            tally.kills["a training that converts"] += kill([worker.pid])
        worker.poll()
        start = time.monotonic()
        while (fault := disagreement(store.root, folder)) and time.monotonic() < start + LATEST:
            time.sleep(0.01)
        tally.late = max(tally.late, time.monotonic() - start)
        if fault and lab.status(folder).state != "new":  # killed before it had begun
            tally.faults.append(f"{name}: {fault}")
        if lab.status(folder).state == "finished":
            break
    return folder, 0.0


def differing(whole: Path, folder: Path) -> list[str]:
    """In what a run that was killed differs from one that was not."""
    from tests.training.test_resume import same

    try:
        same(whole, folder)
    except AssertionError as error:
        return [f"{folder.name}: other bits: {str(error)[:200]}"]
    return []


if __name__ == "__main__":
    import torch

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=60, help="at random moments, besides those at every place")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--store", type=Path, required=True)
    asked = options.parse_args()
    torch.set_num_threads(1)
    root = asked.store.absolute()
    place(root)
    tallies = [every_place(root), at_random(root, asked.kills, asked.seed)]
    print("\n".join(line for tally in tallies for line in tally.lines()))
    sys.exit(any(tally.faults for tally in tallies))
