"""Views kept under a name: what is written is read, a file from anywhere costs nothing but itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from vaecore import locks, permission
from vaecore.errors import NotAllowed
from vaecore.library import marks, views
from vaecore.library.views import TableView
from vaecore.store import Store, StoreError


def test_what_is_kept_is_read_by_another(tmp_path: Path) -> None:
    best = TableView(name="best VAEs", query="family:vae elbo>-100", sort="-elbo", group="configuration",
                     columns=["title", "elbo"])
    views.keep(Store(tmp_path), best)
    views.keep(Store(tmp_path), TableView(name="All"))
    assert views.views(Store(tmp_path)) == [TableView(name="All"), best], "by name, whichever case"
    views.keep(Store(tmp_path), TableView(name="All", query="tag:x"))
    assert [view.query for view in views.views(Store(tmp_path))] == ["tag:x", best.query], "a name stands for one"
    views.forget(Store(tmp_path), "All")
    assert views.views(Store(tmp_path)) == [best]
    views.forget(Store(tmp_path), "not there")


def test_there_is_none_where_nothing_was_kept(tmp_path: Path) -> None:
    assert views.views(Store(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("content", ["[", "[1]", '{"views": 3}', '{"views": [3, {"name": 5}, {"query": "x"}]}',
                                     json.dumps({"views": [{"name": "x" * 61}]}), "null"])
def test_a_file_from_anywhere(tmp_path: Path, content: str) -> None:
    (tmp_path / "views.json").write_text(content)
    if content == "[":
        with pytest.raises(StoreError, match=r"views\.json is not valid JSON.*Remove the file"):
            views.views(Store(tmp_path))
    else:
        assert views.views(Store(tmp_path)) == []


def test_of_a_file_only_what_can_be_read(tmp_path: Path) -> None:
    held = {"views": [{"name": "a", "query": "q" * 2000, "columns": ["x", 7], "more": 1}, 9,
                      {"name": "b", "sort": "s"}]}
    (tmp_path / "views.json").write_text(json.dumps(held))
    assert views.views(Store(tmp_path)) == [TableView(name="a", columns=["x"]), TableView(name="b", sort="s")]


def test_bounds(tmp_path: Path) -> None:
    (tmp_path / "views.json").write_text(json.dumps({"views": [{"name": f"v{i:03}"} for i in range(300)]}))
    assert len(views.views(Store(tmp_path))) == views.MOST_VIEWS
    with pytest.raises(StoreError, match="100 views already"):
        views.keep(Store(tmp_path), TableView(name="one more"))
    for wrong in ({"name": ""}, {"name": "x" * 61}, {"name": "x", "query": "q" * 1001}):
        with pytest.raises(ValidationError):
            TableView(**wrong)  # type: ignore[arg-type]


def test_who_only_looks_keeps_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(permission.READ_ONLY, "1")
    with pytest.raises(NotAllowed, match="keep a view"):
        views.keep(Store(tmp_path), TableView(name="x"))
    with pytest.raises(NotAllowed, match="forget a view"):
        views.forget(Store(tmp_path), "x")
    assert not (tmp_path / "views.json").exists()


def test_another_process_that_writes_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "PATIENCE", 0.02)
    held = locks.attempt(tmp_path / ".views.lock")
    assert held is not None
    with pytest.raises(StoreError, match="Another process"):
        views.keep(Store(tmp_path), TableView(name="x"))
    os.close(held)
    views.keep(Store(tmp_path), TableView(name="x"))
    assert [view.name for view in views.views(Store(tmp_path))] == ["x"]
