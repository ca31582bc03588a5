"""Until all is imported one thread at a time imports: no visitor of a new server is told of a deadlock."""

from __future__ import annotations

import ast
import importlib
import sys
import threading
import time
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

import pytest

from pages.shared import warm

ROOT = Path(__file__).parents[3]


class Slow(SourceFileLoader):
    """Takes its time between the lock of a module and its place in `sys.modules`."""

    def create_module(self, spec: ModuleSpec) -> None:
        time.sleep(0.3)


class Slowly:
    """Finds the package of a test."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "slowly" or (spec := PathFinder.find_spec(name)) is None:
            return None
        spec.loader = Slow(name, str(spec.origin))
        return spec


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A process in which nothing is imported yet; who imports it all is noted."""
    loaded: list[str] = []
    monkeypatch.setattr(warm, "_all", threading.Event())
    monkeypatch.setattr(warm, "_steps", [lambda: loaded.append(threading.current_thread().name)] * 2)
    return loaded


def test_one_at_a_time_until_all_is_there_and_then_all_at_once(new: list[str]) -> None:
    inside, leave = threading.Event(), threading.Event()

    def within() -> None:
        with warm.alone():
            inside.set()
            leave.wait(10)

    with warm.alone():
        other = threading.Thread(target=within)
        other.start()
        assert not inside.wait(0.2)
        warm.ready()  # it is this thread's own turn
    other.join(0.1)
    assert inside.wait(10) and other.is_alive()
    with warm.alone():  # nobody waits any more, though the other is still within
        leave.set()
    other.join(10)
    warm.ready()
    assert new == [threading.current_thread().name] * 2, "each step once"


def test_what_cannot_be_imported_holds_nobody_up(new: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ImportError("no such thing")

    monkeypatch.setattr(warm, "_steps", [fails, lambda: new.append("the next")])
    with pytest.raises(ImportError):
        warm.ready()
    warm.ready()
    assert new == ["the next"]


def test_between_two_steps_another_has_its_turn(monkeypatch: pytest.MonkeyPatch, new: list[str]) -> None:
    """A visitor who presses a button meanwhile waits for one step, not for all."""
    begun = threading.Event()

    def step() -> None:
        begun.set()
        time.sleep(0.2)
        new.append("step")

    monkeypatch.setattr(warm, "_steps", [step] * 5)
    warm.up()
    begun.wait(10)
    with warm.alone():
        found = len(new)
    warm.ready()
    assert found < 5 and new == ["step"] * 5


@pytest.mark.usefixtures("new")
def test_a_package_and_a_module_of_it_are_imported_by_two_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                   ) -> None:
    """Without `alone` Python 3.11 ends one of the two: "deadlock detected by _ModuleLock"."""
    (tmp_path / "slowly").mkdir()
    (tmp_path / "slowly" / "__init__.py").write_text("from slowly import part\n")
    (tmp_path / "slowly" / "part.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [Slowly(), *sys.meta_path])
    failed: list[BaseException] = []

    def fetch(name: str) -> None:
        try:
            with warm.alone():
                importlib.import_module(name)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=fetch, args=(name,)) for name in ("slowly", "slowly.part")]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert failed == [] and "slowly.part" in sys.modules


def test_every_package_that_imports_its_own_modules_is_imported_first() -> None:
    found = set()
    for path in sorted((ROOT / "vaecore").rglob("__init__.py")):
        name = ".".join(path.parent.relative_to(ROOT).parts)
        if name in ("vaecore", "vaecore.cli"):  # is there before any thread; is none of the server's
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{name}."):
                found.add(name)
    assert found <= set(warm.PACKAGES) and len(found) > 10


def test_all_routes_answer_so() -> None:
    for path in sorted((ROOT / "pages").rglob("*.py")):
        assert "run_in_threadpool(" not in path.read_text() or path.name == "serve.py", path
