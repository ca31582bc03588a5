"""A store that a test may break, and one look for all pages at what is installed and what they are."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import local_script_runner

from tests.pages import demo


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """Each `AppTest` reads what every installed package says of itself, half a second, and compiles the pages anew.

    Both are the same for all, as in a server for all its visitors.
    """
    patch = pytest.MonkeyPatch()
    patch.setattr(manifest_scanner, "scan_component_manifests",
                  functools.cache(manifest_scanner.scan_component_manifests))
    patch.setattr(local_script_runner, "ScriptCache", functools.cache(local_script_runner.ScriptCache))
    yield
    patch.undo()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo store, in use."""
    copy = tmp_path / "store"
    shutil.copytree(demo.store(), copy)
    monkeypatch.setenv("VAECORE_STORE", str(copy))
    return copy
