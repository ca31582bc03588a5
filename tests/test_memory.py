"""What a process holds is bounded in bytes and measured rightly, and every cache of the code is known here."""

from __future__ import annotations

import ast
import threading
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vaecore import memory
from vaecore.memory import ENTRY, Pool, held, most_bytes, size_of

ROOT = Path(__file__).parents[1]
MB = 2**20


# -- how much something takes ----------------------------------------------------------------------


def test_arrays_and_tensors_count_their_bytes_once() -> None:
    x = np.zeros(100_000, np.float32)
    t = torch.zeros(50_000)
    assert size_of(x) == pytest.approx(400_000, abs=300)
    assert size_of([x, x, x[:10], {"again": x}]) == pytest.approx(400_000, abs=1_500)
    assert size_of((t, t[3:], t.view(2, -1))) == pytest.approx(200_000, abs=1_500)
    assert size_of(b"x" * 5_000) == pytest.approx(5_000, abs=100)
    assert size_of(np.array(["a" * 1_000, "b" * 1_000], object)) == pytest.approx(2_000, abs=600)


def test_a_view_keeps_the_whole_of_what_it_looks_at() -> None:
    assert size_of(np.zeros(100_000)[:1]) > 800_000
    assert size_of(torch.zeros(100_000)[:1]) > 400_000


def test_a_network_counts_its_weights_and_their_gradients() -> None:
    network = torch.nn.Linear(300, 300)
    before = size_of(network)
    assert before == pytest.approx(4 * 300 * 301, abs=15_000)
    network(torch.zeros(1, 300)).sum().backward()
    assert size_of(network) - before == pytest.approx(4 * 300 * 301, abs=15_000)


def test_what_is_on_disk_or_belongs_to_the_process_counts_for_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(10**6))
    on_disk = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert isinstance(on_disk, np.memmap)
    assert size_of([on_disk, on_disk[5:], np, torch.nn.Module, size_of, threading.current_thread()]) < 1_000


def test_things_with_slots_and_things_that_hold_themselves() -> None:
    class Slotted:
        __slots__ = ("x",)

    one, ring = Slotted(), list[Any]()
    one.x = np.zeros(10_000)
    ring.append(ring)
    assert size_of(one) > 80_000 and size_of(ring) < 200


# -- the pool --------------------------------------------------------------------------------------


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    pool = Pool(most=lambda: 3_500 + 3 * ENTRY)
    for name in "abc":
        pool.get((name,), lambda: bytes(1_000))
    pool.get(("a",), lambda: bytes(1_000))
    pool.get(("d",), lambda: bytes(1_000))
    assert [name for name in "abcd" if (name,) in pool] == ["a", "c", "d"]
    assert pool.size <= pool.most()


def test_a_thing_above_the_bound_stays_until_another_comes() -> None:
    pool = Pool(most=lambda: 1_000)
    assert len(pool.get(("large",), lambda: bytes(10_000))) == 10_000
    assert ("large",) in pool
    pool.get(("small",), lambda: b"")
    assert ("large",) not in pool and ("small",) in pool


def test_what_grows_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, growing = Pool(most=lambda: 10_000), list[bytes]()
    pool.put(("other",), b"")
    pool.get(("growing",), lambda: growing)
    growing.append(bytes(20_000))
    assert pool.size < 10_000
    now = time.monotonic()
    monkeypatch.setattr(memory.time, "monotonic", lambda: now + memory.AGAIN + 1)  # type: ignore[attr-defined]
    assert pool.get(("growing",), list) is growing
    assert pool.size > 20_000 and ("other",) not in pool


def test_who_come_at_once_wait_for_one() -> None:
    pool, made = Pool(), list[int]()

    def make() -> list[int]:
        made.append(1)
        time.sleep(0.05)
        return made

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: pool.get(("it",), make), range(8)))
    assert made == [1] and all(each is made for each in found) and pool._making == {}


def test_what_fails_is_not_held() -> None:
    pool = Pool()
    with pytest.raises(ZeroDivisionError):
        pool.get(("it",), lambda: 1 / 0)
    assert pool.get(("it",), lambda: 2.0) == 2.0 and pool._making == {}


def test_a_function_is_held_by_its_arguments_but_for_the_hidden_ones() -> None:
    calls, inside = list[tuple[int, str]](), list[str]()

    @contextmanager
    def told() -> Iterator[None]:
        inside.append("in")
        yield
        inside.append("out")

    @held(meanwhile=told)
    def found(number: int, _whole: str, kind: str = "a", *_: int) -> str:
        calls.append((number, _whole))
        return f"{number}{kind}"

    assert found(1, "x") == found(1, "y") == found(1, "z", "a") == "1a"
    assert found(1, "x", "b") == "1b" and found(1, "x", "a", 7) == "1a"
    assert calls == [(1, "x")] * 3 and inside == ["in", "out"] * 3
    found.clear()
    found(1, "x")
    assert len(calls) == 4
    assert found.__name__ == "found"


@pytest.mark.parametrize(("told", "megabytes"), [("", 1024), ("64", 64), ("0", 1024), ("-3", 1024), ("much", 1024),
                                                 ("²", 1024), ("9" * 12, 1024)])
def test_the_bound_is_said_in_megabytes(told: str, megabytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.HELD, told)
    assert most_bytes() == megabytes * MB


# -- all caches there are --------------------------------------------------------------------------

# Functions that remember so many answers, with what one of them takes at most, in bytes.
COUNTED = {
    "pages.shared.checkpoints._views_at": (5_000, 500), "pages.shared.checkpoints._described": (5_000, 1_500),
    "pages.runs.listing._first_line": (5_000, 4_000),
    "vaecore.named.declarations": (1, 8 * MB), "vaecore.named._kept": (1, 8 * MB),
    "vaecore.shared_stores._place": (20_000, 600),
    "vaecore.shared_stores._parsed": (8, 10_000), "vaecore.shared_stores._watch": (64, 4 * MB // 64),
    "vaecore.studies.c14_gamma.learned_variance": (32, 500), "vaecore.files._digest": (512, 500),
    "vaecore.explore.export.kept._modalities": (64, 20_000), "vaecore.lab.jobs._note_once": (64, 500),
    "vaecore.sweeps.tending._schedule": (4_096, 500), "vaecore.sweeps.tending._per_epoch": (4_096, 500),
}
MOST_OF_ONE = 20 * MB
# Functions that remember an answer for each of few arguments, which the code names.
FEW = {"pages.components.serve.component": "a component", "vaecore.data.spoken_digits.filters": "nothing"}
# Streamlit's resources, which it does not bound in bytes.
RESOURCES = {"pages.home.minute.measuring": "the thread that measures, and three words of what it found"}
# What modules keep in lists and groups that change.
KEPT = {
    "vaecore.library.records._kept": "MAX_RECORDS records of a few kB",
    "pages.runs.listing._kept": "the cells of MOST_KEPT rows, some kB each",
    "vaecore.explore.export.kept._refused": "REFUSED sentences",
    "vaecore.explore.export.kept._unwritten": "UNWRITTEN graphs, where the disk takes none",
    "vaecore.permission._asked": "one function a server", "vaecore.data.plugins._followers": "one function a module",
    "vaecore.data.plugins.REGISTERED": "the data sets that the code has", "vaecore.modalities.KINDS": "its modalities",
    "pages.shared.evaluation.CARDS": "its cards", "vaecore.lab.scheduler._seen": "10,000 numbers of jobs",
    "vaecore.lab.state._heard": "10,000 signs of life", "vaecore.lab.state._done": "10,000 numbers of jobs",
    "vaecore.lab.state._untold": "runs that ended on a cluster, until their folder says so",
}


@cache
def found_in_the_code() -> tuple[dict[str, dict[str, ast.expr]], set[str]]:
    """Decorators by what they are called and what they decorate; lists and groups of modules that are changed."""
    decorated: dict[str, dict[str, ast.expr]] = defaultdict(dict)
    kept = set[str]()
    for folder in ("pages", "vaecore"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            tree = ast.parse(path.read_text(encoding="utf-8"))
            changing = set[str]()
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    for each in node.decorator_list:
                        called = ast.unparse(each.func if isinstance(each, ast.Call) else each)
                        decorated[called.removeprefix("functools.")][f"{module}.{node.name}"] = each
                elif (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                        and node.func.attr in ("append", "setdefault", "add", "update")):
                    changing.add(ast.unparse(node.func.value))
                elif isinstance(node, ast.Assign):
                    changing |= {ast.unparse(each.value) for each in node.targets if isinstance(each, ast.Subscript)}
            kept |= {f"{module}.{name}" for name in containers(tree) & changing}
    return decorated, kept


def containers(tree: ast.Module) -> set[str]:
    """The names of lists and groups that a module makes."""
    found = set()
    for node in tree.body:
        target = node.target if isinstance(node, ast.AnnAssign) else (
            node.targets[0] if isinstance(node, ast.Assign) else None)
        value = getattr(node, "value", None)
        made = isinstance(value, ast.Dict | ast.List) or (
            isinstance(value, ast.Call) and ast.unparse(value.func).split("[")[0] in (
                "dict", "list", "set", "OrderedDict", "defaultdict", "deque"))
        if isinstance(target, ast.Name) and made:
            found.add(target.id)
    return found


def decorated(name: str) -> dict[str, ast.expr]:
    """Every function that it decorates, by module and name, with the decorator."""
    return found_in_the_code()[0].get(name, {})


def test_whatever_remembers_so_many_answers_has_small_ones() -> None:
    assert set(decorated("lru_cache")) == set(COUNTED), "what is large belongs into `memory.held`"
    assert max(count * size for count, size in COUNTED.values()) <= MOST_OF_ONE
    for decorator in decorated("lru_cache").values():
        assert isinstance(decorator, ast.Call) and (decorator.args or decorator.keywords), "it has to have a bound"
        assert "None" not in ast.unparse(decorator)


def test_no_resource_is_left_to_streamlit() -> None:
    assert set(decorated("st.cache_resource")) == set(RESOURCES)
    assert set(decorated("cache")) == set(FEW)


def test_streamlits_answers_are_bounded_in_bytes() -> None:
    told = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]["maxCacheDataSize"]
    assert told == "256mb"
    assert decorated("st.cache_data"), "none is left: take the option away"


def test_what_modules_keep_is_known() -> None:
    _, found = found_in_the_code()
    assert found - set(KEPT) == set(), "these may grow: bound them, and say how in this list"
    assert set(KEPT) - found == set()
