"""A store that a test may break, and one look at what is installed for all pages."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner

from tests.pages import demo


@pytest.fixture(scope="session", autouse=True)
def scanned_once() -> Iterator[None]:
    """Each `AppTest` reads what every installed package says of itself, half a second; it is the same for all."""
    patch = pytest.MonkeyPatch()
    patch.setattr(manifest_scanner, "scan_component_manifests",
                  functools.cache(manifest_scanner.scan_component_manifests))
    yield
    patch.undo()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo store, in use."""
    copy = tmp_path / "store"
    shutil.copytree(demo.store(), copy)
    monkeypatch.setenv("VAECORE_STORE", str(copy))
    return copy
