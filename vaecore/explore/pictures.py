"""Images to pictures: grids with crisp pixels, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vaecore.explore import Checkpoint, Codeless, Images
from vaecore.files import write_bytes_atomic

Picture = NDArray[np.uint8]  # (H, W) grey, (H, W, 2) grey and opacity, (H, W, 3) colour, (H, W, 4) colour and opacity
INK, PALE = (27, 29, 42), (120, 124, 140)


def grid(images: Images, columns: int, *, gap: int = 1, background: int | None = None, fill: bool = False
         ) -> Picture:
    """(B, H, W[, 3]) laid out in rows of `columns`, with a gap in pixels between them: one image.

    The gap lets the page shine through, unless a grey level is given for it. `fill` keeps the width of a
    full row where there are fewer images.
    """
    count, height, width = images.shape[:3]
    columns = max(1, columns if fill else min(columns, count))
    rows = -(-count // columns)
    size = rows * (height + gap) - gap, columns * (width + gap) - gap
    sheet = np.full((*size, *images.shape[3:]), background or 0, np.uint8)
    opacity = np.full((*size, 1), 0 if background is None else 255, np.uint8)
    for index, image in enumerate(images):
        y, x = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
        opacity[y : y + height, x : x + width] = 255
    if opacity.all():
        return sheet
    return np.concatenate([sheet.reshape(*size, -1), opacity], -1)


def legible(images: Images) -> Images:
    """Images as they are; vectors, one row of numbers each, as stripes tall enough to see."""
    height, width = images.shape[1:3]
    return images if height > 1 else np.repeat(images, max(1, width // 2), axis=1)


def png(image: Picture, scale: int = 1) -> bytes:
    """One picture as PNG, each pixel drawn as `scale` x `scale`, so that it stays crisp."""
    return _bytes(_scaled(image, scale))


def scale_for(image: Picture, width: int) -> int:
    """The whole-number scale that brings a picture closest to `width` pixels without passing it."""
    return max(1, width // int(image.shape[1]))


def labelled(rows: Sequence[tuple[str, Images]], heads: Sequence[str] = (), *, width: int = 1400) -> bytes:
    """A PNG for slides: rows of images with their labels at the left, and `heads` over the columns."""
    font = ImageFont.load_default(24)
    strips = [Image.fromarray(grid(images, len(images))) for _, images in rows]
    left = 32 + max([int(font.getlength(label)) for label, _ in rows], default=0)
    scaled = [_fitted(strip, width) for strip in strips]
    top = 40 if heads else 0
    sheet = Image.new("RGB", (left + max(s.width for s in scaled), top + sum(s.height + 8 for s in scaled)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, head in enumerate(heads):
        draw.text((left + scaled[0].width * (index + 0.5) / len(heads), 8), head, PALE, font, "ma")
    y = top
    for (label, _), strip in zip(rows, scaled, strict=True):
        draw.text((left - 16, y + strip.height / 2), label, INK, font, "rm")
        sheet.paste(strip, (left, y), strip.getchannel("A") if "A" in strip.getbands() else None)
        y += strip.height + 8
    return _bytes(sheet)


def write_preview(checkpoint: Checkpoint | Codeless, count: int = 10) -> None:
    """`preview.png` in the run's folder: samples, two rows; of a prior with labels a column for each of the first."""
    if isinstance(checkpoint, Codeless):
        count = min(count, 8)  # a pass through the model for each pixel of each image
        images = checkpoint.sample(2 * count)
    else:
        labels = [place % count % checkpoint.classes for place in range(2 * count)] if checkpoint.classes else None
        images = checkpoint.sample(2 * count, labels=labels)
    write_bytes_atomic(checkpoint.run.path / "preview.png", png(grid(legible(images), count), scale=2))


def _scaled(image: Picture, scale: int) -> Image.Image:
    picture = Image.fromarray(image)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    return picture


def _fitted(strip: Image.Image, width: int) -> Image.Image:
    scale = max(1, width // strip.width)
    return strip.resize((strip.width * scale, strip.height * scale), Image.Resampling.NEAREST)


def _bytes(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
