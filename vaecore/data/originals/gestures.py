"""Filmed signs of 640 × 480 as clips of 64 × 64: the square in the middle, made small by Pillow's Lanczos filter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vaecore.data.base import Array
from vaecore.data.filmed import SIDE

MAX_FRAMES = 200  # of a sign; the longest has 109


def convert(folder: Path) -> dict[str, Array]:
    """The arrays of asl_gestures_64.npz out of *.mkv; a sign is called as its file."""
    films = sorted(folder.glob("*.mkv"))
    clips, rates = zip(*map(_clip, films), strict=True)
    return {"frames": np.concatenate(clips), "offsets": np.cumsum([0, *map(len, clips)]).astype(np.int32),
            "names": np.array([film.stem for film in films]), "fps": np.array(np.median(rates), np.float32)}


def _clip(film: Path) -> tuple[Array, float]:
    import av

    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        frames = list[Array]()
        for frame in container.decode(stream):
            if len(frames) == MAX_FRAMES:
                raise ValueError(f"{film.name} has more than {MAX_FRAMES} frames")
            picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
            side = min(picture.size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            square = picture.crop((left, top, left + side, top + side))
            frames.append(np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))
        return np.stack(frames), float(stream.average_rate or 0)
