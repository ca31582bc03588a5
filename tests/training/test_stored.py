"""Data that memory has no room for: the same batches, read from their files while the steps compute."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.runs import Make, Start, small
from vaecore.data import COVARIATE, OBSERVED, Array, Dataset, DataUnavailable, Split
from vaecore.data.base import SPLITS, binarise
from vaecore.data.converted import black_and_white
from vaecore.data.digits import Digits
from vaecore.data.rows import Rows, free_memory, in_parts, room
from vaecore.modalities import Modality
from vaecore.models import Batch
from vaecore.schema import ConfigError
from vaecore.training import ahead
from vaecore.training import build as building
from vaecore.training import train as training
from vaecore.training.course import Course
from vaecore.training.feed import Feed

CPU = torch.device("cpu")
N = 300


@pytest.fixture
def mapped(tmp_path: Path) -> Callable[[Array], Array]:
    """The same array, memory-mapped."""
    count = iter(range(1000))

    def made(array: Array) -> Array:
        path = tmp_path / f"{next(count)}.npy"
        np.save(path, array)
        found: Array = np.load(path, mmap_mode="c")
        return found

    return made


def dataset(mapped: Callable[[Array], Array], **more: Any) -> Dataset:
    """Pictures and vectors with labels and gaps; the pictures lie in one file, in the order of the splits."""
    draw = np.random.default_rng(0)
    pictures = mapped(draw.integers(0, 256, (2 * N, 1, 6, 5), dtype=np.uint8))
    splits = {}
    for index, split in enumerate(SPLITS):
        start, count = [(0, N), (N, N // 2), (N + N // 2, N // 2)][index]
        vectors = draw.normal(size=(count, 7)).astype(np.float32)
        splits[split] = Split({"image": pictures[start:start + count], "vector": mapped(vectors)},
                              draw.integers(0, 3, count), observed=draw.random((count, 2)) > 0.2)
    kinds = {"image": Modality("image", (1, 6, 5)), "vector": Modality("vector", (7,))}
    return Dataset("made", "made here", kinds, splits, **more)


def feeds(monkeypatch: pytest.MonkeyPatch, data: Dataset, split: Any = "train") -> tuple[Feed, Feed]:
    """One from memory, and one from the files."""
    held = Feed(data, split, CPU)
    monkeypatch.setenv("VAECORE_MEMORY", "0")
    stored = Feed(data, split, CPU)
    monkeypatch.delenv("VAECORE_MEMORY")
    assert not held.files and list(stored.files) == list(data.modalities) and not stored.tensors
    return held, stored


def same(left: Batch, right: Batch) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("more", [{}, {"dynamic": True}, {"paired_anew": ("vector",)}, {"paired_anew": ("image",)}],
                         ids=["as they are", "drawn anew", "a partner's vector", "a partner's picture"])
@pytest.mark.parametrize("split", SPLITS)
def test_batches_are_the_same(mapped: Callable[[Array], Array], monkeypatch: pytest.MonkeyPatch, split: Any,
                              more: dict[str, Any]) -> None:
    held, stored = feeds(monkeypatch, dataset(mapped, **more), split)
    one, other = (torch.Generator().manual_seed(5) for _ in range(2))
    for indices in torch.randperm(len(held)).split(40):
        assert same(held.batch(indices, one), stored.batch(indices, other))
    assert {COVARIATE, OBSERVED, "image", "vector"} == held.batch(torch.arange(2), one).keys()
    for size in (1, 64, 1000):
        pairs = zip(held.in_order(size), stored.in_order(size), strict=True)
        assert all(same(left, right) for left, right in pairs)
    assert same(held.first(33), stored.first(33))
    where = torch.tensor([7, 3, 3, 149, 0])
    assert same(held.at(where), stored.at(where))
    assert held.spans() == stored.spans()


def test_what_is_expected_is_read_before_and_other_batches_may_come_between(
        mapped: Callable[[Array], Array], monkeypatch: pytest.MonkeyPatch) -> None:
    held, stored = feeds(monkeypatch, dataset(mapped))
    generator = torch.Generator().manual_seed(1)
    order = list(held.order(3, 0).split(32))
    stored.follow(iter(order))
    asked: list[Any] = []
    monkeypatch.setattr(Feed, "_read", lambda *asking: asked.append(asking))
    assert all(same(held.batch(each, generator), stored.batch(each, generator)) for each in order[:3])
    assert not asked, "all had been read before"
    monkeypatch.undo()
    between = torch.tensor([5, 1, 250])
    assert same(held.batch(between, generator), stored.batch(between, generator))
    assert all(same(held.batch(each, generator), stored.batch(each, generator)) for each in order[3:])
    assert same(held.batch(between, generator), stored.batch(between, generator)), "after the last one"
    stored.close()


def test_no_more_is_read_ahead_than_it_may_hold(mapped: Callable[[Array], Array], monkeypatch: pytest.MonkeyPatch
                                                ) -> None:
    _, stored = feeds(monkeypatch, dataset(mapped))
    taken = [0]

    def coming() -> Iterator[torch.Tensor]:
        for each in torch.arange(N).split(10):
            taken[0] += 1
            yield each

    stored.follow(coming())
    assert taken[0] == ahead.AHEAD
    stored.batch(torch.arange(10), torch.Generator())
    assert taken[0] == ahead.AHEAD + 1
    monkeypatch.setattr(ahead, "AHEAD_BYTES", 3 * 10 * 58 - 1)
    taken[0] = 0
    stored.follow(coming())
    assert taken[0] == 3
    monkeypatch.setattr(ahead, "AHEAD_BYTES", 0)
    taken[0] = 0
    stored.follow(coming())
    assert taken[0] == 2
    stored.close()


def test_a_course_asks_for_what_it_announced(trainer: Make, mapped: Callable[[Array], Array],
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Step for step over epochs, begun at any one."""
    made, data = trainer(small())
    data = dataclasses.replace(data, splits={
        split: dataclasses.replace(part, arrays={name: mapped(x) for name, x in part.arrays.items()})
        for split, part in data.splits.items()})
    monkeypatch.setenv("VAECORE_MEMORY", "0")
    stored = Feed(data, "train", CPU)
    assert stored.files
    monkeypatch.setattr(Feed, "_read", lambda *_: pytest.fail("it was not read before"))
    other = Course(made.config, made.model, stored, CPU)
    for first in (0, 3, 6):
        for step in range(first, made.total):
            indices = other.indices(step)
            assert torch.equal(indices, made.indices(step))
            generators = [torch.Generator().manual_seed(step) for _ in range(2)]
            assert same(stored.batch(indices, generators[0]), made.feed.batch(indices, generators[1]))
    stored.close()


def test_a_part_of_a_draw_is_what_it_is_in_the_whole() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5000, 2, 3), dtype=np.uint8)
    whole = binarise(pictures, 7)
    for rows in (np.arange(4090, 4100), np.array([4999, 0, 17, 17, 3]), np.array([], np.int64)):
        np.testing.assert_array_equal(binarise(pictures[rows], 7, rows), whole[rows])


@pytest.mark.parametrize("view", [np.s_[:], np.s_[10:50], np.s_[50:10:-2], np.s_[::3], np.s_[5:40, :2]])
def test_rows_of_views_are_found_in_the_file(mapped: Callable[[Array], Array], view: Any) -> None:
    array = mapped(np.arange(60 * 4 * 3, dtype=np.int32).reshape(60, 4, 3))[view]
    rows = Rows.of(array)
    assert rows is not None and rows.shape == array.shape and rows.nbytes == array.nbytes
    wanted = np.array([3, 4, 5, 1, 9, 9, 0])
    found = np.empty((7, *array.shape[1:]), np.int32)
    rows.wanted(wanted)
    rows.read(wanted, found)
    np.testing.assert_array_equal(found, array[wanted])
    np.testing.assert_array_equal(rows.part(4, 10_000), array[4:])
    rows.close()


def test_what_is_in_memory_has_no_rows_in_a_file(mapped: Callable[[Array], Array]) -> None:
    array = mapped(np.arange(24.0).reshape(6, 4))
    assert Rows.of(np.arange(3.0)) is None
    assert Rows.of(array + 1) is None and Rows.of(array[np.array([1, 2])]) is None
    assert Rows.of(array[:, ::2]) is None, "its rows are not whole"


def test_a_file_that_ends_early_is_named(mapped: Callable[[Array], Array], monkeypatch: pytest.MonkeyPatch,
                                         tmp_path: Path) -> None:
    _, stored = feeds(monkeypatch, dataset(mapped))
    with (tmp_path / "0.npy").open("r+b") as file:
        file.truncate(1000)
    stored.follow(iter(torch.arange(N).split(50)))
    with pytest.raises(DataUnavailable, match=r"0\.npy cannot be read: it is shorter than it was"):
        for each in torch.arange(N).split(50):
            stored.batch(each, torch.Generator())
    stored.close()


def test_threads_end_with_what_they_read_for(mapped: Callable[[Array], Array], monkeypatch: pytest.MonkeyPatch
                                             ) -> None:
    before = threading.active_count()
    _, stored = feeds(monkeypatch, dataset(mapped))
    for _ in stored.in_order(10):
        break  # left before its end
    stored.follow(iter(torch.arange(N).split(50)))
    assert threading.active_count() > before
    stored.close()
    assert threading.active_count() == before
    stored.follow(iter(torch.arange(N).split(50)))
    del stored  # forgotten without a word
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("rows"):
            thread.join(10)
    assert threading.active_count() == before


def test_a_closed_form_says_what_memory_it_needs(configure: Any, mapped: Callable[[Array], Array],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    held, stored = feeds(monkeypatch, dataset(mapped))
    assert same(held.all(), stored.all())
    config = configure({"data": {"name": "digits"}, "model": {"family": "pca"}})
    monkeypatch.setattr(building, "free_memory", lambda: 10**6)
    needed = 1297 * 64 * 28
    with pytest.raises(ConfigError, match=rf"1,297 training observations at once, which takes {needed:,} bytes .* "
                                          rf"1,000,000 are free.*Use at most {1297 * 10**6 // needed}"):
        building.check(config, config.data.load())


def test_how_much_may_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2**20 < free_memory() < 2**50
    assert room() >= 2**20
    monkeypatch.setenv("VAECORE_MEMORY", "2e9")
    assert room() == 2_000_000_000
    monkeypatch.setenv("VAECORE_MEMORY", "much")
    with pytest.raises(DataUnavailable, match="VAECORE_MEMORY is 'much'"):
        room()


# -- whole trainings


def on_disk(monkeypatch: pytest.MonkeyPatch, mapped: Callable[[Array], Array]) -> None:
    """The digits lie in files from now on, and memory has no room for them."""
    load = Digits.load

    def loaded(config: Digits) -> Dataset:
        data = load(config)
        return dataclasses.replace(data, splits={
            split: dataclasses.replace(part, arrays={name: mapped(x) for name, x in part.arrays.items()})
            for split, part in data.splits.items()})

    monkeypatch.setattr(Digits, "load", loaded)
    monkeypatch.setenv("VAECORE_MEMORY", "0")


def test_a_training_ends_with_the_same_bits_also_when_it_was_stopped(
        start: Start, watch: Any, mapped: Callable[[Array], Array], monkeypatch: pytest.MonkeyPatch) -> None:
    held = start(small(), name="held")
    on_disk(monkeypatch, mapped)
    before = threading.active_count()
    stored = start(small(), name="stored")
    parts = start(small(), name="parts", control=watch(stop_at=5))
    assert training(parts, watch()) == "finished"
    for name in ("weights.safetensors", "examples.safetensors"):
        assert (stored / name).read_bytes() == (parts / name).read_bytes() == (held / name).read_bytes()
    assert threading.active_count() == before


def test_black_and_white_of_a_file_is_that_of_memory(mapped: Callable[[Array], Array],
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = mapped(np.random.default_rng(0).integers(0, 256, (5000, 1, 3, 2), dtype=np.uint8))
    held = black_and_white(pictures[100:], 3)
    assert not isinstance(held, np.memmap)
    monkeypatch.setenv("VAECORE_MEMORY", "0")
    stored = black_and_white(pictures[100:], 3)
    assert isinstance(stored, np.memmap) and stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, held)
    np.testing.assert_array_equal(black_and_white(pictures[:100], 3), binarise(pictures[:100], 3))


def test_parts_of_an_array_make_it_whole(mapped: Callable[[Array], Array]) -> None:
    array = np.arange(60.0).reshape(20, 3)
    for each in (array, mapped(array), mapped(array)[3:], array[:0]):
        parts = list(in_parts(each, at_once=100))
        assert all(len(part) == 4 and not isinstance(part, np.memmap) for part in parts[:-1])
        np.testing.assert_array_equal(np.concatenate([*parts, each[:0]]), each)


SCRIPT = """
import sys
import numpy as np
import torch
from vaecore.config import RunConfig
from vaecore.data import Dataset, Split
from vaecore.data.base import SPLITS
from vaecore.modalities import Modality
from vaecore.schema import parse
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Feed
from vaecore.training.validation import evaluate

def resident():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Rss:"))

torch.set_num_threads(1)
array = np.load(sys.argv[1], mmap_mode="c")
cut = len(array) - 1000
splits = dict(zip(SPLITS, map(lambda part: Split({"image": part}), (array[:cut], array[cut:-500], array[-500:]))))
data = Dataset("large", "", {"image": Modality("image", array.shape[1:])}, splits)
config = parse(RunConfig, {"model": {"family": "vae", "latent_size": 2, "network": {"kind": "linear"}},
    "training": {"batch_size": 100, "epochs": 1,
    "threads": 1, "device": "cpu"}})
model = build(config, data)
few = Split({"image": np.tile(array[:500], (10, 1, 1, 1))})  # what steps and an evaluation need, whatever the data
warm = Feed(Dataset("few", "", data.modalities, dict.fromkeys(SPLITS, few)), "train", torch.device("cpu"))
Course(config, model, warm, torch.device("cpu")).update(0)
evaluate(model, warm, 0)
before, most = resident(), 0
feed = Feed(data, "train", torch.device("cpu"))
course = Course(config, model, feed, torch.device("cpu"))
for step in range(course.total):
    course.update(step)
    if step % 25 == 24:
        course.flush()
        most = max(most, resident())
evaluate(model, feed, 0)
most = max(most, resident())
print(len(feed.files), most - before)
feed.close()
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux says what is resident")
@pytest.mark.parametrize("memory", ["1e6", pytest.param("1e12", marks=pytest.mark.slow)])
def test_resident_memory_does_not_grow_with_the_data(tmp_path: Path, memory: str) -> None:
    """60 MB of pictures, every one of which is trained on and judged; mapped, they are all resident in the end."""
    array = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (15_000, 1, 64, 64))
    for start in range(0, 15_000, 3_000):
        array[start:start + 3_000] = np.random.default_rng(start).integers(0, 256, (3_000, 1, 64, 64), dtype=np.uint8)
    array.flush()
    del array
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "large.npy")], capture_output=True, text=True,
                          timeout=250, env={
                              **os.environ, "VAECORE_MEMORY": memory,
                              # What is freed is given back at once: else glibc keeps what it thinks may be needed.
                              "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"})
    assert done.returncode == 0, done.stderr[-2000:]
    files, grown = map(int, done.stdout.split())
    if memory == "1e6":
        assert files == 1 and grown < 20e6
    else:
        assert files == 0 and grown > 50e6
