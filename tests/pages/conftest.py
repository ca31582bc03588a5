"""A store that a test may break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import demo


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo store, in use."""
    copy = tmp_path / "store"
    shutil.copytree(demo.store(), copy)
    monkeypatch.setenv("VAECORE_STORE", str(copy))
    return copy
