"""One reader fed with spoilt copies: what came of it, how long the worst took, and what should not have happened."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.readers import Reader
from tests.fuzz.spoiling import spoilt
from tests.fuzz.watch import watched

SLOW = 20  # seconds after which a reader does not end


@dataclass
class Count:
    """What came of the cases of a reader."""

    name: str
    cases: int = 0
    read: int = 0
    refused: int = 0
    worst: float = 0.0  # seconds
    unexpected: list[str] = field(default_factory=list)


class TooSlow(BaseException):
    """Raised in a reader that does not end, whatever it forgives."""


def fuzz(reader: Reader, cases: int, root: Path, seed: int = 0, room: int = 0) -> tuple[Count, int]:
    """Feed `reader` with `cases` spoilt files that lie in a folder of `root`; the good ones have to be read first.

    With `room` the process may take so many bytes more than it took for these; what it took is given back as well.
    """
    root.mkdir(parents=True)
    (folder := root / "folder").mkdir()
    reader.prepared(folder)
    path, seeds, count = folder / reader.file, reader.seeds(), Count(reader.name)
    before = sorted(root.rglob("*"))
    for good in seeds:  # and what is imported late is imported now
        path.write_bytes(good)
        with contextlib.redirect_stdout(io.StringIO()), _quiet():
            reader.read(path)
    usual = _peak()
    if room:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (taken + room, taken + room))
    draw = random.Random(f"{reader.name} {seed}")
    for number in range(cases):
        data = spoilt(seeds, draw)
        path.write_bytes(data)
        os.utime(path, ns=(number, number * 1_000_003))  # so that no reader takes it for the one before
        began = time.perf_counter()
        with watched(root) as seen, _at_most(SLOW), _quiet(), contextlib.redirect_stdout(io.StringIO()):
            try:
                reader.read(path)
                count.read += 1
            except reader.refused:
                count.refused += 1
            except (Exception, TooSlow) as error:
                count.unexpected.append(_told(number, error))
            if seen:
                count.unexpected.append(f"case {number}: {seen[:3]}")
        count.cases += 1
        count.worst = max(count.worst, time.perf_counter() - began)
        if count.unexpected and (kept := os.environ.get("FUZZ_KEEP")):
            Path(kept, f"{reader.name.replace(' ', '-')}-{number}").write_bytes(data)
            if len(count.unexpected) >= 20:
                break
    if extra := set(root.rglob("*")) - set(before) - {path}:
        remaining = sorted(str(each.relative_to(root)) for each in extra if "cache" not in each.parts)
        count.unexpected += [f"left behind: {name}" for name in remaining[:3]]
    return count, _peak() - usual


def as_json(count: Count, peak: int) -> str:
    """A count on one line, with the memory at its peak in bytes, for the process that started this one."""
    return json.dumps({**vars(count), "peak": peak})


def _peak() -> int:
    """The most memory in bytes that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def ring(_: int, frame: FrameType | None) -> None:
        raise TooSlow(f"it took more than {seconds} seconds, at {frame}")

    before = signal.signal(signal.SIGALRM, ring)
    left = signal.setitimer(signal.ITIMER_REAL, seconds)  # pytest has an alarm of its own
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


def _told(number: int, error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"case {number}: {type(error).__name__}: {str(error)[:200]} ({Path(last.filename).name}:{last.lineno})"
