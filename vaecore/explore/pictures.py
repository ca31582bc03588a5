"""Images to pictures: grids with crisp pixels, as PNG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vaecore.explore import Checkpoint, Images
from vaecore.files import write_bytes_atomic


def grid(images: Images, columns: int, *, gap: int = 1, background: int = 255) -> NDArray[np.uint8]:
    """(B, H, W[, 3]) laid out in rows of `columns`, with a gap in pixels between them: one image."""
    count, height, width = images.shape[:3]
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:]), background, np.uint8)
    for index, image in enumerate(images):
        y, x = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def png(image: NDArray[np.uint8], scale: int = 1) -> bytes:
    """One image (H, W[, 3]) as PNG, each pixel drawn as `scale` x `scale`, so that it stays crisp."""
    picture = Image.fromarray(image)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def write_preview(checkpoint: Checkpoint, count: int = 10) -> None:
    """`preview.png` in the run's folder: samples, two rows."""
    sheet = grid(checkpoint.sample(2 * count), count)
    write_bytes_atomic(checkpoint.run.path / "preview.png", png(sheet, scale=2))
