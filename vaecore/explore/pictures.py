"""Observations to images, and images to pictures: grids with crisp pixels, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vaecore.modalities import grey

Images = NDArray[np.uint8]  # (B, H, W) grey or (B, H, W, 3) colour
Picture = NDArray[np.uint8]  # (H, W) grey, (H, W, 2) grey and opacity, (H, W, 3) colour, (H, W, 4) colour and opacity
INK, PALE = (27, 29, 42), (120, 124, 140)


def as_images(x: torch.Tensor) -> Images:
    """Observations (B, *shape) as uint8 images; a vector becomes one row of grey."""
    if x.ndim == 2:  # vectors
        return grey(x[:, None].detach().numpy())
    images = (x * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    if images.shape[1] not in (1, 3):
        images = images[:, :1]
    return np.ascontiguousarray(images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1))


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


def stacked(rows: Sequence[Images], *, gap: int = 1) -> Picture:
    """Rows of images of any sizes, (B, H, W[, 3]) each, so that what belongs together stands in one column."""
    height, width = (max(row.shape[axis] for row in rows) for axis in (1, 2))
    return grid(np.concatenate([_framed(row, height, width) for row in rows]), len(rows[0]), gap=gap)


def striped(blocks: Sequence[Images], *, width: int = 640, height: int = 8) -> Picture:
    """Vectors (B, 1, D) of several modalities, a stripe each observation and the modalities side by side.

    At most `width` pixels wide: neighbouring numbers of longer ones are averaged.
    """
    gap = max(1, sum(block.shape[2] for block in blocks) // 80)
    space = np.full((len(blocks[0]), gap), 255, np.uint8)
    parts = [part for block in blocks for part in (block[:, 0], space)][:-1]
    sheet = Image.fromarray(np.concatenate(parts, 1))
    size = min(width, sheet.width), len(blocks[0]) * height
    narrow = sheet.resize((size[0], sheet.height), Image.Resampling.BOX)
    return np.asarray(narrow.resize(size, Image.Resampling.NEAREST))


def crossed(body: Images, left: Images, top: Images, *, gap: int = 1, apart: int = 4) -> Images:
    """One picture with opacity: `body` (R, C, H, W[, 3]) with `left` (R, ...) at its left and `top` (C, ...) above."""
    rows, columns, height, width = body.shape[:4]

    def place(number: int, size: int) -> int:
        return 0 if number == 0 else size + apart + (number - 1) * (size + gap)

    def coloured(image: Images) -> Images:
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, -1)

    sheet: Images = np.zeros((place(rows, height) + height, place(columns, width) + width, 4), np.uint8)
    cells = [(0, 1 + c, image) for c, image in enumerate(top)] + [(1 + r, 0, image) for r, image in enumerate(left)]
    cells += [(1 + r, 1 + c, body[r, c]) for r in range(rows) for c in range(columns)]
    for r, c, image in cells:
        y, x = place(r, height), place(c, width)
        sheet[y:y + height, x:x + width, :3] = coloured(image)
        sheet[y:y + height, x:x + width, 3] = 255
    return sheet


def _framed(images: Images, height: int, width: int) -> Images:
    """Images (B, h, w[, 3]) in colour, scaled by the largest whole number that fits and centred on black."""
    scale = max(1, min(height // images.shape[1], width // images.shape[2]))
    images = images.repeat(scale, 1).repeat(scale, 2)
    colour = images if images.ndim == 4 else np.repeat(images[..., None], 3, 3)
    above, left = (height - colour.shape[1]) // 2, (width - colour.shape[2]) // 2
    framed: Images = np.zeros((len(colour), height, width, 3), np.uint8)
    framed[:, above : above + colour.shape[1], left : left + colour.shape[2]] = colour
    return framed


def legible(images: Images) -> Images:
    """Images as they are; vectors, one row of numbers each, as stripes tall enough to see."""
    height, width = images.shape[1:3]
    return images if height > 1 else np.repeat(images, max(1, width // 2), axis=1)


def sheet(images: Images, columns: int) -> Picture:
    """Images or vectors (B, H, W[, 3]) as one picture, in rows of `columns`."""
    return grid(legible(images), columns)


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
