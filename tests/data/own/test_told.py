"""Data of one's own say how far their reading is, of whatever kind they are, and it can be ended meanwhile."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vaecore.data.converted import Progress, Stopped, watched
from vaecore.data.own.door import own
from vaecore.schema import parse

draw = np.random.default_rng(0)


def texts(place: Path) -> Path:
    (place / "a.txt").write_text("one two three\n" * 40)
    return place / "a.txt"


def table(place: Path) -> Path:
    (place / "a.csv").write_text("a,b,w\n" + "1,2,x\n3,4,y\n" * 40)
    return place / "a.csv"


def pictures(place: Path) -> Path:
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        for number in range(12):
            file = io.BytesIO()
            Image.fromarray(draw.integers(0, 256, (8, 8), np.uint8)).save(file, "PNG")
            archive.writestr(f"{number}.png", file.getvalue())
    return place / "a.zip"


def clips(place: Path) -> Path:
    (place / "films").mkdir()
    for number in range(3):
        frames = [Image.fromarray(draw.integers(0, 256, (16, 16), np.uint8)) for _ in range(24)]
        frames[0].save(place / "films" / f"{number}.gif", save_all=True, append_images=frames[1:], duration=100)
    return place / "films"


MADE: dict[str, Callable[[Path], Path]] = {"text-file": texts, "table": table, "images": pictures, "clips": clips}


@pytest.mark.parametrize("kind", MADE)
def test_each_kind_says_how_far_it_is_and_can_be_ended(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                       ) -> None:
    for module, name in (("text", "TOLD_EVERY"), ("own.tables.contents", "TOLD_EVERY"), ("own.images", "BLOCK"),
                         ("own.pictures.survey", "BLOCK")):
        monkeypatch.setattr(f"vaecore.data.{module}.{name}", 4)
    fields = {"frames": 4} if kind == "clips" else {}
    config = parse(own()[kind], {"path": str(MADE[kind](tmp_path)), **fields})
    seen: list[Progress] = []
    with watched(seen.append):
        config.load()
    assert len({each.done for each in seen}) > 2 and all(0 <= each.share <= 1 for each in seen)
    assert all(str(each).startswith("preparing ") for each in seen)

    def stop(progress: Progress) -> None:
        if len(seen) > 2:
            raise Stopped
        seen.append(progress)

    seen.clear()
    with pytest.raises(Stopped), watched(stop):
        config.load()
