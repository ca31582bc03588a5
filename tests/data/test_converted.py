"""Arrays that are made once in the cache: resumed after any end, by one process at a time, within the disk."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from vaecore import locks
from vaecore.data import cache, converted
from vaecore.data.base import DataUnavailable
from vaecore.data.converted import Progress, Stopped, watched

SHAPE = (1000, 3, 5)
WHAT = "the pictures of a test"


@pytest.fixture
def arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of arrays in a cache of the test's own, in which every block is noted as soon as it is there."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(converted, "NOTE_SECONDS", -1.0)
    monkeypatch.setattr(converted, "LOOK_SECONDS", 0.005)
    return tmp_path / "cache" / "arrays"


def whole() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 2**16, SHAPE, dtype=np.uint16)


class Source:
    """Blocks of 70 rows; it remembers where it was begun, and can break down before a row."""

    def __init__(self, broken: BaseException | None = None, at: int = 490) -> None:
        self.array, self.broken, self.at, self.begun, self.closed = whole(), broken, at, list[int](), 0

    def __call__(self, start: int) -> Iterator[NDArray[np.uint16]]:
        self.begun.append(start)
        try:
            for row in range(start, len(self.array), 70):
                if self.broken is not None and row >= self.at:
                    raise self.broken
                yield self.array[row:row + 70]
        finally:
            self.closed += 1


def make(source: Any, key: str = "key") -> NDArray[Any]:
    return converted.converted(key, SHAPE, np.uint16, source, WHAT)


def never(_: int) -> Any:
    pytest.fail("its source was read")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_made_once_and_mapped(arrays: Path) -> None:
    source = Source()
    made = make(source)
    assert isinstance(made, np.memmap) and made.dtype == np.uint16
    np.testing.assert_array_equal(made, whole())
    np.testing.assert_array_equal(np.load(arrays / "key.npy"), whole())
    np.testing.assert_array_equal(make(never), whole())
    assert source.begun == [0] and source.closed == 1
    assert files(arrays) == ["key.npy"]


@pytest.mark.usefixtures("arrays")
def test_it_says_how_far_it_is() -> None:
    seen: list[Progress] = []
    with watched(seen.append):
        make(Source())
    assert [each.done for each in seen] == [*range(0, 1000, 70), 1000]
    assert str(seen[7]) == f"preparing {WHAT}, 49 %"
    make(Source(), "unwatched")
    assert len(seen) == 16


@pytest.mark.parametrize("key", ["stopped", "interrupted"])
def test_stopped_it_keeps_what_there_is_and_goes_on_from_there(arrays: Path, key: str) -> None:
    def tell(progress: Progress) -> None:
        if progress.done >= 490:
            raise Stopped if key == "stopped" else KeyboardInterrupt

    source = Source()
    with pytest.raises((Stopped, KeyboardInterrupt)), watched(tell):
        make(source)
    assert source.closed == 1
    assert files(arrays) == ["key.npy.part", "key.npy.rows"]
    np.testing.assert_array_equal(make(source), whole())
    assert source.begun == [0, 490]
    assert files(arrays) == ["key.npy"]


@pytest.mark.parametrize("damage", ["cut", "longer", "header", "note", "no note", "too many"])
def test_what_an_end_left_is_used_only_as_far_as_it_is_safe(arrays: Path, damage: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(Source(KeyboardInterrupt()))
    part, note = arrays / "key.npy.part", arrays / "key.npy.rows"
    match damage:
        case "cut":  # less than was noted, as after a power cut on a disk that lies
            os.truncate(part, 5000)
        case "longer":  # written, but not yet noted
            with part.open("ab") as file:
                file.write(b"x" * 100)
        case "header":
            with part.open("r+b") as file:
                file.write(b"something else")
        case "note":
            note.write_text("{")
        case "no note":
            note.unlink()
        case "too many":
            note.write_text('{"rows": 1001}')
    source = Source()
    np.testing.assert_array_equal(make(source), whole())
    assert source.begun == [490 if damage == "longer" else 0]
    assert files(arrays) == ["key.npy"]


@pytest.mark.usefixtures("arrays")
def test_killed_when_all_was_written_it_only_takes_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        patch.setattr(converted, "write_bytes_atomic", lambda path, data: path.write_bytes(data))
        with pytest.raises(KeyboardInterrupt):
            make(Source())
    np.testing.assert_array_equal(make(never), whole())


@pytest.mark.usefixtures("arrays")
def test_another_shape_under_the_same_key_is_made_anew() -> None:
    make(Source())
    other = converted.converted("key", (10, 2), np.float32, lambda start: [np.ones((10 - start, 2), ">f8")], WHAT)
    assert other.dtype == np.float32 and other.shape == (10, 2) and (other == 1).all()


def test_nothing_takes_no_place(arrays: Path) -> None:
    assert converted.converted("key", (0, 2, 2), np.uint8, never, WHAT).shape == (0, 2, 2)
    assert not arrays.exists()


@pytest.mark.parametrize("blocks, said", [
    ([whole()[:200]], "200 rows came of 1,000"),
    ([whole(), whole()[:1]], r"a block of \(1, 3, 5\) does not fit at row 1,000"),
    ([whole().reshape(1000, 15)], r"a block of \(1000, 15\) does not fit at row 0")])
def test_blocks_that_do_not_fit_are_refused(arrays: Path, blocks: Iterable[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(lambda _: blocks)
    assert files(arrays) == []


def test_what_cannot_be_read_leaves_nothing_half_made(arrays: Path) -> None:
    source = Source(ValueError("picture 490 is damaged"))
    with pytest.raises(ValueError, match="picture 490 is damaged"):
        make(source)
    assert files(arrays) == [] and source.closed == 1
    with pytest.raises(OSError, match="the pictures' disk"):  # of the pictures, not of the cache
        make(Source(OSError(errno.EIO, "the pictures' disk")))


class Usage(NamedTuple):
    free: int


def full_after(looks: int) -> Any:
    """Of `shutil.disk_usage`: no room from the look with this number on."""
    seen = [0]

    def usage(_: Path) -> Usage:
        seen[0] += 1
        return Usage(10**12 if seen[0] <= looks else 100)

    return usage


@pytest.mark.parametrize("looks", [0, 3])
def test_a_full_disk_is_noticed_before_and_while_writing(arrays: Path, monkeypatch: pytest.MonkeyPatch, looks: int
                                                         ) -> None:
    monkeypatch.setattr(shutil, "disk_usage", full_after(looks))
    monkeypatch.setattr(converted, "MAX_ARRAYS_BYTES", 1000)
    source = Source()
    missing = (1000 - 70 * looks) * 30
    with pytest.raises(DataUnavailable, match=rf"no room for {WHAT}: {missing:,} bytes are still to be written to .*, "
                                              r"whose disk has 100 free .*VAECORE_CACHE"):
        make(source)
    assert len(source.begun) == (looks > 0)
    assert files(arrays) == []


def test_a_disk_that_fills_up_between_two_looks(arrays: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(converted, "MAX_ARRAYS_BYTES", 1000)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataUnavailable, match=r"cannot be kept: 30,\d\d\d bytes .*No space left on device"):
        make(Source())
    assert files(arrays) == []


def test_a_cache_that_cannot_be_written_costs_memory_where_there_is_enough(
        arrays: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays.parent.write_text("a file where the folder should be")
    seen: list[Progress] = []
    with watched(seen.append):
        made = make(Source())
    assert not isinstance(made, np.memmap) and seen[-1].done == 1000
    np.testing.assert_array_equal(made, whole())
    monkeypatch.setattr(converted, "MAX_ARRAYS_BYTES", 1000)
    with pytest.raises(DataUnavailable, match="cannot be kept"):
        make(Source())


# -- several processes


SCRIPT = """
import sys, time
import numpy as np
from vaecore.data import converted

converted.NOTE_SECONDS = -1.0
array = np.random.default_rng(0).integers(0, 2**16, (1000, 3, 5), dtype=np.uint16)

def blocks(start):
    for row in range(start, 1000, 10):
        yield array[row:row + 10]
        time.sleep(float(sys.argv[1]))

def tell(progress):
    print(progress.done, progress.elsewhere, flush=True)

with converted.watched(tell):
    converted.converted("key", array.shape, np.uint16, blocks, "the pictures of a test")
"""


def start(pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(pause)], stdout=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], rows: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line.split()[0]) >= rows:
            return
    pytest.fail("it ended before")


def test_killed_at_any_moment_it_goes_on_with_the_same_bytes(arrays: Path) -> None:
    done = 0
    for more in (1, 150, 170):
        with start(0.002) as process:
            wait_for(process, done + more)
            process.send_signal(signal.SIGKILL)
        noted = converted._Making(arrays / "key.npy", SHAPE, np.dtype(np.uint16), WHAT)._noted()
        assert done <= noted < 1000
        done = noted
    assert done >= 300
    source = Source()
    np.testing.assert_array_equal(make(source), whole())
    assert source.begun == [done]
    assert files(arrays) == ["key.npy"]


@pytest.mark.usefixtures("arrays")
def test_one_makes_it_and_another_waits_and_shows_how_far_that_one_is() -> None:
    seen: list[Progress] = []
    with start(0.005) as process:
        wait_for(process, 10)
        with watched(seen.append):
            made = make(never)
    assert process.returncode == 0
    np.testing.assert_array_equal(made, whole())
    assert all(each.elsewhere for each in seen) and len({each.done for each in seen}) > 2
    assert str(seen[-1]).startswith(f"another process is preparing {WHAT}, ")


@pytest.mark.usefixtures("arrays")
def test_who_waits_goes_on_where_another_one_died() -> None:
    seen: list[Progress] = []
    source = Source()
    with start(0.02) as process:
        wait_for(process, 50)

        def tell(progress: Progress) -> None:
            seen.append(progress)
            if progress.done >= 100:
                process.send_signal(signal.SIGKILL)

        with watched(tell):
            np.testing.assert_array_equal(make(source), whole())
    assert seen[0].elsewhere and not seen[-1].elsewhere
    assert len(source.begun) == 1 and source.begun[0] >= 100


@pytest.mark.usefixtures("arrays")
def test_who_waits_can_stop() -> None:
    with start(0.02) as process:
        wait_for(process, 10)

        def tell(_: Progress) -> None:
            raise Stopped

        with pytest.raises(Stopped), watched(tell):
            make(never)
        process.kill()


def test_threads_of_one_process_take_turns_too(arrays: Path) -> None:
    source, found = Source(), []

    def one() -> None:
        found.append(np.array_equal(make(source), whole()))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [True] * 6 and source.begun == [0]
    assert files(arrays) == ["key.npy"]


# -- what the cache holds


def test_the_cache_says_what_it_holds_and_forgets_it(arrays: Path) -> None:
    make(Source())
    with pytest.raises(KeyboardInterrupt):
        make(Source(KeyboardInterrupt()), "half")
    downloads = arrays.parent / "downloads" / "mnist"
    downloads.mkdir(parents=True)
    (downloads / "file").write_bytes(b"x" * 10_000)
    (arrays.parent / "families.json").write_text("{}")
    found = {one.name: one for one in cache.held()}
    assert {name: one.state for name, one in found.items()} == {
        "arrays/key": "", "arrays/half": "half made", "downloads/mnist": "", "families.json": ""}
    assert 30_000 <= found["arrays/key"].bytes <= 40_000 and found["downloads/mnist"].bytes >= 10_000
    held = locks.attempt(arrays / "half.npy.part")
    assert held is not None
    assert [one.state for one in cache.held() if one.name == "arrays/half"] == ["being made"]
    assert not cache.forget(found["arrays/half"])
    os.close(held)
    assert all(cache.forget(one) for one in found.values())
    assert cache.held() == []
