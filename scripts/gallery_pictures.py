"""Honest draws of the shipped checkpoints for `docs/gallery.md`: the first ones of a seed, none chosen.

    python -m scripts.gallery_pictures             # of all in trained/gallery, into docs/images/gallery
    python -m scripts.gallery_pictures made vae    # of some

Of a model of images these are samples; of one of several modalities, images for each label; of one of sentences, ten
lines; of one of clips, ten futures under the clip that they continue.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.codeless import Codeless
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.opening import opened
from vaecore.explore.pictures import Images, png, sheet
from vaecore.explore.sentences import SentenceCheckpoint
from vaecore.explore.single import Checkpoint
from vaecore.modalities import Label
from vaecore.store import Run, Store

ROOT = Path(__file__).parents[1]
DRAWN = ROOT / "docs" / "images" / "gallery" / "draws.json"
SEED, ROWS, COLUMNS = 0, 5, 10
FUTURES, FRAMES = 10, 25  # frames are evenly spread over the clip
LINES, TEMPERATURE = 10, 0.5


@dataclass(frozen=True)
class Drawn:
    """What a checkpoint draws, as a PNG or as lines of text, and in words what is seen."""

    words: str
    picture: bytes = b""
    lines: tuple[str, ...] = ()


def draw(run: Run) -> Drawn:
    """The first draws of a run; raises as `opened` does."""
    found = opened(run)
    torch.manual_seed(SEED)
    if isinstance(found, VideoCheckpoint):
        futures = FUTURES if found.stochastic else 1
        said = f"{futures} futures" if found.stochastic else "its one future"
        return Drawn(f"A test clip, and under it {said}.", found.preview(FRAMES, futures).content)
    if isinstance(found, SentenceCheckpoint):
        lines = tuple(found.sample(LINES, TEMPERATURE, SEED))
        return Drawn(f"Sentences, words drawn at temperature {TEMPERATURE}.", lines=lines)
    if isinstance(found, CrossModal):
        return _of_several(found)
    if isinstance(found, Codeless):
        return _sheet("Samples.", found.sample(ROWS * COLUMNS, SEED))
    if not isinstance(found, Checkpoint):
        raise SystemExit(f"{run.id}: no draws are known of {type(found).__name__}.")
    labels = [place % COLUMNS for place in range(ROWS * COLUMNS)] if found.classes else None
    said = "Samples, as the mean of p(x|z)" + (
        ", a column for each label." if labels else
        ", their codes from a Gaussian fitted to those of test images." if found.fitted else ".")
    return _sheet(said, found.sample(ROWS * COLUMNS, seed=SEED, labels=labels))


def _of_several(found: CrossModal) -> Drawn:
    """Images for each label where there are both, else what is drawn together."""
    image = next((name for name in found.pictured if found.modalities[name].pixels), None)
    label = next((name for name, each in found.modalities.items() if isinstance(each, Label)), None)
    if image is None or label is None or not found.draws:
        return Drawn("What it draws of its modalities together.", found.preview(COLUMNS).content)
    columns = [found.generate({label: found.label(label, number)}, [image], ROWS, seed=SEED)[image].images
               for number in range(len(found.class_names(label)))]
    return _sheet("Drawn from a label, a column for each.", np.stack(columns, 1).reshape(-1, *columns[0].shape[1:]),
                  len(columns))


def _sheet(words: str, images: Images, columns: int = COLUMNS) -> Drawn:
    return Drawn(words, png(sheet(images, columns), 2))


def known() -> dict[str, dict[str, Any]]:
    """What was drawn, by the names of the checkpoints: `words`, and `lines` where it is no picture."""
    found: dict[str, dict[str, Any]] = json.loads(DRAWN.read_text()) if DRAWN.exists() else {}
    return found


def write(run: Run) -> None:
    """Lay the draws of a run into docs/images/gallery."""
    DRAWN.parent.mkdir(parents=True, exist_ok=True)
    drawn, name = draw(run), run.path.name
    if drawn.picture:
        with Image.open(io.BytesIO(drawn.picture)) as picture:
            picture.save(DRAWN.with_name(f"{name}.png"), optimize=True)
    entry = {"words": drawn.words} | ({"lines": list(drawn.lines)} if drawn.lines else {})
    DRAWN.write_text(json.dumps(dict(sorted({**known(), name: entry}.items())), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    wanted = sys.argv[1:]
    for each in Store(ROOT / "trained").gallery():
        if not wanted or each.path.name in wanted:
            write(each)
            print(each.path.name, flush=True)
