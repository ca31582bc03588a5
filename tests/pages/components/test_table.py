"""What the table is told: a cell for each column, groups with their members; addresses of small previews."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette

from pages.components import previews
from pages.components.table import Column, Row, pack
from tests.asking import Answer, ask
from vaecore.store import Store

COLUMNS = [Column("preview", "Preview", kind="picture", sort=None),
           Column("title", "Name", "What it is called.", sort="up")]


def told(packed: bytes) -> dict[str, object]:
    length = int.from_bytes(packed[:4], "little")
    found: dict[str, object] = json.loads(packed[4:4 + length])
    return found


def test_what_the_browser_is_told() -> None:
    rows = [Row("all", ["", ("mean", "of two")], members=2), Row("a", ["/previews/a", "<b>a"], pinned=True),
            Row("b", ["", ("b", "help", "2")], faded=True)]
    found = told(pack(COLUMNS, rows, ticked=["b"], stamp=3, opened="a", height=300, noun="run"))
    assert found["rows"] == [
        {"id": "all", "cells": ["", ["mean", "of two"]], "members": 2},
        {"id": "a", "cells": ["/previews/a", "<b>a"], "pinned": True},
        {"id": "b", "cells": ["", ["b", "help", "2"]], "faded": True}]
    assert found["columns"][1] == {"key": "title", "title": "Name", "help": "What it is called.",  # type: ignore[index]
                                   "kind": "text", "sort": "up"}
    assert [found[name] for name in ("ticked", "stamp", "open", "height", "noun")] == [["b"], 3, "a", 300, "run"]
    with pytest.raises(ValueError, match="'a' has 1 cells for 2 columns"):
        pack(COLUMNS, [Row("a", ["x"])], ticked=[], stamp=0)


def get(address: str, **headers: str) -> Answer:
    """What the route answers."""
    return ask(Starlette(routes=previews.routes()), address, **headers)


def test_a_preview_is_small_and_kept_until_it_is_another(root: Path) -> None:
    run = Store(root).find("vae")
    Image.new("RGB", (1400, 288), "red").save(run.preview)
    address = previews.preview_address(run)
    answer = get(address)
    assert answer.status == 200 and answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"] and answer.headers["x-content-type-options"] == "nosniff"
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (previews.WIDTH, previews.HEIGHT) and picture.getpixel((5, 5)) == (255, 0, 0)
    assert get(address, if_none_match=answer.headers["etag"]).status == 304
    assert get(address.partition("?")[0]).headers["cache-control"] == "no-cache"
    Image.new("RGB", (20, 10), "blue").save(run.preview)
    assert previews.preview_address(run) != address
    assert Image.open(io.BytesIO(get(previews.preview_address(run)).content)).size == (20, 10), "never larger"


def test_what_cannot_be_shown_is_not(root: Path) -> None:
    shutil.copytree(root / "runs" / "vae", root / "runs" / "bad")
    run = Store(root).find("bad")
    for content in (b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"GIF89a" + b"\0" * 90, b"x" * 5_000_000):
        run.preview.write_bytes(content)
        previews.small.clear()
        assert get(previews.preview_address(run)).status == 404
    Image.new("1", (4000, 3000)).save(run.preview)
    previews.small.clear()
    assert get(previews.preview_address(run)).status == 404, "more pixels than a preview has"
    run.preview.unlink()
    assert previews.preview_address(run) == "" and get("/previews/bad").status == 404
    assert get("/previews/nothing").status == get("/previews/../../etc").status == 404


def test_a_shipped_run_has_an_address(root: Path) -> None:
    assert get(previews.preview_address(Store(root).find("gallery/pca"))).status == 200
